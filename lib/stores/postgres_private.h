/*
 * Inside the PostgreSQL store: the step, in which all work is done; the pool of connections that carries steps; what errors mean.
 *
 * A step is one transaction of a few statements, sent as one pipeline, in one round trip:
 *
 *   BEGIN [READ ONLY]; role, tenant, search_path and statement_timeout by set_config(..., true); the statements; COMMIT; sync
 *
 * Nothing of it stays in the session: it runs behind a pooler in transaction mode, and a connection that comes back is as it was.
 * All statements are on their way before the first result comes, so what must not be committed has to be refused by the SQL itself.
 *
 * An op of store.h is one function. A whole one:
 *
 *   struct counted { uint64_t *out; uint64_t n; };
 *
 *   static aiorch_status read_count(const aio__pg_rows *rows, aio__op *op, void *ctx) {
 *     ((struct counted *)ctx)->n = (uint64_t)aio__pg_get_i64(rows, 0, 0);
 *     return AIORCH_OK;
 *   }
 *
 *   static aiorch_status give_count(aio__op *op, void *ctx) {
 *     const struct counted *c = ctx;
 *     *c->out = c->n;
 *     return AIORCH_OK;
 *   }
 *
 *   static aiorch_status count_documents(aio__store *store, aio__op *op, aio__str tenant, int64_t since_ms, uint64_t *out) {
 *     struct counted c = {.out = out};
 *     aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_READ, &c, sizeof c, give_count);
 *     aio__pg_sql(step, "SELECT count(*) FROM documents WHERE updated_ms >= $1", read_count);
 *     aio__pg_i64(step, since_ms);
 *     return aio__pg_step_start(step);
 *   }
 *
 * Row-level security sees to the tenant; statements name it all the same ($n or current_setting('aiorch.tenant')), so that an index
 * serves them. Tables and functions need no schema before them: search_path has the store's and that of pgvector, pg_catalog comes first.
 *
 * Values travel in binary both ways. What a statement gives must be int2, int4, int8, float4, float8, bool, text and its kin, bytea,
 * uuid, or real[]: cast numeric to bigint (sum() of a bigint is numeric), jsonb to text, vectors to real[] in the SQL.
 *
 * libpq is known to postgres_connect.c and postgres_step.c alone.
 */
#ifndef AIO_STORES_POSTGRES_PRIVATE_H
#define AIO_STORES_POSTGRES_PRIVATE_H

#include "net/io_thread.h"
#include "stores/store.h"

enum {
  AIO__PG_STATEMENTS_MAX = 4096,      /* a step */
  AIO__PG_PARAMETERS_MAX = 64,        /* a statement */
  AIO__PG_ARRAY_BYTES_MAX = 1 << 28,  /* of one array that is a parameter */
  AIO__PG_RESULT_BYTES_MAX = 1 << 30, /* of one result */
  AIO__PG_TRIES_MAX = 5,              /* of one step, within its deadline */
  AIO__PG_WAITING_MAX = 65536,        /* steps that wait for a connection */
  AIO__PG_TOGETHER_MAX = 64           /* steps that travel as one */
};

typedef struct aio__pg_store aio__pg_store;
typedef struct aio__pg_step aio__pg_step;
typedef struct aio__pg_rows aio__pg_rows; /* what one statement gave; lives during its decode alone */

/* ---- a step: postgres_params.c --------------------------------------------------------------------------------------------- */

enum {
  AIO__PG_READ = 1,   /* READ ONLY */
  AIO__PG_WRITE = 2,
  AIO__PG_LOOSE = 4,  /* with WRITE: commits without waiting for the disk of the server (admissions, pending rows; never money) */
  AIO__PG_LONG = 8,   /* takes as long as the op allows; the others at most "postgres.timeout_ms" */
  AIO__PG_OWN = 16,   /* as the login itself, without role and tenant: for migrations */
  AIO__PG_MONEY = 32  /* with WRITE: a deadline that has passed before the start is put off by "postgres.timeout_ms" */
};

/*
 * Reads what one statement gave, on the I/O thread, once for each try, in the order of the statements: copies what it wants into the
 * caller's arena and the ctx; must not wait. An error (with words in op->error) ends the op with it once the transaction has ended;
 * it takes nothing back.
 */
typedef aiorch_status (*aio__pg_decode)(const aio__pg_rows *rows, aio__op *op, void *ctx);

/*
 * Hands the results over: called once, on the I/O thread, after the COMMIT, unless something failed. What it returns is how the op ends
 * (AIORCH_E_NOT_FOUND and its like, with words in op->error). It may start another step for the same op and return what that returns:
 * then the op ends with that one.
 */
typedef aiorch_status (*aio__pg_finish)(aio__op *op, void *ctx);

/*
 * A step for an op that is being started. `flags`: one of READ and WRITE, and what comes on top. `ctx` is copied, and from that copy
 * again before each try: decode and finish get the copy of their try. `finish` may be NULL. `tenant` is empty with OWN only.
 *
 * NULL when there is no memory: all functions below take that, and aio__pg_step_start says so.
 */
aio__pg_step *aio__pg_step_new(aio__store *store, aio__op *op, aio__str tenant, int flags, const void *ctx, size_t ctx_size,
                               aio__pg_finish finish);

/*
 * Starts the step and takes it over: AIORCH_PENDING, or an error (then the op has ended, with words). What went wrong while it was put
 * together (memory, a limit) comes out here.
 *
 * Tried again within the op's deadline, with jitter: a serialization failure, a deadlock, a connection that is lost. When it was lost
 * with the COMMIT under way nobody knows whether it happened, and it is tried again, too: so every write must be one that changes
 * nothing when it is repeated (by id: ON CONFLICT DO NOTHING and the like).
 *
 * Ends with AIORCH_E_DEADLINE by op->deadline_ns. "postgres.timeout_ms" earlier, and a server that cannot be reached, is
 * AIORCH_E_STORE_DOWN. aio__pg_fail says what the server's own errors become.
 */
aiorch_status aio__pg_step_start(aio__pg_step *step);

/*
 * Steps that may travel together: where several of one tenant with the same `gather` and flags wait for a connection at the same time, it is
 * called to put the statements of all of them into `whole`, which copies what it is given; the contexts of the parts are as they were given
 * (aio__pg_step_ctx). Each part ends with its own finish. When the server refuses something, each is sent by itself; one that is alone is sent
 * as it was put together. For calls that would wait for each other's locks, or for the same disk.
 */
typedef void (*aio__pg_gather)(aio__pg_step *whole, aio__pg_step *const *parts, size_t count);
void aio__pg_step_gathers(aio__pg_step *step, aio__pg_gather gather);
void *aio__pg_step_ctx(const aio__pg_step *step);
/* The statements that follow are those of one part (from 0): their decode gets its context, unless nobody waits for it any more. */
void aio__pg_step_part(aio__pg_step *whole, size_t part);
/* For statements of all: the context of part `part`. NULL: there is none, or nobody waits for it any more. */
void *aio__pg_part_ctx(const aio__pg_rows *rows, int64_t part);
size_t aio__pg_parts(const aio__pg_rows *rows);

/* Memory that lives as long as the step: for arguments that must be put together. NULL: none. */
void *aio__pg_step_alloc(aio__pg_step *step, size_t size);
/* An error found while the arguments were put together, with words in op->error: the step will not be sent. */
void aio__pg_step_refuse(aio__pg_step *step, aiorch_status status);

/* The next statement: one, with $1, $2, ...; its text lives as long as the library or the step. `decode` NULL: what it gives is dropped. */
void aio__pg_sql(aio__pg_step *step, const char *sql, aio__pg_decode decode);

/* The next parameter of the statement, or the next item of the array that was begun. Bytes are borrowed until the op has ended. */
void aio__pg_text(aio__pg_step *step, aio__str text);  /* text */
void aio__pg_bytea(aio__pg_step *step, aio__str bytes);
void aio__pg_uuid(aio__pg_step *step, aio__str id);    /* what is no UUID is NULL, which is equal to none */
void aio__pg_i64(aio__pg_step *step, int64_t value);   /* bigint */
void aio__pg_i32(aio__pg_step *step, int32_t value);   /* integer */
void aio__pg_f64(aio__pg_step *step, double value);    /* double precision */
void aio__pg_bool(aio__pg_step *step, bool value);
void aio__pg_null(aio__pg_step *step);                 /* of the type that the statement wants: write $n::type where it cannot be told */
/* real[]: write $n::real[]::halfvec, or slice several vectors out of one: ($n::real[])[(i-1)*d+1 : i*d]::halfvec. */
void aio__pg_floats(aio__pg_step *step, const float *values, size_t count);

typedef enum aio__pg_type {
  AIO__PG_BOOL = 16, AIO__PG_BYTEA = 17, AIO__PG_INT8 = 20, AIO__PG_INT4 = 23, AIO__PG_TEXT = 25, AIO__PG_FLOAT4 = 700,
  AIO__PG_FLOAT8 = 701, AIO__PG_UUID = 2950
} aio__pg_type; /* their numbers in pg_type, which never change */

/* Begins a parameter that is an array for unnest($n::type[]) and = ANY($n::type[]): exactly `count` calls of the function of its type,
 * or aio__pg_null, come next. */
void aio__pg_array(aio__pg_step *step, aio__pg_type type, size_t count);
/* The same for what lies in an array of texts. */
void aio__pg_texts(aio__pg_step *step, const aio__str *texts, size_t count);
void aio__pg_uuids(aio__pg_step *step, const aio__str *ids, size_t count);

/* ---- what came: postgres_step.c ----------------------------------------------------------------------------------------------- */

size_t aio__pg_count(const aio__pg_rows *rows);    /* rows given */
int64_t aio__pg_changed(const aio__pg_rows *rows); /* rows inserted, changed or removed by it */
bool aio__pg_is_null(const aio__pg_rows *rows, size_t row, size_t column);
/* Of NULL: 0, false, the empty text. A row, column or type that is not there makes the step fail with AIORCH_E_INTERNAL. */
int64_t aio__pg_get_i64(const aio__pg_rows *rows, size_t row, size_t column); /* int2, int4, int8 */
double aio__pg_get_f64(const aio__pg_rows *rows, size_t row, size_t column);  /* float4, float8 */
bool aio__pg_get_bool(const aio__pg_rows *rows, size_t row, size_t column);
aio__str aio__pg_get_bytes(const aio__pg_rows *rows, size_t row, size_t column); /* text and bytea, borrowed during decode */
void aio__pg_get_uuid(const aio__pg_rows *rows, size_t row, size_t column, char out[AIO__UUID_LEN + 1]);
/* Copies text or bytea; false: no memory. */
bool aio__pg_copy(const aio__pg_rows *rows, size_t row, size_t column, aio__arena *arena, aio__str *out);
/* real[] into the arena: *out NULL and *count 0 for NULL; false: no memory. Arrays with NULLs in them are AIORCH_E_INTERNAL. */
bool aio__pg_get_floats(const aio__pg_rows *rows, size_t row, size_t column, aio__arena *arena, float **out, size_t *count);

/* ---- errors: postgres_errors.c -------------------------------------------------------------------------------------------------- */

/* "out of memory", as a status. */
aiorch_status aio__pg_nomem(aiorch_error *error);

/* What the server said about a statement, or about a connection. All may be empty. */
typedef struct aio__pg_report {
  char state[6]; /* SQLSTATE */
  aio__str message, detail, hint, table, constraint;
} aio__pg_report;

/*
 * The status and the words for it: what is wrong, where (place: host and database without a password), and what to do.
 *
 *   40001, 40P01, 55P03       AIORCH_E_STORE_DOWN   after the last try: others write the same rows
 *   53300, 57P0x, 08xxx       AIORCH_E_STORE_DOWN   no connection to be had, shutting down, lost
 *   57014                     AIORCH_E_STORE_DOWN   its statement_timeout
 *   53100                     AIORCH_E_STORE_FULL
 *   25006                     AIORCH_E_STORE_READ_ONLY
 *   28xxx                     AIORCH_E_STORE        the login
 *   42501                     AIORCH_E_STORE        a right that is missing; names the role
 *   3F000, 42P01, 42883, ...  AIORCH_E_STORE_CORRUPT  no such table or function: `aiorch migrate`
 *   22xxx                     AIORCH_E_INVALID      a value that PostgreSQL does not take
 *   53200, 54xxx              AIORCH_E_TOO_LARGE
 *   XX001, XX002              AIORCH_E_STORE_CORRUPT
 *   anything else             AIORCH_E_STORE
 */
aiorch_status aio__pg_fail(const aio__pg_store *store, const aio__pg_report *report, aiorch_error *error);
/* Would the same statements, sent once more, have a chance? */
bool aio__pg_may_retry(const char state[6]);

/* ---- the store: postgres.c -------------------------------------------------------------------------------------------------------- */

/* Is the now_ms of the caller what counts for limits and leases ("postgres.clock")? Else it is the server's clock. */
bool aio__pg_caller_clock(const aio__store *store);
/* Are limits on runs kept in the one-row form ("postgres.limiter")? */
bool aio__pg_counts_by_rate(const aio__store *store);

extern const aio__knowledge_ops aio__pg_knowledge_ops;
extern const aio__cache_ops aio__pg_cache_ops;
extern const aio__ledger_ops aio__pg_ledger_ops;

#endif
