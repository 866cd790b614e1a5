/* A store in a folder: opens and closes its two databases. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "stores/sqlite_private.h"

enum { KNOWLEDGE_ID = 0x41494f4b /* "AIOK" */, LEDGER_ID = 0x41494f4c /* "AIOL" */ };

static aiorch_status make_folder(const char *folder, aiorch_error *error) {
  struct stat info;
  if (mkdir(folder, 0700) == 0) return AIORCH_OK;
  int code = errno;
  if (stat(folder, &info) == 0) {
    if (S_ISDIR(info.st_mode)) return AIORCH_OK;
    return aio__error_set(error, AIORCH_E_STORE_CORRUPT,
                          "%s is a file, not the folder of a store: choose another place", folder);
  }
  if (code == EACCES || code == EROFS || code == EPERM)
    return aio__error_set(error, AIORCH_E_STORE_READ_ONLY, "the folder %s cannot be made: %s", folder, strerror(code));
  if (code == ENOSPC || code == EDQUOT)
    return aio__error_set(error, AIORCH_E_STORE_FULL, "no room to make the folder %s", folder);
  if (code == ENOENT || code == ENOTDIR)
    return aio__error_set(error, AIORCH_E_STORE, "the folder %s cannot be made: make its parent folder first", folder);
  return aio__error_set(error, AIORCH_E_STORE, "the folder %s cannot be made: %s", folder, strerror(code));
}

static char *join(const aio__alloc *al, const char *folder, const char *name) {
  size_t a = strlen(folder), b = strlen(name);
  char *path = aio__malloc(al, a + b + 2);
  if (path == NULL) return NULL;
  memcpy(path, folder, a);
  path[a] = '/';
  memcpy(path + a + 1, name, b + 1);
  return path;
}

static aiorch_status open_db(aio__sq_store *store, aio__sq_db *db, const char *name, const char *lock,
                             aiorch_error *error) {
  db->store = store;
  db->path = join(store->env.al, store->folder, name);
  db->lock_path = join(store->env.al, store->folder, lock);
  if (db->path == NULL || db->lock_path == NULL) return aio__sq_nomem(error);
  return aio__sq_db_open(db, error);
}

static void store_free(aio__store *base) {
  aio__sq_store *store = (aio__sq_store *)base;
  const aio__alloc *al = store->env.al;
  if (store->writer != NULL) aio__sq_puts_carry_out(store);
  aio__sq_writer_free(store->writer);
  aio__sq_puts_free(store);
  if (store->knowledge.synced && store->knowledge.writer != NULL) aio__sq_touches_flush(store);
  aio__sq_touches_free(store);
  aio__residents_free(&store->residents);
  aio__sq_db *const dbs[] = {&store->knowledge, &store->ledger};
  for (size_t i = 0; i < 2; i++) {
    aio__sq_db_close(dbs[i]);
    aio__free(al, dbs[i]->path);
    aio__free(al, dbs[i]->lock_path);
  }
  aio__free(al, store->folder);
  aio__free(al, store);
}

/* Runs that the ledger lets go on keep more answers: those that wait are better kept with them. */
static void flush(aio__store *base) {
  aio__sq_store *store = (aio__sq_store *)base;
  if (!aio__sq_writer_flush(store->writer)) aio__sq_puts_flush(store);
  if (aio__sq_merge_is_due(store)) aio__sq_writer_call_for_puts(store->writer);
}

static aiorch_status open_all(aio__sq_store *store, aiorch_error *error) {
  store->knowledge.application_id = KNOWLEDGE_ID;
  store->knowledge.migrations = aio__data_sqlite_knowledge;
  store->knowledge.sql = aio__sq_knowledge_statements;
  store->knowledge.statements = AIO__SQ_KNOWLEDGE_COUNT;
  /* Vectors are read by the hundred thousand, and a page of 4 KiB holds no more than two of the usual size. */
  store->knowledge.page_size = 8192;
  store->ledger.application_id = LEDGER_ID;
  store->ledger.migrations = aio__data_sqlite_ledger;
  store->ledger.sql = aio__sq_ledger_statements;
  store->ledger.statements = AIO__SQ_LEDGER_COUNT;
  store->ledger.page_size = 4096;
  if (pthread_mutex_init(&store->touches.mutex, NULL) != 0) return aio__sq_nomem(error);
  store->touches.synced = true;
  if (pthread_mutex_init(&store->puts.mutex, NULL) != 0) return aio__sq_nomem(error);
  store->puts.synced = true;
  aiorch_status status = aio__residents_init(&store->residents, &store->env, error);
  if (status == AIORCH_OK) status = make_folder(store->folder, error);
  if (status == AIORCH_OK) status = open_db(store, &store->ledger, "ledger.db", "ledger.lock", error);
  if (status == AIORCH_OK) status = open_db(store, &store->knowledge, "knowledge.db", "knowledge.lock", error);
  if (status == AIORCH_OK && aio__sq_writer_new(store, &store->writer) != AIORCH_OK) status = aio__sq_nomem(error);
  return status;
}

aiorch_status aio__store_sqlite_open(const aio__store_env *env, const char *folder, aio__store **out,
                                     aiorch_error *error) {
  aio__error_clear(error);
  if (!sqlite3_threadsafe())
    return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                          "this SQLite was built without threads: use another build of it");
  aio__sq_store *store = aio__calloc(env->al, 1, sizeof *store);
  if (store == NULL) return aio__sq_nomem(error);
  store->env = *env;
  store->folder = aio__strndup(env->al, folder, strlen(folder));
  aiorch_status status = store->folder != NULL ? open_all(store, error) : aio__sq_nomem(error);
  if (status != AIORCH_OK) {
    store_free(&store->head);
    return status;
  }
  store->head.kind = "sqlite";
  store->head.place = store->folder;
  store->head.knowledge = &aio__sq_knowledge_ops;
  store->head.cache = &aio__sq_cache_ops;
  store->head.ledger = &aio__sq_ledger_ops;
  store->head.flush = flush;
  store->head.close = store_free;
  *out = &store->head;
  return AIORCH_OK;
}
