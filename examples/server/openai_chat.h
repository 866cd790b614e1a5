/*
 * POST /v1/chat/completions, as OpenAI's clients speak it. docs/server-api.md says what happens to each member.
 */
#ifndef OPENAI_CHAT_H
#define OPENAI_CHAT_H

#include "run_making.h"

/* openai_chat_request.c: wire.begin. */
bool openai_chat_begin(exchange *x, const char *body, size_t len, http_problem *why);
/* openai_chat_messages.c: the conversation. */
bool openai_chat_messages(making *m, const body_node *messages);
/* openai_chat_answer.c: the rest of the wire. */
void openai_chat_whole(exchange *x);
void openai_chat_problem(exchange *x, const http_problem *why);
/* {"prompt_tokens", "completion_tokens", ...} */
void openai_chat_usage(const aiorch_run *run, json_print *p);

#endif
