/*
 * aiorch costs: what was spent, by day, provider, model or user.
 */
#include "commands.h"

#include <string.h>

static const char days_default[] = "30d";

static int read_moment(cli *c, const char *option, const char *text, int64_t now, int64_t *out) {
  if (cli_moment(text, now, out)) return CLI_EXIT_OK;
  return cli_usage(c, "%s: '%s' is no moment; write 2026-01-31, 2026-01-31T14:00Z, or 12h, 7d, 4w", option, text);
}

static void print_row(const cli *c, const json_value *row, const char *by, int width) {
  char usd[40];
  const char *name = json_text(row, by);
  cli_usd_text(json_i64(row, "cost_nano_usd"), usd);
  if (!*name) name = "-";
  size_t columns = cli_columns(name, strlen(name));
  fputs("  ", stdout);
  cli_putz(c, name);
  printf("%*s %6lld %6lld %8lld %12lld %12lld  %s\n", columns < (size_t)width ? width - (int)columns : 0, "",
         (long long)json_i64(row, "runs"), (long long)json_i64(row, "hits"), (long long)json_i64(row, "failures"),
         (long long)(json_i64(row, "input") + json_i64(row, "cache_read") + json_i64(row, "cache_write")),
         (long long)(json_i64(row, "output") + json_i64(row, "reasoning")), usd);
}

static void print_table(const cli *c, const json_value *costs, const char *by) {
  enum { WIDTH_MIN = 10, WIDTH_MAX = 40 };
  const json_value *rows = json_get(costs, "rows");
  int width = WIDTH_MIN;
  char usd[40];
  for (const json_value *row = rows ? rows->child : NULL; row; row = row->next) {
    const char *name = json_text(row, by);
    int columns = (int)cli_columns(name, strlen(name));
    if (columns > width) width = columns > WIDTH_MAX ? WIDTH_MAX : columns;
  }
  if (rows && rows->child) {
    printf("  %s%-*s %6s %6s %8s %12s %12s  %s%s\n", cli_on(c, STYLE_BOLD), width, by, "runs", "hits", "failures",
           "tokens in", "tokens out", "cost", cli_off(c));
  }
  for (const json_value *row = rows ? rows->child : NULL; row; row = row->next) print_row(c, row, by, width);
  cli_usd_text(json_i64(costs, "cost_nano_usd"), usd);
  long long runs = (long long)json_i64(costs, "runs"), unknown = (long long)json_i64(costs, "unknown_price_runs");
  printf("%lld run%s cost %s", runs, runs == 1 ? "" : "s", usd);
  if (unknown > 0) printf(", and %lld more whose cost is unknown", unknown);
  putchar('\n');
}

int command_costs(cli *c) {
  const char *by = c->opt.by ? c->opt.by : "day";
  int64_t now = cli_now_ms(), since, until = 0;
  aiorch_text *text;
  int code = read_moment(c, "--since", c->opt.since ? c->opt.since : days_default, now, &since);
  if (code == CLI_EXIT_OK && c->opt.until) code = read_moment(c, "--until", c->opt.until, now, &until);
  if (code == CLI_EXIT_OK && c->opt.until && until <= since) code = cli_usage(c, "--until must be after --since");
  if (code == CLI_EXIT_OK) code = cli_open(c);
  if (code != CLI_EXIT_OK) return code;
  if (aiorch_costs(c->orch, c->opt.tenant, cli_tenant_len(c), since, until, by, c->timeout_ms, &text, c->error) !=
      AIORCH_OK) {
    return cli_fail(c);
  }
  if (!command_print_json(c, text)) {
    const char *json = "";
    size_t len = 0;
    aiorch_text_get(text, &json, &len);
    json_value *costs = json_parse(json, len, NULL);
    print_table(c, costs, by);
    json_free(costs);
  }
  aiorch_text_free(text);
  return CLI_EXIT_OK;
}
