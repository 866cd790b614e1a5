/*
 * aiorch ask: a question through the seven stages. The answer streams as it comes; sources and figures follow.
 */
#include "ask_print.h"
#include "asking.h"
#include "commands.h"

#include <string.h>

aiorch_status command_fill_run(const cli *c, aiorch_run *run, const cli_bytes *question) {
  aiorch_status status = asking_set_cache(c, run);
  if (status == AIORCH_OK && c->opt.system) {
    status = aiorch_run_add_message(run, AIORCH_ROLE_SYSTEM, c->opt.system, strlen(c->opt.system));
  }
  if (status == AIORCH_OK) status = aiorch_run_add_message(run, AIORCH_ROLE_USER, cli_z(question), question->len);
  return status == AIORCH_OK ? asking_set_filters(c, run) : status;
}

static int dry_run(cli *c, aiorch_run *run) {
  aiorch_text *text;
  const char *json = "";
  size_t len = 0;
  aiorch_status status = aiorch_run_preview(run, &text);
  if (status != AIORCH_OK && (c->opt.json || c->opt.stream_json)) return cli_fail_error(c, aiorch_run_error(run));
  if (status != AIORCH_OK) {
    asking_print_failure(c, run);
    return (int)cli_exit_of(status);
  }
  aiorch_text_get(text, &json, &len);
  if (!command_print_json(c, text)) ask_print_preview(c, json, len);
  aiorch_text_free(text);
  return CLI_EXIT_OK;
}

static int ask_run(cli *c, aiorch_run *run) {
  if (c->opt.dry_run) return dry_run(c, run);
  asking_shown shown = asking_drive(c, run);
  if (!c->opt.json && !c->opt.stream_json) ask_print_end(c, run, &shown);
  return command_finish_run(c, run);
}

static aiorch_status fill(const cli *c, const asking *a, aiorch_run *run, const cli_bytes *question) {
  aiorch_status status = command_fill_run(c, run, question);
  for (size_t i = 0; i < a->picture_count && status == AIORCH_OK; i++) status = picture_add(run, &a->pictures[i]);
  return status == AIORCH_OK ? asking_set_generate(c, a, run) : status;
}

int command_ask(cli *c) {
  cli_bytes question = {0};
  asking a = {0};
  aiorch_run *run = NULL;
  const char *user = c->opt.user ? c->opt.user : "";
  int code = asking_begin(c, &a);
  if (code == CLI_EXIT_OK) code = cli_text_argument(c, 0, &question);
  if (code == CLI_EXIT_OK) code = cli_open(c);
  if (code == CLI_EXIT_OK) {
    aiorch_status status = aiorch_run_new(c->orch, c->opt.tenant, cli_tenant_len(c), user, strlen(user), &run);
    if (status == AIORCH_OK) status = fill(c, &a, run, &question);
    code = status == AIORCH_OK ? ask_run(c, run) : command_fail_run(c, run, status);
  }
  aiorch_run_free(run);
  asking_end(&a);
  cli_release(&question);
  return code;
}
