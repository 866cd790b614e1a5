/*
 * aiorch stage: one stage on a run that comes as JSON; to learn what a stage does, and to debug.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { REQUEST_MAX = 32 << 20 };

static aiorch_status (*const stages[AIORCH_STAGE_COUNT])(aiorch_run *run) = {
    [AIORCH_STAGE_VALIDATE] = aiorch_stage_validate,         [AIORCH_STAGE_RATE_LIMIT] = aiorch_stage_rate_limit,
    [AIORCH_STAGE_CACHE_LOOKUP] = aiorch_stage_cache_lookup, [AIORCH_STAGE_RETRIEVE] = aiorch_stage_retrieve,
    [AIORCH_STAGE_GENERATE] = aiorch_stage_generate,         [AIORCH_STAGE_LOG_COST] = aiorch_stage_log_cost,
    [AIORCH_STAGE_CACHE_STORE] = aiorch_stage_cache_store,
};

static int stage_named(const char *name) {
  for (int i = 0; i < AIORCH_STAGE_COUNT; i++) {
    if (strcmp(aiorch_stage_name(i), name) == 0) return i;
  }
  return -1;
}

static int read_request(cli *c, cli_bytes *out) {
  const char *path = c->arg_count > 1 ? c->args[1] : "-";
  bool is_stdin = strcmp(path, "-") == 0;
  int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    int error = errno;
    return cli_error(c, error == ENOENT ? CLI_EXIT_NOT_FOUND : CLI_EXIT_INTERNAL,
                     error == ENOENT ? AIORCH_E_NOT_FOUND : AIORCH_E_SYSTEM, "stage: cannot read %s: %s", path,
                     strerror(error));
  }
  int error = cli_read_all(fd, REQUEST_MAX, out);
  if (!is_stdin) close(fd);
  if (cli_interrupted()) return CLI_EXIT_INTERRUPTED;
  if (error == EFBIG) {
    return cli_error(c, CLI_EXIT_USAGE, AIORCH_E_TOO_LARGE, "stage: the request is above %d bytes", REQUEST_MAX);
  }
  if (error) {
    return cli_error(c, CLI_EXIT_INTERNAL, AIORCH_E_SYSTEM, "stage: cannot read %s: %s", path, strerror(error));
  }
  return CLI_EXIT_OK;
}

/* Members that the request leaves out come from --tenant and --user. What is no object goes on as it is: the library
 * says what is wrong with it. */
static void complete_request(const cli *c, cli_bytes *request) {
  json_value *root = json_parse(cli_z(request), request->len, NULL);
  if (root && root->type == JSON_OBJECT) {
    json_print p = {0};
    const char *rest = strchr(request->data, '{') + 1;
    jp_open(&p, '{');
    if (!json_get(root, "tenant")) jp_kz(&p, "tenant", c->opt.tenant);
    if (!json_get(root, "user") && c->opt.user) jp_kz(&p, "user", c->opt.user);
    if (root->child && p.out.len > 1) cli_addc(&p.out, ',');
    cli_add(&p.out, rest, request->len - (size_t)(rest - request->data));
    cli_release(request);
    *request = p.out;
  }
  json_free(root);
}

static void print_run(const cli *c, aiorch_run *run) {
  const char *json;
  size_t len;
  if (aiorch_run_to_json(run, &json, &len) != AIORCH_OK) return;
  if (c->opt.json || c->opt.stream_json) {
    fwrite(json, 1, len, stdout);
    putchar('\n');
  } else {
    json_pretty(json, len);
  }
}

int command_stage(cli *c) {
  cli_bytes request = {0};
  aiorch_run *run;
  int stage = stage_named(c->args[0]);
  if (stage < 0) {
    return cli_usage(c, "no stage '%s'; there are validate, rate_limit, cache_lookup, retrieve, generate, log_cost, "
                        "cache_store", c->args[0]);
  }
  int code = read_request(c, &request);
  if (code == CLI_EXIT_OK) code = cli_open(c);
  if (code == CLI_EXIT_OK) {
    complete_request(c, &request);
    aiorch_status status = aiorch_run_from_json(c->orch, cli_z(&request), request.len, &run, c->error);
    if (status == AIORCH_OK) {
      status = stages[stage](run);
      if (status < 0) cli_error_line(c, aiorch_error_message(aiorch_run_error(run)));
      print_run(c, run);
      aiorch_run_free(run);
      code = (int)cli_exit_of(status);
    } else {
      code = cli_fail(c);
    }
  }
  cli_release(&request);
  return code;
}
