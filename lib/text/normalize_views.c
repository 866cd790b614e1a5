/*
 * The views of a text: PLAIN first, then what the hints in it say is worth decoding, each decoded text again as PLAIN.
 *
 * Everything is one pass over its input; the number of views and the depth of decoding are bounded, so that the whole
 * stays linear in the text.
 */
#include <string.h>

#include "text/normalize_parts.h"

enum {
  WORD_MAX = 64,    /* letters of a word that are looked at together for look-alikes */
  FOLD_CACHE = 128, /* characters whose folding is remembered while a text is read */
  HIDDEN_MIN = 4,   /* so many invisible characters are no accident of copying */
  FLAG_TAGS_MAX = 6 /* tag characters after a black flag that still make an emoji */
};

/* ---- the writer -------------------------------------------------------------------------------------------------- */

void aio__view_writer_init(aio__view_writer *writer, aio__arena *arena, size_t expected) {
  *writer = (aio__view_writer){.arena = arena, .cap = expected + 16};
  writer->text = aio__arena_alloc(arena, writer->cap + 1);
  writer->offsets = aio__arena_alloc(arena, (writer->cap + 1) * sizeof *writer->offsets);
  writer->failed = writer->text == NULL || writer->offsets == NULL;
}

static void writer_grow(aio__view_writer *writer) {
  aio__view_writer grown;
  aio__view_writer_init(&grown, writer->arena, writer->cap * 2);
  if (grown.failed) {
    writer->failed = true;
    return;
  }
  memcpy(grown.text, writer->text, writer->n);
  memcpy(grown.offsets, writer->offsets, writer->n * sizeof *writer->offsets);
  grown.n = writer->n;
  *writer = grown;
}

void aio__view_writer_put(aio__view_writer *writer, char c, uint32_t offset) {
  if (!writer->failed && writer->n == writer->cap) writer_grow(writer);
  if (writer->failed) return;
  writer->text[writer->n] = c;
  writer->offsets[writer->n++] = offset;
}

bool aio__view_writer_end(aio__view_writer *writer, uint32_t end_offset, aio__source *out) {
  if (writer->failed) return false;
  writer->text[writer->n] = '\0';
  writer->offsets[writer->n] = end_offset;
  *out = (aio__source){aio__str_n(writer->text, writer->n), writer->offsets};
  return true;
}

/* ---- PLAIN of ASCII ---------------------------------------------------------------------------------------------- */

/* What PLAIN makes of an ASCII byte: 0 drops it; white space is ' ' or '\n'. */
static const char plain_of[128] = {
    0,   0,   0,   0,   0,   0,   0,   0,   0,   ' ', '\n', ' ', ' ', '\n', 0,   0,   0,   0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   ' ',  '!', '"', '#',  '$', '%', '&', '\'', '(', ')', '*', '+',
    ',', '-', '.', '/', '0', '1', '2', '3', '4', '5', '6',  '7', '8', '9',  ':', ';', '<', '=', '>', '?', '@', 'a',
    'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l',  'm', 'n', 'o',  'p', 'q', 'r', 's', 't', 'u', 'v', 'w',
    'x', 'y', 'z', '[', '\\', ']', '^', '_', '`', 'a', 'b', 'c', 'd', 'e',  'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
    'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x',  'y', 'z', '{',  '|', '}', '~', 0};

/* True for bytes of which PLAIN keeps one of a run. '$' and '@' are letters to some. */
static inline bool collapses(char c) {
  return !aio__is_alnum(c) && c != '$' && c != '@';
}

static size_t ascii_same_length(aio__str in, char *out) {
  char last = 'x';
  for (size_t i = 0; i < in.n; i++) {
    char c = plain_of[(unsigned char)in.p[i]];
    if (!aio__is_alnum(c) && (c == 0 || (c == last && collapses(c)) || (c <= ' ' && last <= ' '))) return i;
    out[i] = c;
    last = c;
  }
  return in.n;
}

/* ASCII: lower-cased into a buffer of the same size. Offsets are made only once something was left out. */
static bool plain_ascii(aio__arena *arena, const aio__source *in, aio__source *out) {
  size_t len = in->text.n;
  char *text = aio__arena_alloc(arena, len + 1);
  if (text == NULL) return false;
  size_t n = ascii_same_length(in->text, text);
  if (n == len) {
    *out = (aio__source){aio__str_n(text, n), in->offsets};
    return true;
  }
  uint32_t *offsets = aio__arena_alloc(arena, (len + 1) * sizeof *offsets);
  if (offsets == NULL) return false;
  for (size_t i = 0; i < n; i++) offsets[i] = aio__source_offset(in, i);
  for (size_t i = n; i < len; i++) {
    char c = plain_of[(unsigned char)in->text.p[i]];
    char last = (char)(n > 0 ? text[n - 1] : 'x');
    if (!aio__is_alnum(c)) {
      if (c == 0) continue;
      if (c <= ' ' && last <= ' ') {
        if (c == '\n') text[n - 1] = '\n';
        continue;
      }
      if (c == last && collapses(c)) continue;
    }
    text[n] = c;
    offsets[n++] = aio__source_offset(in, i);
  }
  text[n] = '\0';
  offsets[n] = aio__source_offset(in, len);
  *out = (aio__source){aio__str_n(text, n), offsets};
  return true;
}

/* ---- PLAIN of anything else -------------------------------------------------------------------------------------- */

typedef struct folder {
  aio__view_writer writer;
  aio__views *views; /* gets the hidden range; NULL for decoded texts */
  size_t hidden;     /* invisible characters that scripts do not need */
  size_t run;        /* of them in a row, up to here */
  size_t flag_tags;  /* tag characters still free after a black flag */
  uint32_t before;   /* the character before, invisible ones aside */
  bool eager;        /* fold every word that has look-alikes only */
  bool mixed;        /* a word had letters of two scripts: the mark of a disguise */
  bool undecided;    /* a word has look-alikes only and was kept, since it may be what it seems */
  struct {
    size_t start;    /* in the view */
    size_t letters;
    bool latin, foreign, all_weak, all_alike;
    char looks[WORD_MAX]; /* for each letter what it looks like, or NUL */
  } word;
  aio__folded cache[FOLD_CACHE];
} folder;

static void word_begin(folder *f) {
  f->word.start = f->writer.n;
  f->word.letters = 0;
  f->word.latin = f->word.foreign = false;
  f->word.all_weak = f->word.all_alike = true;
}

/* A word that mixes Latin letters with look-alikes, or has nothing but look-alikes, is spelled in Latin letters. A word
 * of another script keeps its letters, though some of them look Latin. Only ever shrinks the view. */
static void word_end(folder *f) {
  aio__view_writer *w = &f->writer;
  bool alike = f->word.foreign && f->word.all_alike, sure = f->word.all_weak && f->word.letters > 1;
  f->mixed = f->mixed || (f->word.foreign && f->word.latin);
  f->undecided = f->undecided || (alike && !sure);
  bool fold = (f->word.foreign && f->word.latin) || (alike && (sure || f->eager));
  if (!fold || w->failed) return;
  size_t to = f->word.start, letter = 0;
  for (size_t from = f->word.start; from < w->n; letter++) {
    size_t next = from;
    aio__next_valid(w->text, &next);
    char looks = (char)(letter < f->word.letters ? f->word.looks[letter] : '\0');
    w->offsets[to] = w->offsets[from];
    if (looks != '\0') {
      w->text[to++] = looks;
      from = next;
      continue;
    }
    for (; from < next; from++, to++) {
      w->text[to] = w->text[from];
      w->offsets[to] = w->offsets[from];
    }
  }
  w->n = to;
}

static void word_add(folder *f, char looks, bool weak, bool latin) {
  if (f->word.letters == WORD_MAX) {
    bool was_latin = f->word.latin;
    word_end(f);
    word_begin(f);
    f->word.latin = was_latin;
  }
  f->word.looks[f->word.letters++] = looks;
  f->word.latin = f->word.latin || latin;
  f->word.foreign = f->word.foreign || looks != '\0';
  f->word.all_weak = f->word.all_weak && weak;
  f->word.all_alike = f->word.all_alike && looks != '\0';
}

static void put_ascii(folder *f, char c, uint32_t offset) {
  aio__view_writer *w = &f->writer;
  if (aio__is_alnum(c)) {
    if (f->word.letters == 0) word_begin(f);
    word_add(f, '\0', false, (unsigned char)(c - 'a') < 26);
    aio__view_writer_put(w, c, offset);
    return;
  }
  if (f->word.letters > 0) {
    word_end(f);
    f->word.letters = 0;
  }
  char last = (char)(w->n > 0 && !w->failed ? w->text[w->n - 1] : 'x');
  if ((c == ' ' || c == '\n') && (last == ' ' || last == '\n')) {
    if (c == '\n') w->text[w->n - 1] = '\n';
    return;
  }
  if (c == last && collapses(c)) return;
  aio__view_writer_put(w, c, offset);
}

static void put_folded(folder *f, const aio__folded *folded, uint32_t offset) {
  if (folded->kind == AIO__FOLD_SPACE) {
    put_ascii(f, ' ', offset);
    return;
  }
  if (folded->kind != AIO__FOLD_TEXT) return;
  if (!folded->letter || (unsigned char)folded->bytes[0] < 0x80) {
    for (size_t i = 0; i < folded->n; i++) {
      if ((unsigned char)folded->bytes[i] < 0x80) {
        put_ascii(f, folded->bytes[i], offset);
      } else {
        if (f->word.letters > 0) word_end(f);
        f->word.letters = 0;
        aio__view_writer_put(&f->writer, folded->bytes[i], offset);
      }
    }
    return;
  }
  if (f->word.letters == 0) word_begin(f);
  for (size_t i = 0; i < folded->n; i++) {
    if (((unsigned char)folded->bytes[i] & 0xC0) != 0x80) word_add(f, folded->looks, folded->weak, false);
    aio__view_writer_put(&f->writer, folded->bytes[i], offset);
  }
}

/* Joiners belong to Arabic, Indic and emoji sequences, one variation selector to the character before it, and tag
 * characters to flags: those are no disguise. Soft hyphens and directional marks come with copied text. */
static bool is_needed(folder *f, uint32_t c) {
  if (c == 0xAD || c == 0x200E || c == 0x200F || c == 0x61C) return true;
  if (c == 0x200C || c == 0x200D) return f->before >= 0x0590 && f->run == 0;
  if ((c >= 0xFE00 && c <= 0xFE0F) || (c >= 0xE0100 && c <= 0xE01EF)) return f->before != 0 && f->run == 0;
  if (c >= 0xE0020 && c <= 0xE007F && f->flag_tags > 0) {
    f->flag_tags--;
    return true;
  }
  return c >= 0x180B && c <= 0x180F;
}

static void note_invisible(folder *f, uint32_t c, uint32_t offset) {
  bool needed = is_needed(f, c);
  f->run++;
  if (needed || f->views == NULL || (c == 0xFEFF && offset == 0)) return;
  if (f->hidden++ == 0) f->views->hidden_start = offset;
  f->views->hidden_end = offset;
  if (f->run > f->views->hidden_run) f->views->hidden_run = f->run;
  if (c >= 0xE0000 && c <= 0xE007F) f->views->hidden_tags++;
}

static const aio__folded *fold_cached(folder *f, uint32_t c) {
  aio__folded *slot = &f->cache[(c ^ c >> 7) % FOLD_CACHE];
  if (slot->code_point != c) aio__fold_character(c, slot);
  return slot;
}

static void note_hidden(folder *f, const aio__source *in) {
  aio__views *views = f->views;
  views->hidden_n = f->hidden;
  views->hidden = f->hidden >= HIDDEN_MIN || views->hidden_tags > 0;
  if (f->hidden > 0) aio__next_valid(in->text.p, &views->hidden_end);
}

/* *disguised is set when a second, eager pass would find more. */
static bool plain_unicode(aio__arena *arena, const aio__source *in, aio__views *views, bool eager, aio__source *out,
                          bool *disguised) {
  folder f;
  memset(&f, 0, sizeof f);
  f.views = views;
  f.eager = eager;
  aio__view_writer_init(&f.writer, arena, in->text.n);
  for (size_t pos = 0; pos < in->text.n && !f.writer.failed;) {
    uint32_t offset = aio__source_offset(in, pos);
    uint32_t c = aio__next_valid(in->text.p, &pos);
    if (c < 0x80 && plain_of[c] != 0) {
      put_ascii(&f, plain_of[c], offset);
      f.before = c;
      f.run = 0;
      continue;
    }
    const aio__folded *folded = fold_cached(&f, c);
    if (folded->kind == AIO__FOLD_INVISIBLE) {
      note_invisible(&f, c, offset);
      continue;
    }
    put_folded(&f, folded, offset);
    f.before = c;
    f.run = 0;
    f.flag_tags = c == 0x1F3F4 ? FLAG_TAGS_MAX : 0;
  }
  if (f.word.letters > 0) word_end(&f);
  if (views != NULL) note_hidden(&f, in);
  *disguised = f.mixed && f.undecided;
  return aio__view_writer_end(&f.writer, aio__source_offset(in, in->text.n), out);
}

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
  bool ok = ascii ? plain_ascii(e->arena, &rotated, &plain)
                  : plain_unicode(e->arena, &rotated, NULL, false, &plain, &disguised);
  if (ok) add_view(e, AIO__VIEW_ROT13, &plain);
  return ok;
}

/* PLAIN and what is made of it; *hints for the decoders. */
static bool add_plain(expansion *e, const aio__source *in, aio__view_kind kind, bool ascii, bool note, aio__hints *hints) {
  aio__source plain, eager;
  bool disguised = false, again;
  bool ok = ascii ? plain_ascii(e->arena, in, &plain)
                  : plain_unicode(e->arena, in, note ? e->views : NULL, false, &plain, &disguised);
  if (!ok) return false;
  add_view(e, kind, &plain);
  if (disguised) {
    if (!plain_unicode(e->arena, in, NULL, true, &eager, &again)) return false;
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
    if (!aio__decode_base64(e->arena, in, &decoded) || !expand_decoded(e, &decoded, AIO__VIEW_BASE64, depth)) return false;
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
