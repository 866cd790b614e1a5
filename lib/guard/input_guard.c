/*
 * The input guard: every rule over every view of a text, the gravest finding wins; of equals the one in the first view,
 * then of the first rule.
 */
#include "guard/input_guard.h"

#include <string.h>

#include "guard/rule_set.h"
#include "text/normalize.h"
#include "text/unpack.h"

enum { ARENA_BLOCK_MIN = 4096, ARENA_BLOCK_MAX = 256 * 1024 };

struct aio__input_guard {
  const aio__alloc *al;
  aio__rule_set *rules;
};

aiorch_status aio__input_guard_new(const aio__alloc *al, aio__str extra_rules, aio__input_guard **out,
                                   aiorch_error *error) {
  aio__input_guard *guard = aio__calloc(al, 1, sizeof *guard);
  if (guard == NULL) return aio__error_set(error, AIORCH_E_NOMEM, "input rules: out of memory");
  guard->al = al;
  char *text = aio__unpack(&aio__data_input_rules, al);
  const aio__rule_file files[] = {
    {"input_rules.json", {text, aio__data_input_rules.len}},
    {"validate.rules_file", extra_rules},
  };
  aiorch_status status = text != NULL ? aio__rule_set_new(al, files, 2, true, &guard->rules, error)
                                      : aio__error_set(error, AIORCH_E_NOMEM, "input rules: out of memory");
  aio__free(al, text);
  if (status != AIORCH_OK) {
    aio__free(al, guard);
    return status;
  }
  *out = guard;
  return AIORCH_OK;
}

void aio__input_guard_free(aio__input_guard *guard) {
  if (guard == NULL) return;
  aio__rule_set_free(guard->rules);
  aio__free(guard->al, guard);
}

const char *aio__input_guard_version(const aio__input_guard *guard) {
  return aio__rule_set_version(guard->rules);
}

static void take(const aio__rule *rule, size_t start, size_t end, aio__input_finding *out) {
  *out = (aio__input_finding){rule->severity, rule->id, rule->category, rule->why, start, end};
}

static void check_hidden(const aio__input_guard *guard, const aio__views *views, aio__input_finding *out) {
  for (size_t i = 0; i < aio__rule_set_count(guard->rules); i++) {
    const aio__rule *rule = aio__rule_set_at(guard->rules, i);
    if (rule->pattern != NULL || rule->severity <= out->verdict) continue;
    bool found = (rule->min_hidden > 0 && views->hidden_n >= rule->min_hidden) ||
                 (rule->min_hidden_run > 0 && views->hidden_run >= rule->min_hidden_run) ||
                 (rule->min_hidden_tags > 0 && views->hidden_tags >= rule->min_hidden_tags);
    if (found) take(rule, views->hidden_start, views->hidden_end, out);
  }
}

static void check_view(const aio__input_guard *guard, aio__rule_scan *scan, const aio__view *view, aio__str text,
                       aio__input_finding *out) {
  aio__rule_scan_text(scan, view->text);
  for (size_t i = 0; i < aio__rule_set_count(guard->rules) && out->verdict != AIO__VERDICT_BLOCK; i++) {
    const aio__rule *rule = aio__rule_set_at(guard->rules, i);
    if (rule->severity <= out->verdict) continue;
    size_t start = 0, end = 0;
    aio__match match = aio__rule_scan_match(scan, i, 0, 0, &start, &end);
    if (match == AIO__MATCH_NONE) continue;
    if (match == AIO__MATCH_LIMIT) {
      *out = (aio__input_finding){AIO__VERDICT_BLOCK, "match_limit", rule->category,
                                  "the text made a rule reach its match limit", 0, text.n};
      continue;
    }
    aio__view_range(view, text, start, end, &start, &end);
    take(rule, start, end, out);
  }
}

static size_t arena_block(size_t text_bytes) {
  size_t block = text_bytes * 6 + ARENA_BLOCK_MIN;
  return block < ARENA_BLOCK_MAX ? block : ARENA_BLOCK_MAX;
}

aiorch_status aio__input_guard_check(const aio__input_guard *guard, aio__str text, aio__input_finding *out) {
  aio__views views;
  aio__arena arena;
  aio__arena_init(&arena, guard->al, arena_block(text.n));
  *out = (aio__input_finding){0};
  aiorch_status status = aio__normalize(&arena, text, &views);
  aio__rule_scan *scan = status == AIORCH_OK ? aio__rule_scan_get(guard->rules) : NULL;
  if (status == AIORCH_OK && scan == NULL) status = AIORCH_E_NOMEM;
  if (status == AIORCH_OK) {
    for (size_t i = 0; i < views.n && out->verdict != AIO__VERDICT_BLOCK; i++) {
      check_view(guard, scan, &views.view[i], text, out);
    }
    if (views.hidden_n > 0 && out->verdict != AIO__VERDICT_BLOCK) check_hidden(guard, &views, out);
  }
  if (scan != NULL) aio__rule_scan_put(guard->rules, scan);
  aio__arena_free(&arena);
  return status;
}

/* The byte at which character `index` of valid UTF-8 begins. */
static size_t offset_of(aio__str text, size_t index) {
  size_t pos = 0;
  for (; pos < text.n; pos++) {
    bool begins = ((unsigned char)text.p[pos] & 0xC0) != 0x80;
    if (begins && index-- == 0) break;
  }
  return pos;
}

aiorch_status aio__input_check_text(aio__str text, size_t max_chars, size_t *code_points, aiorch_error *error) {
  size_t count = 0;
  if (text.n == 0) return aio__error_set(error, AIORCH_E_INVALID_INPUT, "the message is empty: send some text");
  size_t valid = aio__utf8_check(text, &count);
  if (valid < text.n) {
    return aio__error_set(error, AIORCH_E_INVALID_INPUT,
                          "byte %zu (0x%02X) is not valid UTF-8: convert the message to UTF-8 before sending it", valid,
                          (unsigned)(unsigned char)text.p[valid]);
  }
  const char *nul = memchr(text.p, '\0', text.n);
  if (nul != NULL) {
    return aio__error_set(error, AIORCH_E_INVALID_INPUT, "byte %zu is NUL: a message is text without NUL bytes",
                          (size_t)(nul - text.p));
  }
  if (count > max_chars) {
    return aio__error_set(error, AIORCH_E_INVALID_INPUT,
                          "the message has %zu characters, the limit is %zu (from byte %zu on it is too long): shorten "
                          "it, or raise validate.user_chars (validate.tool_chars for a tool's message)",
                          count, max_chars, offset_of(text, max_chars));
  }
  if (aio__normalize_is_blank(text)) {
    return aio__error_set(error, AIORCH_E_INVALID_INPUT,
                          "bytes 0 to %zu are white space, marks or invisible characters only: send some text", text.n);
  }
  if (code_points != NULL) *code_points = count;
  return AIORCH_OK;
}
