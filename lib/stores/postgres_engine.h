/*
 * How steps are carried: connections and the pool. Known to the files of the engine only (postgres.c, _params, _pool, _connect, _step,
 * _target, _resolve, _checks); ops need postgres_private.h alone.
 *
 * All but what is said to be of any thread belongs to the I/O thread, so nothing here has a lock but the door (aio__pg_pool.mutex).
 *
 *   a step    put together by its caller -> posted -> WAITS for a connection -> is OUT on one -> ended
 *                                                    ^------ tried again after a pause -----'
 *   a connection    RESOLVING -> CONNECTING -> CHECKING -> IDLE <-> BUSY -> (MENDING: ROLLBACK) -> IDLE; closed from each of them
 */
#ifndef AIO_STORES_POSTGRES_ENGINE_H
#define AIO_STORES_POSTGRES_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "stores/postgres_private.h"

enum {
  AIO__PG_HOSTS_MAX = 16,            /* in a URL; and of their addresses: */
  AIO__PG_ADDRESSES_MAX = 64,
  AIO__PG_OPTIONS_MAX = 64,          /* of libpq */
  AIO__PG_BACKOFF_MIN_MS = 50,       /* between attempts to connect: full jitter over this, doubled with each failure, ... */
  AIO__PG_BACKOFF_MAX_MS = 8000,     /* ... up to this */
  AIO__PG_PROBE_MS = 250,            /* what a step waits for one attempt when the server is known to be down */
  AIO__PG_RETRY_MIN_MS = 5,          /* the same before a step is tried again */
  AIO__PG_RETRY_MAX_MS = 250,
  AIO__PG_SERVER_MIN = 150000,
  AIO__PG_VECTOR_MIN = 800,          /* refused below */
  AIO__PG_VECTOR_PARALLEL = 802,     /* parallel HNSW builds are off below */
  AIO__PG_VECTOR_GOOD = 804,         /* a warning below */
  AIO__PG_STACK_BYTES = 1 << 19,
  AIO__PG_NAME_MAX = 63,             /* bytes of a schema or role */
  AIO__PG_TOGETHER_OUT = 1           /* such of one tenant that are out at once */
};

#define AIO__PG_OWNER(type, member, pointer) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

typedef struct aio__pg_pool aio__pg_pool;
typedef struct aio__pg_conn aio__pg_conn;
typedef struct aio__pg_target aio__pg_target;
typedef struct aio__pg_lookup aio__pg_lookup;

/* ---- a step ------------------------------------------------------------------------------------------------------------------- */

typedef struct aio__pg_param {
  uint32_t type;     /* oid; 0: as the statement wants */
  int length;        /* bytes */
  const char *value; /* binary; NULL for NULL */
} aio__pg_param;

typedef struct aio__pg_statement {
  struct aio__pg_statement *next;
  const char *sql;
  aio__pg_decode decode;
  aio__pg_param *params;
  size_t count, cap;
  size_t part;         /* of a whole: whose it is, from 1; 0: everybody's */
} aio__pg_statement;

struct aio__pg_step {
  aio__pg_store *store;
  aio__op *op;
  aio__str tenant;
  int flags;
  aio__arena arena;
  void *ctx;             /* of the try */
  const void *ctx_given;
  size_t ctx_size;
  aio__pg_finish finish;
  aio__pg_statement *first, *last;
  size_t count;
  aiorch_status refused; /* what was wrong with its arguments */
  aio__buf array;        /* under way */
  aio__pg_type array_type;
  size_t array_left;
  aio__pg_gather gather; /* NULL: it goes alone */
  bool script;           /* one text of many statements, without a transaction of ours */

  /* from here on the engine's */
  aio__io_task task;
  aio__io_timer timer;   /* the pause before the next try, or the deadline */
  int64_t deadline_ns;
  int64_t retry_ns;      /* while it pauses; 0 otherwise */
  bool capped;           /* the deadline is "postgres.timeout_ms", not the op's */
  bool waits;
  bool probes;           /* the server is down: it waits a little for the attempt to connect, not until its deadline */
  aio__pg_step *next;    /* in the line */
  aio__pg_conn *conn;    /* while it is out */
  int tries;
  size_t at;             /* results that have ended: BEGIN, settings, the statements, COMMIT */
  const aio__pg_statement *reading;
  aiorch_status status;  /* of the try so far */
  char state[6];         /* SQLSTATE when the server refused, and where */
  size_t refused_at;
  bool bad;              /* a decode asked for what is not there */
  void (*ended)(aio__pg_step *step); /* in place of op->done: for the engine's own */
  aio__pg_step *whole;   /* the step that it travels in */
  aio__pg_step **parts;  /* of a whole; NULL where one left before it ended */
  size_t part_count;
  size_t part;           /* the one whose statements come next, from 1 */
  bool copies;           /* what is put does not live long enough */
};

struct aio__pg_rows {
  void *result; /* PGresult */
  aio__pg_step *step;
};

/* ---- where the server is: postgres_target.c --------------------------------------------------------------------------------------- */

typedef struct aio__pg_host {
  char *name, *address, *port; /* name: also the folder of a Unix socket; address: numeric, or NULL */
  bool local;                  /* a Unix socket or a loopback address */
  bool lookup;                 /* the name has to be looked up first */
} aio__pg_host;

struct aio__pg_target {
  const aio__alloc *al;
  aio__pg_host hosts[AIO__PG_HOSTS_MAX];
  size_t host_count;
  char *keywords[AIO__PG_OPTIONS_MAX], *values[AIO__PG_OPTIONS_MAX]; /* libpq's, all but host, hostaddr and port */
  size_t option_count;
  char *place; /* "postgresql://user@host:port/database": no password */
  char *user;
};

/* From the URL, the settings, and what libpq takes from the environment, which is read now and not again. On the caller's thread. Words of
 * an error never have anything of the URL that could be a password. AIORCH_E_CONFIG, AIORCH_E_NOMEM. */
aiorch_status aio__pg_target_new(const aio__alloc *al, const char *url, const aio__options *options, aio__pg_target **out,
                                 aiorch_error *error);
void aio__pg_target_free(aio__pg_target *target);
bool aio__pg_target_needs_lookup(const aio__pg_target *target);

/* ---- names of hosts: postgres_resolve.c ---------------------------------------------------------------------------------------------- */

/* One address to try; the texts live as long as target and lookup. */
typedef struct aio__pg_address {
  const char *name, *address, *port; /* address "": a Unix socket */
} aio__pg_address;

/*
 * Looks the names of a target up on a thread of its own, since the resolver of the C library waits. `done` is run on the I/O thread unless
 * the lookup was dropped before. AIORCH_E_NOMEM, AIORCH_E_SYSTEM.
 */
aiorch_status aio__pg_lookup_start(const aio__pg_target *target, aio__io_thread *io, void (*done)(void *ctx), void *ctx,
                                   aio__pg_lookup **out, aiorch_error *error);
/* All addresses in the order of the hosts, without a lookup (NULL) only those of hosts that need none. Fills `out`, returns how many. */
size_t aio__pg_lookup_addresses(const aio__pg_target *target, const aio__pg_lookup *lookup,
                                aio__pg_address out[AIO__PG_ADDRESSES_MAX]);
/* Why the first name that was not found was not; AIORCH_OK: all were. */
aiorch_status aio__pg_lookup_error(const aio__pg_target *target, const aio__pg_lookup *lookup, aiorch_error *error);
/* Any time; nobody waits for the thread. Takes NULL. */
void aio__pg_lookup_drop(aio__pg_lookup *lookup);

/* ---- a connection: postgres_connect.c, postgres_step.c ------------------------------------------------------------------------------ */

typedef enum aio__pg_conn_state {
  AIO__PG_RESOLVING,
  AIO__PG_CONNECTING,
  AIO__PG_CHECKING,
  AIO__PG_IDLE,
  AIO__PG_BUSY,
  AIO__PG_MENDING
} aio__pg_conn_state;

struct aio__pg_conn {
  aio__pg_pool *pool;
  aio__pg_conn *next;
  aio__pg_conn_state state;
  void *pg;              /* PGconn */
  int fd;
  uint32_t events;       /* what is watched */
  aio__pg_step *step;    /* BUSY, CHECKING */
  aio__pg_lookup *lookup;
  aio__io_timer timer;   /* of connecting; of being idle */
  int64_t since_ns;      /* when it was begun */
  struct aio__pg_check *check;
};

typedef enum aio__pg_progress { AIO__PG_WAIT, AIO__PG_DONE, AIO__PG_LOST } aio__pg_progress;

/* Begins to connect to the addresses. AIORCH_E_STORE_DOWN, AIORCH_E_NOMEM. */
aiorch_status aio__pg_conn_begin(aio__pg_conn *conn, const aio__pg_address *addresses, size_t count, aiorch_error *error);
/* The socket is ready. LOST: with words. DONE: it can be used. */
aio__pg_progress aio__pg_conn_poll(aio__pg_conn *conn, aiorch_error *error);
/* Closes it without waiting for anybody. */
void aio__pg_conn_end(aio__pg_conn *conn);
/* Watches the socket for `events`. False: it cannot be watched. */
bool aio__pg_conn_watch(aio__pg_conn *conn, uint32_t events);
/* Of one that nobody uses: is it still there? */
bool aio__pg_conn_alive(aio__pg_conn *conn);

/* Puts all of the step on its way. LOST: with words. */
aio__pg_progress aio__pg_send(aio__pg_conn *conn, aio__pg_step *step, aiorch_error *error);
/* The ROLLBACK of a transaction that failed. */
aio__pg_progress aio__pg_send_rollback(aio__pg_conn *conn, aiorch_error *error);
/* The socket is ready. DONE: the step's status, state and op->error say how it went, and all of it was read. LOST: with words. */
aio__pg_progress aio__pg_receive(aio__pg_conn *conn, aiorch_error *error);
/* Is a transaction left open that has failed? */
bool aio__pg_conn_needs_rollback(const aio__pg_conn *conn);

/* ---- the pool: postgres_pool.c; its door, postgres_entry.c -------------------------------------------------------------------------------------------------------- */

struct aio__pg_pool {
  aio__pg_store *store;
  aio__io_thread *io;
  bool own_io;
  pid_t pid;
  pthread_mutex_t mutex; /* the door; guards these, of any thread */
  pthread_cond_t cond;
  bool started, closing, closed;
  size_t inside;         /* steps that were let in and have not ended */

  aio__io_task open_task, close_task;
  uint32_t source;
  bool has_source, unusable;
  aio__pg_conn *conns;
  size_t count, max;
  aio__pg_step *first, *last, *paused;
  aio__io_timer again;   /* when connecting may be tried again */
  int failures;          /* to connect, in a row */
  bool permanent;        /* the last was one that waiting does not mend */
  int64_t failing_ns;    /* since when */
  int64_t next_ns;       /* not before that */
  size_t first_address;  /* where the next attempt begins */
  aiorch_error why;      /* of the last failure */
};

aiorch_status aio__pg_pool_open(aio__pg_store *store, aio__io_thread *io, aiorch_error *error);
/* Ends what waits and what is out with AIORCH_E_CLOSED. Takes one that was not opened. */
void aio__pg_pool_close(aio__pg_store *store);
/* Of any thread: AIORCH_OK and it is the pool's, or why not. */
aiorch_status aio__pg_pool_put(aio__pg_pool *pool, aio__pg_step *step);
/* A step of the engine's own on a connection that is not in the pool yet; the I/O thread. */
void aio__pg_pool_run_on(aio__pg_conn *conn, aio__pg_step *step);
/* How checking the connection ended. */
void aio__pg_pool_checked(aio__pg_conn *conn, aiorch_status status, const aiorch_error *error);

/* For postgres_together.c. */
void aio__pg_pool_end(aio__pg_pool *pool, aio__pg_step *step, aiorch_status status);
void aio__pg_pool_line_up(aio__pg_pool *pool, aio__pg_step *step);
void aio__pg_pool_out_of_line(aio__pg_pool *pool, aio__pg_step *step);

/* What runs on the I/O thread. */
void aio__pg_pool_on_put(aio__io_task *task);
void aio__pg_pool_on_open(aio__io_task *task);
void aio__pg_pool_on_close(aio__io_task *task);
void aio__pg_pool_on_step_timer(aio__io_timer *timer);
void aio__pg_pool_on_again(aio__io_timer *timer);

/* ---- steps that travel together: postgres_together.c ----------------------------------------------------------------------------------- */

/* Must it wait, because enough of its kind are out? */
bool aio__pg_held_back(const aio__pg_pool *pool, const aio__pg_step *step);
/* `first`, which has just left the line, or the step in which it travels with others from there. */
aio__pg_step *aio__pg_together(aio__pg_pool *pool, aio__pg_step *first);
/* A part whose time is up. */
void aio__pg_part_leaves(aio__pg_step *step);

/* Frees it. */
void aio__pg_step_free(aio__pg_step *step);

/* ---- checks of a new connection: postgres_checks.c --------------------------------------------------------------------------------------- */

/* Starts them: aio__pg_pool_checked is called in the end, maybe at once. */
void aio__pg_check_start(aio__pg_conn *conn);
void aio__pg_check_drop(aio__pg_conn *conn);

/* ---- a caller that waits: postgres_wait.c ------------------------------------------------------------------------------------------------ */

/* An op of the waiting thread's own. Any thread but the I/O thread. */
typedef struct aio__pg_wait {
  aio__op op;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  bool done;
} aio__pg_wait;

aiorch_status aio__pg_wait_init(aio__pg_wait *wait, aiorch_error *error);
void aio__pg_wait_free(aio__pg_wait *wait);
/* Makes wait->op ready for the next step, which is made for it; then starts the step and waits until it has ended. */
void aio__pg_wait_again(aio__pg_wait *wait, int64_t deadline_ns);
aiorch_status aio__pg_wait_for(aio__pg_wait *wait, aio__pg_step *step, aiorch_error *error);

/* ---- the store: postgres.c ---------------------------------------------------------------------------------------------------------------- */

/* `unchecked`: for migrations; connects when it is first used. */
aiorch_status aio__pg_store_open(const aio__store_env *env, const char *url, bool unchecked, aio__store **out, aiorch_error *error);
/* Allocated; NULL: no memory. */
char *aio__pg_search_path(const aio__alloc *al, const char *schema, const char *vector_schema);

struct aio__pg_store {
  aio__store head;
  aio__store_env env;
  aio__pg_target *target;
  aio__pg_pool pool;
  bool unchecked;           /* no checks at connect: for migrations */
  bool has_pool;
  char *role, *schema;      /* as they are written */
  char *place;              /* the target's, and the schema: what tells this store from all others */
  char *search_path;        /* of the I/O thread; allocated */
  bool warned;              /* of an old pgvector */
};

#endif
