/* The knowledge ops of the PostgreSQL store. */
#include "stores/postgres_private.h"

const aio__knowledge_ops aio__pg_knowledge_ops = {0};
