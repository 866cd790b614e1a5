/*
 * aiorch chat: a conversation. Each message is a run of its own, with what was said before it as its earlier messages.
 */
#include "chat.h"
#include "commands.h"
#include "line_edit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static aiorch_status fill(chat *ch, aiorch_run *run, const char *text, size_t len) {
  const cli *c = ch->c;
  aiorch_status status = asking_set_cache(c, run);
  if (status == AIORCH_OK) status = asking_set_generate(c, &ch->a, run);
  if (status == AIORCH_OK && c->opt.system) {
    status = aiorch_run_add_message(run, AIORCH_ROLE_SYSTEM, c->opt.system, strlen(c->opt.system));
  }
  if (status == AIORCH_OK) status = chat_add_turns(ch, run);
  if (status == AIORCH_OK && len > 0) status = aiorch_run_add_message(run, AIORCH_ROLE_USER, text, len);
  for (size_t i = 0; len > 0 && i < ch->a.picture_count && status == AIORCH_OK; i++) status = picture_add(run, &ch->a.pictures[i]);
  return status == AIORCH_OK ? asking_set_filters(c, run) : status;
}

static void count(chat *ch, const aiorch_run *run) {
  ask_tokens t = ask_count_tokens(run);
  int64_t nano_usd = 0;
  ch->asked++;
  ch->tokens.in += t.in;
  ch->tokens.cached += t.cached;
  ch->tokens.out += t.out;
  ch->tokens.thinking += t.thinking;
  ch->tokens.estimated = ch->tokens.estimated || t.estimated;
  if (aiorch_run_cost(run, &nano_usd) == AIORCH_OK) ch->nano_usd += nano_usd;
  else ch->unpriced++;
}

/* The sources come with /sources. */
static void print_end(chat *ch, aiorch_run *run, asking_shown *shown) {
  if (aiorch_run_status(run) >= 0) ask_print_text(ch->c, run, shown);
  if (shown->open) putchar('\n');
  ask_print_tool_calls(ch->c, run);
  if (aiorch_run_status(run) >= 0 && aiorch_run_tool_call_count(run) > 0) {
    chat_tell(ch, "/tool NAME RESULT says what came of a call; a message goes on without.");
  }
  if (!ch->c->opt.quiet && (aiorch_run_status(run) >= 0 || aiorch_run_attempt_count(run) > 0)) ask_print_figures(ch->c, run);
  if (ch->interactive && !ch->c->opt.quiet) putchar('\n');
  fflush(stdout);
}

/* What was given out of an answer that was stopped stands as said; of one that failed nothing does. */
static void keep(chat *ch, const aiorch_run *run, const char *text, size_t len) {
  const char *answer;
  size_t answer_len = 0;
  aiorch_status status = aiorch_run_status(run);
  aiorch_run_answer(run, &answer, &answer_len);
  bool stopped = status == AIORCH_E_CANCELLED && answer_len > 0;
  if (stopped || (status >= 0 && answer_len + aiorch_run_tool_call_count(run) > 0)) chat_keep(ch, text, len, run);
}

static size_t message_bytes(const chat *ch, size_t len) {
  if (len == 0) return 0;
  for (size_t i = 0; i < ch->a.picture_count; i++) len += ch->a.pictures[i].data.len;
  return len;
}

void chat_say(chat *ch, const char *text, size_t len) {
  cli *c = ch->c;
  const char *user = c->opt.user ? c->opt.user : "";
  aiorch_run *run = NULL;
  size_t dropped = chat_shorten(ch, message_bytes(ch, len));
  if (dropped && !c->opt.quiet) {
    cli_warn(c, "the conversation is long: its oldest %zu turn%s no longer sent (--history)", dropped, dropped == 1 ? " is" : "s are");
  }
  aiorch_status status = aiorch_run_new(c->orch, c->opt.tenant, cli_tenant_len(c), user, strlen(user), &run);
  if (status == AIORCH_OK) status = fill(ch, run, text, len);
  if (status != AIORCH_OK) {
    ch->code = command_fail_run(c, run, status);
    aiorch_run_free(run);
    return;
  }
  asking_shown shown = asking_drive(c, run);
  if (ch->plain) print_end(ch, run, &shown);
  int code = command_finish_run(c, run);
  fflush(stdout);
  if (code != CLI_EXIT_OK) ch->code = code;
  count(ch, run);
  keep(ch, run, text, len);
  aiorch_run_free(ch->last);
  ch->last = run;
}

static void take_line(chat *ch, const char *line, size_t len) {
  if (line[0] == '/' && !(len > 1 && line[1] == '/')) chat_command(ch, line, len);
  else chat_say(ch, line + (line[0] == '/'), len - (line[0] == '/'));
}

static void talk(chat *ch) {
  cli *c = ch->c;
  const char *line;
  size_t len;
  line_edit *in = line_edit_new(c, ch->interactive ? "> " : "");
  if (ch->interactive && ch->plain && !c->opt.quiet) puts("/help lists what can be typed besides messages; Ctrl-D leaves.");
  while (!ch->over && line_edit_next(in, &line, &len)) {
    take_line(ch, line, len);
    if (!ch->interactive && cli_interrupted()) break;
    cli_interrupt_forget();
  }
  if (ch->interactive && ch->plain && !ch->over) putchar('\n');
  int error = line_edit_error(in);
  if (error) ch->code = cli_error(c, CLI_EXIT_INTERNAL, AIORCH_E_SYSTEM, "stdin: cannot read: %s", strerror(error));
  line_edit_free(in);
}

int command_chat(cli *c) {
  chat ch = {.c = c, .interactive = isatty(STDIN_FILENO) == 1, .plain = !c->opt.json && !c->opt.stream_json};
  int code = asking_begin(c, &ch.a);
  if (code == CLI_EXIT_OK) code = cli_open(c);
  if (code == CLI_EXIT_OK) {
    talk(&ch);
    if (ch.plain && !c->opt.quiet && ch.asked > 0) chat_print_total(&ch);
    code = ch.interactive ? CLI_EXIT_OK : cli_interrupted() ? CLI_EXIT_INTERRUPTED : ch.code;
  }
  aiorch_run_free(ch.last);
  chat_forget(&ch);
  asking_end(&ch.a);
  for (size_t i = 0; i < sizeof ch.owned / sizeof ch.owned[0]; i++) free(ch.owned[i]);
  return code;
}
