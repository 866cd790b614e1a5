/* See fault_table.h. */
#include "fault_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "support/model_files.h"

enum { LINE_MAX_BYTES = 1 << 20, FIRST_FREE_FD = 3, LAST_FD = 64 };

aio__tape fault_table, fault_places;

static FILE *to_server, *from_server;
static pid_t server_pid;
static aio__str file;
static char *places;

/* ---- the server --------------------------------------------------------------------------------------------------- */

static char *read_line(void) {
  static char line[LINE_MAX_BYTES];
  if (!fgets(line, sizeof line, from_server)) {
    fprintf(stderr, "the fault server has gone\n");
    exit(1);
  }
  return line;
}

static void start_server(const char *root, const char *python, const char *table_path) {
  int in[2], out[2];
  char script[1024];
  snprintf(script, sizeof script, "%s/tests/fault/fault_server.py", root);
  if (pipe(in) != 0 || pipe(out) != 0) abort();
  server_pid = fork();
  if (server_pid == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    for (int fd = FIRST_FREE_FD; fd < LAST_FD; fd++) close(fd);
    execlp(python, python, "-B", script, getenv("AIORCH_TEST_TMP") ? getenv("AIORCH_TEST_TMP") : ".", table_path, (char *)NULL);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  to_server = fdopen(in[1], "w");
  from_server = fdopen(out[0], "r");
}

/* ---- standing still ----------------------------------------------------------------------------------------------- */

enum { PULSE_MS = 5, STILL_MS = 50 };

static pthread_t pulse;
static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool pulse_ends;
static _Atomic int64_t beat_ns, still_ns; /* the last beat; the last that came late */

static void *beat(void *ctx) {
  static const struct timespec pause = {0, PULSE_MS * 1000000L};
  for (int64_t last = aio__clock_now(aio__clock_system()); !atomic_load(&pulse_ends);) {
    nanosleep(&pause, NULL);
    int64_t at = aio__clock_now(aio__clock_system());
    if (at - last > STILL_MS * INT64_C(1000000)) atomic_store(&still_ns, at);
    atomic_store(&beat_ns, at);
    last = at;
  }
  return ctx;
}

bool fault_stood_still(int64_t since_ns) {
  static const struct timespec pause = {0, 1000000L};
  int64_t asked = aio__clock_now(aio__clock_system()), server_ns = 0;
  aio__tape said;
  while (atomic_load(&beat_ns) <= asked) nanosleep(&pause, NULL);
  if (atomic_load(&still_ns) > since_ns) return true;
  pthread_mutex_lock(&asking);
  fprintf(to_server, "still\n");
  fflush(to_server);
  aio__tape_init(&said, aio__alloc_default());
  if (aio__tape_read(&said, aio__str_z(read_line())) != AIORCH_OK) abort();
  aio__tape_i64(&said, AIO__TAPE_GET(&said, AIO__TAPE_ROOT, "still_ns"), &server_ns);
  aio__tape_free(&said);
  pthread_mutex_unlock(&asking);
  return server_ns > since_ns;
}

void fault_slow_down(void) {
  pthread_mutex_lock(&asking);
  fprintf(to_server, "slower\n");
  fflush(to_server);
  pthread_mutex_unlock(&asking);
}

static void read_table(const char *path) {
  file = aio__test_read_file(path);
  aio__tape_init(&fault_table, aio__alloc_default());
  if (aio__tape_read(&fault_table, file) != AIORCH_OK) {
    fprintf(stderr, "%s is no JSON, at byte %zu\n", path, fault_table.fault);
    exit(1);
  }
}

bool fault_begin(void) {
  const char *root = getenv("AIORCH_ROOT"), *python = getenv("AIORCH_PYTHON");
  char path[1024];
  if (!root || !python || system("openssl version >/dev/null 2>&1") != 0) {
    printf("SKIP: needs AIORCH_ROOT, AIORCH_PYTHON and openssl\n");
    return false;
  }
  snprintf(path, sizeof path, "%s/tests/fault/network_faults.json", root);
  read_table(path);
  start_server(root, python, path);
  places = strdup(read_line());
  aio__tape_init(&fault_places, aio__alloc_default());
  if (!places || aio__tape_read(&fault_places, aio__str_z(places)) != AIORCH_OK) abort();
  if (pthread_create(&pulse, NULL, beat, NULL) != 0) abort();
  return true;
}

void fault_end(void) {
  int status;
  atomic_store(&pulse_ends, true);
  (void)pthread_join(pulse, NULL);
  fclose(to_server);
  fclose(from_server);
  waitpid(server_pid, &status, 0);
  free(places);
  aio__tape_free(&fault_places);
  aio__tape_free(&fault_table);
  aio__test_free_file(file);
}

void fault_seen(const char *name, aio__tape *seen) {
  fprintf(to_server, "seen %s\n", name);
  fflush(to_server);
  aio__tape_init(seen, aio__alloc_default());
  if (aio__tape_read(seen, aio__str_z(read_line())) != AIORCH_OK) abort();
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static const char *text_of(const aio__tape *tape, aio__tape_value value, aio__buf *into) {
  aio__str text;
  aio__buf scratch;
  aio__buf_init(&scratch, aio__alloc_default(), LINE_MAX_BYTES);
  aio__buf_init(into, aio__alloc_default(), LINE_MAX_BYTES);
  if (aio__tape_str(tape, value, NULL, &scratch, &text) == AIORCH_OK) aio__buf_str(into, text);
  aio__buf_free(&scratch);
  return aio__buf_cstr(into);
}

aio__tape_value fault_member(aio__tape_value object, const char *name) {
  return aio__tape_member(&fault_table, object, name, strlen(name));
}

int64_t fault_number(aio__tape_value object, const char *name) {
  int64_t value = 0;
  return aio__tape_i64(&fault_table, fault_member(object, name), &value) ? value : 0;
}

const char *fault_text(aio__tape_value object, const char *name, aio__buf *into) {
  return text_of(&fault_table, fault_member(object, name), into);
}

int fault_port(const char *name, bool *tls) {
  aio__tape_value rows = AIO__TAPE_GET(&fault_places, AIO__TAPE_ROOT, "rows");
  aio__tape_value place = aio__tape_member(&fault_places, rows, name, strlen(name));
  int64_t port = 0;
  if (!aio__tape_i64(&fault_places, AIO__TAPE_GET(&fault_places, place, "port"), &port)) abort();
  *tls = aio__tape_true(&fault_places, AIO__TAPE_GET(&fault_places, place, "tls"));
  return (int)port;
}

const char *fault_said(const char *name, aio__buf *into) {
  return text_of(&fault_places, aio__tape_member(&fault_places, AIO__TAPE_ROOT, name, strlen(name)), into);
}
