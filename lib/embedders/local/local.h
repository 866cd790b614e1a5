/*
 * The local embedder: sentence encoders of the BERT family from a folder as Hugging Face lays it out, in this process, without threads of
 * its own.
 *
 * A folder has config.json, vocab.txt or tokenizer.json, model.safetensors, and, as sentence-transformers writes them,
 * 1_Pooling/config.json and sentence_bert_config.json. With int8, the weights are made once and kept beside the model in
 * model.aiorch-int8, which is read instead from then on (made in memory each time, with a log line, where the folder
 * cannot be written).
 *
 * Files are read, checked and packed at opening, and never looked at again: a mapped file that is cut short would end the
 * process. So an open embedder goes on as it was, whatever is done to its folder (a file replaced, written to, cut short,
 * removed), and the next to open sees the new files or an error. A file that changes while it is read is AIORCH_E_MODEL.
 */
#ifndef AIO_EMBEDDERS_LOCAL_H
#define AIO_EMBEDDERS_LOCAL_H

#include "core/alloc.h"
#include "core/error.h"
#include "core/log.h"
#include "core/plugins.h"
#include "core/str.h"
#include "vector/cpu.h"

typedef struct aio__local aio__local;

typedef enum aio__local_precision { AIO__LOCAL_F32 = 0, AIO__LOCAL_INT8 } aio__local_precision;

typedef struct aio__local_args {
  const char *folder; /* of the model: embedder.local.path + "/" + embedder.local.model */
  aio__local_precision precision;
  aio__cpu cpu;
  aio__log *log; /* may be NULL */
} aio__local_args;

/* AIORCH_E_NOT_FOUND: no such folder, or no config.json in it; AIORCH_E_MODEL names the file and what is wrong;
 * AIORCH_E_NOMEM, AIORCH_E_SYSTEM. */
aiorch_status aio__local_open(const aio__alloc *al, const aio__local_args *args, aio__local **out, aiorch_error *error);
void aio__local_free(aio__local *local);

const char *aio__local_fingerprint(const aio__local *local); /* "all-MiniLM-L6-v2/int8/<digest of weights and tokenizer>" */
size_t aio__local_dimensions(const aio__local *local);
size_t aio__local_max_tokens(const aio__local *local);
bool aio__local_one_purpose(const aio__local *local);        /* no instruction for queries: one vector serves all purposes */

/* Unit vectors, `count` rows of dimensions; what was cut to max_tokens counts in *truncated, tokens (with [CLS] and [SEP])
 * in *tokens. A vector never depends on the other texts of the batch, bit for bit. `cancelled` (may be NULL) is asked
 * before each text: AIORCH_E_CANCELLED. AIORCH_E_INVALID for a purpose that is none, AIORCH_E_MODEL when weights are so
 * large that no vector comes out, AIORCH_E_NOMEM. Threads: any, several at once. */
aiorch_status aio__local_embed(const aio__local *local, int32_t purpose, const aio__str *texts, size_t count, float *out,
                               size_t *tokens, size_t *truncated, bool (*cancelled)(void *ctx), void *ctx);
/* The token ids of one text as aio__local_embed sees them (with a query's instruction). `ids` has room for max_tokens. */
aiorch_status aio__local_tokens(const aio__local *local, int32_t purpose, aio__str text, int32_t *ids, size_t *count,
                                bool *truncated);

/* As a registered plug-in: fills a record whose destroy frees `local`. Its `fingerprint` is NULL; vtbl.fingerprint is
 * `local`'s own: to register it, give `vtbl` and `self` to aio__plugins_set_embedder, which copies that. */
void aio__local_plugin(aio__local *local, aio__plugin_embedder *out);

#endif
