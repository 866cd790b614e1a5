/* The hold-back: see stream_check.h. */
#include "generate/stream_check.h"

#include <string.h>

#include "guard/output_hosts.h"

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

/* ---- one look ---- */

enum { STEP_LEAST = 1024, KEY_END_MAX = 96 };

typedef struct look {
  aio__stream_check *check;
  aio__str text;
  bool whole;
  size_t hold;                    /* what begins here or later stays */
  aio__output_finding found[AIO__FINDINGS_MAX];
  size_t count;
  bool blocked;
} look;

static bool is_word(char c) { return c > ' ' && c <= '~'; }

/* Where the word begins that touches the end of the text; its end when none does. */
static size_t last_word(aio__str text) {
  size_t start = text.n;
  while (start > 0 && text.n - start < AIO__HOLD_WORD_MAX && is_word(text.p[start - 1])) start--;
  return start;
}

static size_t hold_from(const aio__stream_check *check, aio__str text, bool whole) {
  if (whole) return text.n;
  size_t hold_back = check->hold_back > AIO__HOLD_LEAST ? check->hold_back : AIO__HOLD_LEAST;
  size_t word = last_word(text);
  return word > hold_back ? word - hold_back : 0;
}

bool aio__stream_check_blocks(const aio__stream_check *check, const aio__output_finding *finding) {
  if (check->mode == AIO__CHECK_FLAG || finding->verdict != AIO__VERDICT_BLOCK) return false;
  return check->mode == AIO__CHECK_BLOCK || strcmp(finding->category, "prompt_leak") == 0;
}

/* What touches the end may go on, and then be something else, or nothing. */
static bool is_undecided(const look *l, const aio__output_finding *finding) {
  bool at_once = strcmp(finding->category, "prompt_leak") == 0 || strcmp(finding->rule, "match_limit") == 0;
  if (l->whole || at_once) return false;
  size_t extent = strcmp(finding->rule, "private_key") == 0 ? finding->end : aio__output_guard_extent(l->text, finding);
  /* A dot behind a URL may be the end of a sentence, or go on. */
  bool url = strcmp(finding->rule, "host") == 0;
  while (url && extent < l->text.n && is_word(l->text.p[extent])) extent++;
  return extent >= l->text.n && l->text.n - finding->start < AIO__HOLD_WORD_MAX;
}

static bool take(void *ctx, const aio__output_finding *finding) {
  look *l = ctx;
  if (is_undecided(l, finding)) {
    if (finding->start < l->hold) l->hold = finding->start;
    return true;
  }
  if (finding->end <= l->check->cleared) return true;
  if (finding->verdict > l->check->finding.verdict) l->check->finding = *finding;
  if (aio__stream_check_blocks(l->check, finding) || l->count == AIO__FINDINGS_MAX) {
    l->check->finding = *finding;
    l->blocked = true;
    return false;
  }
  l->found[l->count] = *finding;
  l->count += l->check->mode == AIO__CHECK_REDACT;
  return true;
}

static void find_hosts(look *l) {
  aio__output_finding finding;
  size_t from = l->check->cleared;
  size_t begin = from > AIO__HOLD_LEAST ? from - AIO__HOLD_LEAST : 0;
  while (!l->blocked && aio__output_hosts_find(l->check->hosts, aio__str_n(l->text.p + begin, l->text.n - begin), from - begin, &finding)) {
    finding.start += begin;
    finding.end += begin;
    if (!take(l, &finding)) return;
    from = begin = finding.end;
  }
}

/* ---- what goes out ---- */

static void sort_by_start(aio__output_finding *found, size_t count) {
  for (size_t i = 1; i < count; i++) {
    aio__output_finding f = found[i];
    size_t k = i;
    for (; k > 0 && found[k - 1].start > f.start; k--) found[k] = found[k - 1];
    found[k] = f;
  }
}

/* The last line of a private key, or all but what could be its begin. */
static void swallow(aio__stream_check *check, aio__str text, bool whole) {
  aio__output_finding key = {.rule = "private_key", .end = check->cleared};
  size_t end = aio__output_guard_extent(text, &key);
  check->swallowing = end == SIZE_MAX && !whole;
  if (end == SIZE_MAX) end = whole ? text.n : text.n > KEY_END_MAX ? text.n - KEY_END_MAX : 0;
  if (end > check->cleared) check->cleared = end;
}

static void give(aio__stream_check *check, aio__str text, size_t to, aio__buf *out) {
  if (to > check->valid) to = check->valid;
  to = aio__utf8_cut(text, to);
  if (to <= check->cleared) return;
  aio__buf_add(out, text.p + check->cleared, to - check->cleared);
  check->cleared = to;
}

static void redact(look *l, aio__buf *out) {
  aio__stream_check *check = l->check;
  sort_by_start(l->found, l->count);
  for (size_t i = 0; i < l->count && !check->swallowing; i++) {
    const aio__output_finding *f = &l->found[i];
    if (f->end <= check->cleared || f->start >= l->hold) continue;
    give(check, l->text, f->start, out);
    aio__buf_z(out, "[redacted:");
    aio__buf_z(out, f->rule);
    aio__buf_char(out, ']');
    check->redacted++;
    if (f->end > check->cleared) check->cleared = f->end;
    if (strcmp(f->rule, "private_key") == 0) {
      swallow(check, l->text, l->whole);
      continue;
    }
    size_t extent = aio__output_guard_extent(l->text, f);
    if (extent > check->cleared) check->cleared = extent;
  }
}

static bool take_leak(void *ctx, const aio__output_finding *finding) {
  return strcmp(finding->category, "prompt_leak") != 0 || take(ctx, finding);
}

/* Of a private key nothing goes out, but a prompt that leaks in it is one. */
static aiorch_status look_inside(look *l) {
  aio__stream_check *check = l->check;
  aiorch_status st = aio__output_guard_each(check->guard, l->text, check->cleared, check->canary, &check->watch, take_leak, l);
  if (st == AIORCH_OK) swallow(check, l->text, l->whole);
  return l->blocked ? AIORCH_E_OUTPUT_BLOCKED : st;
}

/* Looks at the text up to here once. */
static aiorch_status look_at(aio__stream_check *check, aio__str text, bool whole, aio__buf *out) {
  look l;
  l.check = check;
  l.text = text;
  l.whole = whole;
  l.count = 0;
  l.blocked = false;
  check->checked = text.n;
  l.hold = hold_from(check, text, whole);
  aiorch_status st = check->swallowing ? look_inside(&l) : AIORCH_OK;
  if (st || check->swallowing) return st;
  st = aio__output_guard_each(check->guard, text, check->cleared, check->canary, &check->watch, take, &l);
  if (st) return st;
  if (!l.blocked) find_hosts(&l);
  if (l.blocked) return AIORCH_E_OUTPUT_BLOCKED;
  redact(&l, out);
  if (!check->swallowing) give(check, text, l.hold, out);
  return out->failed;
}

aiorch_status aio__stream_check_feed(aio__stream_check *check, aio__str text, bool whole, aio__buf *out) {
  if (text.n == 0) return AIORCH_OK;
  aiorch_status st = check_utf8(check, text, whole);
  if (st) return st;
  if (!check->guard) {
    give(check, text, text.n, out);
    return out->failed;
  }
  /* A look at each byte that comes would be quadratic; and what comes at once is looked at as if it had come bit by bit. */
  size_t step = check->hold_back / 4 > STEP_LEAST ? check->hold_back / 4 : STEP_LEAST;
  if (!whole && text.n - check->checked < check->hold_back / 4) return AIORCH_OK;
  while (st == AIORCH_OK && text.n - check->checked > step) {
    st = look_at(check, aio__str_n(text.p, aio__utf8_cut(text, check->checked + step)), false, out);
  }
  return st ? st : look_at(check, text, whole, out);
}
