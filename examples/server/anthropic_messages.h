/*
 * POST /v1/messages, as Anthropic's clients speak it. docs/server-api.md says what happens to each member.
 */
#ifndef ANTHROPIC_MESSAGES_H
#define ANTHROPIC_MESSAGES_H

#include "endpoints.h"
#include "run_making.h"

/* anthropic_messages_request.c: wire.begin. */
bool anthropic_messages_begin(exchange *x, const char *body, size_t len, http_problem *why);
/* The same for POST /v1/messages/count_tokens: a run that is not driven, and need not say how long its answer may be. */
bool anthropic_messages_read(exchange *x, const char *body, size_t len, bool counting, http_problem *why);
/* anthropic_count.c: POST /v1/messages/count_tokens. */
void anthropic_count_tokens(endpoint_call *call);
/* anthropic_conversation.c: system text and messages. */
bool anthropic_system(making *m, const body_node *system);
bool anthropic_conversation(making *m, const body_node *messages);
/* anthropic_messages_answer.c: the rest of the wire. */
void anthropic_messages_whole(exchange *x);
void anthropic_messages_problem(exchange *x, const http_problem *why);
/* {"type": "error", "error": {"type", "message"}, "request_id"}: the words of this family for a problem. */
void anthropic_problem_json(const http_problem *why, const char *request_id, cli_bytes *out);

#endif
