/*
 * /v1/documents: what answers rest on, of the caller's tenant alone. On a worker: all of it may wait.
 */
#include "endpoint_documents.h"

#include "body_json.h"
#include "ingest.h"
#include "server.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_DEFAULT = 100, LIST_MAX = 1000, EMBED_MS = 20000, EMBED_SLICE_MS = 2000 };

/* ---- problems ---- */

static void refuse(endpoint_call *call, int status, const char *code, const char *param, const char *words) {
  http_problem why;
  http_problem_set(&why, status, code, param, "%s", words);
  endpoint_problem(call, &why);
}

void endpoint_failed(endpoint_call *call, aiorch_status status, const aiorch_error *error) {
  http_problem why;
  http_problem_of(&why, status, error);
  endpoint_problem(call, &why);
}

json_value *endpoint_body(endpoint_call *call, const char *const *members) {
  size_t where = 0;
  http_problem why;
  body_json strict; /* bounds what a small body may become before the reader of the command line makes it */
  bool good = body_parse(&strict, call->body, call->body_len);
  json_value *body = good ? json_parse(call->body, call->body_len, &where) : NULL;
  if (!body) {
    http_problem_set(&why, 400, "invalid_json", NULL, "the body is no JSON: %s, at byte %zu", good ? "it goes wrong" : strict.wrong,
                     good ? where : strict.where);
    endpoint_problem(call, &why);
  }
  body_free(&strict);
  if (!body) return NULL;
  if (body->type != JSON_OBJECT) {
    refuse(call, 400, "invalid_json", NULL, "the body is no JSON object");
    json_free(body);
    return NULL;
  }
  for (const json_value *m = body->child; m; m = m->next) {
    const char *const *known = members;
    while (*known && strcmp(*known, m->name) != 0) known++;
    const json_value *again = m->next;
    while (*known && again && strcmp(again->name, m->name) != 0) again = again->next;
    if (*known && !again) continue;
    if (*known) http_problem_set(&why, 400, "invalid_value", NULL, "the body has \"%s\" twice", *known);
    else http_problem_set(&why, 400, "unknown_parameter", NULL, "the body has a member \"%.80s\" that is not known here", m->name);
    endpoint_problem(call, &why);
    json_free(body);
    return NULL;
  }
  return body;
}

static bool may_change(endpoint_call *call) {
  if (!call->who->read_only) return true;
  refuse(call, 403, "permission_denied", NULL, "without a key documents can be asked, but not changed (server.anonymous_documents)");
  return false;
}

/* ---- a document from the body of a request ---- */

static aiorch_status set_html(aiorch_document *d, const json_value *html, bool titled) {
  html_document page;
  html_extract(html->text, html->len, &page);
  aiorch_status status = aiorch_document_set_text(d, AIORCH_FORMAT_MARKDOWN, cli_z(&page.text), page.text.len);
  if (status == AIORCH_OK && page.title.len > 0 && !titled) status = aiorch_document_set_title(d, page.title.data, page.title.len);
  for (size_t i = 0; i < page.anchor_count && status == AIORCH_OK; i++) {
    status = aiorch_document_add_anchor(d, page.anchors[i].offset, page.anchors[i].name, strlen(page.anchors[i].name));
  }
  html_release(&page);
  return status;
}

static aiorch_status add_metadata(aiorch_document *d, const json_value *metadata) {
  aiorch_status status = AIORCH_OK;
  for (const json_value *m = metadata ? metadata->child : NULL; m && status == AIORCH_OK; m = m->next) {
    const char *value = m->type == JSON_BOOL ? (m->truth ? "true" : "false") : m->text;
    size_t len = m->type == JSON_BOOL ? strlen(value) : m->len;
    status = aiorch_document_add_metadata(d, m->name, strlen(m->name), value, len);
  }
  return status;
}

static bool is_text(const json_value *v) { return v && v->type == JSON_TEXT; }

static bool is_absent(const json_value *v) { return !v || v->type == JSON_NULL; }

/* The member that is not what it must be, and why; NULL when all are right. */
static const char *wrong_member(const json_value *body, const char **words) {
  const json_value *text = json_get(body, "text"), *html = json_get(body, "html"), *uri = json_get(body, "uri");
  const json_value *format = json_get(body, "format"), *metadata = json_get(body, "metadata");
  *words = "\"uri\" says where the document comes from: a text of 1 to 4,096 bytes, one document each";
  if (!is_text(uri) || uri->len < 1) return "uri";
  *words = "give either \"text\" (plain or Markdown) or \"html\", as a text";
  if (is_absent(text) == is_absent(html)) return "text";
  if (!is_absent(text) && !is_text(text)) return "text";
  if (!is_absent(html) && !is_text(html)) return "html";
  *words = "\"format\" is \"markdown\" or \"plain\", and of \"text\" alone";
  if (!is_absent(format) && !(is_text(format) && !is_absent(text) && (strcmp(format->text, "markdown") == 0 || strcmp(format->text, "plain") == 0))) {
    return "format";
  }
  *words = "\"title\" is a text";
  if (!is_absent(json_get(body, "title")) && !is_text(json_get(body, "title"))) return "title";
  *words = "\"metadata\" is an object of texts, numbers, true or false";
  if (!is_absent(metadata) && metadata->type != JSON_OBJECT) return "metadata";
  for (const json_value *m = is_absent(metadata) ? NULL : metadata->child; m; m = m->next) {
    if (m->type != JSON_TEXT && m->type != JSON_NUMBER && m->type != JSON_BOOL) return "metadata";
  }
  return NULL;
}

/* *param: what the library refused. */
static aiorch_status fill(aiorch_document *d, const json_value *body, const char **param) {
  const json_value *text = json_get(body, "text"), *title = json_get(body, "title"), *uri = json_get(body, "uri");
  int32_t format = strcmp(json_text(body, "format"), "plain") == 0 ? AIORCH_FORMAT_PLAIN : AIORCH_FORMAT_MARKDOWN;
  bool titled = is_text(title) && title->len > 0;
  *param = "uri";
  aiorch_status status = aiorch_document_set_source(d, uri->text, uri->len);
  if (status == AIORCH_OK && titled) {
    *param = "title";
    status = aiorch_document_set_title(d, title->text, title->len);
  }
  if (status == AIORCH_OK) {
    *param = is_text(text) ? "text" : "html";
    status = is_text(text) ? aiorch_document_set_text(d, format, text->text, text->len) : set_html(d, json_get(body, "html"), titled);
  }
  if (status == AIORCH_OK) {
    *param = "metadata";
    status = add_metadata(d, json_get(body, "metadata"));
  }
  return status;
}

/* ---- documents as JSON ---- */

static void text_member(json_print *p, const char *name, const aiorch_document *d,
                        aiorch_status (*get)(const aiorch_document *d, const char **out, size_t *len)) {
  const char *text = "";
  size_t len = 0;
  get(d, &text, &len);
  jp_key(p, name);
  jp_str(p, text, len);
}

static void print_members(json_print *p, const aiorch_document *d) {
  text_member(p, "id", d, aiorch_document_id);
  jp_kz(p, "object", "document");
  text_member(p, "uri", d, aiorch_document_source);
  text_member(p, "title", d, aiorch_document_title);
  jp_ki64(p, "chunks", (int64_t)aiorch_document_chunks(d));
  jp_ki64(p, "bytes", (int64_t)aiorch_document_bytes(d));
  if (aiorch_document_updated_ms(d) > 0) jp_ki64(p, "updated_ms", aiorch_document_updated_ms(d));
}

static void answer(endpoint_call *call, json_print *p) {
  cli_add(&call->out, p->out.data, p->out.len);
  cli_release(&p->out);
}

/* ---- POST ---- */

/* Vectors for what has none yet, this document's passages among it; what is not done in this time the next call does, or `aiorch
 * reembed`. AIORCH_E_UNSUPPORTED: there is no embedder; another failure after a word in `error`, with *left as it is then. */
static aiorch_status embed(endpoint_call *call, uint64_t *done, uint64_t *left, aiorch_error *error) {
  int64_t end_ms = cli_mono_ms() + EMBED_MS;
  const caller *who = call->who;
  aiorch_status status = AIORCH_AGAIN;
  *done = *left = 0;
  while (status == AIORCH_AGAIN && cli_mono_ms() < end_ms) {
    uint64_t now = 0;
    status = aiorch_knowledge_embed(call->orch, who->tenant, who->tenant_len, EMBED_SLICE_MS, &now, left, error);
    *done += now;
  }
  if (status < 0 && status != AIORCH_E_UNSUPPORTED) aiorch_knowledge_embed(call->orch, who->tenant, who->tenant_len, 0, NULL, left, NULL); /* counts */
  return status;
}

/* The document is there, and found by its words; that it is not by its meaning must not be missed. */
static void print_failure(endpoint_call *call, json_print *p, aiorch_status status, const aiorch_error *error) {
  cli_list warnings = {0};
  http_problem why;
  http_problem_of(&why, status, error);
  if (call->server) server_trouble(call->server, &why);
  cli_list_add(&warnings, why.message, strlen(why.message));
  jp_key(p, "aiorch");
  jp_open(p, '{');
  exchange_warnings_member(&warnings, p);
  jp_close(p, '}');
  cli_list_free(&warnings);
}

static void print_added(endpoint_call *call, const aiorch_document *d, aiorch_error *error) {
  json_print p = {0};
  int32_t outcome = aiorch_document_outcome(d);
  uint64_t done = 0, left = 0;
  jp_open(&p, '{');
  print_members(&p, d);
  jp_kz(&p, "status", outcome == AIORCH_DOCUMENT_ADDED ? "added" : outcome == AIORCH_DOCUMENT_UPDATED ? "updated" : "unchanged");
  aiorch_status status = embed(call, &done, &left, error);
  bool able = status != AIORCH_E_UNSUPPORTED;
  jp_key(&p, "embedded");
  if (able) jp_i64(&p, (int64_t)done);
  else jp_z(&p, NULL);
  jp_key(&p, "to_embed");
  if (able) jp_i64(&p, (int64_t)left);
  else jp_z(&p, NULL);
  if (able && status < 0) print_failure(call, &p, status, error);
  jp_close(&p, '}');
  call->status = outcome == AIORCH_DOCUMENT_ADDED ? 201 : 200;
  answer(call, &p);
}

void endpoint_documents_add(endpoint_call *call) {
  static const char *const members[] = {"uri", "text", "html", "format", "title", "metadata", NULL};
  const char *words, *param;
  if (!may_change(call)) return;
  json_value *body = endpoint_body(call, members);
  if (!body) return;
  param = wrong_member(body, &words);
  if (param) refuse(call, 400, "invalid_value", param, words);
  if (param || !endpoint_admitted(call)) {
    json_free(body);
    return;
  }
  aiorch_document *d = NULL;
  aiorch_error *error = NULL;
  aiorch_status status = aiorch_error_new(&error);
  if (status == AIORCH_OK) status = aiorch_document_new(&d);
  bool filled = false;
  if (status == AIORCH_OK) {
    status = fill(d, body, &param);
    filled = status == AIORCH_OK;
  }
  json_free(body);
  if (filled) status = aiorch_knowledge_add(call->orch, call->who->tenant, call->who->tenant_len, d, ENDPOINT_WORK_MS, error);
  if (status == AIORCH_OK) print_added(call, d, error);
  else if (!filled && status == AIORCH_E_INVALID) refuse(call, 400, "invalid_value", param, "it is too long, or no UTF-8 text");
  else if (!filled && status == AIORCH_E_TOO_LARGE) refuse(call, 413, "too_large", param, "it is larger, or more, than a document may have");
  else endpoint_failed(call, status, error);
  aiorch_document_free(d);
  aiorch_error_free(error);
}

/* ---- GET, the list ---- */

static bool read_limit(endpoint_call *call, size_t *limit) {
  const char *text = request_query(call->request, "limit");
  *limit = LIST_DEFAULT;
  if (!text) return true;
  size_t len = strlen(text), value = 0;
  if (len >= 1 && len <= 4 && strspn(text, "0123456789") == len) value = strtoul(text, NULL, 10);
  *limit = value;
  if (value >= 1 && value <= LIST_MAX) return true;
  refuse(call, 400, "invalid_value", "limit", "\"limit\" is a number from 1 to 1000");
  return false;
}

/* One more than wanted was asked for, so that the end is known. */
static void print_list(endpoint_call *call, const aiorch_documents *documents, size_t limit) {
  json_print p = {0};
  size_t count = aiorch_documents_count(documents);
  bool more = count > limit;
  if (more) count = limit;
  jp_open(&p, '{');
  jp_kz(&p, "object", "list");
  jp_key(&p, "data");
  jp_open(&p, '[');
  for (size_t i = 0; i < count; i++) {
    jp_open(&p, '{');
    print_members(&p, aiorch_documents_get(documents, i));
    jp_close(&p, '}');
  }
  jp_close(&p, ']');
  jp_key(&p, "has_more");
  jp_bool(&p, more);
  if (more) text_member(&p, "next_after", aiorch_documents_get(documents, count - 1), aiorch_document_source);
  else jp_kz(&p, "next_after", NULL);
  jp_close(&p, '}');
  answer(call, &p);
}

static void show(endpoint_call *call, const char *name);

void endpoint_documents_list(endpoint_call *call) {
  const char *after = request_query(call->request, "after"), *uri = request_query(call->request, "uri");
  aiorch_documents *documents = NULL;
  aiorch_error *error = NULL;
  size_t limit;
  if (uri) {
    show(call, uri);
    return;
  }
  if (!read_limit(call, &limit)) return;
  aiorch_status status = aiorch_error_new(&error);
  if (status == AIORCH_OK) {
    status = aiorch_knowledge_list(call->orch, call->who->tenant, call->who->tenant_len, after, after ? strlen(after) : 0, limit + 1,
                                   ENDPOINT_WORK_MS, &documents, error);
  }
  if (status == AIORCH_OK) print_list(call, documents, limit);
  else endpoint_failed(call, status, error);
  aiorch_documents_free(documents);
  aiorch_error_free(error);
}

/* ---- one document: by its id, or by its uri ---- */

static aiorch_document *fetch(endpoint_call *call, const char *name) {
  aiorch_document *d = NULL;
  aiorch_error *error = NULL;
  aiorch_status status = aiorch_error_new(&error);
  if (status == AIORCH_OK) {
    status = aiorch_knowledge_show(call->orch, call->who->tenant, call->who->tenant_len, name, strlen(name), ENDPOINT_WORK_MS, &d, error);
  }
  if (status == AIORCH_E_NOT_FOUND) refuse(call, 404, "not_found", NULL, "there is no document of this id or uri");
  else if (status != AIORCH_OK) endpoint_failed(call, status, error);
  aiorch_error_free(error);
  return d;
}

static void show(endpoint_call *call, const char *name) {
  json_print p = {0};
  aiorch_document *d = fetch(call, name);
  if (!d) return;
  jp_open(&p, '{');
  print_members(&p, d);
  text_member(&p, "text", d, aiorch_document_text);
  jp_close(&p, '}');
  answer(call, &p);
  aiorch_document_free(d);
}

void endpoint_documents_show(endpoint_call *call) { show(call, call->parts[0]); }

static void delete_document(endpoint_call *call, const char *name) {
  json_print p = {0};
  aiorch_error *error = NULL;
  const char *source = "";
  size_t len = 0;
  if (!may_change(call) || !endpoint_admitted(call)) return;
  aiorch_document *d = fetch(call, name);
  if (!d) return;
  aiorch_document_source(d, &source, &len);
  aiorch_status status = aiorch_error_new(&error);
  if (status == AIORCH_OK) {
    status = aiorch_knowledge_remove(call->orch, call->who->tenant, call->who->tenant_len, source, len, ENDPOINT_WORK_MS, error);
  }
  if (status == AIORCH_OK || status == AIORCH_E_NOT_FOUND) { /* another was faster: gone it is */
    jp_open(&p, '{');
    text_member(&p, "id", d, aiorch_document_id);
    jp_kz(&p, "object", "document.deleted");
    text_member(&p, "uri", d, aiorch_document_source);
    jp_key(&p, "deleted");
    jp_bool(&p, true);
    jp_close(&p, '}');
    answer(call, &p);
  } else {
    endpoint_failed(call, status, error);
  }
  aiorch_document_free(d);
  aiorch_error_free(error);
}

void endpoint_documents_delete(endpoint_call *call) { delete_document(call, call->parts[0]); }

void endpoint_documents_delete_by_uri(endpoint_call *call) {
  const char *uri = request_query(call->request, "uri");
  if (uri && uri[0]) delete_document(call, uri);
  else refuse(call, 400, "missing_parameter", "uri", "say which: /v1/documents/ID, or /v1/documents?uri=URI");
}
