/*
 * Parsed JSON: the one file that knows cJSON. A text is scanned first (json_scan.c), so that all that can fail in cJSON
 * is its memory. cJSON reads numbers with strtod, but puts the locale's decimal point in; its static position of the
 * last fault is never read.
 */
#include "text/json.h"

#include <cjson/cJSON.h>

#include <math.h>

#include "text/json_scan.h"

struct aio__json {
  const aio__alloc *al;
  cJSON *root;
};

static const double I64_LIMIT = 9007199254740992.0; /* 2^53 */

aiorch_status aio__json_parse(const aio__alloc *al, aio__str text, const aio__json_limits *limits, aio__json **out,
                              aiorch_error *error) {
  aiorch_status status = aio__json_scan(al, text, limits, error);
  if (status != AIORCH_OK) return status;
  aio__json *json = aio__malloc(al, sizeof *json);
  cJSON *root = json == NULL ? NULL : cJSON_ParseWithLength(text.p, text.n);
  if (root == NULL) {
    aio__free(al, json);
    return aio__error_set(error, AIORCH_E_NOMEM, "%s: out of memory", limits->name == NULL ? "JSON" : limits->name);
  }
  *json = (aio__json){al, root};
  *out = json;
  return AIORCH_OK;
}

void aio__json_free(aio__json *json) {
  if (json == NULL) return;
  cJSON_Delete(json->root);
  aio__free(json->al, json);
}

static const cJSON *item_of(const aio__json_value *value) {
  return (const cJSON *)(const void *)value;
}

static const aio__json_value *value_of(const cJSON *item) {
  return (const aio__json_value *)(const void *)item;
}

const aio__json_value *aio__json_root(const aio__json *json) {
  return value_of(json->root);
}

aio__json_type aio__json_typeof(const aio__json_value *value) {
  switch (value == NULL ? cJSON_NULL : item_of(value)->type & 0xFF) {
    case cJSON_False:
    case cJSON_True: return AIO__JSON_BOOL;
    case cJSON_Number: return AIO__JSON_NUMBER;
    case cJSON_String: return AIO__JSON_STRING;
    case cJSON_Array: return AIO__JSON_ARRAY;
    case cJSON_Object: return AIO__JSON_OBJECT;
    default: return AIO__JSON_NULL;
  }
}

const char *aio__json_type_name(aio__json_type type) {
  switch (type) {
    case AIO__JSON_BOOL: return "true or false";
    case AIO__JSON_NUMBER: return "a number";
    case AIO__JSON_STRING: return "a text";
    case AIO__JSON_ARRAY: return "an array";
    case AIO__JSON_OBJECT: return "an object";
    case AIO__JSON_NULL: break;
  }
  return "null";
}

const aio__json_value *aio__json_get(const aio__json_value *value, const char *key) {
  return aio__json_typeof(value) == AIO__JSON_OBJECT ? value_of(cJSON_GetObjectItemCaseSensitive(item_of(value), key))
                                                     : NULL;
}

const aio__json_value *aio__json_first(const aio__json_value *value) {
  aio__json_type type = aio__json_typeof(value);
  return type == AIO__JSON_OBJECT || type == AIO__JSON_ARRAY ? value_of(item_of(value)->child) : NULL;
}

const aio__json_value *aio__json_next(const aio__json_value *child) {
  return child == NULL ? NULL : value_of(item_of(child)->next);
}

size_t aio__json_size(const aio__json_value *value) {
  size_t n = 0;
  for (const aio__json_value *child = aio__json_first(value); child != NULL; child = aio__json_next(child)) n++;
  return n;
}

aio__str aio__json_key(const aio__json_value *member) {
  return member == NULL ? (aio__str){NULL, 0} : aio__str_z(item_of(member)->string);
}

bool aio__json_str(const aio__json_value *value, aio__str *out) {
  if (aio__json_typeof(value) != AIO__JSON_STRING) return false;
  *out = aio__str_z(item_of(value)->valuestring);
  return true;
}

bool aio__json_f64(const aio__json_value *value, double *out) {
  if (aio__json_typeof(value) != AIO__JSON_NUMBER || !isfinite(item_of(value)->valuedouble)) return false;
  *out = item_of(value)->valuedouble;
  return true;
}

bool aio__json_i64(const aio__json_value *value, int64_t *out) {
  double number;
  if (!aio__json_f64(value, &number) || !(fabs(number) <= I64_LIMIT)) return false;
  int64_t whole = (int64_t)number;
  if ((double)whole < number || (double)whole > number) return false;
  *out = whole;
  return true;
}

bool aio__json_bool(const aio__json_value *value, bool *out) {
  if (aio__json_typeof(value) != AIO__JSON_BOOL) return false;
  *out = (item_of(value)->type & 0xFF) == cJSON_True;
  return true;
}
