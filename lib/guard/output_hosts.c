/* See output_hosts.h. */
#include "guard/output_hosts.h"

#include <string.h>

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

static bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }

static bool same(aio__str a, aio__str b) {
  if (a.n != b.n) return false;
  for (size_t i = 0; i < a.n; i++) {
    if (lower(a.p[i]) != lower(b.p[i])) return false;
  }
  return true;
}

static bool fits(aio__str host, aio__str pattern) {
  if (!aio__str_starts(pattern, AIO__LIT("*."))) return same(host, pattern);
  size_t tail = pattern.n - 1; /* with the dot */
  return host.n > tail && same(aio__str_n(host.p + host.n - tail, tail), aio__str_n(pattern.p + 1, tail));
}

static bool is_allowed(aio__str allowed, aio__str host) {
  for (size_t at = 0; at <= allowed.n;) {
    size_t end = at;
    while (end < allowed.n && allowed.p[end] != ',') end++;
    aio__str pattern = aio__str_trim(aio__str_n(allowed.p + at, end - at));
    if (pattern.n > 0 && fits(host, pattern)) return true;
    at = end + 1;
  }
  return false;
}

/* Ends a URL in text. */
static bool ends_url(char c) {
  return (unsigned char)c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>' || c == ')' || c == ']' || c == '}' || c == '`';
}

/* What stands before "//" at `at`: where the URL begins; SIZE_MAX when it is none. */
static size_t url_start(aio__str text, size_t at) {
  static const char *const schemes[] = {"http", "https", "ws", "wss", "ftp"};
  bool colon = at > 0 && text.p[at - 1] == ':';
  if (!colon) {
    char before = at > 0 ? text.p[at - 1] : ' ';
    return before == '(' || before == '"' || before == '\'' || before == '=' || before == '<' ? at : SIZE_MAX;
  }
  size_t start = at - 1;
  while (start > 0 && is_letter(text.p[start - 1])) start--;
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
    if (same(aio__str_n(text.p + start, at - 1 - start), aio__str_z(schemes[i]))) return start;
  }
  return SIZE_MAX;
}

/* The host between the slashes and port, path or end; whoever stands before an "@" is not it. Browsers take "\" for "/". */
static aio__str host_of(aio__str url) {
  size_t end = 0, begin = 0;
  while (end < url.n && url.p[end] != '/' && url.p[end] != '\\' && url.p[end] != '?' && url.p[end] != '#') end++;
  for (size_t i = 0; i < end; i++) {
    if (url.p[i] == '@') begin = i + 1;
  }
  size_t stop = begin;
  while (stop < end && url.p[stop] != ':') stop++;
  return aio__str_n(url.p + begin, stop - begin);
}

bool aio__output_hosts_find(aio__str allowed, aio__str text, size_t from, aio__output_finding *out) {
  if (aio__str_trim(allowed).n == 0) return false;
  for (size_t i = 0; i + 1 < text.n; i++) {
    if (text.p[i] != '/' || text.p[i + 1] != '/') continue;
    size_t start = url_start(text, i), end = i + 2;
    if (start == SIZE_MAX) continue;
    while (end < text.n && !ends_url(text.p[end])) end++;
    while (end > i + 2 && memchr(".,;:!?", text.p[end - 1], 6)) end--; /* the end of a sentence */
    aio__str host = host_of(aio__str_n(text.p + i + 2, end - i - 2));
    if (end > from && host.n > 0 && !is_allowed(allowed, host)) {
      *out = (aio__output_finding){AIO__VERDICT_BLOCK, "host", "data_exfiltration", start, end};
      return true;
    }
    i = end > i + 1 ? end - 1 : i + 1;
  }
  return false;
}
