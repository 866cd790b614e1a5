/*
 * Tiny calls: a run for each provider with that one alone in its chain, no retrieval, no cache, few tokens and little time. They are submitted
 * together, and driven by this one thread.
 */
#include "provider_check.h"

#include <string.h>

enum { TIMEOUT_S = 20, MAX_TOKENS = 16, STEP_MS = 100 };

static const char QUESTION[] = "Answer with the one word: ready";
static const char SYSTEM[] = "Answer with one word.";

static aiorch_status set_number(aiorch_run *run, const char *key, int64_t value) {
  char text[32];
  int len = snprintf(text, sizeof text, "%lld", (long long)value);
  return aiorch_run_set_option(run, key, text, (size_t)len);
}

static aiorch_status fill(const cli *c, aiorch_run *run, const char *name) {
  int64_t seconds = c->opt.timeout_s ? c->opt.timeout_s : TIMEOUT_S;
  aiorch_status status = aiorch_run_set_option(run, "generate.chain", name, strlen(name));
  if (status == AIORCH_OK) status = aiorch_run_set_option(run, "cache.mode", "off", 3);
  if (status == AIORCH_OK) status = aiorch_run_set_option(run, "retrieve.enabled", "false", 5);
  if (status == AIORCH_OK) status = set_number(run, "generate.max_tokens", MAX_TOKENS);
  if (status == AIORCH_OK) status = set_number(run, "generate.attempts", 1);
  if (status == AIORCH_OK) status = set_number(run, "deadline_ms", seconds * 1000);
  if (status == AIORCH_OK) status = aiorch_run_add_message(run, AIORCH_ROLE_SYSTEM, SYSTEM, sizeof SYSTEM - 1);
  if (status == AIORCH_OK) status = aiorch_run_add_message(run, AIORCH_ROLE_USER, QUESTION, sizeof QUESTION - 1);
  return status;
}

static void begin(cli *c, provider_check *check) {
  const char *user = c->opt.user ? c->opt.user : "";
  check->status = aiorch_run_new(c->orch, c->opt.tenant, cli_tenant_len(c), user, strlen(user), &check->run);
  if (check->status == AIORCH_OK) check->status = fill(c, check->run, check->name);
  if (check->status == AIORCH_OK) check->status = aiorch_run_set_user_data(check->run, check);
  if (check->status == AIORCH_OK) check->status = aiorch_run_submit(check->run);
  if (check->status == AIORCH_OK) return;
  const char *words = check->run ? aiorch_error_message(aiorch_run_error(check->run)) : "";
  cli_addz(&check->why, words && *words ? words : aiorch_strerror(check->status));
}

/* ---- what came of it ---- */

/* The words of the last attempt say more than those of the run, which speak of all providers. */
static void add_words(provider_check *check, const json_value *attempt) {
  const char *words = json_text(attempt, "message");
  if (check->http_status) cli_addf(&check->why, "HTTP %d", (int)check->http_status);
  if (!*words) words = attempt ? "" : aiorch_error_message(aiorch_run_error(check->run));
  if (!*words && !check->http_status) words = aiorch_strerror(check->status);
  if (*words) cli_addf(&check->why, "%s%s", check->why.len ? ": " : "", words);
}

static void finish(provider_check *check) {
  const char *json = "", *model = "", *provider;
  size_t len = 0;
  check->status = aiorch_run_status(check->run);
  json_value *report = aiorch_run_to_json(check->run, &json, &len) == AIORCH_OK ? json_parse(json, len, NULL) : NULL;
  const json_value *attempts = json_get(report, "attempts"), *last = NULL;
  for (const json_value *a = attempts ? attempts->child : NULL; a; a = a->next) last = a;
  for (size_t i = 0; i < aiorch_run_attempt_count(check->run); i++) {
    aiorch_run_attempt(check->run, i, NULL, NULL, &check->http_status, &check->latency_us);
    aiorch_run_attempt_names(check->run, i, &provider, &model, NULL);
  }
  cli_addz(&check->model, model);
  if (check->status < 0) add_words(check, last);
  json_free(report);
}

static void cancel(cli *c, provider_check *checks, size_t count) {
  const char *id;
  size_t len;
  for (size_t i = 0; i < count; i++) {
    if (checks[i].run && aiorch_run_id(checks[i].run, &id, &len) == AIORCH_OK) aiorch_cancel(c->orch, id, len);
  }
}

void provider_check_all(cli *c, provider_check *checks, size_t count) {
  size_t open = 0;
  bool cancelled = false;
  for (size_t i = 0; i < count; i++) {
    begin(c, &checks[i]);
    if (checks[i].status != AIORCH_OK) continue;
    checks[i].status = AIORCH_E_CANCELLED; /* until it has ended */
    open++;
  }
  while (open > 0) {
    aiorch_run *run;
    const aiorch_event *event;
    aiorch_status status = aiorch_wait(c->orch, STEP_MS, &run);
    if (cli_interrupted() && !cancelled) {
      cancelled = true;
      cancel(c, checks, count);
    }
    if (status == AIORCH_AGAIN) continue;
    if (status != AIORCH_OK) break;
    while ((status = aiorch_run_next(run, 0, &event)) == AIORCH_OK) continue;
    if (status == AIORCH_AGAIN) continue;
    finish(aiorch_run_user_data(run));
    open--;
  }
}

void provider_check_free(provider_check *check) {
  aiorch_run_free(check->run);
  cli_release(&check->model);
  cli_release(&check->why);
}
