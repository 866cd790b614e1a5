/*
 * aiorch cache: the answers that are kept, and what was thought of them.
 */
#include "cache_explain.h"
#include "commands.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 10000 };
/* In the order in which command_cache names them. */
enum { VERB_LIST, VERB_PURGE, VERB_INVALIDATE, VERB_EXPLAIN, VERB_PAIRS, VERB_GOOD, VERB_BAD, VERB_NOT_SAME };

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

/* What a reader thought of an answer, for the next who asks. */
static int give_verdict(cli *c, int32_t verdict, const char *word) {
  const char *id = c->args[1];
  if (aiorch_cache_feedback(c->orch, c->opt.tenant, cli_tenant_len(c), id, strlen(id), verdict, c->timeout_ms, c->error) !=
      AIORCH_OK) {
    return cli_fail(c);
  }
  if (c->opt.json || c->opt.stream_json) {
    json_print p = {0};
    jp_open(&p, '{');
    jp_kz(&p, "id", id);
    jp_kz(&p, "verdict", word);
    jp_close(&p, '}');
    jp_finish(&p);
  } else if (!c->opt.quiet) {
    puts(verdict == AIORCH_VERDICT_BAD        ? "removed; the next who asks gets a new answer"
         : verdict == AIORCH_VERDICT_NOT_SAME ? "kept for its own question only"
                                              : "noted");
  }
  return CLI_EXIT_OK;
}

static int check_arguments(cli *c, int verb) {
  if (verb < VERB_INVALIDATE && c->arg_count > 1) {
    return cli_usage(c, "'cache %s' takes no argument: '%s'", c->args[0], c->args[1]);
  }
  if (verb == VERB_INVALIDATE && c->arg_count != 2) return cli_usage(c, "'cache invalidate' needs one TAG");
  if (verb >= VERB_GOOD && c->arg_count != 2) {
    return cli_usage(c, "'cache %s' needs one ID: 'aiorch cache list' shows them", c->args[0]);
  }
  if (verb == VERB_EXPLAIN && c->arg_count < 2) return cli_usage(c, "'cache explain' needs a TEXT, or '-'");
  if (verb == VERB_PAIRS && (c->arg_count != 2 || strcmp(c->args[1], "-") != 0)) {
    return cli_usage(c, "'cache pairs' reads stdin: aiorch cache pairs - < FILE");
  }
  if (c->opt.limit > LIMIT_MAX) return cli_usage(c, "--limit: at most %d answers are listed", LIMIT_MAX);
  return CLI_EXIT_OK;
}

int command_cache(cli *c) {
  int verb = command_verb(c, "list purge invalidate explain pairs good bad not-same");
  if (verb < 0) return CLI_EXIT_USAGE;
  int code = check_arguments(c, verb);
  if (code != CLI_EXIT_OK) return code;
  if (verb == VERB_EXPLAIN) return cache_explain(c);
  if (verb == VERB_PAIRS) return cache_pairs(c);
  code = cli_open(c);
  if (code != CLI_EXIT_OK) return code;
  switch (verb) {
    case VERB_LIST: return list_entries(c);
    case VERB_PURGE: return purge(c);
    case VERB_INVALIDATE: return invalidate_entries(c);
    case VERB_GOOD: return give_verdict(c, AIORCH_VERDICT_GOOD, "good");
    case VERB_BAD: return give_verdict(c, AIORCH_VERDICT_BAD, "bad");
    default: return give_verdict(c, AIORCH_VERDICT_NOT_SAME, "not-same");
  }
}
