/* A conversation on the terminal: what was said, what of it is sent, and the commands that begin with '/'. */
#ifndef CHAT_H
#define CHAT_H

#include "ask_print.h"

typedef struct chat_turn {
  cli_bytes question, answer;
  picture *pictures;
  size_t picture_count;
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
/* Keeps what was said. The pictures become the turn's. */
void chat_keep(chat *ch, const char *question, size_t len, const char *answer, size_t answer_len);
void chat_forget(chat *ch);
/* Leaves the oldest turns out until the rest is within --history. How many were left out by this call. */
size_t chat_shorten(chat *ch, size_t next_bytes);
/* The turns that are sent, as messages of the run. */
aiorch_status chat_add_turns(const chat *ch, aiorch_run *run);
/* Writes the whole conversation into a new file: as a request (schema/request.json) when its name ends in ".json", else as Markdown.
 * 0, or an errno. */
int chat_save(const chat *ch, const char *path);

/* ---- chat_commands.c ---- */
void chat_command(chat *ch, const char *line, size_t len);
void chat_print_total(const chat *ch);

#endif
