/*
 * libaiorch - configuration and the life of an orchestrator.
 *
 * Settings have a key ("cache.ttl_s"), a type, a default and a range. docs/configuration.md lists them all; so does
 * aiorch_config_describe. Providers have settings of their own, "providers.NAME.KEY"; setting one makes the provider.
 * An unknown key, a value of another type or out of range is an error that names the key, the
 * place and the nearest valid key; nothing is set then.
 */
#ifndef AIORCH_CONFIG_H
#define AIORCH_CONFIG_H

#include <aiorch/types.h>
#include <aiorch/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The type of a setting. */
enum { AIORCH_TYPE_STR = 1, AIORCH_TYPE_I64 = 2, AIORCH_TYPE_F64 = 3, AIORCH_TYPE_BOOL = 4 };

/**
 * Makes a configuration with every setting at its default.
 *
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM.
 * Ownership: the caller frees it with aiorch_config_free, also after aiorch_open.  Threads: one at a time.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_config_new(aiorch_config **out);

/**
 * The same with an allocator for this configuration, the orchestrator opened from it, and all that hangs on that.
 *
 * @param allocator  copied; NULL means malloc, realloc, free.
 * @return as aiorch_config_new; AIORCH_E_INVALID also for a struct_size or a function that is missing.
 * Threads: one at a time; the allocator's functions from any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_config_new_with(const aiorch_allocator *allocator, aiorch_config **out);

/** Frees a configuration and the plug-ins on it that no orchestrator took over. Since: 0.1 */
AIORCH_API void aiorch_config_free(aiorch_config *config);

/**
 * Sets a text setting.
 *
 * @param key    NUL-terminated.
 * @param value  `len` bytes of UTF-8, copied; may hold ${NAME}, replaced from the environment at once ("$${" is a
 *               literal "${"). At most 1 MiB.
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_CONFIG_KEY, _TYPE, _RANGE, _ENV.
 * Threads: one at a time.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_config_set_str(aiorch_config *config, const char *key, const char *value, size_t len,
                                               aiorch_error *error);

/** Sets an integer setting; errors as aiorch_config_set_str. Since: 0.1 */
AIORCH_API aiorch_status aiorch_config_set_i64(aiorch_config *config, const char *key, int64_t value,
                                               aiorch_error *error);

/** Sets a number setting; NaN and infinities are out of range; errors as aiorch_config_set_str. Since: 0.1 */
AIORCH_API aiorch_status aiorch_config_set_f64(aiorch_config *config, const char *key, double value,
                                               aiorch_error *error);

/** Sets a yes/no setting; any value but 0 means yes; errors as aiorch_config_set_str. Since: 0.1 */
AIORCH_API aiorch_status aiorch_config_set_bool(aiorch_config *config, const char *key, int32_t value,
                                                aiorch_error *error);

/**
 * Sets what a JSON text says: an object whose members are keys, written flat ("cache.ttl_s": 60) or nested
 * ("cache": {"ttl_s": 60}). All of it is checked before any of it is set. A key that comes twice, a trailing comma, and
 * a depth above 32 are errors. A member "server", or members "server.NAME", are a host's own (aiorch serve has its settings there) and
 * are passed over. At most 4 MiB.
 *
 * @param name  how errors call the text, for example its file name; NULL means "configuration".
 * @return as aiorch_config_set_str, and AIORCH_E_CONFIG_SYNTAX, AIORCH_E_TOO_LARGE.
 * Threads: one at a time.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_config_load_json(aiorch_config *config, const char *json, size_t len, const char *name,
                                                 aiorch_error *error);

/**
 * Reads a JSON file and sets what it says; see aiorch_config_load_json.
 *
 * @return as aiorch_config_load_json; AIORCH_E_NOT_FOUND or AIORCH_E_SYSTEM when the file cannot be read.
 * Threads: one at a time.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_config_load_file(aiorch_config *config, const char *path, aiorch_error *error);

/**
 * Sets what the environment says: AIORCH_CONFIG (a file, read first), AIORCH_STORE, AIORCH_TENANCY, AIORCH_DEADLINE_MS,
 * AIORCH_EMBEDDER, AIORCH_EMBEDDER_MODEL; and providers, in this order: "anthropic" from ANTHROPIC_API_KEY
 * (ANTHROPIC_BASE_URL), "openai" from OPENAI_API_KEY or OPENAI_BASE_URL, "gemini" from GEMINI_API_KEY or GOOGLE_API_KEY
 * (GOOGLE_GEMINI_BASE_URL), "ollama" from OLLAMA_HOST (OLLAMA_API_KEY). Of these nothing replaces what the file says.
 * "generate.extractive_last" is switched on, unless the file says something else. An embedding service that was named
 * (AIORCH_EMBEDDER, the file, a setting before this call) finds its key in HF_TOKEN, OPENAI_API_KEY or OLLAMA_API_KEY.
 * Nothing is probed and nothing that costs money is switched on without a key that the user has set.
 *
 * @return as aiorch_config_load_file.
 * Threads: one at a time, and nobody changes the environment meanwhile.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_config_from_env(aiorch_config *config, aiorch_error *error);

/**
 * The value of a setting as text: numbers in decimal, "true" or "false" for yes/no; of a secret "(set)", or nothing when
 * it is not. "providers" gives the names of the providers of which something was set, separated by commas;
 * "providers.NAME.KEY", with that very NAME, the default.
 *
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_CONFIG_KEY.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: one at a time.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_config_get(const aiorch_config *config, const char *key, aiorch_text **out,
                                           aiorch_error *error);

/**
 * Describes setting number `index`, counted from 0, as one JSON object: {"key", "type" str|i64|f64|bool, "default",
 * "min", "max", "values" [...], "per_run", "secret", "help"} with those members that apply. The settings of a provider come
 * once, with "NAME" in the place of its name.
 *
 * @return AIORCH_OK; AIORCH_DONE past the last; AIORCH_E_INVALID, AIORCH_E_NOMEM.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_config_describe(size_t index, aiorch_text **out);

/**
 * Opens an orchestrator: checks the settings together, opens the store (creating it when it is not there), and takes
 * the plug-ins over from the configuration. Without a provider plug-in, `extractive` answers.
 *
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_CONFIG, AIORCH_E_SYSTEM, AIORCH_E_STORE and its kind;
 *         AIORCH_E_STATE when an orchestrator has taken this configuration's plug-ins already. After an error the
 *         plug-ins are still the configuration's.
 * Ownership: the caller ends it with aiorch_close and aiorch_free.  Threads: one at a time a configuration.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_open(aiorch_config *config, aiorch **out, aiorch_error *error);

/** What aiorch_migrate is to do. */
enum {
  AIORCH_MIGRATE_APPLY = 0,
  AIORCH_MIGRATE_DRY_RUN = 1, /**< the report has the SQL that would be run */
  AIORCH_MIGRATE_STATUS = 2   /**< the report alone */
};

/**
 * Brings the schema of the configuration's PostgreSQL store to a version, each migration in a transaction of its own; what is applied
 * already stays. Several may try at once: one does it, the others wait. Other stores see to themselves in aiorch_open.
 *
 * @param to    the version to reach; 0 is the newest that this library knows. There is no way back.
 * @param mode  AIORCH_MIGRATE_*.
 * @param out   {"store", "schema", "version" (of the schema, 0 where there is none), "known" (the newest), "applied_now" (how many were
 *              applied by this call), "migrations": [{"version", "name", "state" applied|pending, "applied_at", "sql" (a dry run)}]}.
 * @return AIORCH_OK; AIORCH_E_INVALID for a version that is not known or lies behind; AIORCH_E_UNSUPPORTED when the store is no
 *         PostgreSQL, or this library was built without; AIORCH_E_CONFIG, AIORCH_E_NOMEM, AIORCH_E_DEADLINE, AIORCH_E_STORE and its kind.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: one at a time a configuration; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_migrate(const aiorch_config *config, int64_t to, int32_t mode, int64_t timeout_ms, aiorch_text **out,
                                        aiorch_error *error);

/** What aiorch_vector_indexes is to do. */
enum {
  AIORCH_INDEXES_STATUS = 0, /**< the report alone */
  AIORCH_INDEXES_MAKE = 1    /**< makes the indexes that are wanted; takes minutes for a million vectors, and nobody waits for it */
};

/**
 * Says how a PostgreSQL store searches vectors, and makes the index of each embedding model that is worth one: of which a tenant has more
 * than "exact_up_to" vectors (up to there they are compared one by one, which is exact). The login has to be one that may migrate. What is
 * broken off leaves searches as they were and is made up for by the next call.
 *
 * @param mode  AIORCH_INDEXES_*.
 * @param out   {"store", "schema", "pgvector" (its version), "pgvector_defects" (what is wrong with it; null: nothing known),
 *              "exact_up_to", "may_build" (is this login one that may), "models" (null where it may not): [{"model", "dimensions", "vectors",
 *              "largest_tenant" (vectors of the tenant that has most), "index" none|valid|building|broken, "wanted", "made_now", "search" (of
 *              such a tenant) exact|index}], "progress" (of the index that is being made: {"phase", "done", "total"} in blocks of the
 *              table, else null)}. Members are only ever added.
 * @return AIORCH_OK; AIORCH_E_UNSUPPORTED when the store is no PostgreSQL, or this library was built without; AIORCH_E_INVALID,
 *         AIORCH_E_CONFIG, AIORCH_E_NOMEM, AIORCH_E_DEADLINE, AIORCH_E_STORE and its kind.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: several at once with one configuration that nobody changes; blocks.
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_vector_indexes(const aiorch_config *config, int32_t mode, int64_t timeout_ms, aiorch_text **out,
                                               aiorch_error *error);

/**
 * Refuses new runs and calls from now on, cancels the runs that are under way, and waits until what they have spent is
 * in the store.
 *
 * @param timeout_ms  how long to wait; 0 does not wait.
 * @return AIORCH_OK when all is settled; AIORCH_AGAIN when not yet: call again; AIORCH_E_INVALID, AIORCH_E_FORKED,
 *         AIORCH_E_REENTRANT.
 * Threads: any, not inside a callback.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_close(aiorch *orch, int64_t timeout_ms);

/**
 * Gives the handle back. Runs hold it too: when the last of them is gone, the store is closed, the library's threads are
 * joined and every plug-in's `destroy` is called exactly once; no call of a plug-in may be used after its destroy.
 * In a forked child it frees nothing and closes nothing.
 *
 * @return AIORCH_OK (also for NULL); AIORCH_E_REENTRANT inside a callback of this orchestrator: nothing was freed.
 * Threads: any, once.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_free(aiorch *orch);

#ifdef __cplusplus
}
#endif
#endif
