/*
 * The hit guards: both texts are read, then each guard compares them in turn; the first that finds a difference
 * refuses.
 */
#include "guard/hit_guard.h"

#include <string.h>

#include "guard/hit_guard_parts.h"
#include "text/unpack.h"

enum { READ_WORDS_MAX = 200 }; /* words by which the language is told */

struct aio__hit_guard {
  const aio__alloc *al;
  aio__hit_lexicon lexicon;
};

static const char *const NAMES[] = {"",
#define X(suffix, name) name,
                                    AIO__HIT_GUARDS(X)
#undef X
};

const char *aio__hit_refusal_name(aio__hit_refusal refusal) {
  return refusal > AIO__HIT_PASS && refusal < AIO__HIT_REFUSALS ? NAMES[refusal] : "";
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

aiorch_status aio__hit_guard_new(const aio__alloc *al, aio__hit_guard **out, aiorch_error *error) {
  aio__hit_guard *guard = aio__calloc(al, 1, sizeof *guard);
  char *text = guard != NULL ? aio__unpack(&aio__data_hit_guard, al) : NULL;
  aiorch_status status = AIORCH_OK;
  if (text == NULL) status = aio__error_set(error, AIORCH_E_NOMEM, "hit guards: out of memory");
  if (status == AIORCH_OK) {
    aio__str data = {text, aio__data_hit_guard.len};
    guard->al = al;
    status = aio__hit_lexicon_new(al, data, &guard->lexicon, error);
  }
  aio__free(al, text);
  if (status != AIORCH_OK) {
    aio__free(al, guard);
    return status;
  }
  *out = guard;
  return AIORCH_OK;
}

void aio__hit_guard_free(aio__hit_guard *guard) {
  if (guard == NULL) return;
  aio__hit_lexicon_free(&guard->lexicon);
  aio__free(guard->al, guard);
}

/* ---- language ---------------------------------------------------------------------------------------------------- */

/* What was seen of a text's letters and words. */
typedef struct language {
  size_t ascii, other; /* letters */
  size_t words, accented;
  size_t english, foreign;
} language;

static uint32_t fold_width(uint32_t c) {
  return c >= 0xFF01 && c <= 0xFF5E ? c - 0xFEE0 : c;
}

/* A letter beyond ASCII: not the signs, punctuation, emoji and Greek letters that English texts have too. */
static bool is_other_letter(uint32_t c) {
  if (c < 0xC0 || c == 0xD7 || c == 0xF7) return false;
  if (c >= 0x370 && c < 0x3F0) return false;
  return c < 0x2000 || (c >= 0x2C00 && c < 0xE000 && !(c >= 0x3000 && c < 0x3004)) || (c >= 0xF900 && c < 0xFE00) ||
         (c >= 0xFE70 && c < 0xFEFF) || (c >= 0xFF66 && c < 0xFFDC) || (c >= 0x10000 && c < 0x1D000) ||
         (c >= 0x20000 && c < 0xE0000);
}

static void judge_word(const aio__hit_guard *guard, aio__str word, bool accented, language *out) {
  const aio__hit_entry *e = aio__hit_lexicon_find(&guard->lexicon, word, aio__hit_hash(word.p, word.n));
  out->words++;
  out->accented += accented;
  if (AIO__HIT_HAS(e, ENGLISH)) out->english += 2; /* whatever it is in another language, too */
  else if (AIO__HIT_HAS(e, FOREIGN)) out->foreign += 2;
  else if (AIO__HIT_HAS(e, FOREIGN_WEAK) || accented) out->foreign += 1;
}

/* A word on its way: its letters in lower case. */
typedef struct word {
  char p[AIO__HIT_WORD_MAX];
  size_t n;
  bool accented, too_long;
} word;

static void put_letter(word *w, uint32_t c, bool other) {
  w->accented = w->accented || other;
  if (w->n + 4 > sizeof w->p)
    w->too_long = true;
  else if (c < 0x80)
    w->p[w->n++] = (char)c;
  else
    w->n += aio__utf8_put(c, w->p + w->n);
}

static void end_word(const aio__hit_guard *guard, word *w, language *out) {
  while (w->n > 0 && w->p[w->n - 1] == '\'') w->n--;
  if (w->n > 0 && !w->too_long) judge_word(guard, aio__str_n(w->p, w->n), w->accented, out);
  w->n = 0;
  w->accented = w->too_long = false;
}

static void look_at_words(const aio__hit_guard *guard, aio__str text, language *out) {
  word w = {.n = 0};
  for (size_t pos = 0; pos < text.n && out->words < READ_WORDS_MAX;) {
    uint32_t c = (unsigned char)text.p[pos];
    if (c < 0x80)
      pos++;
    else
      c = fold_width(aio__utf8_next(text, &pos));
    if (c == 0x2019) c = '\'';
    bool letter = (c | 0x20) - 'a' < 26u, other = c >= 0x80 && is_other_letter(c);
    out->ascii += letter;
    out->other += other;
    if (letter)
      put_letter(&w, c | 0x20, false);
    else if (other || (c == '\'' && w.n > 0))
      put_letter(&w, c, other);
    else if (w.n > 0)
      end_word(guard, &w, out);
  }
  end_word(guard, &w, out);
}

bool aio__hit_guard_reads(const aio__hit_guard *guard, aio__str text) {
  language seen = {0};
  if (text.n > AIO__HIT_TEXT_MAX) return false;
  look_at_words(guard, text, &seen);
  if (seen.other * 4 > seen.ascii) return false;
  if (seen.english == 0 && seen.accented * 2 >= seen.words && seen.accented > 0) return false;
  return seen.foreign < 2 || seen.foreign <= seen.english;
}

/* ---- checking ---------------------------------------------------------------------------------------------------- */

static bool denies(const aio__hit_token *t) {
  return AIO__HIT_HAS(t->entry, NEGATOR) || aio__hit_ends_in_nt(t);
}

static bool denies_anything(const aio__hit_text *text) {
  for (uint32_t i = 0; i < text->n; i++) {
    if (denies(&text->tokens[i])) return true;
  }
  return false;
}

/* `leave_denied`: "without manual input" is no alternative to "automatically", where the other text denies nothing. */
static void mark_choices(const aio__hit_text *text, uint8_t mark, bool leave_denied, uint8_t *marks) {
  for (uint32_t i = 0; i < text->n; i++) {
    const aio__hit_token *t = &text->tokens[i];
    bool denied = leave_denied && ((i > 0 && denies(t - 1)) || (i > 1 && denies(t - 2)));
    if (t->entry == NULL || denied || (t->flags & (AIO__HIT_USED | AIO__HIT_MEASURE)) != 0) continue;
    for (size_t k = 0; k < t->entry->choices_n; k++) marks[t->entry->choices[k]] |= mark;
  }
}

static void find_rivals(aio__hit_pair *pair) {
  for (uint32_t i = pair->kept->n; i-- > 0;) {
    const aio__hit_entry *e = pair->kept->tokens[i].entry;
    for (size_t k = 0; e != NULL && k < e->choices_n; k++) {
      if (pair->marks[e->choices[k]] == 2) pair->rivals[pair->lexicon->choices[e->choices[k]].set] = i + 1;
    }
  }
}

static aiorch_status prepare(aio__hit_pair *pair, aio__arena *arena) {
  pair->marks = aio__arena_alloc(arena, pair->lexicon->choices_n);
  pair->rivals = aio__arena_alloc(arena, pair->lexicon->sets_n * sizeof *pair->rivals);
  if (pair->marks == NULL || pair->rivals == NULL) return AIORCH_E_NOMEM;
  bool question_denies = denies_anything(pair->question), kept_denies = denies_anything(pair->kept);
  mark_choices(pair->question, 1, question_denies && !kept_denies, pair->marks);
  mark_choices(pair->kept, 2, kept_denies && !question_denies, pair->marks);
  find_rivals(pair);
  return AIORCH_OK;
}

static aiorch_status compare(aio__hit_pair *pair, aio__arena *arena) {
  aiorch_status status = prepare(pair, arena);
  if (status != AIORCH_OK) return status;
  (void)(aio__hit_compare_numbers(pair) || aio__hit_compare_dates(pair) || aio__hit_compare_units(pair) ||
         aio__hit_compare_negation(pair) || aio__hit_compare_identifiers(pair) ||
         aio__hit_compare_order(pair, arena, &status) || aio__hit_compare_names(pair) ||
         aio__hit_compare_choices(pair, AIO__HIT_OPPOSITES) || aio__hit_compare_questions(pair) ||
         aio__hit_compare_words(pair, arena, &status) || aio__hit_compare_length(pair));
  return status;
}

static void refuse_language(aio__hit_finding *finding, const char *detail) {
  finding->refused_by = AIO__HIT_LANGUAGE;
  memcpy(finding->detail, detail, strlen(detail) + 1);
}

/* AIORCH_PASS: it is told already, without comparing word by word. */
static aiorch_status read_pair(const aio__hit_guard *guard, aio__arena *arena, aio__str question, aio__str kept,
                               aio__hit_text texts[2], aio__hit_finding *finding, aio__hit_pair *pair) {
  memset(texts, 0, 2 * sizeof *texts);
  finding->refused_by = AIO__HIT_PASS;
  finding->detail[0] = '\0';
  if (aio__str_eq(question, kept)) return AIORCH_PASS;
  if (question.n > AIO__HIT_TEXT_MAX || kept.n > AIO__HIT_TEXT_MAX) {
    refuse_language(finding, "too long to compare");
    return AIORCH_PASS;
  }
  if (!aio__hit_guard_reads(guard, question) || !aio__hit_guard_reads(guard, kept)) {
    refuse_language(finding, "not English");
    return AIORCH_PASS;
  }
  aiorch_status status = aio__hit_text_read(&guard->lexicon, arena, question, &texts[0]);
  if (status == AIORCH_OK) status = aio__hit_text_read(&guard->lexicon, arena, kept, &texts[1]);
  *pair = (aio__hit_pair){.lexicon = &guard->lexicon,
                          .question = &texts[0],
                          .kept = &texts[1],
                          .finding = finding,
                          .terse = texts[0].n <= AIO__HIT_TERSE && texts[1].n <= AIO__HIT_TERSE,
                          .brief = texts[0].n <= AIO__HIT_BRIEF || texts[1].n <= AIO__HIT_BRIEF};
  return status;
}

aiorch_status aio__hit_guard_check(const aio__hit_guard *guard, aio__arena *arena, aio__str question, aio__str kept,
                                   aio__hit_finding *finding) {
  aio__hit_text texts[2];
  aio__hit_pair pair;
  aiorch_status status = read_pair(guard, arena, question, kept, texts, finding, &pair);
  if (status != AIORCH_OK) return status == AIORCH_PASS ? AIORCH_OK : status;
  status = compare(&pair, arena);
  if (finding->refused_by == AIO__HIT_PASS) finding->detail[0] = '\0';
  return status;
}

/* Each guard, also after one has refused. */
static aiorch_status compare_each(aio__hit_pair *pair, aio__arena *arena, aio__hit_finding *findings) {
  aiorch_status status = prepare(pair, arena);
  for (int g = 0; status == AIORCH_OK && g < (int)AIO__HIT_REFUSALS - 1; g++) {
    aio__hit_finding *finding = pair->finding;
    finding->refused_by = AIO__HIT_PASS;
    finding->detail[0] = '\0';
    switch (g + 1) {
    case AIO__HIT_NUMBERS: (void)aio__hit_compare_numbers(pair); break;
    case AIO__HIT_DATES: (void)aio__hit_compare_dates(pair); break;
    case AIO__HIT_UNITS: (void)aio__hit_compare_units(pair); break;
    case AIO__HIT_NEGATION: (void)aio__hit_compare_negation(pair); break;
    case AIO__HIT_IDENTIFIERS: (void)aio__hit_compare_identifiers(pair); break;
    case AIO__HIT_ORDER: (void)aio__hit_compare_order(pair, arena, &status); break;
    case AIO__HIT_NAMES: (void)aio__hit_compare_names(pair); break;
    case AIO__HIT_OPPOSITES: (void)aio__hit_compare_choices(pair, AIO__HIT_OPPOSITES); break;
    case AIO__HIT_QUESTION: (void)aio__hit_compare_questions(pair); break;
    case AIO__HIT_WORDS: (void)aio__hit_compare_words(pair, arena, &status); break;
    case AIO__HIT_LENGTH: (void)aio__hit_compare_length(pair); break;
    default: break;
    }
    if (finding->refused_by != AIO__HIT_PASS) findings[finding->refused_by - 1] = *finding;
  }
  return status;
}

aiorch_status aio__hit_guard_check_all(const aio__hit_guard *guard, aio__arena *arena, aio__str question, aio__str kept,
                                       aio__hit_finding findings[AIO__HIT_REFUSALS - 1]) {
  aio__hit_text texts[2];
  aio__hit_pair pair;
  aio__hit_finding one;
  memset(findings, 0, (AIO__HIT_REFUSALS - 1) * sizeof *findings);
  aiorch_status status = read_pair(guard, arena, question, kept, texts, &one, &pair);
  if (status == AIORCH_OK) return compare_each(&pair, arena, findings);
  if (one.refused_by != AIO__HIT_PASS) findings[one.refused_by - 1] = one;
  return status == AIORCH_PASS ? AIORCH_OK : status;
}
