/* What search, embeddings and changes of documents share with answers: the limits of their user. See endpoints.h. */
#include "endpoints.h"

/* A run of these two stages alone: what admits answers admits this, too, by the same settings and in the same count, and a row says what it
 * was and has cost. The shortest answer reserves next to nothing of a budget, and its row puts what was paid in the place of that. */
static aiorch_status new_run(const endpoint_call *call, aiorch_run **run) {
  aiorch_status status = aiorch_run_new(call->orch, call->who->tenant, call->who->tenant_len, call->who->user, call->who->user_len, run);
  if (status == AIORCH_OK) status = aiorch_run_set_option(*run, "generate.max_tokens", "1", 1);
  return status == AIORCH_OK ? aiorch_run_add_message(*run, AIORCH_ROLE_USER, "-", 1) : status;
}

static bool refuse(endpoint_call *call, aiorch_status status, aiorch_run *run) {
  http_problem why;
  http_problem_of(&why, status, aiorch_run_error(run));
  endpoint_problem(call, &why);
  aiorch_run_free(run);
  return false;
}

bool endpoint_admit(endpoint_call *call, aiorch_run **run) {
  *run = NULL;
  if (!call->counted_as) return true;
  aiorch_status status = new_run(call, run);
  if (status == AIORCH_OK) status = aiorch_stage_rate_limit(*run);
  aiorch_run_rate_limit(*run, &call->left.limit, &call->left.remaining, &call->left.reset_ms);
  if (status == AIORCH_OK) return true;
  refuse(call, status, *run);
  *run = NULL;
  return false;
}

bool endpoint_settle(endpoint_call *call, aiorch_run *run, const char *provider, const char *model, int64_t tokens) {
  aiorch_status status = AIORCH_OK;
  if (!run && !provider) return true;
  if (!run) status = new_run(call, &run);
  if (status == AIORCH_OK) {
    status = aiorch_run_set_answer(run, "-", 1, AIORCH_FINISH_STOP, provider ? provider : "server", provider ? model : call->counted_as);
  }
  if (status == AIORCH_OK && provider) status = aiorch_run_set_usage(run, AIORCH_USAGE_INPUT, tokens);
  if (status == AIORCH_OK) status = aiorch_stage_log_cost(run);
  if (status != AIORCH_OK) return refuse(call, status, run);
  aiorch_run_free(run);
  return true;
}

bool endpoint_admitted(endpoint_call *call) {
  aiorch_run *run;
  return endpoint_admit(call, &run) && endpoint_settle(call, run, NULL, NULL, 0);
}
