/* What 'ask' and 'chat' show to people. */
#ifndef ASK_PRINT_H
#define ASK_PRINT_H

#include "asking.h"

/* The tokens of a run, or of several. */
typedef struct ask_tokens {
  int64_t in, cached, out, thinking; /* cached are part of in, thinking of out */
  bool estimated;
} ask_tokens;

ask_tokens ask_count_tokens(const aiorch_run *run);
void ask_print_tokens(const ask_tokens *t);

/* The end of a run: what is left of the answer, its tool calls, sources and figures. */
void ask_print_end(const cli *c, aiorch_run *run, asking_shown *shown);
/* The parts of that. */
void ask_print_text(const cli *c, const aiorch_run *run, asking_shown *shown); /* and why it is not whole */
void ask_print_tool_calls(const cli *c, const aiorch_run *run);
void ask_print_sources(const cli *c, const aiorch_run *run, const char *answer); /* those that it cites, then the others */
void ask_print_figures(const cli *c, aiorch_run *run); /* one line: who, tokens, cost, time, cache */
/* The object of aiorch_run_preview. */
void ask_print_preview(const cli *c, const char *json, size_t len);

#endif
