/*
 * The names that clients may put into "model", and what each stands for:
 *
 *   aiorch                  the chain of the configuration, with its models
 *   aiorch/simple, ...      the same with that tier: simple, complex, auto
 *   PROVIDER                that provider, with its own model
 *   PROVIDER/MODEL          that model of it, when it is its own or the operator allows it
 *   MODEL                   the first provider of the chain whose own model this is
 *
 * Made once an orchestrator; read by any thread.
 */
#ifndef MODEL_CATALOG_H
#define MODEL_CATALOG_H

#include "cli.h"

enum { MODEL_NAME_MAX = 255 };

typedef struct model_entry {
  char *provider, *model, *api, *kind; /* "" when there is none */
  int64_t chain;                       /* its place in the chain, from 1; 0: not one of them */
} model_entry;

typedef struct model_catalog {
  model_entry *entries;
  size_t count;
  cli_list allowed;       /* "*", "PROVIDER/""*", "PROVIDER/MODEL" */
  char *provider_options; /* the operator's generate.provider_options, "" when there are none */
  int64_t created_s;
} model_catalog;

typedef struct model_choice {
  char provider[MODEL_NAME_MAX + 1]; /* "": the chain of the configuration */
  char model[MODEL_NAME_MAX + 1];    /* "": the provider's own */
  const char *tier;                  /* NULL: as configured */
} model_choice;

/**
 * @param allowed  models beyond the providers' own: a list with commas of PROVIDER/MODEL, PROVIDER/""* (any of that provider) or "*".
 * @param config   read for "generate.provider_options"; may be NULL.
 * @return NULL when the orchestrator cannot say what it has.
 */
model_catalog *model_catalog_make(aiorch *orch, const aiorch_config *config, const char *allowed);
void model_catalog_free(model_catalog *c);

/* What a name stands for; false when it is none that may be asked for. */
bool model_catalog_find(const model_catalog *c, const char *name, size_t len, model_choice *out);
const model_entry *model_catalog_provider(const model_catalog *c, const char *name, size_t len);
/* Whether all who may be asked speak a language ("openai", "anthropic"), so that members of its requests can be handed to them as they are.
 * `provider`: "" for the chain, or a list with commas. */
bool model_catalog_speaks(const model_catalog *c, const char *provider, const char *language);
/* Name number `index` of those that are listed, counted from 0, into `out`; false past the last. `owner` is who has it. */
bool model_catalog_listed(const model_catalog *c, size_t index, cli_bytes *out, const char **owner);

#endif
