/*
 * aiorch search: what the retrieve stage would find, without asking for an answer.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 5, LIMIT_MAX = 100, SNIPPET_LINES = 4 };

/* The --filter options as the JSON object that the library takes. Values of one name stand in one list. */
static char *filters_json(const cli *c) {
  const cli_list *filters = &c->opt.filter;
  json_print p = {0};
  if (filters->count == 0) return NULL;
  jp_open(&p, '{');
  for (size_t i = 0; i < filters->count; i++) {
    const char *value = NULL, *name = filters->items[i];
    size_t name_len = 0, earlier = 0;
    cli_pair(name, &value, &name_len);
    while (earlier < i && strncmp(filters->items[earlier], name, name_len + 1) != 0) earlier++;
    if (earlier < i) continue;
    char *key = cli_copy(name, name_len);
    jp_key(&p, key);
    jp_open(&p, '[');
    for (size_t j = i; j < filters->count; j++) {
      if (strncmp(filters->items[j], name, name_len + 1) == 0) jp_z(&p, filters->items[j] + name_len + 1);
    }
    jp_close(&p, ']');
    free(key);
  }
  jp_close(&p, '}');
  return p.out.data;
}

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
  printf("%s  %sscore %.4f%s\n    %s", cli_off(c), cli_on(c, STYLE_DIM), score, cli_off(c), cli_on(c, STYLE_DIM));
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
    cli_bytes filters = {.data = filters_json(c)};
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
