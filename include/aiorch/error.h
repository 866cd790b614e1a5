/*
 * libaiorch - status codes, and the detail behind an error.
 *
 * Detail of a run's failure lives on the run (aiorch_run_error). Calls that have no run take a last, nullable
 * `aiorch_error *`: make one with aiorch_error_new, read it after a call that failed; each call clears it first.
 */
#ifndef AIORCH_ERROR_H
#define AIORCH_ERROR_H

#include <aiorch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Values are pinned in blocks of 100 a domain and never renumbered. 1 and 2 are no status on purpose: plug-in slots
 * return AIORCH_SLOT_OK and AIORCH_SLOT_PENDING (plugin.h), so that a status is never taken for a slot's result.
 */
enum {
  AIORCH_OK = 0,
  AIORCH_DONE = 3,    /**< nothing more will come */
  AIORCH_AGAIN = 4,   /**< nothing within the timeout; call again */
  AIORCH_PENDING = 5, /**< a call is out; used between stages and the engine only */
  AIORCH_PASS = 6,    /**< not needed: the stage was passed over */

  /* general */
  AIORCH_E_INVALID = -1,      /**< an argument is NULL, out of range, or no handle of that kind */
  AIORCH_E_NOMEM = -2,        /**< out of memory */
  AIORCH_E_STATE = -3,        /**< not now: the object is in another state; the message says which */
  AIORCH_E_CANCELLED = -4,    /**< the run or call was cancelled */
  AIORCH_E_DEADLINE = -5,     /**< the deadline passed */
  AIORCH_E_REENTRANT = -6,    /**< called from inside a callback of the same object */
  AIORCH_E_NOT_FOUND = -7,    /**< no such document, entry, run or name */
  AIORCH_E_CLOSED = -8,       /**< the orchestrator is closing or closed */
  AIORCH_E_UNSUPPORTED = -9,  /**< this build or store cannot do that */
  AIORCH_E_TOO_LARGE = -10,   /**< above a named limit; the message names it */
  AIORCH_E_INTERNAL = -11,    /**< a fault of libaiorch: please report it */
  AIORCH_E_FORKED = -12,      /**< the handle was made before fork(); open a new one in the child */
  AIORCH_E_SYSTEM = -13,      /**< the operating system refused; the message has its words */

  /* configuration */
  AIORCH_E_CONFIG = -100,        /**< settings that cannot work together, or a plug-in that cannot be used */
  AIORCH_E_CONFIG_KEY = -101,    /**< no such key; the message names the nearest */
  AIORCH_E_CONFIG_TYPE = -102,   /**< a value of another type */
  AIORCH_E_CONFIG_RANGE = -103,  /**< a value out of range */
  AIORCH_E_CONFIG_SYNTAX = -104, /**< the file is not JSON as it should be; the message names the line */
  AIORCH_E_CONFIG_ENV = -105,    /**< ${NAME} is not in the environment */

  /* validate */
  AIORCH_E_INVALID_INPUT = -200, /**< empty, too long, not UTF-8, or with a NUL byte */
  AIORCH_E_INJECTION = -201,     /**< an input rule matched; the message names the rule */

  /* rate_limit */
  AIORCH_E_RATE_LIMITED = -300,
  AIORCH_E_BUDGET_EXCEEDED = -301,

  /* knowledge */
  AIORCH_E_DOCUMENT = -400,           /**< the document cannot be used: empty, not UTF-8, above a limit */
  AIORCH_E_EMBEDDER_MISMATCH = -401,  /**< what is stored was embedded by another model; the message names both */
  AIORCH_E_MODEL = -402,              /**< a model's files cannot be used: missing, damaged, or of another architecture */

  /* generate */
  AIORCH_E_PROVIDERS_UNAVAILABLE = -500, /**< every provider of the chain failed; see the attempts */
  AIORCH_E_OUTPUT_BLOCKED = -501,        /**< the output check refused the answer */
  AIORCH_E_NETWORK = -502,               /**< an attempt: no connection, or it broke */
  AIORCH_E_PROVIDER_BUSY = -503,         /**< an attempt: 408, 409, 5xx, 529; may be retried */
  AIORCH_E_PROVIDER_LIMIT = -504,        /**< an attempt: 429 */
  AIORCH_E_PROVIDER_KEY = -505,          /**< an attempt: 401, 402, 403, quota exhausted */
  AIORCH_E_PROVIDER_MODEL = -506,        /**< an attempt: 404, no such model */
  AIORCH_E_PROVIDER_REJECTED = -507,     /**< an attempt: 400, 413, 422, content policy; no other will do better */
  AIORCH_E_CONTEXT_WINDOW = -508,        /**< an attempt: the prompt is longer than the model takes */
  AIORCH_E_TRUNCATED = -509,             /**< an attempt: the stream ended without its last event */
  AIORCH_E_RESPONSE = -510,              /**< an attempt: what came is not what the interface promises */

  /* store */
  AIORCH_E_STORE = -600,           /**< the store failed; the message says how */
  AIORCH_E_STORE_DOWN = -601,      /**< the store cannot be reached, or is busy beyond the deadline */
  AIORCH_E_STORE_FULL = -602,      /**< no room on the disk */
  AIORCH_E_STORE_READ_ONLY = -603, /**< the store may not be written */
  AIORCH_E_STORE_NEWER = -604,     /**< the store was written by a newer libaiorch */
  AIORCH_E_STORE_CORRUPT = -605,   /**< what is there is not (or no longer) a store */

  /* plug-ins */
  AIORCH_E_PLUGIN = -700,         /**< a slot failed without saying how, or returned what no slot returns */
  AIORCH_E_PLUGIN_CONTRACT = -701 /**< a slot broke its contract: wrong dimensions, finished twice, ... */
};

/**
 * One line of English for any status, also for numbers that are none.
 *
 * Ownership: static text.  Threads: any.  Since: 0.1
 */
AIORCH_API const char *aiorch_strerror(aiorch_status status);

/**
 * The name of a status as it stands above without "AIORCH_" and "E_": "OK", "RATE_LIMITED"; "UNKNOWN" for others.
 *
 * Ownership: static text.  Threads: any.  Since: 0.1
 */
AIORCH_API const char *aiorch_status_name(aiorch_status status);

/**
 * The HTTP status that a server answers with: 200 for outcomes that are no error, else one of 400, 401, 403, 404, 409,
 * 413, 422, 429, 499, 500, 502, 503, 504. For PROVIDERS_UNAVAILABLE it is 502, and so it is for PROVIDER_REJECTED;
 * aiorch_error_http_status and the run know whether it is 503, and 400.
 *
 * Threads: any.  Since: 0.1
 */
AIORCH_API int32_t aiorch_status_http(aiorch_status status);

/**
 * Makes an empty error detail.
 *
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM.
 * Ownership: the caller frees it with aiorch_error_free.  Threads: one at a time.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_error_new(aiorch_error **out);

/** Frees an error detail. Since: 0.1 */
AIORCH_API void aiorch_error_free(aiorch_error *error);

/** The status of the last call that was given this detail; AIORCH_OK when it succeeded or `error` is NULL. Since: 0.1 */
AIORCH_API aiorch_status aiorch_error_status(const aiorch_error *error);

/**
 * One line: what was wrong, where, and what to do. At most 1,000 bytes of UTF-8; "" when there is none.
 *
 * Ownership: borrowed until the next call that is given this detail, or its free.  Since: 0.1
 */
AIORCH_API const char *aiorch_error_message(const aiorch_error *error);

/** The stage that failed (AIORCH_STAGE_*), or -1 when it was none. Since: 0.1 */
AIORCH_API int32_t aiorch_error_stage(const aiorch_error *error);

/** The provider that failed, "" when it was none. Borrowed like the message. Since: 0.1 */
AIORCH_API const char *aiorch_error_provider(const aiorch_error *error);

/**
 * The HTTP status a server should answer with for this very error; see aiorch_status_http. For PROVIDER_REJECTED it is 400 where the
 * request is what the provider refused (its own 400, 413, 422, content policy) and no other provider failed for another reason or
 * was passed over; else 502.
 *
 * Since: 0.1
 */
AIORCH_API int32_t aiorch_error_http_status(const aiorch_error *error);

/** Milliseconds after which a new try may succeed; -1 when waiting does not help or nobody knows. Since: 0.1 */
AIORCH_API int64_t aiorch_error_retry_after_ms(const aiorch_error *error);

#ifdef __cplusplus
}
#endif
#endif
