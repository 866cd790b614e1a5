/* aiorch_migrate, aiorch_vector_indexes, aiorch_import: what a store is made of that others share is changed by who is told to, not by who opens it. */
#include <aiorch/operate.h>

#include "api/config.h"
#include "core/json_writer.h"
#include "core/text_handle.h"
#include "stores/store.h"

enum { REPORT_MAX = 256 << 20, REQUEST_MAX = 1 << 20 };

/* What is asked of the store, by somebody who owns it. */
typedef struct task {
  const char *name;
  int32_t mode, mode_max;
  int64_t to;
  aio__str request; /* of an import, whose report is a value of its own */
  aiorch_status (*run)(const struct task *task, const aio__store_env *env, int64_t deadline_ns, aio__json_writer *w, aiorch_error *error);
} task;

static aiorch_status check(const aiorch_config *config, const task *t, const void *out, aiorch_error *error) {
  aio__error_clear(error);
  if (aio__config_check(config) != AIORCH_OK || out == NULL)
    return aio__error_set(error, AIORCH_E_INVALID, "%s needs a configuration and a place for the report", t->name);
  if (t->to < 0 || t->mode < 0 || t->mode > t->mode_max)
    return aio__error_set(error, AIORCH_E_INVALID, "%s: a mode from 0 to %d, and a version from 1 on or 0 for the newest", t->name,
                          (int)t->mode_max);
  if (!aio__store_is_postgres(config->options.store))
    return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                          "\"store\" is no PostgreSQL (postgresql://...): it needs no migration, opening it does what is needed");
  return AIORCH_OK;
}

static aiorch_status carry_out(const aiorch_config *config, const task *t, int64_t timeout_ms, aiorch_text **out, aiorch_error *error) {
  aio__log *log = NULL;
  aio__buf buf;
  aio__json_writer w;
  aiorch_status status = check(config, t, out, error);
  if (status == AIORCH_OK && (status = aio__log_new(&config->al, config->clock, NULL, NULL, &log)) != AIORCH_OK)
    (void)aio__error_set(error, status, "%s", aiorch_strerror(status));
  if (status != AIORCH_OK) return status;
  aio__store_env env = {.al = &config->al, .clock = config->clock, .log = log, .options = &config->options};
  aio__buf_init(&buf, &config->al, REPORT_MAX);
  aio__jw_init(&w, &buf);
  if (t->request.n == 0) aio__jw_object(&w);
  status = t->run(t, &env, aio__clock_after_ms(config->clock, timeout_ms > 0 ? timeout_ms : 0), &w, error);
  if (t->request.n == 0) aio__jw_object_end(&w);
  if (status == AIORCH_OK && (status = aio__text_from_buf(&buf, out)) != AIORCH_OK)
    (void)aio__error_set(error, status, "out of memory for the report");
  aio__buf_free(&buf);
  aio__log_free(log);
  return status;
}

static aiorch_status run_migrate(const task *t, const aio__store_env *env, int64_t deadline_ns, aio__json_writer *w, aiorch_error *error) {
  return aio__store_postgres_migrate(env, env->options->store, t->to, t->mode, deadline_ns, w, error);
}

static aiorch_status run_indexes(const task *t, const aio__store_env *env, int64_t deadline_ns, aio__json_writer *w, aiorch_error *error) {
  return aio__store_postgres_indexes(env, env->options->store, t->mode, deadline_ns, w, error);
}

aiorch_status aiorch_migrate(const aiorch_config *config, int64_t to, int32_t mode, int64_t timeout_ms, aiorch_text **out,
                             aiorch_error *error) {
  const task t = {.name = "aiorch_migrate", .mode = mode, .mode_max = AIORCH_MIGRATE_STATUS, .to = to, .run = run_migrate};
  return carry_out(config, &t, timeout_ms, out, error);
}

aiorch_status aiorch_vector_indexes(const aiorch_config *config, int32_t mode, int64_t timeout_ms, aiorch_text **out, aiorch_error *error) {
  const task t = {.name = "aiorch_vector_indexes", .mode = mode, .mode_max = AIORCH_INDEXES_MAKE, .run = run_indexes};
  return carry_out(config, &t, timeout_ms, out, error);
}

static aiorch_status run_import(const task *t, const aio__store_env *env, int64_t deadline_ns, aio__json_writer *w, aiorch_error *error) {
  return aio__store_postgres_import(env, env->options->store, t->request, deadline_ns, w, error);
}

aiorch_status aiorch_import(const aiorch_config *config, const char *request_json, size_t len, int64_t timeout_ms, aiorch_text **out,
                            aiorch_error *error) {
  const task t = {.name = "aiorch_import", .request = aio__str_n(request_json, len), .run = run_import};
  aio__error_clear(error);
  if (request_json == NULL || len == 0 || len > REQUEST_MAX)
    return aio__error_set(error, AIORCH_E_INVALID, "aiorch_import needs a request of at most %d bytes", REQUEST_MAX);
  return carry_out(config, &t, timeout_ms, out, error);
}
