/* The ledger ops of the PostgreSQL store. */
#include "stores/postgres_private.h"

const aio__ledger_ops aio__pg_ledger_ops = {0};
