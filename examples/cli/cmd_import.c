/*
 * aiorch import: takes over what another program has in the database of the store. Each step is a transaction and may be repeated:
 * whatever ends this, the next time goes on.
 */
#include "commands.h"
#include "embed_pending.h"
#include "vector_index.h"

#include <stdlib.h>
#include <string.h>

enum { STEP_MS = 3600000, SKIPS_SHOWN = 20, PAIRS_MAX = 64, NAME_BYTES = 63, VALUE_BYTES = 1024 };
static const double SAME_MODEL = 0.98; /* the least cosine of one text's two vectors, whatever the precision */

typedef struct import {
  cli *c;
  json_value *plan;
  int64_t calls, added, chunks, vectors;
  bool same_model;
  size_t skipped;
  cli_list skips; /* the first of them */
  embed_pending embedded;
  json_value *indexes;
} import;

/* ---- a step ---- */

static json_value *take_step(import *im, const char *step, int64_t page, const char *model) {
  cli *c = im->c;
  json_print p = {0};
  aiorch_text *text = NULL;
  jp_open(&p, '{');
  jp_kz(&p, "step", step);
  jp_kz(&p, "tenant", c->opt.tenant);
  jp_kz(&p, "schema", c->opt.from_schema ? c->opt.from_schema : "public");
  jp_ki64(&p, "page", page);
  if (model) jp_kz(&p, "model", model);
  jp_key(&p, "roles");
  jp_open(&p, '[');
  for (size_t i = 0; i < c->opt.roles.count; i++) jp_z(&p, c->opt.roles.items[i]);
  jp_close(&p, ']');
  jp_close(&p, '}');
  aiorch_status status = aiorch_import(c->config, cli_z(&p.out), p.out.len, STEP_MS, &text, c->error);
  cli_release(&p.out);
  return status == AIORCH_OK ? json_take(text) : NULL;
}

/* ---- documents ---- */

static void note_skip(import *im, const char *source, const char *why) {
  cli_bytes line = {0};
  im->skipped++;
  if (im->skips.count >= SKIPS_SHOWN) return;
  cli_addf(&line, "%s: %s", source, why);
  cli_list_add(&im->skips, cli_z(&line), line.len);
  cli_release(&line);
}

static void add_pair(aiorch_document *d, const char *name, const json_value *value, int *left) {
  size_t name_len = strlen(name);
  const char *text = value->type == JSON_BOOL ? (value->truth ? "true" : "false") : value->text;
  size_t len = text ? value->type == JSON_BOOL ? strlen(text) : value->len : 0;
  if (value->type == JSON_NUMBER && text) len = strlen(text);
  bool fits = text && name_len >= 1 && name_len <= NAME_BYTES && len <= VALUE_BYTES;
  if (fits && *left > 0 && aiorch_document_add_metadata(d, name, name_len, text, len) == AIORCH_OK) --*left;
}

/* Numbers, texts and yes or no; a list is several. What is too large for a filter is left out. */
static void add_metadata(aiorch_document *d, const json_value *metadata) {
  int left = PAIRS_MAX;
  for (const json_value *m = metadata ? metadata->child : NULL; m; m = m->next) {
    if (!m->name) continue;
    if (m->type == JSON_ARRAY) {
      for (const json_value *one = m->child; one; one = one->next) add_pair(d, m->name, one, &left);
    } else {
      add_pair(d, m->name, m, &left);
    }
  }
}

static aiorch_status add_row(import *im, const json_value *row) {
  cli *c = im->c;
  aiorch_document *d;
  const json_value *text = json_get(row, "text");
  const char *source = json_text(row, "source"), *title = json_text(row, "title");
  if (!text || text->type != JSON_TEXT || text->len == 0) {
    note_skip(im, source, "it has no text");
    return AIORCH_OK;
  }
  aiorch_status status = aiorch_document_new(&d);
  if (status != AIORCH_OK) return status;
  status = aiorch_document_set_source(d, source, strlen(source));
  if (status == AIORCH_OK && *title) status = aiorch_document_set_title(d, title, strlen(title));
  if (status == AIORCH_OK) status = aiorch_document_set_text(d, AIORCH_FORMAT_PLAIN, text->text, text->len);
  if (status == AIORCH_OK) {
    add_metadata(d, json_get(row, "metadata"));
    status = aiorch_knowledge_add(c->orch, c->opt.tenant, cli_tenant_len(c), d, c->timeout_ms, c->error);
  }
  if (status == AIORCH_OK) {
    im->added++;
    im->chunks += (int64_t)aiorch_document_chunks(d);
  } else if (status == AIORCH_E_DOCUMENT || status == AIORCH_E_TOO_LARGE || status == AIORCH_E_INVALID) {
    note_skip(im, source, aiorch_error_message(c->error));
    status = AIORCH_OK;
  }
  aiorch_document_free(d);
  return status;
}

static bool add_documents(import *im) {
  cli_progress bar;
  int64_t page = 0, pages = 1;
  uint64_t done = 0, all = (uint64_t)json_i64(json_get(im->plan, "documents"), "found");
  bool good = true;
  cli_progress_count(&bar, im->c, "documents", all);
  while (page < pages && good && !cli_interrupted()) {
    json_value *part = take_step(im, "documents", page, NULL);
    const json_value *rows = json_get(part, "rows");
    good = part != NULL;
    for (const json_value *r = rows ? rows->child : NULL; r && good && !cli_interrupted(); r = r->next) {
      good = add_row(im, r) == AIORCH_OK;
      if (done < all) cli_progress_to(&bar, ++done);
    }
    page = json_i64(part, "next_page");
    pages = json_i64(part, "pages");
    json_free(part);
  }
  cli_progress_clear(&bar);
  return good;
}

/* ---- vectors ---- */

/* Is their cosine at least SAME_MODEL? */
static bool are_alike(const json_value *a, const json_value *b) {
  double dot = 0, aa = 0, bb = 0;
  const json_value *x = a ? a->child : NULL, *y = b ? b->child : NULL;
  for (; x && y; x = x->next, y = y->next) {
    double u = strtod(x->text, NULL), v = strtod(y->text, NULL);
    dot += u * v;
    aa += u * u;
    bb += v * v;
  }
  return !x && !y && dot > 0 && dot * dot >= SAME_MODEL * SAME_MODEL * aa * bb;
}

/* Does the model in use give the vectors that are there? Also its name. */
static bool is_same_model(import *im, cli_bytes *model) {
  json_value *sample = take_step(im, "sample", 0, NULL);
  const json_value *rows = json_get(sample, "rows");
  bool same = rows && rows->child;
  for (const json_value *r = rows ? rows->child : NULL; r && same; r = r->next) {
    const char *text = json_text(r, "text");
    size_t len = strlen(text);
    aiorch_text *made = NULL;
    same = aiorch_embed(im->c->orch, AIORCH_PURPOSE_PASSAGE, &text, &len, 1, im->c->timeout_ms, &made, NULL) == AIORCH_OK;
    if (!same) break;
    json_value *embedded = json_take(made);
    const json_value *results = json_get(embedded, "results");
    same = results && results->child && are_alike(json_get(results->child, "embedding"), json_get(r, "vector"));
    cli_clear(model);
    cli_addz(model, json_text(embedded, "model"));
    json_free(embedded);
  }
  json_free(sample);
  return same;
}

static bool take_vectors(import *im) {
  cli_bytes model = {0};
  cli_progress bar;
  int64_t page = 0, pages = 1;
  bool good = true;
  if (json_i64(json_get(im->plan, "documents"), "with_vector") > 0) im->same_model = is_same_model(im, &model);
  cli_progress_count(&bar, im->c, "vectors", (uint64_t)json_i64(json_get(im->plan, "documents"), "with_vector"));
  while (im->same_model && page < pages && good && !cli_interrupted()) {
    json_value *part = take_step(im, "vectors", page, cli_z(&model));
    good = part != NULL;
    im->vectors += json_i64(part, "vectors");
    page = json_i64(part, "next_page");
    pages = json_i64(part, "pages");
    json_free(part);
    cli_progress_to(&bar, (uint64_t)im->vectors);
  }
  cli_progress_clear(&bar);
  cli_release(&model);
  return good;
}

/* ---- what there is to say ---- */

static const char ANSWERS_WHY[] = "they say neither for whom nor from which documents they were made";

static void print_json(const import *im) {
  const json_value *documents = json_get(im->plan, "documents"), *calls = json_get(im->plan, "calls");
  json_print p = {0};
  jp_open(&p, '{');
  jp_key(&p, "dry_run");
  jp_bool(&p, im->c->opt.dry_run);
  jp_kz(&p, "tenant", im->c->opt.tenant);
  jp_key(&p, "taken_before");
  jp_bool(&p, json_truth(im->plan, "taken"));
  jp_ki64(&p, "documents_found", json_i64(documents, "found"));
  jp_ki64(&p, "documents_imported", im->added);
  jp_ki64(&p, "documents_before", json_i64(documents, "imported"));
  jp_ki64(&p, "documents_skipped", (int64_t)im->skipped);
  jp_ki64(&p, "chunks", im->chunks);
  jp_key(&p, "same_model");
  jp_bool(&p, im->same_model);
  jp_ki64(&p, "vectors", im->vectors);
  jp_ki64(&p, "calls_found", json_i64(calls, "found"));
  jp_ki64(&p, "calls_imported", im->calls);
  jp_kz(&p, "calls_cost_usd", json_text(calls, "cost_usd"));
  jp_ki64(&p, "calls_rounded", json_i64(calls, "rounded"));
  jp_ki64(&p, "answers_found", json_i64(json_get(im->plan, "answers"), "found"));
  jp_ki64(&p, "answers_imported", 0);
  if (!im->c->opt.dry_run && !im->c->opt.no_embed) embed_pending_json(&p, &im->embedded);
  jp_close(&p, '}');
  jp_finish(&p);
}

static void print_table(const cli *c, const json_value *plan, const char *member, const char *what) {
  const json_value *it = json_get(plan, member);
  if (json_is_null(it, "table")) {
    printf("%-10s none\n", member);
    return;
  }
  printf("%-10s %lld in %s%s\n", member, (long long)json_i64(it, "found"), json_text(it, "table"), what);
  (void)c;
}

static void print_plan(const import *im) {
  const cli *c = im->c;
  const json_value *documents = json_get(im->plan, "documents"), *calls = json_get(im->plan, "calls");
  const json_value *functions = json_get(im->plan, "functions");
  char text[160];
  snprintf(text, sizeof text, ": %lld imported already, %lld with a vector", (long long)json_i64(documents, "imported"),
           (long long)json_i64(documents, "with_vector"));
  print_table(c, im->plan, "documents", text);
  snprintf(text, sizeof text, ": cost $%s; %lld of them without a cost, %lld with more than nine decimals, which are rounded",
           json_text(calls, "cost_usd"), (long long)json_i64(calls, "without_cost"), (long long)json_i64(calls, "rounded"));
  print_table(c, im->plan, "calls", text);
  snprintf(text, sizeof text, ": stay there and are not given again, since %s", ANSWERS_WHY);
  print_table(c, im->plan, "answers", text);
  for (const json_value *f = functions ? functions->child : NULL; f; f = f->next) printf("function   %s\n", f->text ? f->text : "");
  puts(json_truth(im->plan, "taken") ? "The tables were taken over before: what is missing is made up for."
                                     : "Each would be renamed (..._before_aiorch), and a stand-in would take its name.");
}

static void print_plain(const import *im) {
  const cli *c = im->c;
  const json_value *calls = json_get(im->plan, "calls");
  if (c->opt.quiet) return;
  printf("%s%lld document%s%s taken over in %lld chunk%s, %lld vector%s with them; %zu skipped\n", cli_on(c, STYLE_GREEN),
         (long long)im->added, im->added == 1 ? "" : "s", cli_off(c), (long long)im->chunks, im->chunks == 1 ? "" : "s",
         (long long)im->vectors, im->vectors == 1 ? "" : "s", im->skipped);
  for (size_t i = 0; i < im->skips.count; i++) {
    fputs("  ", stdout);
    cli_putz(c, im->skips.items[i]);
    putchar('\n');
  }
  printf("%lld call%s copied of %lld, which cost $%s\n", (long long)im->calls, im->calls == 1 ? "" : "s",
         (long long)json_i64(calls, "found"), json_text(calls, "cost_usd"));
  printf("%lld kept answer%s left in semantic_cache_before_aiorch: not given again, since %s\n",
         (long long)json_i64(json_get(im->plan, "answers"), "found"),
         json_i64(json_get(im->plan, "answers"), "found") == 1 ? "" : "s", ANSWERS_WHY);
  if (!c->opt.no_embed) embed_pending_print(c, &im->embedded);
}

/* ---- the whole ---- */

static int check_plan(import *im) {
  const json_value *problems = json_get(im->plan, "problems");
  bool any = json_i64(json_get(im->plan, "documents"), "found") + json_i64(json_get(im->plan, "calls"), "found") +
                 json_i64(json_get(im->plan, "answers"), "found") > 0 ||
             json_truth(im->plan, "taken");
  if (problems && problems->child) {
    return cli_error(im->c, CLI_EXIT_STORE, AIORCH_E_STORE, "import: %s", problems->child->text ? problems->child->text : "");
  }
  if (any || !json_is_null(json_get(im->plan, "documents"), "table") || !json_is_null(json_get(im->plan, "calls"), "table")) return CLI_EXIT_OK;
  return cli_error(im->c, CLI_EXIT_NOT_FOUND, AIORCH_E_NOT_FOUND,
                   "import: there are no tables documents, semantic_cache or ai_api_calls in the schema %s; --from-schema names another",
                   im->c->opt.from_schema ? im->c->opt.from_schema : "public");
}

static bool take_over(import *im) {
  json_value *took = take_step(im, "take", 0, NULL);
  if (!took) return false;
  im->calls = json_i64(took, "calls");
  json_free(took);
  return true;
}

static int finish(import *im, bool good) {
  cli *c = im->c;
  bool json = c->opt.json || c->opt.stream_json;
  int code = CLI_EXIT_OK;
  if (good && !c->opt.no_embed && !cli_interrupted()) {
    embed_pending_run(c, &im->embedded);
    good = im->embedded.status >= 0;
    if (good && !cli_interrupted()) code = vector_index_after(c, &im->indexes);
  }
  if (!good) return cli_fail(c);
  if (json) print_json(im);
  else print_plain(im);
  if (!cli_interrupted()) return code;
  cli_error_line(c, "import: interrupted; what is counted above is taken over, run it again for the rest");
  return CLI_EXIT_INTERRUPTED;
}

static int run_import(import *im) {
  cli *c = im->c;
  int code = cli_configure(c);
  if (code != CLI_EXIT_OK) return code;
  if ((im->plan = take_step(im, "plan", 0, NULL)) == NULL) return cli_fail(c);
  if ((code = check_plan(im)) != CLI_EXIT_OK) return code;
  if (c->opt.dry_run) {
    if (c->opt.json || c->opt.stream_json) print_json(im);
    else print_plan(im);
    return CLI_EXIT_OK;
  }
  if (aiorch_open(c->config, &c->orch, c->error) != AIORCH_OK) return cli_fail(c);
  bool good = take_over(im) && add_documents(im);
  if (good && !cli_interrupted()) good = take_vectors(im);
  return finish(im, good);
}

int command_import(cli *c) {
  import im = {.c = c};
  if (command_verb(c, "supabase") < 0) return CLI_EXIT_USAGE;
  int code = run_import(&im);
  json_free(im.plan);
  json_free(im.indexes);
  cli_list_free(&im.skips);
  return code;
}
