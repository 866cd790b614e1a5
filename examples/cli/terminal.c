/*
 * What stands on the terminal: colours, the width of text, wrapping, and the one line that an error is.
 *
 * Text that comes from documents, models or the store may hold escape sequences that would drive the terminal, so that
 * control characters are not let through to one. Into a file or a pipe text goes as it is.
 */
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_DEFAULT = 80, WIDTH_MIN = 30, WIDTH_MAX = 110, DOTS = 4 };

static bool wants_color(const cli *c, bool is_terminal) {
  if (c->opt.color != CLI_COLOR_AUTO) return c->opt.color == CLI_COLOR_ALWAYS;
  const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
  if (no_color && *no_color) return false;
  return is_terminal && term && *term && strcmp(term, "dumb") != 0;
}

void cli_terminal_init(cli *c) {
  c->out_is_terminal = isatty(STDOUT_FILENO) == 1;
  c->err_is_terminal = isatty(STDERR_FILENO) == 1;
  c->color_out = wants_color(c, c->out_is_terminal);
  c->color_err = wants_color(c, c->err_is_terminal);
  struct winsize size;
  c->width = WIDTH_DEFAULT;
  bool known = (c->out_is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) ||
               (c->err_is_terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0);
  if (known && size.ws_col > 0) c->width = size.ws_col;
  if (c->width < WIDTH_MIN) c->width = WIDTH_MIN;
  if (c->width > WIDTH_MAX) c->width = WIDTH_MAX;
}

static const char *style_code(cli_style style) {
  static const char *const codes[] = {"\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m", "\033[36m"};
  return codes[style];
}

const char *cli_on(const cli *c, cli_style style) { return c->color_out ? style_code(style) : ""; }

const char *cli_off(const cli *c) { return c->color_out ? "\033[0m" : ""; }

/* C0 but for line feed and tab, DEL, C1, and bytes that are no UTF-8. */
static bool is_control(const char *text, size_t n) {
  unsigned char first = (unsigned char)text[0];
  if (n == 0 || first == 0x7F) return true;
  if (first < 0x20) return first != '\n' && first != '\t';
  return n == 2 && first == 0xC2 && (unsigned char)text[1] < 0xA0;
}

void cli_put(const cli *c, const char *text, size_t len) {
  if (!c->out_is_terminal) {
    fwrite(text, 1, len, stdout);
    return;
  }
  for (size_t i = 0; i < len;) {
    size_t n = cli_utf8_len(text + i, len - i);
    if (is_control(text + i, n)) {
      putchar('?');
    } else {
      fwrite(text + i, 1, n, stdout);
    }
    i += n ? n : 1;
  }
}

void cli_putz(const cli *c, const char *text) { cli_put(c, text, strlen(text)); }

static uint32_t decode(const char *text, size_t n) {
  const unsigned char *s = (const unsigned char *)text;
  if (n == 2) return ((uint32_t)(s[0] & 0x1F) << 6) | (s[1] & 0x3Fu);
  if (n == 3) return ((uint32_t)(s[0] & 0x0F) << 12) | ((uint32_t)(s[1] & 0x3F) << 6) | (s[2] & 0x3Fu);
  if (n == 4) {
    return ((uint32_t)(s[0] & 0x07) << 18) | ((uint32_t)(s[1] & 0x3F) << 12) | ((uint32_t)(s[2] & 0x3F) << 6) |
           (s[3] & 0x3Fu);
  }
  return s[0];
}

/* Close enough for wrapping: combining marks take no column, East Asian wide characters and emoji two. */
static size_t code_point_columns(uint32_t cp) {
  if ((cp >= 0x300 && cp <= 0x36F) || (cp >= 0x200B && cp <= 0x200F) || (cp >= 0xFE00 && cp <= 0xFE0F)) return 0;
  bool wide = (cp >= 0x1100 && cp <= 0x115F) || (cp >= 0x2E80 && cp <= 0xA4CF) || (cp >= 0xAC00 && cp <= 0xD7A3) ||
              (cp >= 0xF900 && cp <= 0xFAFF) || (cp >= 0xFE30 && cp <= 0xFE6F) || (cp >= 0xFF00 && cp <= 0xFF60) ||
              (cp >= 0x1F300 && cp <= 0x1FAFF) || (cp >= 0x20000 && cp <= 0x3FFFD);
  return wide ? 2 : 1;
}

size_t cli_columns(const char *text, size_t len) {
  size_t columns = 0;
  for (size_t i = 0; i < len;) {
    size_t n = cli_utf8_len(text + i, len - i);
    columns += n ? code_point_columns(decode(text + i, n)) : 1;
    i += n ? n : 1;
  }
  return columns;
}

static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

void cli_put_wrapped(const cli *c, const char *text, size_t len, int indent, int lines) {
  size_t width = c->width > indent + 20 ? (size_t)(c->width - indent) : 20, column = 0;
  int line = 0;
  for (size_t i = 0; i < len;) {
    while (i < len && is_blank(text[i])) i++;
    size_t start = i;
    while (i < len && !is_blank(text[i])) i++;
    if (i == start) break;
    size_t columns = cli_columns(text + start, i - start);
    bool last_line = lines > 0 && line + 1 >= lines, more = i < len;
    bool breaks = column > 0 && column + 1 + columns + (last_line && more ? DOTS : 0) > width;
    if (breaks && last_line) {
      cli_putz(c, " ...");
      break;
    }
    if (breaks) {
      putchar('\n');
      line++;
      column = 0;
    }
    if (column == 0) {
      printf("%*s", indent, "");
    } else {
      putchar(' ');
      column++;
    }
    cli_put(c, text + start, i - start);
    column += columns;
  }
  if (column > 0 || line > 0) putchar('\n');
}

/* One line whatever the message holds. */
static void print_error_line(const cli *c, const char *label, const char *color, const char *message) {
  fflush(stdout);
  fprintf(stderr, "%s%s%s", c->color_err ? color : "", label, c->color_err ? "\033[0m" : "");
  size_t len = strlen(message);
  for (size_t i = 0; i < len;) {
    size_t n = cli_utf8_len(message + i, len - i);
    bool control = is_control(message + i, n) || message[i] == '\n' || message[i] == '\t';
    if (control) {
      fputc(message[i] == '\n' || message[i] == '\t' ? ' ' : '?', stderr);
    } else {
      fwrite(message + i, 1, n, stderr);
    }
    i += n ? n : 1;
  }
  fputc('\n', stderr);
}

void cli_error_line(const cli *c, const char *message) {
  print_error_line(c, "aiorch: ", style_code(STYLE_RED), message);
}

/* What the library's own errors look like, for an error of the command line. */
static void print_error_json(const cli *c, aiorch_status status, const char *message) {
  json_print p = {0};
  jp_open(&p, '{');
  if (c->opt.stream_json) jp_kz(&p, "type", "error");
  jp_key(&p, "error");
  jp_open(&p, '{');
  jp_ki64(&p, "code", status);
  jp_kz(&p, "name", aiorch_status_name(status));
  jp_kz(&p, "stage", NULL);
  jp_kz(&p, "message", message);
  jp_kz(&p, "retry_after_ms", NULL);
  jp_ki64(&p, "http_status", aiorch_status_http(status));
  jp_close(&p, '}');
  jp_close(&p, '}');
  jp_finish(&p);
}

static int report(cli *c, cli_exit code, aiorch_status status, const cli_bytes *message) {
  cli_error_line(c, cli_z(message));
  if (c->opt.json || c->opt.stream_json) print_error_json(c, status, cli_z(message));
  return (int)code;
}

int cli_error(cli *c, cli_exit code, aiorch_status status, const char *format, ...) {
  cli_bytes message = {0};
  va_list args;
  va_start(args, format);
  cli_addv(&message, format, args);
  va_end(args);
  int result = report(c, code, status, &message);
  cli_release(&message);
  return result;
}

int cli_usage(cli *c, const char *format, ...) {
  cli_bytes message = {0};
  va_list args;
  va_start(args, format);
  cli_addv(&message, format, args);
  va_end(args);
  if (c->command) {
    cli_addf(&message, " (see 'aiorch %s --help')", c->command->name);
  } else {
    cli_addz(&message, " (see 'aiorch --help')");
  }
  int result = report(c, CLI_EXIT_USAGE, AIORCH_E_INVALID, &message);
  cli_release(&message);
  return result;
}

void cli_warn(const cli *c, const char *format, ...) {
  cli_bytes message = {0};
  va_list args;
  va_start(args, format);
  cli_addv(&message, format, args);
  va_end(args);
  print_error_line(c, "aiorch: warning: ", style_code(STYLE_YELLOW), cli_z(&message));
  cli_release(&message);
}
