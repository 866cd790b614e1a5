/* aiorch_migrate: the schema of a store that others share is changed by who is told to, not by who opens it. */
#include "api/config.h"
#include "core/json_writer.h"
#include "core/text_handle.h"
#include "stores/store.h"

enum { REPORT_MAX = 16 << 20 };

static aiorch_status check(const aiorch_config *config, int64_t to, int32_t mode, const void *out, aiorch_error *error) {
  aio__error_clear(error);
  if (aio__config_check(config) != AIORCH_OK || out == NULL)
    return aio__error_set(error, AIORCH_E_INVALID, "aiorch_migrate needs a configuration and a place for the report");
  if (to < 0 || mode < AIORCH_MIGRATE_APPLY || mode > AIORCH_MIGRATE_STATUS)
    return aio__error_set(error, AIORCH_E_INVALID, "aiorch_migrate: a version from 1 on or 0 for the newest, and a mode of AIORCH_MIGRATE_*");
  if (!aio__store_is_postgres(config->options.store))
    return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                          "\"store\" is no PostgreSQL (postgresql://...): it needs no migration, opening it does what is needed");
  return AIORCH_OK;
}

aiorch_status aiorch_migrate(const aiorch_config *config, int64_t to, int32_t mode, int64_t timeout_ms, aiorch_text **out,
                             aiorch_error *error) {
  aio__log *log = NULL;
  aio__buf buf;
  aio__json_writer w;
  aiorch_status status = check(config, to, mode, out, error);
  if (status == AIORCH_OK && (status = aio__log_new(&config->al, config->clock, NULL, NULL, &log)) != AIORCH_OK)
    (void)aio__error_set(error, status, "%s", aiorch_strerror(status));
  if (status != AIORCH_OK) return status;
  aio__store_env env = {.al = &config->al, .clock = config->clock, .log = log, .options = &config->options};
  aio__buf_init(&buf, &config->al, REPORT_MAX);
  aio__jw_init(&w, &buf);
  aio__jw_object(&w);
  status = aio__store_postgres_migrate(&env, config->options.store, to, mode,
                                       aio__clock_after_ms(config->clock, timeout_ms > 0 ? timeout_ms : 0), &w, error);
  aio__jw_object_end(&w);
  if (status == AIORCH_OK && (status = aio__text_from_buf(&buf, out)) != AIORCH_OK)
    (void)aio__error_set(error, status, "out of memory for the report");
  aio__buf_free(&buf);
  aio__log_free(log);
  return status;
}
