/*
 * PLAIN: the view that every text has. ASCII takes a short way through one table; anything else goes character by
 * character through the folding of normalize.c, with words of look-alikes read again at their end.
 */
#include <string.h>

#include "text/normalize_parts.h"

enum {
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

void aio__view_writer_grow(aio__view_writer *writer) {
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

bool aio__view_writer_end(aio__view_writer *writer, uint32_t end_offset, aio__source *out) {
  if (writer->failed) return false;
  writer->text[writer->n] = '\0';
  writer->offsets[writer->n] = end_offset;
  *out = (aio__source){aio__str_n(writer->text, writer->n), writer->offsets};
  return true;
}

/* ---- ASCII ------------------------------------------------------------------------------------------------------- */

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

static inline bool is_white(char c) {
  return c == ' ' || c == '\n';
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
bool aio__plain_ascii(aio__arena *arena, const aio__source *in, aio__source *out) {
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
      if (is_white(c) && is_white(last)) {
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

/* ---- anything else ----------------------------------------------------------------------------------------------- */

typedef struct folder {
  const aio__source *in;
  aio__view_writer writer;
  aio__views *views; /* gets the hidden range; NULL for decoded texts */
  size_t hidden;     /* invisible characters that scripts do not need */
  size_t run;        /* invisible characters in a row, up to here */
  size_t flag_tags;  /* tag characters still free after a black flag */
  uint32_t before;   /* the character before, invisible ones aside */
  bool eager;        /* fold every word that has look-alikes only */
  bool mixed;        /* a word had letters of two scripts: the mark of a disguise */
  bool undecided;    /* a word has look-alikes only and was kept, since it may be what it seems */
  struct {
    size_t view_start, source_start;
    bool open, latin, foreign, all_weak, all_alike;
    size_t letters;  /* that are not ASCII */
  } word;
  aio__folded cache[FOLD_CACHE];
} folder;

static const aio__folded *fold_cached(folder *f, uint32_t c) {
  aio__folded *slot = &f->cache[(c ^ c >> 7) % FOLD_CACHE];
  if (slot->code_point != c) aio__fold_character(c, slot);
  return slot;
}

static inline void word_begin(folder *f, size_t pos) {
  if (f->word.open) return;
  f->word.open = true;
  f->word.view_start = f->writer.n;
  f->word.source_start = pos;
  f->word.latin = f->word.foreign = false;
  f->word.all_weak = f->word.all_alike = true;
  f->word.letters = 0;
}

/* Writes the word again with its look-alikes in Latin letters. */
static void word_rewrite(folder *f, size_t end) {
  aio__view_writer *w = &f->writer;
  w->n = f->word.view_start;
  for (size_t pos = f->word.source_start; pos < end;) {
    uint32_t offset = aio__source_offset(f->in, pos);
    uint32_t c = aio__next_valid(f->in->text.p, &pos);
    if (c < 0x80) {
      if (plain_of[c] != 0) aio__view_writer_put(w, plain_of[c], offset);
      continue;
    }
    const aio__folded *folded = fold_cached(f, c);
    if (folded->kind != AIO__FOLD_TEXT) continue;
    if (folded->looks != '\0') aio__view_writer_put(w, folded->looks, offset);
    for (size_t i = 0; folded->looks == '\0' && i < folded->n; i++) aio__view_writer_put(w, folded->bytes[i], offset);
  }
}

/* A word that mixes Latin letters with look-alikes, or has nothing but look-alikes, is spelled in Latin letters. A word
 * of another script keeps its letters, though some of them look Latin. */
static void word_end(folder *f, size_t end) {
  f->word.open = false;
  if (!f->word.foreign) return;
  bool sure = f->word.all_weak && f->word.letters > 1, alike = f->word.all_alike && !f->word.latin;
  f->mixed = f->mixed || f->word.latin;
  f->undecided = f->undecided || (alike && !sure);
  if (f->word.latin || (alike && (sure || f->eager))) word_rewrite(f, end);
}

static void put_other_ascii(folder *f, char c, size_t pos, uint32_t offset) {
  aio__view_writer *w = &f->writer;
  if (f->word.open) word_end(f, pos);
  char last = (char)(w->n > 0 && !w->failed ? w->text[w->n - 1] : 'x');
  if (is_white(c) && is_white(last)) {
    if (c == '\n') w->text[w->n - 1] = '\n';
    return;
  }
  if (c == last && collapses(c)) return;
  aio__view_writer_put(w, c, offset);
}

static inline void put_ascii(folder *f, char c, size_t pos, uint32_t offset) {
  if (!aio__is_alnum(c)) {
    put_other_ascii(f, c, pos, offset);
    return;
  }
  word_begin(f, pos);
  f->word.latin = f->word.latin || c >= 'a';
  f->word.all_alike = f->word.all_alike && c >= 'a';
  aio__view_writer_put(&f->writer, c, offset);
}

static void put_folded(folder *f, const aio__folded *folded, size_t pos, uint32_t offset) {
  bool letter = folded->letter && (unsigned char)folded->bytes[0] >= 0x80;
  if (letter) {
    word_begin(f, pos);
    f->word.letters++;
    f->word.foreign = f->word.foreign || folded->looks != '\0';
    f->word.all_weak = f->word.all_weak && folded->weak;
    f->word.all_alike = f->word.all_alike && folded->looks != '\0';
  }
  for (size_t i = 0; i < folded->n; i++) {
    char c = folded->bytes[i];
    if ((unsigned char)c < 0x80) {
      put_ascii(f, c, pos, offset);
      continue;
    }
    if (!letter && f->word.open) word_end(f, pos);
    aio__view_writer_put(&f->writer, c, offset);
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

static void note_hidden(folder *f) {
  aio__views *views = f->views;
  views->hidden_n = f->hidden;
  views->hidden = f->hidden >= HIDDEN_MIN || views->hidden_tags > 0;
  if (f->hidden > 0) aio__next_valid(f->in->text.p, &views->hidden_end);
}

static void fold_one(folder *f, uint32_t c, size_t pos, uint32_t offset) {
  const aio__folded *folded = fold_cached(f, c);
  if (folded->kind == AIO__FOLD_INVISIBLE) {
    note_invisible(f, c, offset);
    return;
  }
  if (folded->kind == AIO__FOLD_SPACE) put_other_ascii(f, ' ', pos, offset);
  if (folded->kind == AIO__FOLD_TEXT) put_folded(f, folded, pos, offset);
  f->before = c;
  f->run = 0;
  f->flag_tags = c == 0x1F3F4 ? FLAG_TAGS_MAX : 0;
}

bool aio__plain_unicode(aio__arena *arena, const aio__source *in, aio__views *views, bool eager, aio__source *out,
                        bool *disguised) {
  folder f;
  memset(&f, 0, sizeof f);
  f.in = in;
  f.views = views;
  f.eager = eager;
  aio__view_writer_init(&f.writer, arena, in->text.n);
  for (size_t pos = 0; pos < in->text.n && !f.writer.failed;) {
    size_t start = pos;
    uint32_t offset = aio__source_offset(in, pos);
    uint32_t c = aio__next_valid(in->text.p, &pos);
    if (c < 0x80 && plain_of[c] != 0) {
      put_ascii(&f, plain_of[c], start, offset);
      f.before = c;
      f.run = 0;
      f.flag_tags = 0;
    } else {
      fold_one(&f, c, start, offset);
    }
  }
  if (f.word.open) word_end(&f, in->text.n);
  if (views != NULL) note_hidden(&f);
  *disguised = f.mixed && f.undecided;
  return aio__view_writer_end(&f.writer, aio__source_offset(in, in->text.n), out);
}
