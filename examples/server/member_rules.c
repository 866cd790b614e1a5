/*
 * What becomes of each member of a request, by tables: those of the body itself, and those of the objects in it. What is not done here is
 * said: by a refusal where it would change the answer, else by a warning in the `aiorch` object of the answer.
 */
#include "run_making.h"

#include <string.h>

void making_note(making *m, const char *format, ...) {
  cli_list *warnings = &m->x->warnings;
  cli_bytes words = {0};
  va_list args;
  if (warnings->count == EXCHANGE_WARNINGS_MAX) return;
  va_start(args, format);
  cli_addv(&words, format, args);
  va_end(args);
  size_t i = 0;
  while (i < warnings->count && strcmp(warnings->items[i], cli_z(&words)) != 0) i++;
  if (i == warnings->count) cli_list_add(warnings, cli_z(&words), words.len);
  cli_release(&words);
}

/* ---- one member ---- */

static bool is_neutral(const body_node *value, const char *neutral) {
  while (neutral && *neutral) {
    size_t len = strcspn(neutral, "|");
    if (len == value->raw_len && memcmp(neutral, value->raw, len) == 0) return true;
    neutral += len;
    if (*neutral == '|') neutral++;
  }
  return value->type == BODY_NULL;
}

static bool check_type(making *m, const body_node *value, const member_spec *spec) {
  static const char *const words[] = {"", "true or false", "a number", "a text", "a list", "an object"};
  if (spec->type == BODY_NULL || value->type == spec->type) return true;
  making_refuse(m, spec->name, "must be %s", words[spec->type]);
  m->why->code = "invalid_type";
  return false;
}

/* Cut at a whole character. */
static void name_of(const body_node *member, char out[64]) {
  size_t len = member->name_len < 64 ? member->name_len : 63, at = 0;
  while (at < len) {
    size_t n = cli_utf8_len(member->name + at, len - at);
    if (n == 0) break;
    at += n;
  }
  snprintf(out, 64, "%.*s", (int)at, member->name);
}

/* Sorts what is there by its spec; `unknown` is asked about what has none. False: it comes twice, or that said so. */
static bool sort(making *m, const body_node *object, const member_spec *specs, size_t count, const body_node **found,
                 bool (*unknown)(making *m, const body_node *member, const void *context), const void *context) {
  for (const body_node *member = object->child; member; member = member->next) {
    size_t i = 0;
    while (i < count && !body_named(member, specs[i].name)) i++;
    if (i == count && !unknown(m, member, context)) return false;
    if (i == count) continue;
    if (found[i]) return making_refuse(m, specs[i].name, "given twice");
    found[i] = member;
  }
  return true;
}

static bool refuse_member(making *m, const member_spec *spec) {
  making_refuse(m, spec->name, "not served here: %s", spec->words);
  m->why->code = "unsupported_parameter";
  return false;
}

/* ---- the body itself ---- */

typedef struct spec_names {
  const member_spec *specs;
  size_t count;
} spec_names;

static const char *next_name(size_t index, void *context) {
  const spec_names *names = context;
  return index < names->count ? names->specs[index].name : NULL;
}

static bool refuse_unknown(making *m, const body_node *member, const void *context) {
  char name[64];
  spec_names names = *(const spec_names *)context;
  name_of(member, name);
  const char *near = cli_nearest(name, next_name, &names);
  making_refuse(m, name, "no member of this request%s%s%s; docs/server-api.md has them all", near ? "; did you mean \"" : "", near ? near : "",
                near ? "\"?" : "");
  m->why->code = "unknown_parameter";
  return false;
}

void making_pass_on(making *m, const char *name, const char *json, size_t len) {
  const char *options = m->x->models->provider_options;
  body_json operators;
  bool theirs = *options && body_parse(&operators, options, strlen(options)) && body_get(operators.root, name);
  if (*options) body_free(&operators);
  if (theirs) {
    making_note(m, "\"%s\" has no effect: the operator of this server has set it", name);
    return;
  }
  if (m->passed.len) cli_addc(&m->passed, ',');
  cli_addf(&m->passed, "\"%s\":", name);
  cli_add(&m->passed, json, len);
}

bool making_members(making *m, const member_spec *specs, size_t count, const body_node **found) {
  spec_names names = {specs, count};
  if (m->root->type != BODY_OBJECT) return making_refuse(m, NULL, "the body must be a JSON object");
  if (!sort(m, m->root, specs, count, found, refuse_unknown, &names)) return false;
  for (size_t i = 0; i < count; i++) {
    const member_spec *spec = &specs[i];
    if (found[i] && is_neutral(found[i], spec->neutral)) found[i] = NULL;
    if (!found[i]) continue;
    if (spec->rule == MEMBER_REFUSED) return refuse_member(m, spec);
    if (!check_type(m, found[i], spec)) return false;
    if (spec->rule == MEMBER_PASSED) making_pass_on(m, spec->name, found[i]->raw, found[i]->raw_len);
    if (spec->rule == MEMBER_IGNORED) making_note(m, "\"%s\" has no effect here%s%s", spec->name, spec->words ? ": " : "", spec->words ? spec->words : "");
  }
  return true;
}

/* ---- objects in it ---- */

static bool note_unknown(making *m, const body_node *member, const void *context) {
  char name[64];
  name_of(member, name);
  const char *place = context;
  if (member->type != BODY_NULL) making_note(m, "\"%s%s%s\" has no effect here", place ? place : "", place ? "." : "", name);
  return true;
}

bool making_parts(making *m, const body_node *object, const char *place, const member_spec *specs, size_t count) {
  const body_node *found[MAKING_PARTS_MAX] = {0};
  if (!object || object->type != BODY_OBJECT) return making_refuse(m, NULL, "must be an object");
  if (!sort(m, object, specs, count, found, note_unknown, place)) return false;
  for (size_t i = 0; i < count; i++) {
    const member_spec *spec = &specs[i];
    if (!found[i] || is_neutral(found[i], spec->neutral)) continue;
    if (spec->rule == MEMBER_REFUSED) return refuse_member(m, spec);
    if (!check_type(m, found[i], spec)) return false;
    if (spec->rule == MEMBER_IGNORED) making_note(m, "\"%s.%s\" has no effect here", place, spec->name);
  }
  return true;
}
