/*
 * The wire format of a provider as pure code: what is asked becomes a request, the bytes that come back become text, tool calls,
 * tokens and an end, and a failure becomes a status. No socket, no clock, no thread: the transport carries bytes, and retries,
 * time limits and the breaker are others' work.
 *
 *   aio__codec_encode(codec, &request, &target, &sink, &wire, error);
 *   aio__decoder_init(&d, codec, &target, &sink, al);
 *   aio__decoder_head(&d, &reply, wire.framing);        // status and headers have come
 *   aio__decoder_feed(&d, bytes);                       // as they come, cut anywhere
 *   aio__decoder_end(&d);                               // the body has ended cleanly
 *   d.result, d.error, d.has_output                     // also in between
 *   aio__decoder_free(&d);
 *
 * What a codec has to do itself is in aio__codec below; everything else is done once, in codec.c and codec_json.c.
 */
#ifndef AIO_PROVIDERS_CODEC_H
#define AIO_PROVIDERS_CODEC_H

#include <aiorch/plugin.h>

#include "core/content.h"
#include "core/json_writer.h"
#include "cost/usage.h"
#include "net/ndjson.h"
#include "net/sse.h"
#include "net/wire.h"
#include "text/error_body.h"
#include "text/json_tape.h"

/* ---- what is asked ----------------------------------------------------------------------------------------------- */

enum {
  AIO__CODEC_BODY_MAX = 32 << 20,      /* bytes of an answer that comes whole */
  AIO__CODEC_ERROR_BODY_MAX = 64 << 10 /* bytes of a failed answer that are read */
};

typedef struct aio__turn {
  int32_t role; /* AIORCH_ROLE_USER, _ASSISTANT, _TOOL; system text is in `system` */
  const aio__part *parts;
  size_t part_count;
} aio__turn;

typedef struct aio__codec_request {
  aio__str model, system;
  const aio__turn *turns;
  size_t turn_count;
  aio__wishes wishes;
  double temperature;           /* below 0: not said */
  int64_t max_tokens;           /* 0: not said */
  bool stream;
  aio__str provider_options;    /* a JSON object that is laid over the body: its members win, objects are merged */
} aio__codec_request;

/* Whom it goes to. */
typedef struct aio__codec_target {
  aio__str base_url; /* empty: the codec's own */
  aio__str key;      /* empty: none is sent */
  aio__str server;   /* OpenAI: which dialect ("openai", "groq", ...); empty: by the host */
  aio__str version;  /* Anthropic: its date; empty: AIO__ANTHROPIC_VERSION. Gemini: "v1beta"; empty: "v1" */
  uint32_t calls_before; /* tool calls of the conversation so far: where a service gives a call no id, ours goes on counting there */
  bool bearer;       /* Anthropic: the key as "Authorization: Bearer" */
  bool refuse;       /* a parameter that the model does not take is an error, instead of being left out with a warning */
  const aio__wire_header *headers; /* more of them, of the user's own */
  size_t header_count;
} aio__codec_target;

#define AIO__ANTHROPIC_VERSION "2026-10-21"

/* ---- what comes out ---------------------------------------------------------------------------------------------- */

/* An error ends encoding or decoding, and is what they return. */
typedef struct aio__codec_sink {
  void *ctx;
  aiorch_status (*take)(void *ctx, const aio__codec_event *event);
} aio__codec_sink;

typedef struct aio__codec_result {
  aio__usage usage;      /* as the service counted, in disjoint classes */
  bool has_usage;
  int32_t finish_reason; /* AIORCH_FINISH_*; NONE until it is known */
  char model[AIO__WIRE_ID_MAX + 1], request_id[AIO__WIRE_ID_MAX + 1];
  size_t tool_calls;
} aio__codec_result;

/* ---- a codec ----------------------------------------------------------------------------------------------------- */

typedef struct aio__encoder aio__encoder;
typedef struct aio__decoder aio__decoder;

typedef struct aio__codec {
  const char *name;     /* "anthropic" */
  const char *base_url;
  aio__wire_framing stream_framing;
  /* Writes path, headers and the object of the body; codec_json.h. */
  void (*write)(aio__encoder *e);
  /* An answer that came whole; an event of a stream (`type` is empty for lines). The tape is read; aio__dec_* hand over. */
  aiorch_status (*whole)(aio__decoder *d);
  aiorch_status (*event)(aio__decoder *d, aio__str type);
  /* What is no JSON but belongs to the stream ("[DONE]"): true when it was that. May be NULL. */
  bool (*mark)(aio__decoder *d, aio__str data);
  /* Sharpens what status and headers say of a failure. `body` may have nothing in it. */
  void (*fail)(const aio__decoder *d, const aio__error_body *body, aio__wire_error *error);
} aio__codec;

extern const aio__codec aio__codec_anthropic, aio__codec_openai, aio__codec_gemini, aio__codec_ollama;
const aio__codec *aio__codec_find(aio__str name); /* NULL */

/* Fills `out`, which was made by aio__wire_request_init. AIORCH_OK; AIORCH_E_INVALID: what is asked cannot be said; AIORCH_E_UNSUPPORTED:
 * not to this provider; AIORCH_E_CONFIG: base URL, key, headers or provider_options; AIORCH_E_TOO_LARGE; AIORCH_E_NOMEM; what the
 * sink returned. The message never has a key in it. */
aiorch_status aio__codec_encode(const aio__codec *codec, const aio__codec_request *request, const aio__codec_target *target,
                                const aio__codec_sink *sink, aio__wire_request *out, aiorch_error *error);

/* ---- a decoder --------------------------------------------------------------------------------------------------- */

typedef struct aio__decoder_tool {
  int64_t key;      /* what the service calls it by; -1: nothing */
  uint16_t half;    /* see aio__tape_str */
  bool open, has_arguments;
} aio__decoder_tool;

struct aio__decoder {
  const aio__codec *codec;
  const aio__codec_target *target; /* must outlive the decoder */
  const aio__codec_sink *sink;     /* as the target */
  const aio__alloc *al;
  enum { AIO__DECODER_SNIFF, AIO__DECODER_WHOLE, AIO__DECODER_SSE, AIO__DECODER_LINES, AIO__DECODER_ERROR } mode;
  aio__wire_framing asked;
  aio__sse sse;
  aio__ndjson lines;
  aio__buf body, scratch, memory;
  aio__tape tape;
  uint16_t text_half, reasoning_half;
  aio__decoder_tool *tools; /* of AIO__TOOLS_MAX; NULL while there are none */
  bool refused;        /* the model said no in so many words */
  bool terminal;       /* the last event was seen */
  bool closed;         /* what comes after it is passed over */
  bool ending;         /* what comes now may have been cut off */
  bool stopped;        /* something failed: nothing more is read */
  bool has_output;     /* text, reasoning or a tool call went out */
  aio__codec_result result;
  aio__wire_error error;
};

void aio__decoder_init(aio__decoder *d, const aio__codec *codec, const aio__codec_target *target, const aio__codec_sink *sink,
                       const aio__alloc *al);
void aio__decoder_free(aio__decoder *d);
/* Status and headers, once, before the body. */
void aio__decoder_head(aio__decoder *d, const aio__wire_reply *reply, aio__wire_framing asked);
/* AIORCH_OK while more may come. Else how the answer failed, which is in d->error too, and what comes is passed over; or what the
 * sink returned. */
aiorch_status aio__decoder_feed(aio__decoder *d, aio__str bytes);
/* AIORCH_OK: the answer is whole. AIORCH_E_TRUNCATED: its last event never came. Else how it failed. */
aiorch_status aio__decoder_end(aio__decoder *d);

/* ---- for codecs: handing over ------------------------------------------------------------------------------------ */

aiorch_status aio__dec_text(aio__decoder *d, aio__tape_value value);
aiorch_status aio__dec_reasoning(aio__decoder *d, aio__tape_value value);
aiorch_status aio__dec_signature(aio__decoder *d, int32_t tool, aio__tape_value value, bool redacted);
/* The stop sequence that ended the answer, where the service says which. */
aiorch_status aio__dec_stop(aio__decoder *d, aio__tape_value value);
aiorch_status aio__dec_warn(aio__decoder *d, const char *text, aio__str detail);
/* Starts a tool call that goes by `key`, and gives its number. Without an id it gets one of ours: "aiorch_call_N", with N
 * from target->calls_before on. */
aiorch_status aio__dec_tool_start(aio__decoder *d, int64_t key, aio__tape_value id, aio__tape_value name, int32_t *tool);
int32_t aio__dec_tool_find(const aio__decoder *d, int64_t key); /* the last that goes by it; -1 */
/* A piece of the arguments: a string, or a value whose text they are. */
aiorch_status aio__dec_tool_arguments(aio__decoder *d, int32_t tool, aio__tape_value value);
/* Ends a call; one without arguments gets "{}". All that are open: -1. */
aiorch_status aio__dec_tool_end(aio__decoder *d, int32_t tool);

void aio__dec_model(aio__decoder *d, aio__tape_value value);
void aio__dec_request_id(aio__decoder *d, aio__tape_value value); /* unless a header said it */
/* Sets the tokens of a class, when the value is a count. */
void aio__dec_usage(aio__decoder *d, int usage_class, aio__tape_value value);
int64_t aio__dec_count(const aio__decoder *d, aio__tape_value value); /* 0 to 2^53; 0 for what is no count */
/* Of several answers to one question (choices, candidates) the one that counts: that of index 0, or without an index. */
aio__tape_value aio__dec_choice(const aio__decoder *d, aio__tape_value list);
/* An error inside an answer. */
aiorch_status aio__dec_error(aio__decoder *d, aio__tape_value root);
/* The answer is not what the interface promises. */
aiorch_status aio__dec_response_error(aio__decoder *d, const char *what);

#define AIO__CODEC_OWN_ID "aiorch_call_" /* begin of the ids that the library makes */

#endif
