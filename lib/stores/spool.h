/*
 * The spool: where rows of the ledger wait on this machine's disk while the store cannot take them. A folder (mode 0700) that
 * processes share:
 *
 *   UUIDv7.STORE.spool     rows of one process, in the order in which they came; the process holds a lock (an OFD lock on the whole
 *                          file) as long as it writes there. Without the lock it is to be replayed, by whoever locks it first.
 *   UUIDv7.STORE.new       a file that is being made; never holds an acknowledged row
 *   UUIDv7.STORE.poison    rows that the store refused for what they are, each with the reason
 *   UUIDv7.STORE.damaged   a file of which a part could not be read; the rows of the other parts have been replayed
 *
 * STORE: 16 hexadecimal digits that say which store the rows are for, so that those of one server never go to another.
 *
 * A file begins with 512 bytes: "AIOSPOOL" | u32 version (1) | u32 CRC-32C of these 512 bytes with this sum as 0 |
 * i64 when it was made (wall ms) | the place of the store as text, filled up with NUL (little-endian). Then come records
 * (spool_record.h), one behind the other. A record that the end of the file cuts off was never acknowledged. A part that is
 * damaged is passed over: reading goes on at the next record.
 *
 * A file is deleted when the store has acknowledged every row of it. Rows may come twice to the store (a commit of unknown
 * outcome, a crash in between): their ids make that harmless.
 */
#ifndef AIO_STORES_SPOOL_H
#define AIO_STORES_SPOOL_H

#include "core/buf.h"
#include "stores/spool_record.h"

enum {
  AIO__SPOOL_PATH_MAX = 4096,
  AIO__SPOOL_NAME_MAX = 80,
  AIO__SPOOL_FILE_HEAD = 512,
  AIO__SPOOL_FILES_MAX = 65536,        /* files that are looked at; more wait */
  AIO__SPOOL_LOOK_BYTES = 1 << 20,     /* what a process writes between two looks at how much others have */
  AIO__SPOOL_STORE_LEN = 16,
  AIO__SPOOL_VERSION = 1
};

typedef struct aio__spool aio__spool;

typedef struct aio__spool_setup {
  const aio__alloc *al;
  const aio__clock *clock;
  const char *path, *store;    /* the folder; the place of the store, without secrets */
  int64_t file_max, max_bytes; /* a file; all of the folder: may be passed by AIO__SPOOL_LOOK_BYTES a process */
} aio__spool_setup;

/* Makes the folder unless it is there, and looks whether files can be made in it: AIORCH_E_STORE, with words that name
 * spool.path. Writes nothing. */
aiorch_status aio__spool_open(const aio__spool_setup *setup, aio__spool **out, aiorch_error *error);
/* The rows stay for the next process. Takes NULL. */
void aio__spool_close(aio__spool *spool);

/* Appends the rows, all or none; with `sync` they are on the disk when it returns. Any thread. Allocates nothing.
 * AIORCH_E_STORE_FULL (the disk, or spool.max_bytes), AIORCH_E_TOO_LARGE, AIORCH_E_STORE: none was acknowledged. */
aiorch_status aio__spool_append(aio__spool *spool, const aio__spool_row *const *rows, size_t count, bool sync,
                                aiorch_error *error);
/* What was appended so far may be replayed; the next row begins a file. */
void aio__spool_seal(aio__spool *spool);
/* Bytes of rows that lie in the file that is being written. */
uint64_t aio__spool_pending(aio__spool *spool);
/* Into a file of refused rows, on the disk when it returns; spool.max_bytes does not count here, for the row leaves another file.
 * By one thread; after aio__spool_end_aside the next row begins a file. */
aiorch_status aio__spool_set_aside(aio__spool *spool, const aio__spool_row *row, aiorch_error *error);
void aio__spool_end_aside(aio__spool *spool);
const char *aio__spool_path(const aio__spool *spool);
/* Whether a file of that name has rows for the store of this spool. */
bool aio__spool_is_for(const aio__spool *spool, const char *name);

/* ---- spool_files.c: the folder and its files, read ------------------------------------------------------------------- */

typedef enum aio__spool_state {
  AIO__SPOOL_ROWS,    /* .spool */
  AIO__SPOOL_MAKING,  /* .new */
  AIO__SPOOL_POISON,  /* .poison */
  AIO__SPOOL_DAMAGED  /* .damaged */
} aio__spool_state;

typedef struct aio__spool_file {
  char name[AIO__SPOOL_NAME_MAX + 1];
  aio__spool_state state;
  int64_t bytes;
} aio__spool_file;

typedef struct aio__spool_files {
  const aio__alloc *al;
  aio__spool_file *file; /* the oldest first */
  size_t n, cap;
} aio__spool_files;

/* Files of a spool in the folder; others are passed over. None when there is no folder. AIORCH_E_NOMEM, AIORCH_E_STORE. */
aiorch_status aio__spool_list(const aio__alloc *al, const char *path, aio__spool_files *out, aiorch_error *error);
void aio__spool_files_free(aio__spool_files *files);
/* The sum of their sizes; 0 when it is not known. */
int64_t aio__spool_usage(const char *path);

typedef struct aio__spool_reader {
  int fd;
  bool owned;              /* it is locked by us */
  uint64_t size, at;       /* of the file; where the next record is looked for */
  uint64_t records, damaged, torn; /* read; bytes passed over; bytes cut off at the end */
  uint64_t window_at;      /* where in the file `window` begins */
  aio__buf window;
  char path[AIO__SPOOL_PATH_MAX + 1];
  char store[AIO__SPOOL_FILE_HEAD]; /* as the file says; "" when its head is damaged */
  int64_t created_ms;
} aio__spool_reader;

/* Opens a file and, with `own`, takes its lock: AIORCH_AGAIN when another has it, or it is gone. AIORCH_E_STORE_NEWER,
 * AIORCH_E_STORE, AIORCH_E_NOMEM, AIORCH_E_STORE_CORRUPT (no file of a spool). */
aiorch_status aio__spool_reader_open(const aio__alloc *al, const char *path, const char *name, bool own,
                                     aio__spool_reader *out, aiorch_error *error);
/* The next whole record, valid until the next call: AIORCH_OK, AIORCH_DONE, AIORCH_E_STORE (reading failed), AIORCH_E_NOMEM. */
aiorch_status aio__spool_reader_next(aio__spool_reader *reader, aio__str *record, aiorch_error *error);
void aio__spool_reader_close(aio__spool_reader *reader);
/* After every row was acknowledged or set aside: deletes the file, or keeps it as .damaged when a part could not be read.
 * Closes the reader. */
aiorch_status aio__spool_reader_finish(aio__spool_reader *reader, aiorch_error *error);
/* AIORCH_OK: nobody writes there (the lock is given back at once). */
bool aio__spool_is_left(const char *path, const char *name);

/* ---- what both files share ---- */
bool aio__spool_lock(int fd);
void aio__spool_join(const char *path, const char *name, char out[AIO__SPOOL_PATH_MAX + 1]);
aiorch_status aio__spool_error(aiorch_error *error, int code, const char *what, const char *path);
bool aio__spool_sync_folder(const char *path); /* false: errno says why */

#endif
