/* See run_extras.h. */
#include "pipeline/run_extras.h"

#include <string.h>

#include "generate/arguments_check.h"
#include "guard/output_hosts.h"
#include "pipeline/shared_call.h"

void aio__run_take_warnings(aiorch_run *run) {
  aio__call_extra extra;
  for (; aio__call_extra_at(run->call, run->extras_seen, &extra); run->extras_seen++) {
    if (extra.kind != AIO__EVENT_WARNING) continue;
    int most = extra.text.n < AIO__ERROR_MESSAGE_MAX ? (int)extra.text.n : AIO__ERROR_MESSAGE_MAX;
    aio__run_warn(run, AIORCH_STAGE_GENERATE, AIORCH_OK, "%.*s", most, extra.text.p);
  }
}

/* Of a text that is passed on as it is or not at all. */
static aiorch_status look(aiorch_run *run, aio__str text, aio__output_finding *finding) {
  aio__output_finding host;
  *finding = (aio__output_finding){.verdict = AIO__VERDICT_PASS};
  if (!run->check.guard) return AIORCH_OK;
  aiorch_status st = aio__output_guard_check(run->check.guard, text, 0, run->check.canary, finding);
  if (st == AIORCH_OK && finding->verdict != AIO__VERDICT_BLOCK && aio__output_hosts_find(run->check.hosts, text, 0, &host)) *finding = host;
  return st;
}

static void keep_gravest(aiorch_run *run, const aio__output_finding *finding) {
  if (finding->verdict > run->check.finding.verdict) run->check.finding = *finding;
}

static bool copy(aiorch_run *run, aio__str *text) {
  *text = text->n ? aio__arena_str(&run->arena, *text) : AIO__LIT("");
  return text->p != NULL;
}

/* `out` may be used for what takes the place of the arguments. */
static aiorch_status check_tool_call(aiorch_run *run, const aio__call_extra *extra, aio__buf *out) {
  aio__output_finding finding;
  aiorch_status st = look(run, extra->name, &finding);
  if (st) return st;
  keep_gravest(run, &finding);
  if (finding.verdict != AIO__VERDICT_PASS && aio__stream_check_blocks(&run->check, &finding)) return AIORCH_E_OUTPUT_BLOCKED;
  if (finding.verdict != AIO__VERDICT_PASS && run->check.mode == AIO__CHECK_REDACT) return AIORCH_E_OUTPUT_BLOCKED;
  return aio__arguments_check(&run->check, extra->text, out);
}

static aiorch_status take_tool_call(aiorch_run *run, const aio__call_extra *extra) {
  aio__buf replaced;
  aio__buf_init(&replaced, run->al, AIO__CALL_EXTRAS_BYTES_MAX);
  if (!run->tool_calls) run->tool_calls = aio__arena_alloc(&run->arena, AIO__TOOLS_MAX * sizeof *run->tool_calls);
  aiorch_status st = run->tool_calls ? check_tool_call(run, extra, &replaced) : AIORCH_E_NOMEM;
  if (st == AIORCH_OK) {
    aio__str id = extra->id, name = extra->name;
    aio__run_tool_call *call = &run->tool_calls[run->tool_call_count];
    *call = (aio__run_tool_call){.arguments = replaced.n > 0 ? aio__buf_view(&replaced) : extra->text, .signature = extra->signature};
    if (!copy(run, &id) || !copy(run, &name) || !copy(run, &call->arguments) || !copy(run, &call->signature)) st = AIORCH_E_NOMEM;
    call->id = id.p;
    call->name = name.p;
  }
  if (st == AIORCH_OK) run->tool_call_count++;
  aio__buf_free(&replaced);
  return st;
}

static aiorch_status take_reasoning(aiorch_run *run, const aio__call_extra *extra) {
  aio__output_finding finding;
  aiorch_status st = look(run, extra->text, &finding);
  if (st) return st;
  /* Its signature is one of these very words: they are not changed. */
  bool grave = finding.verdict == AIO__VERDICT_BLOCK && run->check.mode != AIO__CHECK_FLAG;
  if (grave || (finding.verdict != AIO__VERDICT_PASS && run->check.mode == AIO__CHECK_REDACT)) {
    aio__run_warn(run, AIORCH_STAGE_GENERATE, AIORCH_E_OUTPUT_BLOCKED, "reasoning was left out: the output rule \"%s\" (%s)",
                  finding.rule, finding.category);
    return AIORCH_OK;
  }
  keep_gravest(run, &finding);
  if (!run->reasoning) run->reasoning = aio__arena_alloc(&run->arena, AIO__REASONING_MAX * sizeof *run->reasoning);
  if (!run->reasoning) return AIORCH_E_NOMEM;
  aio__run_reasoning *piece = &run->reasoning[run->reasoning_count];
  *piece = (aio__run_reasoning){.text = extra->kind == AIO__EVENT_REDACTED ? AIO__LIT("") : extra->text, .signature = extra->signature};
  if (!copy(run, &piece->text) || !copy(run, &piece->signature)) return AIORCH_E_NOMEM;
  run->reasoning_count++;
  return AIORCH_OK;
}

void aio__run_stopped_by(aiorch_run *run, aio__str text) {
  run->stopped_by = AIO__LIT("");
  for (size_t i = 0; i < run->stop_count; i++) {
    if (aio__str_eq(run->stops[i], text)) run->stopped_by = run->stops[i];
  }
}

aiorch_status aio__run_announce_extras(aiorch_run *run) {
  for (size_t i = 0; i < run->tool_call_count && run->events_wanted; i++) {
    struct aiorch_event *event = aio__run_event(run, AIORCH_EVENT_TOOL_CALL, AIORCH_STAGE_GENERATE);
    if (!event) return AIORCH_E_NOMEM;
    event->index = i;
  }
  return AIORCH_OK;
}

/* Of its own call, or of what it shares. */
static bool extra_at(const aiorch_run *run, size_t index, aio__call_extra *out) {
  return run->call ? aio__call_extra_at(run->call, index, out) : aio__shared_call_extra_at(run, index, out);
}

aiorch_status aio__run_take_extras(aiorch_run *run) {
  aio__call_extra extra;
  aiorch_status st = AIORCH_OK;
  size_t left_out = 0;
  aio__run_drop_extras(run);
  for (size_t i = 0; st == AIORCH_OK && extra_at(run, i, &extra); i++) {
    bool tool = extra.kind == AIO__EVENT_TOOL_END;
    bool reasoning = extra.kind == AIO__EVENT_REASONING || extra.kind == AIO__EVENT_REDACTED;
    if (tool && run->tool_call_count < AIO__TOOLS_MAX) st = take_tool_call(run, &extra);
    else if (reasoning && run->reasoning_count < AIO__REASONING_MAX) st = take_reasoning(run, &extra);
    else if (tool || reasoning) left_out++;
    else if (extra.kind == AIO__EVENT_STOP) aio__run_stopped_by(run, extra.text);
  }
  if (left_out > 0) {
    aio__run_warn(run, AIORCH_STAGE_GENERATE, AIORCH_E_TOO_LARGE,
                  "%zu of the answer's tool calls and pieces of reasoning were left out: at most %d and %d are kept", left_out,
                  AIO__TOOLS_MAX, AIO__REASONING_MAX);
  }
  if (st) aio__run_drop_extras(run);
  return st;
}

void aio__run_drop_extras(aiorch_run *run) {
  run->tool_call_count = run->reasoning_count = 0;
  run->stopped_by = AIO__LIT("");
}
