/* The hold-back: see stream_check.h. */
#include "generate/stream_check.h"

/* Could these bytes (1 to 3 of them) be the begin of a character whose rest has not come yet? */
static bool may_continue(aio__str tail) {
  unsigned char lead = (unsigned char)tail.p[0];
  size_t need = lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xc2 && lead < 0xe0 ? 2 : 0;
  if (tail.n >= need) return false;
  for (size_t i = 1; i < tail.n; i++) {
    if (((unsigned char)tail.p[i] & 0xc0) != 0x80) return false;
  }
  return true;
}

static aiorch_status check_utf8(aio__stream_check *check, aio__str text, bool whole) {
  aio__str rest = aio__str_n(text.p + check->valid, text.n - check->valid);
  check->valid += aio__utf8_check(rest, NULL);
  if (check->valid == text.n) return AIORCH_OK;
  rest = aio__str_n(text.p + check->valid, text.n - check->valid);
  return !whole && may_continue(rest) ? AIORCH_OK : AIORCH_E_RESPONSE;
}

static aiorch_status check_rules(aio__stream_check *check, aio__str text) {
  aio__output_finding finding;
  size_t from = check->checked > check->hold_back ? check->checked - check->hold_back : 0;
  aiorch_status st = aio__output_guard_check(check->guard, text, from, check->canary, &finding);
  if (st) return st;
  check->checked = text.n;
  if (finding.verdict > check->finding.verdict) check->finding = finding;
  return finding.verdict == AIO__VERDICT_BLOCK && !check->only_flag ? AIORCH_E_OUTPUT_BLOCKED : AIORCH_OK;
}

aiorch_status aio__stream_check_feed(aio__stream_check *check, aio__str text, bool whole, size_t *release) {
  if (text.n == 0) return AIORCH_OK;
  aiorch_status st = check_utf8(check, text, whole);
  if (st) return st;
  size_t may = check->valid;
  if (check->guard) {
    /* A look at each byte that comes would be quadratic: it waits for a quarter of the hold-back, or the end. */
    if (!whole && text.n - check->checked < check->hold_back / 4) return AIORCH_OK;
    st = check_rules(check, text);
    if (st) return st;
    if (!whole) may = text.n > check->hold_back ? text.n - check->hold_back : 0;
    if (may > check->valid) may = check->valid;
  }
  may = aio__utf8_cut(text, may);
  if (may > *release) *release = may;
  return AIORCH_OK;
}
