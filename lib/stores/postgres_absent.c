/* In place of the other postgres*.c in a build without libpq. */
#include <string.h>

#include "stores/store.h"

bool aio__store_is_postgres(const char *setting) {
  return strncmp(setting, "postgresql://", 13) == 0 || strncmp(setting, "postgres://", 11) == 0;
}

aiorch_status aio__store_postgres_open(const aio__store_env *env, const char *url, aio__store **out, aiorch_error *error) {
  (void)env;
  (void)url;
  (void)out;
  return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                        "this libaiorch was built without PostgreSQL (AIORCH_WITH_POSTGRES): set \"store\" to a folder");
}

aiorch_status aio__store_postgres_migrate(const aio__store_env *env, const char *url, int64_t to, int32_t mode, int64_t deadline_ns,
                                          aio__json_writer *report, aiorch_error *error) {
  (void)to;
  (void)mode;
  (void)deadline_ns;
  (void)report;
  return aio__store_postgres_open(env, url, NULL, error);
}

aiorch_status aio__store_postgres_indexes(const aio__store_env *env, const char *url, int32_t mode, int64_t deadline_ns,
                                          aio__json_writer *report, aiorch_error *error) {
  (void)mode;
  (void)deadline_ns;
  (void)report;
  return aio__store_postgres_open(env, url, NULL, error);
}

aiorch_status aio__store_postgres_import(const aio__store_env *env, const char *url, aio__str request, int64_t deadline_ns,
                                         aio__json_writer *report, aiorch_error *error) {
  (void)request;
  (void)deadline_ns;
  (void)report;
  return aio__store_postgres_open(env, url, NULL, error);
}
