/* The words of chunks as lexemes: those of fts_query.h, which all stores find chunks by. */
#include <string.h>

#include "core/hash.h"
#include "stores/fts_rank.h"
#include "stores/postgres_rows.h"

enum {
  OFTEN_MAX = 255,          /* positions that a lexeme can have */
  VECTOR_BYTES_MAX = 1 << 26, /* of one chunk, as it is written; the server takes 1 MiB of lexemes */
  SEEN_BLOCK = 16384
};

typedef struct seen_word {
  aio__str text;
  uint32_t often;
  struct seen_word *next;
} seen_word;

/* Four characters that say nothing but which tenant it may be: two with one mark find their own all the same. */
static void mark_of(aio__str tenant, char out[AIO__PG_MARK]) {
  static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
  uint8_t hash[AIO__SHA256_SIZE];
  aio__sha256 sha;
  aio__sha256_init(&sha);
  aio__sha256_add(&sha, tenant.p, tenant.n);
  aio__sha256_end(&sha, hash);
  for (size_t i = 0; i < AIO__PG_MARK; i++) out[i] = digits[hash[i] & 63];
}

void aio__pg_words_init(aio__pg_words *words, const aio__alloc *al, aio__str tenant, bool stem) {
  words->al = al;
  words->stem = stem;
  mark_of(tenant, words->mark);
  aio__arena_init(&words->arena, al, SEEN_BLOCK);
  aio__map_init(&words->seen, al);
  aio__buf_init(&words->out, al, VECTOR_BYTES_MAX);
}

void aio__pg_words_free(aio__pg_words *words) {
  aio__map_free(&words->seen);
  aio__arena_free(&words->arena);
  aio__buf_free(&words->out);
}

static size_t kept_form(aio__fts_word *word, bool stem) {
  return word->compound || !stem ? word->n : aio__fts_stem(word->text, word->n);
}

static bool count_field(aio__pg_words *words, seen_word **first, aio__str text, size_t field, uint32_t *count) {
  aio__fts_words cut;
  aio__fts_word word;
  aio__fts_words_init(&cut, text);
  while (aio__fts_words_next(&cut, &word)) {
    if (!word.compound) ++*count;
    aio__str form = {word.text, kept_form(&word, words->stem)};
    seen_word *seen = aio__map_get(&words->seen, form);
    if (seen == NULL) {
      seen = aio__arena_alloc(&words->arena, sizeof *seen);
      if (seen == NULL || (seen->text = aio__arena_str(&words->arena, form)).p == NULL) return false;
      if (aio__map_put(&words->seen, seen->text, seen) != AIORCH_OK) return false;
      seen->next = *first;
      *first = seen;
    }
    seen->often += aio__fts_field_weight(field);
  }
  return true;
}

static void write_word(aio__pg_words *words, const seen_word *seen) {
  aio__buf *out = &words->out;
  uint32_t often = seen->often < OFTEN_MAX ? seen->often : OFTEN_MAX;
  aio__buf_char(out, '\'');
  aio__buf_add(out, words->mark, sizeof words->mark);
  for (size_t i = 0; i < seen->text.n; i++) {
    char c = seen->text.p[i];
    if (c == '\'' || c == '\\') aio__buf_char(out, c);
    aio__buf_char(out, c);
  }
  aio__buf_z(out, "':1");
  for (uint32_t i = 2; i <= often; i++) {
    aio__buf_char(out, ',');
    aio__buf_u64(out, i);
  }
  aio__buf_char(out, ' ');
}

bool aio__pg_words_of(aio__pg_words *words, aio__str title, aio__str heading, aio__str body, aio__str *out, uint32_t *count) {
  seen_word *first = NULL;
  *count = 0;
  aio__buf_reset(&words->out);
  bool ok = count_field(words, &first, title, AIO__FTS_TITLE, count) && count_field(words, &first, heading, AIO__FTS_HEADING, count) &&
            count_field(words, &first, body, AIO__FTS_BODY, count);
  for (const seen_word *seen = first; ok && seen != NULL; seen = seen->next) write_word(words, seen);
  aio__map_free(&words->seen);
  aio__map_init(&words->seen, words->al);
  aio__arena_free(&words->arena);
  if (!ok) words->out.failed = AIORCH_E_NOMEM;
  *out = aio__buf_view(&words->out);
  return words->out.failed == AIORCH_OK;
}

aio__str aio__pg_lexeme(aio__str tenant, const aio__fts_word *word, bool stem, char out[AIO__PG_MARK + AIO__FTS_WORD_MAX]) {
  aio__fts_word form = *word;
  size_t n = kept_form(&form, stem);
  mark_of(tenant, out);
  memcpy(out + AIO__PG_MARK, form.text, n);
  return (aio__str){out, AIO__PG_MARK + n};
}
