/*
 * The wire format of an embedding service as pure code: texts become a request, the body that comes back becomes vectors, a
 * failure becomes a status. Bytes are carried by others (net/), who also retry.
 */
#ifndef AIO_EMBEDDERS_EMBED_CODEC_H
#define AIO_EMBEDDERS_EMBED_CODEC_H

#include <aiorch/plugin.h>

#include "core/json_writer.h"
#include "net/wire.h"
#include "text/error_body.h"
#include "text/json_tape.h"

enum {
  AIO__EMBED_DIMENSIONS_MAX = 65536,
  AIO__EMBED_BODY_MAX = 64 << 20,
  AIO__EMBED_TEXTS_MAX = 2048
};

typedef struct aio__embed_request {
  aio__str model;
  const aio__str *texts;
  size_t text_count;        /* at most the codec's batch_max; none of them empty */
  int32_t purpose;          /* AIORCH_PURPOSE_* */
  size_t dimensions;        /* 0: as many as the model has */
  aio__str provider_options; /* a JSON object that is laid over the body */
} aio__embed_request;

typedef struct aio__embed_target {
  aio__str base_url;        /* empty: the codec's own */
  aio__str key;             /* empty: none is sent */
  bool plain_floats;        /* OpenAI: numbers instead of base64, for servers that do not know it */
  const aio__wire_header *headers; /* more of them, of the user's own */
  size_t header_count;
} aio__embed_target;

typedef struct aio__embed_result {
  const aio__alloc *al;
  float *vectors;           /* count rows of dimensions, in the order of the texts */
  size_t count, dimensions;
  int64_t tokens;           /* -1: not said */
  char model[AIO__WIRE_ID_MAX + 1], request_id[AIO__WIRE_ID_MAX + 1];
  aio__wire_error error;
} aio__embed_result;

/* What a codec writes into, and reads from. Failures stick in `status`. */
typedef struct aio__embed_writer {
  const aio__embed_request *request;
  const aio__embed_target *target;
  aio__wire_request *out;
  aio__json_writer w;       /* of the body; the object is open */
  aiorch_error *error;
  aiorch_status status;
} aio__embed_writer;

typedef struct aio__embed_reader {
  const aio__tape *tape;
  size_t texts;             /* that were sent */
  size_t dimensions;        /* that are expected; 0: any */
  aio__embed_result *result;
  const char *fault;        /* what is not as it should be */
  aiorch_status status;
} aio__embed_reader;

typedef struct aio__embed_codec {
  const char *name, *base_url;
  size_t batch_max;         /* texts in one request */
  void (*write)(aio__embed_writer *e);
  void (*read)(aio__embed_reader *r);
  void (*fail)(const aio__error_body *body, aio__wire_error *error); /* may be NULL */
} aio__embed_codec;

extern const aio__embed_codec aio__embed_hugging_face, aio__embed_openai, aio__embed_ollama;
const aio__embed_codec *aio__embed_codec_find(aio__str name); /* "huggingface", "openai", "ollama"; NULL */

/* AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_CONFIG, AIORCH_E_TOO_LARGE, AIORCH_E_NOMEM. */
aiorch_status aio__embed_encode(const aio__embed_codec *codec, const aio__embed_request *request, const aio__embed_target *target,
                                aio__wire_request *out, aiorch_error *error);

void aio__embed_result_init(aio__embed_result *result, const aio__alloc *al);
void aio__embed_result_free(aio__embed_result *result);
/* The whole body of an answer to `texts` texts. AIORCH_OK with a vector for each of them, all finite and none zero; else how it failed,
 * which is in result->error, too. */
aiorch_status aio__embed_decode(const aio__embed_codec *codec, const aio__embed_target *target, const aio__wire_reply *reply, aio__str body,
                                size_t texts, size_t dimensions, aio__embed_result *result);

/* ---- for codecs ---- */

void aio__embed_url(aio__embed_writer *e, const char *base_url, aio__str path);
void aio__embed_bearer(aio__embed_writer *e);
void aio__embed_texts(aio__embed_writer *e, const char *key);
/* Makes room for the vectors, once. */
void aio__embed_room(aio__embed_reader *r, size_t dimensions);
/* Row number `row` from a list of numbers, or from base64 of little-endian floats. The first row fixes the dimensions. */
void aio__embed_row(aio__embed_reader *r, size_t row, aio__tape_value value);
void aio__embed_fault(aio__embed_reader *r, const char *fault);
void aio__embed_tokens(aio__embed_reader *r, aio__tape_value value);
void aio__embed_model(aio__embed_reader *r, aio__tape_value value);

#endif
