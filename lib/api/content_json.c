/* Content of a request as JSON onto a run. Checks that run_content.c makes are not made twice: its words are passed on. */
#include "api/content_json.h"

#include <aiorch/content.h>

#include <string.h>

#include "pipeline/run_content.h"
#include "text/json_write.h"

typedef struct reader {
  aiorch_run *run;
  size_t message;      /* for words */
  int32_t role;
  bool has_message;    /* the message that parts are added to was made */
  aiorch_error *error;
} reader;

static aiorch_status pass_on(reader *r, aiorch_status st) {
  if (st == AIORCH_OK) return st;
  const char *words = r->run->error.status == st ? r->run->error.message : aiorch_strerror(st);
  return aio__error_set(r->error, st, "%s", words);
}

static aiorch_status refuse(reader *r, const char *key, const char *must) {
  return aio__error_set(r->error, AIORCH_E_INVALID, "request: messages[%zu]: a part's \"%s\" must be %s", r->message, key, must);
}

static bool member(const aio__json_value *object, const char *key, aio__str *out) {
  const aio__json_value *value = aio__json_get(object, key);
  *out = AIO__LIT("");
  return !value || aio__json_typeof(value) == AIO__JSON_NULL || aio__json_str(value, out);
}

static bool flag(const aio__json_value *object, const char *key) {
  bool yes = false;
  return aio__json_bool(aio__json_get(object, key), &yes) && yes;
}

/* A text as it is; anything else as JSON, into `buf`. */
static bool json_text(const aio__json_value *value, aio__buf *buf, aio__str *out) {
  if (!value || aio__json_typeof(value) == AIO__JSON_NULL) {
    *out = AIO__LIT("");
    return true;
  }
  if (aio__json_str(value, out)) return true;
  aio__json_writer w;
  aio__buf_reset(buf);
  aio__jw_init(&w, buf);
  aio__json_write(&w, value);
  *out = aio__buf_view(buf);
  return buf->failed == AIORCH_OK;
}

/* Parts need a message to be added to; a text that comes first is its text. */
static aiorch_status open_message(reader *r, aio__str text) {
  if (r->has_message) return AIORCH_OK;
  r->has_message = true;
  return pass_on(r, aio__run_add_message(r->run, r->role, text));
}

static aiorch_status read_image(reader *r, const aio__json_value *part) {
  aio__str type, data, url;
  if (!member(part, "media_type", &type) || !member(part, "data", &data) || !member(part, "url", &url)) {
    return refuse(r, "media_type, data, url", "texts");
  }
  aiorch_status st = open_message(r, AIO__LIT(""));
  if (st) return st;
  return pass_on(r, url.n ? aio__run_add_image_url(r->run, url) : aio__run_add_image(r->run, type, data));
}

static aiorch_status read_tool_call(reader *r, const aio__json_value *part) {
  aio__str id, name, arguments, signature;
  aio__buf buf;
  if (!member(part, "id", &id) || !member(part, "name", &name) || !member(part, "signature", &signature)) {
    return refuse(r, "id, name, signature", "texts");
  }
  aiorch_status st = open_message(r, AIO__LIT(""));
  if (st) return st;
  aio__buf_init(&buf, r->run->al, AIO__MESSAGE_BYTES_MAX);
  st = json_text(aio__json_get(part, "arguments"), &buf, &arguments) ? AIORCH_OK : AIORCH_E_NOMEM;
  if (st == AIORCH_OK) st = aio__run_add_tool_call(r->run, id, name, arguments);
  if (st == AIORCH_OK && signature.n) st = aio__run_add_signature(r->run, signature);
  aio__buf_free(&buf);
  return pass_on(r, st);
}

static aiorch_status read_tool_result(reader *r, const aio__json_value *part) {
  aio__str id, name, text;
  if (!member(part, "id", &id) || !member(part, "name", &name) || !member(part, "text", &text)) {
    return refuse(r, "id, name, text", "texts");
  }
  r->has_message = true;
  return pass_on(r, aio__run_add_tool_result(r->run, id, name, text, flag(part, "is_error")));
}

static aiorch_status read_reasoning(reader *r, const aio__json_value *part) {
  aio__str text, signature;
  if (!member(part, "text", &text) || !member(part, "signature", &signature)) return refuse(r, "text, signature", "texts");
  aiorch_status st = open_message(r, AIO__LIT(""));
  return st ? st : pass_on(r, aio__run_add_reasoning(r->run, text, signature));
}

static aiorch_status read_text(reader *r, const aio__json_value *part) {
  aio__str text;
  if (!member(part, "text", &text)) return refuse(r, "text", "a text");
  if (!r->has_message) return open_message(r, text);
  return pass_on(r, aio__run_add_text(r->run, text));
}

static aiorch_status read_part(reader *r, const aio__json_value *part) {
  static const struct {
    const char *type;
    int32_t role; /* 0: any but the system's */
    aiorch_status (*read)(reader *r, const aio__json_value *part);
  } kinds[] = {{"text", 0, read_text},
               {"image", 0, read_image},
               {"tool_call", AIORCH_ROLE_ASSISTANT, read_tool_call},
               {"tool_result", AIORCH_ROLE_TOOL, read_tool_result},
               {"reasoning", AIORCH_ROLE_ASSISTANT, read_reasoning}};
  aio__str type = AIO__LIT("");
  (void)aio__json_str(aio__json_get(part, "type"), &type);
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    if (!aio__str_eqz(type, kinds[i].type)) continue;
    if (kinds[i].role && kinds[i].role != r->role) {
      return aio__error_set(r->error, AIORCH_E_INVALID, "request: messages[%zu]: a %s is a part of %s message only", r->message,
                            kinds[i].type, kinds[i].role == AIORCH_ROLE_TOOL ? "a tool's" : "an assistant's");
    }
    aiorch_status st = kinds[i].read(r, part);
    if (st == AIORCH_OK && flag(part, "cache")) st = pass_on(r, aio__run_add_cache_marker(r->run));
    return st;
  }
  return refuse(r, "type", "text, image, tool_call, tool_result or reasoning");
}

aiorch_status aio__content_read_parts(aiorch_run *run, int32_t role, const aio__json_value *parts, size_t index, aiorch_error *error) {
  reader r = {.run = run, .message = index, .role = role, .error = error};
  for (const aio__json_value *at = aio__json_first(parts); at; at = aio__json_next(at)) {
    aiorch_status st = read_part(&r, at);
    if (st) return st;
  }
  return AIORCH_OK;
}

/* ---- wishes ---- */

static aiorch_status read_tools(reader *r, const aio__json_value *tools) {
  if (aio__json_typeof(tools) != AIO__JSON_ARRAY) {
    return aio__error_set(r->error, AIORCH_E_INVALID, "request: \"tools\" must be a list of {\"name\", \"description\", \"schema\"}");
  }
  aio__buf buf;
  aio__buf_init(&buf, r->run->al, AIO__MESSAGE_BYTES_MAX);
  aiorch_status st = AIORCH_OK;
  for (const aio__json_value *at = aio__json_first(tools); at && st == AIORCH_OK; at = aio__json_next(at)) {
    aio__str name, description, schema;
    if (!member(at, "name", &name) || !member(at, "description", &description)) {
      st = aio__error_set(r->error, AIORCH_E_INVALID, "request: a tool's \"name\" and \"description\" must be texts");
    } else if (!json_text(aio__json_get(at, "schema"), &buf, &schema)) {
      st = pass_on(r, AIORCH_E_NOMEM);
    } else {
      st = pass_on(r, aio__run_add_tool(r->run, name, description, schema));
    }
  }
  aio__buf_free(&buf);
  return st;
}

static aiorch_status read_choice(reader *r, const aio__json_value *choice) {
  static const char *const names[] = {"default", "auto", "none", "any"};
  aio__str text = AIO__LIT("");
  if (aio__json_typeof(choice) == AIO__JSON_OBJECT && aio__json_str(aio__json_get(choice, "name"), &text)) {
    return pass_on(r, aio__run_set_tool_choice(r->run, AIORCH_TOOLS_ONE, text));
  }
  (void)aio__json_str(choice, &text);
  for (int32_t i = 0; i < 4; i++) {
    if (aio__str_eqz(text, names[i])) return pass_on(r, aio__run_set_tool_choice(r->run, i, AIO__LIT("")));
  }
  return aio__error_set(r->error, AIORCH_E_INVALID, "request: \"tool_choice\" must be default, auto, none, any or {\"name\": a tool's}");
}

static aiorch_status read_schema(reader *r, const aio__json_value *request, const aio__json_value *schema) {
  aio__str name, text;
  aio__buf buf;
  if (!member(request, "schema_name", &name)) {
    return aio__error_set(r->error, AIORCH_E_INVALID, "request: \"schema_name\" must be a text");
  }
  aio__buf_init(&buf, r->run->al, AIO__MESSAGE_BYTES_MAX);
  aiorch_status st = json_text(schema, &buf, &text) ? aio__run_set_schema(r->run, text, name) : AIORCH_E_NOMEM;
  aio__buf_free(&buf);
  return pass_on(r, st);
}

static aiorch_status read_stops(reader *r, const aio__json_value *stops) {
  aio__str text;
  if (aio__json_str(stops, &text)) return pass_on(r, aio__run_add_stop(r->run, text));
  bool list = aio__json_typeof(stops) == AIO__JSON_ARRAY;
  for (const aio__json_value *at = list ? aio__json_first(stops) : stops; at; at = list ? aio__json_next(at) : NULL) {
    if (!aio__json_str(at, &text)) return aio__error_set(r->error, AIORCH_E_INVALID, "request: \"stop\" must be a text or a list of texts");
    aiorch_status st = pass_on(r, aio__run_add_stop(r->run, text));
    if (st) return st;
  }
  return AIORCH_OK;
}

static const aio__json_value *present(const aio__json_value *request, const char *key) {
  const aio__json_value *value = aio__json_get(request, key);
  return value && aio__json_typeof(value) != AIO__JSON_NULL ? value : NULL;
}

aiorch_status aio__content_read_wishes(aiorch_run *run, const aio__json_value *request, aiorch_error *error) {
  reader r = {.run = run, .error = error};
  const aio__json_value *tools = present(request, "tools"), *choice = present(request, "tool_choice");
  const aio__json_value *schema = present(request, "schema"), *stop = present(request, "stop");
  aiorch_status st = tools ? read_tools(&r, tools) : AIORCH_OK;
  if (st == AIORCH_OK && choice) st = read_choice(&r, choice);
  if (st == AIORCH_OK && schema) st = read_schema(&r, request, schema);
  if (st == AIORCH_OK && stop) st = read_stops(&r, stop);
  return st;
}
