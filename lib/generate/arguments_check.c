/* See arguments_check.h. Levels of decoding are walked forwards to look, and backwards to say where in the arguments a finding lies. */
#include "generate/arguments_check.h"

#include <string.h>

#include "guard/output_hosts.h"

typedef struct span {
  size_t start, end;
  const char *rule;
  bool endless;    /* a private key whose last line is not there: to the end of its string */
  bool in_value;   /* it touches more than names of members */
} span;

typedef struct search {
  aio__stream_check *check;
  aio__str view;   /* the arguments, decoded as often as the level says */
  span found[AIO__FINDINGS_MAX];
  size_t count;
  bool blocked;
} search;

/* ---- escapes ---- */

static bool read_escape(aio__str text, size_t at, uint32_t *out) {
  if (at + 6 > text.n || text.p[at] != '\\' || text.p[at + 1] != 'u') return false;
  int32_t value = aio__hex4(text.p + at + 2, text.p + text.n);
  *out = (uint32_t)value;
  return value >= 0;
}

/* What the byte or the escape at `at` says. Returns how long it is; *made: how many bytes it says. */
static size_t decode(aio__str text, size_t at, char said[4], size_t *made) {
  static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  uint32_t code, low;
  *made = 1;
  said[0] = text.p[at];
  if (text.p[at] != '\\' || at + 1 == text.n) return 1;
  const char *known = memchr(escapes, text.p[at + 1], sizeof escapes - 1);
  if (known) {
    said[0] = meant[known - escapes];
    return 2;
  }
  if (!read_escape(text, at, &code)) return 1;
  size_t n = 6;
  if (code >= 0xd800 && code < 0xdc00 && read_escape(text, at + 6, &low) && low >= 0xdc00 && low < 0xe000) {
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    n = 12;
  }
  *made = aio__utf8_put(code, said);
  if (*made == 0) *made = aio__utf8_put(0xfffd, said); /* half of a pair */
  return n;
}

static aiorch_status decode_all(aio__str text, aio__buf *out) {
  for (size_t at = 0; at < text.n;) {
    const char *escape = memchr(text.p + at, '\\', text.n - at);
    size_t plain = escape ? (size_t)(escape - text.p) - at : text.n - at;
    char said[4];
    size_t made;
    aio__buf_add(out, text.p + at, plain);
    at += plain;
    if (at == text.n) break;
    at += decode(text, at, said, &made);
    aio__buf_add(out, said, made);
  }
  return out->failed;
}

static void sort(span *spans, size_t count, bool by_end) {
  for (size_t i = 1; i < count; i++) {
    span s = spans[i];
    size_t k = i;
    for (; k > 0 && (by_end ? spans[k - 1].end > s.end : spans[k - 1].start > s.start); k--) spans[k] = spans[k - 1];
    spans[k] = s;
  }
}

/* From places in what `text` says to places in `text`: whole escapes. */
static void map_back(aio__str text, span *spans, size_t count) {
  char said[4];
  size_t made = 0;
  sort(spans, count, false);
  for (size_t k = 0, at = 0, place = 0; k < count; k++) {
    for (size_t n; at < text.n && (n = decode(text, at, said, &made), place + made <= spans[k].start); at += n) place += made;
    spans[k].start = at;
  }
  sort(spans, count, true);
  for (size_t k = 0, at = 0, place = 0; k < count; k++) {
    for (; at < text.n && place < spans[k].end; place += made) at += decode(text, at, said, &made);
    spans[k].end = at;
  }
}

/* ---- looking ---- */

static bool take(void *ctx, const aio__output_finding *finding) {
  search *s = ctx;
  if (finding->verdict > s->check->finding.verdict) s->check->finding = *finding;
  if (aio__stream_check_blocks(s->check, finding) || s->count == AIO__FINDINGS_MAX) {
    s->check->finding = *finding;
    s->blocked = true;
    return false;
  }
  if (s->check->mode != AIO__CHECK_REDACT) return true;
  size_t extent = aio__output_guard_extent(s->view, finding);
  bool endless = extent == SIZE_MAX;
  s->found[s->count++] = (span){finding->start, endless ? finding->end : extent, finding->rule, endless, false};
  return true;
}

static void find_hosts(search *s) {
  aio__output_finding finding;
  size_t begin = 0;
  while (!s->blocked && aio__output_hosts_find(s->check->hosts, aio__str_n(s->view.p + begin, s->view.n - begin), 0, &finding)) {
    finding.start += begin;
    finding.end += begin;
    if (!take(s, &finding)) return;
    begin = finding.end;
  }
}

/* Those that overlap become one. */
static void join(search *s) {
  size_t kept = 0;
  sort(s->found, s->count, false);
  for (size_t i = 0; i < s->count; i++) {
    span *last = kept > 0 ? &s->found[kept - 1] : NULL;
    if (!last || s->found[i].start >= last->end) {
      s->found[kept++] = s->found[i];
    } else if (s->found[i].end >= last->end) {
      last->end = s->found[i].end;
      last->endless = s->found[i].endless;
    }
  }
  s->count = kept;
}

/* Looks at what the text says, and at what that says. */
static aiorch_status look(search *s, aio__str json, aio__buf *views) {
  aiorch_status st = AIORCH_OK;
  aio__str text = json;
  for (int level = 0; st == AIORCH_OK && level < AIO__ARGUMENTS_LEVELS_MAX; level++) {
    bool escapes = text.n > 0 && memchr(text.p, '\\', text.n) != NULL;
    if (level > 0 && !escapes) break;
    size_t before = s->count;
    s->view = text;
    if (escapes) {
      st = decode_all(text, &views[level]);
      if (st) break;
      s->view = aio__buf_view(&views[level]);
    }
    st = aio__output_guard_each(s->check->guard, s->view, 0, s->check->canary, NULL, take, s);
    if (st == AIORCH_OK && !s->blocked) find_hosts(s);
    if (s->blocked) return AIORCH_E_OUTPUT_BLOCKED;
    for (int back = level; escapes && back >= 0; back--) {
      map_back(back > 0 ? aio__buf_view(&views[back - 1]) : json, s->found + before, s->count - before);
    }
    join(s);
    text = s->view;
  }
  return st;
}

/* ---- replacing ---- */

/* A string without its quotes, or a number, true, false, null. */
typedef struct token {
  size_t start, end;
  bool string, name;
} token;

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static bool stands_between(char c) { return is_space(c) || memchr("{}[],:", c, 6) != NULL; }

static bool next_token(aio__str json, size_t *pos, token *out) {
  size_t at = *pos;
  while (at < json.n && stands_between(json.p[at])) at++;
  if (at == json.n) return false;
  *out = (token){.start = at, .string = json.p[at] == '"'};
  if (out->string) {
    for (out->start = ++at; at < json.n && json.p[at] != '"'; at++) at += json.p[at] == '\\' && at + 1 < json.n;
    out->end = at;
    if (at < json.n) at++;
    size_t colon = at;
    while (colon < json.n && is_space(json.p[colon])) colon++;
    out->name = colon < json.n && json.p[colon] == ':';
  } else {
    while (at < json.n && !stands_between(json.p[at]) && json.p[at] != '"') at++;
    out->end = at;
  }
  *pos = at;
  return true;
}

static bool touches(const span *s, const token *t) { return s->start < t->end && s->end > t->start; }

/* False: one stands in nothing but a name. */
static bool find_values(search *s, aio__str json) {
  token t;
  for (size_t pos = 0, first = 0; next_token(json, &pos, &t);) {
    while (first < s->count && s->found[first].end <= t.start) first++;
    for (size_t k = first; k < s->count && s->found[k].start < t.end; k++) {
      span *f = &s->found[k];
      if (!touches(f, &t)) continue;
      if (f->endless && f->end <= t.end) f->end = t.end;
      f->in_value = f->in_value || !t.name;
    }
  }
  for (size_t k = 0; k < s->count; k++) {
    if (!s->found[k].in_value) return false;
  }
  return true;
}

static void write_mark(aio__buf *out, const token *t, const char *rule) {
  if (!t->string) aio__buf_char(out, '"');
  aio__buf_z(out, "[redacted:");
  aio__buf_z(out, rule);
  aio__buf_char(out, ']');
  if (!t->string) aio__buf_char(out, '"');
}

static aiorch_status replace(search *s, aio__str json, aio__buf *out) {
  token t;
  size_t written = 0;
  for (size_t pos = 0, first = 0; next_token(json, &pos, &t);) {
    while (first < s->count && s->found[first].end <= t.start) first++;
    for (size_t k = first; !t.name && k < s->count && s->found[k].start < t.end; k++) {
      const span *f = &s->found[k];
      size_t start = t.string && f->start > t.start ? f->start : t.start;
      size_t end = t.string && f->end < t.end ? f->end : t.end;
      if (!touches(f, &t) || end <= written) continue;
      if (start > written) aio__buf_add(out, json.p + written, start - written);
      write_mark(out, &t, f->rule);
      written = end;
      s->check->redacted++;
    }
  }
  return aio__buf_add(out, json.p + written, json.n - written);
}

aiorch_status aio__arguments_check(aio__stream_check *check, aio__str json, aio__buf *out) {
  aio__buf views[AIO__ARGUMENTS_LEVELS_MAX];
  search s;
  if (!check->guard) return AIORCH_OK;
  s.check = check;
  s.count = 0;
  s.blocked = false;
  for (int i = 0; i < AIO__ARGUMENTS_LEVELS_MAX; i++) aio__buf_init(&views[i], out->al, json.n);
  aiorch_status st = look(&s, json, views);
  for (int i = 0; i < AIO__ARGUMENTS_LEVELS_MAX; i++) aio__buf_free(&views[i]);
  if (st == AIORCH_OK && s.count > 0) st = find_values(&s, json) ? replace(&s, json, out) : AIORCH_E_OUTPUT_BLOCKED;
  return st;
}
