/*
 * aiorch stats: what the store holds for a tenant, and how questions are answered.
 */
#include "commands.h"

#include <string.h>

static void print_line(const cli *c, const char *name, const char *text) {
  printf("%s%-10s%s ", cli_on(c, STYLE_DIM), name, cli_off(c));
  cli_putz(c, text);
  putchar('\n');
}

static void print_count(const cli *c, const char *name, int64_t count, const char *what, uint64_t bytes) {
  char size[32];
  cli_size_text(bytes, size);
  printf("%s%-10s%s %lld%s, %s\n", cli_on(c, STYLE_DIM), name, cli_off(c), (long long)count, what, size);
}

/* What of the ledger waits on this machine; nothing for a store that is never away. */
static void print_spool(const cli *c, const json_value *spool) {
  char size[32], text[96];
  if (!spool || spool->type != JSON_OBJECT) return;
  cli_size_text((uint64_t)json_i64(spool, "bytes"), size);
  snprintf(text, sizeof text, "%s of rows that wait%s", size, json_truth(spool, "store_down") ? "; the store is away" : "");
  print_line(c, "spool", text);
}

static void print_stats(const cli *c, const json_value *stats) {
  char text[96], usd[40];
  cli_bytes providers = {0};
  const json_value *list = json_get(stats, "providers"), *notes = json_get(stats, "notes");
  for (const json_value *p = list ? list->child : NULL; p; p = p->next) {
    cli_addf(&providers, "%s%s", providers.len ? ", " : "", p->text ? p->text : "");
  }
  print_line(c, "store", json_text(stats, "store"));
  snprintf(text, sizeof text, " in %lld chunks", (long long)json_i64(stats, "chunks"));
  print_count(c, "documents", json_i64(stats, "documents"), text, (uint64_t)json_i64(stats, "text_bytes"));
  print_count(c, "answers", json_i64(stats, "cache_entries"), " kept", (uint64_t)json_i64(stats, "cache_bytes"));
  cli_usd_text(json_i64(stats, "cost_nano_usd"), usd);
  snprintf(text, sizeof text, "%lld, cost %s", (long long)json_i64(stats, "runs"), usd);
  print_line(c, "runs", text);
  snprintf(text, sizeof text, "%s%s%s", json_text(stats, "search"), json_is_null(stats, "vector_search") ? "" : ", vectors: ",
           json_text(stats, "vector_search"));
  print_line(c, "search", text);
  print_line(c, "cache", json_text(stats, "cache"));
  print_line(c, "providers", cli_z(&providers));
  print_spool(c, json_get(stats, "spool"));
  if (!c->opt.quiet) {
    for (const json_value *n = notes ? notes->child : NULL; n; n = n->next) {
      print_line(c, "note", n->text ? n->text : "");
    }
  }
  cli_release(&providers);
}

int command_stats(cli *c) {
  aiorch_text *text;
  int code = cli_open(c);
  if (code != CLI_EXIT_OK) return code;
  if (aiorch_stats(c->orch, c->opt.tenant, cli_tenant_len(c), c->timeout_ms, &text, c->error) != AIORCH_OK) {
    return cli_fail(c);
  }
  if (!command_print_json(c, text)) {
    const char *json = "";
    size_t len = 0;
    aiorch_text_get(text, &json, &len);
    json_value *stats = json_parse(json, len, NULL);
    print_stats(c, stats);
    json_free(stats);
  }
  aiorch_text_free(text);
  return CLI_EXIT_OK;
}
