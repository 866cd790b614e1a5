/*
 * JSON lines from stdin.
 */
#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 << 20, READ_BYTES = 1 << 16 };

/* One read. False at the end, or when Ctrl-C came. */
static bool read_more(lines *l) {
  char piece[READ_BYTES];
  ssize_t got = cli_wait_readable(l->fd) ? read(l->fd, piece, sizeof piece) : 0;
  while (got < 0 && errno == EINTR && !cli_interrupted()) got = read(l->fd, piece, sizeof piece);
  if (got <= 0) {
    l->error = got < 0 && errno != EINTR ? errno : 0;
    l->ended = true;
    return false;
  }
  if (l->at > 0) { /* what was given out goes */
    memmove(l->buffer.data, l->buffer.data + l->at, l->buffer.len - l->at);
    l->buffer.len -= l->at;
    l->at = 0;
  }
  cli_add(&l->buffer, piece, (size_t)got);
  return true;
}

static const char *line_end(const lines *l) {
  return l->buffer.len > l->at ? memchr(l->buffer.data + l->at, '\n', l->buffer.len - l->at) : NULL;
}

/* The bytes up to the end of the line, or what is left at the end of all. */
static bool take_line(lines *l, const char **line, size_t *len) {
  const char *end = line_end(l);
  if (!end && (!l->ended || l->at == l->buffer.len)) return false;
  *line = l->buffer.data + l->at;
  *len = end ? (size_t)(end - *line) : l->buffer.len - l->at;
  l->at += *len + (end ? 1 : 0);
  l->number++;
  return true;
}

static bool is_blank(const char *line, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') return false;
  }
  return true;
}

lines_result lines_next(lines *l, const char **line, size_t *len) {
  while (!cli_interrupted()) {
    if (take_line(l, line, len)) {
      bool skipped = l->skipping;
      l->skipping = false;
      if (skipped) {
        l->number--; /* its beginning was counted */
      } else if (*len > LINE_MAX_BYTES) {
        return LINES_TOO_LONG;
      } else if (!is_blank(*line, *len)) {
        return LINES_LINE;
      }
      continue;
    }
    if (l->ended) return LINES_END;
    if (l->buffer.len - l->at > LINE_MAX_BYTES) { /* the rest of it is read and thrown away */
      bool first = !l->skipping;
      l->skipping = true;
      l->at = l->buffer.len;
      if (first) {
        l->number++;
        return LINES_TOO_LONG;
      }
    }
    read_more(l);
  }
  return LINES_END;
}

bool lines_ready(lines *l) {
  struct pollfd in = {.fd = l->fd, .events = POLLIN};
  while (!l->ended && !line_end(l)) {
    if (poll(&in, 1, 0) != 1 || l->buffer.len - l->at > LINE_MAX_BYTES) return false;
    read_more(l);
  }
  return true;
}

void lines_free(lines *l) { cli_release(&l->buffer); }

/* {"text": "..."} or {"a": "...", "b": "..."} */
static void add_form(cli_bytes *out, const char *const *names) {
  cli_addc(out, '{');
  for (size_t i = 0; names[i]; i++) cli_addf(out, "%s\"%s\": \"...\"", i ? ", " : "", names[i]);
  cli_addc(out, '}');
}

json_value *lines_texts(const char *line, size_t len, const char *const *names, const json_value **texts, cli_bytes *why) {
  size_t where = 0;
  json_value *value = json_parse(line, len, &where);
  if (!value) cli_addf(why, "it is no JSON (byte %zu); each line is an object: ", where);
  for (size_t i = 0; value && names[i]; i++) {
    texts[i] = json_get(value, names[i]);
    if (texts[i] && texts[i]->type == JSON_TEXT) continue;
    cli_addf(why, "it has no text in the member \"%s\"; write ", names[i]);
    json_free(value);
    value = NULL;
  }
  if (!value) add_form(why, names);
  return value;
}

void lines_too_long(cli_bytes *why) { cli_addf(why, "it has more than %d bytes; send less", LINE_MAX_BYTES); }

int lines_failed(cli *c, const lines *l) {
  return cli_error(c, CLI_EXIT_INTERNAL, AIORCH_E_SYSTEM, "%s: stdin cannot be read any further: %s", c->command->name,
                   strerror(l->error));
}
