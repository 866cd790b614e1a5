/*
 * aiorch ask: a question through the seven stages. The answer streams as it comes; sources and figures follow.
 */
#include "ask_print.h"
#include "commands.h"
#include "filter_option.h"

#include <stdlib.h>
#include <string.h>

enum { STEP_MS = 100 };

static aiorch_status set_option(aiorch_run *run, const char *key, const char *value) {
  return value ? aiorch_run_set_option(run, key, value, strlen(value)) : AIORCH_OK;
}

/* --no-cache, --cache, --max-age, --cache-threshold */
static aiorch_status set_cache(const cli *c, aiorch_run *run) {
  int64_t seconds = 0;
  char number[32];
  aiorch_status status = set_option(run, "cache.mode", c->opt.no_cache ? "off" : c->opt.cache);
  if (status == AIORCH_OK) status = set_option(run, "cache.threshold", c->opt.cache_threshold);
  if (status != AIORCH_OK || !c->opt.max_age) return status;
  (void)cli_seconds(c->opt.max_age, &seconds); /* was looked at before */
  snprintf(number, sizeof number, "%lld", (long long)seconds);
  return set_option(run, "cache.max_age_s", number);
}

aiorch_status command_fill_run(const cli *c, aiorch_run *run, const cli_bytes *question) {
  aiorch_status status = set_cache(c, run);
  if (status == AIORCH_OK && c->opt.system) {
    status = aiorch_run_add_message(run, AIORCH_ROLE_SYSTEM, c->opt.system, strlen(c->opt.system));
  }
  if (status == AIORCH_OK) status = aiorch_run_add_message(run, AIORCH_ROLE_USER, cli_z(question), question->len);
  for (size_t i = 0; status == AIORCH_OK && i < c->opt.filter.count; i++) status = filter_add(run, c->opt.filter.items[i]);
  return status;
}

int command_fail_run(cli *c, const aiorch_run *run, aiorch_status status) {
  if (run && aiorch_error_status(aiorch_run_error(run)) == status) return cli_fail_error(c, aiorch_run_error(run));
  return cli_error(c, cli_exit_of(status), status, "%s: %s; check --tenant, --user, --filter and the length of the question",
                   c->command->name, aiorch_strerror(status));
}

static void print_event(const aiorch_event *event) {
  const char *json;
  size_t len;
  if (aiorch_event_json(event, &json, &len) != AIORCH_OK) return;
  fwrite(json, 1, len, stdout);
  putchar('\n');
  fflush(stdout);
}

/* Returns how many bytes of the answer were printed. */
static size_t handle_event(cli *c, const aiorch_event *event) {
  const char *text = "";
  size_t len = 0;
  if (c->opt.stream_json) {
    print_event(event);
    return 0;
  }
  aiorch_event_text(event, &text, &len);
  if (aiorch_event_type(event) == AIORCH_EVENT_WARNING && !c->opt.quiet) cli_warn(c, "%s", text);
  if (aiorch_event_type(event) != AIORCH_EVENT_DELTA || c->opt.json) return 0;
  cli_put(c, text, len);
  fflush(stdout);
  return len;
}

/* Drives the run to its end; Ctrl-C cancels it. */
static size_t drive(cli *c, aiorch_run *run) {
  const aiorch_event *event;
  aiorch_status status;
  size_t printed = 0;
  bool cancelled = false;
  do {
    status = aiorch_run_next(run, STEP_MS, &event);
    if (status == AIORCH_OK) printed += handle_event(c, event);
    if (cli_interrupted() && !cancelled) {
      const char *id;
      size_t len;
      if (aiorch_run_id(run, &id, &len) == AIORCH_OK) aiorch_cancel(c->orch, id, len);
      cancelled = true;
    }
  } while (status == AIORCH_OK || status == AIORCH_AGAIN);
  return printed;
}

/* The library's words, and when a new try may succeed. */
static void print_failure(cli *c, const aiorch_run *run) {
  const aiorch_error *error = aiorch_run_error(run);
  cli_bytes line = {0};
  const char *stage = aiorch_stage_name(aiorch_error_stage(error));
  const char *message = aiorch_error_message(error);
  if (stage && strncmp(message, stage, strlen(stage)) != 0) cli_addf(&line, "%s: ", stage);
  cli_addz(&line, message);
  int64_t retry_after = aiorch_error_retry_after_ms(error);
  if (retry_after >= 0) {
    char wait[32], when[32];
    cli_time_text(retry_after * 1000, wait);
    cli_date_text(cli_now_ms() + retry_after, when);
    cli_addf(&line, " (in %s, at %s)", wait, when);
  }
  cli_error_line(c, cli_z(&line));
  cli_release(&line);
}

int command_finish_run(cli *c, aiorch_run *run) {
  const char *json;
  size_t len;
  aiorch_status status = aiorch_run_status(run);
  if (status < 0) print_failure(c, run);
  if (c->opt.json && !c->opt.stream_json) {
    if (aiorch_run_to_json(run, &json, &len) != AIORCH_OK) {
      return cli_error(c, CLI_EXIT_INTERNAL, AIORCH_E_NOMEM, "the run cannot be printed: out of memory");
    }
    fwrite(json, 1, len, stdout);
    putchar('\n');
  }
  return cli_interrupted() ? CLI_EXIT_INTERRUPTED : (int)cli_exit_of(status);
}

static int dry_run(cli *c, aiorch_run *run) {
  aiorch_text *text;
  const char *json = "";
  size_t len = 0;
  aiorch_status status = aiorch_run_preview(run, &text);
  if (status != AIORCH_OK && (c->opt.json || c->opt.stream_json)) return cli_fail_error(c, aiorch_run_error(run));
  if (status != AIORCH_OK) {
    print_failure(c, run);
    return (int)cli_exit_of(status);
  }
  aiorch_text_get(text, &json, &len);
  if (!command_print_json(c, text)) ask_print_preview(c, json, len);
  aiorch_text_free(text);
  return CLI_EXIT_OK;
}

static int ask_run(cli *c, aiorch_run *run) {
  if (c->opt.dry_run) return dry_run(c, run);
  size_t printed = drive(c, run);
  aiorch_status status = aiorch_run_status(run);
  bool plain = !c->opt.json && !c->opt.stream_json;
  if (plain && status >= 0) ask_print_answer(c, run, printed);
  if (plain && status < 0 && printed > 0) putchar('\n');
  return command_finish_run(c, run);
}

static int check_options(cli *c) {
  int64_t seconds;
  if (c->opt.no_cache && c->opt.cache) return cli_usage(c, "--no-cache and --cache say the same thing twice; leave one out");
  if (c->opt.max_age && !cli_seconds(c->opt.max_age, &seconds)) {
    return cli_usage(c, "--max-age: '%s' is no time: write 90s, 15m, 12h, 7d or 4w", c->opt.max_age);
  }
  return CLI_EXIT_OK;
}

int command_ask(cli *c) {
  cli_bytes question = {0};
  aiorch_run *run = NULL;
  const char *user = c->opt.user ? c->opt.user : "";
  int code = check_options(c);
  if (code == CLI_EXIT_OK) code = cli_text_argument(c, 0, &question);
  if (code == CLI_EXIT_OK) code = cli_open(c);
  if (code == CLI_EXIT_OK) {
    aiorch_status status = aiorch_run_new(c->orch, c->opt.tenant, cli_tenant_len(c), user, strlen(user), &run);
    if (status == AIORCH_OK) status = command_fill_run(c, run, &question);
    code = status == AIORCH_OK ? ask_run(c, run) : command_fail_run(c, run, status);
  }
  aiorch_run_free(run);
  cli_release(&question);
  return code;
}
