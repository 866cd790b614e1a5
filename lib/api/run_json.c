/* Runs for hosts that speak JSON: a request makes a run (schema/request.json), a run and its events become JSON. */
#include <string.h>

#include "api/config.h"
#include "api/content_json.h"
#include "api/filter_json.h"
#include "core/text_handle.h"
#include "pipeline/run_state.h"
#include "text/json.h"

enum { REQUEST_BYTES_MAX = 32 << 20, REQUEST_DEPTH_MAX = 32 };

/* ---- reading a request ---- */

typedef struct request {
  aiorch_run *run;
  aio__str text;
  aiorch_error *error;
} request;

static aiorch_status refuse(request *r, const char *where, const char *must) {
  return aio__error_set(r->error, AIORCH_E_INVALID, "request: %s must be %s", where, must);
}

/* The words that a call on the run left there. */
static aiorch_status pass_on(request *r, aiorch_status st) {
  if (st == AIORCH_OK) return st;
  if (r->run->error.status == st) return aio__error_copy(r->error, &r->run->error);
  return aio__error_set(r->error, st, "%s", aiorch_strerror(st));
}

/* A text, or nothing for null and a member that is not there. */
static aiorch_status optional_text(request *r, const aio__json_value *object, const char *key, aio__str *out) {
  const aio__json_value *value = aio__json_get(object, key);
  *out = AIO__LIT("");
  if (!value || aio__json_typeof(value) == AIO__JSON_NULL || aio__json_str(value, out)) return AIORCH_OK;
  return aio__error_set(r->error, AIORCH_E_INVALID, "request: \"%s\" must be a text", key);
}

static int32_t role_of(aio__str name) {
  static const char *const names[] = {"system", "user", "assistant", "tool"};
  for (int32_t i = 0; i < 4; i++) {
    if (aio__str_eqz(name, names[i])) return AIORCH_ROLE_SYSTEM + i;
  }
  return 0;
}

static aiorch_status read_messages(request *r, const aio__json_value *messages) {
  if (aio__json_typeof(messages) != AIO__JSON_ARRAY) return refuse(r, "\"messages\"", "a list");
  size_t n = 0;
  for (const aio__json_value *at = aio__json_first(messages); at; at = aio__json_next(at), n++) {
    aio__str role = AIO__LIT(""), content = AIO__LIT("");
    const aio__json_value *said = aio__json_get(at, "content");
    bool parts = said && aio__json_typeof(said) == AIO__JSON_ARRAY;
    if ((!parts && !aio__json_str(said, &content)) || !aio__json_str(aio__json_get(at, "role"), &role)) {
      return aio__error_set(r->error, AIORCH_E_INVALID,
                            "request: messages[%zu] must be an object with \"role\", a text, and \"content\", a text or a list of parts", n);
    }
    if (!role_of(role)) {
      return aio__error_set(r->error, AIORCH_E_INVALID,
                            "request: messages[%zu].role must be system, user, assistant or tool", n);
    }
    aiorch_status st = parts ? aio__content_read_parts(r->run, role_of(role), said, n, r->error)
                             : pass_on(r, aio__run_add_message(r->run, role_of(role), content));
    if (st) return st;
  }
  return AIORCH_OK;
}

static aiorch_status read_options(request *r, const aio__json_value *options) {
  aiorch_run *run = r->run;
  if (aio__json_typeof(options) != AIO__JSON_OBJECT) return refuse(r, "\"options\"", "an object of settings");
  aio__options *own = aio__calloc(run->al, 1, sizeof *own);
  aiorch_status st = own ? aio__options_copy(own, run->options) : AIORCH_E_NOMEM;
  if (st) {
    aio__free(run->al, own);
    return aio__error_set(r->error, st, "out of memory for a run's settings");
  }
  /* The run frees them, whatever becomes of it. */
  run->own_options = own;
  run->options = own;
  /* No line numbers: they would count from the first line of the options, not of the request. */
  return aio__config_apply_json(own, options, "request", AIO__LIT(""), true, r->error);
}

static aiorch_status add_filter(void *ctx, const aio__filter *f) {
  request *r = ctx;
  aiorch_status st;
  if (f->kind == AIO__FILTER_PREFIX)
    st = aiorch_run_add_filter_prefix(r->run, f->name.p, f->name.n, f->value.p, f->value.n);
  else if (f->kind == AIO__FILTER_RANGE)
    st = aiorch_run_add_filter_range(r->run, f->name.p, f->name.n, f->value.p, f->value.n, f->to.p, f->to.n);
  else
    st = aiorch_run_add_filter(r->run, f->name.p, f->name.n, f->value.p, f->value.n);
  return pass_on(r, st);
}

static aiorch_status read_filters(request *r, const aio__json_value *filters) {
  return aio__filters_read(filters, "request: filters", add_filter, r, r->error);
}

/* Members that the library gives a source (n, score, start, ...) may stand there and are not read. */
static aiorch_status read_sources(request *r, const aio__json_value *sources) {
  if (aio__json_typeof(sources) != AIO__JSON_ARRAY) return refuse(r, "\"sources\"", "a list");
  for (const aio__json_value *at = aio__json_first(sources); at; at = aio__json_next(at)) {
    aio__str uri, title, text;
    if (aio__json_typeof(at) != AIO__JSON_OBJECT) return refuse(r, "\"sources\"", "a list of objects");
    aiorch_status st = optional_text(r, at, "uri", &uri);
    if (st == AIORCH_OK) st = optional_text(r, at, "title", &title);
    if (st == AIORCH_OK) st = optional_text(r, at, "text", &text);
    if (st) return st;
    st = aiorch_run_add_source(r->run, uri.p, uri.n, title.p, title.n, text.p, text.n);
    if (st) return pass_on(r, st);
  }
  return AIORCH_OK;
}

static int32_t finish_reason_of(aio__str name) {
  if (name.n == 0) return AIORCH_FINISH_STOP;
  for (int32_t i = AIORCH_FINISH_STOP; aiorch_finish_reason_name(i); i++) {
    if (aio__str_eqz(name, aiorch_finish_reason_name(i))) return i;
  }
  return AIORCH_FINISH_NONE;
}

static aiorch_status read_answer(request *r, const aio__json_value *root) {
  aio__str answer, reason, provider, model;
  aiorch_status st = optional_text(r, root, "answer", &answer);
  if (st == AIORCH_OK) st = optional_text(r, root, "finish_reason", &reason);
  if (st == AIORCH_OK) st = optional_text(r, root, "provider", &provider);
  if (st == AIORCH_OK) st = optional_text(r, root, "model", &model);
  if (st) return st;
  if (finish_reason_of(reason) == AIORCH_FINISH_NONE) {
    return refuse(r, "\"finish_reason\"", "stop, length, tool_calls, content_filter, refusal or error");
  }
  return pass_on(r, aiorch_run_set_answer(r->run, answer.p, answer.n, finish_reason_of(reason),
                                          provider.n ? provider.p : NULL, model.n ? model.p : NULL));
}

static aiorch_status read_usage(request *r, const aio__json_value *usage) {
  if (aio__json_typeof(usage) != AIO__JSON_OBJECT) return refuse(r, "\"usage\"", "an object of token counts");
  for (const aio__json_value *at = aio__json_first(usage); at; at = aio__json_next(at)) {
    int64_t tokens = 0;
    int class = 0;
    if (aio__str_eqz(aio__json_key(at), "estimated")) continue;
    while (class < AIORCH_USAGE_COUNT && !aio__str_eqz(aio__json_key(at), aio__usage_name(class))) class++;
    if (class == AIORCH_USAGE_COUNT) {
      return refuse(r, "each member of \"usage\"",
                    "input, cache_read, cache_write, cache_write_1h, output or reasoning");
    }
    if (!aio__json_i64(at, &tokens)) return refuse(r, "each member of \"usage\"", "a whole number");
    aiorch_status st = pass_on(r, aiorch_run_set_usage(r->run, class, tokens));
    if (st) return st;
  }
  return AIORCH_OK;
}

static aiorch_status check_members(request *r, const aio__json_value *root) {
  static const char *const known[] = {"tenant", "user",   "messages",      "options",  "filters", "sources",
                                      "answer", "usage",  "finish_reason", "provider", "model",   "tools",
                                      "tool_choice", "schema", "schema_name", "stop"};
  if (aio__json_typeof(root) != AIO__JSON_OBJECT) return refuse(r, "it", "a JSON object");
  for (const aio__json_value *at = aio__json_first(root); at; at = aio__json_next(at)) {
    aio__str key = aio__json_key(at);
    size_t i = 0, count = sizeof known / sizeof known[0];
    while (i < count && !aio__str_eqz(key, known[i])) i++;
    if (i < count) continue;
    return aio__error_set(r->error, AIORCH_E_INVALID,
                          "request: no member \"%.*s\" is known; there are tenant, user, messages, options, filters, "
                          "sources, answer, usage, finish_reason, provider, model, tools, tool_choice, schema, schema_name and stop",
                          (int)(key.n < 64 ? key.n : 64), key.p);
  }
  return AIORCH_OK;
}

static aiorch_status make_run(aiorch *orch, request *r, const aio__json_value *root) {
  aio__str tenant_in, tenant, user;
  aiorch_status st = optional_text(r, root, "tenant", &tenant_in);
  if (st == AIORCH_OK) st = optional_text(r, root, "user", &user);
  if (st == AIORCH_OK) st = aio__orch_enter(orch, tenant_in, &tenant, r->error);
  if (st == AIORCH_OK && user.n == 0 && !orch->options.anonymous) {
    st = aio__error_set(r->error, AIORCH_E_INVALID, "a user is needed unless \"anonymous\" is true");
  }
  if (st == AIORCH_OK) st = aio__check_name(user, "the user", r->error);
  return st ? st : aio__run_make(orch, tenant, user, &r->run, r->error);
}

static bool present(const aio__json_value *root, const char *key) {
  const aio__json_value *value = aio__json_get(root, key);
  return value && aio__json_typeof(value) != AIO__JSON_NULL;
}

/* Options come first, for they say what limits the rest has. */
static aiorch_status fill_run(request *r, const aio__json_value *root) {
  aiorch_status st = AIORCH_OK;
  if (present(root, "options")) st = read_options(r, aio__json_get(root, "options"));
  if (st == AIORCH_OK && present(root, "messages")) st = read_messages(r, aio__json_get(root, "messages"));
  if (st == AIORCH_OK) st = aio__content_read_wishes(r->run, root, r->error);
  if (st == AIORCH_OK && present(root, "filters")) st = read_filters(r, aio__json_get(root, "filters"));
  if (st == AIORCH_OK && present(root, "sources")) st = read_sources(r, aio__json_get(root, "sources"));
  if (st == AIORCH_OK && present(root, "answer")) st = read_answer(r, root);
  if (st == AIORCH_OK && present(root, "usage")) st = read_usage(r, aio__json_get(root, "usage"));
  return st;
}

aiorch_status aiorch_run_from_json(aiorch *orch, const char *text, size_t len, aiorch_run **out, aiorch_error *error) {
  static const aio__json_limits limits = {.max_bytes = REQUEST_BYTES_MAX,
                                          .max_depth = REQUEST_DEPTH_MAX,
                                          .syntax_status = AIORCH_E_INVALID,
                                          .name = "request"};
  aio__error_clear(error);
  aiorch_status st = aio__orch_check(orch);
  if (st) return aio__error_set(error, st, "%s", aiorch_strerror(st));
  if (!text || !out) return aio__error_set(error, AIORCH_E_INVALID, "a request and a place for the run are needed");
  request r = {.text = aio__str_n(text, len), .error = error};
  aio__json *json = NULL;
  st = aio__json_parse(orch->al, r.text, &limits, &json, error);
  if (st) return st;
  const aio__json_value *root = aio__json_root(json);
  st = check_members(&r, root);
  if (st == AIORCH_OK) st = make_run(orch, &r, root);
  if (st == AIORCH_OK) st = fill_run(&r, root);
  aio__json_free(json);
  if (st) aiorch_run_free(r.run);
  else *out = r.run;
  return st;
}

/* ---- writing ---- */

static aiorch_status error_text(const aio__alloc *al, const aiorch_error *error, aiorch_text **out) {
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, al, SIZE_MAX / 2);
  aio__jw_init(&w, &buf);
  aio__jw_object(&w);
  aio__jw_key(&w, "error");
  aio__error_report(error, &w);
  aio__jw_object_end(&w);
  aiorch_status st = aio__text_from_buf(&buf, out);
  aio__buf_free(&buf);
  return st;
}

aiorch_status aiorch_run_json(aiorch *orch, const char *text, size_t len, aiorch_text **response) {
  if (!orch || !text || !response) return AIORCH_E_INVALID;
  aiorch_status checked = aio__orch_check(orch);
  if (checked) return checked;
  aiorch_error error;
  aiorch_run *run = NULL;
  aio__error_init(&error);
  aiorch_status st = aiorch_run_from_json(orch, text, len, &run, &error);
  if (st) {
    if (st == AIORCH_E_NOMEM) return st;
    return error_text(orch->al, &error, response) == AIORCH_OK ? st : AIORCH_E_NOMEM;
  }
  st = aiorch_run_execute(run);
  aio__json_writer w;
  aio__buf_reset(&run->report_json);
  aio__jw_init(&w, &run->report_json);
  aio__run_report(run, &w);
  aiorch_status written = aio__text_from_buf(&run->report_json, response);
  aiorch_run_free(run);
  return written ? written : st;
}

aiorch_status aiorch_run_to_json(aiorch_run *run, const char **out, size_t *out_len) {
  aiorch_status st = aio__run_check(run);
  if (st) return st;
  if (!out) return AIORCH_E_INVALID;
  aio__json_writer w;
  aio__buf_reset(&run->report_json);
  aio__jw_init(&w, &run->report_json);
  aio__run_report(run, &w);
  if (run->report_json.failed) return AIORCH_E_NOMEM;
  *out = aio__buf_cstr(&run->report_json);
  if (out_len) *out_len = run->report_json.n;
  return AIORCH_OK;
}

aiorch_status aiorch_event_json(const aiorch_event *event, const char **out, size_t *out_len) {
  if (!event || !out) return AIORCH_E_INVALID;
  aiorch_run *run = event->run;
  aio__json_writer w;
  aio__buf_reset(&run->event_json);
  aio__jw_init(&w, &run->event_json);
  aio__event_report(event, &w);
  if (run->event_json.failed) return AIORCH_E_NOMEM;
  *out = aio__buf_cstr(&run->event_json);
  if (out_len) *out_len = run->event_json.n;
  return AIORCH_OK;
}
