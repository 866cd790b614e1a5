/* A value that was read, written again. Its depth is bounded by what was allowed when it was read. */
#include "text/json_write.h"

static void write_children(aio__json_writer *w, const aio__json_value *value, bool members) {
  for (const aio__json_value *at = aio__json_first(value); at; at = aio__json_next(at)) {
    if (members) aio__jw_key(w, aio__json_key(at).p);
    aio__json_write(w, at);
  }
}

static void write_number(aio__json_writer *w, const aio__json_value *value) {
  int64_t whole;
  double number = 0;
  if (aio__json_i64(value, &whole)) aio__jw_i64(w, whole);
  else if (aio__json_f64(value, &number)) aio__jw_f64(w, number);
  else aio__jw_null(w);
}

void aio__json_write(aio__json_writer *w, const aio__json_value *value) {
  aio__str text = AIO__LIT("");
  bool yes = false;
  switch (aio__json_typeof(value)) {
    case AIO__JSON_OBJECT:
      aio__jw_object(w);
      write_children(w, value, true);
      aio__jw_object_end(w);
      break;
    case AIO__JSON_ARRAY:
      aio__jw_array(w);
      write_children(w, value, false);
      aio__jw_array_end(w);
      break;
    case AIO__JSON_STRING:
      (void)aio__json_str(value, &text);
      aio__jw_str(w, text);
      break;
    case AIO__JSON_BOOL:
      (void)aio__json_bool(value, &yes);
      aio__jw_bool(w, yes);
      break;
    case AIO__JSON_NUMBER: write_number(w, value); break;
    default: aio__jw_null(w);
  }
}
