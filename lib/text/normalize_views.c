/*
 * The views of a text: PLAIN first, then what the hints in it say is worth decoding, each decoded text again as PLAIN.
 *
 * Everything is one pass over its input; the number of views and the depth of decoding are bounded, so that the whole
 * stays linear in the text.
 */
#include <string.h>

#include "text/normalize_parts.h"

static bool is_ascii(aio__str text) {
  size_t i = 0;
  for (; i + 8 <= text.n; i += 8) {
    uint64_t word;
    memcpy(&word, text.p + i, 8);
    if ((word & UINT64_C(0x8080808080808080)) != 0) return false;
  }
  for (; i < text.n; i++) {
    if ((unsigned char)text.p[i] >= 0x80) return false;
  }
  return true;
}

/* ---- views of PLAIN ---------------------------------------------------------------------------------------------- */

static bool map_bytes(aio__arena *arena, const aio__source *in, const char map[256], aio__source *out) {
  char *text = aio__arena_alloc(arena, in->text.n + 1);
  if (text == NULL) return false;
  for (size_t i = 0; i < in->text.n; i++) text[i] = map[(unsigned char)in->text.p[i]];
  *out = (aio__source){aio__str_n(text, in->text.n), in->offsets};
  return true;
}

static void leet_map(char map[256], char one) {
  static const char from[] = "0345789@$!|", to[] = "oeastbgasil";
  for (int c = 0; c < 256; c++) map[c] = (char)c;
  for (size_t i = 0; from[i] != '\0'; i++) map[(unsigned char)from[i]] = to[i];
  map['1'] = one;
}

static void rot13_map(char map[256]) {
  for (int c = 0; c < 256; c++) map[c] = (char)c;
  for (int c = 0; c < 26; c++) {
    map['a' + c] = (char)('a' + (c + 13) % 26);
    map['A' + c] = (char)('A' + (c + 13) % 26);
  }
}

/* ---- all views --------------------------------------------------------------------------------------------------- */

typedef struct expansion {
  aio__arena *arena;
  aio__str original;
  aio__views *views;
} expansion;

static void add_view(expansion *e, aio__view_kind kind, const aio__source *source) {
  if (e->views->n == AIO__VIEWS_MAX || (source->text.n == 0 && e->views->n > 0)) return;
  e->views->view[e->views->n++] = (aio__view){kind, source->text, source->offsets};
}

static bool add_leet(expansion *e, const aio__source *plain, char one) {
  char map[256];
  aio__source made;
  leet_map(map, one);
  if (!map_bytes(e->arena, plain, map, &made)) return false;
  add_view(e, AIO__VIEW_LEET, &made);
  return true;
}

/* Rotates before folding: letters with marks are not rotated, though PLAIN makes ASCII of them. */
static bool add_rot13(expansion *e, const aio__source *in, bool ascii) {
  char map[256];
  aio__source rotated, plain;
  bool disguised = false;
  rot13_map(map);
  if (!map_bytes(e->arena, in, map, &rotated)) return false;
  bool ok = ascii ? aio__plain_ascii(e->arena, &rotated, &plain)
                  : aio__plain_unicode(e->arena, &rotated, NULL, false, &plain, &disguised);
  if (ok) add_view(e, AIO__VIEW_ROT13, &plain);
  return ok;
}

/* PLAIN and what is made of it; *hints for the decoders. */
static bool add_plain(expansion *e, const aio__source *in, aio__view_kind kind, bool ascii, bool note,
                      aio__hints *hints) {
  aio__source plain, eager;
  bool disguised = false, again;
  bool ok = ascii ? aio__plain_ascii(e->arena, in, &plain)
                  : aio__plain_unicode(e->arena, in, note ? e->views : NULL, false, &plain, &disguised);
  if (!ok) return false;
  add_view(e, kind, &plain);
  if (disguised) {
    if (!aio__plain_unicode(e->arena, in, NULL, true, &eager, &again)) return false;
    add_view(e, kind, &eager);
    plain = eager;
  }
  aio__hints_find(plain.text, hints);
  if (hints->leet && !add_leet(e, &plain, 'i')) return false;
  if (hints->leet_one && !add_leet(e, &plain, 'l')) return false;
  if (hints->rot13 && !add_rot13(e, in, ascii)) return false;
  if (!hints->spaced) return true;
  aio__source closed;
  if (!aio__decode_spaced(e->arena, e->original, &plain, &closed)) return false;
  add_view(e, AIO__VIEW_SPACED, &closed);
  return true;
}

static bool expand(expansion *e, const aio__source *in, aio__view_kind kind, int depth);

static bool expand_decoded(expansion *e, const aio__source *decoded, aio__view_kind kind, int depth) {
  if (decoded->text.n == 0 || e->views->n == AIO__VIEWS_MAX) return true;
  return expand(e, decoded, kind, depth + 1);
}

static bool expand(expansion *e, const aio__source *in, aio__view_kind kind, int depth) {
  aio__source decoded;
  aio__hints hints;
  bool ascii = is_ascii(in->text);
  if (!add_plain(e, in, kind, ascii, depth == 0, &hints)) return false;
  if (depth == AIO__VIEW_DECODE_DEPTH) return true;
  if (!ascii && (depth > 0 || e->views->hidden_tags > 0 || e->views->hidden_run > 1)) {
    if (!aio__decode_tags(e->arena, in, &decoded) || !expand_decoded(e, &decoded, AIO__VIEW_TAGS, depth)) return false;
  }
  if (hints.base64) {
    if (!aio__decode_base64(e->arena, in, &decoded) || !expand_decoded(e, &decoded, AIO__VIEW_BASE64, depth)) {
      return false;
    }
  }
  if (hints.hex) {
    if (!aio__decode_hex(e->arena, in, &decoded) || !expand_decoded(e, &decoded, AIO__VIEW_HEX, depth)) return false;
  }
  if (hints.escaped) {
    if (!aio__decode_escapes(e->arena, in, &decoded) || !expand_decoded(e, &decoded, AIO__VIEW_ESCAPED, depth)) {
      return false;
    }
  }
  return true;
}

aiorch_status aio__normalize(aio__arena *arena, aio__str text, aio__views *out) {
  memset(out, 0, sizeof *out);
  if (text.n >= UINT32_MAX) return AIORCH_E_TOO_LARGE;
  expansion e = {arena, text, out};
  aio__source source = {text, NULL};
  return expand(&e, &source, AIO__VIEW_PLAIN, 0) ? AIORCH_OK : AIORCH_E_NOMEM;
}

void aio__view_range(const aio__view *view, aio__str original, size_t start, size_t end, size_t *out_start,
                     size_t *out_end) {
  if (view->offsets == NULL) {
    *out_start = start;
    *out_end = end;
    return;
  }
  *out_start = view->offsets[start];
  *out_end = *out_start;
  if (end == start) return;
  size_t after = view->offsets[end - 1];
  if (after < original.n) aio__next_valid(original.p, &after);
  *out_end = view->offsets[end] > after ? view->offsets[end] : after;
}
