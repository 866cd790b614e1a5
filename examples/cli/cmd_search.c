/*
 * aiorch search: what the retrieve stage would find, without asking for an answer.
 */
#include "commands.h"
#include "filter_option.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 5, LIMIT_MAX = 100, SNIPPET_LINES = 4 };

static void print_hit(const cli *c, const aiorch_hits *hits, size_t index) {
  const char *title = "", *uri = "", *text = "";
  size_t title_len = 0, uri_len = 0, text_len = 0;
  double score = 0, similarity = 0;
  aiorch_hits_title(hits, index, &title, &title_len);
  aiorch_hits_uri(hits, index, &uri, &uri_len);
  aiorch_hits_text(hits, index, &text, &text_len);
  aiorch_hits_score(hits, index, &score, &similarity);
  printf("%s[%zu]%s %s", cli_on(c, STYLE_CYAN), index + 1, cli_off(c), cli_on(c, STYLE_BOLD));
  cli_put(c, title_len ? title : uri, title_len ? title_len : uri_len);
  printf("%s  %sscore %.4f", cli_off(c), cli_on(c, STYLE_DIM), score);
  if (!isnan(similarity)) printf(", similarity %.3f", similarity); /* found by vectors too */
  printf("%s\n    %s", cli_off(c), cli_on(c, STYLE_DIM));
  cli_put(c, uri, uri_len);
  printf("%s\n", cli_off(c));
  cli_put_wrapped(c, text, text_len, 4, SNIPPET_LINES);
  putchar('\n');
}

static void print_hits(const cli *c, const aiorch_hits *hits) {
  const char *json = "[]";
  size_t len = 2, count = aiorch_hits_count(hits);
  if (c->opt.json || c->opt.stream_json) {
    json_print p = {0};
    aiorch_hits_json(hits, &json, &len);
    jp_open(&p, '{');
    jp_key(&p, "results");
    jp_raw(&p, json, len);
    jp_close(&p, '}');
    jp_finish(&p);
    return;
  }
  for (size_t i = 0; i < count; i++) print_hit(c, hits, i);
  if (count == 0 && !c->opt.quiet) {
    puts("Nothing found. Is there a document? 'aiorch documents list' shows them; other words may help too.");
  }
}

int command_search(cli *c) {
  cli_bytes query = {0};
  aiorch_hits *hits = NULL;
  if (c->opt.limit > LIMIT_MAX) return cli_usage(c, "--limit: a search gives at most %d", LIMIT_MAX);
  size_t limit = c->opt.limit ? (size_t)c->opt.limit : LIMIT_DEFAULT;
  int code = cli_text_argument(c, 0, &query);
  if (code == CLI_EXIT_OK) code = cli_open(c);
  if (code == CLI_EXIT_OK) {
    cli_bytes filters = {.data = filter_json(&c->opt.filter)};
    aiorch_status status = aiorch_knowledge_search(c->orch, c->opt.tenant, cli_tenant_len(c), cli_z(&query), query.len,
                                                   filters.data, limit, c->timeout_ms, &hits, c->error);
    cli_release(&filters);
    if (status == AIORCH_OK) {
      print_hits(c, hits);
    } else {
      code = cli_fail(c);
    }
  }
  aiorch_hits_free(hits);
  cli_release(&query);
  return code;
}
