/*
 * Where a value stands in a JSON text. cJSON keeps no places, so the text is walked once more when there is an error to
 * report: down a path of member numbers, counting line feeds. The text has been found valid before.
 */
#include "api/config.h"

#include <string.h>

typedef struct walker {
  const char *p, *end;
  size_t line;
} walker;

static bool at_end(const walker *w) {
  return w->p >= w->end;
}

static void step(walker *w) {
  if (*w->p == '\n') w->line++;
  w->p++;
}

static void skip_space(walker *w) {
  while (!at_end(w) && strchr(" \t\r\n", *w->p) != NULL && *w->p != '\0') step(w);
}

static void skip_string(walker *w) {
  step(w);
  while (!at_end(w) && *w->p != '"') {
    if (*w->p == '\\') step(w);
    if (!at_end(w)) step(w);
  }
  if (!at_end(w)) step(w);
}

/* To the comma or bracket that ends the value. */
static void skip_value(walker *w) {
  int depth = 0;
  while (!at_end(w)) {
    char c = *w->p;
    if (c == '"') {
      skip_string(w);
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}' || c == ']')) return;
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
    step(w);
  }
}

/* From the brace of an object to the key of its member number `index`. */
static bool enter_member(walker *w, size_t index) {
  skip_space(w);
  if (at_end(w) || *w->p != '{') return false;
  step(w);
  for (size_t i = 0; i < index; i++) {
    skip_value(w);
    if (at_end(w) || *w->p != ',') return false;
    step(w);
  }
  skip_space(w);
  return !at_end(w) && *w->p == '"';
}

static bool pass_key(walker *w) {
  skip_string(w);
  skip_space(w);
  if (at_end(w) || *w->p != ':') return false;
  step(w);
  return true;
}

size_t aio__config_json_line(aio__str text, const size_t *path, size_t depth) {
  if (text.n == 0) return 0;
  walker w = {text.p, text.p + text.n, 1};
  for (size_t i = 0; i < depth; i++) {
    if (!enter_member(&w, path[i])) return 0;
    if (i + 1 < depth && !pass_key(&w)) return 0;
  }
  return w.line;
}
