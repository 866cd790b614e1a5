/* Reading JSON: a strict scan of our own that bounds size and depth and names the place of a fault (cJSON's is a
 * process-wide static), then cJSON. Writing JSON is core/json_writer.h. */
#ifndef AIO_TEXT_JSON_H
#define AIO_TEXT_JSON_H

#include "core/alloc.h"
#include "core/error.h"
#include "core/str.h"

typedef struct aio__json aio__json;           /* a parsed text; owns all its values */
typedef struct aio__json_value aio__json_value; /* borrowed from its aio__json */

enum { AIO__JSON_MAX_DEPTH_CONFIG = 32, AIO__JSON_MAX_DEPTH = 64 }; /* MAX_DEPTH: whatever the limits say */

typedef enum aio__json_type {
  AIO__JSON_NULL, AIO__JSON_BOOL, AIO__JSON_NUMBER, AIO__JSON_STRING, AIO__JSON_ARRAY, AIO__JSON_OBJECT
} aio__json_type;

typedef struct aio__json_limits {
  size_t max_bytes;
  int max_depth;
  aiorch_status syntax_status; /* what a fault returns: AIORCH_E_CONFIG_SYNTAX, AIORCH_E_INVALID, AIORCH_E_RESPONSE */
  const char *name;            /* how messages call the text */
} aio__json_limits;

/* Strict RFC 8259: valid UTF-8, no duplicate members, no trailing commas or text, no NUL in strings unless escaped
 * (\u0000 is refused: cJSON would cut there). Errors: limits->syntax_status, AIORCH_E_TOO_LARGE, AIORCH_E_NOMEM, with
 * "name, line L, column C: what". */
aiorch_status aio__json_parse(const aio__alloc *al, aio__str text, const aio__json_limits *limits, aio__json **out,
                              aiorch_error *error);
void aio__json_free(aio__json *json);
const aio__json_value *aio__json_root(const aio__json *json);

aio__json_type aio__json_typeof(const aio__json_value *value);
const char *aio__json_type_name(aio__json_type type);
/* Member of an object, element of an array: NULL when there is none or `value` is NULL or of another type. */
const aio__json_value *aio__json_get(const aio__json_value *value, const char *key);
size_t aio__json_size(const aio__json_value *value);
/* Children in order: first and next; the key of a member. */
const aio__json_value *aio__json_first(const aio__json_value *value);
const aio__json_value *aio__json_next(const aio__json_value *child);
aio__str aio__json_key(const aio__json_value *member);
/* False when it is of another type. Integers beyond 2^53 or with a fraction are no i64. */
bool aio__json_str(const aio__json_value *value, aio__str *out);
bool aio__json_i64(const aio__json_value *value, int64_t *out);
bool aio__json_f64(const aio__json_value *value, double *out);
bool aio__json_bool(const aio__json_value *value, bool *out);

#endif
