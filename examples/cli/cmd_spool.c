/*
 * aiorch spool: cost rows that wait on this machine while the store is away.
 */
#include "commands.h"

#include <string.h>

enum { VERB_LIST, VERB_REPLAY };
enum { STEP_MS = 250, REASONS_SHOWN = 5 };

static json_value *parse_text(const aiorch_text *text) {
  const char *json = "";
  size_t len = 0;
  aiorch_text_get(text, &json, &len);
  return json_parse(json, len, NULL);
}

/* ---- list ---- */

static void print_file(const cli *c, const json_value *file) {
  char size[32], created[32];
  int64_t rows = json_i64(file, "rows");
  cli_size_text((uint64_t)json_i64(file, "bytes"), size);
  cli_date_text(json_i64(file, "created_ms"), created);
  printf("%s%s%s  %s%s, %lld row%s, %s, since %s", cli_on(c, STYLE_CYAN), json_text(file, "name"), cli_off(c),
         json_text(file, "state"), json_truth(file, "writing") ? " (being written)" : "", (long long)rows,
         rows == 1 ? "" : "s", size, created);
  if (json_i64(file, "damaged_bytes") > 0) printf(", %lld bytes damaged", (long long)json_i64(file, "damaged_bytes"));
  printf("\n  %sfor ", cli_on(c, STYLE_DIM));
  cli_putz(c, json_is_null(file, "store") ? "(the file does not say)" : json_text(file, "store"));
  printf("%s\n", cli_off(c));
  const json_value *refused = json_get(file, "refused");
  int shown = 0;
  for (const json_value *r = refused ? refused->child : NULL; r && shown < REASONS_SHOWN; r = r->next, shown++) {
    printf("  %s %s: ", json_text(r, "run_id"), json_text(r, "status"));
    cli_putz(c, json_text(r, "reason"));
    putchar('\n');
  }
}

static int list_files(cli *c) {
  aiorch_text *text;
  int code = cli_configure(c);
  if (code != CLI_EXIT_OK) return code;
  if (aiorch_spool_list(c->config, &text, c->error) != AIORCH_OK) return cli_fail(c);
  if (!command_print_json(c, text)) {
    char bytes[32], most[32];
    json_value *spool = parse_text(text);
    const json_value *files = json_get(spool, "files");
    for (const json_value *f = files ? files->child : NULL; f; f = f->next) print_file(c, f);
    cli_size_text((uint64_t)json_i64(spool, "bytes"), bytes);
    cli_size_text((uint64_t)json_i64(spool, "max_bytes"), most);
    if (!c->opt.quiet) {
      printf("%lld waiting, %lld refused; %s of %s in ", (long long)json_i64(spool, "rows"),
             (long long)json_i64(spool, "poison"), bytes, most);
      cli_putz(c, json_text(spool, "path"));
      putchar('\n');
    }
    json_free(spool);
  }
  aiorch_text_free(text);
  return CLI_EXIT_OK;
}

/* ---- replay ---- */

typedef struct replayed {
  int64_t rows, poison, damaged_bytes, held;
} replayed;

/* How many rows may come, for the bar. */
static uint64_t count_waiting(cli *c) {
  aiorch_text *text;
  if (aiorch_spool_list(c->config, &text, NULL) != AIORCH_OK) return 0;
  json_value *spool = parse_text(text);
  int64_t rows = json_i64(spool, "rows") + (c->opt.poison ? json_i64(spool, "poison") : 0);
  json_free(spool);
  aiorch_text_free(text);
  return rows > 0 ? (uint64_t)rows : 0;
}

static void add_report(const aiorch_text *text, replayed *sum) {
  json_value *report = parse_text(text);
  sum->rows += json_i64(report, "replayed");
  sum->poison += json_i64(report, "poison");
  sum->damaged_bytes += json_i64(report, "damaged_bytes");
  sum->held = json_i64(report, "held");
  json_free(report);
}

static void print_replayed(const cli *c, const replayed *sum) {
  if (c->opt.json || c->opt.stream_json) {
    json_print p = {0};
    jp_open(&p, '{');
    jp_ki64(&p, "replayed", sum->rows);
    jp_ki64(&p, "poison", sum->poison);
    jp_ki64(&p, "damaged_bytes", sum->damaged_bytes);
    jp_ki64(&p, "held", sum->held);
    jp_close(&p, '}');
    jp_finish(&p);
  } else if (!c->opt.quiet) {
    printf("%lld row%s brought to the store", (long long)sum->rows, sum->rows == 1 ? "" : "s");
    if (sum->poison > 0) printf(", %lld refused by it: aiorch spool list says why", (long long)sum->poison);
    if (sum->held > 0) printf("; %lld file%s in the hands of other processes", (long long)sum->held, sum->held == 1 ? "" : "s");
    putchar('\n');
  }
}

static int replay(cli *c) {
  replayed sum = {0};
  cli_progress bar;
  aiorch_status status = AIORCH_AGAIN;
  int32_t what = (c->opt.any_store ? AIORCH_SPOOL_ANY_STORE : 0) | (c->opt.poison ? AIORCH_SPOOL_POISON : 0);
  int code = cli_open(c);
  if (code != CLI_EXIT_OK) return code;
  cli_progress_count(&bar, c, "rows", count_waiting(c));
  while (status == AIORCH_AGAIN && !cli_interrupted()) {
    aiorch_text *text = NULL;
    status = aiorch_spool_replay(c->orch, what, STEP_MS, &text, c->error);
    if (status < 0) break;
    add_report(text, &sum);
    aiorch_text_free(text);
    cli_progress_to(&bar, (uint64_t)sum.rows);
  }
  cli_progress_clear(&bar);
  if (status < 0) return cli_fail(c);
  print_replayed(c, &sum);
  return status == AIORCH_OK ? CLI_EXIT_OK : CLI_EXIT_INTERRUPTED;
}

int command_spool(cli *c) {
  int verb = command_verb(c, "list replay");
  if (verb < 0) return CLI_EXIT_USAGE;
  return verb == VERB_LIST ? list_files(c) : replay(c);
}
