/*
 * aiorch documents: list, show and remove what was ingested.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000 };

static void source_of(const aiorch_document *d, const char **out, size_t *len) {
  *out = "";
  *len = 0;
  aiorch_document_source(d, out, len);
}

/* ---- list ---- */

static void json_members(json_print *p, const aiorch_document *d) {
  const char *id = "", *source = "", *title = "";
  size_t id_len = 0, source_len = 0, title_len = 0;
  aiorch_document_id(d, &id, &id_len);
  source_of(d, &source, &source_len);
  aiorch_document_title(d, &title, &title_len);
  jp_key(p, "id");
  jp_str(p, id, id_len);
  jp_key(p, "source");
  jp_str(p, source, source_len);
  jp_key(p, "title");
  jp_str(p, title, title_len);
  jp_ki64(p, "chunks", (int64_t)aiorch_document_chunks(d));
  jp_ki64(p, "bytes", (int64_t)aiorch_document_bytes(d));
  jp_ki64(p, "updated_ms", aiorch_document_updated_ms(d));
}

static void print_document(const cli *c, const aiorch_document *d) {
  const char *source, *title = "";
  size_t source_len, title_len = 0;
  char size[32], date[32];
  source_of(d, &source, &source_len);
  aiorch_document_title(d, &title, &title_len);
  cli_size_text(aiorch_document_bytes(d), size);
  cli_date_text(aiorch_document_updated_ms(d), date);
  cli_put(c, source, source_len);
  bool untitled = title_len == source_len && memcmp(title, source, source_len) == 0;
  const char *slash = untitled ? memrchr(title, '/', title_len) : NULL;
  size_t skip = slash ? (size_t)(slash + 1 - title) : 0; /* the source stands above: its last part is enough */
  printf("\n  %s%s, %zu chunk%s, %s%s  ", cli_on(c, STYLE_DIM), size, aiorch_document_chunks(d),
         aiorch_document_chunks(d) == 1 ? "" : "s", date, cli_off(c));
  cli_put(c, title + skip, title_len - skip);
  putchar('\n');
}

/* One page; *count is how many it had, *last the source of the last. */
static aiorch_status list_page(cli *c, const cli_bytes *after, size_t limit, json_print *p, size_t *count,
                               cli_bytes *last) {
  aiorch_documents *documents;
  const char *from = after->len ? after->data : NULL;
  aiorch_status status = aiorch_knowledge_list(c->orch, c->opt.tenant, cli_tenant_len(c), from, after->len, limit,
                                               c->timeout_ms, &documents, c->error);
  if (status != AIORCH_OK) return status;
  *count = aiorch_documents_count(documents);
  for (size_t i = 0; i < *count; i++) {
    const aiorch_document *d = aiorch_documents_get(documents, i);
    if (c->opt.json || c->opt.stream_json) {
      jp_open(p, '{');
      json_members(p, d);
      jp_close(p, '}');
    } else {
      print_document(c, d);
    }
    if (i + 1 == *count) {
      const char *source;
      size_t len;
      source_of(d, &source, &len);
      cli_clear(last);
      cli_add(last, source, len);
    }
  }
  aiorch_documents_free(documents);
  return AIORCH_OK;
}

static int list_documents(cli *c) {
  json_print p = {0};
  cli_bytes after = {0};
  size_t left = c->opt.limit ? (size_t)c->opt.limit : SIZE_MAX, count = 0, total = 0;
  aiorch_status status = AIORCH_OK;
  if (c->opt.after) cli_addz(&after, c->opt.after);
  jp_open(&p, '{');
  jp_key(&p, "documents");
  jp_open(&p, '[');
  do {
    size_t page = left < PAGE ? left : PAGE;
    count = 0;
    status = list_page(c, &after, page, &p, &count, &after);
    total += count;
    left -= count;
    if (count < page) break;
  } while (status == AIORCH_OK && left > 0 && !cli_interrupted());
  jp_close(&p, ']');
  jp_close(&p, '}');
  cli_release(&after);
  if (status == AIORCH_OK && (c->opt.json || c->opt.stream_json)) {
    jp_finish(&p);
  } else if (status == AIORCH_OK && total == 0 && !c->opt.quiet) {
    puts("No documents yet: 'aiorch ingest FOLDER' takes some in.");
  }
  cli_release(&p.out);
  if (status != AIORCH_OK) return cli_fail(c);
  return cli_interrupted() ? CLI_EXIT_INTERRUPTED : CLI_EXIT_OK;
}

/* ---- show and remove: by source, by the path of a file, or by id ---- */

static aiorch_status fetch(cli *c, const char *name, aiorch_document **out) {
  aiorch_status status = aiorch_knowledge_show(c->orch, c->opt.tenant, cli_tenant_len(c), name, strlen(name),
                                               c->timeout_ms, out, c->error);
  if (status != AIORCH_E_NOT_FOUND) return status;
  char *source = command_source(name);
  if (strcmp(source, name) != 0) {
    status = aiorch_knowledge_show(c->orch, c->opt.tenant, cli_tenant_len(c), source, strlen(source), c->timeout_ms,
                                   out, c->error);
  }
  free(source);
  return status;
}

static int fail_on(cli *c, aiorch_status status, const char *name) {
  if (status != AIORCH_E_NOT_FOUND) return cli_fail(c);
  return cli_error(c, CLI_EXIT_NOT_FOUND, status,
                   "documents: no document has the source or id '%s'; 'aiorch documents list' shows them", name);
}

static int show_document(cli *c) {
  aiorch_document *d;
  const char *text = "";
  size_t len = 0;
  aiorch_status status = fetch(c, c->args[1], &d);
  if (status != AIORCH_OK) return fail_on(c, status, c->args[1]);
  aiorch_document_text(d, &text, &len);
  if (c->opt.json || c->opt.stream_json) {
    json_print p = {0};
    jp_open(&p, '{');
    json_members(&p, d);
    jp_key(&p, "text");
    jp_str(&p, text, len);
    jp_close(&p, '}');
    jp_finish(&p);
  } else {
    cli_put(c, text, len);
    if (c->out_is_terminal && len > 0 && text[len - 1] != '\n') putchar('\n');
  }
  aiorch_document_free(d);
  return CLI_EXIT_OK;
}

static aiorch_status remove_one(cli *c, const char *name, cli_list *removed) {
  aiorch_document *d;
  const char *source;
  size_t len;
  aiorch_status status = fetch(c, name, &d);
  if (status != AIORCH_OK) return status;
  source_of(d, &source, &len);
  status = aiorch_knowledge_remove(c->orch, c->opt.tenant, cli_tenant_len(c), source, len, c->timeout_ms, c->error);
  if (status == AIORCH_OK) cli_list_add(removed, source, len);
  aiorch_document_free(d);
  return status;
}

static int remove_documents(cli *c) {
  cli_list removed = {0};
  aiorch_status status = AIORCH_OK;
  const char *name = "";
  for (size_t i = 1; i < c->arg_count && status == AIORCH_OK; i++) {
    name = c->args[i];
    status = remove_one(c, name, &removed);
  }
  bool json = c->opt.json || c->opt.stream_json;
  if (!json && !c->opt.quiet) {
    for (size_t i = 0; i < removed.count; i++) {
      fputs("removed ", stdout);
      cli_putz(c, removed.items[i]);
      putchar('\n');
    }
  }
  if (json && status == AIORCH_OK) {
    json_print p = {0};
    jp_open(&p, '{');
    jp_key(&p, "removed");
    jp_open(&p, '[');
    for (size_t i = 0; i < removed.count; i++) jp_z(&p, removed.items[i]);
    jp_close(&p, ']');
    jp_close(&p, '}');
    jp_finish(&p);
  }
  cli_list_free(&removed);
  return status == AIORCH_OK ? CLI_EXIT_OK : fail_on(c, status, name);
}

int command_documents(cli *c) {
  int verb = command_verb(c, "list show remove");
  if (verb < 0) return CLI_EXIT_USAGE;
  if (verb == 0 && c->arg_count > 1) return cli_usage(c, "'documents list' takes no argument: '%s'", c->args[1]);
  if (verb == 1 && c->arg_count != 2) return cli_usage(c, "'documents show' needs one SOURCE or ID");
  if (verb == 2 && c->arg_count < 2) return cli_usage(c, "'documents remove' needs a SOURCE or ID");
  int code = cli_open(c);
  if (code != CLI_EXIT_OK) return code;
  return verb == 0 ? list_documents(c) : verb == 1 ? show_document(c) : remove_documents(c);
}
