/*
 * What to search for when a question leans on what was said before.
 *
 * The rule (English; other text counts as standing on its own). A question leans on the turn before it when
 *   - it begins as a continuation: "and", "but", "or", "so", "then", "also", "what about", "how about", or
 *   - a word in it points back: it, its, that, this, these, those, they, them, their, he, she, him, her, his, one,
 * ones, there, same, above, latter, former, another, other, else, instead - and it has at most 6 words of content, or
 *   - it has at most 2 words of content.
 * Words of content are those that are neither of these nor other function words. Then the turn before goes in front of
 * it; if that one leans as well, the one before that too, up to 3 turns. Earlier turns are cut to 1,000 bytes each, so
 * that the question is not drowned. "that" and "there" behind which content follows ("that table") point back all the
 * same.
 */
#include <string.h>

#include "pipeline/retrieval.h"

enum { TURNS_BACK = 3, TURN_BYTES = 1000, FEW = 2, SOME = 6, WORD_MAX = 24 };

static const char *const OPENERS[] = {"and", "but", "or", "so", "then", "also", "plus"};
static const char *const POINTERS[] = {"it",      "its",   "that",  "this",    "these", "those",  "they",
                                       "them",    "their", "he",    "she",     "him",   "her",    "his",
                                       "one",     "ones",  "there", "same",    "above", "latter", "former",
                                       "another", "other", "else",  "instead", "again", "such"};
static const char *const FUNCTION_WORDS[] = {
  "a",     "about", "am",    "an",    "any",  "are",  "as",    "at",   "be",   "been",   "by",     "can",
  "could", "did",   "do",    "does",  "for",  "from", "get",   "had",  "has",  "have",   "how",    "i",
  "if",    "in",    "into",  "is",    "just", "like", "make",  "many", "may",  "me",     "mean",   "more",
  "much",  "my",    "need",  "no",    "not",  "of",   "ok",    "okay", "on",   "please", "should", "some",
  "tell",  "than",  "the",   "to",    "too",  "use",  "using", "want", "was",  "way",    "we",     "were",
  "what",  "when",  "where", "which", "who",  "why",  "will",  "with", "work", "works",  "would",  "yes",
  "you",   "your",  "s",     "t",     "re",   "ve",   "ll",    "d",    "m"};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_letter(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 128 || c == '_';
}

/* The next word in lower case (ASCII), cut to WORD_MAX; empty at the end. */
static aio__str next_word(aio__str text, size_t *pos, char buf[WORD_MAX]) {
  while (*pos < text.n && !is_letter((unsigned char)text.p[*pos])) (*pos)++;
  size_t n = 0;
  for (; *pos < text.n && is_letter((unsigned char)text.p[*pos]); (*pos)++) {
    char c = text.p[*pos];
    if (n < WORD_MAX) buf[n++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  }
  return aio__str_n(buf, n);
}

static bool is_in(aio__str word, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (aio__str_eqz(word, list[i])) return true;
  }
  return false;
}

static bool leans(aio__str turn) {
  size_t pos = 0, words = 0, content = 0;
  bool opens = false, points = false, about = false;
  char buf[WORD_MAX];
  for (;;) {
    aio__str word = next_word(turn, &pos, buf);
    if (word.n == 0) break;
    words++;
    if (words == 1) {
      opens = is_in(word, OPENERS, COUNT(OPENERS));
      about = aio__str_eqz(word, "what") || aio__str_eqz(word, "how");
    } else if (words == 2 && about && aio__str_eqz(word, "about")) {
      opens = true;
    }
    if ((unsigned char)word.p[0] >= 128)
      content += SOME; /* another script: it stands on its own */
    else if (is_in(word, POINTERS, COUNT(POINTERS)))
      points = true;
    else if (!is_in(word, OPENERS, COUNT(OPENERS)) && !is_in(word, FUNCTION_WORDS, COUNT(FUNCTION_WORDS)))
      content++;
    if (content > SOME && !opens) return false;
  }
  return opens || content <= FEW || (points && content <= SOME);
}

aiorch_status aio__retrieval_query(aio__arena *arena, const aio__str *turns, size_t count, aio__str *out) {
  *out = count > 0 ? turns[count - 1] : aio__str_n("", 0);
  if (count < 2) return AIORCH_OK;
  size_t first = count - 1, size = turns[first].n;
  while (first > 0 && count - 1 - first < TURNS_BACK && leans(turns[first])) {
    first--;
    size += aio__utf8_cut(turns[first], TURN_BYTES) + 1;
  }
  if (first == count - 1) return AIORCH_OK;
  char *text = aio__arena_alloc(arena, size + 1);
  if (!text) return AIORCH_E_NOMEM;
  size_t n = 0;
  for (size_t i = first; i < count; i++) {
    size_t take = i + 1 < count ? aio__utf8_cut(turns[i], TURN_BYTES) : turns[i].n;
    if (take > 0) memcpy(text + n, turns[i].p, take);
    n += take;
    if (i + 1 < count) text[n++] = '\n';
  }
  *out = aio__str_n(text, n);
  return AIORCH_OK;
}
