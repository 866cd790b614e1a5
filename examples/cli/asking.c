/*
 * From the options of 'ask' and 'chat' to a run, through it, and out.
 */
#include "asking.h"

#include "commands.h"
#include "filter_option.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEP_MS = 100, SCHEMA_MAX = 1 << 20 };

/* ---- options ---- */

static int read_schema(cli *c, cli_bytes *out) {
  const char *path = c->opt.schema;
  size_t where = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  int error = fd < 0 ? errno : cli_read_all(fd, SCHEMA_MAX, out);
  if (fd >= 0) close(fd);
  if (error == EFBIG) return cli_error(c, CLI_EXIT_USAGE, AIORCH_E_TOO_LARGE, "--schema: %s has more than 1 MiB", path);
  if (error) {
    bool missing = error == ENOENT;
    return cli_error(c, missing ? CLI_EXIT_NOT_FOUND : CLI_EXIT_INTERNAL, missing ? AIORCH_E_NOT_FOUND : AIORCH_E_SYSTEM,
                     "--schema: %s cannot be read: %s", path, strerror(error));
  }
  json_value *value = json_parse(cli_z(out), out->len, &where);
  bool is_object = value && value->type == JSON_OBJECT;
  bool is_json = value != NULL;
  json_free(value);
  if (is_object) return CLI_EXIT_OK;
  return is_json ? cli_error(c, CLI_EXIT_USAGE, AIORCH_E_INVALID, "--schema: %s must hold a JSON object, a JSON schema", path)
                 : cli_error(c, CLI_EXIT_USAGE, AIORCH_E_INVALID, "--schema: %s is no JSON from byte %zu on", path, where);
}

int asking_begin(cli *c, asking *a) {
  int64_t seconds;
  if (c->opt.no_cache && c->opt.cache) return cli_usage(c, "--no-cache and --cache say the same thing twice; leave one out");
  if (c->opt.max_age && !cli_seconds(c->opt.max_age, &seconds)) {
    return cli_usage(c, "--max-age: '%s' is no time: write 90s, 15m, 12h, 7d or 4w", c->opt.max_age);
  }
  int code = c->opt.schema ? read_schema(c, &a->schema) : CLI_EXIT_OK;
  a->pictures = cli_alloc((c->opt.image.count + 1) * sizeof *a->pictures);
  for (size_t i = 0; i < c->opt.image.count && code == CLI_EXIT_OK; i++) {
    code = picture_read(c, c->opt.image.items[i], &a->pictures[a->picture_count]);
    if (code == CLI_EXIT_OK) a->picture_count++;
  }
  return code;
}

void asking_end(asking *a) {
  for (size_t i = 0; i < a->picture_count; i++) picture_free(&a->pictures[i]);
  free(a->pictures);
  cli_release(&a->schema);
}

static aiorch_status set_option(aiorch_run *run, const char *key, const char *value) {
  return value && *value ? aiorch_run_set_option(run, key, value, strlen(value)) : AIORCH_OK;
}

static aiorch_status set_number(aiorch_run *run, const char *key, int64_t value) {
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)value);
  return set_option(run, key, text);
}

aiorch_status asking_set_cache(const cli *c, aiorch_run *run) {
  int64_t seconds = 0;
  aiorch_status status = set_option(run, "cache.mode", c->opt.no_cache ? "off" : c->opt.cache);
  if (status == AIORCH_OK) status = set_option(run, "cache.threshold", c->opt.cache_threshold);
  if (status != AIORCH_OK || !c->opt.max_age) return status;
  (void)cli_seconds(c->opt.max_age, &seconds); /* was looked at before */
  return set_number(run, "cache.max_age_s", seconds);
}

aiorch_status asking_set_filters(const cli *c, aiorch_run *run) {
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; status == AIORCH_OK && i < c->opt.filter.count; i++) status = filter_add(run, c->opt.filter.items[i]);
  return status;
}

aiorch_status asking_set_generate(const cli *c, const asking *a, aiorch_run *run) {
  aiorch_status status = set_option(run, "generate.chain", c->opt.provider);
  if (status == AIORCH_OK) status = set_option(run, "generate.model", c->opt.model);
  if (status == AIORCH_OK) status = set_option(run, "generate.tier", c->opt.tier);
  if (status == AIORCH_OK) status = set_option(run, "generate.effort", c->opt.effort);
  if (status == AIORCH_OK && c->opt.max_tokens) status = set_number(run, "generate.max_tokens", c->opt.max_tokens);
  if (status != AIORCH_OK || a->schema.len == 0) return status;
  return aiorch_run_set_schema(run, cli_z(&a->schema), a->schema.len, "", 0);
}

/* ---- driving ---- */

static void print_event(const aiorch_event *event) {
  const char *json;
  size_t len;
  if (aiorch_event_json(event, &json, &len) != AIORCH_OK) return;
  fwrite(json, 1, len, stdout);
  putchar('\n');
  fflush(stdout);
}

static void show_event(cli *c, const aiorch_event *event, asking_shown *shown) {
  const char *text = "";
  size_t len = 0;
  if (c->opt.stream_json) {
    print_event(event);
    return;
  }
  aiorch_event_text(event, &text, &len);
  if (aiorch_event_type(event) == AIORCH_EVENT_WARNING && !c->opt.quiet) {
    if (shown->open && c->out_is_terminal && c->err_is_terminal) putchar('\n');
    shown->open = false;
    cli_warn(c, "%s", text);
  }
  if (aiorch_event_type(event) != AIORCH_EVENT_DELTA || c->opt.json || len == 0) return;
  cli_put(c, text, len);
  fflush(stdout);
  shown->bytes += len;
  shown->open = text[len - 1] != '\n';
}

asking_shown asking_drive(cli *c, aiorch_run *run) {
  const aiorch_event *event;
  aiorch_status status;
  asking_shown shown = {0};
  bool cancelled = false;
  do {
    status = aiorch_run_next(run, STEP_MS, &event);
    if (status == AIORCH_OK) show_event(c, event, &shown);
    if (cli_interrupted() && !cancelled) {
      const char *id;
      size_t len;
      if (aiorch_run_id(run, &id, &len) == AIORCH_OK) aiorch_cancel(c->orch, id, len);
      cancelled = true;
    }
  } while (status == AIORCH_OK || status == AIORCH_AGAIN);
  return shown;
}

/* ---- the end ---- */

void asking_print_failure(cli *c, const aiorch_run *run) {
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

int command_fail_run(cli *c, const aiorch_run *run, aiorch_status status) {
  if (run && aiorch_error_status(aiorch_run_error(run)) == status) return cli_fail_error(c, aiorch_run_error(run));
  return cli_error(c, cli_exit_of(status), status, "%s: %s; check --tenant, --user, --filter and the length of the question",
                   c->command->name, aiorch_strerror(status));
}

int command_finish_run(cli *c, aiorch_run *run) {
  const char *json;
  size_t len;
  aiorch_status status = aiorch_run_status(run);
  if (status < 0) asking_print_failure(c, run);
  if (c->opt.json && !c->opt.stream_json) {
    if (aiorch_run_to_json(run, &json, &len) != AIORCH_OK) {
      return cli_error(c, CLI_EXIT_INTERNAL, AIORCH_E_NOMEM, "the run cannot be printed: out of memory");
    }
    fwrite(json, 1, len, stdout);
    putchar('\n');
  }
  return cli_interrupted() ? CLI_EXIT_INTERRUPTED : (int)cli_exit_of(status);
}
