/*
 * Vectors that were computed elsewhere, as plug-ins: an embedder that looks texts up in a file, and a vector store that
 * keeps what it is given in memory. So a model can be judged before the library can run it (tests/eval/README.md).
 *
 * The file: "AIOVEC1\n", the dimensions as 4 bytes, then for each text 8 bytes of SHA-256(purpose LF text) and the row as
 * 32-bit floats; little-endian. Texts that it lacks get a row of no meaning, are counted, and are written to FILE.missing,
 * one {"purpose", "text"} a line, for whoever computes vectors.
 */
#ifndef EVAL_VECTORS_H
#define EVAL_VECTORS_H

#include <stdbool.h>
#include <stdio.h>

#include <aiorch/aiorch.h>

#include "core/map.h"

typedef struct eval_vectors {
  char *bytes;        /* the file */
  size_t dimensions, count;
  size_t *slots;      /* count of the record + 1, by its key; 0: free */
  size_t slot_count;
  FILE *missing_file;
  size_t missing;
  char missing_name[4096];
  /* the store */
  aio__map by_id;
  char (*ids)[64];
  float *rows;
  size_t stored, cap;
} eval_vectors;

/* False, with words on stderr, when the file cannot be read. A file that is not there is one without vectors. */
bool eval_vectors_open(eval_vectors *v, const char *file);
void eval_vectors_close(eval_vectors *v);
/* Registers both plug-ins; `v` must outlive the orchestrator. */
bool eval_vectors_register(eval_vectors *v, aiorch_config *config, aiorch_error *error);

#endif
