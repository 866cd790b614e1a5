/* See sse.h. A line is read where it lies; only what is cut by the end of the bytes, and events of several data lines, are
 * copied. */
#include "net/sse.h"

#include <aiorch/error.h>

#include <string.h>

void aio__sse_init(aio__sse *sse, const aio__alloc *al, size_t max) {
  memset(sse, 0, sizeof *sse);
  sse->max = max < AIO__SSE_EVENT_MAX ? max : AIO__SSE_EVENT_MAX;
  aio__buf_init(&sse->line, al, sse->max);
  aio__buf_init(&sse->data, al, sse->max);
  aio__buf_init(&sse->type, al, sse->max);
}

void aio__sse_free(aio__sse *sse) {
  aio__buf_free(&sse->line);
  aio__buf_free(&sse->data);
  aio__buf_free(&sse->type);
}

static bool is_field(aio__str name, const char *field, size_t n) {
  return name.n == n && memcmp(name.p, field, n) == 0;
}

/* Of several data lines; the first may still be only held. */
static aiorch_status add_data(aio__sse *sse, aio__str value) {
  if (sse->held.p) {
    aiorch_status st = aio__buf_str(&sse->data, sse->held);
    sse->held.p = NULL;
    if (st) return st;
  }
  if (sse->has_data && aio__buf_char(&sse->data, '\n')) return sse->data.failed;
  return aio__buf_str(&sse->data, value);
}

static aiorch_status dispatch(aio__sse *sse, aio__sse_take take, void *ctx) {
  aiorch_status st = AIORCH_OK;
  if (sse->has_data) {
    aio__sse_event event = {.type = aio__buf_view(&sse->type),
                            .data = sse->held.p ? sse->held : aio__buf_view(&sse->data)};
    st = take(ctx, &event);
  }
  sse->has_data = false;
  sse->held = (aio__str){NULL, 0};
  if (sse->data.n > 0) aio__buf_reset(&sse->data);
  if (sse->type.n > 0) aio__buf_reset(&sse->type);
  return st;
}

/* `stays`: the line lies in bytes that stay until the feeding ends. */
static aiorch_status read_line(aio__sse *sse, aio__str line, bool stays, aio__sse_take take, void *ctx) {
  if (line.n == 0) return dispatch(sse, take, ctx);
  const char *colon = memchr(line.p, ':', line.n);
  if (colon == line.p) {
    sse->comments++;
    return AIORCH_OK;
  }
  aio__str name = colon ? aio__str_n(line.p, (size_t)(colon - line.p)) : line, value = {"", 0};
  if (colon) value = aio__str_n(colon + 1, line.n - name.n - 1);
  if (value.n > 0 && value.p[0] == ' ') value = aio__str_n(value.p + 1, value.n - 1);
  aiorch_status st = AIORCH_OK;
  if (is_field(name, "data", 4)) {
    if (!sse->has_data && stays) sse->held = value;
    else st = add_data(sse, value);
    sse->has_data = true;
  } else if (is_field(name, "event", 5)) {
    aio__buf_reset(&sse->type);
    st = aio__buf_str(&sse->type, value);
  } /* "id" and "retry" serve reconnecting, which is not done; other fields are to be ignored */
  return st;
}

/* One byte order mark at the very begin is no part of the first line; it may come in pieces. */
static void skip_mark(aio__sse *sse, aio__str *bytes) {
  static const unsigned char mark[3] = {0xEF, 0xBB, 0xBF};
  while (sse->bom < 3 && bytes->n > 0) {
    if ((unsigned char)bytes->p[0] != mark[sse->bom]) {
      if (sse->bom > 0) (void)aio__buf_add(&sse->line, mark, (size_t)sse->bom); /* it was none: two bytes at most */
      sse->bom = 3;
      return;
    }
    sse->bom++;
    *bytes = aio__str_n(bytes->p + 1, bytes->n - 1);
  }
}

static const char *line_end(aio__str bytes) {
  const char *lf = memchr(bytes.p, '\n', bytes.n);
  const char *cr = memchr(bytes.p, '\r', lf ? (size_t)(lf - bytes.p) : bytes.n);
  return cr ? cr : lf;
}

static aiorch_status end_line(aio__sse *sse, aio__str part, aio__sse_take take, void *ctx) {
  if (sse->line.n == 0) {
    if (part.n > sse->max) return AIORCH_E_TOO_LARGE;
    return read_line(sse, part, true, take, ctx);
  }
  aiorch_status st = aio__buf_str(&sse->line, part);
  if (st == AIORCH_OK) st = read_line(sse, aio__buf_view(&sse->line), false, take, ctx);
  aio__buf_reset(&sse->line);
  return st;
}

/* What is held lies in the caller's bytes, which go now. */
static aiorch_status keep_held(aio__sse *sse) {
  if (!sse->held.p) return AIORCH_OK;
  aio__str held = sse->held;
  sse->held.p = NULL;
  return aio__buf_str(&sse->data, held);
}

aiorch_status aio__sse_feed(aio__sse *sse, aio__str bytes, aio__sse_take take, void *ctx) {
  skip_mark(sse, &bytes);
  if (sse->line.failed) return sse->line.failed;
  while (bytes.n > 0) {
    if (sse->after_cr) { /* CRLF is one end of a line; the LF may come late, and is not waited for */
      sse->after_cr = false;
      if (bytes.p[0] == '\n') {
        bytes = aio__str_n(bytes.p + 1, bytes.n - 1);
        continue;
      }
    }
    const char *end = line_end(bytes);
    if (!end) {
      aiorch_status st = aio__buf_str(&sse->line, bytes);
      return st ? st : keep_held(sse);
    }
    aio__str part = aio__str_n(bytes.p, (size_t)(end - bytes.p));
    sse->after_cr = *end == '\r';
    bytes = aio__str_n(end + 1, bytes.n - part.n - 1);
    aiorch_status st = end_line(sse, part, take, ctx);
    if (st) return st;
  }
  return keep_held(sse);
}

aiorch_status aio__sse_end(aio__sse *sse, aio__sse_take take, void *ctx) {
  aiorch_status st = AIORCH_OK;
  if (sse->line.n > 0) st = end_line(sse, aio__str_n("", 0), take, ctx);
  return st ? st : dispatch(sse, take, ctx);
}
