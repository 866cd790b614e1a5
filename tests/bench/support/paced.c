#include "paced.h"

#include "figures.h"

void pieces_note(pieces *p, size_t len, size_t held) {
  p->bytes += len;
  int delta = (int)((p->bytes + held + DELTA_BYTES - 1) / DELTA_BYTES);
  if (delta > DELTAS) delta = DELTAS;
  if (p->count > 0 && p->piece[p->count - 1].delta == delta) return;
  if (p->count == DELTAS) die("a stream", "more pieces than deltas");
  p->piece[p->count].delta = delta;
  p->piece[p->count++].came = now_us();
}

static double sent_at(const char *text, int delta) {
  double us = 0;
  const char *at = text + (size_t)(delta - 1) * DELTA_BYTES;
  for (int i = 0; i < 10; i++) us = us * 16 + (at[i] - 'a');
  return us;
}

size_t pieces_gaps(const pieces *p, const char *text, size_t len, double *added) {
  size_t n = 0;
  if (len < DELTAS * DELTA_BYTES - 1) die("a stream", "is not whole");
  for (int i = 1; i < p->count; i++) {
    double sent = sent_at(text, p->piece[i].delta) - sent_at(text, p->piece[i - 1].delta);
    double more = p->piece[i].came - p->piece[i - 1].came - sent;
    added[n++] = more > 0 ? more : 0;
  }
  return n;
}
