/* POST /v1/search: what the retrieve stage would find, without asking for an answer. */
#include "endpoint_documents.h"

#include <string.h>

enum { SEARCH_DEFAULT = 5, SEARCH_MAX = 100 };

static void refuse(endpoint_call *call, const char *param, const char *words) {
  http_problem why;
  http_problem_set(&why, 400, "invalid_value", param, "%s", words);
  endpoint_problem(call, &why);
}

static bool read_limit(const json_value *body, size_t *limit) {
  const json_value *v = json_get(body, "limit");
  *limit = SEARCH_DEFAULT;
  if (!v || v->type == JSON_NULL) return true;
  if (v->type != JSON_NUMBER || v->len > 3 || strspn(v->text, "0123456789") != v->len) return false;
  *limit = (size_t)json_i64(body, "limit");
  return *limit >= 1 && *limit <= SEARCH_MAX;
}

static void print_hits(endpoint_call *call, const aiorch_hits *hits) {
  json_print p = {0};
  const char *json = "[]";
  size_t len = 2;
  aiorch_hits_json(hits, &json, &len);
  jp_open(&p, '{');
  jp_kz(&p, "object", "list");
  jp_key(&p, "data");
  jp_raw(&p, json, len);
  jp_close(&p, '}');
  cli_add(&call->out, p.out.data, p.out.len);
  cli_release(&p.out);
}

/* A value as JSON again: the library reads filters itself. */
static void print_value(json_print *p, const json_value *v) {
  if (v->type == JSON_TEXT) jp_str(p, v->text, v->len);
  else if (v->type == JSON_NUMBER) jp_raw(p, v->text, v->len);
  else if (v->type == JSON_BOOL) jp_bool(p, v->truth);
  else if (v->type == JSON_NULL) jp_z(p, NULL);
  else {
    bool object = v->type == JSON_OBJECT;
    jp_open(p, object ? '{' : '[');
    for (const json_value *m = v->child; m; m = m->next) {
      if (object) jp_key(p, m->name);
      print_value(p, m);
    }
    jp_close(p, object ? '}' : ']');
  }
}

static void search(endpoint_call *call, const json_value *query, const char *filters, size_t limit) {
  aiorch_hits *hits = NULL;
  aiorch_error *error = NULL;
  if (!endpoint_admitted(call)) return;
  aiorch_status status = aiorch_error_new(&error);
  if (status == AIORCH_OK) {
    status = aiorch_knowledge_search(call->orch, call->who->tenant, call->who->tenant_len, query->text, query->len, filters, limit,
                                     ENDPOINT_WORK_MS, &hits, error);
  }
  if (status == AIORCH_OK) print_hits(call, hits);
  else endpoint_failed(call, status, error);
  aiorch_hits_free(hits);
  aiorch_error_free(error);
}

void endpoint_search(endpoint_call *call) {
  static const char *const members[] = {"query", "limit", "filters", NULL};
  json_print filters = {0};
  size_t limit;
  json_value *body = endpoint_body(call, members);
  if (!body) return;
  const json_value *query = json_get(body, "query"), *given = json_get(body, "filters");
  if (!query || query->type != JSON_TEXT || query->len < 1 || memchr(query->text, '\0', query->len) || !cli_utf8_valid(query->text, query->len)) {
    refuse(call, "query", "\"query\" is what to look for: a text of UTF-8 without NUL");
  } else if (!read_limit(body, &limit)) {
    refuse(call, "limit", "\"limit\" is a whole number from 1 to 100");
  } else if (given && given->type != JSON_NULL && given->type != JSON_OBJECT) {
    refuse(call, "filters", "\"filters\" is an object: {\"name\": \"value\", \"year\": {\"from\": \"2020\"}}");
  } else {
    if (given && given->type == JSON_OBJECT) print_value(&filters, given);
    search(call, query, filters.out.len ? filters.out.data : NULL, limit);
  }
  cli_release(&filters.out);
  json_free(body);
}
