/* See tier.h. */
#include "generate/tier.h"

#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "text/json.h"
#include "text/unpack.h"

enum { JSON_DEPTH = 6, RULES_BYTES_MAX = 1 << 20, COUNT_MAX = 1000000000 };

typedef enum when { CHARS, TURNS, QUESTION_MARKS, TOOLS, CODE, SCHEMA, WORDS } when;

static const char *const WHEN[] = {"chars", "turns", "question_marks", "tools", "code", "schema", "words"};

typedef struct rule {
  aio__str name;
  when when;
  int points;
  size_t at_least;
  aio__str *words;
  size_t word_count;
} rule;

struct aio__tier_rules {
  const aio__alloc *al;
  aio__arena arena;
  int complex_at;
  rule *rules;
  size_t count;
};

/* ---- reading ---- */

static const char NAME[] = "tier rules";

static aiorch_status no_memory(aiorch_error *error) { return aio__error_set(error, AIORCH_E_NOMEM, "%s: out of memory", NAME); }

static aiorch_status fault(aiorch_error *error, size_t index, const char *what) {
  return aio__error_set(error, AIORCH_E_CONFIG, "%s, rule %zu: %s", NAME, index + 1, what);
}

static aiorch_status read_words(aio__tier_rules *rules, const aio__json_value *list, rule *out, size_t index, aiorch_error *error) {
  size_t count = aio__json_size(list);
  if (aio__json_typeof(list) != AIO__JSON_ARRAY || count == 0 || count > AIO__TIER_WORDS_MAX) {
    return fault(error, index, "\"any\" must be a list of 1 to 1024 texts");
  }
  out->words = aio__arena_alloc(&rules->arena, count * sizeof *out->words);
  if (!out->words) return no_memory(error);
  for (const aio__json_value *v = aio__json_first(list); v; v = aio__json_next(v)) {
    aio__str word;
    if (!aio__json_str(v, &word) || word.n == 0) return fault(error, index, "\"any\" has what is no text, or an empty one");
    word = aio__arena_str(&rules->arena, word);
    if (!word.p) return no_memory(error);
    out->words[out->word_count++] = word;
  }
  return AIORCH_OK;
}

static bool read_when(const aio__json_value *value, when *out) {
  aio__str text;
  if (!aio__json_str(value, &text)) return false;
  for (size_t i = 0; i < sizeof WHEN / sizeof WHEN[0]; i++) {
    if (!aio__str_eqz(text, WHEN[i])) continue;
    *out = (when)i;
    return true;
  }
  return false;
}

static bool read_number(const aio__json_value *value, int64_t min, int64_t max, int64_t *out) {
  return aio__json_i64(value, out) && *out >= min && *out <= max;
}

static aiorch_status read_rule(aio__tier_rules *rules, const aio__json_value *json, size_t index, aiorch_error *error) {
  rule *out = &rules->rules[index];
  int64_t points = 0, at_least = 1;
  aio__str name;
  memset(out, 0, sizeof *out);
  if (!aio__json_str(aio__json_get(json, "name"), &name) || name.n == 0 || name.n > 40) {
    return fault(error, index, "\"name\" must be a text of 1 to 40 bytes");
  }
  out->name = aio__arena_str(&rules->arena, name);
  if (!out->name.p) return no_memory(error);
  if (!read_when(aio__json_get(json, "when"), &out->when)) {
    return fault(error, index, "\"when\" must be chars, turns, question_marks, tools, code, schema or words");
  }
  if (!read_number(aio__json_get(json, "points"), -AIO__TIER_POINTS_MAX, AIO__TIER_POINTS_MAX, &points)) {
    return fault(error, index, "\"points\" must be a whole number from -1000 to 1000");
  }
  bool counted = out->when == CHARS || out->when == TURNS || out->when == QUESTION_MARKS || out->when == TOOLS;
  if (counted && !read_number(aio__json_get(json, "at_least"), 1, COUNT_MAX, &at_least)) {
    return fault(error, index, "\"at_least\" must be a whole number from 1");
  }
  out->points = (int)points;
  out->at_least = (size_t)at_least;
  return out->when == WORDS ? read_words(rules, aio__json_get(json, "any"), out, index, error) : AIORCH_OK;
}

static aiorch_status read_rules(aio__tier_rules *rules, const aio__json_value *root, aiorch_error *error) {
  const aio__json_value *list = aio__json_get(root, "rules");
  int64_t complex_at = 0;
  size_t count = aio__json_size(list);
  if (!read_number(aio__json_get(root, "complex_at"), -AIO__TIER_POINTS_MAX, AIO__TIER_POINTS_MAX, &complex_at)) {
    return aio__error_set(error, AIORCH_E_CONFIG, "%s: \"complex_at\" must be a whole number from -1000 to 1000", NAME);
  }
  if (aio__json_typeof(list) != AIO__JSON_ARRAY || count > AIO__TIER_RULES_MAX) {
    return aio__error_set(error, AIORCH_E_CONFIG, "%s: \"rules\" must be a list of at most %d rules", NAME, (int)AIO__TIER_RULES_MAX);
  }
  rules->complex_at = (int)complex_at;
  rules->rules = aio__arena_alloc(&rules->arena, (count + 1) * sizeof *rules->rules);
  if (!rules->rules) return no_memory(error);
  for (const aio__json_value *v = aio__json_first(list); v; v = aio__json_next(v)) {
    aiorch_status st = read_rule(rules, v, rules->count, error);
    if (st) return st;
    rules->count++;
  }
  return AIORCH_OK;
}

aiorch_status aio__tier_rules_new(const aio__alloc *al, aio__str text, aio__tier_rules **out, aiorch_error *error) {
  const aio__json_limits limits = {RULES_BYTES_MAX, JSON_DEPTH, AIORCH_E_CONFIG_SYNTAX, NAME};
  char *own = NULL;
  aio__json *json = NULL;
  aio__tier_rules *rules = aio__calloc(al, 1, sizeof *rules);
  if (!rules) return no_memory(error);
  rules->al = al;
  aio__arena_init(&rules->arena, al, 4096);
  aiorch_status st = AIORCH_OK;
  if (text.n == 0) {
    own = aio__unpack(&aio__data_tier_rules, al);
    if (own) text = aio__str_n(own, aio__data_tier_rules.len);
    else st = no_memory(error);
  }
  if (st == AIORCH_OK) st = aio__json_parse(al, text, &limits, &json, error);
  if (st == AIORCH_OK) st = read_rules(rules, aio__json_root(json), error);
  aio__json_free(json);
  aio__free(al, own);
  if (st) aio__tier_rules_free(rules);
  else *out = rules;
  return st;
}

void aio__tier_rules_free(aio__tier_rules *rules) {
  if (!rules) return;
  const aio__alloc *al = rules->al;
  aio__arena_free(&rules->arena);
  aio__free(al, rules);
}

/* ---- looking ---- */

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

static bool is_word_byte(char c) {
  char l = lower(c);
  return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

static bool stands_at(aio__str text, size_t at, aio__str word) {
  if (word.n > text.n - at) return false;
  for (size_t i = 0; i < word.n; i++) {
    if (lower(text.p[at + i]) != lower(word.p[i])) return false;
  }
  size_t end = at + word.n;
  bool open_before = at == 0 || !is_word_byte(text.p[at - 1]) || !is_word_byte(word.p[0]);
  bool open_after = end == text.n || !is_word_byte(text.p[end]) || !is_word_byte(word.p[word.n - 1]);
  return open_before && open_after;
}

static bool has_words(aio__str text, const rule *r) {
  for (size_t k = 0; k < r->word_count; k++) {
    for (size_t i = 0; i + r->words[k].n <= text.n; i++) {
      if (stands_at(text, i, r->words[k])) return true;
    }
  }
  return false;
}

/* A fence, or two lines that end as statements do. */
static bool has_code(aio__str text) {
  size_t lines = 0;
  for (size_t i = 0; i < text.n; i++) {
    if (i + 3 <= text.n && memcmp(text.p + i, "```", 3) == 0) return true;
    bool end = i + 1 == text.n || text.p[i + 1] == '\n';
    if (end && (text.p[i] == ';' || text.p[i] == '{' || text.p[i] == '}') && ++lines == 2) return true;
  }
  return false;
}

static size_t question_marks(aio__str text) {
  size_t n = 0;
  for (size_t i = 0; i < text.n; i++) n += text.p[i] == '?';
  return n;
}

static bool holds(const rule *r, const aio__tier_signals *signals) {
  size_t chars = 0;
  switch (r->when) {
    case CHARS:
      (void)aio__utf8_check(signals->question, &chars);
      return chars >= r->at_least;
    case TURNS: return signals->turns >= r->at_least;
    case QUESTION_MARKS: return question_marks(signals->question) >= r->at_least;
    case TOOLS: return signals->tools >= r->at_least;
    case CODE: return has_code(signals->question);
    case SCHEMA: return signals->schema;
    default: return has_words(signals->question, r);
  }
}

static void note(aio__tier_choice *choice, aio__str name) {
  size_t n = strlen(choice->because);
  if (n + name.n + 2 > sizeof choice->because) return;
  if (n > 0) choice->because[n++] = ',';
  memcpy(choice->because + n, name.p, name.n);
  choice->because[n + name.n] = '\0';
}

aio__tier_choice aio__tier_choose(const aio__tier_rules *rules, const char *setting, const aio__tier_signals *signals) {
  aio__tier_choice choice = {.made = true};
  if (strcmp(setting, "simple") == 0) choice.tier = AIO__TIER_SIMPLE;
  if (strcmp(setting, "complex") == 0) choice.tier = AIO__TIER_COMPLEX;
  if (strcmp(setting, "auto") != 0) return choice;
  choice.by_rules = true;
  for (size_t i = 0; i < rules->count; i++) {
    if (!holds(&rules->rules[i], signals)) continue;
    choice.points += rules->rules[i].points;
    note(&choice, rules->rules[i].name);
  }
  choice.tier = choice.points >= rules->complex_at ? AIO__TIER_COMPLEX : AIO__TIER_SIMPLE;
  return choice;
}

const char *aio__tier_name(aio__tier tier) {
  switch (tier) {
    case AIO__TIER_SIMPLE: return "simple";
    case AIO__TIER_COMPLEX: return "complex";
    default: return "default";
  }
}
