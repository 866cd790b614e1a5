/*
 * Inside the SQLite store: databases, connections, statements and the errors they make.
 *
 * A database (aio__sq_db) has one connection that writes, handed to one thread after the other in the order of asking,
 * and a few that read. Around each write transaction the writer holds a shared OFD lock on a file beside the database,
 * and only who holds it exclusively runs a checkpoint: SQLite up to 3.51.2 may lose what one connection writes while
 * another resets the WAL.
 */
#ifndef AIO_STORES_SQLITE_PRIVATE_H
#define AIO_STORES_SQLITE_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "core/data.h"
#include "stores/fts_lists.h"
#include "stores/sqlite_statements.h"
#include "stores/store.h"
#include "stores/vector_resident.h"

enum {
  AIO__SQ_WRITER_PAGES_KIB = 8192,      /* that the connection keeps which writes; what others write empties it */
  AIO__SQ_READERS_MAX = 8,              /* connections a database that read at the same time */
  AIO__SQ_CHECKPOINT_BYTES = 1 << 25,   /* a checkpoint is due when the WAL has grown by so many */
  AIO__SQ_WAL_LARGE = 2,                /* from so many times that size on a checkpoint waits a little for others */
  AIO__SQ_PROGRESS_STEPS = 2000,        /* how often a statement looks at its deadline */
  AIO__SQ_PART_BYTES = 65536,           /* of a document's text in one row */
  AIO__SQ_DOCUMENT_BYTES_MAX = 1 << 28, /* as aiorch_document_set_text takes; also bounds its chunks and words */
  AIO__SQ_KEPT_TENANT_BYTES = 128, /* a tenant with a longer name is read each time */
  AIO__SQ_TENANT_SHIFT = 40,            /* chunk number = tenant's number << 40 | sequence */
  AIO__SQ_TENANTS_MAX = 1 << 22,
  AIO__SQ_TOUCHES_MAX = 256,     /* uses of cached answers that wait to be written */
  AIO__SQ_TOUCH_AFTER_MS = 1000, /* the longest that they wait while lookups go on */
  AIO__SQ_QUEUE_MAX = 65536,     /* ledger calls that wait for the writer */
  AIO__SQ_BATCH_MAX = 512,       /* of them in one transaction */
  AIO__SQ_QUEUE_BLOCK = 64,
  AIO__SQ_PRUNE_MAX = 16,  /* old admissions that go with each new one */
  AIO__SQ_RACE_MS = 60000 /* the longest that a call may wait for its turn at the ledger, in the eyes of the others */
};

typedef struct aio__sq_store aio__sq_store;
typedef struct aio__sq_db aio__sq_db;
typedef struct aio__sq_postings aio__sq_postings;

typedef struct aio__sq_known aio__sq_known;
typedef struct aio__sq_windows aio__sq_windows;
typedef struct aio__sq_wal_io aio__sq_wal_io;

/* What the runs of a tenant add to its row of run_totals. */
typedef struct aio__sq_totals {
  aio__str tenant;
  int64_t runs, cost_nano_usd;
} aio__sq_totals;

typedef struct aio__sq_tenant {
  int64_t no, next_chunk, chunks, words, knowledge, knowledge_ms, cache_rows, cache_bytes, cache_clock, documents;
  int64_t text_bytes;
} aio__sq_tenant;

/* The row that a connection has read last. */
typedef struct aio__sq_kept_tenant {
  bool known;
  int changes;     /* that the connection had made then */
  int64_t version; /* of the file, as PRAGMA data_version said then */
  size_t n;
  char name[AIO__SQ_KEPT_TENANT_BYTES];
  aio__sq_tenant row;
} aio__sq_kept_tenant;

typedef struct aio__sq_conn {
  sqlite3 *db;
  aio__sq_db *owner;
  sqlite3_stmt **statements;
  aio__sq_postings *postings; /* NULL before its first search */
  struct aio__sq_conn *next;
  int64_t deadline_ns; /* of the call under way; a long statement ends by then */
  int wal_pages;       /* as of the last commit */
  int checkpoint_at;
  aio__sq_totals totals; /* of the transaction under way: not yet written */
  aio__sq_known *known;  /* sqlite_cache_documents.c; NULL: nothing yet */
  aio__sq_windows *windows; /* sqlite_windows.c; NULL: nothing yet */
  aio__sq_wal_io *wal_io;   /* of the one that writes */
  aio__sq_kept_tenant tenant;
} aio__sq_conn;

/* Who waits for the writer: on its thread's stack. */
typedef struct aio__sq_waiter {
  struct aio__sq_waiter *next;
} aio__sq_waiter;

struct aio__sq_db {
  aio__sq_store *store;
  char *path; /* of the database */
  char *lock_path;
  int lock_fd;
  int32_t application_id;
  const aio__packed *migrations;
  const char *const *sql;
  int statements;
  int page_size;         /* of a new database, in bytes */
  pthread_mutex_t mutex; /* guards what follows */
  pthread_cond_t cond;
  bool synced;    /* mutex and cond were made */
  int wal_fd; /* of the write-ahead log, for aio__sq_sync */
  aio__sq_conn *writer;
  bool writer_busy;
  aio__sq_waiter *first, *last;
  aio__sq_conn *readers; /* idle */
  int reader_count;      /* all */
};

/* A use of a cached answer that is not yet written. */
typedef struct aio__sq_touch {
  aio__str tenant; /* allocated, followed by the id */
  char id[AIO__UUID_LEN + 1];
  int64_t hits, now_ms; /* the earliest */
} aio__sq_touch;

typedef struct aio__sq_touches {
  pthread_mutex_t mutex;
  bool synced;
  aio__sq_touch touch[AIO__SQ_TOUCHES_MAX];
  size_t n;
  int64_t since_ms;
} aio__sq_touches;

/* Answers that are to be kept, and wait for company. */
typedef struct aio__sq_put aio__sq_put;
typedef struct aio__sq_puts {
  pthread_mutex_t mutex;
  bool synced;
  atomic_size_t n;
  aio__sq_put *first, *last, *idle;
  size_t syncs; /* of the ledger's writer when the first of them came */
} aio__sq_puts;

typedef struct aio__sq_writer aio__sq_writer;

enum { AIO__SQ_MERGE_NONE = 0, AIO__SQ_MERGE_BEGIN, AIO__SQ_MERGE_GO_ON };

/* Whether the segments of full text are to be merged. */
typedef struct aio__sq_merge {
  _Atomic int64_t searches; /* for which FTS5 was asked since a document has changed */
  atomic_int state;
} aio__sq_merge;

struct aio__sq_store {
  aio__store head;
  aio__store_env env;
  char *folder;
  aio__sq_db knowledge, ledger;
  aio__sq_touches touches;
  aio__sq_puts puts;
  aio__sq_merge merge;
  aio__sq_writer *writer;
  aio__residents residents;
};

extern const char *const aio__sq_knowledge_statements[];
extern const char *const aio__sq_ledger_statements[];
extern const aio__knowledge_ops aio__sq_knowledge_ops;
extern const aio__cache_ops aio__sq_cache_ops;
extern const aio__ledger_ops aio__sq_ledger_ops;

/* ---- sqlite_db.c ------------------------------------------------------------------------------------------------ */

aiorch_status aio__sq_db_open(aio__sq_db *db, aiorch_error *error);
void aio__sq_db_close(aio__sq_db *db); /* nobody uses it any more; takes one that was never opened */

/* A connection to read with, inside a read transaction. */
aiorch_status aio__sq_read(aio__sq_db *db, aio__op *op, aio__sq_conn **out);
/* For a read that takes well under a millisecond: on the connection that writes, when nobody needs it. What that one commits leaves its pages
 * as they are, while the others read theirs anew after each commit. */
aiorch_status aio__sq_read_short(aio__sq_db *db, aio__op *op, aio__sq_conn **out);
void aio__sq_read_end(aio__sq_conn *conn);

/* The writer, inside a write transaction. */
aiorch_status aio__sq_write(aio__sq_db *db, aio__op *op, aio__sq_conn **out);
/* Commits when `status` is AIORCH_OK, otherwise rolls back, and gives the writer back. Returns how it ended. */
aiorch_status aio__sq_write_end(aio__sq_conn *conn, aio__op *op, aiorch_status status);

/* The pieces of it that the ledger's thread puts together by itself. */
aiorch_status aio__sq_take_writer(aio__sq_db *db, int64_t deadline_ns, aio__sq_conn **out, aiorch_error *error);
void aio__sq_give_writer(aio__sq_conn *conn);
/* AIORCH_AGAIN when another process writes. */
aiorch_status aio__sq_try_begin(aio__sq_conn *conn, aiorch_error *error);
aiorch_status aio__sq_commit(aio__sq_conn *conn, aiorch_error *error);
void aio__sq_rollback(aio__sq_conn *conn);
void aio__sq_checkpoint_if_due(aio__sq_conn *conn);
static inline bool aio__sq_checkpoint_is_due(const aio__sq_conn *conn) {
  return conn->wal_pages >= conn->checkpoint_at;
}
/* Brings to the disk what was committed before. Needs no connection: others may commit meanwhile. */
aiorch_status aio__sq_sync(aio__sq_db *db, aiorch_error *error);
/* After a sync that failed: what the system has given up of the log may be missing under all that is written behind it. A
 * checkpoint brings the log into the database and begins it anew. */
aiorch_status aio__sq_sync_again(aio__sq_conn *conn);

/* ---- sqlite_wal_io.c: how a commit is written ------------------------------------------------------------------- */

aiorch_status aio__sq_wal_io_new(aio__sq_conn *conn, aiorch_error *error); /* when the log is open */
void aio__sq_wal_io_begin(aio__sq_conn *conn);                             /* before COMMIT, and after it */
void aio__sq_wal_io_end(aio__sq_conn *conn);
void aio__sq_wal_io_free(aio__sq_conn *conn); /* after the connection was closed */

/* ---- sqlite_migrate.c ------------------------------------------------------------------------------------------- */

aiorch_status aio__sq_migrate(aio__sq_conn *conn, aiorch_error *error);
aiorch_status aio__sq_use_wal(aio__sq_conn *conn, aiorch_error *error);

/* ---- sqlite_util.c ---------------------------------------------------------------------------------------------- */

/* What SQLite says went wrong, in words: the path and what to do. */
aiorch_status aio__sq_fail(aio__sq_conn *conn, aiorch_error *error);
aiorch_status aio__sq_fail_code(const char *path, sqlite3 *db, int code, aiorch_error *error);
aiorch_status aio__sq_nomem(aiorch_error *error);

/* Changes when another connection has written; -1: SQLite does not say. */
int64_t aio__sq_data_version(aio__sq_conn *conn);

/* A statement, ready to step. Formats: s aio__str as text, b aio__str as blob, z const char *, i int64_t, d int, n an
 * int64_t that is bound as NULL. What is bound must live until the statement is reset. */
aiorch_status aio__sq_query(aio__sq_conn *conn, aiorch_error *error, int id, sqlite3_stmt **out, const char *format,
                            ...);
/* AIORCH_OK: a row; AIORCH_DONE: none left, and the statement is reset. On errors it is reset, too. */
aiorch_status aio__sq_step(aio__sq_conn *conn, aiorch_error *error, sqlite3_stmt *stmt);
void aio__sq_reset(sqlite3_stmt *stmt);
/* Query, step to the end, reset. */
aiorch_status aio__sq_run(aio__sq_conn *conn, aiorch_error *error, int id, const char *format, ...);

/* The two columns of AIO__SQ_MONEY, as one sum that ends at the largest there is. */
int64_t aio__sq_money(sqlite3_stmt *stmt, int column);
aio__str aio__sq_text(sqlite3_stmt *stmt, int column); /* borrowed until the next step */
bool aio__sq_copy(sqlite3_stmt *stmt, int column, aio__arena *arena, aio__str *out);
void aio__sq_id(sqlite3_stmt *stmt, int column, char out[AIO__UUID_LEN + 1]);

/* ---- sqlite_tenant.c -------------------------------------------------------------------------------------------- */

/* *out is all 0 for a tenant that has nothing. Inside a transaction. */
aiorch_status aio__sq_tenant_get(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_tenant *out);
aiorch_status aio__sq_tenant_make(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, aio__sq_tenant *out);
static inline int64_t aio__sq_first_no(const aio__sq_tenant *tenant) {
  return tenant->no << AIO__SQ_TENANT_SHIFT;
}
static inline int64_t aio__sq_last_no(const aio__sq_tenant *tenant) {
  return (tenant->no << AIO__SQ_TENANT_SHIFT) | (((int64_t)1 << AIO__SQ_TENANT_SHIFT) - 1);
}

/* ---- sqlite_document.c, sqlite_knowledge.c, sqlite_search.c ----------------------------------------------------- */

/* [start, end) of a document's text. */
aiorch_status aio__sq_document_text(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t document,
                                    uint64_t start, uint64_t end, aio__arena *arena, aio__str *out);
aiorch_status aio__sq_document_add(aio__store *store, aio__op *op, aio__str tenant, aio__store_document *document,
                                   const aio__store_chunk *chunks, size_t count, int64_t now_ms, aio__arena *arena,
                                   int *what, aio__str **removed_chunks, size_t *removed_count);
aiorch_status aio__sq_document_remove(aio__store *store, aio__op *op, aio__str tenant, aio__str source, int64_t now_ms,
                                      aio__arena *arena, aio__str **removed_chunks, size_t *removed_count);

/* ---- sqlite_words.c --------------------------------------------------------------------------------------------- */

/* Room for a row's fields, to be used again. */
typedef struct aio__sq_words {
  aio__buf spread[AIO__FTS_FIELDS];
} aio__sq_words;

void aio__sq_words_init(aio__sq_words *words, const aio__alloc *al);
void aio__sq_words_free(aio__sq_words *words);
/* WORDS_NEW or WORDS_DROP for chunk `no`. */
aiorch_status aio__sq_words_run(aio__sq_conn *conn, aiorch_error *error, aio__sq_words *words, int id, int64_t no,
                                aio__str title, aio__str heading, aio__str body);
/* What the migration NNNN_words does beside its SQL. */
aiorch_status aio__sq_words_rebuild(aio__sq_conn *conn, aiorch_error *error);

/* ---- sqlite_merge.c --------------------------------------------------------------------------------------------- */

void aio__sq_merge_searched(aio__sq_store *store, int64_t chunks); /* FTS5 was asked for a word */
void aio__sq_merge_changed(aio__sq_store *store);                  /* it was given others */
bool aio__sq_merge_is_due(aio__sq_store *store);
void aio__sq_merge_step(aio__sq_store *store); /* nothing when it is not due */

/* A chunk of the columns of CHUNK_BY_NO, CHUNK_BY_ID and UNEMBEDDED; found_row: without its text. */
aiorch_status aio__sq_found_row(aiorch_error *error, sqlite3_stmt *stmt, aio__arena *arena, aio__found_chunk *out);
aiorch_status aio__sq_found_chunk(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, sqlite3_stmt *stmt,
                                  aio__arena *arena, aio__found_chunk *out);
aiorch_status aio__sq_search(aio__store *store, aio__op *op, aio__str tenant, const aio__search_args *args,
                             aio__arena *arena, aio__found_chunk **chunks, size_t *count);
aiorch_status aio__sq_fetch(aio__store *store, aio__op *op, aio__str tenant, const aio__str *ids, size_t count,
                            const aio__filter *filters, size_t filter_count, aio__arena *arena, aio__found_chunk *chunks);

/* ---- sqlite_postings.c ------------------------------------------------------------------------------------------ */

/* Registers aio_take, by which a list is read, on a connection. */
aiorch_status aio__sq_take_register(aio__sq_conn *conn, aiorch_error *error);
/* Before and after a search; lists that it was given hold until the end of it. Rows are asked for only of chunks that the
 * lists name. */
aiorch_status aio__sq_postings_begin(aio__sq_conn *conn, aiorch_error *error);
void aio__sq_postings_end(aio__sq_conn *conn);
void aio__sq_postings_free(aio__sq_conn *conn);
/* Where the term stands in the tenant's chunks, or with `prefix` any word that it begins. Numbers count from the tenant's
 * first. */
aiorch_status aio__sq_postings_find(aio__sq_conn *conn, aiorch_error *error, const aio__sq_tenant *tenant,
                                    const aio__fts_term *term, bool prefix, aio__fts_list *out);
/* Chunk `no` without its text. AIORCH_DONE: not there. */
aiorch_status aio__sq_postings_row(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t no,
                                   aio__arena *arena, aio__found_chunk *out);
/* The chunk of this id with its text. AIORCH_DONE: not there. */
aiorch_status aio__sq_postings_chunk(aio__sq_conn *conn, aiorch_error *error, const aio__sq_tenant *row,
                                     aio__str tenant, aio__str id, aio__arena *arena, int64_t *no,
                                     aio__found_chunk *out);
/* How many words chunk `no` has. */
aiorch_status aio__sq_postings_words(aio__sq_conn *conn, aiorch_error *error, int64_t no, uint32_t *out);

/* ---- sqlite_cache.c --------------------------------------------------------------------------------------------- */

/* At most `most` of the tenant's that have expired, until end_ns; *dropped counts up. Inside a write transaction. */
aiorch_status aio__sq_cache_drop_expired(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, int64_t now_ms,
                                         size_t most, int64_t end_ns, size_t *dropped);
/* Removes cached answers that rest on a document; inside a write transaction. */
aiorch_status aio__sq_cache_drop_for_document(aio__sq_conn *conn, aiorch_error *error, aio__str tenant,
                                              int64_t document);
/* Writes the uses that wait. */
void aio__sq_touches_flush(aio__sq_store *store);
void aio__sq_touches_free(aio__sq_store *store);
/* The same inside a write transaction. */
aiorch_status aio__sq_touches_write(aio__sq_conn *conn, aiorch_error *error);
/* Answers that are kept in one write transaction: the tenant's row is read and written once for those that follow each other.
 * Begun with all 0 but `conn`. */
typedef struct aio__sq_keeping {
  aio__sq_conn *conn;
  aio__str tenant; /* of the one before */
  aio__sq_tenant row;
  bool changed, none_expired;
} aio__sq_keeping;

/* cache->put of one of them; *stored may be set although it fails. end: after the last. */
aiorch_status aio__sq_cache_put_row(aio__sq_keeping *keeping, aiorch_error *error, aio__str tenant,
                                    const aio__cache_entry *entry, const aio__cache_limits *limits, int64_t now_ms,
                                    bool *stored);
aiorch_status aio__sq_cache_put_end(aio__sq_keeping *keeping, aiorch_error *error);

/* ---- sqlite_cache_documents.c ------------------------------------------------------------------------------------ */

/* What semantic_cache.rests_on says, into `out`. */
aiorch_status aio__sq_rests_on_read(aio__sq_conn *conn, aiorch_error *error, aio__str text, aio__arena *arena,
                                    aio__cache_entry *out);
/* Writes it; *hold false: a document is not at the version any more, or gone. */
void aio__sq_rests_on_init(aio__sq_conn *conn, aio__buf *text);
aiorch_status aio__sq_rests_on_write(aio__sq_conn *conn, aiorch_error *error, aio__str tenant,
                                     const aio__sq_tenant *row, const aio__cache_entry *entry, aio__buf *text,
                                     bool *hold);
void aio__sq_known_free(aio__sq_conn *conn); /* with the connection */
/* Notes by document, or forgets, what answer `entry` rests on. */
aiorch_status aio__sq_rests_on_add(aio__sq_conn *conn, aiorch_error *error, const aio__sq_tenant *row, int64_t entry,
                                   aio__str text);
aiorch_status aio__sq_rests_on_drop(aio__sq_conn *conn, aiorch_error *error, aio__str tenant,
                                    const aio__sq_tenant *row, int64_t entry);
/* The tenant's first part after *part. AIORCH_DONE: there is none. */
aiorch_status aio__sq_rests_on_part(aio__sq_conn *conn, aiorch_error *error, const aio__sq_tenant *row, int64_t *part);

/* ---- sqlite_puts.c ---------------------------------------------------------------------------------------------- */

/* Keeps an answer, alone or, in company, with others that come: AIORCH_PENDING. */
aiorch_status aio__sq_put_entry(aio__sq_store *store, aio__op *op, aio__str tenant, const aio__cache_entry *entry,
                                const aio__cache_limits *limits, int64_t now_ms, bool *stored);
/* Keeps those that wait, in one transaction; carry_out: as the writer's thread does it, with the checkpoint that is due. */
void aio__sq_puts_flush(aio__sq_store *store);
void aio__sq_puts_carry_out(aio__sq_store *store);
void aio__sq_puts_free(aio__sq_store *store); /* after a flush, when nobody puts any more */

/* ---- sqlite_windows.c: inside a write transaction of the ledger -------------------------------------------------- */

void aio__sq_windows_begin(aio__sq_conn *conn); /* drops what another connection may have changed */
void aio__sq_windows_forget(aio__sq_conn *conn);
void aio__sq_windows_free(aio__sq_conn *conn);
/* What stands under the constraint's key in its window, and its latest time; 0: nothing does. */
aiorch_status aio__sq_windows_sum(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__constraint *c,
                                  int64_t now_ms, int64_t *used, int64_t *latest_ms);
/* An admission was written, one was removed, those of a key were changed. */
void aio__sq_windows_add(aio__sq_conn *conn, aio__str tenant, const aio__constraint *c, int64_t at_ms);
void aio__sq_windows_take(aio__sq_conn *conn, aio__str tenant, aio__str key, int64_t at_ms, int64_t amount);
void aio__sq_windows_drop(aio__sq_conn *conn, aio__str tenant, aio__str key);

/* ---- sqlite_writer.c: the ledger's thread, and what it does in sqlite_ledger.c ---------------------------------- */

typedef enum aio__sq_ledger_kind { AIO__SQ_ADMIT, AIO__SQ_ATTEMPT, AIO__SQ_SETTLE, AIO__SQ_EXPIRE, AIO__SQ_PRUNE } aio__sq_ledger_kind;

typedef struct aio__sq_job {
  struct aio__sq_job *next;
  aio__sq_ledger_kind kind;
  aio__op *op;
  aio__str tenant, run_id;
  const aio__constraint *constraints;
  const aio__attempt_row *attempts;
  const aio__run_row *run;
  size_t count;
  int64_t now_ms;
  aio__admission *admission;
  uint64_t *expired;
  const aio__prune_args *prune;
  aio__pruned *pruned;
  aio__admission admission_result; /* handed over when the transaction is committed */
  uint64_t expired_result;
  aio__pruned pruned_result;
  aiorch_status status;
} aio__sq_job;

aiorch_status aio__sq_writer_new(aio__sq_store *store, aio__sq_writer **out);
void aio__sq_writer_free(aio__sq_writer *writer); /* does all that waits, then ends the thread */
/* Copies the job into the queue. AIORCH_PENDING or an error. */
aiorch_status aio__sq_writer_put(aio__sq_writer *writer, const aio__sq_job *job);
/* Commits the calls that wait in company, on the caller's thread; what has to come to the disk ends on the writer's. True: a
 * call has ended. */
bool aio__sq_writer_flush(aio__sq_writer *writer);
void aio__sq_writer_call_for_puts(aio__sq_writer *writer); /* has the thread go on with the answers that are to be kept */
/* Has the thread look after a call in company that is not in its queue: when nobody flushes it, the thread does. False: there
 * is no thread. watched: so many of them have been taken up. */
bool aio__sq_writer_watch(aio__sq_writer *writer, aiorch_error *error);
void aio__sq_writer_watched(aio__sq_writer *writer, size_t count);
size_t aio__sq_writer_syncs(const aio__sq_writer *writer); /* changes when the disk is busy with settlements, or done */
bool aio__sq_writer_holds(aio__sq_writer *writer); /* the disk is busy, and settlements that come wait for more of them */
/* Applies a job inside a transaction. */
aiorch_status aio__sq_ledger_apply(aio__sq_conn *conn, aio__sq_job *job);
/* Before the first of them, and after the last: writes the sums, and lets old admissions go, a few for each new one. */
void aio__sq_ledger_begin(aio__sq_conn *conn);
aiorch_status aio__sq_ledger_end(aio__sq_conn *conn, aiorch_error *error, aio__sq_job *const *jobs, size_t count);
/* Lets at most `most` admissions go that nobody asks for any more; *count how many they were, or NULL. */
aiorch_status aio__sq_admissions_prune(aio__sq_conn *conn, aiorch_error *error, int64_t now_ms, int64_t most, int64_t *count);
/* What a call for pruning asks of the ledger; inside its transaction. */
aiorch_status aio__sq_prune_rows(aio__sq_conn *conn, aio__sq_job *job);
/* The op. */
aiorch_status aio__sq_prune(aio__store *base, aio__op *op, const aio__prune_args *args, aio__pruned *out);

#endif
