/*
 * An embedder and a vector store for tests, in memory. A text's vector is made of its letters, so texts that share
 * words are near; what fails, and when, is told beforehand. Thread-safe.
 */
#ifndef AIO_TESTS_FAKE_VECTORS_H
#define AIO_TESTS_FAKE_VECTORS_H

#include <pthread.h>
#include <stdbool.h>

#include <aiorch/aiorch.h>

enum { FAKE_DIMENSIONS = 32, FAKE_VECTORS_MAX = 4096 };

typedef struct fake_vector {
  char tenant[64], collection[16], scope[72], id[64];
  float row[FAKE_DIMENSIONS];
} fake_vector;

typedef struct fake_vectors {
  pthread_mutex_t mutex;
  fake_vector *stored;
  size_t count;
  int embed_calls, embedded_texts, removed, query_calls;
  aiorch_status embed_status, search_status, upsert_status; /* below 0: fails so; AIORCH_PENDING: never finishes */
  size_t short_by;                                          /* the embedder gives so many vectors too few */
  bool say_usage;
  float first; /* when it is no number, or 0 with `zero`: the first element of every vector that the embedder gives */
  bool zero;   /* it gives vectors without length */
  void (*on_embed)(void *context); /* called when it begins; may be NULL */
  void *context;
} fake_vectors;

void fake_vectors_init(fake_vectors *f);
void fake_vectors_free(fake_vectors *f);
/* Registers both on a configuration; `f` must outlive the orchestrator. */
void fake_vectors_register(fake_vectors *f, aiorch_config *config);
/* The embedder alone: vectors are then the library's store's. */
void fake_vectors_register_embedder(fake_vectors *f, aiorch_config *config);

#endif
