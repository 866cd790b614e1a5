/* Stage 1: is this a text that we want to handle? Every user and tool turn is checked for what it is (length, UTF-8, NUL),
 * then by the input rules. A refusal is admitted under its own key, so that probing is not free. */
#include "pipeline/run_content.h"
#include "pipeline/stages.h"

enum { CHECK = 0, ADMIT_REFUSAL = 1 };

static void count_refusal(aiorch_run *run, aiorch_status st) {
  aio__count(&run->orch->counters,
             st == AIORCH_E_INJECTION ? AIO__N_REFUSED_INJECTION : AIO__N_REFUSED_INVALID_INPUT);
}

static const char *role_name(int32_t role) {
  return role == AIORCH_ROLE_USER ? "user" : role == AIORCH_ROLE_TOOL ? "tool" : role == AIORCH_ROLE_ASSISTANT ? "assistant" : "system";
}

static aiorch_status check_texts(aiorch_run *run) {
  const aio__options *o = run->options;
  size_t total = 0;
  for (size_t i = 0; i < run->message_count; i++) {
    const aio__message *m = &run->messages[i];
    size_t code_points = 0;
    aiorch_error why;
    aio__error_init(&why);
    bool theirs = m->role == AIORCH_ROLE_USER || m->role == AIORCH_ROLE_TOOL;
    int64_t most = m->role == AIORCH_ROLE_USER   ? o->validate_user_chars
                   : m->role == AIORCH_ROLE_TOOL ? o->validate_tool_chars
                                                 : o->validate_total_chars;
    /* What the host wrote may be empty, and beside an image, or as a tool's result; what a person wrote may not. */
    bool may_be_empty = !theirs || aio__message_has_parts(m);
    aiorch_status st = may_be_empty && m->text.n == 0 ? AIORCH_OK
                                                 : aio__input_check_text(m->text, (size_t)most, &code_points, &why);
    if (st) return aio__run_fail(run, AIORCH_STAGE_VALIDATE, st, "message %zu (%s): %s", i + 1, role_name(m->role), why.message);
    total += code_points;
    if (total > (size_t)o->validate_total_chars) {
      return aio__run_fail(run, AIORCH_STAGE_VALIDATE, AIORCH_E_INVALID_INPUT,
                           "the conversation has more than %lld characters; \"validate.total_chars\" sets the limit",
                           (long long)o->validate_total_chars);
    }
  }
  return AIORCH_OK;
}

/* No text of the user's is in it: rule, category, place. */
static void log_finding(aiorch_run *run, const aio__input_finding *finding, size_t message) {
  aio__log *log = run->orch->log;
  if (!aio__log_wants(log, AIORCH_LOG_WARN)) return;
  aio__buf members;
  aio__buf_init(&members, run->al, AIO__LOG_EVENT_MAX);
  if (aio__buf_fmt(&members,
                   "\"run_id\":\"%s\",\"stage\":\"validate\",\"rule\":\"%s\",\"category\":\"%s\",\"message\":%zu,"
                   "\"start\":%zu,\"end\":%zu",
                   run->id, finding->rule, finding->category, message + 1, finding->start, finding->end) == AIORCH_OK) {
    aio__log_event(log, AIORCH_LOG_WARN, finding->verdict == AIO__VERDICT_BLOCK ? "input_blocked" : "input_flagged",
                   aio__buf_view(&members));
  }
  aio__buf_free(&members);
}

static aiorch_status check_rules(aiorch_run *run) {
  bool only_flag = run->options->validate_rules[1] == 'l'; /* "flag" */
  if (run->options->validate_rules[1] == 'f') return AIORCH_OK; /* "off" */
  for (size_t i = 0; i < run->message_count; i++) {
    const aio__message *m = &run->messages[i];
    if ((m->role != AIORCH_ROLE_USER && m->role != AIORCH_ROLE_TOOL) || m->text.n == 0) continue;
    aio__input_finding finding;
    if (aio__input_guard_check(run->orch->input_guard, m->text, &finding) != AIORCH_OK) {
      return aio__run_fail(run, AIORCH_STAGE_VALIDATE, AIORCH_E_NOMEM, "out of memory while the input was screened");
    }
    if (finding.verdict == AIO__VERDICT_PASS) continue;
    log_finding(run, &finding, i);
    if (finding.verdict > run->input_finding.verdict) {
      run->input_finding = finding;
      run->finding_message = i;
    }
    if (finding.verdict == AIO__VERDICT_BLOCK && !only_flag) {
      return aio__run_fail(run, AIORCH_STAGE_VALIDATE, AIORCH_E_INJECTION,
                           "message %zu: rule \"%s\" (%s) matches bytes %zu to %zu: %s", i + 1, finding.rule,
                           finding.category, finding.start, finding.end, finding.why);
    }
    aio__count(&run->orch->counters, AIO__N_FLAGGED_INPUT);
    aio__run_warn(run, AIORCH_STAGE_VALIDATE, AIORCH_E_INJECTION, "message %zu: rule \"%s\" (%s) flags bytes %zu to %zu",
                  i + 1, finding.rule, finding.category, finding.start, finding.end);
  }
  return AIORCH_OK;
}

/* A refusal that the user has had too often becomes RATE_LIMITED; when the store cannot say, the refusal stands. */
static aiorch_status refusal_admitted(aiorch_run *run, aiorch_status st) {
  if (st == AIORCH_PENDING) return st;
  run->step = CHECK;
  if (st < 0 || run->admission.admitted) return run->error.status;
  run->error.status = AIORCH_E_RATE_LIMITED;
  run->error.retry_after_ms = run->admission.retry_after_ms;
  aio__count(&run->orch->counters, AIO__N_REFUSED_RATE_LIMIT);
  aio__error_set(&run->error, AIORCH_E_RATE_LIMITED,
                 "too many refused messages: %lld of %lld in an hour; \"rate_limit.refused\" sets the limit",
                 (long long)run->admission.used, (long long)run->constraints[0].limit);
  run->error.stage = AIORCH_STAGE_VALIDATE;
  run->error.retry_after_ms = run->admission.retry_after_ms;
  run->limit_setting = "rate_limit.refused";
  return AIORCH_E_RATE_LIMITED;
}

static aiorch_status admit_refusal(aiorch_run *run, aiorch_status why) {
  run->refused = true;
  count_refusal(run, why);
  run->constraint_count = aio__limits_for_refusal(run->options, run->user, run->constraints);
  if (run->constraint_count == 0 || run->preview) return why;
  run->step = ADMIT_REFUSAL;
  aio__store *store = run->orch->store;
  aio__op *op = aio__run_op_begin(run, run->deadline_ns);
  return refusal_admitted(
      run, aio__run_op(run, store->ledger->admit(store, op, run->tenant, aio__str_n(run->id, AIO__UUID_LEN),
                                                 run->constraints, run->constraint_count,
                                                 aio__clock_wall_ms(run->orch->clock), &run->admission)));
}

aiorch_status aio__stage_validate(aiorch_run *run) {
  if (run->step == ADMIT_REFUSAL) return refusal_admitted(run, aio__run_op_poll(run));
  if (run->question == SIZE_MAX) {
    return admit_refusal(run, aio__run_fail(run, AIORCH_STAGE_VALIDATE, AIORCH_E_INVALID_INPUT,
                                            "there is no user message: add one with role \"user\""));
  }
  aiorch_status st = check_texts(run);
  if (st == AIORCH_OK) st = check_rules(run);
  if (st == AIORCH_E_INVALID_INPUT || st == AIORCH_E_INJECTION) return admit_refusal(run, st);
  return st;
}
