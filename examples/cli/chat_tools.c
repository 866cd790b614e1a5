/*
 * Tools in a conversation. Nothing runs them here: who sits at the terminal gives the results, or goes on without.
 */
#include "chat.h"

#include <stdlib.h>
#include <string.h>

static const char no_result[] = "No result: the user went on without calling this tool.";

static char *copy_z(const char *text) { return cli_copy(text, strlen(text)); }

void chat_take_calls(chat_turn *turn, const aiorch_run *run) {
  size_t calls = aiorch_run_tool_call_count(run), thoughts = calls > 0 ? aiorch_run_reasoning_count(run) : 0;
  const char *id, *name, *arguments, *text, *signature = "";
  turn->calls = cli_alloc((calls + 1) * sizeof *turn->calls);
  turn->thoughts = cli_alloc((thoughts + 1) * sizeof *turn->thoughts);
  for (size_t i = 0; i < calls; i++) {
    if (aiorch_run_tool_call(run, i, &id, &name, &arguments, NULL) != AIORCH_OK) continue;
    (void)aiorch_run_tool_call_signature(run, i, &signature, NULL);
    turn->calls[turn->call_count++] =
        (chat_call){.id = copy_z(id), .name = copy_z(name), .arguments = copy_z(arguments), .signature = copy_z(signature)};
  }
  for (size_t i = 0; i < thoughts; i++) {
    if (aiorch_run_reasoning(run, i, &text, NULL, &signature, NULL) != AIORCH_OK) continue;
    turn->thoughts[turn->thought_count++] = (chat_thought){.text = copy_z(text), .signature = copy_z(signature)};
  }
}

void chat_free_calls(chat_turn *turn) {
  for (size_t i = 0; i < turn->call_count; i++) {
    chat_call *call = &turn->calls[i];
    free(call->id);
    free(call->name);
    free(call->arguments);
    free(call->signature);
    free(call->result);
  }
  for (size_t i = 0; i < turn->thought_count; i++) {
    free(turn->thoughts[i].text);
    free(turn->thoughts[i].signature);
  }
  free(turn->calls);
  free(turn->thoughts);
}

const char *chat_result(const chat_call *call) { return call->result ? call->result : no_result; }

static chat_turn *last_turn(const chat *ch) { return ch->turn_count > 0 ? &ch->turns[ch->turn_count - 1] : NULL; }

size_t chat_open_calls(const chat *ch) {
  const chat_turn *turn = last_turn(ch);
  size_t open = 0;
  for (size_t i = 0; turn && i < turn->call_count; i++) open += !turn->calls[i].result;
  return open;
}

/* ---- on a run ---- */

aiorch_status chat_add_thoughts(const chat_turn *turn, aiorch_run *run) {
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < turn->thought_count && status == AIORCH_OK; i++) {
    const chat_thought *thought = &turn->thoughts[i];
    status = aiorch_run_add_reasoning(run, thought->text, strlen(thought->text), thought->signature, strlen(thought->signature));
  }
  return status;
}

aiorch_status chat_add_calls(const chat_turn *turn, aiorch_run *run) {
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < turn->call_count && status == AIORCH_OK; i++) {
    const chat_call *call = &turn->calls[i];
    status = aiorch_run_add_tool_call(run, call->id, strlen(call->id), call->name, strlen(call->name), call->arguments,
                                      strlen(call->arguments));
    if (status == AIORCH_OK && *call->signature) status = aiorch_run_add_signature(run, call->signature, strlen(call->signature));
  }
  for (size_t i = 0; i < turn->call_count && status == AIORCH_OK; i++) {
    const chat_call *call = &turn->calls[i];
    const char *result = chat_result(call);
    status = aiorch_run_add_tool_result(run, call->id, strlen(call->id), call->name, strlen(call->name), result, strlen(result),
                                        !call->result);
  }
  return status;
}

/* ---- /tool ---- */

static void list_open(chat *ch) {
  const chat_turn *turn = last_turn(ch);
  for (size_t i = 0; turn && i < turn->call_count; i++) {
    const chat_call *call = &turn->calls[i];
    if (call->result) continue;
    chat_tell(ch, "%s %s waits for the result of %s: /tool NAME RESULT; a message goes on without.", call->name, call->arguments, call->id);
  }
}

/* The call that `word` names: by its id, else the first that waits by its name. */
static chat_call *find(chat_turn *turn, const char *word, size_t len) {
  chat_call *found = NULL;
  for (size_t i = 0; i < turn->call_count; i++) {
    chat_call *call = &turn->calls[i];
    if (strlen(call->id) == len && memcmp(call->id, word, len) == 0) return call;
    bool named = strlen(call->name) == len && memcmp(call->name, word, len) == 0;
    if (named && (!found || (found->result && !call->result))) found = call;
  }
  return found;
}

static chat_call *only_open(chat_turn *turn) {
  chat_call *open = NULL;
  for (size_t i = 0; i < turn->call_count; i++) {
    if (turn->calls[i].result) continue;
    if (open) return NULL;
    open = &turn->calls[i];
  }
  return open;
}

bool chat_give_result(chat *ch, const char *text) {
  chat_turn *turn = last_turn(ch);
  if (chat_open_calls(ch) == 0) {
    chat_complain(ch, "/tool: no tool waits for a result");
    return false;
  }
  if (!*text) {
    list_open(ch);
    return false;
  }
  size_t word = strcspn(text, " \t");
  chat_call *call = find(turn, text, word);
  if (call) text += word + strspn(text + word, " \t");
  else call = only_open(turn);
  if (!call) {
    chat_complain(ch, "/tool: '%.*s' is no tool that waits; /tool lists them", (int)word, text);
  } else if (call->result) {
    chat_complain(ch, "/tool: %s has its result already", call->id);
  } else if (!*text) {
    chat_complain(ch, "/tool: the result of %s is missing: /tool %s RESULT", call->name, call->id);
  } else {
    call->result = copy_z(text);
    if (chat_open_calls(ch) == 0) return true;
    list_open(ch);
  }
  return false;
}
