/*
 * Every fault of network_faults.json against the HTTP transport, over real sockets. fault_server.py plays the other side.
 *
 *   network [--row NAME] [--seed N]     needs python3 and openssl
 *
 * What must hold, beside what the row says: an exchange is over 100 ms after its deadline at the latest (the worst is printed; a row
 * that is later is played again, up to three times, since others use the machine, too); no byte of the prompt or the key reaches a
 * server whose TLS is not right; afterwards memory and descriptors are what they were.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/http_client.h"
#include "support/model_files.h"
#include "support/test_alloc.h"
#include "support/tiny_server.h"
#include "text/json_tape.h"

enum { ROWS_MAX = 512, LINE_MAX_BYTES = 1 << 20, TRIES = 3, LATE_MS = 100, CANCEL_MS = 50, CANCELS = 50, MANY = 20, WATCHDOG_S = 30 };

#define PROMPT "{\"prompt\":\"the prompt that nobody else may see\"}"
#define KEY "sk-test-0123456789abcdef0123456789"

static FILE *to_server, *from_server;
static pid_t server_pid;
static aio__tape table, places;
static aio__test_alloc memory;
static aio__transport *transport;
static int64_t worst_late_ns;
static int failures;

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
    for (int fd = 3; fd < 64; fd++) close(fd);
    execlp(python, python, script, getenv("AIORCH_TEST_TMP") ? getenv("AIORCH_TEST_TMP") : ".", table_path, (char *)NULL);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  to_server = fdopen(in[1], "w");
  from_server = fdopen(out[0], "r");
}

static void stop_server(void) {
  int status;
  fclose(to_server);
  fclose(from_server);
  waitpid(server_pid, &status, 0);
}

/* What the server of a row has seen, in a tape that the caller frees. */
static void ask_seen(const char *name, aio__tape *seen) {
  fprintf(to_server, "seen %s\n", name);
  fflush(to_server);
  aio__tape_init(seen, aio__alloc_default());
  if (aio__tape_read(seen, aio__str_z(read_line())) != AIORCH_OK) abort();
}

/* ---- reading a row ------------------------------------------------------------------------------------------------ */

static aio__tape_value member(aio__tape_value object, const char *name) {
  return aio__tape_member(&table, object, name, strlen(name));
}

static int64_t number(aio__tape_value object, const char *name) {
  int64_t value = 0;
  return aio__tape_i64(&table, member(object, name), &value) ? value : 0;
}

static const char *text(aio__tape_value object, const char *name, aio__buf *into) {
  aio__str value;
  aio__buf scratch;
  aio__buf_init(&scratch, aio__alloc_default(), 1 << 20);
  aio__buf_init(into, aio__alloc_default(), 1 << 20);
  if (aio__tape_str(&table, member(object, name), NULL, &scratch, &value) == AIORCH_OK) aio__buf_str(into, value);
  aio__buf_free(&scratch);
  return aio__buf_cstr(into);
}

static const char *status_name(aiorch_status status) {
  switch (status) {
    case AIORCH_OK: return "OK";
    case AIORCH_E_NETWORK: return "NETWORK";
    case AIORCH_E_DEADLINE: return "DEADLINE";
    case AIORCH_E_TOO_LARGE: return "TOO_LARGE";
    case AIORCH_E_RESPONSE: return "RESPONSE";
    case AIORCH_E_CLOSED: return "CLOSED";
    case AIORCH_E_NOMEM: return "NOMEM";
    default: return "?";
  }
}

static bool one_of(const char *name, const char *list) {
  size_t n = strlen(name);
  for (const char *at = list; (at = strstr(at, name)) != NULL; at += n) {
    if ((at == list || at[-1] == '|') && (at[n] == '\0' || at[n] == '|')) return true;
  }
  return false;
}

/* ---- playing a row ------------------------------------------------------------------------------------------------ */

static void make_url(const char *name, aio__tape_value row, char *url, size_t cap) {
  aio__tape_value place = aio__tape_member(&places, AIO__TAPE_GET(&places, AIO__TAPE_ROOT, "rows"), name, strlen(name));
  int64_t port = 0;
  bool tls = aio__tape_true(&places, AIO__TAPE_GET(&places, place, "tls")) || aio__tape_true(&table, member(row, "tls"));
  if (!aio__tape_i64(&places, AIO__TAPE_GET(&places, place, "port"), &port)) abort();
  snprintf(url, cap, "%s://127.0.0.1:%d/v1/messages?a=1", tls ? "https" : "http", (int)port);
}

static http_ask read_ask(aio__tape_value row, const char *url) {
  aio__tape_value ask = member(row, "ask");
  http_ask out = {.url = url, .body = PROMPT, .key = KEY};
  out.deadline_ms = number(ask, "deadline_ms");
  out.limits.connect_ms = number(ask, "connect_ms");
  out.limits.first_byte_ms = number(ask, "first_byte_ms");
  out.limits.idle_ms = number(ask, "idle_ms");
  out.limits.response_max = (size_t)number(ask, "response_max");
  if (aio__tape_true(&table, member(ask, "stream"))) out.framing = AIO__WIRE_SSE;
  return out;
}

/* Prints what is wrong; 0 when nothing is. */
static int complain(bool bad, const char *name, const char *what, const char *got) {
  if (bad) printf("  FAILED %s: %s (%s)\n", name, what, got);
  return bad ? 1 : 0;
}

static int check_seen(const char *name, const char *want) {
  aio__tape seen;
  int64_t bytes = 0;
  aio__str all;
  if (want[0] == '\0') return 0;
  ask_seen(name, &seen);
  aio__tape_i64(&seen, AIO__TAPE_GET(&seen, AIO__TAPE_ROOT, "bytes"), &bytes);
  all = aio__tape_raw(&seen, AIO__TAPE_ROOT);
  bool bad = (strcmp(want, "nothing") == 0 && bytes > 0) || memmem(all.p, all.n, "prompt that", 11) || memmem(all.p, all.n, "sk-test", 7);
  bad = complain(bad, name, "the server has seen what it must not", "");
  aio__tape_free(&seen);
  return bad;
}

static int check_answer(const char *name, aio__tape_value expect, const http_answer *a) {
  aio__buf status, words, body, seen;
  int bad = 0;
  const char *got = a->error.message;
  bad += complain(a->started != AIORCH_OK, name, "was not started", a->start_message);
  bad += complain(!one_of(status_name(a->status), text(expect, "status", &status)), name, "another status", status_name(a->status));
  bad += complain(strstr(got, text(expect, "words", &words)) == NULL, name, "other words", got);
  text(expect, "body", &body);
  if (member(expect, "body") != AIO__TAPE_NONE)
    bad += complain(!aio__str_eq(aio__buf_view(&body), aio__buf_view(&a->body)), name, "another body", aio__buf_cstr(&a->body));
  bad += complain(number(expect, "http") != 0 && a->http_status != number(expect, "http"), name, "another HTTP status", "");
  bad += complain(a->status != AIORCH_OK && a->error.http_status != a->http_status, name, "the error has not the HTTP status", got);
  bad += complain(a->sent != aio__tape_true(&table, member(expect, "sent")), name, "sent or not", a->sent ? "sent" : "not sent");
  bad += complain(a->status != AIORCH_OK && a->error.unsent == a->sent, name, "the error says otherwise whether it was sent", got);
  bad += complain(strstr(got, "sk-test") || strstr(got, "a=1"), name, "the words tell a secret", got);
  bad += check_seen(name, text(expect, "seen", &seen));
  aio__buf_free(&status);
  aio__buf_free(&words);
  aio__buf_free(&body);
  aio__buf_free(&seen);
  return bad;
}

static int play_one(const char *name, aio__tape_value row, const char *url) {
  aio__tape_value expect = member(row, "expect");
  int64_t within = number(expect, "within_ms") * 1000000;
  int bad = 0;
  for (int i = 0; i < TRIES; i++) {
    http_answer a;
    http_ask ask = read_ask(row, url);
    http_answer_init(&a);
    http_do(transport, &memory.al, &ask, &a);
    bad = check_answer(name, expect, &a);
    bool late = a.late_ns > LATE_MS * INT64_C(1000000) || (within > 0 && a.took_ns > within);
    printf("  %-24s %-10s %6.0f ms  %s\n", name, status_name(a.status), (double)a.took_ns / 1e6, a.error.message);
    if (!late && a.late_ns > worst_late_ns) worst_late_ns = a.late_ns;
    if (late && i == TRIES - 1) bad += complain(true, name, "too late, three times", "");
    http_answer_free(&a);
    if (!late || bad) break;
  }
  return bad;
}

/* Several at once, or one after the other: all answered, over one connection. */
static int play_shared(const char *name, const char *url, bool at_once) {
  aio__exchange *out[MANY];
  aio__waker *waker;
  aio__tape seen;
  int64_t connections = 0, requests = 0;
  int bad = 0;
  if (aio__waker_new(&memory.al, aio__clock_system(), &waker) != AIORCH_OK) abort();
  for (int begin = 0; begin < MANY; begin += at_once ? MANY : 1) {
    int end = at_once ? MANY : begin + 1;
    for (int i = begin; i < end; i++) {
      if (http_start(transport, &memory.al, &(http_ask){.url = url, .body = PROMPT, .limits = {.response_max = 1 << 20}}, waker, &out[i], NULL)) abort();
    }
    for (int i = begin; i < end; i++) {
      aio__wire_error error = {0};
      aio__buf body;
      aiorch_status status;
      aio__buf_init(&body, aio__alloc_default(), 1 << 20);
      for (;;) {
        aio__waker_clear(waker);
        transport->take(out[i], &body);
        status = transport->state(out[i], &error);
        if (status != AIORCH_PENDING) break;
        aio__waker_wait(waker, AIO__NEVER);
      }
      bad += complain(status != AIORCH_OK || body.n != (at_once ? 64 << 10 : 4), name, "not answered whole", error.message);
      aio__buf_free(&body);
      transport->drop(out[i]);
    }
  }
  aio__waker_release(waker);
  ask_seen(name, &seen);
  aio__tape_i64(&seen, AIO__TAPE_GET(&seen, AIO__TAPE_ROOT, "connections"), &connections);
  aio__tape_i64(&seen, AIO__TAPE_GET(&seen, AIO__TAPE_ROOT, "requests"), &requests);
  aio__tape_free(&seen);
  printf("  %-24s %d exchanges over %d connection(s)\n", name, (int)requests, (int)connections);
  return bad + complain(connections != 1 || requests != MANY, name, "not over one connection", "");
}

enum { SLOW_BYTES = 2 << 20 };

/* One that nobody reads, and others over the same connection, which must not wait for it. */
static int play_slow(const char *name, const char *url) {
  aio__exchange *slow;
  aio__waker *waker;
  aio__buf body;
  aio__wire_error error = {0};
  aiorch_status status;
  int bad = 0;
  http_ask ask = {.url = url, .body = PROMPT, .deadline_ms = 20000, .limits = {.buffer_max = 16 << 10, .response_max = 8 << 20}};
  if (aio__waker_new(&memory.al, aio__clock_system(), &waker) != AIORCH_OK) abort();
  if (http_start(transport, &memory.al, &ask, waker, &slow, NULL) != AIORCH_OK) abort();
  while (!transport->head(slow) && transport->state(slow, &error) == AIORCH_PENDING) aio__waker_wait(waker, AIO__NEVER), aio__waker_clear(waker);
  for (int i = 0; i < 5; i++) {
    http_answer a;
    http_answer_init(&a);
    http_do(transport, &memory.al, &ask, &a);
    bad += complain(a.status != AIORCH_OK || a.body.n != SLOW_BYTES, name, "another waits for it", a.error.message);
    http_answer_free(&a);
  }
  aio__buf_init(&body, aio__alloc_default(), 8 << 20);
  for (;;) {
    aio__waker_clear(waker);
    transport->take(slow, &body);
    status = transport->state(slow, &error);
    if (status != AIORCH_PENDING) break;
    aio__waker_wait(waker, AIO__NEVER);
  }
  bad += complain(status != AIORCH_OK || body.n != SLOW_BYTES, name, "it is not whole itself", error.message);
  printf("  %-24s five others, then itself: %s\n", name, status_name(status));
  transport->drop(slow);
  aio__buf_free(&body);
  aio__waker_release(waker);
  return bad;
}

/* ---- cancelling: how long until the server sees the end ------------------------------------------------------------ */

typedef struct cancelling {
  _Atomic int64_t gone_ns;
  atomic_int begun;
} cancelling;

static bool half_an_answer(tiny_server *server, const tiny_request *request) {
  cancelling *c = server->ctx;
  tiny_send_text(request->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
  atomic_store(&c->begun, 1);
  if (tiny_gone(request->fd, 20000)) atomic_store(&c->gone_ns, aio__clock_now(aio__clock_system()));
  return false;
}

static int play_cancel(const char *name) {
  static tiny_server server;
  cancelling c = {0};
  char url[128];
  int64_t worst = 0;
  int late = 0;
  tiny_server_start(&server, half_an_answer, &c);
  tiny_url(&server, "/", url, sizeof url);
  for (int i = 0; i < CANCELS; i++) {
    aio__exchange *e;
    atomic_store(&c.gone_ns, 0);
    atomic_store(&c.begun, 0);
    if (http_start(transport, &memory.al, &(http_ask){.url = url, .body = PROMPT}, NULL, &e, NULL) != AIORCH_OK) abort();
    while (!atomic_load(&c.begun)) sched_yield();
    int64_t dropped = aio__clock_now(aio__clock_system());
    transport->drop(e);
    while (atomic_load(&c.gone_ns) == 0) sched_yield();
    int64_t took = atomic_load(&c.gone_ns) - dropped;
    if (took > worst) worst = took;
    if (took > CANCEL_MS * INT64_C(1000000)) late++;
  }
  tiny_server_stop(&server);
  printf("  %-24s the server sees it after %.1f ms at the latest, of %d\n", name, (double)worst / 1e6, CANCELS);
  return complain(late > CANCELS / 10, name, "too late, more than once in ten", "");
}

static void play(aio__tape_value row) {
  aio__buf name, kind;
  char url[256];
  int bad;
  text(row, "name", &name);
  text(row, "play", &kind);
  make_url(aio__buf_cstr(&name), row, url, sizeof url);
  http_watchdog(WATCHDOG_S);
  if (aio__str_eqz(aio__buf_view(&kind), "cancel"))
    bad = play_cancel(aio__buf_cstr(&name));
  else if (aio__str_eqz(aio__buf_view(&kind), "slow"))
    bad = play_slow(aio__buf_cstr(&name), url);
  else if (kind.n > 0)
    bad = play_shared(aio__buf_cstr(&name), url, aio__str_eqz(aio__buf_view(&kind), "many"));
  else
    bad = play_one(aio__buf_cstr(&name), row, url);
  if (bad) failures++;
  aio__buf_free(&name);
  aio__buf_free(&kind);
}

static void read_table(const char *path, aio__str *file) {
  *file = aio__test_read_file(path);
  aio__tape_init(&table, aio__alloc_default());
  if (aio__tape_read(&table, *file) != AIORCH_OK) {
    fprintf(stderr, "%s is no JSON, at byte %zu\n", path, table.fault);
    exit(1);
  }
}

int main(int argc, char **argv) {
  const char *root = getenv("AIORCH_ROOT"), *python = getenv("AIORCH_PYTHON"), *only = argc > 2 ? argv[2] : NULL;
  char path[1024];
  aio__str file;
  aio__buf ca;
  if (!root || !python || system("openssl version >/dev/null 2>&1") != 0) {
    printf("SKIP: needs AIORCH_ROOT, AIORCH_PYTHON and openssl\n");
    return 77;
  }
  http_forget_proxies();
  http_watchdog(60);
  snprintf(path, sizeof path, "%s/tests/fault/network_faults.json", root);
  read_table(path, &file);
  start_server(root, python, path);
  char *first = strdup(read_line());
  aio__tape_init(&places, aio__alloc_default());
  if (!first || aio__tape_read(&places, aio__str_z(first)) != AIORCH_OK) abort();
  aio__buf_init(&ca, aio__alloc_default(), 4096);
  aio__str ca_text;
  if (aio__tape_str(&places, AIO__TAPE_GET(&places, AIO__TAPE_ROOT, "ca"), NULL, &ca, &ca_text) != AIORCH_OK) abort();
  snprintf(path, sizeof path, "%.*s", (int)ca_text.n, ca_text.p);

  aio__test_alloc_init(&memory);
  size_t descriptors = http_open_descriptors();
  aio__http_options options = {.ca_file = path};
  if (aio__http_open(&options, &memory.al, aio__clock_system(), NULL, NULL, &transport, NULL) != AIORCH_OK) abort();
  aio__tape_value rows = AIO__TAPE_GET(&table, AIO__TAPE_ROOT, "rows");
  for (aio__tape_value row = aio__tape_first(&table, rows); row != AIO__TAPE_NONE; row = aio__tape_next(&table, rows, row)) {
    if (!only || aio__tape_is(&table, member(row, "name"), only)) play(row);
  }
  transport->close(transport);
  if (memory.live != 0 || http_open_descriptors() != descriptors) {
    printf("  FAILED: %ld allocations and %zu descriptors are left (%zu before)\n", (long)memory.live, http_open_descriptors(), descriptors);
    failures++;
  }
  printf("%zu rows, %d failed; the latest ended %.1f ms after its deadline\n", aio__tape_size(&table, rows), failures, (double)worst_late_ns / 1e6);
  stop_server();
  free(first);
  aio__buf_free(&ca);
  aio__tape_free(&places);
  aio__tape_free(&table);
  aio__test_free_file(file);
  return failures > 0 ? 1 : 0;
}
