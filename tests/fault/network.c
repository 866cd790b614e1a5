/*
 * Every fault of network_faults.json against the HTTP transport, over real sockets. fault_server.py plays the other side.
 *
 *   network [--row NAME] [--seed N]     needs python3 and openssl
 *
 * What must hold, beside what the row says: an exchange is over 100 ms after its deadline at the latest (the worst is printed; a row
 * that is later is played again, up to three times, since others use the machine, too, and so is one that came to something else while
 * this program or the server stood still); no byte of the prompt or the key reaches a server whose TLS is not right; afterwards memory
 * and descriptors are what they were.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault_table.h"
#include "support/http_client.h"
#include "support/test_alloc.h"
#include "support/tiny_server.h"

enum { TRIES = 3, EXCUSES = 10, EXCUSED_S = 60, LATE_MS = 100, CANCEL_MS = 50, CANCELS = 50, MANY = 20, WATCHDOG_S = 30 };

#define PROMPT "{\"prompt\":\"the prompt that nobody else may see\"}"
#define KEY "sk-test-0123456789abcdef0123456789"

static aio__test_alloc memory;
static aio__transport *transport;
static int64_t worst_late_ns;
static int failures;
static bool excused; /* what is wrong now is the machine's doing, perhaps, and is played again */

/* ---- reading a row ------------------------------------------------------------------------------------------------ */

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
  bool tls;
  int port = fault_port(name, &tls);
  tls = tls || aio__tape_true(&fault_table, fault_member(row, "tls"));
  snprintf(url, cap, "%s://127.0.0.1:%d/v1/messages?a=1", tls ? "https" : "http", port);
}

static http_ask read_ask(aio__tape_value row, const char *url) {
  aio__tape_value ask = fault_member(row, "ask");
  http_ask out = {.url = url, .body = PROMPT, .key = KEY};
  out.deadline_ms = fault_number(ask, "deadline_ms");
  out.limits.connect_ms = fault_number(ask, "connect_ms");
  out.limits.first_byte_ms = fault_number(ask, "first_byte_ms");
  out.limits.idle_ms = fault_number(ask, "idle_ms");
  out.limits.response_max = (size_t)fault_number(ask, "response_max");
  if (aio__tape_true(&fault_table, fault_member(ask, "stream"))) out.framing = AIO__WIRE_SSE;
  return out;
}

/* Prints what is wrong; 0 when nothing is. */
static int complain(bool bad, const char *name, const char *what, const char *got) {
  if (bad) printf("  %s %s: %s (%s)\n", excused ? "again" : "FAILED", name, what, got);
  return bad ? 1 : 0;
}

static int check_seen(const char *name, const char *want) {
  aio__tape seen;
  int64_t bytes = 0;
  aio__str all;
  if (want[0] == '\0') return 0;
  fault_seen(name, &seen);
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
  bad += complain(!one_of(status_name(a->status), fault_text(expect, "status", &status)), name, "another status", status_name(a->status));
  bad += complain(strstr(got, fault_text(expect, "words", &words)) == NULL, name, "other words", got);
  fault_text(expect, "body", &body);
  if (fault_member(expect, "body") != AIO__TAPE_NONE)
    bad += complain(!aio__str_eq(aio__buf_view(&body), aio__buf_view(&a->body)), name, "another body", aio__buf_cstr(&a->body));
  bad += complain(fault_number(expect, "http") != 0 && a->http_status != fault_number(expect, "http"), name, "another HTTP status", "");
  bad += complain(a->status != AIORCH_OK && a->error.http_status != a->http_status, name, "the error has not the HTTP status", got);
  bad += complain(a->sent != aio__tape_true(&fault_table, fault_member(expect, "sent")), name, "sent or not", a->sent ? "sent" : "not sent");
  bool may_go_again = excused;
  excused = false; /* nothing excuses a secret that is told */
  int secrets = complain(strstr(got, "sk-test") || strstr(got, "a=1"), name, "the words tell a secret", got);
  secrets += check_seen(name, fault_text(expect, "seen", &seen));
  excused = may_go_again && secrets == 0;
  aio__buf_free(&status);
  aio__buf_free(&words);
  aio__buf_free(&body);
  aio__buf_free(&seen);
  return bad + secrets;
}

static int play_one(const char *name, aio__tape_value row, const char *url) {
  aio__tape_value expect = fault_member(row, "expect");
  int64_t within = fault_number(expect, "within_ms") * 1000000;
  int bad = 0, excuses = 0;
  int64_t first_ns = aio__clock_now(aio__clock_system());
  for (int i = 0; i < TRIES; i++) {
    http_answer a;
    http_ask ask = read_ask(row, url);
    http_answer_init(&a);
    http_watchdog(WATCHDOG_S);
    int64_t begun_ns = aio__clock_now(aio__clock_system());
    http_do(transport, &memory.al, &ask, &a);
    excused = excuses < EXCUSES && begun_ns - first_ns < EXCUSED_S * INT64_C(1000000000) && fault_stood_still(begun_ns);
    bad = check_answer(name, expect, &a);
    bool late = a.late_ns > LATE_MS * INT64_C(1000000) || (within > 0 && a.took_ns > within);
    printf("  %-24s %-10s %6.0f ms  %s\n", name, status_name(a.status), (double)a.took_ns / 1e6, a.error.message);
    if (!late && a.late_ns > worst_late_ns) worst_late_ns = a.late_ns;
    if (late && i == TRIES - 1) bad += complain(true, name, "too late, three times", "");
    http_answer_free(&a);
    if (bad && excused) {
      excuses++;
      i = -1;
    } else if (!late || bad) {
      break;
    }
  }
  excused = false;
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
  fault_seen(name, &seen);
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
  fault_text(row, "name", &name);
  fault_text(row, "play", &kind);
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

int main(int argc, char **argv) {
  const char *only = argc > 2 ? argv[2] : NULL;
  aio__buf ca;
  size_t played = 0;
  http_forget_proxies();
  http_watchdog(60);
  if (!fault_begin()) return 77;
  aio__test_alloc_init(&memory);
  size_t descriptors = http_open_descriptors();
  aio__http_options options = {.ca_file = fault_said("ca", &ca), .http2 = true};
  if (aio__http_open(&options, &memory.al, aio__clock_system(), NULL, NULL, &transport, NULL) != AIORCH_OK) abort();
  aio__tape_value rows = AIO__TAPE_GET(&fault_table, AIO__TAPE_ROOT, "rows");
  for (aio__tape_value row = aio__tape_first(&fault_table, rows); row != AIO__TAPE_NONE; row = aio__tape_next(&fault_table, rows, row)) {
    if (aio__tape_is(&fault_table, fault_member(row, "play"), "answer")) continue; /* provider_faults.c's */
    if (only && !aio__tape_is(&fault_table, fault_member(row, "name"), only)) continue;
    play(row);
    played++;
  }
  transport->close(transport);
  if (memory.live != 0 || http_open_descriptors() != descriptors) {
    printf("  FAILED: %ld allocations and %zu descriptors are left (%zu before)\n", (long)memory.live, http_open_descriptors(), descriptors);
    failures++;
  }
  printf("%zu rows, %d failed; the latest ended %.1f ms after its deadline\n", played, failures, (double)worst_late_ns / 1e6);
  fault_end();
  aio__buf_free(&ca);
  return failures > 0 || played == 0 ? 1 : 0;
}
