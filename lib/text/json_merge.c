/* See json_merge.h. */
#include "text/json_merge.h"

#include "core/json_writer.h"
#include "text/json_tape.h"

static void put_name(aio__json_writer *w, const aio__tape *tape, aio__tape_value member) {
  aio__str name = aio__tape_name(tape, member);
  aio__jw_raw(w, aio__str_n(name.p - 1, name.n + 2)); /* with its quotes, as it was written */
  aio__buf_char(w->buf, ':');
  w->has_member &= ~(UINT64_C(1) << (w->depth - 1)); /* no comma before its value */
}

static aio__tape_value same_member(const aio__tape *tape, aio__tape_value object, aio__str name) {
  return aio__tape_member(tape, object, name.p, name.n);
}

static void merge(aio__json_writer *w, const aio__tape *a, aio__tape_value base, const aio__tape *b, aio__tape_value over, int depth) {
  aio__jw_object(w);
  for (aio__tape_value m = aio__tape_first(a, base); m != AIO__TAPE_NONE; m = aio__tape_next(a, base, m)) {
    aio__tape_value other = same_member(b, over, aio__tape_name(a, m));
    bool both = aio__tape_typeof(a, m) == AIO__JSON_OBJECT && aio__tape_typeof(b, other) == AIO__JSON_OBJECT;
    put_name(w, a, m);
    if (other == AIO__TAPE_NONE) aio__jw_raw(w, aio__tape_raw(a, m));
    else if (both && depth < AIO__MERGE_DEPTH_MAX) merge(w, a, m, b, other, depth + 1);
    else aio__jw_raw(w, aio__tape_raw(b, other));
  }
  for (aio__tape_value m = aio__tape_first(b, over); m != AIO__TAPE_NONE; m = aio__tape_next(b, over, m)) {
    if (same_member(a, base, aio__tape_name(b, m)) != AIO__TAPE_NONE) continue;
    put_name(w, b, m);
    aio__jw_raw(w, aio__tape_raw(b, m));
  }
  aio__jw_object_end(w);
}

/* Words for what is wrong with it: the strict reader has them, and knows members that come twice. */
static aiorch_status check(const aio__alloc *al, aio__str over, const char *name, aiorch_error *error) {
  const aio__json_limits limits = {AIO__MERGE_BYTES_MAX, AIO__MERGE_DEPTH_MAX, AIORCH_E_CONFIG, name};
  aio__json *json = NULL;
  aiorch_status st = aio__json_parse(al, over, &limits, &json, error);
  if (st == AIORCH_OK && aio__json_typeof(aio__json_root(json)) != AIO__JSON_OBJECT) {
    st = aio__error_set(error, AIORCH_E_CONFIG, "%s is no JSON object", name);
  }
  aio__json_free(json);
  return st;
}

aiorch_status aio__json_merge(aio__buf *body, aio__str over, const char *name, aiorch_error *error) {
  over = aio__str_trim(over);
  if (over.n == 0) return AIORCH_OK;
  aiorch_status st = check(body->al, over, name, error);
  if (st) return st;
  aio__tape a, b;
  aio__buf merged;
  aio__json_writer w;
  aio__tape_init(&a, body->al);
  aio__tape_init(&b, body->al);
  aio__buf_init(&merged, body->al, body->max);
  aio__jw_init(&w, &merged);
  st = aio__tape_read(&a, aio__buf_view(body));
  if (st == AIORCH_OK) st = aio__tape_read(&b, over);
  if (st == AIORCH_OK) {
    merge(&w, &a, AIO__TAPE_ROOT, &b, AIO__TAPE_ROOT, 0);
    st = merged.failed;
  }
  if (st == AIORCH_OK) {
    aio__buf_free(body);
    *body = merged;
  } else {
    aio__buf_free(&merged);
    aio__error_set(error, st, "%s: %s", name, st == AIORCH_E_NOMEM ? "out of memory" : "the body is too large with it");
  }
  aio__tape_free(&a);
  aio__tape_free(&b);
  return st;
}
