/*
 * From a request of a client to a run: what the readers of OpenAI's and Anthropic's requests have in common. Every function that returns
 * a bool returns false after it has said in `why` what is wrong, and where.
 */
#ifndef RUN_MAKING_H
#define RUN_MAKING_H

#include "body_json.h"
#include "client_wire.h"
#include "model_catalog.h"

enum { MAKING_PLACE_MAX = 95, MAKING_CALLS_MAX = 4096, MAKING_PARTS_MAX = 16, MAKING_STOPS_MAX = 16, MAKING_MODEL_MAX = 255 };

/* What is kept for the answer; exchange.state. */
typedef struct wire_state {
  char place[MAKING_PLACE_MAX + 1]; /* http_problem.param */
  char model[MAKING_MODEL_MAX + 1]; /* as it was asked for */
  bool include_usage;               /* OpenAI: stream_options */
  int64_t created_s;
  cli_bytes head;                   /* of the chunks of a stream: the same in all */
  cli_bytes tail;
  int64_t block;                    /* Anthropic: the number of the block that is open, or would be next */
  bool block_open;
  size_t calls, thoughts;           /* told so far */
} wire_state;

wire_state *wire_state_of(exchange *x); /* made when there is none */
void wire_state_free(exchange *x);      /* wire.end */

typedef struct making_call { /* a tool call of an earlier answer: results name its id alone */
  const char *id, *name;
  size_t id_len, name_len;
} making_call;

typedef struct making {
  exchange *x;
  const body_node *root;
  http_problem *why;
  wire_state *state;
  const char *language;     /* "openai", "anthropic": the value of "api" that providers have who speak it */
  model_choice choice;
  cli_bytes provider;       /* those to ask, with commas; empty: the chain of the configuration */
  cli_bytes passed;         /* members for generate.provider_options, with commas between them */
  making_call *calls;
  size_t call_count, call_cap;
  const char *list;         /* where it is: "messages", its element, what of it, the element of that; -1: none */
  const char *sub, *in;     /* `in`: an object inside of that, before the member */
  int64_t at, sub_at;
  bool others;              /* a message that is not the system's has come */
} making;

/* ---- member_rules.c: members of the request ---- */
typedef enum member_rule {
  MEMBER_TAKEN,   /* read by the wire itself */
  MEMBER_PASSED,  /* handed to providers that speak the language of the request, unless it is neutral */
  MEMBER_IGNORED, /* means nothing here: a warning says so, unless it is neutral */
  MEMBER_REFUSED  /* would change the answer, and cannot be done */
} member_rule;

typedef struct member_spec {
  const char *name;
  member_rule rule;
  body_type type;      /* what it must be; BODY_NULL: who reads it says so */
  const char *neutral; /* a value, as written, that is as good as none; several separated by '|'. NULL: none but null */
  const char *words;   /* REFUSED: what to do instead; IGNORED: why */
} member_spec;

#define SPECS(table) (table), sizeof(table) / sizeof(table)[0]

/* Sorts the members of the request into `found`, one place a spec; null counts as not there. A member that no spec has, that comes twice, or
 * is of another type, is an error. Members to be passed are put aside for making_finish. */
bool making_members(making *m, const member_spec *specs, size_t count, const body_node **found);
/* The same for an object in it, where a member that no spec has is a warning: clients send back what others have answered. `place` is for
 * warnings alone, "messages[].content[]"; NULL: the body itself. */
bool making_parts(making *m, const body_node *object, const char *place, const member_spec *specs, size_t count);
/* Puts a member aside for the provider, unless the operator has said something about it. */
void making_pass_on(making *m, const char *name, const char *json, size_t len);
/* A warning for the answer's `aiorch` object, each once. */
void making_note(making *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- what can go wrong ---- */
/* HTTP 400, with `member` (or where `m` is) as the member that is wrong. Always false. */
bool making_refuse(making *m, const char *member, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A status of a call on the run. */
bool making_check(making *m, aiorch_status status, const char *member);
void making_at(making *m, const char *list, size_t at);
/* Takes each item of the list that the body calls `list`, until one is refused. */
bool making_each(making *m, const char *list, const body_node *items, bool (*take)(making *, const body_node *));
void making_sub(making *m, const char *sub, size_t at);
void making_in(making *m, const char *in); /* NULL: out of it again */

/* ---- pieces ---- */
bool making_option(making *m, const char *key, const char *value, size_t len, const char *member);
/* A text, or true or false; NULL leaves the setting as it is. */
bool making_value(making *m, const char *key, const body_node *node, const char *member);
/* A number of the body, 0 or above, as it was written. */
bool making_number(making *m, const char *key, const body_node *node, const char *member);
bool making_model(making *m, const body_node *model);
/* {"type": "ephemeral", "ttl"}: the prompt up to here is worth keeping. Of the system text it is an option, in messages a mark. */
bool making_cache(making *m, const body_node *control, int32_t role, const char *member);
/* Text without a letter, or parts that are all such text. */
bool making_is_blank(const body_node *content);
/* An answer that had broken off before its first word comes back so; providers refuse it, and it says nothing. */
void making_note_blank(making *m);
bool making_stop(making *m, const body_node *stop, const char *member);
bool making_image_url(making *m, const char *url, size_t len);
bool making_image_data(making *m, const char *type, size_t type_len, const char *data, size_t len);
/* Remembers a call; finds the name of the one that a result belongs to. */
bool making_add_call(making *m, const body_node *id, const body_node *name, const char *arguments, size_t len);
bool making_find_call(making *m, const body_node *id, const making_call **out);
/* own_options.c: the member `aiorch`, and the choice of provider and model that it may narrow. */
bool making_own_options(making *m, const body_node *own);
/* After all else: options of the choice and members that are passed on. */
bool making_finish(making *m);
void making_end(making *m);

#endif
