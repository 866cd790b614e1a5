/* See served_models.h. From the models' cards; prompts as their makers say, where a model was trained with some. */
#include "embedders/served_models.h"

#define SEARCHING "Represent this sentence for searching relevant passages: "

static const aio__served_model MODELS[] = {
    {"text-embedding-3-small|text-embedding-ada-002", 1536, 8192, {"", "", ""}},
    {"text-embedding-3-large", 3072, 8192, {"", "", ""}},
    {"all-MiniLM-L6-v2|all-minilm", 384, 256, {"", "", ""}},
    {"all-MiniLM-L12-v2", 384, 128, {"", "", ""}},
    {"all-mpnet-base-v2", 768, 384, {"", "", ""}},
    {"multi-qa-MiniLM-L6-cos-v1", 384, 512, {"", "", ""}},
    {"bge-small-en-v1.5", 384, 512, {SEARCHING, "", ""}},
    {"bge-base-en-v1.5", 768, 512, {SEARCHING, "", ""}},
    {"bge-large-en-v1.5", 1024, 512, {SEARCHING, "", ""}},
    {"bge-m3", 1024, 8192, {"", "", ""}},
    {"gte-small", 384, 512, {"", "", ""}},
    {"gte-base", 768, 512, {"", "", ""}},
    {"e5-small-v2|multilingual-e5-small", 384, 512, {"query: ", "passage: ", "query: "}},
    {"e5-base-v2|multilingual-e5-base", 768, 512, {"query: ", "passage: ", "query: "}},
    {"e5-large-v2|multilingual-e5-large", 1024, 512, {"query: ", "passage: ", "query: "}},
    {"nomic-embed-text|nomic-embed-text-v1.5", 768, 2048, {"search_query: ", "search_document: ", "search_query: "}},
    {"mxbai-embed-large|mxbai-embed-large-v1", 1024, 512, {SEARCHING, "", ""}},
    {"snowflake-arctic-embed|snowflake-arctic-embed-l", 1024, 512, {SEARCHING, "", ""}},
};

aio__str aio__served_model_name(aio__str model) {
  size_t at = 0, end = model.n;
  for (size_t i = 0; i < model.n; i++) {
    if (model.p[i] == '/') at = i + 1;
  }
  for (size_t i = at; i < end; i++) {
    if (model.p[i] == ':') end = i;
  }
  return aio__str_n(model.p + at, end - at);
}

static bool is_one_of(aio__str name, const char *names) {
  for (const char *at = names;; at++) {
    size_t n = 0;
    while (at[n] != '\0' && at[n] != '|') n++;
    if (aio__str_eq(name, aio__str_n(at, n))) return true;
    at += n;
    if (*at == '\0') return false;
  }
}

const aio__served_model *aio__served_model_find(aio__str model) {
  aio__str name = aio__served_model_name(model);
  for (size_t i = 0; i < sizeof MODELS / sizeof MODELS[0]; i++) {
    if (is_one_of(name, MODELS[i].name)) return &MODELS[i];
  }
  return NULL;
}
