/*
 * POST /v1/messages/count_tokens: how many tokens a request would have, by the library's own estimate. Nothing is asked, searched for or
 * counted against a limit: passages of documents, which an answer may add, are not in it.
 */
#include "anthropic_messages.h"

static bool tokens_of(const aiorch_text *preview, int64_t *tokens) {
  body_json json;
  const char *text = "";
  size_t len = 0;
  aiorch_text_get(preview, &text, &len);
  bool good = body_parse(&json, text, len) && body_i64(body_get(json.root, "input_tokens"), tokens);
  body_free(&json);
  return good;
}

static bool count(exchange *x, http_problem *why, int64_t *tokens) {
  aiorch_text *preview = NULL;
  aiorch_status status = aiorch_run_set_option(x->run, "retrieve.enabled", "false", 5);
  if (status == AIORCH_OK) status = aiorch_run_preview(x->run, &preview);
  if (status != AIORCH_OK) return exchange_refused(x, status, NULL, why);
  bool good = tokens_of(preview, tokens);
  aiorch_text_free(preview);
  return good ? true : http_problem_of(why, AIORCH_E_INTERNAL, NULL);
}

void anthropic_count_tokens(endpoint_call *call) {
  http_problem why;
  int64_t tokens = 0;
  exchange x = {.orch = call->orch, .models = call->models, .who = call->who, .request = call->request};
  if (anthropic_messages_read(&x, call->body, call->body_len, true, &why) && count(&x, &why, &tokens)) {
    json_print p = {.out = call->out};
    jp_open(&p, '{');
    jp_ki64(&p, "input_tokens", tokens);
    if (x.warnings.count) {
      jp_key(&p, "aiorch");
      jp_open(&p, '{');
      exchange_warnings_member(&x.warnings, &p);
      jp_close(&p, '}');
    }
    jp_close(&p, '}');
    call->out = p.out;
  } else {
    endpoint_problem(call, &why);
  }
  headers_set(&call->headers, "request-id", call->request->id);
  wire_state_free(&x);
  cli_list_free(&x.warnings);
  headers_free(&x.headers);
  aiorch_run_free(x.run);
}
