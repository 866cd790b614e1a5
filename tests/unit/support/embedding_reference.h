/* A real model beside its reference vectors (tests/data/embedding); what the tests of both models share. */
#ifndef AIO_TESTS_EMBEDDING_REFERENCE_H
#define AIO_TESTS_EMBEDDING_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/str.h"
#include "embedders/local/local.h"

enum { REFERENCE_DIMENSIONS = 384, REFERENCE_TOKENS_MAX = 512, REFERENCE_LINES_MAX = 200 };

typedef struct reference_line {
  char *text;
  size_t text_len;
  int32_t tokens[REFERENCE_TOKENS_MAX];
  size_t count;
  bool special; /* a literal special token: we differ on purpose */
  float vector[REFERENCE_DIMENSIONS];
} reference_line;

typedef struct reference {
  const char *model, *vectors; /* the name of the folder, and of the file of vectors */
  size_t max_tokens;
  reference_line *lines;
  size_t line_count;
} reference;

/* How near a model must be to its vectors: means over the lines that are compared. Plain C takes its time and sees short ones alone. */
typedef struct reference_case {
  const char *model, *vectors;
  size_t max_tokens;
  double int8_mean, int8_mean_plain;
} reference_case;

/* Runs both tests of it, f32 and int8, at every level of this machine; what main returns. */
int reference_main(const reference_case *wanted);

/* False, with a line "SKIP: ...", when the model is not there. */
bool reference_open(reference *r, const char *model, const char *vectors, size_t max_tokens);
void reference_close(reference *r);
/* The model's folder, copied below the test's own so that what is kept beside it does not outlive the test. */
const char *reference_folder(const reference *r);

/* On the ids of each line no longer than `longest`: fails below `least` for a line or `mean` for all. */
void reference_check_ids(const reference *r, aio__local_precision precision, aio__cpu cpu, size_t longest, double mean,
                         double least);
/* From text to vector: as above; all lines in one call, which gives bit for bit what each gives alone. */
void reference_check_texts(const reference *r, aio__local_precision precision, double mean, double least);

#endif
