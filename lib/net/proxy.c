/* See proxy.h. */
#include "net/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESS_MAX = 64, ADDRESS_BYTES = 16, BITS = 8, BITS_SHOWN = 3 };

/* ---- the variable ------------------------------------------------------------------------------------------------ */

static aio__str login_of(const char *url) {
  const char *scheme = strstr(url, "://"), *begin = scheme ? scheme + 3 : url, *at = NULL;
  for (const char *p = begin; *p && *p != '/' && *p != '?' && *p != '#'; p++) {
    if (*p == '@') at = p;
  }
  /* A password may hold what should have been written as %2F: better too much is kept secret than too little. */
  if (!at) at = strrchr(begin, '@');
  return at ? aio__str_n(begin, (size_t)(at - begin)) : aio__str_n(begin, 0);
}

aiorch_status aio__proxy_read(const aio__alloc *al, const char *const *names, aio__proxy *out) {
  static const char form[] = "through the proxy %.*s%s (%s)";
  const char *value = NULL, *name = NULL;
  *out = (aio__proxy){0};
  for (; *names && (!value || value[0] == '\0'); names++) value = getenv(name = *names);
  if (!value || value[0] == '\0') return AIORCH_OK;
  out->url = aio__strndup(al, value, strlen(value));
  size_t n = sizeof form + strlen(value) + strlen(name);
  out->through = aio__malloc(al, n);
  if (!out->url || !out->through) {
    aio__proxy_free(al, out);
    return AIORCH_E_NOMEM;
  }
  out->login = login_of(out->url);
  const char *host = out->login.n > 0 || *out->login.p == '@' ? out->login.p + out->login.n + 1 : out->login.p;
  int scheme = (int)(out->login.p - out->url);
  snprintf(out->through, n, form, scheme, out->url, host, name);
  return AIORCH_OK;
}

void aio__proxy_free(const aio__alloc *al, aio__proxy *proxy) {
  if (proxy->url) {
    volatile char *p = proxy->url;
    for (size_t i = 0, n = strlen(proxy->url); i < n; i++) p[i] = 0;
  }
  aio__free(al, proxy->url);
  aio__free(al, proxy->through);
  *proxy = (aio__proxy){0};
}

static bool holds(const char *text, aio__str part) {
  return part.n > 0 && memmem(text, strlen(text), part.p, part.n) != NULL;
}

bool aio__proxy_shows(const aio__proxy *proxy, const char *text) {
  aio__str login = proxy->login;
  const char *colon = login.n > 0 ? memchr(login.p, ':', login.n) : NULL;
  if (!colon) return holds(text, login);
  size_t name = (size_t)(colon - login.p);
  return holds(text, aio__str_n(login.p, name)) || holds(text, aio__str_n(colon + 1, login.n - name - 1));
}

/* ---- who is spared ----------------------------------------------------------------------------------------------- */

/* The family, 0 when it is no address. */
static int read_address(aio__str text, unsigned char out[ADDRESS_BYTES]) {
  char z[ADDRESS_MAX];
  if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']') text = aio__str_n(text.p + 1, text.n - 2);
  if (text.n == 0 || text.n >= sizeof z) return 0;
  memcpy(z, text.p, text.n);
  z[text.n] = '\0';
  return inet_pton(AF_INET, z, out) == 1 ? AF_INET : inet_pton(AF_INET6, z, out) == 1 ? AF_INET6 : 0;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, size_t bits) {
  if (memcmp(a, b, bits / BITS) != 0) return false;
  unsigned mask = 0xFF00u >> (bits % BITS) & 0xFFu;
  return mask == 0 || (a[bits / BITS] & mask) == (b[bits / BITS] & mask);
}

/* How many bits stand behind a '/'; above `most`: that is no number of them. */
static size_t read_bits(aio__str text, size_t most) {
  size_t bits = 0;
  if (text.n == 0 || text.n > BITS_SHOWN) return most + 1;
  for (size_t i = 0; i < text.n; i++) {
    if (text.p[i] < '0' || text.p[i] > '9') return most + 1;
    bits = bits * 10 + (size_t)(text.p[i] - '0');
  }
  return bits;
}

static bool address_matches(aio__str entry, int family, const unsigned char *address) {
  unsigned char other[ADDRESS_BYTES];
  size_t most = family == AF_INET ? 32 : 128, bits = most;
  const char *slash = memchr(entry.p, '/', entry.n);
  if (slash) {
    size_t n = (size_t)(slash - entry.p);
    bits = read_bits(aio__str_n(slash + 1, entry.n - n - 1), most);
    entry.n = n;
  }
  return bits <= most && read_address(entry, other) == family && same_bits(address, other, bits);
}

static aio__str without_dot_behind(aio__str name) {
  if (name.n > 0 && name.p[name.n - 1] == '.') name.n--;
  return name;
}

static bool same_name(aio__str a, aio__str b) {
  if (a.n != b.n) return false;
  for (size_t i = 0; i < a.n; i++) {
    char x = a.p[i], y = b.p[i];
    if (x >= 'A' && x <= 'Z') x = (char)(x + ('a' - 'A'));
    if (y >= 'A' && y <= 'Z') y = (char)(y + ('a' - 'A'));
    if (x != y) return false;
  }
  return true;
}

static bool name_matches(aio__str entry, aio__str host) {
  entry = without_dot_behind(entry);
  if (entry.n > 0 && entry.p[0] == '.') entry = aio__str_n(entry.p + 1, entry.n - 1);
  if (entry.n == 0 || entry.n > host.n) return false;
  size_t before = host.n - entry.n;
  return same_name(entry, aio__str_n(host.p + before, entry.n)) && (before == 0 || host.p[before - 1] == '.');
}

static aio__str without_port(aio__str host) {
  const char *end = host.n > 0 && host.p[0] == '[' ? memchr(host.p, ']', host.n) : memchr(host.p, ':', host.n);
  if (end) host.n = (size_t)(end - host.p) + (*end == ']' ? 1 : 0);
  return host;
}

static bool is_between(char c) {
  return c == ',' || c == ' ' || c == '\t';
}

bool aio__proxy_spares(const char *no_proxy, aio__str host) {
  unsigned char address[ADDRESS_BYTES];
  if (!no_proxy) return false;
  host = without_dot_behind(without_port(host));
  int family = read_address(host, address);
  for (const char *p = no_proxy; *p;) {
    const char *begin = p;
    while (*p && !is_between(*p)) p++;
    aio__str entry = aio__str_n(begin, (size_t)(p - begin));
    if (*p) p++;
    if (entry.n == 0) continue;
    if (entry.n == 1 && entry.p[0] == '*') return true;
    if (family ? address_matches(entry, family, address) : name_matches(entry, host)) return true;
  }
  return false;
}
