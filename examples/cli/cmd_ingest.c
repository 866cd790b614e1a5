/*
 * aiorch ingest: files and folders into the store. A file that did not change since is left alone, and --prune removes
 * the documents of files that are gone. Each document is one transaction: whatever ends this, what was counted is
 * stored.
 */
#include "commands.h"
#include "document_file.h"
#include "embed_pending.h"
#include "vector_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PRUNE_PAGE = 1000, SKIPS_SHOWN = 20 };

typedef struct ingest {
  cli *c;
  walk walk;
  cli_list roots; /* absolute */
  size_t added, updated, unchanged, removed, chunks;
  int64_t started_ms, ended_ms;
  bool embeds; /* not with --no-embed */
  embed_pending embedded;
} ingest;

/* ---- where ---- */

/* Absolute without "." and "..", for a path that is not there (any more). */
static char *lexical_path(const char *given) {
  cli_bytes out = {0};
  if (given[0] != '/') {
    char *here = getcwd(NULL, 0);
    if (here) cli_addz(&out, strcmp(here, "/") == 0 ? "" : here);
    free(here);
  }
  for (const char *at = given; *at;) {
    size_t n = strcspn(at, "/");
    if (n == 2 && at[0] == '.' && at[1] == '.') {
      while (out.len > 0 && out.data[out.len - 1] != '/') out.len--;
      if (out.len > 0) out.len--;
    } else if (n > 0 && !(n == 1 && at[0] == '.')) {
      cli_addc(&out, '/');
      cli_add(&out, at, n);
    }
    at += n + (at[n] == '/');
  }
  if (out.len == 0) cli_addc(&out, '/');
  out.data[out.len] = '\0';
  return out.data;
}

static int add_root(ingest *in, const char *given) {
  char *path = realpath(given, NULL);
  int error = errno;
  if (!path && in->c->opt.prune && error == ENOENT) path = lexical_path(given);
  if (!path) {
    return cli_error(in->c, error == ENOENT || error == ENOTDIR ? CLI_EXIT_NOT_FOUND : CLI_EXIT_INTERNAL,
                     error == ENOENT || error == ENOTDIR ? AIORCH_E_NOT_FOUND : AIORCH_E_SYSTEM,
                     "ingest: %s: %s; check the path", given, strerror(error));
  }
  cli_list_add(&in->roots, path, strlen(path));
  free(path);
  return CLI_EXIT_OK;
}

static void find_files(ingest *in) {
  for (size_t i = 0; i < in->roots.count; i++) {
    struct stat st;
    if (stat(in->roots.items[i], &st) != 0 && errno == ENOENT) continue; /* only to be pruned */
    walk_add(&in->walk, in->roots.items[i]);
  }
  walk_sort(&in->walk);
}

/* ---- files ---- */

static uint64_t document_max_bytes(const cli *c) {
  aiorch_text *text;
  const char *value = "";
  uint64_t max_bytes = 64 << 20;
  if (aiorch_config_get(c->config, "knowledge.document_max_bytes", &text, NULL) != AIORCH_OK) return max_bytes;
  if (aiorch_text_get(text, &value, NULL) == AIORCH_OK) max_bytes = strtoull(value, NULL, 10);
  aiorch_text_free(text);
  return max_bytes;
}

static bool count_result(ingest *in, const walk_file *file, file_result result, size_t chunks,
                         const cli_bytes *reason) {
  in->added += result == FILE_ADDED;
  in->updated += result == FILE_UPDATED;
  in->unchanged += result == FILE_UNCHANGED;
  in->chunks += chunks;
  if (result == FILE_SKIPPED && !cli_interrupted()) walk_skip_add(&in->walk, file->path, "%s", cli_z(reason));
  return result != FILE_FAILED;
}

/* False when the store failed. */
static bool add_files(ingest *in) {
  cli_progress progress;
  cli_bytes reason = {0};
  uint64_t max_bytes = document_max_bytes(in->c);
  bool good = true;
  cli_progress_begin(&progress, in->c, in->walk.file_count, in->walk.bytes);
  for (size_t i = 0; i < in->walk.file_count && good && !cli_interrupted(); i++) {
    const walk_file *file = &in->walk.files[i];
    size_t chunks;
    cli_clear(&reason);
    file_result result = document_file_add(in->c, file, max_bytes, &chunks, &reason);
    good = count_result(in, file, result, chunks, &reason);
    cli_progress_step(&progress, file->bytes);
  }
  cli_progress_clear(&progress);
  cli_release(&reason);
  return good;
}

/* ---- prune ---- */

static bool is_under(const char *source, size_t len, const char *root) {
  size_t root_len = strlen(root);
  if (root_len == 1) return len > 0 && source[0] == '/';
  return len >= root_len && memcmp(source, root, root_len) == 0 && (len == root_len || source[root_len] == '/');
}

static bool is_gone(const char *path) {
  struct stat st;
  return lstat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static void note_gone(const ingest *in, const char *source, size_t len, cli_list *gone) {
  for (size_t i = 0; i < in->roots.count; i++) {
    if (!is_under(source, len, in->roots.items[i])) continue;
    if (is_gone(source)) cli_list_add(gone, source, len);
    return;
  }
}

static aiorch_status find_gone(ingest *in, cli_list *gone) {
  cli *c = in->c;
  cli_bytes after = {0};
  size_t count = PRUNE_PAGE;
  aiorch_status status = AIORCH_OK;
  while (count == PRUNE_PAGE && status == AIORCH_OK && !cli_interrupted()) {
    aiorch_documents *page = NULL;
    status = aiorch_knowledge_list(c->orch, c->opt.tenant, cli_tenant_len(c), after.len ? after.data : NULL, after.len,
                                   PRUNE_PAGE, c->timeout_ms, &page, c->error);
    count = aiorch_documents_count(page);
    for (size_t i = 0; i < count; i++) {
      const char *source = "";
      size_t len = 0;
      aiorch_document_source(aiorch_documents_get(page, i), &source, &len);
      note_gone(in, source, len, gone);
      if (i + 1 < count) continue;
      cli_clear(&after);
      cli_add(&after, source, len);
    }
    aiorch_documents_free(page);
  }
  cli_release(&after);
  return status;
}

static aiorch_status prune(ingest *in) {
  cli *c = in->c;
  cli_list gone = {0};
  aiorch_status status = find_gone(in, &gone);
  for (size_t i = 0; i < gone.count && status == AIORCH_OK && !cli_interrupted(); i++) {
    status = aiorch_knowledge_remove(c->orch, c->opt.tenant, cli_tenant_len(c), gone.items[i], strlen(gone.items[i]),
                                     c->timeout_ms, c->error);
    in->removed += status == AIORCH_OK;
    if (status == AIORCH_E_NOT_FOUND) status = AIORCH_OK; /* another process was quicker */
  }
  cli_list_free(&gone);
  return status;
}

/* ---- what came of it ---- */

static void print_json(const ingest *in, const aiorch_error *error) {
  json_print p = {0};
  jp_open(&p, '{');
  jp_ki64(&p, "documents", (int64_t)(in->added + in->updated + in->unchanged));
  jp_ki64(&p, "chunks", (int64_t)in->chunks);
  jp_ki64(&p, "added", (int64_t)in->added);
  jp_ki64(&p, "unchanged", (int64_t)in->unchanged);
  jp_ki64(&p, "updated", (int64_t)in->updated);
  jp_ki64(&p, "removed", (int64_t)in->removed);
  jp_key(&p, "skipped");
  jp_open(&p, '[');
  for (size_t i = 0; i < in->walk.skip_count; i++) {
    jp_open(&p, '{');
    jp_kz(&p, "path", in->walk.skips[i].path);
    jp_kz(&p, "reason", in->walk.skips[i].reason);
    jp_close(&p, '}');
  }
  jp_close(&p, ']');
  if (in->embeds) embed_pending_json(&p, &in->embedded);
  jp_ki64(&p, "duration_ms", cli_mono_ms() - in->started_ms);
  if (error) {
    jp_key(&p, "error");
    jp_error(&p, error);
  }
  jp_close(&p, '}');
  jp_finish(&p);
}

/* What was taken in: it is searched by its words from here on. */
static void print_plain(const ingest *in) {
  const cli *c = in->c;
  char time[32];
  size_t documents = in->added + in->updated + in->unchanged, skipped = in->walk.skip_count + in->walk.skips_more;
  if (c->opt.quiet) return;
  cli_time_text((in->ended_ms - in->started_ms) * 1000, time);
  printf("%s%zu document%s%s: %zu new, %zu updated, %zu unchanged, %zu removed; %zu chunk%s; %s\n",
         cli_on(c, STYLE_GREEN), documents, documents == 1 ? "" : "s", cli_off(c), in->added, in->updated,
         in->unchanged, in->removed, in->chunks, in->chunks == 1 ? "" : "s", time);
  if (skipped == 0) return;
  printf("%sskipped %zu%s\n", cli_on(c, STYLE_YELLOW), skipped, cli_off(c));
  size_t shown = in->walk.skip_count < SKIPS_SHOWN ? in->walk.skip_count : SKIPS_SHOWN;
  for (size_t i = 0; i < shown; i++) {
    fputs("  ", stdout);
    cli_putz(c, in->walk.skips[i].path);
    fputs(": ", stdout);
    cli_putz(c, in->walk.skips[i].reason);
    putchar('\n');
  }
  if (skipped > shown) printf("  and %zu more; --json lists them\n", skipped - shown);
}

static int finish(ingest *in, bool good) {
  cli *c = in->c;
  bool json = c->opt.json || c->opt.stream_json;
  json_value *indexes = NULL;
  int code = CLI_EXIT_OK;
  in->ended_ms = cli_mono_ms();
  if (!json) print_plain(in);
  fflush(stdout);
  in->embeds = good && !c->opt.no_embed && !cli_interrupted();
  if (in->embeds) {
    embed_pending_run(c, &in->embedded);
    good = in->embedded.status >= 0;
    if (!json) embed_pending_print(c, &in->embedded);
  }
  if (in->embeds && good && in->embedded.done > 0 && !cli_interrupted()) code = vector_index_after(c, &indexes);
  json_free(indexes);
  if (code != CLI_EXIT_OK) return code;
  if (json) print_json(in, good ? NULL : c->error);
  if (!good) {
    cli_error_line(c, aiorch_error_message(c->error));
    return (int)cli_exit_of(aiorch_error_status(c->error));
  }
  if (!cli_interrupted()) return CLI_EXIT_OK;
  cli_error_line(c, "ingest: interrupted; what is counted above is stored, run it again for the rest");
  return CLI_EXIT_INTERRUPTED;
}

int command_ingest(cli *c) {
  ingest in = {.c = c, .started_ms = cli_mono_ms()};
  int code = CLI_EXIT_OK;
  for (size_t i = 0; i < c->arg_count && code == CLI_EXIT_OK; i++) code = add_root(&in, c->args[i]);
  if (code == CLI_EXIT_OK) code = cli_open(c);
  if (code == CLI_EXIT_OK) {
    find_files(&in);
    bool good = add_files(&in);
    if (good && c->opt.prune && !cli_interrupted()) good = prune(&in) == AIORCH_OK;
    code = finish(&in, good);
  }
  cli_list_free(&in.roots);
  walk_free(&in.walk);
  return code;
}
