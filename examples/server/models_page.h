/*
 * GET /v1/models and /v1/models/{id}: the names that may stand in "model", in a shape that OpenAI's and Anthropic's clients both read.
 */
#ifndef MODELS_PAGE_H
#define MODELS_PAGE_H

#include "endpoints.h"

void models_list(endpoint_call *call);
void models_one(endpoint_call *call);

#endif
