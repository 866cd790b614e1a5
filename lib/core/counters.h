/* The counters of this process since aiorch_open: relaxed atomics, one table of names. */
#ifndef AIO_CORE_COUNTERS_H
#define AIO_CORE_COUNTERS_H

#include <stdatomic.h>

#include "core/json_writer.h"

/* X(enum suffix, name): append only. */
#define AIO__COUNTERS(X)                                     \
  X(RUNS_STARTED, "runs_started")                            \
  X(RUNS_OK, "runs_ok")                                      \
  X(RUNS_FAILED, "runs_failed")                              \
  X(RUNS_CANCELLED, "runs_cancelled")                        \
  X(RUNS_DEADLINE, "runs_deadline")                          \
  X(REFUSED_INVALID_INPUT, "refused_invalid_input")          \
  X(REFUSED_INJECTION, "refused_injection")                  \
  X(FLAGGED_INPUT, "flagged_input")                          \
  X(REFUSED_RATE_LIMIT, "refused_rate_limit")                \
  X(REFUSED_BUDGET, "refused_budget")                        \
  X(CACHE_HITS_EXACT, "cache_hits_exact")                    \
  X(CACHE_HITS_SEMANTIC, "cache_hits_semantic")              \
  X(CACHE_MISSES, "cache_misses")                            \
  X(CACHE_STORED, "cache_stored")                            \
  X(CACHE_DROPPED, "cache_dropped")                          \
  X(CACHE_REVALIDATED, "cache_revalidated")                  \
  X(RETRIEVE_DEGRADED, "retrieve_degraded")                  \
  X(ATTEMPTS, "attempts")                                    \
  X(ATTEMPTS_FAILED, "attempts_failed")                      \
  X(FALLBACKS, "fallbacks")                                  \
  X(OUTPUT_BLOCKED, "output_blocked")                        \
  X(OUTPUT_FLAGGED, "output_flagged")                        \
  X(COST_ROWS, "cost_rows")                                  \
  X(COST_UNKNOWN_PRICE, "cost_unknown_price")                \
  X(PLUGIN_FAULTS, "plugin_faults")                          \
  X(PLUGIN_OVERRUNS, "plugin_overruns")                      \
  X(STORE_ERRORS, "store_errors")                            \
  X(DOCUMENTS_ADDED, "documents_added")                      \
  X(DOCUMENTS_REMOVED, "documents_removed")                  \
  X(LOG_DROPPED, "log_dropped")                              \
  X(CACHE_REFUSED_LANGUAGE, "cache_refused_language")        \
  X(CACHE_REFUSED_NUMBERS, "cache_refused_numbers")          \
  X(CACHE_REFUSED_DATES, "cache_refused_dates")              \
  X(CACHE_REFUSED_UNITS, "cache_refused_units")              \
  X(CACHE_REFUSED_NEGATION, "cache_refused_negation")        \
  X(CACHE_REFUSED_IDENTIFIERS, "cache_refused_identifiers")  \
  X(CACHE_REFUSED_ORDER, "cache_refused_order")              \
  X(CACHE_REFUSED_NAMES, "cache_refused_names")              \
  X(CACHE_REFUSED_OPPOSITES, "cache_refused_opposites")      \
  X(CACHE_REFUSED_QUESTION, "cache_refused_question")        \
  X(CACHE_REFUSED_WORDS, "cache_refused_words")              \
  X(CACHE_REFUSED_LENGTH, "cache_refused_length")            \
  X(CACHE_FEEDBACK_GOOD, "cache_feedback_good")              \
  X(CACHE_FEEDBACK_BAD, "cache_feedback_bad")                \
  X(CACHE_FEEDBACK_NOT_SAME, "cache_feedback_not_same")      \
  X(EMBED_TRUNCATED, "embed_truncated")                      \
  X(RETRIES, "retries")                                      \
  X(BREAKERS_OPENED, "breakers_opened")                      \
  X(BREAKERS_PASSED_OVER, "breakers_passed_over")            \
  X(RUNS_SHARED, "runs_shared")                              \
  X(CITATIONS_UNKNOWN, "citations_unknown")                  \
  X(COST_SPOOLED, "cost_spooled")                            \
  X(SPOOL_FAILED, "spool_failed")                            \
  X(SPOOL_REPLAYED, "spool_replayed")                        \
  X(SPOOL_POISON, "spool_poison")                            \
  X(SPOOL_DAMAGED, "spool_damaged")

enum {
#define X(suffix, name) AIO__N_##suffix,
  AIO__COUNTERS(X)
#undef X
      AIO__COUNTER_COUNT
};

enum { AIO__BUCKETS = 13 }; /* upper bounds in microseconds: 10, 30, 100, 300, 1e3, 3e3, ... 1e6, 3e6, none */

typedef struct aio__counters {
  _Atomic uint64_t n[AIO__COUNTER_COUNT];
  struct {
    _Atomic uint64_t sum_us, bucket[AIO__BUCKETS];
  } stage[AIORCH_STAGE_COUNT];
} aio__counters;

void aio__counters_init(aio__counters *counters);
void aio__count(aio__counters *counters, int which);
void aio__count_stage(aio__counters *counters, int stage, int64_t us);
/* The members "counters" and "stages" of aiorch_metrics_snapshot, without braces around them. Buckets are cumulative: "count" is of those that took "le_us" or less (null: all). */
void aio__counters_json(const aio__counters *counters, aio__json_writer *w);

#endif
