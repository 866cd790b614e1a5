/* Reads rule files into a rule set under construction. Private to guard/. */
#ifndef AIO_GUARD_RULE_LOAD_H
#define AIO_GUARD_RULE_LOAD_H

#include "core/arena.h"
#include "guard/rule_set.h"

/* A literal and whose it is. */
typedef struct aio__rule_need {
  aio__str literal;
  uint16_t rule;
  uint8_t group;
} aio__rule_need;

typedef struct aio__rule_list {
  const aio__alloc *al;
  aio__arena *arena;      /* keeps all texts */
  bool spell;
  aio__rule *rules;       /* malloc'd */
  size_t n, cap;
  aio__rule_need *needs;  /* malloc'd */
  size_t needs_n, needs_cap;
} aio__rule_list;

aiorch_status aio__rule_load_file(aio__rule_list *list, const aio__rule_file *file, aiorch_error *error);
/* Frees the arrays and the patterns; the arena is the caller's. */
void aio__rule_list_free(aio__rule_list *list);

#endif
