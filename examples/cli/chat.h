/* A conversation on the terminal: what was said, what of it is sent, and the commands that begin with '/'. */
#ifndef CHAT_H
#define CHAT_H

#include "ask_print.h"

/* A tool that the model has called in an answer. */
typedef struct chat_call {
  char *id, *name, *arguments, *signature;
  char *result; /* NULL: there is none yet */
} chat_call;

/* What the model thought before it called tools: some services want it back. */
typedef struct chat_thought {
  char *text, *signature;
} chat_thought;

/* A message and its answer; without a question: what was answered to the results of the tools that the turn before has called. */
typedef struct chat_turn {
  cli_bytes question, answer;
  picture *pictures;
  size_t picture_count;
  chat_call *calls;
  size_t call_count;
  chat_thought *thoughts;
  size_t thought_count;
} chat_turn;

typedef struct chat {
  cli *c;
  asking a;              /* its pictures go with the next message */
  chat_turn *turns;      /* oldest first */
  size_t turn_count, first_sent; /* those before first_sent are not sent any more */
  aiorch_run *last;      /* the run of the last message: its sources are read from it */
  char *owned[4];        /* what commands have set of c->opt: system, model, provider, tier */
  bool interactive;      /* somebody sits at a terminal */
  bool plain;            /* neither --json nor --stream-json */
  bool over;             /* /quit */
  int code;              /* of what failed last */
  size_t asked, unpriced; /* messages, and those whose cost is not known */
  int64_t nano_usd;
  ask_tokens tokens;
} chat;

/* ---- chat_history.c ---- */
/* Keeps what was said, with the tools that the run's answer calls. The pictures become the turn's. */
void chat_keep(chat *ch, const char *question, size_t len, const aiorch_run *run);
void chat_forget(chat *ch);
/* Leaves the oldest turns out until the rest is within --history; a question goes with all that came of it, and what is under way stays
 * (`next_bytes` 0: no question follows). How many were left out by this call. */
size_t chat_shorten(chat *ch, size_t next_bytes);
/* The turns that are sent, as messages of the run. */
aiorch_status chat_add_turns(const chat *ch, aiorch_run *run);
/* Writes the whole conversation into a new file: as a request (schema/request.json) when its name ends in ".json", else as Markdown.
 * 0, or an errno. */
int chat_save(const chat *ch, const char *path);

/* ---- chat_tools.c ---- */
void chat_take_calls(chat_turn *turn, const aiorch_run *run);
void chat_free_calls(chat_turn *turn);
/* Calls of the last answer that have no result yet. */
size_t chat_open_calls(const chat *ch);
/* The thoughts and calls of a turn behind its answer, and a result for each: where there is none, that the user went on without. */
aiorch_status chat_add_thoughts(const chat_turn *turn, aiorch_run *run);
aiorch_status chat_add_calls(const chat_turn *turn, aiorch_run *run);
/* What stands for a result that was never given. */
const char *chat_result(const chat_call *call);
/* /tool [ID|NAME] RESULT. True when each call has its result now: the conversation goes on. */
bool chat_give_result(chat *ch, const char *text);

/* ---- cmd_chat.c ---- */
/* Sends the conversation, and what was typed; `len` 0: nothing, for the results of tools are the news. */
void chat_say(chat *ch, const char *text, size_t len);

/* ---- chat_commands.c ---- */
void chat_tell(const chat *ch, const char *format, ...) __attribute__((format(printf, 2, 3)));
void chat_complain(chat *ch, const char *format, ...) __attribute__((format(printf, 2, 3)));
void chat_command(chat *ch, const char *line, size_t len);
void chat_print_total(const chat *ch);

#endif
