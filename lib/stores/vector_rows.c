/* See vector_rows.h. */
#include "stores/vector_rows.h"

#include <math.h>
#include <string.h>

#include "vector/index.h"

enum { NAMES_MAX = 3, NAME_SHOWN = 120 };

static const double UNIT_TOLERANCE = 1e-3;

/* ---- checks ------------------------------------------------------------------------------------------------------ */

aiorch_status aio__vector_check(const float *row, size_t dimensions, aiorch_error *error) {
  double sum = 0.0;
  if (row == NULL || dimensions == 0 || dimensions > AIO__INDEX_DIMENSIONS_MAX)
    return aio__error_set(error, AIORCH_E_INVALID, "a vector of %zu numbers: 1 to %d can be kept", dimensions,
                          AIO__INDEX_DIMENSIONS_MAX);
  for (size_t i = 0; i < dimensions; i++) {
    if (!isfinite(row[i]))
      return aio__error_set(error, AIORCH_E_INVALID, "number %zu of a vector is no finite number", i);
    sum += (double)row[i] * (double)row[i];
  }
  double length = sqrt(sum);
  if (length > 1.0 - UNIT_TOLERANCE && length < 1.0 + UNIT_TOLERANCE) return AIORCH_OK;
  if (sum <= 0.0) return aio__error_set(error, AIORCH_E_INVALID, "a vector of zeros has no direction to compare");
  return aio__error_set(error, AIORCH_E_INVALID, "a vector has the length %g: it has to be 1", length);
}

aiorch_status aio__vectors_check(const aio__vectors *vectors, size_t count, aiorch_error *error) {
  aiorch_status status = AIORCH_OK;
  if (vectors->fingerprint.n == 0)
    return aio__error_set(error, AIORCH_E_INVALID, "vectors without the fingerprint of their model");
  for (size_t i = 0; i < count && vectors->dimensions > 0 && status == AIORCH_OK; i++)
    status = aio__vector_check(vectors->rows == NULL ? NULL : vectors->rows + i * vectors->dimensions,
                               vectors->dimensions, error);
  return status;
}

aiorch_status aio__nearest_check(const aio__nearest_args *args, aiorch_error *error) {
  if (isnan(args->threshold)) return aio__error_set(error, AIORCH_E_INVALID, "the threshold is no number");
  return aio__vector_check(args->query, args->dimensions, error);
}

double aio__vector_cosine(const float *a, const float *b, size_t dimensions) {
  double sum = 0.0;
  for (size_t i = 0; i < dimensions; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
void aio__vector_to_bytes(const float *row, size_t dimensions, char *out) {
  memcpy(out, row, dimensions * sizeof *row);
}

void aio__vector_from_bytes(const char *bytes, size_t dimensions, float *out) {
  memcpy(out, bytes, dimensions * sizeof *out);
}
#else
void aio__vector_to_bytes(const float *row, size_t dimensions, char *out) {
  for (size_t i = 0; i < dimensions; i++) {
    uint32_t bits;
    memcpy(&bits, &row[i], sizeof bits);
    for (size_t b = 0; b < sizeof bits; b++) *out++ = (char)(unsigned char)(bits >> (8 * b));
  }
}

void aio__vector_from_bytes(const char *bytes, size_t dimensions, float *out) {
  for (size_t i = 0; i < dimensions; i++, bytes += 4) {
    uint32_t bits = 0;
    for (size_t b = sizeof bits; b-- > 0;) bits = bits << 8 | (unsigned char)bytes[b];
    memcpy(&out[i], &bits, sizeof bits);
  }
}
#endif

float aio__vector_threshold(double threshold) {
  return threshold < -2.0 ? -2.0f : threshold > 2.0 ? 2.0f : (float)threshold;
}

uint64_t aio__vector_scope(aio__str scope) {
  uint64_t value = 0;
  for (size_t i = 8; i-- > 0;) value = value << 8 | (i < scope.n ? (unsigned char)scope.p[i] : 0);
  return value;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static int shown(aio__str name) {
  return (int)(name.n < NAME_SHOWN ? name.n : NAME_SHOWN);
}

aiorch_status aio__vector_mismatch(const char *what, aio__str wanted, const aio__str *others, size_t count,
                                   aiorch_error *error) {
  char names[NAMES_MAX * (NAME_SHOWN + 8) + 1];
  size_t n = 0;
  names[0] = '\0';
  for (size_t i = 0; i < count && i < NAMES_MAX; i++) {
    const char *before = i == 0 ? "\"" : ", \"";
    size_t len = (size_t)shown(others[i]), more = strlen(before);
    memcpy(names + n, before, more);
    memcpy(names + n + more, others[i].p, len);
    n += more + len;
    names[n++] = '"';
    names[n] = '\0';
  }
  return aio__error_set(error, AIORCH_E_EMBEDDER_MISMATCH,
                        "the %s are embedded by %s%s, not by \"%.*s\": run `aiorch reembed`, or use that model again",
                        what, names, count > NAMES_MAX ? " and others" : "", shown(wanted), wanted.p);
}

aiorch_status aio__vector_other_size(aio__str fingerprint, size_t stored, size_t given, aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_INVALID, "the vectors of \"%.*s\" have %zu numbers, not %zu",
                        shown(fingerprint), fingerprint.p, stored, given);
}

aiorch_status aio__vector_other_place(aio__str fingerprint, size_t stored, aiorch_error *error) {
  if (stored == 0)
    return aio__error_set(error, AIORCH_E_EMBEDDER_MISMATCH,
                          "the vectors of \"%.*s\" are in a vector store plug-in: register it, or run `aiorch reembed`",
                          shown(fingerprint), fingerprint.p);
  return aio__error_set(error, AIORCH_E_EMBEDDER_MISMATCH,
                        "the vectors of \"%.*s\" are in this store, not in a vector store plug-in: open it without one,"
                        " or run `aiorch reembed`",
                        shown(fingerprint), fingerprint.p);
}
