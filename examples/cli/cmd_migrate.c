/*
 * aiorch migrate: bring the schema of a PostgreSQL store up to date, or say what is missing.
 */
#include "commands.h"

#include <string.h>

enum { LEAST_TIME_MS = 600000 };

/* With a comment before each, so that psql takes all of it. */
static void print_sql(const cli *c, const json_value *report) {
  const json_value *list = json_get(report, "migrations");
  for (const json_value *m = list ? list->child : NULL; m; m = m->next) {
    const json_value *sql = json_get(m, "sql");
    if (!sql) continue;
    printf("-- ---- migration %lld: %s\nBEGIN;\n", (long long)json_i64(m, "version"), json_text(m, "name"));
    cli_put(c, sql->text, sql->len);
    puts("COMMIT;");
  }
}

static void print_list(const cli *c, const json_value *report) {
  const json_value *list = json_get(report, "migrations");
  for (const json_value *m = list ? list->child : NULL; m; m = m->next) {
    bool pending = strcmp(json_text(m, "state"), "pending") == 0;
    printf("%s%4lld  %-24s %s%s\n", pending ? cli_on(c, STYLE_YELLOW) : "", (long long)json_i64(m, "version"), json_text(m, "name"),
           pending ? "pending" : json_text(m, "applied_at"), pending ? cli_off(c) : "");
  }
}

static void print_end(const cli *c, const json_value *report) {
  long long now = (long long)json_i64(report, "applied_now"), version = (long long)json_i64(report, "version");
  if (c->opt.quiet) return;
  if (now == 0) {
    printf("Nothing to do: the schema is at version %lld.\n", version);
  } else {
    printf("Applied %lld migration%s: the schema is at version %lld.\n", now, now == 1 ? "" : "s", version);
  }
}

int command_migrate(cli *c) {
  int32_t mode = c->opt.status ? AIORCH_MIGRATE_STATUS : c->opt.dry_run ? AIORCH_MIGRATE_DRY_RUN : AIORCH_MIGRATE_APPLY;
  aiorch_text *text;
  const char *json = "";
  size_t len = 0;
  int code = cli_configure(c);
  if (code != CLI_EXIT_OK) return code;
  int64_t timeout_ms = c->timeout_ms > LEAST_TIME_MS ? c->timeout_ms : LEAST_TIME_MS;
  if (aiorch_migrate(c->config, c->opt.to, mode, timeout_ms, &text, c->error) != AIORCH_OK) return cli_fail(c);
  if (!command_print_json(c, text)) {
    aiorch_text_get(text, &json, &len);
    json_value *report = json_parse(json, len, NULL);
    if (mode == AIORCH_MIGRATE_STATUS) {
      print_list(c, report);
    } else if (mode == AIORCH_MIGRATE_DRY_RUN) {
      print_sql(c, report);
    } else {
      print_end(c, report);
    }
    json_free(report);
  }
  aiorch_text_free(text);
  return CLI_EXIT_OK;
}
