/*
 * aiorch cache: the answers that are kept.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 10000 };

static void print_entry(const cli *c, const json_value *entry) {
  char created[32], expires[32];
  cli_date_text(json_i64(entry, "created_ms"), created);
  cli_date_text(json_i64(entry, "expires_ms"), expires);
  const char *query = json_text(entry, "query");
  printf("%s%s%s  ", cli_on(c, STYLE_CYAN), json_text(entry, "id"), cli_off(c));
  cli_put_wrapped(c, query, strlen(query), 0, 1);
  printf("  %s", cli_on(c, STYLE_DIM));
  cli_putz(c, json_text(entry, "provider"));
  printf(", kept %s until %s, served %lld time%s%s\n", created, expires, (long long)json_i64(entry, "hits"),
         json_i64(entry, "hits") == 1 ? "" : "s", cli_off(c));
}

static int list_entries(cli *c) {
  aiorch_text *text;
  const char *json = "";
  size_t len = 0;
  size_t limit = c->opt.limit ? (size_t)c->opt.limit : LIMIT_DEFAULT;
  if (aiorch_cache_list(c->orch, c->opt.tenant, cli_tenant_len(c), limit, c->timeout_ms, &text, c->error) !=
      AIORCH_OK) {
    return cli_fail(c);
  }
  aiorch_text_get(text, &json, &len);
  if (c->opt.json || c->opt.stream_json) {
    json_print p = {0};
    jp_open(&p, '{');
    jp_key(&p, "entries");
    jp_raw(&p, json, len);
    jp_close(&p, '}');
    jp_finish(&p);
  } else {
    json_value *entries = json_parse(json, len, NULL);
    for (const json_value *e = entries ? entries->child : NULL; e; e = e->next) print_entry(c, e);
    if (entries && !entries->child && !c->opt.quiet) puts("No answer is kept.");
    json_free(entries);
  }
  aiorch_text_free(text);
  return CLI_EXIT_OK;
}

static int print_removed(const cli *c, uint64_t removed) {
  if (c->opt.json || c->opt.stream_json) {
    json_print p = {0};
    jp_open(&p, '{');
    jp_ki64(&p, "removed", (int64_t)removed);
    jp_close(&p, '}');
    jp_finish(&p);
  } else if (!c->opt.quiet) {
    printf("removed %llu answer%s\n", (unsigned long long)removed, removed == 1 ? "" : "s");
  }
  return CLI_EXIT_OK;
}

static aiorch_status invalidate(cli *c, const char *tag, uint64_t *removed) {
  return aiorch_cache_invalidate(c->orch, c->opt.tenant, cli_tenant_len(c), tag, strlen(tag), c->timeout_ms, removed,
                                 c->error);
}

/* A tag as it is; when nothing has it, as the path of a file. */
static int invalidate_entries(cli *c) {
  uint64_t removed = 0;
  char *source = command_source(c->args[1]);
  aiorch_status status = invalidate(c, c->args[1], &removed);
  if (status == AIORCH_OK && removed == 0 && strcmp(source, c->args[1]) != 0) status = invalidate(c, source, &removed);
  free(source);
  return status == AIORCH_OK ? print_removed(c, removed) : cli_fail(c);
}

static int purge(cli *c) {
  uint64_t removed = 0;
  aiorch_status status =
      aiorch_cache_purge(c->orch, c->opt.tenant, cli_tenant_len(c), c->timeout_ms, &removed, c->error);
  return status == AIORCH_OK ? print_removed(c, removed) : cli_fail(c);
}

int command_cache(cli *c) {
  int verb = command_verb(c, "list purge invalidate");
  if (verb < 0) return CLI_EXIT_USAGE;
  if (verb < 2 && c->arg_count > 1) {
    return cli_usage(c, "'cache %s' takes no argument: '%s'", c->args[0], c->args[1]);
  }
  if (verb == 2 && c->arg_count != 2) return cli_usage(c, "'cache invalidate' needs one TAG");
  if (c->opt.limit > LIMIT_MAX) return cli_usage(c, "--limit: at most %d answers are listed", LIMIT_MAX);
  int code = cli_open(c);
  if (code != CLI_EXIT_OK) return code;
  return verb == 0 ? list_entries(c) : verb == 1 ? purge(c) : invalidate_entries(c);
}
