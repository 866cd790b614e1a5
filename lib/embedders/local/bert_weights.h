/*
 * The weights of a BERT encoder in memory, packed for the kernels: one block, filled from model.safetensors, or, for int8, from
 * the file that was made of it before.
 *
 * Nothing of it points into a file: whatever happens to the files of a model, who has loaded it goes on with it.
 *
 * int8: every matrix is rotated (each 128 inputs, or 64 or 32, are mixed by a Hadamard matrix, as the activations are before
 * they are rounded: outliers spread, the product stays the same) and rounded to -127 .. 127 with one scale an output. The
 * table of words has one scale a word. All else is f32. Cosine to f32: .9993 on average, .998 at worst.
 */
#ifndef AIO_EMBEDDERS_BERT_WEIGHTS_H
#define AIO_EMBEDDERS_BERT_WEIGHTS_H

#include "core/log.h"
#include "embedders/local/bert_kernels.h"
#include "embedders/local/local.h"
#include "embedders/local/model_config.h"

enum {
  AIO__BERT_SCHEME = 2,            /* counts when int8 weights, or what is done with them, change */
  AIO__BERT_WEIGHTS_MAX = 1 << 29  /* all in all: BERT large has 335 million */
};

typedef struct aio__linear {
  void *panels;       /* f32 or bytes, packed [out][in] */
  float *scale;       /* int8: one an output */
  float *bias;
  size_t in, out, rotation;
} aio__linear;

typedef struct aio__bert_layer {
  aio__linear mix;    /* queries, keys and values, one after the other: out is 3 * hidden */
  aio__linear merge;  /* what attention gives */
  aio__linear widen, narrow;
  float *merge_gamma, *merge_beta, *gamma, *beta;
} aio__bert_layer;

typedef struct aio__bert {
  const aio__alloc *al;
  aio__model_config config;
  aio__local_precision precision;
  aio__bert_layer *layers;
  void *words;         /* [vocabulary][hidden]: f32, or bytes with word_scale */
  float *word_scale;
  float *positions;    /* [max_tokens][hidden], the vector of token type 0 added */
  float *gamma, *beta; /* of the embeddings */
  uint8_t digest[AIO__SHA256_SIZE]; /* of all weights as they stand in model.safetensors */
  void *memory;        /* as it was allocated */
  char *block;         /* what is in it, aligned */
  size_t bytes;
} aio__bert;

/* AIORCH_E_MODEL, AIORCH_E_NOMEM, AIORCH_E_SYSTEM. Events (log may be NULL): "local_model_made" when int8 weights were made,
 * with "kept" and why not. */
aiorch_status aio__bert_load(const aio__alloc *al, const char *folder, const aio__model_config *config,
                             aio__local_precision precision, aio__log *log, aio__bert **out, aiorch_error *error);
void aio__bert_free(aio__bert *bert);

#endif
