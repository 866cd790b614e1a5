/*
 * Prints docs/configuration.md from what aiorch_config_describe says of each setting. A test compares the committed
 * file with what this prints; after a change of the table run it and commit both.
 */
#include <aiorch/aiorch.h>

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 128 };

/* The words of a section, by the first part of its keys; settings without a section come first. */
static const char *const SECTIONS[][3] = {
    {"", "General", ""},
    {"validate", "validate", "Stage 1: what a message must be before anything is spent on it."},
    {"rate_limit", "rate_limit", "Stage 2: how often a user may ask."},
    {"budget", "budget", "Stage 2: how much money may be spent. Amounts are nano-USD: 1 USD is 1000000000."},
    {"cache", "cache", "Stages 3 and 7: answers that are kept and given again."},
    {"retrieve", "retrieve", "Stage 4: the sources that the model is given."},
    {"embedder", "embedder", "Stages 3 and 4: what turns texts into vectors when no plug-in does."},
    {"vector", "vector", "The vector index in memory."},
    {"chunk", "chunk", "How documents are cut. Sizes are estimated tokens."},
    {"knowledge", "knowledge", "Documents."},
    {"prompt", "prompt", "Stage 5: what the model is told."},
    {"providers", "providers.NAME",
     "Stage 5: providers behind HTTP. NAME is yours: 1 to 63 of a-z, 0-9, `_` and `-`; the chain, the rows and the events call the\n"
     "provider by it. Setting any of these keys makes the provider (in JSON also an empty object:\n"
     "`{\"providers\": {\"ollama\": {}}}`); its place in the chain is that of its first key, behind the plug-ins. `anthropic`,\n"
     "`openai`, `gemini`, `ollama`, `openrouter`, `groq`, `mistral`, `deepseek`, `together`, `xai`, `huggingface`, `vllm`,\n"
     "`llamacpp` and `azure` say by their name what they speak, most of them also where they are; docs/providers.md has the\n"
     "models that are asked for when none is set. Secrets are never given back: `aiorch_config_get` says `(set)`."},
    {"generate", "generate", "Stage 5: who answers, and how."},
    {"output", "output", "Stage 5: what an answer must be before it is given out."},
    {"http", "http",
     "Stage 5: connections to providers and embedding services. The proxy variables (`http_proxy`, `https_proxy`, `all_proxy`,\n"
     "`no_proxy`, and all but the first in capitals too) are read when the handle is opened."},
    {"cost", "cost",
     "Stage 6: what tokens cost. A file of prices is\n"
     "`{\"prices\": [{\"model\": \"my-model*|other\", \"input\": 250000000, \"output\": 1250000000}]}`\n"
     "in nano-USD per million tokens, as lib/cost/prices.json. `model` and `provider` are patterns (`*`, `?`, `|`);\n"
     "the first line that matches counts. Further members: `from` (YYYY-MM-DD), `above_tokens` (for longer prompts),\n"
     "`utc` (HH:MM-HH:MM), `cache_read`, `cache_write`, `cache_write_1h`, `reasoning` (as `output` when left out),\n"
     "`date` and `source` of the price. A class without a price makes the cost of an attempt that uses it unknown."},
    {"store", "store", "Where rows are kept."},
    {"postgres", "postgres",
     "A store in PostgreSQL. What libpq reads from the environment (`PGPASSFILE`, `PGPASSWORD`, `PGSSLROOTCERT` and their kin) counts\n"
     "where the URL of `store` does not say it, and is read when the handle is opened. A password in the URL is best written as\n"
     "`${NAME}`; nothing gives it back."},
    {"spool", "spool", "Where cost rows wait while a store on a server is away."},
};

static void section_of(const char *key, char out[KEY_MAX]) {
  size_t n = strcspn(key, ".");
  if (key[n] == '\0' || n >= KEY_MAX) n = 0;
  memcpy(out, key, n);
  out[n] = '\0';
}

static void print_heading(const char *section) {
  for (size_t i = 0; i < sizeof SECTIONS / sizeof SECTIONS[0]; i++) {
    if (strcmp(SECTIONS[i][0], section) != 0) continue;
    printf("\n## %s\n", SECTIONS[i][1]);
    if (SECTIONS[i][2][0] != '\0') printf("\n%s\n", SECTIONS[i][2]);
    break;
  }
  printf("\n| key | type | default | allowed | per run | |\n|---|---|---|---|---|---|\n");
}

/* In a table a bar ends the cell and a line feed the row. */
static void print_cell(const char *text) {
  for (const char *c = text; *c != '\0'; c++) {
    if (*c == '|') fputs("\\|", stdout);
    else if (*c == '\n') fputs("\\n", stdout);
    else putchar(*c);
  }
}

static void print_value(const cJSON *value) {
  if (cJSON_IsString(value)) {
    putchar('`');
    if (value->valuestring[0] == '\0') fputs("\"\"", stdout);
    print_cell(value->valuestring);
    putchar('`');
  } else if (cJSON_IsNumber(value) && value->valuedouble >= 1e15) {
    printf("`%.0f`", value->valuedouble); /* cJSON would write 9e+15 */
  } else {
    char *text = cJSON_PrintUnformatted(value);
    printf("`%s`", text == NULL ? "" : text);
    cJSON_free(text);
  }
}

static void print_allowed(const cJSON *object) {
  const cJSON *values = cJSON_GetObjectItem(object, "values"), *min = cJSON_GetObjectItem(object, "min");
  if (min != NULL) {
    print_value(min);
    fputs(" to ", stdout);
    print_value(cJSON_GetObjectItem(object, "max"));
  }
  const cJSON *value;
  cJSON_ArrayForEach(value, values) {
    if (value != values->child) fputs(", ", stdout);
    print_value(value);
  }
}

static void print_setting(const cJSON *object) {
  static const char *const types[][2] = {{"str", "text"}, {"i64", "whole number"}, {"f64", "number"}, {"bool",
                                                                                                       "yes/no"}};
  const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(object, "type"));
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (type != NULL && strcmp(type, types[i][0]) == 0) type = types[i][1];
  }
  printf("| `%s` | %s | ", cJSON_GetStringValue(cJSON_GetObjectItem(object, "key")), type);
  print_value(cJSON_GetObjectItem(object, "default"));
  fputs(" | ", stdout);
  print_allowed(object);
  printf(" | %s | ", cJSON_IsTrue(cJSON_GetObjectItem(object, "per_run")) ? "yes" : "");
  print_cell(cJSON_GetStringValue(cJSON_GetObjectItem(object, "help")));
  if (cJSON_IsTrue(cJSON_GetObjectItem(object, "secret"))) fputs(" A secret.", stdout);
  puts(" |");
}

/* Setting number `index`, NULL past the last. */
static cJSON *describe(size_t index) {
  aiorch_text *text;
  const char *json;
  size_t len;
  if (aiorch_config_describe(index, &text) != AIORCH_OK) return NULL;
  cJSON *object = aiorch_text_get(text, &json, &len) == AIORCH_OK ? cJSON_ParseWithLength(json, len) : NULL;
  aiorch_text_free(text);
  return object;
}

static int print_section(const char *wanted) {
  int printed = 0;
  cJSON *object;
  for (size_t i = 0; (object = describe(i)) != NULL; i++) {
    char section[KEY_MAX];
    section_of(cJSON_GetStringValue(cJSON_GetObjectItem(object, "key")), section);
    if (strcmp(section, wanted) == 0) {
      if (printed++ == 0) print_heading(wanted);
      print_setting(object);
    }
    cJSON_Delete(object);
  }
  return printed;
}

int main(void) {
  puts("# Configuration\n\n"
       "<!-- Made by scripts/gen_configuration_docs.c from lib/core/options_table.h. Do not edit. -->\n\n"
       "Every setting of libaiorch. Set them with `aiorch_config_set_str`, `_i64`, `_f64` and `_bool`; from a JSON\n"
       "file (`aiorch_config_load_file`) with flat (`\"cache.ttl_s\": 60`) or nested (`\"cache\": {\"ttl_s\": 60}`)\n"
       "keys; or from the environment (`aiorch_config_from_env`): `AIORCH_CONFIG` (a file, read first),\n"
       "`AIORCH_STORE`, `AIORCH_TENANCY`, `AIORCH_DEADLINE_MS`, `AIORCH_EMBEDDER`, `AIORCH_EMBEDDER_MODEL`, and the keys of\n"
       "providers (docs/providers.md). In texts `${NAME}` is replaced from the environment;\n"
       "`$${` is a plain `${`. An unknown key, a wrong type and a value out of range are errors that name the place\n"
       "and the nearest key, and nothing is set then.\n\n"
       "*Per run*: also to be set for one run, with `aiorch_run_set_option` or the member `options` of a request.");
  int printed = 0, all = 0;
  for (size_t i = 0; i < sizeof SECTIONS / sizeof SECTIONS[0]; i++) printed += print_section(SECTIONS[i][0]);
  for (cJSON *object; (object = describe((size_t)all)) != NULL; all++) cJSON_Delete(object);
  if (printed != all || all == 0) {
    fprintf(stderr, "gen_configuration_docs: %d settings belong to no section of this program\n", all - printed);
    return EXIT_FAILURE;
  }
  return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
