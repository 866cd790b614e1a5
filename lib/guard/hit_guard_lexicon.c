/*
 * hit_guard.json: from lists of words to a table of entries.
 *
 * The data is ours and tested, so that a fault in it is an internal error which names the place; nothing of it comes
 * from a user.
 */
#include "guard/hit_guard_parts.h"
#include "text/json.h"

enum { FIRST_SLOTS = 32768, FIRST_ENTRIES = 2048, JSON_MAX = 1 << 20, JSON_DEPTH = 6, BLOCK = 16384 };

typedef struct loader {
  aio__hit_lexicon *lexicon;
  const aio__json_value *root;
  aiorch_error *error;
  aiorch_status status; /* of the first failure */
} loader;

/* ---- the table --------------------------------------------------------------------------------------------------- */

uint32_t aio__hit_hash(const char *p, size_t n) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 16777619u;
  return h ^ h >> 15;
}

static size_t slot_of(const aio__hit_lexicon *lexicon, aio__str word, uint32_t hash) {
  size_t mask = lexicon->slots_n - 1, i = hash & mask;
  while (lexicon->slots[i] != 0 && !aio__str_eq(lexicon->entries[lexicon->slots[i] - 1].text, word)) i = (i + 1) & mask;
  return i;
}

const aio__hit_entry *aio__hit_lexicon_find(const aio__hit_lexicon *lexicon, aio__str word, uint32_t hash) {
  uint16_t slot = lexicon->slots[slot_of(lexicon, word, hash)];
  return slot == 0 ? NULL : &lexicon->entries[slot - 1];
}

const aio__hit_entry *aio__hit_lexicon_find_written(const aio__hit_lexicon *lexicon, aio__str word) {
  char text[AIO__HIT_WORD_MAX];
  if (word.n > sizeof text) return NULL;
  for (size_t i = 0; i < word.n; i++) {
    text[i] = (char)((unsigned char)(word.p[i] - 'A') < 26 ? word.p[i] | 0x20 : word.p[i]);
  }
  return aio__hit_lexicon_find(lexicon, aio__str_n(text, word.n), aio__hit_hash(text, word.n));
}

static bool grow_entries(aio__hit_lexicon *lexicon) {
  size_t cap = lexicon->cap == 0 ? FIRST_ENTRIES : lexicon->cap * 2;
  if (cap > FIRST_SLOTS / 2) return false;
  aio__hit_entry *grown = aio__realloc(lexicon->al, lexicon->entries, cap * sizeof *grown);
  if (grown == NULL) return false;
  lexicon->entries = grown;
  lexicon->cap = cap;
  return true;
}

aio__hit_entry *aio__hit_lexicon_put(aio__hit_lexicon *lexicon, aio__str word) {
  size_t slot = slot_of(lexicon, word, aio__hit_hash(word.p, word.n));
  if (lexicon->slots[slot] != 0) return &lexicon->entries[lexicon->slots[slot] - 1];
  if (lexicon->n == lexicon->cap && !grow_entries(lexicon)) return NULL;
  aio__str text = aio__arena_str(&lexicon->arena, word);
  if (text.p == NULL) return NULL;
  lexicon->entries[lexicon->n++] = (aio__hit_entry){.text = text};
  lexicon->slots[slot] = (uint16_t)lexicon->n;
  return &lexicon->entries[lexicon->n - 1];
}

bool aio__hit_units_equal(const aio__hit_lexicon *lexicon, uint64_t a, uint64_t b) {
  if (a == b) return true;
  for (size_t i = 0; i < lexicon->aliases_n; i++) {
    const uint8_t *pair = lexicon->alias[i];
    if ((pair[0] == a && pair[1] == b) || (pair[0] == b && pair[1] == a)) return true;
  }
  return false;
}

/* ---- reading lists ----------------------------------------------------------------------------------------------- */

static void fail(loader *l, aiorch_status status, const char *member, const char *what) {
  if (l->status != AIORCH_OK) return;
  l->status = aio__error_set(l->error, status, "hit_guard.json, \"%s\": %s", member, what);
}

/* A word as tokens have it: '_' and '-' inside are spaces, a possessive s goes. */
static aio__hit_entry *put_word(loader *l, const char *member, aio__str word) {
  char text[AIO__HIT_WORD_MAX];
  size_t n = 0, words = 1;
  if (word.n == 0 || word.n > sizeof text) {
    fail(l, AIORCH_E_INTERNAL, member, "a word has 1 to 64 bytes");
    return NULL;
  }
  for (size_t i = 0; i < word.n; i++) {
    bool possessive = word.p[i] == '\'' && i + 1 < word.n && word.p[i + 1] == 's' &&
                      (i + 2 == word.n || word.p[i + 2] == ' ' || word.p[i + 2] == '_');
    bool space = (word.p[i] == '_' || word.p[i] == '-') && word.n > 1;
    if (possessive) {
      i++;
      continue;
    }
    text[n++] = space ? ' ' : word.p[i];
  }
  const char *first_space = memchr(text, ' ', n);
  for (size_t i = 0; i < n; i++) words += text[i] == ' ';
  if (words > 1) {
    aio__hit_entry *first = aio__hit_lexicon_put(l->lexicon, aio__str_n(text, (size_t)(first_space - text)));
    if (first != NULL && first->words < words) first->words = (uint8_t)words;
    if (first != NULL) first->roles |= UINT64_C(1) << AIO__HIT_ROLE_PHRASE;
  }
  aio__hit_entry *entry = aio__hit_lexicon_put(l->lexicon, aio__str_n(text, n));
  if (entry == NULL) fail(l, AIORCH_E_NOMEM, member, "out of memory");
  return entry;
}

/* The next word up to one of the separators, trimmed; false at the end. */
static bool next_word(aio__str *rest, const char *separators, aio__str *out, char *ended_by) {
  for (;;) {
    if (rest->n == 0) return false;
    size_t n = 0;
    while (n < rest->n && strchr(separators, rest->p[n]) == NULL) n++;
    *out = aio__str_trim(aio__str_n(rest->p, n));
    *ended_by = n < rest->n ? rest->p[n] : '\0';
    size_t skip = n < rest->n ? n + 1 : n;
    rest->p += skip;
    rest->n -= skip;
    if (out->n > 0) return true;
  }
}

typedef void word_fn(loader *l, aio__hit_entry *entry, unsigned value);

static void each_in(loader *l, const char *member, aio__str list, unsigned role, word_fn *set, unsigned value) {
  aio__str word;
  char end;
  while (l->status == AIORCH_OK && next_word(&list, " ", &word, &end)) {
    aio__hit_entry *entry = put_word(l, member, word);
    if (entry == NULL) return;
    entry->roles |= UINT64_C(1) << role;
    if (set != NULL) set(l, entry, value);
  }
}

/* A member that is a text of words or a list of such texts; `set` is told the number of the text. */
static void read_words(loader *l, const char *member, unsigned role, word_fn *set) {
  const aio__json_value *value = aio__json_get(l->root, member);
  aio__str list;
  unsigned number = 0;
  if (aio__json_str(value, &list)) {
    each_in(l, member, list, role, set, 1);
    return;
  }
  if (aio__json_typeof(value) != AIO__JSON_ARRAY) fail(l, AIORCH_E_INTERNAL, member, "must be words");
  for (const aio__json_value *v = aio__json_first(value); v != NULL; v = aio__json_next(v)) {
    if (!aio__json_str(v, &list))
      fail(l, AIORCH_E_INTERNAL, member, "must be a list of words");
    else
      each_in(l, member, list, role, set, ++number);
  }
}

typedef void number_fn(aio__hit_entry *entry, uint64_t number);

/* A member that is an object of whole numbers. */
static void read_numbers(loader *l, const char *member, unsigned role, number_fn *set) {
  const aio__json_value *value = aio__json_get(l->root, member);
  if (aio__json_typeof(value) != AIO__JSON_OBJECT) fail(l, AIORCH_E_INTERNAL, member, "must be an object");
  for (const aio__json_value *v = aio__json_first(value); v != NULL && l->status == AIORCH_OK; v = aio__json_next(v)) {
    int64_t number = 0;
    if (!aio__json_i64(v, &number) || number < 0) {
      fail(l, AIORCH_E_INTERNAL, member, "must have whole numbers");
      return;
    }
    aio__hit_entry *entry = put_word(l, member, aio__json_key(v));
    if (entry == NULL) return;
    entry->roles |= UINT64_C(1) << role;
    set(entry, (uint64_t)number);
  }
}

static void set_number(aio__hit_entry *e, uint64_t v) {
  e->number = v;
}
static void set_ordinal(aio__hit_entry *e, uint64_t v) {
  e->ordinal = (uint16_t)v;
}
static void set_fraction(aio__hit_entry *e, uint64_t v) {
  e->fraction = (uint8_t)v;
}
static void set_minute(aio__hit_entry *e, uint64_t v) {
  e->minute = (uint16_t)v;
}
static void set_step(aio__hit_entry *e, uint64_t v) {
  e->step = (uint8_t)v;
}
static void set_question(aio__hit_entry *e, uint64_t v) {
  e->question = (uint16_t)v;
}
/* invalid, invalidly */
static void set_negative(loader *l, aio__hit_entry *e, unsigned v) {
  char text[AIO__HIT_WORD_MAX];
  aio__str word = e->text;
  bool phrase = memchr(word.p, ' ', word.n) != NULL;
  (void)v;
  if (phrase || word.n + 2 > sizeof text || word.p[word.n - 1] == 'y') return;
  memcpy(text, word.p, word.n);
  bool able = word.n > 2 && word.p[word.n - 1] == 'e' && word.p[word.n - 2] == 'l';
  memcpy(text + word.n - (able ? 1 : 0), able ? "y" : "ly", able ? 1 : 2);
  aio__hit_entry *adverb = put_word(l, "negative_forms", aio__str_n(text, word.n + (able ? 0 : 2)));
  if (adverb != NULL) adverb->roles |= UINT64_C(1) << AIO__HIT_ROLE_NEGATIVE;
}

static void set_month(loader *l, aio__hit_entry *e, unsigned v) {
  (void)l;
  e->month = (uint8_t)v;
}
static void set_weekday(loader *l, aio__hit_entry *e, unsigned v) {
  (void)l;
  e->weekday = (uint8_t)v;
}
static void set_day(loader *l, aio__hit_entry *e, unsigned v) {
  (void)l;
  e->day = (uint8_t)v;
}
static void set_period(loader *l, aio__hit_entry *e, unsigned v) {
  (void)l;
  e->period = (uint8_t)v;
}

/* ---- sets of alternatives ---------------------------------------------------------------------------------------- */

static uint16_t new_choice(loader *l, size_t set, aio__hit_refusal guard) {
  aio__hit_lexicon *lexicon = l->lexicon;
  if (lexicon->choices_n == lexicon->choices_cap) {
    size_t cap = lexicon->choices_cap == 0 ? 1024 : lexicon->choices_cap * 2;
    aio__hit_choice *grown =
      cap > AIO__HIT_CHOICES_MAX ? NULL : aio__realloc(lexicon->al, lexicon->choices, cap * sizeof *grown);
    if (grown == NULL) {
      fail(l, AIORCH_E_NOMEM, "sets", "out of memory");
      return 0;
    }
    lexicon->choices = grown;
    lexicon->choices_cap = cap;
    if (lexicon->choices_n == 0) lexicon->choices[lexicon->choices_n++] = (aio__hit_choice){0};
  }
  lexicon->choices[lexicon->choices_n] = (aio__hit_choice){(uint16_t)set, (uint8_t)guard};
  return (uint16_t)lexicon->choices_n++;
}

static void add_choice(loader *l, aio__str word, uint16_t choice) {
  aio__hit_entry *entry = l->status == AIORCH_OK ? put_word(l, "sets", word) : NULL;
  if (entry == NULL) return;
  if (l->lexicon->choices[choice].guard == AIO__HIT_WORDS) { /* no alternatives: words that stand for many others */
    entry->roles |= UINT64_C(1) << AIO__HIT_ROLE_LOOSE;
    return;
  }
  entry->roles |= UINT64_C(1) << AIO__HIT_ROLE_CHOICE;
  if (l->lexicon->choices[choice].guard == AIO__HIT_NAMES) entry->roles |= UINT64_C(1) << AIO__HIT_ROLE_NAME;
  for (size_t i = 0; i < entry->choices_n; i++) {
    if (entry->choices[i] == choice) return;
  }
  if (entry->choices_n == AIO__HIT_CHOICES_OF_WORD) {
    fail(l, AIORCH_E_INTERNAL, "sets", "a word stands in more than 8 of them");
    return;
  }
  entry->choices[entry->choices_n++] = choice;
}

/* `word` with another ending behind its first `head` bytes, of which the last `cut` go. */
static void add_form(loader *l, aio__str word, size_t head, size_t cut, bool twice, const char *ending,
                     uint16_t choice) {
  char text[2 * AIO__HIT_WORD_MAX];
  size_t n = head - cut, len = strlen(ending);
  if (word.n + len + 1 > AIO__HIT_WORD_MAX || cut >= head) return;
  memcpy(text, word.p, n);
  if (twice) text[n++] = word.p[head - 1];
  memcpy(text + n, ending, len);
  n += len;
  memcpy(text + n, word.p + head, word.n - head);
  add_choice(l, aio__str_n(text, n + word.n - head), choice);
}

static bool is_vowel(char c) {
  return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
}

/* Endings by the rules of spelling; that some of what they make is no word does no harm. */
static void add_forms(loader *l, aio__str word, char forms, uint16_t choice) {
  const char *space = memchr(word.p, ' ', word.n);
  size_t head = space != NULL && forms == 'v' ? (size_t)(space - word.p) : word.n; /* turns off, credit cards */
  if (head < 2) return;
  char last = word.p[head - 1], before = word.p[head - 2];
  bool y = last == 'y' && !is_vowel(before), e = last == 'e';
  bool hiss = last == 's' || last == 'x' || last == 'z' || (last == 'h' && (before == 's' || before == 'c'));
  bool doubles = head >= 3 && head <= 8 && !is_vowel(last) && last != 'w' && last != 'y' && last != 'x' &&
                 is_vowel(before) && !is_vowel(word.p[head - 3]);
  if (forms == 'v' || forms == 'n') add_form(l, word, head, y ? 1 : 0, false, y ? "ies" : hiss ? "es" : "s", choice);
  if (forms == 'v') {
    add_form(l, word, head, y ? 1 : 0, false, y ? "ied" : e ? "d" : "ed", choice);
    add_form(l, word, head, e ? 1 : 0, false, "ing", choice);
    if (doubles) add_form(l, word, head, 0, true, "ed", choice);
    if (doubles) add_form(l, word, head, 0, true, "ing", choice);
  }
  if (forms == 'a') {
    add_form(l, word, head, y ? 1 : 0, false, y ? "ier" : e ? "r" : "er", choice);
    add_form(l, word, head, y ? 1 : 0, false, y ? "iest" : e ? "st" : "est", choice);
    add_form(l, word, head, y ? 1 : 0, false, y ? "ily" : "ly", choice);
    if (doubles) add_form(l, word, head, 0, true, "er", choice);
    if (doubles) add_form(l, word, head, 0, true, "est", choice);
    if (head > 2 && word.p[head - 1] == 'c') add_form(l, word, head, 0, false, "ally", choice);
  }
}

static void read_set(loader *l, aio__str line, size_t set, aio__hit_refusal guard, char forms) {
  aio__str word;
  char end = '/';
  uint16_t choice = 0;
  while (l->status == AIORCH_OK && line.n > 0) {
    if (end == '/') choice = new_choice(l, set, guard);
    if (!next_word(&line, ",/", &word, &end)) break;
    add_choice(l, word, choice);
    if (forms != '\0' && l->status == AIORCH_OK) add_forms(l, word, forms, choice);
  }
}

static aio__hit_refusal guard_named(aio__str name) {
  for (int g = AIO__HIT_PASS + 1; g < AIO__HIT_REFUSALS; g++) {
    if (aio__str_eqz(name, aio__hit_refusal_name((aio__hit_refusal)g))) return (aio__hit_refusal)g;
  }
  return AIO__HIT_PASS;
}

static void read_sets(loader *l) {
  const aio__json_value *value = aio__json_get(l->root, "sets");
  for (const aio__json_value *v = aio__json_first(value); v != NULL && l->status == AIORCH_OK; v = aio__json_next(v)) {
    aio__str name = {0}, forms = {0}, line;
    aio__json_str(aio__json_get(v, "guard"), &name);
    aio__json_str(aio__json_get(v, "forms"), &forms);
    aio__hit_refusal guard = guard_named(name);
    char ending = aio__str_eqz(forms, "verb")        ? 'v'
                  : aio__str_eqz(forms, "noun")      ? 'n'
                  : aio__str_eqz(forms, "adjective") ? 'a'
                                                     : '\0';
    if (guard == AIO__HIT_PASS) fail(l, AIORCH_E_INTERNAL, "sets", "\"guard\" names no guard");
    const aio__json_value *words = aio__json_get(v, "words");
    for (const aio__json_value *w = aio__json_first(words); w != NULL; w = aio__json_next(w)) {
      if (aio__json_str(w, &line)) read_set(l, line, l->lexicon->sets_n++, guard, ending);
    }
  }
}

/* "turn" of "turn off": the particle may stand apart. */
static void mark_split_verbs(aio__hit_lexicon *lexicon) {
  for (size_t i = 0; i < lexicon->n; i++) {
    const aio__hit_entry *entry = &lexicon->entries[i];
    const char *space = memchr(entry->text.p, ' ', entry->text.n);
    if (space == NULL || !AIO__HIT_HAS(entry, CHOICE)) continue;
    size_t head = (size_t)(space - entry->text.p);
    aio__str tail = aio__str_n(space + 1, entry->text.n - head - 1);
    const aio__hit_entry *particle = aio__hit_lexicon_find(lexicon, tail, aio__hit_hash(tail.p, tail.n));
    if (!AIO__HIT_HAS(particle, PARTICLE)) continue;
    aio__hit_entry *first = aio__hit_lexicon_put(lexicon, aio__str_n(entry->text.p, head));
    if (first != NULL) first->roles |= UINT64_C(1) << AIO__HIT_ROLE_SPLIT;
  }
}

/* ---- units and relations ----------------------------------------------------------------------------------------- */

static const aio__hit_entry *find_text(const aio__hit_lexicon *lexicon, aio__str word) {
  return aio__hit_lexicon_find(lexicon, word, aio__hit_hash(word.p, word.n));
}

/* "km: kilometre kilometres": every spelling is the unit; each is an alternative to the others of its kind. */
static void read_unit(loader *l, aio__str line, size_t set, bool money) {
  aio__str word;
  char end;
  uint16_t choice = new_choice(l, set, AIO__HIT_UNITS);
  if (l->lexicon->units_n == AIO__HIT_UNITS_MAX) {
    fail(l, AIORCH_E_INTERNAL, "units", "more than 255");
    return;
  }
  uint8_t unit = (uint8_t)++l->lexicon->units_n;
  while (l->status == AIORCH_OK && next_word(&line, " :", &word, &end)) {
    aio__hit_entry *entry = put_word(l, "units", word);
    if (entry == NULL) return;
    entry->roles |= UINT64_C(1) << AIO__HIT_ROLE_UNIT;
    if (money) entry->roles |= UINT64_C(1) << AIO__HIT_ROLE_MONEY;
    if (entry->unit == 0) entry->unit = unit; /* pounds are a mass first, and money beside that */
    add_choice(l, entry->text, choice);
  }
}

static void read_units(loader *l) {
  const aio__json_value *value = aio__json_get(l->root, "units");
  for (const aio__json_value *v = aio__json_first(value); v != NULL && l->status == AIORCH_OK; v = aio__json_next(v)) {
    aio__str of = {0}, line;
    aio__json_str(aio__json_get(v, "of"), &of);
    size_t set = l->lexicon->sets_n++;
    const aio__json_value *units = aio__json_get(v, "units");
    for (const aio__json_value *u = aio__json_first(units); u != NULL; u = aio__json_next(u)) {
      if (aio__json_str(u, &line)) read_unit(l, line, set, aio__str_eqz(of, "money"));
    }
  }
}

static void drop_unit_choice(loader *l, aio__hit_entry *entry, unsigned value) {
  (void)value;
  size_t n = 0;
  for (size_t i = 0; i < entry->choices_n; i++) {
    if (l->lexicon->choices[entry->choices[i]].guard != AIO__HIT_UNITS) entry->choices[n++] = entry->choices[i];
  }
  entry->choices_n = (uint8_t)n;
}

static void read_aliases(loader *l) {
  aio__hit_lexicon *lexicon = l->lexicon;
  const aio__hit_entry *year = find_text(lexicon, AIO__LIT("year"));
  lexicon->year = year != NULL ? year->unit : 0;
  const aio__json_value *value = aio__json_get(l->root, "unit_aliases");
  for (const aio__json_value *v = aio__json_first(value); v != NULL; v = aio__json_next(v)) {
    aio__str line = {0}, one = {0}, other = {0};
    char end;
    aio__json_str(v, &line);
    bool two = next_word(&line, " ", &one, &end) && next_word(&line, " ", &other, &end);
    const aio__hit_entry *a = two ? find_text(lexicon, one) : NULL, *b = two ? find_text(lexicon, other) : NULL;
    if (a == NULL || b == NULL || lexicon->aliases_n == AIO__HIT_ALIASES_MAX) {
      fail(l, AIORCH_E_INTERNAL, "unit_aliases", "must be at most 8 pairs of units");
      return;
    }
    lexicon->alias[lexicon->aliases_n][0] = a->unit;
    lexicon->alias[lexicon->aliases_n++][1] = b->unit;
  }
}

static void set_relation(loader *l, aio__hit_entry *entry, unsigned value) {
  (void)l;
  entry->relations |= UINT32_C(1) << value;
}

static void set_verb(loader *l, aio__hit_entry *entry, unsigned value) {
  (void)l;
  entry->verbs = (uint8_t)(entry->verbs | 1u << value);
}

static void read_relations(loader *l) {
  const aio__json_value *value = aio__json_get(l->root, "relations");
  for (const aio__json_value *v = aio__json_first(value); v != NULL && l->status == AIORCH_OK; v = aio__json_next(v)) {
    unsigned group = (unsigned)l->lexicon->groups_n++;
    aio__str list;
    if (group == AIO__HIT_GROUPS_MAX) {
      fail(l, AIORCH_E_INTERNAL, "relations", "more than 8");
      return;
    }
    if (aio__str_eqz(aio__json_key(v), "move")) l->lexicon->move = (uint8_t)group;
    if (aio__json_str(aio__json_get(v, "forward"), &list)) {
      each_in(l, "relations", list, AIO__HIT_ROLE_RELATION, set_relation, 2 * group);
    }
    if (aio__json_str(aio__json_get(v, "reverse"), &list)) {
      each_in(l, "relations", list, AIO__HIT_ROLE_RELATION, set_relation, 2 * group + 1);
    }
    if (aio__json_str(aio__json_get(v, "verb"), &list)) {
      l->lexicon->groups_with_verb = (uint8_t)(l->lexicon->groups_with_verb | 1u << group);
      each_in(l, "relations", list, AIO__HIT_ROLE_RELATION_VERB, set_verb, group);
    }
  }
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static const struct {
  const char *member;
  unsigned role;
  word_fn *set;
} WORDS[] = {
  {"function", AIO__HIT_ROLE_FUNCTION, NULL},
  {"prepositions", AIO__HIT_ROLE_PREPOSITION, NULL},
  {"determiners", AIO__HIT_ROLE_DETERMINER, NULL},
  {"auxiliaries", AIO__HIT_ROLE_AUXILIARY, NULL},
  {"lead", AIO__HIT_ROLE_LEAD, NULL},
  {"asking", AIO__HIT_ROLE_ASKING, NULL},
  {"common", AIO__HIT_ROLE_COMMON, NULL},
  {"abbreviations", AIO__HIT_ROLE_ABBREVIATION, NULL},
  {"english", AIO__HIT_ROLE_ENGLISH, NULL},
  {"foreign", AIO__HIT_ROLE_FOREIGN, NULL},
  {"foreign_weak", AIO__HIT_ROLE_FOREIGN_WEAK, NULL},
  {"soft", AIO__HIT_ROLE_SOFT, NULL},
  {"age", AIO__HIT_ROLE_AGE, NULL},
  {"no_unit_alone", AIO__HIT_ROLE_UNIT, drop_unit_choice},
  {"glued_units", AIO__HIT_ROLE_GLUED_UNIT, NULL},
  {"loose_units", AIO__HIT_ROLE_LOOSE_UNIT, NULL},
  {"months", AIO__HIT_ROLE_MONTH, set_month},
  {"weekdays", AIO__HIT_ROLE_WEEKDAY, set_weekday},
  {"ambiguous_dates", AIO__HIT_ROLE_AMBIGUOUS_DATE, NULL},
  {"before_dates", AIO__HIT_ROLE_BEFORE_DATE, NULL},
  {"days", AIO__HIT_ROLE_DAY, set_day},
  {"periods", AIO__HIT_ROLE_PERIOD, set_period},
  {"am", AIO__HIT_ROLE_AM, NULL},
  {"pm", AIO__HIT_ROLE_PM, NULL},
  {"negators", AIO__HIT_ROLE_NEGATOR, NULL},
  {"negative_forms", AIO__HIT_ROLE_NEGATIVE, set_negative},
  {"half_negative", AIO__HIT_ROLE_HALF_NEGATIVE, NULL},
  {"knowing", AIO__HIT_ROLE_KNOWING, NULL},
  {"no_negation", AIO__HIT_ROLE_FUNCTION, NULL},
  {"positive_phrases", AIO__HIT_ROLE_FUNCTION, NULL},
  {"symmetric", AIO__HIT_ROLE_SYMMETRIC, NULL},
  {"even", AIO__HIT_ROLE_EVEN, NULL},
  {"particles", AIO__HIT_ROLE_PARTICLE, NULL},
  {"file_endings", AIO__HIT_ROLE_FILE_ENDING, NULL},
};

static const struct {
  const char *member;
  unsigned role;
  number_fn *set;
} NUMBERS[] = {
  {"numbers", AIO__HIT_ROLE_NUMBER, set_number},
  {"scales", AIO__HIT_ROLE_SCALE, set_number},
  {"glued_scales", AIO__HIT_ROLE_GLUED_SCALE, set_number},
  {"ordinals", AIO__HIT_ROLE_ORDINAL, set_ordinal},
  {"fractions", AIO__HIT_ROLE_FRACTION, set_fraction},
  {"steps", AIO__HIT_ROLE_STEP, set_step},
  {"times", AIO__HIT_ROLE_TIME, set_minute},
  {"questions", AIO__HIT_ROLE_QUESTION, set_question},
};

static void read_all(loader *l) {
  read_units(l); /* before what takes something away from them */
  for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0] && l->status == AIORCH_OK; i++) {
    read_words(l, WORDS[i].member, WORDS[i].role, WORDS[i].set);
  }
  for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0] && l->status == AIORCH_OK; i++) {
    read_numbers(l, NUMBERS[i].member, NUMBERS[i].role, NUMBERS[i].set);
  }
  if (l->status == AIORCH_OK) read_aliases(l);
  if (l->status == AIORCH_OK) read_relations(l);
  if (l->status == AIORCH_OK) read_sets(l);
  if (l->status == AIORCH_OK) mark_split_verbs(l->lexicon);
}

aiorch_status aio__hit_lexicon_new(const aio__alloc *al, aio__str json, aio__hit_lexicon *out, aiorch_error *error) {
  const aio__json_limits limits = {JSON_MAX, JSON_DEPTH, AIORCH_E_INTERNAL, "hit_guard.json"};
  loader l = {.lexicon = out, .error = error, .status = AIORCH_OK};
  aio__json *parsed = NULL;
  *out = (aio__hit_lexicon){.al = al, .slots_n = FIRST_SLOTS};
  aio__arena_init(&out->arena, al, BLOCK);
  out->slots = aio__calloc(al, FIRST_SLOTS, sizeof *out->slots);
  if (out->slots == NULL) fail(&l, AIORCH_E_NOMEM, "", "out of memory");
  if (l.status == AIORCH_OK) l.status = aio__json_parse(al, json, &limits, &parsed, error);
  if (l.status == AIORCH_OK) {
    l.root = aio__json_root(parsed);
    read_all(&l);
  }
  aio__json_free(parsed);
  if (l.status != AIORCH_OK) aio__hit_lexicon_free(out);
  return l.status;
}

void aio__hit_lexicon_free(aio__hit_lexicon *lexicon) {
  aio__free(lexicon->al, lexicon->entries);
  aio__free(lexicon->al, lexicon->slots);
  aio__free(lexicon->al, lexicon->choices);
  aio__arena_free(&lexicon->arena);
  lexicon->entries = NULL;
  lexicon->slots = NULL;
  lexicon->choices = NULL;
}
