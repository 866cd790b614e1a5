/*
 * Vectors as stores take and keep them: of unit length, and as bytes f32, little-endian. What a caller gives is checked
 * here, so that neither a row nor an index ever holds what cannot be compared.
 */
#ifndef AIO_STORES_VECTOR_ROWS_H
#define AIO_STORES_VECTOR_ROWS_H

#include "stores/store.h"

/* AIORCH_E_INVALID with words for a count of numbers that no store takes, a NaN, an infinity, a length other than 1. */
aiorch_status aio__vector_check(const float *row, size_t dimensions, aiorch_error *error);
/* The same for `count` rows; those of 0 dimensions are only noted and have nothing to check. */
aiorch_status aio__vectors_check(const aio__vectors *vectors, size_t count, aiorch_error *error);
aiorch_status aio__nearest_check(const aio__nearest_args *args, aiorch_error *error);

void aio__vector_to_bytes(const float *row, size_t dimensions, char *out); /* 4 bytes each */
void aio__vector_from_bytes(const char *bytes, size_t dimensions, float *out);

/* The cosine of two vectors of unit length. */
double aio__vector_cosine(const float *a, const float *b, size_t dimensions);

/* For the index, which takes a float; below -1 and above 1 all thresholds are the same. */
float aio__vector_threshold(double threshold);

/* The first 8 bytes of an answer's scope, for the index; what it finds is compared with the whole scope. */
uint64_t aio__vector_scope(aio__str scope);

/* AIORCH_E_EMBEDDER_MISMATCH, with words: `what` ("chunks", "kept answers") is embedded by others, not by `wanted`. */
aiorch_status aio__vector_mismatch(const char *what, aio__str wanted, const aio__str *others, size_t count,
                                   aiorch_error *error);
/* AIORCH_E_INVALID: a model has vectors of another size. */
aiorch_status aio__vector_other_size(aio__str fingerprint, size_t stored, size_t given, aiorch_error *error);
/* AIORCH_E_EMBEDDER_MISMATCH: its vectors are in a vector store plug-in (`stored` 0), or here and not in one. */
aiorch_status aio__vector_other_place(aio__str fingerprint, size_t stored, aiorch_error *error);

#endif
