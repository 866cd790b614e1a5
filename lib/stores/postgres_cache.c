/* The cache ops of the PostgreSQL store. */
#include "stores/postgres_private.h"

const aio__cache_ops aio__pg_cache_ops = {0};
