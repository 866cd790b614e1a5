/* Names of hosts: those of a list, and those that no stranger can have. */
#include "host_names.h"

#include "client_address.h"

#include <string.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 253 };

/* Letters, digits, - and _, in parts between dots. A port, a scheme or a path have others. */
static bool is_name(const char *text, size_t len) {
  static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  if (len > 2 && memcmp(text, "*.", 2) == 0) {
    text += 2;
    len -= 2;
  }
  if (len == 0 || len > NAME_MAX_BYTES || *text == '.') return false;
  for (size_t i = 0; i < len; i++) {
    if (!memchr(known, text[i], sizeof known - 1) || (i > 0 && text[i] == '.' && text[i - 1] == '.')) return false;
  }
  return true;
}

bool host_names_read(host_names *out, const char *list, char why[256]) {
  *out = (host_names){0};
  while (*(list += strspn(list, ", "))) {
    size_t len = strcspn(list, ", ");
    if (len == 1 && *list == '*') {
      out->any = true;
    } else if (is_name(list, len)) {
      cli_list_add(&out->names, list, len - (list[len - 1] == '.'));
    } else {
      snprintf(why, 256, "\"%.*s\" is no name of a host: write it as ai.example.org, without https:// and port, or *.example.org; or * for any",
               len < 100 ? (int)len : 100, list);
      host_names_free(out);
      return false;
    }
    list += len;
  }
  return true;
}

void host_names_free(host_names *names) { cli_list_free(&names->names); }

/* `name` ends with `parent`, and there is something before it: `parent` begins with a dot. */
static bool is_below(const char *name, size_t len, const char *parent) {
  size_t parent_len = strlen(parent);
  return len > parent_len && strncasecmp(name + len - parent_len, parent, parent_len) == 0;
}

static bool is_same(const char *name, size_t len, const char *other) { return strlen(other) == len && strncasecmp(name, other, len) == 0; }

/* The length of the name in a Host, without port and the dot of the root; 0 when there is none. */
static size_t name_len(const char *host) {
  size_t len = strcspn(host, *host == '[' ? "]" : ":");
  if (*host == '[') return host[len] == ']' && (host[len + 1] == ':' || !host[len + 1]) ? len + 1 : 0;
  return len - (len > 0 && host[len - 1] == '.');
}

static bool is_listed(const host_names *names, const char *host, size_t len) {
  for (size_t i = 0; i < names->names.count; i++) {
    const char *one = names->names.items[i];
    if (*one == '*' ? is_below(host, len, one + 1) : is_same(host, len, one)) return true;
  }
  return false;
}

bool host_names_allow(const host_names *names, const http_request *request, http_problem *why) {
  const char *host = request_header(request, "host");
  net_address address;
  if (names->any || !host) return true;
  size_t len = name_len(host);
  if (!memchr(host, '%', len) && net_address_read(host, len, &address)) return true;
  if (is_same(host, len, "localhost") || is_below(host, len, ".localhost") || is_listed(names, host, len)) return true;
  return http_problem_set(why, 403, "host_not_allowed", NULL,
                          "this server does not go by the name \"%.100s\": call it by its address, or put the name into server.hosts", host);
}
