/*
 * aiorch migrate: bring the schema of a PostgreSQL store up to date, or say what is missing.
 */
#include "commands.h"
#include "vector_index.h"

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

/* The report as the library made it, and how it stands with the indexes of vectors. */
static void print_json(const aiorch_text *text, const json_value *indexes) {
  const char *json = "{}";
  size_t len = 2;
  json_print p = {0};
  aiorch_text_get(text, &json, &len);
  cli_add(&p.out, json, len - 1);
  p.comma = true;
  vector_index_json(&p, indexes);
  jp_close(&p, '}');
  jp_finish(&p);
}

static void print_report(const cli *c, const aiorch_text *text, int32_t mode) {
  const char *json = "";
  size_t len = 0;
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

int command_migrate(cli *c) {
  int32_t mode = c->opt.status ? AIORCH_MIGRATE_STATUS : c->opt.dry_run ? AIORCH_MIGRATE_DRY_RUN : AIORCH_MIGRATE_APPLY;
  bool as_json = c->opt.json || c->opt.stream_json;
  aiorch_text *text;
  json_value *indexes = NULL;
  int code = cli_configure(c);
  if (code != CLI_EXIT_OK) return code;
  int64_t timeout_ms = c->timeout_ms > LEAST_TIME_MS ? c->timeout_ms : LEAST_TIME_MS;
  if (aiorch_migrate(c->config, c->opt.to, mode, timeout_ms, &text, c->error) != AIORCH_OK) return cli_fail(c);
  if (!as_json) print_report(c, text, mode);
  if (mode == AIORCH_MIGRATE_APPLY) code = vector_index_make(c, &indexes);
  if (mode == AIORCH_MIGRATE_STATUS) indexes = vector_index_status(c);
  if (mode == AIORCH_MIGRATE_STATUS && !as_json) vector_index_print(c, indexes);
  if (as_json && code == CLI_EXIT_OK) print_json(text, indexes);
  json_free(indexes);
  aiorch_text_free(text);
  return code;
}
