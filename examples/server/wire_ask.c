/*
 * POST /ask: {"message"} in, with "system" and our "aiorch" where they are wanted; response, provider, latency and what else is known out. With Accept: text/event-stream or "stream": true the
 * answer comes as it is written: `data: {"delta": "..."}`, then one `event: done` with all that the whole answer has beside the text.
 */
#include "run_making.h"

#include <string.h>

enum { REST_BYTES = 1024 }; /* what an answer mostly has beside its text */
enum { M_MESSAGE, M_SYSTEM, M_STREAM, M_OWN };

static const member_spec MEMBERS[] = {[M_MESSAGE] = {"message", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
                                      [M_SYSTEM] = {"system", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                      [M_STREAM] = {"stream", MEMBER_TAKEN, BODY_BOOL, NULL, NULL},
                                      [M_OWN] = {"aiorch", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL}};

static bool wants_stream(const http_request *request, const body_node *stream) {
  const char *accept = request_header(request, "accept");
  return stream ? stream->truth : accept && strstr(accept, "text/event-stream") != NULL;
}

static bool add_message(making *m, const char *member, int32_t role) {
  const body_node *text = body_get(m->root, member);
  return !text || making_check(m, aiorch_run_add_message(m->x->run, role, text->text, text->len), member);
}

/* Programs that asked another endpoint before send members of theirs, their user for one: a warning says that they have no effect. */
static bool take_all(making *m) {
  if (m->root->type != BODY_OBJECT) {
    return http_problem_set(m->why, 400, "invalid_json", NULL, "the body is no object; send {\"message\": \"...\"}");
  }
  if (!making_parts(m, m->root, NULL, SPECS(MEMBERS))) return false;
  if (!body_get_text(m->root, "message")) {
    return http_problem_set(m->why, 400, "missing_required_parameter", "message", "\"message\" is missing, or no text");
  }
  m->x->streamed = wants_stream(m->x->request, body_get(m->root, "stream"));
  return exchange_run_new(m->x, m->why) && making_own_options(m, body_get(m->root, "aiorch")) &&
         add_message(m, "system", AIORCH_ROLE_SYSTEM) && add_message(m, "message", AIORCH_ROLE_USER) && making_finish(m);
}

static bool begin(exchange *x, const char *body, size_t len, http_problem *why) {
  body_json json;
  bool good = body_parse(&json, body, len);
  making m = {.x = x, .root = json.root, .why = why, .state = wire_state_of(x), .language = ""};
  if (!good) {
    http_problem_set(why, 400, "invalid_json", NULL, "the body is no JSON: %s, at byte %zu; send {\"message\": \"...\"}", json.wrong, json.where);
  } else {
    good = take_all(&m);
  }
  making_end(&m);
  body_free(&json);
  return good;
}

/* `latency` is milliseconds, as such clients know it. */
static void write_rest(const exchange *x, json_print *p) {
  const char *provider = "none";
  size_t len = 4;
  aiorch_run_provider(x->run, &provider, &len);
  jp_key(p, "provider");
  jp_str(p, provider, len);
  jp_ki64(p, "latency", (aiorch_run_duration_us(x->run) + 500) / 1000);
  jp_key(p, "cached");
  int32_t cache = aiorch_run_cache_outcome(x->run);
  jp_bool(p, cache == AIORCH_CACHE_EXACT || cache == AIORCH_CACHE_SEMANTIC);
  jp_kz(p, "finish_reason", aiorch_finish_reason_name(aiorch_run_finish_reason(x->run)));
  jp_key(p, "aiorch");
  jp_open(p, '{');
  exchange_aiorch_members(x, p);
  jp_close(p, '}');
}

static void whole(exchange *x) {
  json_print p = {.out = x->out};
  const char *answer = "";
  size_t len = 0;
  aiorch_run_answer(x->run, &answer, &len);
  cli_reserve(&p.out, len + REST_BYTES);
  jp_open(&p, '{');
  jp_key(&p, "response");
  jp_str(&p, answer, len);
  write_rest(x, &p);
  jp_close(&p, '}');
  x->out = p.out;
}

static void delta(exchange *x, const char *text, size_t len) {
  json_print p = {0};
  jp_open(&p, '{');
  jp_key(&p, "delta");
  jp_str(&p, text, len);
  jp_close(&p, '}');
  sse_event(&x->out, NULL, p.out.data, p.out.len);
  cli_release(&p.out);
}

static void finish(exchange *x) {
  json_print p = {0};
  jp_open(&p, '{');
  write_rest(x, &p);
  jp_close(&p, '}');
  sse_event(&x->out, "done", p.out.data, p.out.len);
  cli_release(&p.out);
}

static void problem(exchange *x, const http_problem *why) {
  cli_bytes json = {0};
  if (!x->started) {
    http_problem_json(why, &x->out);
    return;
  }
  http_problem_json(why, &json);
  sse_event(&x->out, "error", json.data, json.len);
  cli_release(&json);
}

static void heartbeat(exchange *x) { cli_addz(&x->out, ": still here\n\n"); }

const wire wire_ask = {"text/event-stream", begin, delta, NULL, finish, whole, problem, heartbeat, wire_state_free};
