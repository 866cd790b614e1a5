/*
 * Why a question is, or is not, answered from the cache.
 */
#include "cache_explain.h"

#include "commands.h"
#include "lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_DEFAULT = 5, LIMIT_MAX = 100, BAR = 20 };

/* ---- explain ---- */

/* How near, from 0 to 1, and where the threshold stands: ############..|..... */
static void print_bar(const cli *c, double similarity, double threshold, bool hit) {
  int full = (int)(similarity * BAR + 0.5), mark = (int)(threshold * BAR + 0.5);
  printf("%s", cli_on(c, hit ? STYLE_GREEN : STYLE_YELLOW));
  for (int i = 0; i < BAR; i++) putchar(i == mark ? '|' : i < full ? '#' : '.');
  printf("%s", cli_off(c));
}

static void print_guards(const cli *c, const json_value *guards) {
  cli_bytes passed = {0};
  for (const json_value *g = guards ? guards->child : NULL; g; g = g->next) {
    const char *detail = json_text(g, "detail");
    if (json_truth(g, "pass")) {
      cli_addf(&passed, "%s%s", passed.len ? ", " : "", json_text(g, "guard"));
      continue;
    }
    printf("    %sdiffers in %s%s", cli_on(c, STYLE_RED), json_text(g, "guard"), cli_off(c));
    if (*detail) {
      fputs(": ", stdout);
      cli_putz(c, detail);
    }
    putchar('\n');
  }
  if (passed.len > 0) printf("    %sthe same in %s%s\n", cli_on(c, STYLE_DIM), cli_z(&passed), cli_off(c));
  cli_release(&passed);
}

static void print_entry(const cli *c, const json_value *entry, double threshold) {
  double similarity = json_f64(entry, "similarity");
  bool hit = json_truth(entry, "hit"), near = similarity >= threshold;
  const char *refused_by = json_text(entry, "refused_by"), *query = json_text(entry, "query");
  fputs("  ", stdout);
  print_bar(c, similarity, threshold, hit);
  printf("  %.3f  ", similarity);
  if (hit) {
    printf("%sa hit%s%s", cli_on(c, STYLE_GREEN), json_truth(entry, "exact") ? ", the same question" : "", cli_off(c));
  } else if (*refused_by) {
    printf("%srefused by %s%s", cli_on(c, STYLE_RED), refused_by, cli_off(c));
    if (*json_text(entry, "refused_detail")) {
      fputs(": ", stdout);
      cli_putz(c, json_text(entry, "refused_detail"));
    }
  } else {
    fputs(near ? "near enough, but no hit" : "not near enough", stdout);
  }
  putchar('\n');
  cli_put_wrapped(c, query, strlen(query), 4, 2);
  printf("    %s%s%s\n", cli_on(c, STYLE_DIM), json_text(entry, "id"), cli_off(c));
  print_guards(c, json_get(entry, "guards"));
}

static void print_explained(const cli *c, const json_value *found) {
  const json_value *entries = json_get(found, "entries");
  double threshold = json_f64(found, "threshold");
  if (!isnan(threshold)) {
    printf("By %s a near question must be at least %.3f similar; the guards are %s.\n", json_text(found, "model"), threshold,
           json_text(found, "guards"));
  }
  if (!json_truth(found, "readable")) puts("The guards read English only, and this is not: only the same question is a hit.");
  if (!entries || !entries->child) {
    puts("No kept question can be compared with it: for this tenant, with these settings, none is kept.");
    return;
  }
  putchar('\n');
  for (const json_value *e = entries->child; e; e = e->next) {
    print_entry(c, e, threshold);
    if (e->next) putchar('\n');
  }
}

static aiorch_status explain_run(cli *c, aiorch_run *run, const cli_bytes *question, aiorch_text **out) {
  aiorch_status status = command_fill_run(c, run, question);
  size_t limit = c->opt.limit ? (size_t)c->opt.limit : LIMIT_DEFAULT;
  return status == AIORCH_OK ? aiorch_run_cache_explain(run, limit, out) : status;
}

static int explain_question(cli *c, const cli_bytes *question) {
  const char *user = c->opt.user ? c->opt.user : "", *json = "";
  aiorch_run *run = NULL;
  aiorch_text *text = NULL;
  size_t len = 0;
  int code = CLI_EXIT_OK;
  aiorch_status status = aiorch_run_new(c->orch, c->opt.tenant, cli_tenant_len(c), user, strlen(user), &run);
  if (status == AIORCH_OK) status = explain_run(c, run, question, &text);
  if (status == AIORCH_OK && !command_print_json(c, text)) {
    aiorch_text_get(text, &json, &len);
    json_value *found = json_parse(json, len, NULL);
    print_explained(c, found);
    json_free(found);
  } else if (status != AIORCH_OK) {
    code = command_fail_run(c, run, status);
  }
  aiorch_text_free(text);
  aiorch_run_free(run);
  return code;
}

int cache_explain(cli *c) {
  cli_bytes question = {0};
  if (c->opt.limit > LIMIT_MAX) return cli_usage(c, "--limit: at most %d kept questions are compared", LIMIT_MAX);
  int code = cli_text_argument(c, 1, &question);
  if (code == CLI_EXIT_OK) code = command_open_model(c, true);
  if (code == CLI_EXIT_OK) code = explain_question(c, &question);
  cli_release(&question);
  return code;
}

/* ---- pairs ---- */

static int compare(cli *c, size_t number, const json_value *a, const json_value *b) {
  aiorch_text *text;
  const char *json = "";
  size_t len = 0;
  aiorch_status status = aiorch_cache_compare(c->orch, a->text ? a->text : "", a->len, b->text ? b->text : "", b->len,
                                              c->timeout_ms, &text, c->error);
  if (status != AIORCH_OK) {
    return cli_error(c, cli_exit_of(status), status, "cache: line %zu: %s", number, aiorch_error_message(c->error));
  }
  aiorch_text_get(text, &json, &len);
  fwrite(json, 1, len, stdout);
  putchar('\n');
  aiorch_text_free(text);
  return CLI_EXIT_OK;
}

static int compare_line(cli *c, lines_result result, const char *line, size_t len, size_t number) {
  static const char *const names[] = {"a", "b", NULL};
  const json_value *texts[2];
  cli_bytes why = {0};
  json_value *value = NULL;
  int code;
  if (result == LINES_TOO_LONG) {
    lines_too_long(&why);
  } else {
    value = lines_texts(line, len, names, texts, &why);
  }
  if (value) {
    code = compare(c, number, texts[0], texts[1]);
  } else {
    code = cli_error(c, CLI_EXIT_USAGE, AIORCH_E_INVALID, "cache: line %zu: %s", number, cli_z(&why));
  }
  json_free(value);
  cli_release(&why);
  return code;
}

int cache_pairs(cli *c) {
  lines in = {.fd = STDIN_FILENO};
  const char *line;
  size_t len;
  lines_result result;
  c->opt.store = "memory"; /* comparing needs no store */
  int code = command_open_model(c, true), first = CLI_EXIT_OK;
  while ((code == CLI_EXIT_OK || code == CLI_EXIT_USAGE) && (result = lines_next(&in, &line, &len)) != LINES_END) {
    code = compare_line(c, result, line, len, in.number);
    if (first == CLI_EXIT_OK) first = code;
    if (!lines_ready(&in)) fflush(stdout); /* a program at the other end may wait for these very lines */
  }
  if (in.error && first == CLI_EXIT_OK) first = lines_failed(c, &in);
  lines_free(&in);
  if (cli_interrupted()) return CLI_EXIT_INTERRUPTED;
  return first == CLI_EXIT_OK || (code != CLI_EXIT_OK && code != CLI_EXIT_USAGE) ? code : first;
}
