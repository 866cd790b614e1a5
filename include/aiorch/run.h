/*
 * libaiorch - a run: one message's trip through the stages, in three forms.
 *
 *   at once        aiorch_run_execute(run)
 *   stage by stage aiorch_stage_validate(run); aiorch_stage_rate_limit(run); ...
 *   pulled         do st = aiorch_run_next(run, timeout_ms, &event); while (st == AIORCH_OK || st == AIORCH_AGAIN);
 *
 * and, for thousands at once, submitted: aiorch_run_submit, aiorch_wait, aiorch_fd. All are loops over the same steps.
 *
 * Threads: a run belongs to one thread at a time; handing it to another needs nothing but a memory barrier (a mutex, a
 * queue). aiorch_cancel works from any thread. Functions without a Threads: line follow this.
 */
#ifndef AIORCH_RUN_H
#define AIORCH_RUN_H

#include <aiorch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- making a run -------------------------------------------------------------------------------------------------- */

/**
 * Makes a run. Its deadline starts to count at its first step.
 *
 * @param tenant  1 to 255 bytes of UTF-8 without control characters. Empty is an error unless "tenancy" is "single".
 * @param user    as the tenant; empty is an error unless "anonymous" is true (then no limit by user applies).
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_CLOSED, AIORCH_E_FORKED.
 * Ownership: the caller frees it with aiorch_run_free; it keeps the orchestrator alive.  Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_new(aiorch *orch, const char *tenant, size_t tenant_len, const char *user,
                                        size_t user_len, aiorch_run **out);

/**
 * Frees a run. One that is under way is cancelled first; this never blocks, and what it has spent is settled by the
 * orchestrator. Inside a callback of the same run it takes effect when the callback has returned. Since: 0.1
 */
AIORCH_API void aiorch_run_free(aiorch_run *run);

/**
 * Appends a message. The last user message is the question; those before it are the conversation. Text is copied and
 * checked by the validate stage.
 *
 * @param role  AIORCH_ROLE_*. A system message comes before "prompt.system" is applied, and replaces it.
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_STATE (the run has begun), AIORCH_E_TOO_LARGE (more than
 *         4,096 messages or 16 MiB).
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_add_message(aiorch_run *run, int32_t role, const char *text, size_t len);

/**
 * Overrides a setting for this run: those whose description says "per_run".
 *
 * @param key    NUL-terminated.
 * @param value  as text: numbers in decimal, "true"/"false".
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_STATE, AIORCH_E_CONFIG_KEY (also when it is not one per
 *         run), AIORCH_E_CONFIG_TYPE, AIORCH_E_CONFIG_RANGE; aiorch_run_error has the words.
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_set_option(aiorch_run *run, const char *key, const char *value, size_t len);

/**
 * Whether the answer is given out only when it is whole: one AIORCH_EVENT_DELTA has all of it, and nothing stands of an answer that
 * breaks off, so that it can be asked for again, of the same provider or the next. Without it text goes out as it comes, and an answer
 * that breaks off after its first delta ends the run (AIORCH_E_TRUNCATED, or what broke it). For hosts that pass on answers that are
 * not streamed. Each attempt that broke off is paid for, and in the ledger.
 *
 * @param whole  1, or 0: as it comes (the default).
 * @return AIORCH_OK; AIORCH_E_INVALID: neither 0 nor 1; AIORCH_E_STATE: the run has begun.
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_set_whole(aiorch_run *run, int32_t whole);

/**
 * Retrieves only from documents whose metadata `name` has this value. Several filters must all hold; several values of
 * one name are alternatives. With a filter set, cached answers are shared with nobody but the same user.
 *
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_STATE, AIORCH_E_TOO_LARGE (more than 64).
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_add_filter(aiorch_run *run, const char *name, size_t name_len, const char *value,
                                               size_t value_len);
/**
 * As aiorch_run_add_filter, for values that begin with `prefix`.
 *
 * @return as aiorch_run_add_filter.
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_add_filter_prefix(aiorch_run *run, const char *name, size_t name_len,
                                                      const char *prefix, size_t prefix_len);
/**
 * As aiorch_run_add_filter, for values from `from` to `to`, both included. When the value and the bounds are all decimal
 * numbers ("-3", "12.50") they are compared as numbers, else byte by byte, as suits dates like 2024-05-31.
 *
 * @param from, to  NULL leaves that end open; one of the two is needed.
 * @return as aiorch_run_add_filter.
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_add_filter_range(aiorch_run *run, const char *name, size_t name_len,
                                                     const char *from, size_t from_len, const char *to, size_t to_len);

/** Keeps a pointer of the caller's on the run, never read. AIORCH_OK, AIORCH_E_INVALID. Since: 0.1 */
AIORCH_API aiorch_status aiorch_run_set_user_data(aiorch_run *run, void *user_data);
/** The pointer that aiorch_run_set_user_data kept, NULL when none. Since: 0.1 */
AIORCH_API void *aiorch_run_user_data(const aiorch_run *run);

/* ---- at once, or stage by stage ------------------------------------------------------------------------------------ */

/**
 * Runs all stages that have not run yet on this thread, to the end or the deadline.
 *
 * @return the run's status: AIORCH_OK with an answer; else what refused or failed (any AIORCH_E_* of the domains
 *         validate, rate_limit, generate, store, plug-ins; AIORCH_E_DEADLINE, AIORCH_E_CANCELLED). AIORCH_E_INVALID,
 *         AIORCH_E_STATE (it has ended, or is submitted), AIORCH_E_REENTRANT and AIORCH_E_FORKED leave the run as it is.
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_execute(aiorch_run *run);

/**
 * Runs one stage, to its end or the deadline. What a stage needs is data, not order: 1 to 4 need a user message, 5 a
 * message, 6 an admission or an attempt, 7 an answer.
 *
 * @return AIORCH_OK; AIORCH_PASS when the run has no need of it (4, 5 and 7 after a hit, all but 6 after a refusal); the
 *         stage's error; AIORCH_E_STATE when its input is missing or it has run already (the message names it).
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_stage_validate(aiorch_run *run);
/** Stage 2; see aiorch_stage_validate. */
AIORCH_API aiorch_status aiorch_stage_rate_limit(aiorch_run *run);
/** Stage 3; see aiorch_stage_validate. */
AIORCH_API aiorch_status aiorch_stage_cache_lookup(aiorch_run *run);
/** Stage 4; see aiorch_stage_validate. */
AIORCH_API aiorch_status aiorch_stage_retrieve(aiorch_run *run);
/** Stage 5; see aiorch_stage_validate. */
AIORCH_API aiorch_status aiorch_stage_generate(aiorch_run *run);
/** Stage 6; see aiorch_stage_validate. */
AIORCH_API aiorch_status aiorch_stage_log_cost(aiorch_run *run);
/** Stage 7; see aiorch_stage_validate. */
AIORCH_API aiorch_status aiorch_stage_cache_store(aiorch_run *run);

/**
 * Gives the run a source of the host's own, as retrieve would; the retrieve stage then counts as done by the host.
 *
 * @param uri, title  may be empty.
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_STATE (retrieve or generate has run),
 *         AIORCH_E_TOO_LARGE (more than 100).
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_add_source(aiorch_run *run, const char *uri, size_t uri_len, const char *title,
                                               size_t title_len, const char *text, size_t text_len);

/**
 * Gives the run an answer of the host's own; the generate stage then counts as done by the host.
 *
 * @param provider, model  NUL-terminated names for the cost row; NULL means "host".
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_STATE (generate has run), AIORCH_E_TOO_LARGE.
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_set_answer(aiorch_run *run, const char *text, size_t len, int32_t finish_reason,
                                               const char *provider, const char *model);

/** Gives the tokens (AIORCH_USAGE_*) of an answer of the host's own. AIORCH_OK, _E_INVALID, _E_STATE. Since: 0.1 */
AIORCH_API aiorch_status aiorch_run_set_usage(aiorch_run *run, int32_t usage_class, int64_t tokens);

/* ---- pulled -------------------------------------------------------------------------------------------------------- */

/** What an event is. */
enum {
  AIORCH_EVENT_STAGE = 1,   /**< a stage has ended: stage, outcome, duration */
  AIORCH_EVENT_DELTA = 2,   /**< the next piece of the answer: text, whole UTF-8 characters, checked */
  AIORCH_EVENT_SOURCE = 3,  /**< a source: index for the aiorch_run_source_* accessors */
  AIORCH_EVENT_WARNING = 4, /**< something the user should know; text says what */
  AIORCH_EVENT_ERROR = 5,   /**< the run has failed; text says how */
  AIORCH_EVENT_FINAL = 6,   /**< the run has ended; exactly one, always the last */
  AIORCH_EVENT_TOOL_CALL = 7 /**< the model asks for a tool: index for the aiorch_run_tool_call* accessors (content.h) */
};

/**
 * Drives the run until there is something to tell, at most `timeout_ms`.
 *
 * @param timeout_ms  0 does only what can be done at once; below 0 means up to the deadline.
 * @param event  borrowed until the next aiorch_run_next or aiorch_run_free.
 * @return AIORCH_OK with an event; AIORCH_AGAIN without; AIORCH_DONE when the final event was given before (how the run
 *         ended: aiorch_run_status); AIORCH_E_INVALID, AIORCH_E_STATE, AIORCH_E_REENTRANT, AIORCH_E_FORKED.
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_next(aiorch_run *run, int64_t timeout_ms, const aiorch_event **event);

/** AIORCH_EVENT_*; 0 for NULL. */
AIORCH_API int32_t aiorch_event_type(const aiorch_event *event);
/** The stage that the event belongs to, -1 when none. */
AIORCH_API int32_t aiorch_event_stage(const aiorch_event *event);
/** STAGE: how it ended (AIORCH_OUTCOME_*); else 0. */
AIORCH_API int32_t aiorch_event_outcome(const aiorch_event *event);
/** ERROR, FINAL: the status; WARNING: the status it is about; else AIORCH_OK. */
AIORCH_API aiorch_status aiorch_event_status(const aiorch_event *event);
/** SOURCE, TOOL_CALL: its index; else 0. */
AIORCH_API size_t aiorch_event_index(const aiorch_event *event);
/** DELTA, WARNING, ERROR: the text; else empty. AIORCH_OK, AIORCH_E_INVALID. */
AIORCH_API aiorch_status aiorch_event_text(const aiorch_event *event, const char **out, size_t *out_len);
/** The event as one JSON object (schema/event.json); FINAL carries the run object. AIORCH_OK, _E_INVALID, _E_NOMEM. */
AIORCH_API aiorch_status aiorch_event_json(const aiorch_event *event, const char **out, size_t *out_len);

/* ---- submitted: a few threads carry thousands of runs -------------------------------------------------------------- */

/**
 * Hands the run to the orchestrator's ready queue. From now on only the thread that aiorch_wait gave it to may touch it.
 *
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_STATE (submitted already, or ended), AIORCH_E_CLOSED, AIORCH_E_FORKED.
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_submit(aiorch_run *run);

/**
 * Gives the next submitted run that can go on, leased to this thread until its aiorch_run_next returns anything but
 * AIORCH_OK. Drive it with timeout 0. After AIORCH_DONE it is no longer submitted and is the caller's to free; freeing a
 * leased run ends the lease too.
 *
 * @return AIORCH_OK with a run; AIORCH_AGAIN when none can go on within `timeout_ms` (below 0: no limit); AIORCH_DONE
 *         when the orchestrator is closed and no submitted run is left; AIORCH_E_INVALID, AIORCH_E_FORKED.
 * Threads: any, several at once.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_wait(aiorch *orch, int64_t timeout_ms, aiorch_run **run);

/**
 * A descriptor for poll, epoll or select that is readable while aiorch_wait(orch, 0, ...) has something to do. Never
 * read it and never close it.
 *
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_SYSTEM, AIORCH_E_FORKED.
 * Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_fd(aiorch *orch, int32_t *out);

/**
 * Cancels a run by its id. It still ends in exactly one final event, with AIORCH_E_CANCELLED.
 *
 * @return AIORCH_OK (also when it was cancelled before); AIORCH_E_NOT_FOUND when no run under way has this id: ids are
 *         never used again; AIORCH_E_INVALID, AIORCH_E_FORKED.
 * Threads: any, also inside callbacks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_cancel(aiorch *orch, const char *run_id, size_t len);

/* ---- reading a run -------------------------------------------------------------------------------------------------
 * What these lend is valid until aiorch_run_free once the run has ended, before that until the next call that drives the
 * run. They return AIORCH_OK; AIORCH_E_INVALID for NULL or an index out of range. Since: 0.1 */

/** How the run ended; AIORCH_PENDING while it has not. */
AIORCH_API aiorch_status aiorch_run_status(const aiorch_run *run);
/** The detail of the run's failure, or of the last call on it that failed. Never NULL for a run. */
AIORCH_API const aiorch_error *aiorch_run_error(const aiorch_run *run);
/** The run's id: a UUIDv7 (RFC 9562) of 36 characters. */
AIORCH_API aiorch_status aiorch_run_id(const aiorch_run *run, const char **out, size_t *out_len);
/** The answer, as far as it is there and checked. */
AIORCH_API aiorch_status aiorch_run_answer(const aiorch_run *run, const char **out, size_t *out_len);
/** Why the answer ended: AIORCH_FINISH_*. */
AIORCH_API int32_t aiorch_run_finish_reason(const aiorch_run *run);
/** The provider that wrote the answer (also when it came from the cache), "" when there is none. */
AIORCH_API aiorch_status aiorch_run_provider(const aiorch_run *run, const char **out, size_t *out_len);
/** The model that wrote the answer (also when it came from the cache), "" when there is none. */
AIORCH_API aiorch_status aiorch_run_model(const aiorch_run *run, const char **out, size_t *out_len);

/** The number of sources. The source with index 0 is [1] in the context and in the answer. */
AIORCH_API size_t aiorch_run_source_count(const aiorch_run *run);
/** The id of its document; empty for a source of the host's own. */
AIORCH_API aiorch_status aiorch_run_source_document_id(const aiorch_run *run, size_t index, const char **out,
                                                       size_t *out_len);
/** Its title. */
AIORCH_API aiorch_status aiorch_run_source_title(const aiorch_run *run, size_t index, const char **out,
                                                 size_t *out_len);
/** Its URI, with the nearest #anchor where the document has one. */
AIORCH_API aiorch_status aiorch_run_source_uri(const aiorch_run *run, size_t index, const char **out, size_t *out_len);
/** Its text. */
AIORCH_API aiorch_status aiorch_run_source_text(const aiorch_run *run, size_t index, const char **out,
                                                size_t *out_len);
/** Its place in the document's stored text, in bytes: [start, end). */
AIORCH_API aiorch_status aiorch_run_source_range(const aiorch_run *run, size_t index, uint64_t *start, uint64_t *end);
/** Its score (higher is better, comparable within one run), and its cosine similarity (NaN when no vector of it is known). */
AIORCH_API aiorch_status aiorch_run_source_score(const aiorch_run *run, size_t index, double *score,
                                                 double *similarity);

/** The tokens of one class (AIORCH_USAGE_*) that this run has spent; 0 for a class that is none. */
AIORCH_API int64_t aiorch_run_usage(const aiorch_run *run, int32_t usage_class);
/** 1 when any of them was estimated, not counted by the provider. */
AIORCH_API int32_t aiorch_run_usage_estimated(const aiorch_run *run);
/** What the run has cost, in nano-USD; an estimate where its tokens are one (aiorch_run_usage_estimated). AIORCH_E_NOT_FOUND when a price
 * is unknown, or an attempt broke off before anybody could say what it takes. */
AIORCH_API aiorch_status aiorch_run_cost(const aiorch_run *run, int64_t *nano_usd);

/**
 * What the limit "rate_limit.requests" says of the run's user, once the stage rate_limit has ended.
 *
 * @param limit      runs in a window.
 * @param remaining  how many more may begin now; 0 after a refusal.
 * @param reset_ms   after which all of them may, when none begins meanwhile: at most so long.
 * @return AIORCH_OK; AIORCH_E_NOT_FOUND when no such limit holds for the run, the stage has not ended, or the store could not be
 *         asked; AIORCH_E_INVALID. Outputs may be NULL.
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_rate_limit(const aiorch_run *run, int64_t *limit, int64_t *remaining, int64_t *reset_ms);

/** AIORCH_CACHE_*. */
AIORCH_API int32_t aiorch_run_cache_outcome(const aiorch_run *run);
/** The id of the cache entry that answered, or that was stored; "" when none. */
AIORCH_API aiorch_status aiorch_run_cache_entry(const aiorch_run *run, const char **out, size_t *out_len);
/** The guard that refused the nearest entry, and what differed; "" when none. `detail` may be NULL. */
AIORCH_API aiorch_status aiorch_run_cache_refused(const aiorch_run *run, const char **guard, const char **detail);

/** How a stage ended: AIORCH_OUTCOME_*. */
AIORCH_API int32_t aiorch_run_stage_outcome(const aiorch_run *run, int32_t stage);
/** How long a stage took, in microseconds. */
AIORCH_API int64_t aiorch_run_stage_us(const aiorch_run *run, int32_t stage);
/** How long the run took from its first step, in microseconds. */
AIORCH_API int64_t aiorch_run_duration_us(const aiorch_run *run);

/** What an attempt was for. */
enum { AIORCH_ATTEMPT_GENERATE = 1, AIORCH_ATTEMPT_EMBED = 2 };
/** The number of attempts at providers and embedders. */
AIORCH_API size_t aiorch_run_attempt_count(const aiorch_run *run);
/** What attempt number `index` was for and how it ended. */
AIORCH_API aiorch_status aiorch_run_attempt(const aiorch_run *run, size_t index, int32_t *kind, aiorch_status *outcome,
                                            int32_t *http_status, int64_t *duration_us);
/** Who was asked: provider, model, and the service's own id of the request, each NUL-terminated, "" when unknown. */
AIORCH_API aiorch_status aiorch_run_attempt_names(const aiorch_run *run, size_t index, const char **provider,
                                                  const char **model, const char **request_id);
/** The tokens of one class that the attempt has spent; 0 for what is none. */
AIORCH_API int64_t aiorch_run_attempt_usage(const aiorch_run *run, size_t index, int32_t usage_class);
/** What the attempt has cost, in nano-USD. AIORCH_E_NOT_FOUND when the price is unknown. */
AIORCH_API aiorch_status aiorch_run_attempt_cost(const aiorch_run *run, size_t index, int64_t *nano_usd);

/** The run as one JSON object (schema/run.json), as the command line prints it; AIORCH_E_NOMEM. */
AIORCH_API aiorch_status aiorch_run_to_json(aiorch_run *run, const char **out, size_t *out_len);

/* ---- for scripting hosts ------------------------------------------------------------------------------------------- */

/**
 * The whole trip as JSON in and out (schema/request.json, schema/run.json).
 *
 * @param response  set also when the run fails: the run object, with an added member "error"; or, when no run could be
 *                  made, {"error": ...} alone. Left alone only with AIORCH_E_INVALID for a NULL argument and _E_NOMEM.
 * @return the run's status; AIORCH_E_INVALID, AIORCH_E_CONFIG_* for a request that is not one.
 * Ownership: the caller frees `*response` with aiorch_text_free.  Threads: any; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_json(aiorch *orch, const char *request, size_t len, aiorch_text **response);

/**
 * Makes a run from a request as aiorch_run_json takes it, so that a host can drive it in its own way. Members "sources",
 * "answer" and "usage" complete the stages that they stand for.
 *
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_CLOSED, AIORCH_E_FORKED, AIORCH_E_CONFIG_*,
 *         AIORCH_E_TOO_LARGE.
 * Ownership: the caller frees it with aiorch_run_free.  Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_from_json(aiorch *orch, const char *request, size_t len, aiorch_run **out,
                                              aiorch_error *error);

/**
 * The kept answers nearest to a run's question in its scope, and what each guard says of them, without asking for an answer:
 * nothing is admitted, counted or kept.
 *
 * @param limit  most entries, 1 to 100.
 * @param out    {"threshold", "guards" on|off, "readable" (the guards can read the question), "model", "entries": [{"id",
 *               "query", "similarity", "exact" (the same words), "hit", "refused_by", "refused_detail", "guards": [{"guard",
 *               "pass", "detail"}]}]}, nearest first.
 * @return AIORCH_OK; AIORCH_E_STATE when the run has begun or has no user message; AIORCH_E_UNSUPPORTED without an embedder, or
 *         with a vector store plug-in; what the embedder and the store return. The run is used up.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: one at a time a run; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_cache_explain(aiorch_run *run, size_t limit, aiorch_text **out);

/**
 * What a run would send, without sending it: validates, retrieves and composes, but admits nothing, asks no provider and
 * leaves no row.
 *
 * @param out  {"provider", "model", "system", "messages", "sources", "input_tokens" (estimate), "max_output_tokens",
 *             "max_cost_nano_usd" (null when the price is unknown), "max_cost_usd"}.
 * @return AIORCH_OK; what validate or retrieve return; AIORCH_E_STATE when the run has begun. The run is used up.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_run_preview(aiorch_run *run, aiorch_text **out);

#ifdef __cplusplus
}
#endif
#endif
