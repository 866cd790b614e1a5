/*
 * What the files of a model's folder say besides its weights: the shape of the network, how its output becomes one vector,
 * how long a text may be, and what is put before a text.
 */
#ifndef AIO_EMBEDDERS_MODEL_CONFIG_H
#define AIO_EMBEDDERS_MODEL_CONFIG_H

#include "core/alloc.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/str.h"
#include "embedders/local/bert_kernels.h"

enum {
  AIO__MODEL_FILE_MAX = 4 << 20, /* bytes of each of these files */
  AIO__MODEL_LAYERS_MAX = 48,
  AIO__MODEL_HIDDEN_MAX = 4096,
  AIO__MODEL_INTERMEDIATE_MAX = 16384,
  AIO__MODEL_VOCABULARY_MAX = 1 << 20,
  AIO__MODEL_POSITIONS_MAX = 8192,
  AIO__MODEL_TYPES_MAX = 64,
  AIO__MODEL_TOKENS_MIN = 3,     /* [CLS], one piece, [SEP] */
  AIO__MODEL_PROMPT_MAX = 255,   /* bytes */
  AIO__MODEL_NAME_MAX = 127,
  AIO__MODEL_PURPOSES = 3        /* AIORCH_PURPOSE_*, less one */
};

typedef struct aio__model_config {
  char name[AIO__MODEL_NAME_MAX + 1]; /* of the folder; bytes outside of [A-Za-z0-9._-] are "_" */
  size_t layers, hidden, heads, intermediate, vocabulary, positions, types;
  size_t max_tokens;          /* with [CLS] and [SEP] */
  float norm_eps;
  const aio__curve *curve;
  bool first_token;           /* the vector is that of [CLS], not the mean of all */
  bool lower_case;            /* for a vocab.txt, which does not tell */
  char prompt[AIO__MODEL_PURPOSES][AIO__MODEL_PROMPT_MAX + 1]; /* before a text, by purpose; "" none */
} aio__model_config;

/* The files, as far as they are there (n = 0: not there). */
typedef struct aio__model_texts {
  aio__str config;       /* config.json */
  aio__str modules;      /* modules.json */
  aio__str pooling;      /* 1_Pooling/config.json */
  aio__str sentence;     /* sentence_bert_config.json */
  aio__str tokenizer;    /* tokenizer_config.json */
  aio__str prompts;      /* config_sentence_transformers.json */
} aio__model_texts;

/* AIORCH_E_NOT_FOUND when `folder` has no config.json; AIORCH_E_MODEL: names the file, and what is wrong or not supported;
 * AIORCH_E_NOMEM, AIORCH_E_SYSTEM. */
aiorch_status aio__model_config_read(const aio__alloc *al, const char *folder, aio__model_config *out,
                                     aiorch_error *error);
/* The same of texts in memory. */
aiorch_status aio__model_config_parse(const aio__alloc *al, const char *folder, const aio__model_texts *texts,
                                      aio__model_config *out, aiorch_error *error);
/* Feeds all that has a say in the vectors, but the weights and the tokenizer. */
void aio__model_config_digest(const aio__model_config *config, aio__sha256 *hash);

/* A file of the folder as NUL-terminated memory of `al`. AIORCH_E_NOT_FOUND (no words) when it is not there; AIORCH_E_MODEL when it
 * is no file or above `max`; AIORCH_E_SYSTEM, AIORCH_E_NOMEM. */
aiorch_status aio__model_file_read(const aio__alloc *al, const char *folder, const char *name, size_t max, char **out,
                                   size_t *len, aiorch_error *error);

#endif
