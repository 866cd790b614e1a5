/* The row that each tenant has in knowledge.db: its number, and what it has in all. */
#include <string.h>

#include "stores/sqlite_private.h"

aiorch_status aio__sq_tenant_get(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_tenant *out) {
  sqlite3_stmt *stmt = NULL;
  memset(out, 0, sizeof *out);
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_TENANT, &stmt, "s", tenant);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  int64_t *const fields[] = {&out->no,          &out->next_chunk,   &out->chunks,     &out->words,
                             &out->knowledge,   &out->knowledge_ms, &out->cache_rows, &out->cache_bytes,
                             &out->cache_clock, &out->documents,    &out->text_bytes};
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) *fields[i] = sqlite3_column_int64(stmt, (int)i);
  aio__sq_reset(stmt);
  return AIORCH_OK;
}

aiorch_status aio__sq_tenant_make(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_tenant *out) {
  aiorch_status status = aio__sq_tenant_get(conn, error, tenant, out);
  if (status != AIORCH_OK || out->no != 0) return status;
  status = aio__sq_run(conn, error, AIO__SQ_TENANT_NEW, "s", tenant);
  if (status == AIORCH_OK) status = aio__sq_tenant_get(conn, error, tenant, out);
  if (status == AIORCH_OK && out->no >= AIO__SQ_TENANTS_MAX)
    return aio__error_set(error, AIORCH_E_TOO_LARGE, "%s has the most tenants that it can have (%d): use another store",
                          conn->owner->path, AIO__SQ_TENANTS_MAX);
  return status;
}
