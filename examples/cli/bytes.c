/*
 * Memory, growing text, UTF-8 and reading a stream. Out of memory ends the program with one line: a command line has
 * nothing better to do, and everything that was stored is safe in its transaction.
 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void) {
  static const char message[] = "aiorch: out of memory; free some, or give it less at once\n";
  ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
  (void)written;
  _exit(CLI_EXIT_INTERNAL);
}

void *cli_alloc(size_t size) {
  void *memory = calloc(1, size ? size : 1);
  if (!memory) out_of_memory();
  return memory;
}

void *cli_grow(void *memory, size_t count, size_t size) {
  if (size && count > SIZE_MAX / size) out_of_memory();
  size_t bytes = count * size;
  void *grown = realloc(memory, bytes > 0 ? bytes : 1);
  if (!grown) out_of_memory();
  return grown;
}

char *cli_copy(const char *text, size_t len) {
  char *copy = cli_alloc(len + 1);
  if (len) memcpy(copy, text, len);
  return copy;
}

void cli_fit(char *out, size_t room, const char *text) {
  size_t len = strnlen(text, room - 1);
  memcpy(out, text, len);
  out[len] = '\0';
}

void cli_reserve(cli_bytes *b, size_t more) {
  if (b->cap > b->len && more < b->cap - b->len) return;
  if (more > SIZE_MAX / 4 - b->len) out_of_memory();
  size_t need = b->len + more + 1;
  size_t cap = b->cap ? b->cap : 256;
  while (cap < need) cap *= 2;
  b->data = cli_grow(b->data, cap, 1);
  b->cap = cap;
}

void cli_add(cli_bytes *b, const char *text, size_t len) {
  cli_reserve(b, len);
  if (len) memcpy(b->data + b->len, text, len);
  b->len += len;
  b->data[b->len] = '\0';
}

void cli_addz(cli_bytes *b, const char *text) { cli_add(b, text, strlen(text)); }

void cli_addc(cli_bytes *b, char c) {
  cli_reserve(b, 1);
  b->data[b->len++] = c;
  b->data[b->len] = '\0';
}

void cli_addv(cli_bytes *b, const char *format, va_list args) {
  char *text = NULL;
  int len = vasprintf(&text, format, args);
  if (len < 0) out_of_memory();
  cli_add(b, text, (size_t)len);
  free(text);
}

void cli_addf(cli_bytes *b, const char *format, ...) {
  va_list args;
  va_start(args, format);
  cli_addv(b, format, args);
  va_end(args);
}

const char *cli_z(const cli_bytes *b) { return b->data ? b->data : ""; }

void cli_clear(cli_bytes *b) {
  b->len = 0;
  if (b->data) b->data[0] = '\0';
}

void cli_release(cli_bytes *b) {
  free(b->data);
  *b = (cli_bytes){0};
}

int cli_read_all(int fd, size_t max, cli_bytes *out) {
  enum { STEP = 65536 };
  for (;;) {
    cli_reserve(out, STEP);
    ssize_t got = read(fd, out->data + out->len, STEP);
    if (got < 0 && errno == EINTR && !cli_interrupted()) continue;
    if (got < 0) return errno;
    if (got == 0) break;
    out->len += (size_t)got;
    if (out->len > max) return EFBIG;
  }
  out->data[out->len] = '\0';
  return 0;
}

size_t cli_utf8_len(const char *text, size_t len) {
  const unsigned char *s = (const unsigned char *)text;
  if (len == 0) return 0;
  if (s[0] < 0x80) return 1;
  size_t n = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
  if (s[0] < 0xC2 || s[0] > 0xF4 || n > len) return 0;
  for (size_t i = 1; i < n; i++) {
    if ((s[i] & 0xC0) != 0x80) return 0;
  }
  if (s[0] == 0xE0 && s[1] < 0xA0) return 0;
  if (s[0] == 0xED && s[1] > 0x9F) return 0;
  if (s[0] == 0xF0 && s[1] < 0x90) return 0;
  if (s[0] == 0xF4 && s[1] > 0x8F) return 0;
  return n;
}

bool cli_utf8_valid(const char *text, size_t len) {
  for (size_t i = 0; i < len;) {
    size_t n = cli_utf8_len(text + i, len - i);
    if (n == 0) return false;
    i += n;
  }
  return true;
}

size_t cli_utf8_put(char to[4], uint32_t code_point) {
  static const unsigned char firsts[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
  size_t n = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
  for (size_t i = n - 1; i > 0; i--, code_point >>= 6) to[i] = (char)(0x80 | (code_point & 0x3F));
  to[0] = (char)(firsts[n] | code_point);
  return n;
}

int cli_hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_hex4(const char **at, const char *end, uint32_t *out) {
  if (end - *at < 4) return false;
  *out = 0;
  for (int i = 0; i < 4; i++) {
    int digit = cli_hex((*at)[i]);
    if (digit < 0) return false;
    *out = *out * 16 + (uint32_t)digit;
  }
  *at += 4;
  return true;
}

bool cli_unicode_escape(const char **at, const char *end, uint32_t *code_point) {
  uint32_t low;
  if (!read_hex4(at, end, code_point)) return false;
  if (*code_point < 0xD800 || *code_point > 0xDBFF || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') return true;
  const char *ahead = *at + 2;
  if (read_hex4(&ahead, end, &low) && low >= 0xDC00 && low <= 0xDFFF) {
    *code_point = 0x10000 + ((*code_point - 0xD800) << 10) + (low - 0xDC00);
    *at = ahead;
  }
  return true;
}

void cli_list_add(cli_list *list, const char *text, size_t len) {
  if (list->count == list->cap) {
    list->cap = list->cap ? list->cap * 2 : 16;
    list->items = cli_grow(list->items, list->cap, sizeof *list->items);
  }
  list->items[list->count++] = cli_copy(text, len);
}

void cli_list_free(cli_list *list) {
  for (size_t i = 0; i < list->count; i++) free(list->items[i]);
  free(list->items);
  *list = (cli_list){0};
}
