/* What the fuzz targets share: see fuzz.h. */
#include <dirent.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "core/hash.h"
#include "core/uuid.h"
#include "text/chunk.h"

_Noreturn void fuzz_fail(const char *file, int line, const char *condition) {
  (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
  abort();
}

aio__str fuzz_text(const uint8_t *data, size_t size) {
  return (aio__str){(const char *)data, size};
}

aio__str fuzz_utf8(const uint8_t *data, size_t size) {
  char *copy = malloc(size + 1);
  if (copy == NULL) abort();
  if (size > 0) memcpy(copy, data, size);
  copy[size] = '\0';
  aio__str text = {copy, size};
  size_t from = 0;
  while (from < size) {
    from += aio__utf8_check((aio__str){copy + from, size - from}, NULL);
    if (from < size) copy[from] = '?';
  }
  return text;
}

bool fuzz_is_boundary(aio__str text, size_t at) {
  return at == text.n || (at < text.n && ((unsigned char)text.p[at] & 0xC0) != 0x80);
}

/* ---- a folder ---------------------------------------------------------------------------------------------------- */

static char folder[PATH_MAX];
static pid_t folder_owner;

static void remove_folder(void) {
  if (getpid() != folder_owner) return;
  DIR *dir = opendir(folder);
  if (dir == NULL) return;
  for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
    char path[PATH_MAX + 300];
    (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    (void)unlink(path);
  }
  closedir(dir);
  (void)rmdir(folder);
}

const char *fuzz_folder(void) {
  if (folder[0] != '\0') return folder;
  const char *base = getenv("TMPDIR");
  if (access("/dev/shm", W_OK) == 0) base = "/dev/shm";
  (void)snprintf(folder, sizeof folder, "%s/aiorch-fuzz-XXXXXX", base != NULL ? base : "/tmp");
  if (mkdtemp(folder) == NULL) abort();
  folder_owner = getpid();
  (void)atexit(remove_folder);
  return folder;
}

/* ---- stores ------------------------------------------------------------------------------------------------------ */

void fuzz_env_init(fuzz_env *env) {
  const aio__alloc *al = aio__alloc_default();
  if (aio__options_init(&env->options, al) != AIORCH_OK) abort();
  env->options.store_busy_ms = 100;
  if (aio__log_new(al, aio__clock_system(), NULL, NULL, &env->log) != AIORCH_OK) abort();
  env->env = (aio__store_env){.al = al, .clock = aio__clock_system(), .log = env->log, .options = &env->options};
}

static void on_done(aio__op *op, void *ctx) {
  (void)op;
  atomic_store(&((fuzz_sync *)ctx)->done, true);
}

aio__op *fuzz_op(fuzz_sync *sync) {
  memset(sync, 0, sizeof *sync);
  aio__op_init(&sync->op, aio__clock_after_ms(aio__clock_system(), 10000), on_done, sync);
  return &sync->op;
}

aiorch_status fuzz_wait(fuzz_sync *sync, aiorch_status started) {
  if (started != AIORCH_PENDING) return started;
  while (!atomic_load(&sync->done)) (void)sched_yield();
  return sync->op.status;
}

static void add_document(aio__store *store, const char *tenant, const char *source, const char *text) {
  enum { NOW = 1700000000 };
  static const aio__pair metadata[] = {{{"lang", 4}, {"en", 2}}};
  static const aio__anchor anchors[] = {{0, {"top", 3}}, {40, {"below", 5}}};
  char hashes[64][32];
  aio__arena arena;
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  aio__store_document document = {.source = aio__str_z(source),
                                  .title = AIO__LIT("A title"),
                                  .text = aio__str_z(text),
                                  .hash = {"0123456789abcdef0123456789abcdef", 32},
                                  .format = AIORCH_FORMAT_MARKDOWN,
                                  .metadata = metadata,
                                  .metadata_count = 1,
                                  .anchors = anchors,
                                  .anchor_count = 2};
  aio__chunk *cut = NULL;
  size_t n = 0;
  aio__chunk_options how = {AIORCH_FORMAT_MARKDOWN, 40, 60};
  if (aio__chunk_text(&arena, document.text, &how, &cut, &n) != AIORCH_OK || n > 64) abort();
  aio__store_chunk *chunks = aio__arena_alloc(&arena, (n > 0 ? n : 1) * sizeof *chunks);
  for (size_t i = 0; i < n; i++) {
    memset(hashes[i], (int)i, sizeof hashes[i]);
    chunks[i] = (aio__store_chunk){.ordinal = cut[i].ordinal,
                                   .tokens = cut[i].tokens,
                                   .start = cut[i].start,
                                   .end = cut[i].end,
                                   .heading = cut[i].heading,
                                   .hash = {hashes[i], 32}};
    if (aio__uuid_v7(NOW, chunks[i].id) != AIORCH_OK) abort();
  }
  if (aio__uuid_v7(NOW, document.id) != AIORCH_OK) abort();
  document.bytes = document.text.n;
  document.chunk_count = (uint32_t)n;
  fuzz_sync sync;
  int what = 0;
  aio__str *removed = NULL;
  size_t removed_count = 0;
  FUZZ_CHECK(fuzz_wait(&sync, store->knowledge->add(store, fuzz_op(&sync), aio__str_z(tenant), &document, chunks, n,
                                                    NOW, &arena, &what, &removed, &removed_count)) == AIORCH_OK);
  aio__arena_free(&arena);
}

void fuzz_fill(aio__store *store) {
  add_document(store, "acme", "guide.md",
               "# Backups\n\nA dump is made with `pg_dump`. It is consistent while the database is in use.\n\n"
               "## Restore\n\nText dumps are read by psql, archives by pg_restore. The owner must exist before.\n\n"
               "| option | meaning |\n|---|---|\n| -j | jobs |\n| -F | format |\n");
  add_document(
    store, "acme", "limits.md",
    "# Limits\n\nA table has at most 1600 columns; an identifier at most 63 bytes.\n\n- rows: by disk\n"
    "- size: 32 TB\n");
  add_document(store, "acme", "unicode.md",
               "# \xC3\x9C"
               "bersicht\n\nDie Gr\xC3\xB6\xC3\x9F"
               "e \xE6\xBC\xA2\xE5\xAD\x97 na\xC3\xAFve caf\xC3\xA9.\n");
  add_document(store, "other", "secret.md", "# Backups\n\nThe other tenant's backups lie elsewhere.\n");
}
