/*
 * A run: everything that the stages leave for one another, and where the engine stands.
 */
#ifndef AIO_PIPELINE_RUN_STATE_H
#define AIO_PIPELINE_RUN_STATE_H

#include "core/content.h"
#include "core/hash.h"
#include "generate/attempt.h"
#include "generate/citations.h"
#include "generate/stream_check.h"
#include "pipeline/orch.h"
#include "pipeline/retrieval.h"
#include "pipeline/settlement.h"

enum {
  AIO__MESSAGES_MAX = 4096,
  AIO__MESSAGE_BYTES_MAX = 16 << 20,
  AIO__FILTERS_MAX = 64,
  AIO__REASONING_MAX = 256,
  AIO__SOURCES_MAX = 100,
  AIO__ATTEMPTS_MAX = AIO__PLAN_ATTEMPTS_MAX + 8 /* of a run: at providers, and embeddings */
};

/* `parts`: none of plain text; else all there is, beginning with the text unless that is empty, or is the tool's result. */
typedef struct aio__message {
  int32_t role;
  aio__str text;
  size_t text_cap;     /* room of a text that was joined; 0: it is as it was given */
  aio__part *parts;
  size_t part_count, part_cap;
} aio__message;

/* A tool call of the answer, complete and checked. NUL-terminated, in the arena. */
typedef struct aio__run_tool_call {
  const char *id, *name;
  aio__str arguments, signature;
} aio__run_tool_call;

/* A piece of what the model thought; without a text the signature is all there is. */
typedef struct aio__run_reasoning {
  aio__str text, signature;
} aio__run_reasoning;

typedef struct aio__stage_record {
  int32_t outcome;      /* AIORCH_OUTCOME_* */
  bool begun, done, by_host;
  aiorch_status status;
  int64_t started_ns, us;
} aio__stage_record;

struct aiorch_event {
  int32_t type, stage, outcome;
  aiorch_status status;
  size_t index;
  int64_t us;           /* STAGE: how long it took */
  aio__str text;        /* behind the event, or in the arena */
  bool in_arena;        /* the event itself is */
  aiorch_run *run;
  struct aiorch_event *next;
};

/* One try at a provider or the embedder. Texts live in the run's arena. */
typedef struct aio__attempt {
  char id[AIO__UUID_LEN + 1];
  int32_t kind;         /* AIORCH_ATTEMPT_* */
  aiorch_status status; /* AIORCH_PENDING while it is out */
  int32_t http_status;
  int64_t retry_after_ms;
  bool not_today;       /* a limit of a day or a month is used up */
  const char *provider, *model, *request_id, *message;
  aio__usage usage;
  bool cost_known;
  int64_t cost_nano_usd, created_ms, started_ns, duration_us;
} aio__attempt;

/* The search for a near question: where it stands, and what it has found. */
typedef struct aio__cache_near_state {
  int phase;
  aio__nearest_args args;
  aio__cache_near *entries; /* best first */
  size_t count, at;
  bool found;               /* run->entry is a near hit */
  double similarity;
} aio__cache_near_state;

typedef enum aio__run_phase { AIO__RUN_NEW, AIO__RUN_ACTIVE, AIO__RUN_ENDED } aio__run_phase;

/* A run's place in a flight. */
typedef struct aio__seat {
  struct aio__shared_call *flight; /* NULL: it goes alone */
  uint64_t id;
  uint32_t round;                  /* that it has read of */
  bool leading;
  const struct aio__told *heard;   /* the last warning that it was told of; NULL: none yet */
  aio__waker *waker;
  struct aio__seat *prev, *next;
} aio__seat;

struct aiorch_run {
  uint64_t magic;
  aiorch *orch;
  const aio__alloc *al;
  aio__arena arena;
  aio__arena search;               /* what retrieval works with: freed when its sources are on the run */
  char id[AIO__UUID_LEN + 1];
  aio__str tenant, user;           /* user: empty when anonymous */
  const aio__options *options;     /* the orchestrator's, or own_options */
  aio__options *own_options;
  void *user_data;

  /* what is asked */
  aio__message *messages;
  size_t message_count, message_cap, message_bytes;
  size_t question;                 /* index of the last user message; SIZE_MAX when there is none */
  aio__filter *filters;
  size_t filter_count;
  aio__wishes wishes;              /* without what lies beside it: aio__run_wishes puts them together */
  aio__tool *tools;
  size_t tool_count;
  aio__str *stops;
  size_t stop_count;

  /* the engine (engine.c) */
  aio__run_phase phase;
  aiorch_status status;            /* AIORCH_PENDING until it has ended */
  aiorch_error error;
  int64_t created_ms, started_ns, ended_ns, deadline_ns;
  int64_t wake_ns;                 /* when the step that is pending wants to be called, though no waker says so */
  aio__stage_record stages[AIORCH_STAGE_COUNT];
  int stage;                       /* the stage that execute and next are at */
  int current;                     /* the stage that was stepped last, in whatever form */
  int step;                        /* where the current stage stands; 0 at its begin */
  struct {
    bool begun, ended;             /* it has not had its turn yet; its step has returned `status` for good */
    int step;
    aiorch_status status;
  } beside;                        /* cache_store, while log_cost waits for the ledger (engine.c) */
  atomic_int hold;                 /* who has the run: run_hold.c */
  atomic_bool cancelled;
  bool preview;                    /* nothing is admitted, sent or written */
  bool events_wanted;              /* driven by aiorch_run_next */
  bool final_given;
  struct aiorch_event *events, *events_last, *event_given, final_event;
  aio__buf event_json, report_json;
  aio__buf system_text, kept_json; /* the prompt; what is kept with the answer (cache_kept.h) */
  aio__random_pool random;         /* for its ids and its fence */
  aio__waker *waker;
  aio__sched_node sched;
  aio__op op;                      /* the store op of the current step */
  bool op_out;
  atomic_bool op_done;
  struct aiorch_run *next_zombie;

  /* validate, rate_limit */
  bool refused;                    /* stage 1, 2 or the output check said no */
  bool admitted;
  aio__admission admission;
  aio__constraint constraints[AIO__CONSTRAINTS_MAX];
  size_t constraint_count;
  const char *limit_setting;       /* key of the setting that refused */
  aio__input_finding input_finding;
  size_t finding_message;

  /* cache */
  int32_t cache_outcome;           /* AIORCH_CACHE_* */
  uint8_t scope[AIO__SHA256_SIZE], key[AIO__SHA256_SIZE];
  bool keyed, entry_found;
  aio__cache_entry entry;
  int64_t lookup_ms, knowledge;    /* when the cache was asked, and where the tenant's knowledge stood then */
  char entry_id[AIO__UUID_LEN + 1];
  double cache_similarity;
  const char *cache_refused_by, *cache_refused_detail;
  bool walks;                      /* driven through all stages in their order */
  bool asked;                      /* the lookup travelled with the admission: for this place */
  uint8_t asked_scope[AIO__SHA256_SIZE], asked_key[AIO__SHA256_SIZE];
  bool stored;
  aio__cache_limits cache_limits;
  aio__cache_near_state near;      /* cache_near.c */

  /* embedding (run_embed.c): the question's vector serves cache_lookup, cache_store and, where it can, retrieve */
  aio__query_vector question_vector;
  size_t embed_attempt;            /* of the embedding under way; SIZE_MAX: none */
  bool embed_recorded;             /* its row is written, or it needs none */
  aiorch_call *vector_call;        /* out to the vector store plug-in */
  aio__vectors entry_vector;       /* of run->entry, while it is put */

  /* retrieve */
  aio__retrieval retrieval;
  bool retrieving, retrieved;
  aio__source *sources;
  size_t source_count;
  bool host_sources;
  bool degraded;                   /* some stage was: the answer is not kept */

  /* generate (stage_generate.c, prompt.c) */
  aio__str system;                 /* with the context in it */
  aio__str canary;
  const aio__plugin_provider **chain;
  size_t chain_count;
  aio__plan plan;                  /* where the run stands in its chain; targets beside chain */
  int64_t retry_at_ns;             /* while it waits for the next attempt */
  aio__tier_choice tier;
  aio__seat seat;                  /* in a flight that it shares with others (shared_call.c) */
  bool shared;                     /* its answer is one that another run has asked for */
  aiorch_call *call;
  aio__stream_check check;
  aio__buf raw;                    /* all that came in the attempt that is out, unchecked */
  aio__buf answer;                 /* what was checked and given out of it */
  aio__citations citations;        /* of the whole answer */
  bool whole;                      /* its text goes out when all of it is there (aiorch_run_set_whole) */
  bool committed;                  /* the first delta has gone out */
  bool answered;                   /* the answer is whole, checked and may be kept */
  int32_t finish_reason;
  aio__str stopped_by;             /* which of `stops` ended the answer; empty: none, or nobody said */
  aio__run_tool_call *tool_calls;
  size_t tool_call_count;
  aio__run_reasoning *reasoning;
  size_t reasoning_count;
  size_t extras_seen;              /* of the call's extras: those that were looked through for warnings */
  const char *provider, *model;    /* that wrote the answer */
  aio__attempt *attempts;
  size_t attempt_count, attempt_cap;
  aio__attempt_row attempt_row;     /* of the attempt that is being recorded */

  /* log_cost */
  aio__usage usage;                /* of all attempts and of the host's answer */
  aio__usage host_usage;
  bool cost_known;
  int64_t cost_nano_usd;
  aio__settlement *settlement;
};

/* ---- engine.c: what the api calls ---- */
aiorch_status aio__run_check(const aiorch_run *run);                 /* INVALID, FORKED */
/* Drives `run` until it ends or cannot go on at once. AIORCH_PENDING, or AIORCH_DONE when it has ended. */
aiorch_status aio__run_advance(aiorch_run *run);
aiorch_status aio__run_stage(aiorch_run *run, int stage);            /* one stage, to its end */
void aio__run_begin(aiorch_run *run);                                /* NEW -> ACTIVE: the deadline starts to count */
void aio__run_end(aiorch_run *run);                                  /* to its one final event */
/* The status and words of a run that fails; the first failure stays. Returns the status. */
aiorch_status aio__run_fail(aiorch_run *run, int stage, aiorch_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void aio__run_warn(aiorch_run *run, int stage, aiorch_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
struct aiorch_event *aio__run_event(aiorch_run *run, int32_t type, int stage);  /* queued; NULL when nobody listens */
struct aiorch_event *aio__run_event_text(aiorch_run *run, int32_t type, int stage, aio__str text); /* with a copy of the text */
void aio__run_free_event(aiorch_run *run, struct aiorch_event *event);           /* that is in no queue; takes NULL */
int64_t aio__run_now(const aiorch_run *run);
void aio__run_wake_at(aiorch_run *run, int64_t at_ns);               /* by a step that returns AIORCH_PENDING */
int64_t aio__run_waits_until(const aiorch_run *run);                 /* that, or the deadline */
/* For steps that start a store op: arms run->op. Then `return aio__run_op(run, ops->call(store, &run->op, ...))`. */
aio__op *aio__run_op_begin(aiorch_run *run, int64_t deadline_ns);
aiorch_status aio__run_op(aiorch_run *run, aiorch_status started);   /* OK/error: ended at once; PENDING */
/* AIORCH_PENDING while it is out, else how it ended. */
aiorch_status aio__run_op_poll(aiorch_run *run);

/* ---- run_hold.c ---- */
/* For an entry point. AIORCH_OK; AIORCH_E_INVALID, AIORCH_E_FORKED, AIORCH_E_REENTRANT. */
aiorch_status aio__run_take(aiorch_run *run);
bool aio__run_give_back(aiorch_run *run);                            /* false: the run is gone */
void aio__run_free(aiorch_run *run);
void aio__run_cancel(aiorch_run *run);                               /* under the orchestrator's mutex */
void aio__runs_close(aiorch *orch);                                  /* cancels all, ends those that nobody drives */

/* ---- run.c ---- */
/* A call on the run that failed, with its words; the failure of the run itself stays. Returns the status. */
aiorch_status aio__run_refuse(aiorch_run *run, aiorch_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
aiorch_status aio__run_make(aiorch *orch, aio__str tenant, aio__str user, aiorch_run **out, aiorch_error *error);
void aio__run_destroy(aiorch_run *run);                              /* frees the memory; nothing is out any more */
aiorch_status aio__run_add_message(aiorch_run *run, int32_t role, aio__str text);
aio__attempt *aio__run_attempt(aiorch_run *run, int32_t kind);       /* a new one; older pointers
                                                                        are stale. NULL when out of memory or room */
void aio__attempt_price(aiorch_run *run, aio__attempt *attempt);
void aio__run_total(aiorch_run *run);                                /* usage and cost anew, of all there is */

void aio__attempt_to_row(const aiorch_run *run, const aio__attempt *attempt, aio__attempt_row *row);
/* The most that a request of `input_tokens` can cost at the dearest provider of the chain. False when unknown. */
bool aio__run_highest_price(aiorch_run *run, int64_t input_tokens, int64_t *nano_usd);

/* ---- run_chain.c ---- */
aiorch_status aio__run_find_chain(aiorch_run *run, aiorch_error *why); /* fills run->chain once */
/* answer_meaning.c: what cosines mean to the extractive provider, with the local embedder to make them where it is there; NULL
 * without an embedder whose cosines were measured, or without memory. In the run's arena. */
const aio__call_meaning *aio__run_meaning(aiorch_run *run);
aiorch_status aio__run_chain(aiorch_run *run);                       /* the same; a failure is the run's */
const char *aio__run_model_for(aiorch_run *run, const aio__plugin_provider *provider);
const aio__tier_choice *aio__run_tier(aiorch_run *run);              /* chosen once; needs the messages */
aiorch_status aio__run_plan(aiorch_run *run);                        /* the chain as a plan, at its begin. AIORCH_E_NOMEM */

/* ---- stage_generate.c ---- */
void aio__generate_begin_check(aiorch_run *run, aio__str canary);    /* for an answer that begins anew */
/* Lets go of the attempt that is out, if any. True: it goes on for others, and what it has cost this run does not get to know. */
bool aio__generate_drop(aiorch_run *run);

/* ---- attempt_end.c: how attempts of the stage end ---- */
/* Takes what the call that is out has said, and drops it. `message` NULL: its own. AIORCH_E_NOMEM. */
aiorch_status aio__attempt_end(aiorch_run *run, aiorch_status status, const char *message);
/* It was sent, and this side did not wait for its end: the run was cancelled, or out of time. */
bool aio__attempt_given_up(const aiorch_call *call, aiorch_status status);
/* What an attempt has used. Tokens that its provider did not count (`result` NULL: it said nothing) are estimated by what came of its
 * answer, and marked so; an answer without a text has taken some, too, and so has one that was given up. */
void aio__attempt_usage(aio__usage *usage, const aio__call_result *result, aio__str text, bool given_up, int64_t prompt_tokens);
/* The call that is out was sent, and is given up: cancels it, and takes its tokens and their price as far as they are known. */
void aio__attempt_dropped(aiorch_run *run, aiorch_status status);
/* Nobody could answer, or may be asked now: fails the run. */
aiorch_status aio__attempts_all_failed(aiorch_run *run);
/* Whoever else was asked refused the request as well, and nobody was passed over: what the last refused, no other might have taken. */
bool aio__attempts_all_refused(const aiorch_run *run);
/* Warnings for providers that were passed over since the last look. How many. */
size_t aio__attempts_passed_over(aiorch_run *run);

/* ---- prompt.c ---- */
/* Composes run->system from prompt.system (or the run's system message) and the sources. */
aiorch_status aio__prompt_compose(aiorch_run *run);
/* Tokens of the whole request by the estimate. */
int64_t aio__prompt_tokens(const aiorch_run *run);
/* The most that they can be, before anything was composed. */
int64_t aio__prompt_bound(const aiorch_run *run);

/* ---- run_report.c ---- */
/* The run object of schema/run.json; with `error` when the run has failed. */
void aio__run_report(aiorch_run *run, aio__json_writer *w);
/* {"code", "name", "stage", "message", "retry_after_ms", "http_status"} as the value of the member "error". */
void aio__error_report(const aiorch_error *error, aio__json_writer *w);
void aio__event_report(const struct aiorch_event *event, aio__json_writer *w);

#endif
