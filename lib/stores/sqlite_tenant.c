/* The row that each tenant has in knowledge.db: its number, and what it has in all. */
#include <string.h>

#include "stores/sqlite_private.h"

/* A damaged file can say anything; what is added to, shifted and compared from here on must not pass the range. */
static bool is_sane(const aio__sq_tenant *row, const int64_t *const *fields, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (*fields[i] > INT64_MAX / 4 || *fields[i] < INT64_MIN / 4) return false;
  return row->no >= 0 && row->no <= AIO__SQ_TENANTS_MAX && row->next_chunk >= 0 &&
         row->next_chunk < (int64_t)1 << AIO__SQ_TENANT_SHIFT;
}

static aiorch_status read_row(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_tenant *out) {
  sqlite3_stmt *stmt = NULL;
  memset(out, 0, sizeof *out);
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_TENANT, &stmt, "s", tenant);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  int64_t *fields[] = {&out->no,          &out->next_chunk,   &out->chunks,     &out->words,
                             &out->knowledge,   &out->knowledge_ms, &out->cache_rows, &out->cache_bytes,
                             &out->cache_clock, &out->documents,    &out->text_bytes};
  size_t count = sizeof fields / sizeof fields[0];
  for (size_t i = 0; i < count; i++) *fields[i] = sqlite3_column_int64(stmt, (int)i);
  aio__sq_reset(stmt);
  if (is_sane(out, (const int64_t *const *)fields, count)) return AIORCH_OK;
  memset(out, 0, sizeof *out);
  return aio__sq_fail_code(conn->owner->path, NULL, SQLITE_CORRUPT, error);
}

/* A run asks for it three times, and answers are kept many at once: it is read again when something was written, by this
 * connection or another, or a transaction was rolled back. */
aiorch_status aio__sq_tenant_get(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_tenant *out) {
  aio__sq_kept_tenant *kept = &conn->tenant;
  int64_t version = aio__sq_data_version(conn);
  int changes = sqlite3_total_changes(conn->db);
  bool is_it = kept->known && kept->version == version && kept->changes == changes &&
               aio__str_eq(aio__str_n(kept->name, kept->n), tenant);
  if (is_it) {
    *out = kept->row;
    return AIORCH_OK;
  }
  kept->known = false;
  aiorch_status status = read_row(conn, error, tenant, out);
  if (status != AIORCH_OK || version < 0 || tenant.n > sizeof kept->name) return status;
  *kept = (aio__sq_kept_tenant){.known = true, .version = version, .changes = changes, .n = tenant.n, .row = *out};
  if (tenant.n > 0) memcpy(kept->name, tenant.p, tenant.n);
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
