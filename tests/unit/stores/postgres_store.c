/* A PostgreSQL store opened by a test: it is included, not compiled by itself. */
#include "stores/postgres_server.c"

__attribute__((unused)) static void set_text(fixture *f, const char *key, const char *value) {
  assert_int_equal(aio__options_set_plain(&f->options, aio__str_z(key), aio__str_z(value), &f->call.op.error), AIORCH_OK);
}

static aiorch_status open_url(fixture *f, const char *url) {
  f->store = NULL;
  return aio__store_postgres_open(&f->env, url, &f->store, &f->call.op.error);
}

static void close_store(fixture *f) {
  if (f->store != NULL) f->store->close(f->store);
  f->store = NULL;
}
