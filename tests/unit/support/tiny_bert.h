/*
 * A small BERT with random weights, written as a model's folder, and its forward pass in double precision, done in the
 * plainest way: what the local embedder is compared with where no real model is at hand.
 *
 * Tests may change tensors, or how they are written, before tiny_bert_write.
 */
#ifndef AIO_TESTS_TINY_BERT_H
#define AIO_TESTS_TINY_BERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TINY_TENSORS_MAX = 128, TINY_WORDS = 60, TINY_POSITIONS = 200 };

typedef struct tiny_tensor {
  char name[96];
  size_t rank, shape[2], count;
  float *values;
  bool left_out;
} tiny_tensor;

typedef struct tiny_bert {
  size_t layers, hidden, heads, intermediate, vocabulary, positions;
  tiny_tensor tensors[TINY_TENSORS_MAX];
  size_t tensor_count;
  const char *dtype;  /* "F32", "F16", "BF16": values that it cannot hold are changed by tiny_bert_init */
  const char *prefix; /* of all names */
  const char *act;    /* "gelu" or "gelu_new" */
  bool cls;           /* pooling */
} tiny_bert;

void tiny_bert_init(tiny_bert *b, uint32_t seed, const char *dtype, size_t layers, size_t hidden, size_t heads,
                    size_t intermediate);
void tiny_bert_free(tiny_bert *b);
tiny_tensor *tiny_bert_tensor(tiny_bert *b, const char *name); /* ends the program when there is none */
/* Makes the folder, and in it config.json, vocab.txt, 1_Pooling/config.json, sentence_bert_config.json and
 * model.safetensors. The words are [PAD], [UNK], [CLS], [SEP], then "w4", "w5", ... */
void tiny_bert_write(const tiny_bert *b, const char *folder);
void tiny_bert_write_weights(const tiny_bert *b, const char *folder);
/* A unit vector of `hidden` numbers. */
void tiny_bert_embed(tiny_bert *b, const int32_t *ids, size_t n, double *out);

/* Any file: whole, or ends the program. */
void tiny_write_file(const char *folder, const char *name, const void *bytes, size_t len);
/* $AIORCH_TEST_TMP (or the current folder) and `name` in out. */
void tiny_path(const char *name, char *out, size_t cap);
double tiny_cosine(const float *a, const double *b, size_t n);

#endif
