/*
 * Rule files: JSON to rules, with messages that name the file, the rule and the member.
 *
 * {"define": {"name": "regular expression"}, "rules": [...]}; a pattern may say {{name}} for what "define" has under
 * that name, and may be a list of alternatives.
 */
#include "guard/rule_load.h"

#include <string.h>

#include "core/buf.h"
#include "guard/literals.h"
#include "text/json.h"
#include "text/normalize.h"

enum { JSON_DEPTH = 8, DEFINED_NAME_MAX = 32, COUNT_MAX = 1000000 };

typedef struct loader {
  aio__rule_list *list;
  const char *file;
  const aio__json_value *defines;
  const aio__json_value *json;  /* of the rule at hand */
  aio__rule *rule;
  size_t index;                 /* of the rule in its file */
  aiorch_error *error;
} loader;

static const char *const MEMBERS[] = {"id",          "category",   "language",       "severity",
                                      "pattern",     "needs",      "why",            "reach",
                                      "min_entropy", "min_hidden", "min_hidden_run", "min_hidden_tags"};

static aiorch_status out_of_memory(const loader *l) {
  return aio__error_set(l->error, AIORCH_E_NOMEM, "%s: out of memory", l->file);
}

static aiorch_status fault(const loader *l, const char *member, const char *what) {
  if (l->rule == NULL || l->rule->id == NULL) {
    return aio__error_set(l->error, AIORCH_E_CONFIG, "%s, rule %zu, \"%s\": %s", l->file, l->index + 1, member, what);
  }
  return aio__error_set(l->error, AIORCH_E_CONFIG, "%s, rule \"%s\", \"%s\": %s", l->file, l->rule->id, member, what);
}

static aiorch_status read_text(const loader *l, const char *member, const char **out) {
  aio__str text;
  if (!aio__json_str(aio__json_get(l->json, member), &text) || text.n == 0) {
    return fault(l, member, "must be a text that is not empty");
  }
  *out = aio__arena_strn(l->list->arena, text.p, text.n);
  return *out != NULL ? AIORCH_OK : out_of_memory(l);
}

static aiorch_status read_count(const loader *l, const char *member, int64_t max, uint32_t *out) {
  const aio__json_value *value = aio__json_get(l->json, member);
  int64_t number = 0;
  if (value == NULL) return AIORCH_OK;
  if (!aio__json_i64(value, &number) || number < 1 || number > max) {
    return fault(l, member, "must be a whole number from 1 to its limit (reach: 8192, others: 1000000)");
  }
  *out = (uint32_t)number;
  return AIORCH_OK;
}

/* ---- patterns ---------------------------------------------------------------------------------------------------- */

/* Appends one alternative with its {{names}} replaced. */
static aiorch_status expand_names(const loader *l, aio__str text, aio__buf *buf) {
  for (size_t i = 0; i < text.n;) {
    bool name = i + 1 < text.n && text.p[i] == '{' && text.p[i + 1] == '{';
    if (!name) {
      aio__buf_char(buf, text.p[i++]);
      continue;
    }
    size_t start = i + 2, end = start;
    while (end < text.n && text.p[end] != '}') end++;
    char key[DEFINED_NAME_MAX + 1] = {0};
    if (end - start <= DEFINED_NAME_MAX) memcpy(key, text.p + start, end - start);
    aio__str value;
    if (end + 1 >= text.n || text.p[end + 1] != '}' || !aio__json_str(aio__json_get(l->defines, key), &value)) {
      return fault(l, "pattern", "a {{name}} in it is not under \"define\"");
    }
    aio__buf_z(buf, "(?:");
    aio__buf_str(buf, value);
    aio__buf_z(buf, ")");
    i = end + 2;
  }
  return AIORCH_OK;
}

static aiorch_status join_pattern(const loader *l, const aio__json_value *value, aio__buf *buf) {
  aio__str text;
  if (aio__json_str(value, &text)) return expand_names(l, text, buf);
  const aio__json_value *first = aio__json_first(value);
  if (aio__json_typeof(value) != AIO__JSON_ARRAY || first == NULL) {
    return fault(l, "pattern", "must be a regular expression or a list of them");
  }
  aiorch_status status = AIORCH_OK;
  for (const aio__json_value *v = first; v != NULL && status == AIORCH_OK; v = aio__json_next(v)) {
    if (!aio__json_str(v, &text)) return fault(l, "pattern", "must be a regular expression or a list of them");
    if (v != first) aio__buf_char(buf, '|');
    aio__buf_z(buf, "(?:");
    status = expand_names(l, text, buf);
    aio__buf_char(buf, ')');
  }
  return status;
}

static aiorch_status spelled(const loader *l, aio__str text, aio__str *out) {
  if (l->list->spell) {
    return aio__normalize_spelling(l->list->arena, text, out) == AIORCH_OK ? AIORCH_OK : out_of_memory(l);
  }
  *out = aio__arena_str(l->list->arena, text);
  return out->p != NULL ? AIORCH_OK : out_of_memory(l);
}

static aiorch_status read_pattern(const loader *l) {
  const aio__json_value *value = aio__json_get(l->json, "pattern");
  bool hidden = l->rule->min_hidden != 0 || l->rule->min_hidden_run != 0 || l->rule->min_hidden_tags != 0;
  if (value == NULL && hidden) return AIORCH_OK;
  if (hidden) return fault(l, "pattern", "a rule about hidden characters has none");
  aio__buf buf;
  aio__buf_init(&buf, l->list->al, AIO__RULE_PATTERN_MAX);
  aiorch_status status = join_pattern(l, value, &buf);
  if (status == AIORCH_OK && buf.failed == AIORCH_E_NOMEM) status = out_of_memory(l);
  if (status == AIORCH_OK && buf.failed != AIORCH_OK) status = fault(l, "pattern", "is longer than 4096 bytes");
  if (status == AIORCH_OK && buf.n == 0) status = fault(l, "pattern", "must not be empty");
  if (status == AIORCH_OK) status = spelled(l, aio__buf_view(&buf), &l->rule->source);
  aio__buf_free(&buf);
  if (status != AIORCH_OK) return status;
  aiorch_error detail;
  aio__error_init(&detail);
  status = aio__pattern_compile(l->list->al, l->rule->source, &l->rule->pattern, &detail);
  if (status == AIORCH_E_NOMEM) return out_of_memory(l);
  return status == AIORCH_OK ? AIORCH_OK : fault(l, "pattern", detail.message);
}

/* ---- needs ------------------------------------------------------------------------------------------------------- */

static aiorch_status add_need(const loader *l, aio__str literal, size_t rule, size_t group) {
  aio__rule_list *list = l->list;
  if (list->needs_n == AIO__LITERALS_MAX) return fault(l, "needs", "more than 4096 literals in all");
  if (list->needs_n == list->needs_cap) {
    size_t cap = list->needs_cap == 0 ? 256 : list->needs_cap * 2;
    aio__rule_need *grown = aio__realloc(list->al, list->needs, cap * sizeof *grown);
    if (grown == NULL) return out_of_memory(l);
    list->needs = grown;
    list->needs_cap = cap;
  }
  aio__str text;
  aiorch_status status = spelled(l, literal, &text);
  if (status != AIORCH_OK) return status;
  if (text.n < AIO__LITERAL_MIN || text.n > AIO__LITERAL_MAX) return fault(l, "needs", "a literal has 3 to 64 bytes");
  list->needs[list->needs_n++] = (aio__rule_need){text, (uint16_t)rule, (uint8_t)group};
  return AIORCH_OK;
}

static aiorch_status read_needs(const loader *l, size_t rule) {
  const char *form = "must be a list of lists of literals";
  const aio__json_value *value = aio__json_get(l->json, "needs");
  if (value == NULL) return AIORCH_OK;
  if (aio__json_typeof(value) != AIO__JSON_ARRAY) return fault(l, "needs", form);
  size_t group = 0;
  for (const aio__json_value *g = aio__json_first(value); g != NULL; g = aio__json_next(g), group++) {
    if (aio__json_typeof(g) != AIO__JSON_ARRAY || aio__json_size(g) == 0) return fault(l, "needs", form);
    if (group == AIO__RULE_GROUPS_MAX) return fault(l, "needs", "more than 8 groups");
    for (const aio__json_value *v = aio__json_first(g); v != NULL; v = aio__json_next(v)) {
      aio__str literal;
      if (!aio__json_str(v, &literal)) return fault(l, "needs", form);
      aiorch_status status = add_need(l, literal, rule, group);
      if (status != AIORCH_OK) return status;
    }
    l->rule->groups++;
  }
  return AIORCH_OK;
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static aiorch_status check_members(const loader *l) {
  if (aio__json_typeof(l->json) != AIO__JSON_OBJECT) return fault(l, "rules", "each must be an object");
  for (const aio__json_value *v = aio__json_first(l->json); v != NULL; v = aio__json_next(v)) {
    aio__str key = aio__json_key(v);
    bool known = false;
    for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++) known = known || aio__str_eqz(key, MEMBERS[i]);
    if (!known) {
      return aio__error_set(l->error, AIORCH_E_CONFIG, "%s, rule %zu: unknown member \"%.*s\"", l->file, l->index + 1,
                            (int)(key.n < AIO__RULE_ID_MAX ? key.n : AIO__RULE_ID_MAX), key.p);
    }
  }
  return AIORCH_OK;
}

static aiorch_status read_severity(const loader *l) {
  aio__str text;
  if (aio__json_str(aio__json_get(l->json, "severity"), &text)) {
    if (aio__str_eqz(text, "block")) l->rule->severity = AIO__VERDICT_BLOCK;
    if (aio__str_eqz(text, "flag")) l->rule->severity = AIO__VERDICT_FLAG;
  }
  return l->rule->severity != AIO__VERDICT_PASS ? AIORCH_OK : fault(l, "severity", "must be \"block\" or \"flag\"");
}

static aiorch_status read_rule(const loader *l, size_t rule) {
  aiorch_status status = read_text(l, "id", &l->rule->id);
  if (status == AIORCH_OK && strlen(l->rule->id) > AIO__RULE_ID_MAX) status = fault(l, "id", "is longer than 64 bytes");
  if (status == AIORCH_OK) status = read_text(l, "category", &l->rule->category);
  if (status == AIORCH_OK) status = read_text(l, "language", &l->rule->language);
  if (status == AIORCH_OK) status = read_text(l, "why", &l->rule->why);
  if (status == AIORCH_OK) status = read_severity(l);
  l->rule->reach = AIO__RULE_REACH;
  if (status == AIORCH_OK) status = read_count(l, "reach", AIO__RULE_REACH_MAX, &l->rule->reach);
  if (status == AIORCH_OK) status = read_count(l, "min_entropy", COUNT_MAX, &l->rule->min_entropy);
  if (status == AIORCH_OK) status = read_count(l, "min_hidden", COUNT_MAX, &l->rule->min_hidden);
  if (status == AIORCH_OK) status = read_count(l, "min_hidden_run", COUNT_MAX, &l->rule->min_hidden_run);
  if (status == AIORCH_OK) status = read_count(l, "min_hidden_tags", COUNT_MAX, &l->rule->min_hidden_tags);
  if (status == AIORCH_OK) status = read_pattern(l);
  if (status == AIORCH_OK) status = read_needs(l, rule);
  return status;
}

/* The place of the rule at hand: that of the rule with its id, emptied, or a new one. */
static aiorch_status place_rule(loader *l, size_t *out) {
  aio__rule_list *list = l->list;
  aio__str id = {NULL, 0};
  size_t at = 0;
  if (!aio__json_str(aio__json_get(l->json, "id"), &id)) return fault(l, "id", "must be a text that is not empty");
  while (at < list->n && !aio__str_eqz(id, list->rules[at].id)) at++;
  if (at == AIO__RULES_MAX) return fault(l, "id", "more than 512 rules");
  if (at == list->n && list->n == list->cap) {
    size_t cap = list->cap == 0 ? 64 : list->cap * 2;
    aio__rule *grown = aio__realloc(list->al, list->rules, cap * sizeof *grown);
    if (grown == NULL) return out_of_memory(l);
    list->rules = grown;
    list->cap = cap;
  }
  if (at < list->n) {
    aio__pattern_free(list->rules[at].pattern);
    size_t kept = 0;
    for (size_t i = 0; i < list->needs_n; i++) {
      if (list->needs[i].rule != at) list->needs[kept++] = list->needs[i];
    }
    list->needs_n = kept;
  } else {
    list->n++;
  }
  list->rules[at] = (aio__rule){0};
  *out = at;
  return AIORCH_OK;
}

static aiorch_status read_rules(loader *l, const aio__json_value *root) {
  const aio__json_value *rules = aio__json_get(root, "rules");
  if (aio__json_typeof(root) != AIO__JSON_OBJECT || aio__json_typeof(rules) != AIO__JSON_ARRAY) {
    return aio__error_set(l->error, AIORCH_E_CONFIG, "%s: must be an object with the list \"rules\"", l->file);
  }
  l->defines = aio__json_get(root, "define");
  aiorch_status status = AIORCH_OK;
  for (const aio__json_value *v = aio__json_first(rules); v != NULL && status == AIORCH_OK; v = aio__json_next(v)) {
    size_t at = 0;
    l->json = v;
    l->rule = NULL;
    status = check_members(l);
    if (status == AIORCH_OK) status = place_rule(l, &at);
    if (status == AIORCH_OK) {
      l->rule = &l->list->rules[at];
      status = read_rule(l, at);
    }
    l->index++;
  }
  return status;
}

aiorch_status aio__rule_load_file(aio__rule_list *list, const aio__rule_file *file, aiorch_error *error) {
  aio__json_limits limits = {AIO__RULES_BYTES_MAX, JSON_DEPTH, AIORCH_E_CONFIG, file->name};
  aio__json *json = NULL;
  aiorch_status status = aio__json_parse(list->al, file->text, &limits, &json, error);
  if (status != AIORCH_OK) {
    if (status != AIORCH_E_TOO_LARGE) return status;
    return aio__error_set(error, AIORCH_E_CONFIG, "%s: is longer than %d bytes", file->name, (int)AIO__RULES_BYTES_MAX);
  }
  loader l = {.list = list, .file = file->name, .error = error};
  status = read_rules(&l, aio__json_root(json));
  aio__json_free(json);
  return status;
}

void aio__rule_list_free(aio__rule_list *list) {
  for (size_t i = 0; i < list->n; i++) aio__pattern_free(list->rules[i].pattern);
  aio__free(list->al, list->rules);
  aio__free(list->al, list->needs);
  list->rules = NULL;
  list->needs = NULL;
  list->n = list->needs_n = 0;
}
