/* Addresses and networks; which of the addresses of a forwarded request is the client's. */
#include "client_address.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

enum { V4_OFFSET = 12, V4_BITS = 32, V6_BITS = 128, V6_CLIENT_BITS = 64 };

static const unsigned char v4_prefix[V4_OFFSET] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

static bool is_v4(const net_address *a) { return memcmp(a->bytes, v4_prefix, sizeof v4_prefix) == 0; }

static void trim(const char **text, size_t *len) {
  while (*len > 0 && (**text == ' ' || **text == '\t')) ++*text, --*len;
  while (*len > 0 && ((*text)[*len - 1] == ' ' || (*text)[*len - 1] == '\t')) --*len;
}

/* Takes a port away, and the brackets around an IPv6 address. */
static bool bare(const char **text, size_t *len) {
  trim(text, len);
  const char *zone = memchr(*text, '%', *len); /* "fe80::1%eth0": the interface is of this machine, not of the address */
  if (zone && **text != '[') *len = (size_t)(zone - *text);
  if (*len > 0 && **text == '[') {
    const char *end = memchr(*text, ']', *len);
    if (!end) return false;
    size_t rest = *len - (size_t)(end + 1 - *text);
    if (rest > 0 && end[1] != ':') return false;
    *len = (size_t)(end - *text) - 1;
    ++*text;
    return true;
  }
  const char *colon = memchr(*text, ':', *len);
  if (colon && !memchr(colon + 1, ':', *len - (size_t)(colon + 1 - *text))) *len = (size_t)(colon - *text);
  return true;
}

bool net_address_read(const char *text, size_t len, net_address *out) {
  char copy[ADDRESS_TEXT_MAX];
  if (!bare(&text, &len) || len < 2 || len >= sizeof copy) return false;
  memcpy(copy, text, len);
  copy[len] = '\0';
  if (strlen(copy) != len) return false;
  if (inet_pton(AF_INET, copy, out->bytes + V4_OFFSET) == 1) {
    memcpy(out->bytes, v4_prefix, sizeof v4_prefix);
    return true;
  }
  return inet_pton(AF_INET6, copy, out->bytes) == 1;
}

void net_address_text(const net_address *address, char out[ADDRESS_TEXT_MAX]) {
  if (is_v4(address)) inet_ntop(AF_INET, address->bytes + V4_OFFSET, out, ADDRESS_TEXT_MAX);
  else inet_ntop(AF_INET6, address->bytes, out, ADDRESS_TEXT_MAX);
}

static bool read_bits(const char *text, size_t len, int max, int *out) {
  int bits = 0;
  if (len < 1 || len > 3) return false;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    bits = bits * 10 + (text[i] - '0');
  }
  *out = bits;
  return bits <= max;
}

static bool read_network(const char *text, size_t len, net_address *base, int *bits) {
  trim(&text, &len);
  const char *slash = memchr(text, '/', len);
  size_t address_len = slash ? (size_t)(slash - text) : len;
  if (!net_address_read(text, address_len, base)) return false;
  int max = is_v4(base) ? V4_BITS : V6_BITS, given = max;
  if (slash && !read_bits(slash + 1, len - address_len - 1, max, &given)) return false;
  *bits = given + V6_BITS - max;
  return true;
}

bool net_list_read(const char *text, net_list *out, const char **wrong) {
  out->count = 0;
  while (*(text += strspn(text, ", \t"))) {
    size_t len = strcspn(text, ",");
    *wrong = text;
    if (out->count == NETWORKS_MAX) return false;
    if (!read_network(text, len, &out->items[out->count].base, &out->items[out->count].bits)) return false;
    out->count++;
    text += len;
  }
  return true;
}

static bool same_network(const net_address *a, const net_address *b, int bits) {
  size_t whole = (size_t)bits / 8;
  if (memcmp(a->bytes, b->bytes, whole) != 0) return false;
  int rest = bits % 8;
  return rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

bool net_list_has(const net_list *list, const net_address *address) {
  for (size_t i = 0; i < list->count; i++) {
    if (same_network(&list->items[i].base, address, list->items[i].bits)) return true;
  }
  return false;
}

bool client_address_of(const net_list *trusted, const char *peer, const char *forwarded_for, net_address *out) {
  if (!peer[0]) peer = "127.0.0.1";
  if (!net_address_read(peer, strlen(peer), out)) return false;
  if (!forwarded_for || !net_list_has(trusted, out)) return true;
  const char *end = forwarded_for + strlen(forwarded_for);
  for (;;) { /* from the last to the first: each proxy adds at the end whom it saw */
    const char *begin = end;
    while (begin > forwarded_for && begin[-1] != ',') begin--;
    net_address one;
    if (!net_address_read(begin, (size_t)(end - begin), &one)) return true; /* the proxy that wrote it, then */
    *out = one;
    if (!net_list_has(trusted, &one) || begin == forwarded_for) return true;
    end = begin - 1;
  }
}

void client_address_group(const net_address *address, net_address *out) {
  *out = *address;
  if (!is_v4(address)) memset(out->bytes + V6_CLIENT_BITS / 8, 0, ADDRESS_BYTES - V6_CLIENT_BITS / 8);
}
