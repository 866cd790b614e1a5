/*
 * What a store can do: knowledge, cache and ledger, in three tables of functions. Private until two kinds of store have
 * shaped it.
 *
 * Every call is an op (core/op.h): it returns AIORCH_OK or an error when it has ended, AIORCH_PENDING when op->done will be
 * called. Arguments, results and the op belong to the caller and live until then. Results are written into the caller's
 * arena, so they need no free; they are complete before done() and untouched on failure.
 *
 * Every call names its tenant, and nothing of another tenant is read, counted or changed by it: the conformance suite
 * (tests/unit/stores/conformance.c) holds every store to that.
 *
 * Times are wall milliseconds, given by the caller. A stored time ahead of `now_ms` counts as now, and from its next use
 * on it is now (in the log of admissions a few seconds ahead are another call that was faster). Ids are UUIDv7 text
 * made by the caller; a write that is repeated with the same id changes nothing.
 *
 * Errors: AIORCH_E_NOMEM, AIORCH_E_DEADLINE, AIORCH_E_STORE and its kind; each call lists what comes on top.
 *
 * Threads: any, several at once.
 */
#ifndef AIO_STORES_STORE_H
#define AIO_STORES_STORE_H

#include <aiorch/config.h>
#include <aiorch/knowledge.h>
#include <aiorch/run.h>

#include "core/arena.h"
#include "core/json_writer.h"
#include "core/log.h"
#include "core/op.h"
#include "core/options.h"
#include "core/uuid.h"
#include "cost/limits.h"
#include "cost/usage.h"
#include "net/io_thread.h"
#include "stores/filter.h"
#include "stores/fts_query.h"

typedef struct aio__store aio__store;

/* ---- knowledge ------------------------------------------------------------------------------------------------------ */

typedef struct aio__pair {
  aio__str name, value;
} aio__pair;

typedef struct aio__anchor {
  uint64_t offset;
  aio__str name;
} aio__anchor;

/* A chunk as it is written and read. */
typedef struct aio__store_chunk {
  char id[AIO__UUID_LEN + 1];
  uint32_t ordinal, tokens;
  uint64_t start, end;
  aio__str heading;
  aio__str hash;   /* 32 bytes: SHA-256 of chunker version, options, heading and text */
  aio__str search; /* not needed: a store indexes title, heading and [start, end) as fields of their own weight */
} aio__store_chunk;

typedef struct aio__store_document {
  char id[AIO__UUID_LEN + 1];
  aio__str source, title, text;
  aio__str hash;                /* 32 bytes: SHA-256 of all that makes it what it is, and of the chunker's version */
  int64_t version;              /* counts up with each change of this source, from 1; a result of add */
  int64_t updated_ms;
  int32_t format;
  uint32_t chunk_count;
  uint64_t bytes;               /* of the text */
  const aio__pair *metadata;
  size_t metadata_count;
  const aio__anchor *anchors;
  size_t anchor_count;
} aio__store_document;

/* Vectors under one model: `count` rows of unit length. */
typedef struct aio__vectors {
  aio__str fingerprint;
  size_t dimensions; /* 0: the rows are in a vector store plug-in, and only that they exist is noted */
  const float *rows;
} aio__vectors;

/* What is nearest to one vector. */
typedef struct aio__nearest_args {
  aio__str fingerprint;
  size_t dimensions;
  const float *query; /* of unit length */
  double threshold;   /* least cosine */
  size_t limit;
  /* knowledge->nearest alone: */
  bool lean;               /* the texts may be left out (.p NULL) */
  const aio__str *also;    /* ids of chunks whose cosine is wanted however far they are */
  size_t also_count;
  double *also_similarity; /* one each; left as it was of a chunk that has no vector of this model */
} aio__nearest_args;

/* How much of a tenant's is embedded under a model. */
typedef struct aio__vector_model {
  aio__str fingerprint;
  int64_t chunks, entries;
  bool stored; /* the vectors themselves are in this store */
} aio__vector_model;

/* What add did: AIORCH_DOCUMENT_ADDED, _UPDATED, _UNCHANGED (knowledge.h). */

typedef struct aio__search_args {
  aio__str query;               /* a person's words; the store makes its own full-text query of them */
  const aio__filter *filters;   /* filter.h says what passes them */
  size_t filter_count;
  size_t limit;
  bool lean;                    /* the text may be left out (.p NULL) of a chunk whose `often` is known */
  aio__fts_query *terms;        /* NULL, or what aio__fts_query_parse makes of the query; n 0: room for it (aio__search_terms) */
} aio__search_args;

/* What the query asks for, in the caller's room, else in `own` (n 0). Read when it is first needed: where there is nothing to search
 * it never is. */
static inline const aio__fts_query *aio__search_terms(const aio__search_args *args, aio__fts_query *own) {
  aio__fts_query *terms = args->terms ? args->terms : own;
  if (terms->n == 0) aio__fts_query_parse(args->query, terms);
  return terms;
}

/* A chunk that was found, with its text and what a source needs. */
typedef struct aio__found_chunk {
  char chunk_id[AIO__UUID_LEN + 1];
  char document_id[AIO__UUID_LEN + 1];
  int64_t document_version;
  uint32_t ordinal, tokens;
  uint64_t start, end;
  aio__str source, title, anchor, heading, text; /* text: [start, end) of the document */
  double score;                 /* full text: higher is better, comparable within one search */
  double similarity;            /* nearest: cosine; 0 elsewhere */
  const uint32_t *often;        /* full text, of each term of the query: aio__fts_field_weight for each time it stands in the
                                 * chunk; NULL: not known */
  uint32_t words;               /* when often is known */
} aio__found_chunk;

/* What search and nearest are asked for at once, with the filters of `search`; and what they find. */
typedef struct aio__both_args {
  const aio__search_args *search;
  const aio__nearest_args *nearest;
  aio__found_chunk *text, *near;
  size_t text_count, near_count;
  aiorch_error near_error;
} aio__both_args;

/* A chunk without a vector of a fingerprint. */
typedef struct aio__unembedded {
  char chunk_id[AIO__UUID_LEN + 1];
  aio__str text;                /* what is to be embedded: embed_text.h; of an entry its question */
} aio__unembedded;

typedef struct aio__knowledge_ops {
  /* Adds or replaces the document of (tenant, source), its chunks, its full text, in one transaction; removes cached answers
   * that rest on it, and records that the tenant's knowledge has grown. `*document` gets id, version and updated_ms of what
   * is stored; `*what` AIORCH_DOCUMENT_*; `*removed_chunks` the ids of chunks that went, for the vector store. A chunk whose
   * hash and title were there before keeps its id and its marks. Where a replacement is repeated, since its COMMIT was lost on the way, the
   * store finds it done: AIORCH_DOCUMENT_UNCHANGED, and no ids. Vectors of theirs stay in the plug-in, and are never shown: fetch knows
   * no such chunk. */
  aiorch_status (*add)(aio__store *store, aio__op *op, aio__str tenant, aio__store_document *document,
                       const aio__store_chunk *chunks, size_t count, int64_t now_ms, aio__arena *arena, int *what,
                       aio__str **removed_chunks, size_t *removed_count);
  /* AIORCH_OK with *unchanged when (tenant, source) has this hash: fills id, version, updated_ms, chunk_count. */
  aiorch_status (*check)(aio__store *store, aio__op *op, aio__str tenant, aio__store_document *document,
                         bool *unchanged);
  /* AIORCH_E_NOT_FOUND. Removes cached answers that rest on it in the same transaction. */
  aiorch_status (*remove)(aio__store *store, aio__op *op, aio__str tenant, aio__str source, int64_t now_ms,
                          aio__arena *arena, aio__str **removed_chunks, size_t *removed_count);
  /* By source, after `after`, without texts, metadata and anchors. */
  aiorch_status (*list)(aio__store *store, aio__op *op, aio__str tenant, aio__str after, size_t limit,
                        aio__arena *arena, aio__store_document **documents, size_t *count);
  /* By source or id, whole. AIORCH_E_NOT_FOUND. */
  aiorch_status (*show)(aio__store *store, aio__op *op, aio__str tenant, aio__str source_or_id, aio__arena *arena,
                        aio__store_document *document);
  /* Full text: chunks that match any word of the query, best first (BM25; title and headings weigh more). */
  aiorch_status (*search)(aio__store *store, aio__op *op, aio__str tenant, const aio__search_args *args,
                          aio__arena *arena, aio__found_chunk **chunks, size_t *count);
  /* Chunks by id, in the order of the ids; those that are not there (or fail the filters) have an empty chunk_id. */
  aiorch_status (*fetch)(aio__store *store, aio__op *op, aio__str tenant, const aio__str *ids, size_t count,
                         const aio__filter *filters, size_t filter_count, aio__arena *arena, aio__found_chunk *chunks);
  /* Chunks not yet marked as embedded under this fingerprint, oldest first; and how many there are in all. */
  aiorch_status (*unembedded)(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit,
                              aio__arena *arena, aio__unembedded **chunks, size_t *count, uint64_t *left);
  /* Marks chunks as embedded and keeps their vectors, in one transaction; chunks that are gone are passed over. */
  aiorch_status (*mark_embedded)(aio__store *store, aio__op *op, aio__str tenant, const aio__vectors *vectors,
                                 const aio__str *chunk_ids, size_t count);
  /* Chunks by cosine to a vector, best first, that pass the filters: exact, also with filters. AIORCH_E_EMBEDDER_MISMATCH when
   * chunks are embedded, but none under this fingerprint; the message names what there is and `aiorch reembed`. */
  aiorch_status (*nearest)(aio__store *store, aio__op *op, aio__str tenant, const aio__nearest_args *args,
                           const aio__filter *filters, size_t filter_count, aio__arena *arena, aio__found_chunk **chunks,
                           size_t *count);
  /* search and nearest in one; NULL where nothing is saved by it. The op ends as search would; how nearest ended is in both->near_error.
   * Chunks that full text found have their similarity where it is known, else NaN (nearest->also is not used). */
  aiorch_status (*both)(aio__store *store, aio__op *op, aio__str tenant, aio__both_args *both, aio__arena *arena);
  /* Every model that the tenant has chunks or kept answers under, by fingerprint. */
  aiorch_status (*models)(aio__store *store, aio__op *op, aio__str tenant, aio__arena *arena, aio__vector_model **models,
                          size_t *count);
  /* Removes the vectors and marks of a model, of chunks and of kept answers alike, at most `limit` of them; *removed how many.
   * Call again while it is `limit`: the writer is free in between. */
  aiorch_status (*forget_model)(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit,
                                size_t *removed);
} aio__knowledge_ops;

/* ---- cache ---------------------------------------------------------------------------------------------------------- */

typedef struct aio__cache_source {
  char document_id[AIO__UUID_LEN + 1];
  int64_t version;
} aio__cache_source;

typedef struct aio__cache_entry {
  char id[AIO__UUID_LEN + 1];
  aio__str scope;    /* 32 bytes: everything but the question */
  aio__str key;      /* 32 bytes: SHA-256 of the question's normalized text */
  aio__str query;    /* the question, for lists and later for vectors */
  aio__str answer;
  aio__str sources;  /* the run's sources as JSON, to be given again with what else goes with an answer; a store does not look into it */
  aio__str chunks;   /* 32 bytes: digest of the chunks that retrieve found, for revalidation */
  aio__str provider, model;
  int32_t finish_reason;
  int32_t stale;     /* a result: knowledge has grown since it was stored */
  int64_t created_ms, expires_ms, hits;
  int64_t bytes;     /* a result of list: what it takes of the tenant's max_bytes */
  const aio__cache_source *rests_on;
  size_t rests_on_count;
  /* Where the tenant's knowledge stood, counted from 1 by documents added or changed. lookup fills it with where it stands
   * now, also when nothing was found; put takes where it stood before the sources were retrieved. 0: the entry is as new as
   * created_ms, and what was added in that very millisecond counts as later. */
  int64_t knowledge;
  const aio__vectors *vector; /* of the question: one row, or NULL; put only */
  bool neighbours;   /* a result of lookup when nothing or a stale entry was found: other live entries have this scope, so a
                        near one may be worth an embedding */
  bool exact_only;   /* serves its own question only: somebody said so (feedback) */
} aio__cache_entry;

/* A piece of a document as it was at a version. */
typedef struct aio__cache_text {
  char document_id[AIO__UUID_LEN + 1];
  int64_t version;
  uint64_t start, end; /* bytes of the document's text: [start, end) */
  aio__str text;       /* a result */
} aio__cache_text;

/* An entry that may be near enough. */
typedef struct aio__cache_near {
  char id[AIO__UUID_LEN + 1];
  aio__str query;
  double similarity;
} aio__cache_near;

typedef struct aio__cache_limits {
  int64_t max_rows, max_bytes; /* a tenant */
  int32_t replace;             /* refresh: an entry of the same scope and key is replaced */
} aio__cache_limits;

typedef struct aio__cache_ops {
  /* The live entry of (tenant, scope, key). *found false when there is none, or it has expired. Counts the hit and marks it
   * as used. *entry is written also when there is none: all empty but `knowledge`. */
  aiorch_status (*lookup)(aio__store *store, aio__op *op, aio__str tenant, aio__str scope, aio__str key,
                          int64_t now_ms, aio__arena *arena, aio__cache_entry *entry, bool *found);
  /* Stores an answer unless a document that it rests on is no longer at that version (checked in the same transaction;
   * *stored false), then makes room: expired first, then least recently used. An entry larger than max_bytes is not stored.
   * A live entry of the same scope and key stays (*stored false) unless it is stale or limits->replace says otherwise. */
  aiorch_status (*put)(aio__store *store, aio__op *op, aio__str tenant, const aio__cache_entry *entry,
                       const aio__cache_limits *limits, int64_t now_ms, bool *stored);
  /* Live entries of the scope by cosine of their questions, best first; not those that serve their own question only.
   * AIORCH_E_EMBEDDER_MISMATCH as knowledge->nearest, of the scope. */
  aiorch_status (*near)(aio__store *store, aio__op *op, aio__str tenant, aio__str scope, const aio__nearest_args *args,
                        int64_t now_ms, aio__arena *arena, aio__cache_near **entries, size_t *count);
  /* As lookup, by id and scope, and as if the question had been its own. */
  aiorch_status (*read)(aio__store *store, aio__op *op, aio__str tenant, aio__str scope, aio__str id, int64_t now_ms,
                        aio__arena *arena, aio__cache_entry *entry, bool *found);
  /* Entries whose questions are not embedded under this fingerprint (chunk_id is the entry's id, text the question), for
   * reembed; then their vectors. */
  aiorch_status (*unembedded)(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit,
                              aio__arena *arena, aio__unembedded **entries, size_t *count, uint64_t *left);
  aiorch_status (*mark_embedded)(aio__store *store, aio__op *op, aio__str tenant, const aio__vectors *vectors,
                                 const aio__str *ids, size_t count);
  /* Sets exact_only. AIORCH_E_NOT_FOUND. */
  aiorch_status (*exact_only)(aio__store *store, aio__op *op, aio__str tenant, aio__str id);
  /* After revalidation: the entry is good for the tenant's knowledge as it stood at the lookup before it (its
   * `knowledge`). By the counter, not by the clock: a document counts as of when its adding began, and may have come in
   * only after the check. */
  aiorch_status (*revalidated)(aio__store *store, aio__op *op, aio__str tenant, aio__str id, int64_t knowledge);
  /* Newest first; answer and sources left empty, rests_on filled. */
  aiorch_status (*list)(aio__store *store, aio__op *op, aio__str tenant, size_t limit, int64_t now_ms,
                        aio__arena *arena, aio__cache_entry **entries, size_t *count);
  /* By entry id, document id or document source; an empty tag is all of the tenant's. */
  aiorch_status (*invalidate)(aio__store *store, aio__op *op, aio__str tenant, aio__str tag, uint64_t *removed);
  /* What an entry need not hold twice: the texts that it was written from, which the store has as documents anyway. An entry goes
   * with a document that it rests on, so there is one as long as the other. *found false: one of them is not there at that version
   * any more, or not so long. Never AIORCH_PENDING. NULL: the texts have to lie in the entry. */
  aiorch_status (*texts)(aio__store *store, aio__op *op, aio__str tenant, aio__cache_text *texts, size_t count, aio__arena *arena,
                         bool *found);
} aio__cache_ops;

/* ---- ledger --------------------------------------------------------------------------------------------------------- */

typedef struct aio__admission {
  bool admitted;
  int violated;             /* index of the constraint that refused; -1 when admitted */
  int64_t used;             /* what stands under the violated key in its window, or under the first one when admitted */
  int64_t retry_after_ms;   /* after which the same admission would pass if nothing else came; -1: never */
} aio__admission;

typedef enum aio__attempt_state {
  AIO__ATTEMPT_PENDING = 0, /* sent, not ended: written before a byte leaves */
  AIO__ATTEMPT_SETTLED = 1,
  AIO__ATTEMPT_UNKNOWN = 2  /* its lease ran out: nobody knows what it has cost */
} aio__attempt_state;

typedef struct aio__attempt_row {
  char id[AIO__UUID_LEN + 1];
  char run_id[AIO__UUID_LEN + 1];
  aio__attempt_state state;
  int32_t kind;             /* AIORCH_ATTEMPT_* */
  aiorch_status status;
  int32_t http_status;
  aio__str provider, model, request_id;
  aio__usage usage;
  bool cost_known;
  int64_t cost_nano_usd;
  int64_t created_ms, duration_us, lease_until_ms;
} aio__attempt_row;

/* An attempt broke off, and its cost is an estimate by what was seen of it: the service may have gone on, and ask for more. Budgets count
 * at least what was reserved, so that whoever cancels all calls spends no more than others. */
static inline bool aio__settles_at_least(const aio__attempt_row *attempts, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (attempts[i].status < 0 && attempts[i].usage.estimated) return true;
  }
  return false;
}

typedef struct aio__run_row {
  char id[AIO__UUID_LEN + 1];
  aio__str user, provider, model;
  aiorch_status status;
  int32_t cache;            /* AIORCH_CACHE_* */
  aio__usage usage;
  bool cost_known;
  int64_t cost_nano_usd;
  int64_t created_ms, duration_us;
} aio__run_row;

typedef struct aio__cost_row {
  aio__str group;           /* "2026-11-24", a provider, a model or a user */
  int64_t runs, hits, failures, unknown_price;
  aio__usage usage;
  int64_t cost_nano_usd;
} aio__cost_row;

typedef struct aio__store_stats {
  int64_t documents, chunks, text_bytes, cache_entries, cache_bytes, runs, cost_nano_usd;
  bool by_index; /* the nearest chunks are looked for in an index, which may miss some; else all vectors are compared */
} aio__store_stats;

typedef struct aio__prune_args {
  int64_t now_ms, runs_before_ms; /* 0: all runs stay */
  size_t limit;                   /* rows of each kind */
  bool count_only;                /* changes nothing, and counts all that there is */
} aio__prune_args;

typedef struct aio__pruned {
  int64_t admissions, answers, runs;
  bool more; /* there may be more to remove */
} aio__pruned;

/* What lookup is asked for, and where its results go. */
typedef struct aio__cache_ask {
  aio__str scope, key;
  aio__arena *arena;
  aio__cache_entry *entry;
  bool *found;
} aio__cache_ask;

typedef struct aio__ledger_ops {
  /* Atomic over all processes: either every constraint holds and one row each is written under `run_id`, or none is. */
  aiorch_status (*admit)(aio__store *store, aio__op *op, aio__str tenant, aio__str run_id,
                         const aio__constraint *constraints, size_t count, int64_t now_ms, aio__admission *out);
  /* admit, and when it has admitted, the cache's lookup, as if one came after the other; what was asked for is written only then. For a
   * store to which each call is a journey; NULL where there is nothing to be saved. */
  aiorch_status (*enter)(aio__store *store, aio__op *op, aio__str tenant, aio__str run_id, const aio__constraint *constraints,
                         size_t count, const aio__cache_ask *ask, int64_t now_ms, aio__admission *out);
  /* Writes or updates attempts by id (pending, then settled). */
  aiorch_status (*attempt)(aio__store *store, aio__op *op, aio__str tenant, const aio__attempt_row *row);
  /* The run row, its attempts as settled, and the run's MONEY admissions at the cost that it had, or where an attempt broke off
   * (aio__settles_at_least) not below what was reserved: one transaction, durable when the op ends. */
  aiorch_status (*settle)(aio__store *store, aio__op *op, aio__str tenant, const aio__run_row *run,
                          const aio__attempt_row *attempts, size_t count);
  /* Pending attempts whose lease ran out become unknown. How many. */
  aiorch_status (*expire)(aio__store *store, aio__op *op, int64_t now_ms, uint64_t *expired);
  /* Run rows in [since, until), grouped by "day", "provider", "model" or "user", in the order of the groups. */
  aiorch_status (*costs)(aio__store *store, aio__op *op, aio__str tenant, int64_t since_ms, int64_t until_ms,
                         aio__str by, aio__arena *arena, aio__cost_row **rows, size_t *count);
  /* Attempts of one run, oldest first. */
  aiorch_status (*attempts)(aio__store *store, aio__op *op, aio__str tenant, aio__str run_id, aio__arena *arena,
                            aio__attempt_row **rows, size_t *count);
  aiorch_status (*stats)(aio__store *store, aio__op *op, aio__str tenant, int64_t now_ms, aio__store_stats *out);
  /* Of all tenants: admissions out of their window, answers that have expired, and runs (with their attempts) from before a time, whose
   * sums stay. One part, short enough that nobody who waits for the store notices. NULL: the store sees to it by itself. */
  aiorch_status (*prune)(aio__store *store, aio__op *op, const aio__prune_args *args, aio__pruned *out);
} aio__ledger_ops;

/* ---- a store -------------------------------------------------------------------------------------------------------- */

typedef struct aio__store_env {
  const aio__alloc *al;
  const aio__clock *clock;
  aio__log *log;
  const aio__options *options;
  aio__io_thread *io; /* the handle's, for a store behind a socket: outlives it; NULL: such a store makes its own */
  struct aio__counters *counters; /* NULL: nothing is counted */
} aio__store_env;

/* The head of every store. */
struct aio__store {
  const char *kind;      /* "memory", "sqlite", "postgres" */
  const char *place;     /* the folder, "memory"; a URL without its password. The same for every process that opens this store */
  bool is_remote;        /* it may be away while this process lives: cost rows wait in the spool then (spooled.h) */
  const aio__knowledge_ops *knowledge;
  const aio__cache_ops *cache;
  const aio__ledger_ops *ledger;
  /* Goes on with the calls that wait for company. Cheap when there are none; NULL where none ever does. From any thread. */
  void (*flush)(aio__store *store);
  /* Ends what is under way and frees the store. In a forked child it is not called. */
  void (*close)(aio__store *store);
};

/* stores/memory.c: for tests, scripts and hosts that want no file. Gone with the process. */
aiorch_status aio__store_memory_open(const aio__store_env *env, aio__store **out, aiorch_error *error);
/* stores/sqlite.c: a folder with ledger.db and knowledge.db. Creates it (mode 0700) when its parent exists. */
aiorch_status aio__store_sqlite_open(const aio__store_env *env, const char *folder, aio__store **out,
                                     aiorch_error *error);
/* Is this value of "store" a URL of PostgreSQL? */
bool aio__store_is_postgres(const char *setting);
/* stores/postgres.c: a database that `aiorch migrate` has prepared. Connects once, and says what is wrong; a server that is down is no
 * error unless "rate_limit.on_store_down" is "closed". AIORCH_E_UNSUPPORTED in a build without libpq. */
aiorch_status aio__store_postgres_open(const aio__store_env *env, const char *url, aio__store **out, aiorch_error *error);
/* Applies migrations up to version `to` (0: the newest), or says what it would do (AIORCH_MIGRATE_*); writes the members of the report
 * that config.h describes into an object that the caller has begun. Waits; not on the I/O thread. */
aiorch_status aio__store_postgres_migrate(const aio__store_env *env, const char *url, int64_t to, int32_t mode, int64_t deadline_ns,
                                          aio__json_writer *report, aiorch_error *error);
/* Says how it stands with the indexes of vectors, and with AIORCH_INDEXES_MAKE makes those that are worth it; writes the members of the
 * report that config.h describes into an object that the caller has begun. As aio__store_postgres_migrate otherwise. */
aiorch_status aio__store_postgres_indexes(const aio__store_env *env, const char *url, int32_t mode, int64_t deadline_ns,
                                          aio__json_writer *report, aiorch_error *error);
/* One step of taking over what another program has in the database, by a login that may migrate: the request and the report are as
 * sql/postgres/0009_take_over.sql has them; the report is written as one value. */
aiorch_status aio__store_postgres_import(const aio__store_env *env, const char *url, aio__str request, int64_t deadline_ns,
                                         aio__json_writer *report, aiorch_error *error);

#endif
