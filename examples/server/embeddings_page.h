/*
 * POST /v1/embeddings, as OpenAI's clients speak it: the vectors of the embedder that the orchestrator has.
 */
#ifndef EMBEDDINGS_PAGE_H
#define EMBEDDINGS_PAGE_H

#include "endpoints.h"

enum { EMBEDDINGS_TEXTS_MAX = 2048, EMBEDDINGS_TIMEOUT_MS = 60000 };

void embeddings_serve(endpoint_call *call);

#endif
