/* Data files that the build puts into the library (cmake/embed.cmake). */
#ifndef AIO_CORE_DATA_H
#define AIO_CORE_DATA_H

#include <stddef.h>

/* A file, packed (text/unpack.h): it is read once, when a handle is opened. Those of a folder are packed together, since they say much
 * the same, and lie behind one another in what is unpacked. */
typedef struct aio__packed {
  const char *name; /* "0001_knowledge.sql" */
  const char *bytes;
  size_t packed_len, len;
  size_t from, all; /* where it begins in all that the bytes unpack to */
} aio__packed;

extern const aio__packed aio__data_input_rules;      /* lib/guard/input_rules.json */
extern const aio__packed aio__data_output_rules;     /* lib/guard/output_rules.json */
extern const aio__packed aio__data_hit_guard;        /* lib/guard/hit_guard.json */
extern const aio__packed aio__data_tier_rules;       /* lib/generate/tier_rules.json */
extern const aio__packed aio__data_prices;           /* lib/cost/prices.json */
extern const aio__packed aio__data_sqlite_knowledge[]; /* sql/sqlite/knowledge/NNNN_*.sql in order; ends with name NULL */
extern const aio__packed aio__data_sqlite_ledger[];    /* sql/sqlite/ledger/NNNN_*.sql */
extern const aio__packed aio__data_postgres[];         /* sql/postgres/NNNN_*.sql, in a build with PostgreSQL */

#endif
