/*
 * Writes JSON: one object a line for programs, indented for people.
 */
#include "cli.h"

#include <string.h>

enum { AROUND = 4 }; /* what stands around a text: a comma, two quotes, the colon of a key */

static void separate(json_print *p) {
  if (p->comma) cli_addc(&p->out, ',');
  p->comma = true;
}

void jp_open(json_print *p, char bracket) {
  separate(p);
  cli_addc(&p->out, bracket);
  p->comma = false;
}

void jp_close(json_print *p, char bracket) {
  cli_addc(&p->out, bracket);
  p->comma = true;
}

static bool is_plain(unsigned char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

/* Whether eight bytes are all plain: no high bit, none below a blank, no '"', '\\' and DEL. A byte is 0 where its highest bit comes out. */
static bool eight_are_plain(const char *text) {
  static const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
  uint64_t v;
  memcpy(&v, text, sizeof v);
  uint64_t quote = v ^ (ones * '"'), backslash = v ^ (ones * '\\'), del = v ^ (ones * 0x7F);
  uint64_t bad = v | ((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | ((del - ones) & ~del);
  return (bad & high) == 0;
}

/* The length of the run of bytes at `text` that stand for themselves. */
static size_t plain_len(const char *text, size_t len) {
  size_t i = 0, n;
  do {
    while (len - i >= 8 && eight_are_plain(text + i)) i += 8;
    while (i < len && is_plain((unsigned char)text[i])) i++;
    n = i < len && (unsigned char)text[i] >= 0x80 ? cli_utf8_len(text + i, len - i) : 0;
    i += n;
  } while (n > 0);
  return i;
}

static void add_rest_escaped(cli_bytes *out, const char *text, size_t len) {
  for (size_t i = 0; i < len;) {
    unsigned char c = (unsigned char)text[i++];
    if (c == '"' || c == '\\') {
      cli_addc(out, '\\');
      cli_addc(out, (char)c);
    } else if (c == '\n') {
      cli_addz(out, "\\n");
    } else if (c < 0x20 || c == 0x7F) {
      cli_addf(out, "\\u%04x", c);
    } else {
      cli_addz(out, "\xEF\xBF\xBD");
    }
    size_t plain = plain_len(text + i, len - i);
    cli_add(out, text + i, plain);
    i += plain;
  }
}

/* Most texts stand for themselves: then there is room for all of it, which is asked for once. */
static void add_quoted(json_print *p, const char *text, size_t len, bool key) {
  cli_bytes *out = &p->out;
  cli_reserve(out, len + AROUND);
  char *to = out->data + out->len;
  if (p->comma) *to++ = ',';
  *to++ = '"';
  size_t plain = plain_len(text, len);
  if (plain) memcpy(to, text, plain);
  to += plain;
  if (plain < len) {
    out->len = (size_t)(to - out->data);
    add_rest_escaped(out, text + plain, len - plain);
    cli_reserve(out, AROUND);
    to = out->data + out->len;
  }
  *to++ = '"';
  if (key) *to++ = ':';
  *to = '\0';
  out->len = (size_t)(to - out->data);
  p->comma = !key;
}

void jp_key(json_print *p, const char *name) { add_quoted(p, name, strlen(name), true); }

void jp_str(json_print *p, const char *text, size_t len) { add_quoted(p, text, len, false); }

void jp_z(json_print *p, const char *text) {
  if (text) {
    jp_str(p, text, strlen(text));
  } else {
    jp_raw(p, "null", 4);
  }
}

void jp_i64(json_print *p, int64_t value) {
  char digits[24], *at = digits + sizeof digits;
  uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do *--at = (char)('0' + left % 10);
  while ((left /= 10) > 0);
  if (value < 0) *--at = '-';
  separate(p);
  cli_add(&p->out, at, (size_t)(digits + sizeof digits - at));
}

void jp_bool(json_print *p, bool value) { jp_raw(p, value ? "true" : "false", value ? 4 : 5); }

void jp_raw(json_print *p, const char *json, size_t len) {
  separate(p);
  cli_add(&p->out, json, len);
}

void jp_kz(json_print *p, const char *name, const char *text) {
  jp_key(p, name);
  jp_z(p, text);
}

void jp_ki64(json_print *p, const char *name, int64_t value) {
  jp_key(p, name);
  jp_i64(p, value);
}

void jp_error(json_print *p, const aiorch_error *error) {
  jp_open(p, '{');
  jp_ki64(p, "code", aiorch_error_status(error));
  jp_kz(p, "name", aiorch_status_name(aiorch_error_status(error)));
  jp_kz(p, "stage", aiorch_stage_name(aiorch_error_stage(error)));
  jp_kz(p, "message", aiorch_error_message(error));
  jp_key(p, "retry_after_ms");
  int64_t retry_after = aiorch_error_retry_after_ms(error);
  if (retry_after < 0) {
    jp_z(p, NULL);
  } else {
    jp_i64(p, retry_after);
  }
  jp_ki64(p, "http_status", aiorch_error_http_status(error));
  jp_close(p, '}');
}

void jp_finish(json_print *p) {
  cli_addc(&p->out, '\n');
  fwrite(p->out.data, 1, p->out.len, stdout);
  cli_release(&p->out);
  p->comma = false;
}

static void new_line(int depth) {
  putchar('\n');
  for (int i = 0; i < depth; i++) fputs("  ", stdout);
}

/* `json` is valid: only the places of line breaks are to be found. */
void json_pretty(const char *json, size_t len) {
  int depth = 0;
  bool in_text = false;
  for (size_t i = 0; i < len; i++) {
    char c = json[i];
    if (in_text) {
      putchar(c);
      if (c == '\\' && i + 1 < len) putchar(json[++i]);
      if (c == '"') in_text = false;
      continue;
    }
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') continue;
    bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
    if (opens && i + 1 < len && (json[i + 1] == '}' || json[i + 1] == ']')) {
      putchar(c);
      putchar(json[++i]);
      continue;
    }
    if (closes) new_line(--depth);
    putchar(c);
    if (opens) new_line(++depth);
    if (c == ',') new_line(depth);
    if (c == ':') putchar(' ');
    in_text = c == '"';
  }
  putchar('\n');
}
