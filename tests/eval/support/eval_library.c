/* See eval_library.h. */
#include "support/eval_library.h"

#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 600000, EMBED_MS = 2000, BUDGET_MAX = 1000000 };

const char eval_usage[] = "[--models FOLDER [--model NAME] [--precision int8|f32] | --vectors FILE] [--store FOLDER]\n"
                          "       [--tenant NAME] [--set KEY=VALUE]... [--json]";

const char *eval_leg_name(eval_leg leg) {
  static const char *const names[EVAL_LEGS] = {"full text", "vector", "hybrid"};
  return names[leg];
}

void eval_arguments_init(eval_arguments *a) {
  memset(a, 0, sizeof *a);
  a->tenant = "default";
  a->models = getenv("AIORCH_TEST_MODELS");
}

bool eval_argument(eval_arguments *a, int argc, char **argv, int *at) {
  const struct {
    const char *name;
    const char **value;
  } known[] = {{"--store", &a->store}, {"--tenant", &a->tenant},       {"--models", &a->models},
               {"--model", &a->model}, {"--precision", &a->precision}, {"--vectors", &a->vectors}};
  const char *name = argv[*at];
  if (strcmp(name, "--json") == 0) {
    a->json = true;
    return true;
  }
  if (*at + 1 >= argc) return false;
  if (strcmp(name, "--set") == 0 && a->setting_count < EVAL_SETTINGS_MAX && strchr(argv[*at + 1], '=')) {
    a->settings[a->setting_count++] = argv[++*at];
    return true;
  }
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(name, known[i].name) != 0) continue;
    *known[i].value = argv[++*at];
    return true;
  }
  return false;
}

/* ---- opening ------------------------------------------------------------------------------------------------------ */

static bool say(const eval_library *l, const char *what) {
  fprintf(stderr, "%s: %s\n", what, aiorch_error_message(l->error));
  return false;
}

static bool set(eval_library *l, aiorch_config *config, const char *key, const char *value) {
  char json[4096];
  bool quoted = value[0] != '\0' && strspn(value, "0123456789.-") != strlen(value) && strcmp(value, "true") != 0 &&
                strcmp(value, "false") != 0;
  snprintf(json, sizeof json, quoted ? "{\"%s\": \"%s\"}" : "{\"%s\": %s}", key, value);
  return aiorch_config_load_json(config, json, strlen(json), key, l->error) == AIORCH_OK || say(l, key);
}

static bool set_all(eval_library *l, aiorch_config *config) {
  const eval_arguments *a = l->arguments;
  bool good = set(l, config, "store", a->store ? a->store : "memory") &&
              set(l, config, "rate_limit.requests", "0") && set(l, config, "cache.mode", "off") &&
              set(l, config, "validate.rules", "off");
  if (good && l->has_vectors && !a->vectors) {
    good = set(l, config, "embedder", "local") && set(l, config, "embedder.local.path", a->models) &&
           (!a->model || set(l, config, "embedder.local.model", a->model)) &&
           (!a->precision || set(l, config, "embedder.local.precision", a->precision));
  }
  for (size_t i = 0; good && i < a->setting_count; i++) {
    char key[256];
    const char *equals = strchr(a->settings[i], '=');
    snprintf(key, sizeof key, "%.*s", (int)(equals - a->settings[i]), a->settings[i]);
    good = set(l, config, key, equals + 1);
  }
  return good;
}

bool eval_open(eval_library *l, const eval_arguments *arguments) {
  aiorch_config *config = NULL;
  memset(l, 0, sizeof *l);
  l->arguments = arguments;
  l->has_vectors = arguments->vectors || arguments->models;
  bool good = aiorch_error_new(&l->error) == AIORCH_OK && aiorch_config_new(&config) == AIORCH_OK &&
              set_all(l, config);
  if (good && arguments->vectors) {
    good = eval_vectors_open(&l->vectors, arguments->vectors) &&
           (eval_vectors_register(&l->vectors, config, l->error) || say(l, arguments->vectors));
  }
  if (good && aiorch_open(config, &l->orch, l->error) != AIORCH_OK)
    good = say(l, arguments->store ? arguments->store : "memory");
  aiorch_config_free(config);
  return good;
}

void eval_close(eval_library *l) {
  if (l->orch) (void)aiorch_close(l->orch, TIMEOUT_MS);
  (void)aiorch_free(l->orch);
  aiorch_error_free(l->error);
  if (l->vectors.slots) eval_vectors_close(&l->vectors);
}

/* ---- documents ---------------------------------------------------------------------------------------------------- */

bool eval_add(eval_library *l, const char *source, const char *title, const char *text, size_t len, int32_t format,
              size_t *chunks) {
  const char *tenant = l->arguments->tenant;
  aiorch_document *d = NULL;
  bool good = aiorch_document_new(&d) == AIORCH_OK &&
              aiorch_document_set_source(d, source, strlen(source)) == AIORCH_OK &&
              aiorch_document_set_title(d, title, strlen(title)) == AIORCH_OK &&
              aiorch_document_set_text(d, format, text, len) == AIORCH_OK;
  if (good && aiorch_knowledge_add(l->orch, tenant, strlen(tenant), d, TIMEOUT_MS, l->error) != AIORCH_OK)
    good = say(l, source);
  if (good && chunks) *chunks = aiorch_document_chunks(d);
  aiorch_document_free(d);
  return good;
}

bool eval_embed(eval_library *l) {
  const char *tenant = l->arguments->tenant;
  uint64_t all = 0, done = 0, left = 0;
  if (!l->has_vectors) return true;
  for (;;) {
    aiorch_status st = aiorch_knowledge_embed(l->orch, tenant, strlen(tenant), EMBED_MS, &done, &left, l->error);
    if (st < 0) return say(l, "embedding");
    all += done;
    if (all > 0 || left > 0) fprintf(stderr, "\r%llu embedded, %llu left ", (unsigned long long)all, (unsigned long long)left);
    if (st == AIORCH_OK) break;
  }
  if (all > 0) fputs("\n", stderr);
  return true;
}

/* ---- questions ---------------------------------------------------------------------------------------------------- */

static bool option(aiorch_run *run, const char *key, const char *value) {
  if (aiorch_run_set_option(run, key, value, strlen(value)) == AIORCH_OK) return true;
  fprintf(stderr, "%s=%s cannot be set\n", key, value);
  return false;
}

static aiorch_run *run_for(eval_library *l, eval_leg leg, const char *question) {
  const char *tenant = l->arguments->tenant;
  aiorch_run *run = NULL;
  bool good = aiorch_run_new(l->orch, tenant, strlen(tenant), "eval", 4, &run) == AIORCH_OK &&
              (leg != EVAL_TEXT || option(run, "retrieve.weight_vector", "0")) &&
              (leg != EVAL_VECTOR || option(run, "retrieve.weight_text", "0")) &&
              aiorch_run_add_message(run, AIORCH_ROLE_USER, question, strlen(question)) == AIORCH_OK;
  if (good) return run;
  aiorch_run_free(run);
  return NULL;
}

static aiorch_run *ended(aiorch_run *run, bool good, const char *question) {
  if (good) return run;
  const aiorch_error *error = run ? aiorch_run_error(run) : NULL;
  fprintf(stderr, "\"%s\" failed: %s\n", question, error ? aiorch_error_message(error) : "");
  aiorch_run_free(run);
  return NULL;
}

aiorch_run *eval_ask(eval_library *l, eval_leg leg, const char *question, size_t limit, int64_t budget) {
  char top_k[24], tokens[24];
  snprintf(top_k, sizeof top_k, "%zu", limit);
  snprintf(tokens, sizeof tokens, "%lld", (long long)(budget > 0 ? budget : BUDGET_MAX));
  aiorch_run *run = run_for(l, leg, question);
  return ended(run,
               run && option(run, "retrieve.top_k", top_k) && option(run, "retrieve.context_tokens", tokens) &&
                 aiorch_stage_retrieve(run) == AIORCH_OK,
               question);
}

aiorch_run *eval_answer(eval_library *l, eval_leg leg, const char *question) {
  aiorch_run *run = run_for(l, leg, question);
  return ended(run, run && aiorch_run_execute(run) == AIORCH_OK, question);
}
