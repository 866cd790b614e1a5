/*
 * Bodies: how large one may be, how large all of them together, and whether there is memory for it. Nothing else here has a size that
 * clients say: where memory ends, a body is refused, so that the requests beside it go on.
 */
#include "http_front_private.h"

#include "tenant_share.h"

#include <stdlib.h>
#include <string.h>

/* TIMES: what is made of a body (its values, the run, what a provider is sent) takes so many times its bytes; with TIMES_FROM bytes, that
 * is worth a look. */
enum { AGAIN_MS = 1000, TIMES = 4, TIMES_FROM = 1 << 20, BELIEVED_PART = 8 };

static bool refused(http_problem *why, const char *words) {
  http_problem_set(why, 503, "overloaded", NULL, "%s; try again in a moment", words);
  why->retry_after_ms = AGAIN_MS;
  return false;
}

static bool reserve_body(call_state *s, size_t size, http_problem *why) {
  http_front *front = s->front;
  if (size <= s->reserved) return true;
  int64_t *share = s->call.body_share, more = (int64_t)(size - s->reserved), room = (int64_t)front->limits.bodies_bytes - front->counts.body_bytes;
  int64_t others = share ? *share - (int64_t)s->reserved : 0; /* of the same tenant; one body alone may have all */
  if (more > room || (others > 0 && !tenant_share_allows(others + (int64_t)s->reserved, more, room))) {
    return refused(why, "too many request bodies at once");
  }
  front->counts.body_bytes += more;
  if (share) *share += more;
  s->reserved = size;
  return true;
}

bool body_fits(call_state *s, uint64_t size, http_problem *why) {
  if (size <= s->body_max) return reserve_body(s, (size_t)size, why);
  if (s->body_max == 0) return http_problem_set(why, 413, "too_large", NULL, "this takes no body");
  return http_problem_set(why, 413, "too_large", NULL, "the body has more than %zu bytes", s->body_max);
}

/* Each time that a large body moves costs more than all that is read in it: when a part of it has come, the rest is believed, too. */
static bool grow(call_state *s, size_t need) {
  size_t cap = s->in.cap * 2 > need ? s->in.cap * 2 : need;
  if (s->length >= need - 1 && (need > s->length / BELIEVED_PART || cap > s->length + 1)) cap = (size_t)s->length + 1;
  char *grown = realloc(s->in.data, cap);
  if (!grown) return false;
  s->in.data = grown;
  s->in.cap = cap;
  void *room = cap > TIMES_FROM ? malloc(cap * TIMES) : NULL;
  bool enough = cap <= TIMES_FROM || room;
  free(room);
  return enough;
}

bool body_keep(call_state *s, const char *data, size_t n, http_problem *why) {
  size_t need = s->in.len + n + 1;
  if (need > s->in.cap && !grow(s, need)) {
    cli_release(&s->in);
    return refused(why, "no memory is left for the body");
  }
  memcpy(s->in.data + s->in.len, data, n);
  s->in.len += n;
  s->in.data[s->in.len] = '\0';
  return true;
}
