/*
 * aiorch reembed: gives vectors of the current model, or of another one, to all that has none, while questions go on
 * being answered; then, when asked to, forgets those of other models.
 */
#include "commands.h"
#include "embed_pending.h"
#include "vector_index.h"

#include <stdlib.h>
#include <string.h>

typedef struct forgotten {
  cli_list models;
  uint64_t counts[64];
} forgotten;

static aiorch_status list_models(cli *c, json_value **out) {
  aiorch_text *text;
  const char *json = "";
  size_t len = 0;
  aiorch_status status = aiorch_knowledge_models(c->orch, c->opt.tenant, cli_tenant_len(c), c->timeout_ms, &text, c->error);
  if (status != AIORCH_OK) return status;
  aiorch_text_get(text, &json, &len);
  *out = json_parse(json, len, NULL);
  aiorch_text_free(text);
  return AIORCH_OK;
}

static aiorch_status forget_others(cli *c, const json_value *models, forgotten *out) {
  aiorch_status status = AIORCH_OK;
  for (const json_value *m = models ? models->child : NULL; m && status == AIORCH_OK && !cli_interrupted(); m = m->next) {
    const char *name = json_text(m, "model");
    uint64_t removed = 0;
    if (json_truth(m, "current") || !json_truth(m, "stored")) continue;
    if (out->models.count == sizeof out->counts / sizeof out->counts[0]) break;
    status = aiorch_knowledge_forget_model(c->orch, c->opt.tenant, cli_tenant_len(c), name, strlen(name), c->timeout_ms,
                                           &removed, c->error);
    if (status != AIORCH_OK) break;
    out->counts[out->models.count] = removed;
    cli_list_add(&out->models, name, strlen(name));
  }
  return status;
}

static const char *current_model(const json_value *models) {
  for (const json_value *m = models ? models->child : NULL; m; m = m->next) {
    if (json_truth(m, "current")) return json_text(m, "model");
  }
  return "";
}

static void print_json(const embed_pending *e, const json_value *models, const forgotten *gone, const json_value *indexes,
                       const aiorch_error *error) {
  json_print p = {0};
  jp_open(&p, '{');
  jp_kz(&p, "model", current_model(models));
  embed_pending_json(&p, e);
  jp_key(&p, "forgotten");
  jp_open(&p, '[');
  for (size_t i = 0; i < gone->models.count; i++) {
    jp_open(&p, '{');
    jp_kz(&p, "model", gone->models.items[i]);
    jp_ki64(&p, "vectors", (int64_t)gone->counts[i]);
    jp_close(&p, '}');
  }
  jp_close(&p, ']');
  vector_index_json(&p, indexes);
  jp_ki64(&p, "duration_ms", e->duration_ms);
  if (error) {
    jp_key(&p, "error");
    jp_error(&p, error);
  }
  jp_close(&p, '}');
  jp_finish(&p);
}

static void print_plain(const cli *c, const embed_pending *e, const json_value *models, const forgotten *gone) {
  if (c->opt.quiet) return;
  if (e->done == 0 && e->left == 0) printf("All passages have their vectors of %s.\n", current_model(models));
  embed_pending_print(c, e);
  for (size_t i = 0; i < gone->models.count; i++) {
    printf("forgot %llu vector%s of %s\n", (unsigned long long)gone->counts[i], gone->counts[i] == 1 ? "" : "s",
           gone->models.items[i]);
  }
  if (c->opt.model && e->status == AIORCH_OK) {
    printf("To have questions use it, set embedder.local.model to '%s' in your configuration.\n", c->opt.model);
  }
}

static int finish(cli *c, const embed_pending *e, const json_value *models, const forgotten *gone, const json_value *indexes,
                  aiorch_status status) {
  if (c->opt.json || c->opt.stream_json) {
    print_json(e, models, gone, indexes, status < 0 ? c->error : NULL);
  } else {
    print_plain(c, e, models, gone);
  }
  if (status < 0) {
    cli_error_line(c, aiorch_error_message(c->error));
    return (int)cli_exit_of(status);
  }
  if (!cli_interrupted()) return CLI_EXIT_OK;
  cli_error_line(c, "reembed: interrupted; what is counted above is stored, run it again for the rest");
  return CLI_EXIT_INTERRUPTED;
}

int command_reembed(cli *c) {
  embed_pending e;
  forgotten gone = {0};
  json_value *models = NULL, *indexes = NULL;
  int code = command_open_model(c, false);
  if (code != CLI_EXIT_OK) return code;
  embed_pending_run(c, &e);
  if (!e.able) {
    return cli_error(c, CLI_EXIT_CONFIG, AIORCH_E_UNSUPPORTED,
                     "reembed: there is no local model; get one: aiorch model pull all-MiniLM-L6-v2");
  }
  aiorch_status status = e.status;
  if (status >= 0) {
    aiorch_status listed = list_models(c, &models);
    if (listed < 0) status = listed;
  }
  if (status == AIORCH_OK && c->opt.forget_old) status = forget_others(c, models, &gone);
  if (status >= 0 && !cli_interrupted()) code = vector_index_after(c, &indexes);
  if (code == CLI_EXIT_OK) code = finish(c, &e, models, &gone, indexes, status);
  json_free(indexes);
  json_free(models);
  cli_list_free(&gone.models);
  return code;
}
