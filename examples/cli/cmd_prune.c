/*
 * aiorch prune: what is old goes, a part at a time, with others let in between.
 */
#include "commands.h"

#include <string.h>
#include <time.h>

enum { PAUSE_MS = 5 };

typedef struct pruned {
  int64_t admissions, answers, runs;
} pruned;

static aiorch_status prune_once(cli *c, int64_t before_ms, int32_t mode, pruned *sum) {
  aiorch_text *text = NULL;
  const char *json = "";
  size_t len = 0;
  aiorch_status status = aiorch_prune(c->orch, before_ms, mode, c->timeout_ms, &text, c->error);
  if (status < 0) return status;
  aiorch_text_get(text, &json, &len);
  json_value *report = json_parse(json, len, NULL);
  sum->admissions += json_i64(report, "admissions");
  sum->answers += json_i64(report, "answers");
  sum->runs += json_i64(report, "runs");
  json_free(report);
  aiorch_text_free(text);
  return status;
}

static uint64_t all_of(const pruned *p) { return (uint64_t)(p->admissions + p->answers + p->runs); }

static aiorch_status prune_all(cli *c, int64_t before_ms, pruned *sum) {
  const struct timespec pause = {0, PAUSE_MS * 1000000};
  pruned there = {0};
  cli_progress bar;
  aiorch_status status = prune_once(c, before_ms, AIORCH_PRUNE_COUNT, &there);
  if (status < 0) return status;
  cli_progress_count(&bar, c, "rows", all_of(&there));
  while ((status = prune_once(c, before_ms, AIORCH_PRUNE_REMOVE, sum)) == AIORCH_AGAIN && !cli_interrupted()) {
    cli_progress_to(&bar, all_of(sum));
    nanosleep(&pause, NULL);
  }
  cli_progress_clear(&bar);
  return status;
}

static void print_pruned(const cli *c, const pruned *p, bool asked_for_runs) {
  if (c->opt.json || c->opt.stream_json) {
    json_print out = {0};
    jp_open(&out, '{');
    jp_key(&out, "dry_run");
    jp_bool(&out, c->opt.dry_run);
    jp_ki64(&out, "admissions", p->admissions);
    jp_ki64(&out, "answers", p->answers);
    jp_ki64(&out, "runs", p->runs);
    jp_close(&out, '}');
    jp_finish(&out);
  } else if (!c->opt.quiet) {
    printf("%s %lld admission%s, %lld answer%s that expired", c->opt.dry_run ? "would remove" : "removed", (long long)p->admissions,
           p->admissions == 1 ? "" : "s", (long long)p->answers, p->answers == 1 ? "" : "s");
    if (asked_for_runs) printf(", %lld run%s", (long long)p->runs, p->runs == 1 ? "" : "s");
    putchar('\n');
  }
}

int command_prune(cli *c) {
  pruned sum = {0};
  int64_t before_ms = 0;
  int code = CLI_EXIT_OK;
  if (c->opt.runs_before && (!cli_moment(c->opt.runs_before, cli_now_ms(), &before_ms) || before_ms < 1)) {
    return cli_usage(c, "--runs-before: '%s' is no moment; write 2026-01-31, or 400d, 52w", c->opt.runs_before);
  }
  code = cli_open(c);
  if (code != CLI_EXIT_OK) return code;
  aiorch_status status = c->opt.dry_run ? prune_once(c, before_ms, AIORCH_PRUNE_COUNT, &sum) : prune_all(c, before_ms, &sum);
  if (status < 0) return cli_fail(c);
  print_pruned(c, &sum, before_ms > 0);
  if (status == AIORCH_OK) return CLI_EXIT_OK;
  cli_error_line(c, "prune: interrupted; what is counted above is gone, run it again for the rest");
  return CLI_EXIT_INTERRUPTED;
}
