/*
 * Tiers: which of a provider's models a run asks for. "auto" is decided by declared rules, data that can be replaced
 * (tier_rules.json, or the file of "generate.tier_rules_file"):
 *
 *   {"complex_at": 3, "rules": [{"name", "when", "points", "at_least" | "any"}, ...]}
 *
 * `when` is chars (of the question), turns (messages of user and assistant), question_marks, tools (each with "at_least"), code,
 * schema, or words ("any": a list, found as whole words, ASCII case ignored). The points of the rules that hold are added up; a
 * run that reaches "complex_at" is complex, any other simple.
 */
#ifndef AIO_GENERATE_TIER_H
#define AIO_GENERATE_TIER_H

#include "core/alloc.h"
#include "core/error.h"
#include "core/str.h"

enum { AIO__TIER_RULES_MAX = 64, AIO__TIER_WORDS_MAX = 1024, AIO__TIER_POINTS_MAX = 1000, AIO__TIER_BECAUSE_MAX = 255 };

typedef enum aio__tier { AIO__TIER_DEFAULT, AIO__TIER_SIMPLE, AIO__TIER_COMPLEX } aio__tier;

/* What is looked at. */
typedef struct aio__tier_signals {
  aio__str question;
  size_t turns, tools;
  bool schema;
} aio__tier_signals;

typedef struct aio__tier_choice {
  bool made;
  bool by_rules;
  aio__tier tier;
  int points;
  char because[AIO__TIER_BECAUSE_MAX + 1]; /* names of the rules that held, with commas between */
} aio__tier_choice;

typedef struct aio__tier_rules aio__tier_rules;

/* `text` empty: the built-in ones. AIORCH_OK; AIORCH_E_CONFIG, AIORCH_E_CONFIG_SYNTAX, AIORCH_E_TOO_LARGE, AIORCH_E_NOMEM. */
aiorch_status aio__tier_rules_new(const aio__alloc *al, aio__str text, aio__tier_rules **out, aiorch_error *error);
void aio__tier_rules_free(aio__tier_rules *rules); /* takes NULL */
/* `setting` is the value of "generate.tier". Pure. */
aio__tier_choice aio__tier_choose(const aio__tier_rules *rules, const char *setting, const aio__tier_signals *signals);
const char *aio__tier_name(aio__tier tier); /* default, simple, complex */

#endif
