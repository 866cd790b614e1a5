/* See error_body.h. */
#include "text/error_body.h"

#include <aiorch/error.h>

#include <string.h>

enum { DEPTH_MAX = 4 };

/* Appends a string to `memory`, and gives its place there. A reset would take away what was given before. */
static aio__str keep(const aio__tape *tape, aio__tape_value value, aio__buf *memory) {
  aio__str text = {"", 0};
  if (aio__tape_typeof(tape, value) != AIO__JSON_STRING) return text;
  aio__buf scratch;
  aio__buf_init(&scratch, memory->al, memory->max);
  aiorch_status st = aio__tape_str(tape, value, NULL, &scratch, &text);
  if (st == AIORCH_E_NOMEM) memory->failed = st;
  size_t start = memory->n;
  if (text.n > 0) aio__buf_str(memory, text);
  aio__buf_free(&scratch);
  return memory->n > start ? aio__str_n(memory->p + start, memory->n - start) : (aio__str){"", 0};
}

/* The value that says it in words: a string, or the first such inside. */
static aio__tape_value words_of(const aio__tape *tape, aio__tape_value value, int depth) {
  static const char *const names[] = {"message", "error", "detail", "msg", "errors", "error_description", "description", "title"};
  aio__json_type type = aio__tape_typeof(tape, value);
  if (type == AIO__JSON_STRING) return value;
  if (depth == DEPTH_MAX) return AIO__TAPE_NONE;
  if (type == AIO__JSON_ARRAY) {
    aio__tape_value first = aio__tape_first(tape, value);
    return first == AIO__TAPE_NONE ? first : words_of(tape, first, depth + 1);
  }
  for (size_t i = 0; type == AIO__JSON_OBJECT && i < sizeof names / sizeof names[0]; i++) {
    aio__tape_value member = aio__tape_member(tape, value, names[i], strlen(names[i]));
    aio__tape_value words = member == AIO__TAPE_NONE ? member : words_of(tape, member, depth + 1);
    if (words != AIO__TAPE_NONE) return words;
  }
  return AIO__TAPE_NONE;
}

/* `memory` may move while texts are added: room for all of them is made first. */
static aiorch_status make_room(const aio__tape *tape, aio__buf *memory) {
  aio__buf_reset(memory);
  size_t most = 3 * tape->text.n + 16; /* U+FFFD for a single byte */
  return aio__buf_reserve(memory, most < memory->max ? most : memory->max);
}

aiorch_status aio__error_body_of(const aio__tape *tape, aio__tape_value root, aio__buf *memory, aio__error_body *out) {
  *out = (aio__error_body){.tape = tape, .error = AIO__TAPE_NONE, .message = {"", 0}, .type = {"", 0}, .code = {"", 0}};
  aiorch_status st = make_room(tape, memory);
  if (st == AIORCH_E_NOMEM) return st;
  if (aio__tape_typeof(tape, root) == AIO__JSON_ARRAY) root = aio__tape_first(tape, root); /* Gemini's list of chunks */
  aio__tape_value error = AIO__TAPE_GET(tape, root, "error");
  if (aio__tape_typeof(tape, error) != AIO__JSON_OBJECT) error = root;
  if (aio__tape_typeof(tape, error) == AIO__JSON_OBJECT) out->error = error;
  out->message = keep(tape, words_of(tape, error, 0), memory);
  aio__tape_value type = AIO__TAPE_GET(tape, error, "type"), code = AIO__TAPE_GET(tape, error, "code");
  if (type == AIO__TAPE_NONE) type = AIO__TAPE_GET(tape, error, "error_type"); /* TEI */
  out->type = keep(tape, type, memory);
  out->code = keep(tape, code, memory);
  if (!aio__tape_i64(tape, code, &out->number)) {
    (void)aio__tape_i64(tape, AIO__TAPE_GET(tape, error, "status"), &out->number);
  }
  return memory->failed == AIORCH_E_NOMEM ? AIORCH_E_NOMEM : AIORCH_OK;
}

/* Of a page, the text of its title; else the begin of the body. */
static aio__str show(aio__str body) {
  body = aio__str_trim(body);
  if (body.n > 0 && body.p[0] == '<') {
    static const char *const opens[] = {"<title>", "<TITLE>", "<h1>"};
    for (size_t k = 0; k < sizeof opens / sizeof opens[0]; k++) {
      size_t n = strlen(opens[k]);
      const char *at = memmem(body.p, body.n, opens[k], n);
      if (!at) continue;
      aio__str rest = aio__str_n(at + n, body.n - (size_t)(at + n - body.p));
      const char *end = memchr(rest.p, '<', rest.n);
      aio__str title = aio__str_trim(aio__str_n(rest.p, end ? (size_t)(end - rest.p) : rest.n));
      if (title.n > 0) return aio__str_n(title.p, title.n < AIO__ERROR_BODY_SHOWN_MAX ? title.n : AIO__ERROR_BODY_SHOWN_MAX);
    }
    return AIO__LIT("a page of HTML");
  }
  return aio__str_n(body.p, aio__utf8_cut(body, AIO__ERROR_BODY_SHOWN_MAX));
}

aiorch_status aio__error_body_read(aio__tape *tape, aio__str body, aio__buf *memory, aio__error_body *out) {
  aiorch_status st = aio__tape_read(tape, body);
  if (st == AIORCH_E_NOMEM) return st;
  st = aio__error_body_of(tape, st ? AIO__TAPE_NONE : AIO__TAPE_ROOT, memory, out);
  if (st == AIORCH_OK && out->message.n == 0 && tape->count == 0) out->message = show(body);
  return st;
}
