/* See run_making.h. */
#include "run_making.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

wire_state *wire_state_of(exchange *x) {
  if (!x->state) {
    wire_state *state = cli_alloc(sizeof *state);
    state->created_s = (int64_t)time(NULL);
    x->state = state;
  }
  return x->state;
}

void wire_state_free(exchange *x) {
  wire_state *state = x->state;
  if (!state) return;
  cli_release(&state->head);
  cli_release(&state->tail);
  free(state);
  x->state = NULL;
}

/* ---- what can go wrong ---- */

void making_at(making *m, const char *list, size_t at) {
  m->list = list;
  m->at = (int64_t)at;
  m->sub = m->in = NULL;
}

bool making_each(making *m, const char *list, const body_node *items, bool (*take)(making *, const body_node *)) {
  size_t i = 0;
  for (const body_node *item = items->child; item; item = item->next) {
    making_at(m, list, i++);
    if (!take(m, item)) return false;
  }
  m->list = NULL;
  return true;
}

void making_sub(making *m, const char *sub, size_t at) {
  m->sub = sub;
  m->in = NULL;
  m->sub_at = (int64_t)at;
}

void making_in(making *m, const char *in) { m->in = in; }

__attribute__((format(printf, 2, 3))) static void add_place(char *place, const char *format, ...) {
  va_list args;
  size_t used = strlen(place);
  va_start(args, format);
  vsnprintf(place + used, MAKING_PLACE_MAX + 1 - used, format, args);
  va_end(args);
}

/* "messages[3].content[0].image_url", for people and for programs. */
static const char *place_of(making *m, const char *member) {
  char *place = m->state->place;
  *place = '\0';
  if (m->list) add_place(place, "%s[%" PRId64 "]", m->list, m->at);
  if (m->list && m->sub) add_place(place, ".%s[%" PRId64 "]", m->sub, m->sub_at);
  if (m->in) add_place(place, "%s%s", *place ? "." : "", m->in);
  if (member) add_place(place, "%s%s", *place ? "." : "", member);
  return *place ? place : NULL;
}

bool making_refuse(making *m, const char *member, const char *format, ...) {
  cli_bytes words = {0};
  va_list args;
  va_start(args, format);
  cli_addv(&words, format, args);
  va_end(args);
  const char *place = place_of(m, member);
  http_problem_set(m->why, 400, NULL, place, "%s%s%s", place ? place : "", place ? ": " : "", cli_z(&words));
  cli_release(&words);
  return false;
}

bool making_check(making *m, aiorch_status status, const char *member) {
  return status == AIORCH_OK || exchange_refused(m->x, status, place_of(m, member), m->why);
}

/* ---- pieces ---- */

bool making_option(making *m, const char *key, const char *value, size_t len, const char *member) {
  return making_check(m, aiorch_run_set_option(m->x->run, key, value, len), member);
}

bool making_value(making *m, const char *key, const body_node *node, const char *member) {
  if (!node) return true;
  bool text = node->type == BODY_TEXT;
  return making_option(m, key, text ? node->text : node->raw, text ? node->len : node->raw_len, member);
}

bool making_number(making *m, const char *key, const body_node *node, const char *member) {
  int64_t whole;
  char text[24];
  if (!node) return true;
  if (node->type != BODY_NUMBER || *node->raw == '-') return making_refuse(m, member, "must be a number, 0 or above");
  if (!body_i64(node, &whole)) return making_option(m, key, node->raw, node->raw_len, member);
  int len = snprintf(text, sizeof text, "%" PRId64, whole); /* 5.0 is 5, too */
  return making_option(m, key, text, (size_t)len, member);
}

bool making_model(making *m, const body_node *model) {
  if (!model || model->type != BODY_TEXT || model->len == 0) {
    return making_refuse(m, "model", "needed: \"aiorch\" for the providers as they are configured, or one of GET /v1/models");
  }
  snprintf(m->state->model, sizeof m->state->model, "%.*s", model->len < MAKING_MODEL_MAX ? (int)model->len : MAKING_MODEL_MAX, model->text);
  if (model_catalog_find(m->x->models, model->text, model->len, &m->choice)) {
    cli_addz(&m->provider, m->choice.provider);
    return true;
  }
  http_problem_set(m->why, 404, "model_not_found", "model", "the model \"%.100s\" is none that this server asks for; GET /v1/models has them",
                   m->state->model);
  m->why->type = "invalid_request_error";
  return false;
}

static const member_spec CACHE_CONTROL[] = {{"type", MEMBER_TAKEN, BODY_TEXT, NULL, NULL}, {"ttl", MEMBER_TAKEN, BODY_TEXT, NULL, NULL}};

bool making_cache(making *m, const body_node *control, int32_t role, const char *member) {
  if (!control) return true;
  making_in(m, member);
  if (!making_parts(m, control, "cache_control", SPECS(CACHE_CONTROL))) return false;
  making_in(m, NULL);
  const body_node *ttl = body_get(control, "ttl");
  bool longer = body_is(ttl, "1h");
  if (!body_is(body_get(control, "type"), "ephemeral") || (ttl && !longer && !body_is(ttl, "5m"))) {
    return making_refuse(m, member, "must be {\"type\": \"ephemeral\"}, with \"ttl\" \"5m\" or \"1h\"");
  }
  if (role == AIORCH_ROLE_SYSTEM) return making_option(m, "generate.cache_prompt", longer ? "1h" : "5m", 2, member);
  if (ttl) making_note(m, "\"ttl\" of a mark in a message has no effect: that of the system text holds for all");
  return making_check(m, aiorch_run_add_cache_marker(m->x->run), member);
}

bool making_is_blank(const body_node *content) {
  if (!content) return false;
  if (content->type == BODY_TEXT) return content->len == 0;
  if (content->type != BODY_ARRAY) return false;
  for (const body_node *part = content->child; part; part = part->next) {
    const body_node *text = body_get_text(part, "text");
    if (!body_is(body_get(part, "type"), "text") || !text || text->len > 0) return false;
  }
  return true;
}

void making_note_blank(making *m) { making_note(m, "a message of the assistant without content is left out"); }

bool making_stop(making *m, const body_node *stop, const char *member) {
  if (!stop) return true;
  if (stop->type == BODY_TEXT) return making_check(m, aiorch_run_add_stop(m->x->run, stop->text, stop->len), member);
  if (stop->type != BODY_ARRAY) return making_refuse(m, member, "must be a text or a list of texts");
  size_t count = 0;
  for (const body_node *one = stop->child; one; one = one->next) {
    if (++count > MAKING_STOPS_MAX) return making_refuse(m, member, "at most %d texts", MAKING_STOPS_MAX);
    if (one->type != BODY_TEXT) return making_refuse(m, member, "must be a text or a list of texts");
    if (!making_check(m, aiorch_run_add_stop(m->x->run, one->text, one->len), member)) return false;
  }
  return true;
}

bool making_image_data(making *m, const char *type, size_t type_len, const char *data, size_t len) {
  static const char *const types[] = {"image/png", "image/jpeg", "image/gif", "image/webp"};
  const char *known = NULL;
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (strlen(types[i]) == type_len && memcmp(types[i], type, type_len) == 0) known = types[i];
  }
  if (type_len == 9 && memcmp(type, "image/jpg", 9) == 0) known = types[1];
  if (!known) return making_refuse(m, "image", "a picture is image/png, image/jpeg, image/gif or image/webp");
  return making_check(m, aiorch_run_add_image(m->x->run, known, data, len), "image");
}

bool making_image_url(making *m, const char *url, size_t len) {
  static const char mark[] = ";base64,";
  const char *comma = len > 5 && memcmp(url, "data:", 5) == 0 ? memchr(url, ',', len) : NULL;
  size_t mark_len = sizeof mark - 1, head = comma ? (size_t)(comma - url) + 1 : 0;
  if (!comma) return making_check(m, aiorch_run_add_image_url(m->x->run, url, len), "image_url");
  if (head < 5 + mark_len || memcmp(url + head - mark_len, mark, mark_len) != 0) {
    return making_refuse(m, "image_url", "a data: URL must hold base64: data:image/png;base64,...");
  }
  const char *type = url + 5;
  size_t type_len = 0;
  while (type[type_len] != ';') type_len++;
  return making_image_data(m, type, type_len, url + head, len - head);
}

bool making_add_call(making *m, const body_node *id, const body_node *name, const char *arguments, size_t len) {
  if (!id || id->type != BODY_TEXT || !name || name->type != BODY_TEXT) return making_refuse(m, NULL, "a tool call has an id and a name");
  if (m->call_count == MAKING_CALLS_MAX) return making_refuse(m, NULL, "more than %d tool calls in one conversation", MAKING_CALLS_MAX);
  if (m->call_count == m->call_cap) {
    m->call_cap = m->call_cap ? m->call_cap * 2 : 8;
    m->calls = cli_grow(m->calls, m->call_cap, sizeof *m->calls);
  }
  m->calls[m->call_count++] = (making_call){id->text, name->text, id->len, name->len};
  return making_check(m, aiorch_run_add_tool_call(m->x->run, id->text, id->len, name->text, name->len, arguments, len), NULL);
}

bool making_find_call(making *m, const body_node *id, const making_call **out) {
  if (!id || id->type != BODY_TEXT) return making_refuse(m, NULL, "a result names the id of the call that it belongs to");
  for (size_t i = m->call_count; i > 0; i--) {
    const making_call *call = &m->calls[i - 1];
    if (call->id_len != id->len || memcmp(call->id, id->text, id->len) != 0) continue;
    *out = call;
    return true;
  }
  return making_refuse(m, NULL, "a result for the tool call \"%.*s\", which no message before it has", id->len < 64 ? (int)id->len : 64,
                       id->text);
}

bool making_finish(making *m) {
  const char *provider = cli_z(&m->provider);
  if (*provider && !making_option(m, "generate.chain", provider, m->provider.len, "model")) return false;
  if (*m->choice.model && !making_option(m, "generate.model", m->choice.model, strlen(m->choice.model), "model")) return false;
  if (m->choice.tier && !making_option(m, "generate.tier", m->choice.tier, strlen(m->choice.tier), "model")) return false;
  m->list = NULL;
  if (m->passed.len == 0) return true;
  if (!model_catalog_speaks(m->x->models, provider, m->language)) {
    const char *end = strchr(cli_z(&m->passed) + 1, '"');
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(end - cli_z(&m->passed) - 1), cli_z(&m->passed) + 1);
    making_refuse(m, name, "not every provider that may be asked takes it: leave it out, or name one in \"model\" whose \"api\" is %s",
                  m->language);
    m->why->code = "unsupported_parameter";
    return false;
  }
  cli_bytes options = {0};
  const char *operators = m->x->models->provider_options, *brace = strchr(operators, '{');
  bool more = brace && brace[1 + strspn(brace + 1, " \t\r\n")] != '}';
  cli_addf(&options, "{%s%s%s", cli_z(&m->passed), more ? "," : "", brace ? brace + 1 : "}");
  bool good = making_option(m, "generate.provider_options", cli_z(&options), options.len, NULL);
  cli_release(&options);
  return good;
}

void making_end(making *m) {
  cli_release(&m->provider);
  cli_release(&m->passed);
  free(m->calls);
}
