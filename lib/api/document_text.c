/*
 * Cleaning a document's text. A move is one place where the cleaned text is longer or shorter than the raw one, written
 * as a number of seven bits a byte, low bits first: (bytes of raw text since the last move) * 4 + kind. A text of
 * nothing but CR LF costs half its size in moves; most texts have none.
 */
#include "api/document.h"

#include <string.h>

typedef enum move_kind {
  MOVE_MARK,   /* 3 bytes became none: the byte order mark */
  MOVE_RETURN, /* 1 byte became none: CR before LF */
  MOVE_BAD,    /* 1 byte became 3: U+FFFD */
  MOVE_KINDS
} move_kind;

static const uint64_t raw_bytes[MOVE_KINDS] = {3, 1, 1};
static const uint64_t clean_bytes[MOVE_KINDS] = {0, 0, 3};

static const char REPLACEMENT[] = "\xef\xbf\xbd";
static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf";

static void put_move(aio__buf *moves, uint64_t gap, move_kind kind) {
  uint64_t value = gap * 4 + (uint64_t)kind;
  char bytes[10];
  size_t n = 0;
  while (value >= 128) {
    bytes[n++] = (char)(uint8_t)(value | 128);
    value >>= 7;
  }
  bytes[n++] = (char)(uint8_t)value;
  (void)aio__buf_add(moves, bytes, n);
}

static bool get_move(aio__str moves, size_t *pos, uint64_t *gap, move_kind *kind) {
  uint64_t value = 0;
  for (unsigned shift = 0; *pos < moves.n; shift += 7) {
    uint8_t byte = (uint8_t)moves.p[(*pos)++];
    value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) {
      *gap = value / 4;
      *kind = (move_kind)(value % 4);
      return true;
    }
  }
  return false;
}

typedef struct cleaner {
  aio__clean_text *out;
  size_t moved; /* raw bytes up to the end of the last move */
} cleaner;

static void note(cleaner *c, size_t at, move_kind kind) {
  put_move(&c->out->moves, at - c->moved, kind);
  c->moved = at + raw_bytes[kind];
}

static void replace(cleaner *c, size_t at) {
  note(c, at, MOVE_BAD);
  c->out->bad++;
  c->out->characters++;
  (void)aio__buf_add(&c->out->text, REPLACEMENT, 3);
}

/* Valid UTF-8: NULs are replaced, returns dropped or turned into line feeds. */
static void add_valid(cleaner *c, aio__str raw, size_t start, size_t end) {
  aio__buf *text = &c->out->text;
  for (size_t i = start; i < end; i++) {
    char byte = raw.p[i];
    if (byte != '\0' && byte != '\r') continue;
    (void)aio__buf_add(text, raw.p + start, i - start);
    start = i + 1;
    if (byte == '\0') {
      replace(c, i);
      c->out->characters--; /* it was counted as a character already */
    } else if (i + 1 < raw.n && raw.p[i + 1] == '\n') {
      note(c, i, MOVE_RETURN);
    } else {
      (void)aio__buf_char(text, '\n');
    }
  }
  (void)aio__buf_add(text, raw.p + start, end - start);
}

aiorch_status aio__clean(aio__str raw, aio__clean_text *out) {
  cleaner c = {out, 0};
  out->characters = out->bad = 0;
  size_t pos = 0;
  if (aio__str_starts(raw, AIO__LIT(BYTE_ORDER_MARK))) {
    note(&c, 0, MOVE_MARK);
    pos = 3;
  }
  while (pos < raw.n) {
    size_t characters = 0;
    size_t valid = aio__utf8_check(aio__str_n(raw.p + pos, raw.n - pos), &characters);
    out->characters += characters;
    add_valid(&c, raw, pos, pos + valid);
    pos += valid;
    if (pos < raw.n) replace(&c, pos++);
    if (out->bad > (out->characters + raw.n - pos) / AIO__BAD_CHARACTERS_IN) break; /* it will not get better */
  }
  return out->text.failed ? out->text.failed : out->moves.failed;
}

void aio__clean_moved(aio__str moves, size_t text_len, uint64_t *offsets, size_t count) {
  size_t pos = 0;
  uint64_t raw = 0, clean = 0, gap = 0; /* both just behind the last move */
  move_kind kind = MOVE_MARK;
  bool more = get_move(moves, &pos, &gap, &kind);
  for (size_t i = 0; i < count; i++) {
    while (more && raw + gap + raw_bytes[kind] <= offsets[i]) {
      raw += gap + raw_bytes[kind];
      clean += gap + clean_bytes[kind];
      more = get_move(moves, &pos, &gap, &kind);
    }
    uint64_t beyond = offsets[i] - raw;
    if (more && beyond > gap) beyond = gap; /* inside what was replaced: to its start */
    offsets[i] = clean + beyond < text_len ? clean + beyond : text_len;
  }
}
