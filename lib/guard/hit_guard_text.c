/*
 * A text that was read: words that the lexicon knows as one phrase become one token, "turn it off" becomes "turn off",
 * tokens can be found by their text, and numbers and dates are taken out.
 */
#include "guard/hit_guard_parts.h"
#include "text/normalize.h"

enum { PHRASE_WORDS_MAX = 6, SPLIT_REACH = 4 };

/* The longest phrase that begins with token i; its number of tokens, 1 for none. */
static uint32_t find_phrase(const aio__hit_lexicon *lexicon, const aio__hit_text *out, uint32_t i,
                            const aio__hit_entry **entry) {
  const aio__hit_token *tokens = out->tokens;
  char text[AIO__HIT_WORD_MAX];
  size_t n = 0;
  uint32_t found = 1, most = tokens[i].entry->words;
  for (uint32_t k = 0; k < most && k < PHRASE_WORDS_MAX && i + k < out->n; k++) {
    const aio__hit_token *t = &tokens[i + k];
    if (k > 0 && ((tokens[i + k - 1].flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) != 0 ||
                  (t->flags & AIO__HIT_QUOTED) != (tokens[i].flags & AIO__HIT_QUOTED)))
      break;
    if (n + t->text.n + 1 > sizeof text) break;
    if (k > 0) text[n++] = ' ';
    memcpy(text + n, t->text.p, t->text.n);
    n += t->text.n;
    if (k == 0) continue;
    const aio__hit_entry *phrase = aio__hit_lexicon_find(lexicon, aio__str_n(text, n), aio__hit_hash(text, n));
    if (phrase == NULL) continue;
    *entry = phrase;
    found = k + 1;
  }
  return found;
}

static void join_phrases(const aio__hit_lexicon *lexicon, aio__hit_text *out) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < out->n;) {
    const aio__hit_entry *entry = NULL;
    uint32_t count = AIO__HIT_HAS(out->tokens[i].entry, PHRASE) ? find_phrase(lexicon, out, i, &entry) : 1;
    aio__hit_token token = out->tokens[i];
    if (count > 1) {
      const aio__hit_token *last = &out->tokens[i + count - 1];
      token.text = entry->text;
      token.entry = entry;
      token.hash = aio__hit_hash(entry->text.p, entry->text.n);
      token.written.n = (size_t)(last->written.p + last->written.n - token.written.p);
      token.flags = (uint16_t)(token.flags | (last->flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)));
      token.kind = AIO__HIT_WORD;
    }
    for (size_t q = 0; q < out->quotes_n; q++) {
      aio__hit_quote *quote = &out->quotes[q]; /* what was moved already lies before i */
      if (quote->first >= i && quote->first < i + count) quote->first = kept;
      if (quote->end > i && quote->end <= i + count) quote->end = kept + 1;
    }
    out->tokens[kept++] = token;
    i += count;
  }
  out->n = kept;
}

/* "turn it off" is "turn off". */
static void join_split_verbs(const aio__hit_lexicon *lexicon, aio__hit_text *out) {
  for (uint32_t i = 0; i < out->n; i++) {
    aio__hit_token *t = &out->tokens[i];
    if (!AIO__HIT_HAS(t->entry, SPLIT)) continue;
    for (uint32_t k = i + 1;
         k < out->n && k <= i + SPLIT_REACH && (t[k - i - 1].flags & (AIO__HIT_ENDS | AIO__HIT_COMMA)) == 0; k++) {
      const aio__hit_token *particle = &out->tokens[k];
      char text[AIO__HIT_WORD_MAX];
      size_t n = t->text.n + 1 + particle->text.n;
      if (!AIO__HIT_HAS(particle->entry, PARTICLE) || n > sizeof text) continue;
      memcpy(text, t->text.p, t->text.n);
      text[t->text.n] = ' ';
      memcpy(text + t->text.n + 1, particle->text.p, particle->text.n);
      const aio__hit_entry *verb = aio__hit_lexicon_find(lexicon, aio__str_n(text, n), aio__hit_hash(text, n));
      if (AIO__HIT_HAS(verb, CHOICE)) t->entry = verb;
      break;
    }
  }
}

/* All in capitals, none at all, or As A Title: then capitals tell no names. */
static bool is_flat(const aio__hit_text *text) {
  size_t long_words = 0, capital = 0, small = 0, capital_function = 0;
  for (uint32_t i = 0; i < text->n; i++) {
    const aio__hit_token *t = &text->tokens[i];
    if (t->kind != AIO__HIT_WORD && t->kind != AIO__HIT_CODE) continue;
    small += (t->flags & AIO__HIT_LOWER) != 0;
    if ((t->flags & AIO__HIT_STARTS) != 0 || t->kind == AIO__HIT_CODE) continue;
    bool is_capital = (t->flags & AIO__HIT_CAPITAL) != 0;
    long_words += t->text.n >= 4;
    capital += t->text.n >= 4 && is_capital;
    capital_function += is_capital && t->text.n > 1 && AIO__HIT_HAS(t->entry, FUNCTION);
  }
  return small == 0 || (long_words >= 2 && capital * 4 >= long_words * 3 && capital_function > 0);
}

static bool index_tokens(aio__hit_text *text, aio__arena *arena) {
  uint32_t size = 16;
  while (size < text->n * 2) size *= 2;
  text->table = aio__arena_alloc(arena, size * sizeof *text->table);
  if (text->table == NULL) return false;
  text->mask = size - 1;
  for (uint32_t i = text->n; i-- > 0;) { /* so that the first of equals is found first */
    aio__hit_token *t = &text->tokens[i];
    uint32_t slot = t->hash & text->mask;
    for (size_t probe = 0; text->table[slot] != 0 && probe < AIO__HIT_PROBE_MAX; probe++) {
      if (aio__str_eq(text->tokens[text->table[slot] - 1].text, t->text)) break;
      slot = (slot + 1) & text->mask;
    }
    t->next =
      text->table[slot] != 0 && aio__str_eq(text->tokens[text->table[slot] - 1].text, t->text) ? text->table[slot] : 0;
    text->table[slot] = i + 1;
  }
  return true;
}

const aio__hit_token *aio__hit_text_find(const aio__hit_text *text, aio__str word, uint32_t hash) {
  uint32_t slot = hash & text->mask;
  for (size_t probe = 0; text->table[slot] != 0 && probe <= AIO__HIT_PROBE_MAX; probe++) {
    const aio__hit_token *t = &text->tokens[text->table[slot] - 1];
    if (t->hash == hash && aio__str_eq(t->text, word)) return t;
    slot = (slot + 1) & text->mask;
  }
  return NULL;
}

static bool take_facts(aio__hit_facts *facts, aio__arena *arena, size_t tokens) {
  facts->cap = tokens < AIO__HIT_FACTS_MAX / 2 ? 2 * tokens + 1 : AIO__HIT_FACTS_MAX; /* a date gives two numbers */
  facts->fact = aio__arena_alloc(arena, facts->cap * sizeof *facts->fact);
  return facts->fact != NULL;
}

aiorch_status aio__hit_text_read(const aio__hit_lexicon *lexicon, aio__arena *arena, aio__str text,
                                 aio__hit_text *out) {
  *out = (aio__hit_text){0};
  aiorch_status status = aio__normalize_written(arena, text, &out->written);
  if (status != AIORCH_OK) return status;
  char *low = aio__arena_alloc(arena, out->written.n + 1);
  out->tokens = aio__arena_alloc(arena, aio__hit_tokens_at_most(out->written) * sizeof *out->tokens);
  if (low == NULL || out->tokens == NULL) return AIORCH_E_NOMEM;
  aio__hit_tokens_read(lexicon, low, out);
  join_phrases(lexicon, out);
  join_split_verbs(lexicon, out);
  out->flat = is_flat(out);
  bool room = take_facts(&out->numbers, arena, out->n) && take_facts(&out->dates, arena, out->n);
  if (!room || !index_tokens(out, arena)) return AIORCH_E_NOMEM;
  aio__hit_dates_find(out);
  aio__hit_numbers_find(out);
  return AIORCH_OK;
}
