/*
 * libaiorch - the four kinds of plug-in: embedder, vector store, LLM provider, logger.
 *
 * A plug-in is a struct of function pointers ("slots") and a `self` pointer that each slot gets first. The struct is
 * copied at registration; set struct_size to sizeof of it, and every slot that you do not have to NULL.
 *
 * Ownership of `self`: when registration succeeds it is the library's, and `destroy` runs exactly once. When it fails it
 * stays yours.
 *
 * A slot that may wait is a start: it gets an `aiorch_call`, hands over results with the call functions of its kind, and
 * ends with exactly one aiorch_call_finish, from any thread, before it returns or long after. It returns
 *   AIORCH_SLOT_OK       it has finished the call already,
 *   AIORCH_SLOT_PENDING  it will finish the call later, or
 *   an error below 0     it has not finished the call and never will; the status becomes the call's.
 * Anything else (0 above all: what a callback returns that died in another language) is AIORCH_E_PLUGIN.
 *
 * When the run is cancelled, freed or past its deadline, `cancel` is called once for a call that is still out. The call
 * must be finished all the same; what is handed over after that is refused with AIORCH_E_CANCELLED (tokens that are put before
 * `cancel` has finished the call are counted all the same). A call may be used until its aiorch_call_finish has returned; with aiorch_call_retain until the matching aiorch_call_release; in no case
 * after `destroy`.
 *
 * Threads: slots are called on a thread that called into the library, never on one of its own; several at once unless
 * AIORCH_PLUGIN_SERIAL is set. A slot must not call the library but for the aiorch_call_* functions and aiorch_cancel.
 */
#ifndef AIORCH_PLUGIN_H
#define AIORCH_PLUGIN_H

#include <aiorch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What slots return besides errors. */
enum { AIORCH_SLOT_OK = 1, AIORCH_SLOT_PENDING = 2 };

/** Flags of a plug-in. */
enum {
  AIORCH_PLUGIN_SERIAL = 1,      /**< its slots are never called by two threads at once, but for cancel, which may not wait */
  AIORCH_PLUGIN_ONE_PURPOSE = 2  /**< embedder: the vector of a text is the same for every purpose, so one serves them all */
};

/** What a text is embedded for; models that tell them apart prepend different instructions. */
enum { AIORCH_PURPOSE_QUERY = 1, AIORCH_PURPOSE_PASSAGE = 2, AIORCH_PURPOSE_SIMILARITY = 3 };

/** Token classes. They are disjoint, but for CACHE_WRITE_1H, which is the part of CACHE_WRITE with the longer life. */
enum {
  AIORCH_USAGE_INPUT = 0,      /**< input tokens neither read from nor written to the provider's cache */
  AIORCH_USAGE_CACHE_READ = 1,
  AIORCH_USAGE_CACHE_WRITE = 2,
  AIORCH_USAGE_CACHE_WRITE_1H = 3,
  AIORCH_USAGE_OUTPUT = 4,     /**< output tokens without reasoning */
  AIORCH_USAGE_REASONING = 5,
  AIORCH_USAGE_COUNT = 6
};

/**
 * Turns texts into vectors.
 *
 * Read the texts with aiorch_call_text_count and aiorch_call_text, the purpose with aiorch_call_purpose; hand all the
 * vectors over at once with aiorch_call_put_vectors; then finish.
 */
typedef struct aiorch_embedder_vtbl {
  uint32_t struct_size;
  uint32_t flags;
  uint32_t dimensions;     /**< of every vector, 1 to 65,536 */
  uint32_t max_tokens;     /**< longest input; longer ones are truncated by the plug-in and reported; 0 unknown */
  const char *fingerprint; /**< model, precision and tokenizer in one word; copied; vectors of another never mix */
  aiorch_status (*embed)(void *self, aiorch_call *call); /**< required */
  void (*cancel)(void *self, aiorch_call *call);
  void (*destroy)(void *self);
} aiorch_embedder_vtbl;

/**
 * Keeps vectors and finds the nearest. Texts, full text and exact keys stay in the library's store.
 *
 * `collection` is "chunks" or "cache"; `scope` is a text that a search must match exactly (empty for chunks).
 */
typedef struct aiorch_vector_store_vtbl {
  uint32_t struct_size;
  uint32_t flags;
  /** Required. The call has ids, scopes and vectors (aiorch_call_vector_count, _vector_id, _vector_scope, _vector);
   *  put them, replacing those with the same tenant, collection and id. */
  aiorch_status (*upsert)(void *self, aiorch_call *call);
  /** Required. The call has ids (aiorch_call_vector_count, _vector_id); remove them; unknown ids are no error. */
  aiorch_status (*remove)(void *self, aiorch_call *call);
  /** Required. The call has one or more query vectors, a scope and a limit (aiorch_call_limit); hand the nearest of
   *  each over with aiorch_call_put_hit, best first, by cosine similarity. */
  aiorch_status (*search)(void *self, aiorch_call *call);
  void (*cancel)(void *self, aiorch_call *call);
  void (*destroy)(void *self);
} aiorch_vector_store_vtbl;

/**
 * Answers messages.
 *
 * Read the request as one JSON text (aiorch_call_request_json) or by accessors; hand text over with aiorch_call_emit as
 * it comes, tokens with aiorch_call_put_usage, then finish. The first text that the library gives out (emitted text waits
 * for the output check, see "output.hold_back") is the commit point: an error before it goes to the next provider, an
 * error after it ends the run.
 */
typedef struct aiorch_provider_vtbl {
  uint32_t struct_size;
  uint32_t flags;
  const char *model; /**< the model that it answers with when the run names none; copied; required */
  aiorch_status (*generate)(void *self, aiorch_call *call); /**< required */
  void (*cancel)(void *self, aiorch_call *call);
  void (*destroy)(void *self);
} aiorch_provider_vtbl;

/** How grave a logged event is. */
enum { AIORCH_LOG_DEBUG = 1, AIORCH_LOG_INFO = 2, AIORCH_LOG_WARN = 3, AIORCH_LOG_ERROR = 4 };

/**
 * Receives structured events, each one JSON object on one line, secrets already redacted. No user text is ever in it.
 */
typedef struct aiorch_logger_vtbl {
  uint32_t struct_size;
  uint32_t flags;
  int64_t min_level; /**< AIORCH_LOG_*; less grave events are not formatted at all */
  /** Required. `json` is borrowed for the call. Delivered on a thread that called in; must not call the library. */
  void (*log)(void *self, int32_t level, const char *json, size_t len);
  void (*destroy)(void *self);
} aiorch_logger_vtbl;

/**
 * Registers the embedder. A second one replaces the first, whose `destroy` runs.
 *
 * @return AIORCH_OK, AIORCH_E_INVALID (struct_size, a required slot, dimensions or fingerprint missing),
 *         AIORCH_E_UNSUPPORTED (a newer struct with slots in use that this library does not know), AIORCH_E_NOMEM.
 * Threads: one at a time a configuration.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_config_set_embedder(aiorch_config *config, const aiorch_embedder_vtbl *vtbl,
                                                    void *self, aiorch_error *error);

/** Registers the vector store; as aiorch_config_set_embedder. Since: 0.1 */
AIORCH_API aiorch_status aiorch_config_set_vector_store(aiorch_config *config, const aiorch_vector_store_vtbl *vtbl,
                                                        void *self, aiorch_error *error);

/**
 * Registers a provider under a name. Providers are tried in the order of registration, or as "generate.chain" says.
 *
 * @param name  NUL-terminated, 1 to 63 of [a-z0-9_.-], not taken ("extractive" is built in).
 * @return as aiorch_config_set_embedder; AIORCH_E_INVALID also for the name.
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_config_add_provider(aiorch_config *config, const char *name,
                                                    const aiorch_provider_vtbl *vtbl, void *self, aiorch_error *error);

/** Registers the logger; as aiorch_config_set_embedder. Without one the library is silent. Since: 0.1 */
AIORCH_API aiorch_status aiorch_config_set_logger(aiorch_config *config, const aiorch_logger_vtbl *vtbl, void *self,
                                                  aiorch_error *error);

/* ---- calls: what a slot reads --------------------------------------------------------------------------------------
 * Text and vectors are borrowed until aiorch_call_finish (or the last aiorch_call_release). An accessor of another kind
 * of call gives 0, NULL or AIORCH_E_STATE. Threads: any.  Since: 0.1 */

/** 1 when the call was cancelled or its deadline passed: stop and finish. */
AIORCH_API int32_t aiorch_call_cancelled(const aiorch_call *call);

/** Milliseconds until the deadline, 0 when it has passed. */
AIORCH_API int64_t aiorch_call_remaining_ms(const aiorch_call *call);

/** The tenant on whose behalf the call is made. AIORCH_OK, AIORCH_E_INVALID. */
AIORCH_API aiorch_status aiorch_call_tenant(const aiorch_call *call, const char **out, size_t *out_len);

/** The run's id (36 characters), "" for a call outside a run. AIORCH_OK, AIORCH_E_INVALID. */
AIORCH_API aiorch_status aiorch_call_run_id(const aiorch_call *call, const char **out, size_t *out_len);

/**
 * The whole request as one JSON object. generate: {"model", "system", "messages" [{"role", "content"}], "max_tokens",
 * "sources" [{"n", "title", "uri", "text"}], "temperature", "provider_options"}; embed: {"purpose", "texts"}; search, upsert, remove: {"collection", "scope",
 * "limit", "ids"} (vectors by accessor only). Members that a reader does not know are to be ignored.
 * AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM.
 */
AIORCH_API aiorch_status aiorch_call_request_json(aiorch_call *call, const char **out, size_t *out_len);

/** generate: the model asked for. AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_STATE. */
AIORCH_API aiorch_status aiorch_call_model(const aiorch_call *call, const char **out, size_t *out_len);

/** generate: the system text, with the retrieved context in it. AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_STATE. */
AIORCH_API aiorch_status aiorch_call_system(const aiorch_call *call, const char **out, size_t *out_len);

/** generate: the number of messages after the system text. */
AIORCH_API size_t aiorch_call_message_count(const aiorch_call *call);

/** generate: message number `index`. AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_STATE. */
AIORCH_API aiorch_status aiorch_call_message(const aiorch_call *call, size_t index, int32_t *role, const char **out,
                                             size_t *out_len);

/** generate: the most tokens the answer may have. */
AIORCH_API int64_t aiorch_call_max_tokens(const aiorch_call *call);

/** embed: AIORCH_PURPOSE_*. */
AIORCH_API int32_t aiorch_call_purpose(const aiorch_call *call);

/** embed: the number of texts. */
AIORCH_API size_t aiorch_call_text_count(const aiorch_call *call);

/** embed: text number `index`. AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_STATE. */
AIORCH_API aiorch_status aiorch_call_text(const aiorch_call *call, size_t index, const char **out, size_t *out_len);

/** vector store: "chunks" or "cache". AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_STATE. */
AIORCH_API aiorch_status aiorch_call_collection(const aiorch_call *call, const char **out, size_t *out_len);

/** vector store: the number of vectors to put, ids to remove, or queries to answer. */
AIORCH_API size_t aiorch_call_vector_count(const aiorch_call *call);

/** upsert, search: vector number `index`, of unit length, and its dimensions. AIORCH_OK, AIORCH_E_INVALID, _STATE. */
AIORCH_API aiorch_status aiorch_call_vector(const aiorch_call *call, size_t index, const float **out,
                                            size_t *out_dimensions);

/** upsert, remove: id number `index`. AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_STATE. */
AIORCH_API aiorch_status aiorch_call_vector_id(const aiorch_call *call, size_t index, const char **out,
                                               size_t *out_len);

/** upsert: the scope of vector `index`; search: the scope of query `index`. AIORCH_OK, AIORCH_E_INVALID, _STATE. */
AIORCH_API aiorch_status aiorch_call_vector_scope(const aiorch_call *call, size_t index, const char **out,
                                                  size_t *out_len);

/** search: the most hits a query. */
AIORCH_API size_t aiorch_call_limit(const aiorch_call *call);

/* ---- calls: what a slot hands over ---------------------------------------------------------------------------------
 * All return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_CANCELLED (the run has gone on without this call),
 * AIORCH_E_STATE (finished already, or another kind of call), AIORCH_E_TOO_LARGE (above a named limit).
 * Input is copied.  Threads: any.  Since: 0.1 */

/** generate: the next piece of the answer, UTF-8, any size; a character may be split between two pieces. */
AIORCH_API aiorch_status aiorch_call_emit(aiorch_call *call, const char *text, size_t len);

/** generate, embed: tokens of one class (AIORCH_USAGE_*), 0 to 2^53, as the service counted them; the last one counts. */
AIORCH_API aiorch_status aiorch_call_put_usage(aiorch_call *call, int32_t usage_class, int64_t tokens);

/**
 * generate: a tool that the model wants called, whole; the library never calls one.
 *
 * @param id         the service's own, at most 255 bytes; may be empty.
 * @param name       of a tool that was offered, 1 to 255 bytes.
 * @param arguments  one JSON object as the model wrote it; empty means {}.
 * At most 128 an answer, and 32 MiB. The finish reason becomes TOOL_CALLS unless another one is put.
 */
AIORCH_API aiorch_status aiorch_call_put_tool_call(aiorch_call *call, const char *id, size_t id_len, const char *name,
                                                   size_t name_len, const char *arguments, size_t arguments_len);

/** generate: why the answer ended (AIORCH_FINISH_*); STOP when never said, TOOL_CALLS after a tool call. */
AIORCH_API aiorch_status aiorch_call_put_finish_reason(aiorch_call *call, int32_t finish_reason);

/** generate: the stop sequence that ended the answer, 1 to 255 bytes; one that was not asked for is passed over. */
AIORCH_API aiorch_status aiorch_call_put_stop_sequence(aiorch_call *call, const char *text, size_t len);

/** generate, embed: the model that did answer, when it is not the one asked for; at most 255 bytes. */
AIORCH_API aiorch_status aiorch_call_put_model(aiorch_call *call, const char *model, size_t len);

/** generate, embed: the service's own id of the request; at most 255 bytes. */
AIORCH_API aiorch_status aiorch_call_put_request_id(aiorch_call *call, const char *id, size_t len);

/**
 * embed: all vectors, row by row: `count` rows of `dimensions` floats, in the order of the texts. They need not be of
 * unit length; a NaN, an infinity or a zero vector is AIORCH_E_INVALID.
 *
 * @param truncated  how many of the texts were cut to the model's length.
 */
AIORCH_API aiorch_status aiorch_call_put_vectors(aiorch_call *call, const float *vectors, size_t count,
                                                 size_t dimensions, size_t truncated);

/** search: a hit of query number `query`: an id and its cosine similarity, best first. */
AIORCH_API aiorch_status aiorch_call_put_hit(aiorch_call *call, size_t query, const char *id, size_t len,
                                             double similarity);

/**
 * Says why the call will fail: a message for people (one line, no secrets), the HTTP status (0 none) and after how many
 * milliseconds a new try may succeed (-1 unknown). Call it before aiorch_call_finish with an error.
 */
AIORCH_API aiorch_status aiorch_call_put_error(aiorch_call *call, const char *message, size_t len, int32_t http_status,
                                               int64_t retry_after_ms);

/**
 * Ends the call, exactly once, from any thread.
 *
 * @param status  AIORCH_OK, or an error: AIORCH_E_NETWORK ... AIORCH_E_RESPONSE for providers; others as they fit.
 * @return AIORCH_OK; AIORCH_E_STATE when it was finished before (nothing changes, and it is logged);
 *         AIORCH_E_CANCELLED when the run has gone on without it (the call is ended all the same); AIORCH_E_INVALID.
 * Ownership: the slot's claim on the call ends here.  Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_call_finish(aiorch_call *call, aiorch_status status);

/** Keeps a call usable beyond its finish, until aiorch_call_release. Returns the call; NULL when it is gone already or no
 *  call. Threads: any. Since: 0.1 */
AIORCH_API aiorch_call *aiorch_call_retain(aiorch_call *call);

/** Gives back what aiorch_call_retain took. Threads: any. Since: 0.1 */
AIORCH_API void aiorch_call_release(aiorch_call *call);

#ifdef __cplusplus
}
#endif
#endif
