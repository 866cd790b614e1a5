/*
 * libaiorch - handles, integers and constants that the other headers share.
 *
 * Rules that hold everywhere:
 *  - Text goes in as pointer + length in bytes (UTF-8, need not end in NUL) and comes out the same way. Text that comes
 *    out is followed by a NUL byte that the length does not count, so that C programs can print it.
 *  - An output is written only when the call succeeds. A length output may be NULL when it is not wanted.
 *  - Every *_free takes NULL and does nothing.
 *  - Durations are milliseconds in int64_t; money is nano-USD (10^-9 US dollars) in int64_t.
 */
#ifndef AIORCH_TYPES_H
#define AIORCH_TYPES_H

#include <stddef.h>
#include <stdint.h>

#if defined(AIORCH_STATIC)
#define AIORCH_API
#elif defined(__GNUC__)
#define AIORCH_API __attribute__((visibility("default")))
#else
#define AIORCH_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** The orchestrator: a store, plug-ins and a configuration. Shared by any number of threads. */
typedef struct aiorch aiorch;
/** Settings and plug-ins, until aiorch_open. One thread at a time. */
typedef struct aiorch_config aiorch_config;
/** One message's trip through the stages. One thread at a time; only aiorch_cancel may come from another. */
typedef struct aiorch_run aiorch_run;
/** Something that happened on a run; borrowed until the next aiorch_run_next on it. */
typedef struct aiorch_event aiorch_event;
/** What a plug-in slot is given: the request, the deadline and the way to hand over results. */
typedef struct aiorch_call aiorch_call;
/** Detail of an error, owned by the caller. */
typedef struct aiorch_error aiorch_error;
/** A document on its way into or out of the store. One thread at a time. */
typedef struct aiorch_document aiorch_document;
/** A list of documents that a call returned. Read-only, any thread. */
typedef struct aiorch_documents aiorch_documents;
/** A list of search results that a call returned. Read-only, any thread. */
typedef struct aiorch_hits aiorch_hits;
/** A text that a call returned, mostly JSON. Read-only, any thread. */
typedef struct aiorch_text aiorch_text;

/** The outcome of a call: 0 ok, above 0 an outcome that is no error, below 0 an error. See error.h for the values. */
typedef int32_t aiorch_status;

/** The seven stages, in the order in which a run passes them. */
enum {
  AIORCH_STAGE_VALIDATE = 0,
  AIORCH_STAGE_RATE_LIMIT = 1,
  AIORCH_STAGE_CACHE_LOOKUP = 2,
  AIORCH_STAGE_RETRIEVE = 3,
  AIORCH_STAGE_GENERATE = 4,
  AIORCH_STAGE_LOG_COST = 5,
  AIORCH_STAGE_CACHE_STORE = 6,
  AIORCH_STAGE_COUNT = 7
};

/** How a stage of a run ended. */
enum {
  AIORCH_OUTCOME_SKIPPED = 0,  /**< not run: not needed, or not reached */
  AIORCH_OUTCOME_OK = 1,
  AIORCH_OUTCOME_HIT = 2,      /**< cache_lookup found an answer */
  AIORCH_OUTCOME_MISS = 3,     /**< cache_lookup found none */
  AIORCH_OUTCOME_REFUSED = 4,  /**< validate, rate_limit or the output check said no */
  AIORCH_OUTCOME_DEGRADED = 5, /**< its backend was down and the run went on without it */
  AIORCH_OUTCOME_ERROR = 6
};

/** Who speaks in a message. */
enum { AIORCH_ROLE_SYSTEM = 1, AIORCH_ROLE_USER = 2, AIORCH_ROLE_ASSISTANT = 3, AIORCH_ROLE_TOOL = 4 };

/** Why an answer ended, one set for all providers. */
enum {
  AIORCH_FINISH_NONE = 0,           /**< there is no answer (yet) */
  AIORCH_FINISH_STOP = 1,           /**< the model was done, or met a stop sequence */
  AIORCH_FINISH_LENGTH = 2,         /**< the token limit was reached */
  AIORCH_FINISH_TOOL_CALLS = 3,     /**< the model asks for a tool */
  AIORCH_FINISH_CONTENT_FILTER = 4, /**< the provider's filter stopped it */
  AIORCH_FINISH_REFUSAL = 5,        /**< the model declined; never cached, never retried */
  AIORCH_FINISH_ERROR = 6           /**< it broke off */
};

/** What the cache did for a run. */
enum { AIORCH_CACHE_OFF = 0, AIORCH_CACHE_MISS = 1, AIORCH_CACHE_EXACT = 2, AIORCH_CACHE_SEMANTIC = 3 };

/**
 * An allocator for one orchestrator and all that hangs on it. SQLite, PCRE2 and cJSON allocate for themselves: their
 * allocators are process-wide, and libaiorch never touches process-wide hooks.
 *
 * `alloc` and `realloc` return memory aligned for any type, or NULL; `realloc(NULL, n)` allocates; sizes are never 0.
 * Threads: the three functions are called from any thread, at the same time.  Since: 0.1
 */
typedef struct aiorch_allocator {
  size_t struct_size; /**< sizeof(aiorch_allocator) */
  void *user_data;    /**< handed to each function, never read */
  void *(*alloc)(void *user_data, size_t size);
  void *(*realloc)(void *user_data, void *memory, size_t size);
  void (*free)(void *user_data, void *memory);
} aiorch_allocator;

/**
 * Borrows the bytes of a text until aiorch_text_free.
 *
 * @return AIORCH_OK; AIORCH_E_INVALID for a NULL argument.
 * Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_text_get(const aiorch_text *text, const char **out, size_t *out_len);

/** Frees a text. Threads: any. Since: 0.1 */
AIORCH_API void aiorch_text_free(aiorch_text *text);

/**
 * The snake_case name of a stage ("validate" ... "cache_store"), NULL for a number that is none.
 *
 * Ownership: static text.  Threads: any.  Since: 0.1
 */
AIORCH_API const char *aiorch_stage_name(int32_t stage);

/** The name of an outcome: "ok", "hit", ... NULL for a number that is none. Static text, any thread. Since: 0.1 */
AIORCH_API const char *aiorch_outcome_name(int32_t outcome);

/** The name of a finish reason: "stop", "length", ... NULL for a number that is none. Static, any thread. Since: 0.1 */
AIORCH_API const char *aiorch_finish_reason_name(int32_t finish_reason);

#ifdef __cplusplus
}
#endif
#endif
