/* Which parameters a model does not take: one declared table, so that a new model is a new line. */
#ifndef AIO_PROVIDERS_PARAM_RULES_H
#define AIO_PROVIDERS_PARAM_RULES_H

#include "core/str.h"

/* A line of the table. Patterns are those of aio__prices_match. The first line that is about the same provider, model, version and
 * parameter decides. */
typedef struct aio__param_rule {
  const char *where, *models, *param;
  const char *since;    /* the first version of the interface it holds for (Anthropic's dates); NULL: all */
  const char *values;   /* that are refused */
  const char *except;   /* of those; NULL: none */
} aio__param_rule;

/* `model` may carry the name of its maker ("openai/gpt-6-sol"). */
bool aio__param_refused(aio__str where, aio__str model, aio__str version, const char *param, aio__str value);

#endif
