/* What a question asks for: its words without those that say nothing, reduced to stems, and the form of the question.
 * The lists of such words cover seven languages; in others only the rarity of a word among the sentences counts
 * (extractive.c). */
#include <string.h>

#include "core/hash.h"
#include "providers/extractive_private.h"

/* ---- words ---- */

static bool is_cjk(uint32_t c) {
  return (c >= 0x3041 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7A3) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

static bool is_word_char(uint32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA;
  if (c == 0xD7 || c == 0xF7) return false;
  bool punctuation = (c >= 0x2000 && c <= 0x2BFF) || (c >= 0x3000 && c <= 0x303F) || (c >= 0xFE10 && c <= 0xFE6F) ||
                     (c >= 0xFF00 && c <= 0xFF0F) || (c >= 0xFF1A && c <= 0xFF20) || c == 0xFEFF || c == UINT32_MAX;
  return !punctuation;
}

/* Lower case of the letters of Latin, Greek and Cyrillic. */
static uint32_t fold(uint32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c >= 0xC0 && c <= 0xDE) return c + 32;
  if ((c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177)) return c | 1;
  if (c >= 0x391 && c <= 0x3A9) return c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  return c;
}

static void put(aio__word *word, uint32_t c) {
  char bytes[4];
  size_t n = aio__utf8_put(c, bytes);
  if (word->n + n > sizeof word->folded) return;
  memcpy(word->folded + word->n, bytes, n);
  word->n += n;
}

/* ---- stems: the endings of English that matter for finding a word again; others are left as they are ---- */

static bool is_vowel(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == 'y'; }

static bool has_ending(const char *word, size_t n, const char *ending, size_t least) {
  size_t e = strlen(ending);
  return n >= e + least && memcmp(word + n - e, ending, e) == 0;
}

static size_t without_plural(const char *w, size_t n) {
  if (has_ending(w, n, "ies", 2)) return n - 2;
  if (has_ending(w, n, "sses", 1) || has_ending(w, n, "xes", 2) || has_ending(w, n, "ches", 2) ||
      has_ending(w, n, "shes", 2)) {
    return n - 2;
  }
  if (n > 3 && w[n - 1] == 's' && w[n - 2] != 's' && w[n - 2] != 'u' && w[n - 2] != 'i') return n - 1;
  return n;
}

/* Length of the stem of a word in ASCII; "replicate", "replicating" and "replication" have the same. */
static size_t stem_length(const char *w, size_t n) {
  static const struct {
    const char *ending;
    size_t least;
  } endings[] = {{"ization", 3}, {"isation", 3}, {"ational", 4}, {"ation", 4}, {"ating", 4}, {"ated", 4}, {"ator", 4},
                 {"ate", 4},     {"ment", 4},    {"ness", 4},    {"able", 4},  {"ible", 4},  {"izing", 3}, {"ized", 3},
                 {"ize", 3},     {"ising", 3},   {"ised", 3},    {"ise", 4},   {"ing", 3},   {"ion", 4},   {"ed", 3},
                 {"ly", 4}};
  n = without_plural(w, n);
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    if (!has_ending(w, n, endings[i].ending, endings[i].least)) continue;
    n -= strlen(endings[i].ending);
    break;
  }
  if (n > 3 && w[n - 1] == 'e') n--;
  if (n > 3 && w[n - 1] == w[n - 2] && !is_vowel(w[n - 1])) n--;
  return n;
}

static void finish_word(aio__word *word) {
  bool ascii = true, digit = false, letter = false;
  for (size_t i = 0; i < word->n; i++) {
    unsigned char c = (unsigned char)word->folded[i];
    ascii = ascii && c < 0x80;
    if (c >= '0' && c <= '9') digit = true;
    else letter = true;
  }
  word->number = digit && !letter;
  size_t n = ascii && !digit ? stem_length(word->folded, word->n) : word->n;
  char stem[AIO__WORD_MAX];
  memcpy(stem, word->folded, n);
  if (ascii && !digit && n > 2 && stem[n - 1] == 'y' && !is_vowel(stem[n - 2])) stem[n - 1] = 'i';
  word->stem = aio__hash64(0, stem, n);
}

bool aio__word_next(aio__str text, size_t *pos, aio__word *word) {
  uint32_t c = 0;
  size_t at = *pos, next = at;
  for (; at < text.n; at = next) {
    next = at;
    c = aio__utf8_next(text, &next);
    if (is_word_char(c)) break;
  }
  *pos = text.n;
  if (at >= text.n) return false;
  word->start = at;
  word->n = 0;
  put(word, fold(c));
  bool pair = is_cjk(c);
  size_t first = next;
  for (at = next; at < text.n; at = next) {
    c = aio__utf8_next(text, &next);
    if (!is_word_char(c) || is_cjk(c) != pair) break;
    put(word, fold(c));
    if (pair) {
      at = next;
      break;
    }
  }
  word->end = at;
  /* The last of a run of CJK characters is no word of its own but when it stands alone. */
  *pos = pair && at > first ? first : at;
  if (pair && at > first) {
    size_t after = at;
    uint32_t beyond = at < text.n ? aio__utf8_next(text, &after) : 0;
    if (!is_cjk(beyond)) *pos = at;
  }
  finish_word(word);
  return true;
}

/* ---- words that say nothing ---- */

static const char *const function_words[] = {
    /* English */
    (" a about above after again all also am an and any are aren as at be because been before being below between"
     " both but by can cannot could couldn did didn do does doesn doing don done down during each few for from"
     " further get gets got had hadn has hasn have haven having he her here hers him his how i if in into is isn it"
     " its itself just ll let me more most my no nor not now of off on once only or other our out over own please re"
     " s same shall she should shouldn so some such t than that the their them then there these they this those"
     " through to too under until up upon us ve very was wasn we were weren what when where which while who whom"
     " whose why will with without won would wouldn you your yours "),
    /* German */
    (" aber als am an auch auf aus bei bin bis bitte da damit das dass dein dem den der des die dies diese dieser"
     " dieses du durch ein eine einem einen einer eines er es f\xC3\xBCr gibt hat habe haben ich ihr im in ist ja"
     " kann kein keine k\xC3\xB6nnen man mein meine mit muss nach nicht noch nur ob oder sein sich sie sind so soll"
     " \xC3\xBC""ber um und uns unter vom von vor wann warum was welche welcher welches wenn wer werden wie wieso"
     " wird wo zu zum zur "),
    /* French */
    (" afin ai au aux avec ce ces cette chez comment d dans de des du elle en est et eu il ils j je l la le les leur"
     " leurs lui m mais me mes mon n ne nos notre nous on ou o\xC3\xB9 par pas peut peux pour pourquoi qu quand que"
     " quel quelle quelles quels qui quoi s sa se ses si son sont sur ta te tes ton tu un une vos votre vous y"
     " \xC3\xA0 "),
    /* Spanish */
    (" a al como con cual cu\xC3\xA1l cuando cu\xC3\xA1ndo c\xC3\xB3mo de del desde donde d\xC3\xB3nde el ella en es"
     " esta este esto hay la las le lo los me mi muy m\xC3\xA1s ni no nos o para pero por porque puede puedo que"
     " qu\xC3\xA9 se ser si sin sobre son su sus s\xC3\xAD tambi\xC3\xA9n te tengo tiene tu un una uno y ya yo "),
    /* Italian */
    (" a al alla anche che chi ci come con cosa cui da dal dalla dei del della delle di dove e ed gli ha ho i il in"
     " io la le lo ma mi nel nella non o per perch\xC3\xA9 pi\xC3\xB9 posso pu\xC3\xB2 quale quali quando questa"
     " questo se si sono su sul ti tra un una uno \xC3\xA8 "),
    /* Portuguese */
    (" a ao aos as com como da das de do dos e ela ele em essa esse esta este eu foi h\xC3\xA1 isso isto j\xC3\xA1"
     " mais mas me meu minha na nas no nos n\xC3\xA3o o os ou para pela pelo por porque posso qual quais quando que"
     " se sem ser seu sua s\xC3\xA3o tem um uma voc\xC3\xAA \xC3\xA9 "),
    /* Dutch */
    (" aan als bij dan dat de deze die dit door een en er hebben heeft het hoe ik in is kan kunnen maar met mij mijn"
     " moet naar niet nog of om ook op over te tot uit van veel voor waar waarom wanneer wat we welke wie wij wordt"
     " worden ze zijn zo "),
};
enum { LANGUAGES = sizeof function_words / sizeof function_words[0] };

/* Words that a question about anything may have: they count little. */
static const char weak_words[] =
    " another anyone anything ask best better call called change come different difference does else ever every"
    " everything explain exactly example find first give go good happen happens help keep kind know like look looks"
    " main make makes many may mean meaning means might much must need needs new old one people possible put really"
    " right say see set show simple simply someone something still stop take tell thing things think two understand"
    " use used useful user using want way ways well work works ";

/* Words that make one question with "how" before them: "how long". */
static const char measures[] =
    " big deep far fast few hard high large late long many much often old quickly small soon tall wide ";

static bool listed(const char *list, const aio__word *word) {
  char key[AIO__WORD_MAX + 3];
  key[0] = ' ';
  memcpy(key + 1, word->folded, word->n);
  key[word->n + 1] = ' ';
  key[word->n + 2] = '\0';
  return strstr(list, key) != NULL;
}

/* The language whose words come most often; English among equals. */
static size_t language_of(aio__str text) {
  size_t hits[LANGUAGES] = {0}, best = 0, pos = 0, words = 0;
  aio__word word;
  while (words++ < 256 && aio__word_next(text, &pos, &word)) {
    for (size_t i = 0; i < LANGUAGES; i++) hits[i] += listed(function_words[i], &word);
  }
  for (size_t i = 1; i < LANGUAGES; i++) {
    if (hits[i] > hits[best]) best = i;
  }
  return best;
}

/* Mostly letters of other scripts: none of the lists. */
static bool is_foreign_script(aio__str text) {
  size_t others = 0;
  for (size_t i = 0; i < text.n; i++) others += (unsigned char)text.p[i] >= 0x80;
  return others * 3 > text.n;
}

int aio__terms_find(const aio__terms *terms, uint64_t stem) {
  for (size_t i = 0; i < terms->n; i++) {
    if (terms->term[i].stem == stem) return (int)i;
  }
  return -1;
}

static void add_terms(aio__terms *terms, aio__str text, double weight) {
  size_t language = language_of(text), pos = 0;
  aio__word word;
  for (bool how = false; terms->n < AIO__TERMS_MAX && aio__word_next(text, &pos, &word);) {
    bool measure = how && listed(measures, &word);
    how = listed(" how ", &word);
    if (measure || (word.n == 1 && !word.number)) continue;
    if (listed(function_words[language], &word) || aio__terms_find(terms, word.stem) >= 0) continue;
    bool weak = language == 0 && listed(weak_words, &word);
    terms->term[terms->n++] = (aio__term){.stem = word.stem, .weight = weak ? weight * 0.25 : weight};
    if (!weak && weight >= 1.0) terms->strong++;
  }
}

static aio__question_form form_of(aio__str question) {
  aio__word word;
  size_t pos = 0;
  for (int i = 0; i < 64 && aio__word_next(question, &pos, &word); i++) {
    if (listed(" what define explain mean means meaning was que qu\xC3\xA9 cosa wat ", &word)) return AIO__FORM_WHAT;
    if (listed(" how wie comment c\xC3\xB3mo como come hoe ", &word)) {
      return aio__word_next(question, &pos, &word) && listed(measures, &word) ? AIO__FORM_HOW_MUCH : AIO__FORM_HOW;
    }
    if (listed(" why warum wieso pourquoi perch\xC3\xA9 waarom ", &word)) return AIO__FORM_WHY;
    if (listed(" when where who which ", &word)) return AIO__FORM_ANY;
  }
  return AIO__FORM_ANY;
}

void aio__terms_of_question(aio__terms *terms, aio__str question, aio__str before) {
  memset(terms, 0, sizeof *terms);
  terms->form = form_of(question);
  terms->english = language_of(question) == 0 && !is_foreign_script(question);
  add_terms(terms, question, 1.0);
  if (terms->strong < 3 && before.n > 0) add_terms(terms, before, 0.3);
  /* "What can it do?": words that count little are better than none. */
  if (terms->strong > 0) return;
  for (size_t i = 0; i < terms->n; i++) {
    if (terms->term[i].weight >= 0.25) terms->term[i].weight = 1.0;
  }
  terms->strong = terms->n;
}
