/* See http_client.h. */
#include "support/http_client.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/test_alloc.h"

static void on_alarm(int signal) {
  static const char words[] = "the watchdog: nothing has ended for too long\n";
  (void)signal;
  if (write(2, words, sizeof words - 1) < 0) _exit(99);
  _exit(98);
}

void http_watchdog(unsigned seconds) {
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  alarm(seconds);
}

void http_forget_proxies(void) {
  static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) unsetenv(names[i]);
}

aio__transport *http_open_plain(const aio__alloc *al) {
  aio__http_options options = {0};
  aio__transport *transport = NULL;
  if (aio__http_open(&options, al, aio__clock_system(), NULL, NULL, &transport, NULL) != AIORCH_OK) abort();
  return transport;
}

aiorch_status http_start(aio__transport *transport, const aio__alloc *al, const http_ask *ask, aio__waker *waker, aio__exchange **out,
                         aiorch_error *error) {
  aio__wire_request wire;
  aio__exchange_limits limits = ask->limits;
  aio__wire_request_init(&wire, al);
  wire.method = ask->method;
  wire.framing = ask->framing;
  limits.deadline_ns = aio__clock_after_ms(aio__clock_system(), ask->deadline_ms > 0 ? ask->deadline_ms : 10000);
  aiorch_status status = aio__buf_z(&wire.url, ask->url);
  if (status == AIORCH_OK && ask->body)
    status = aio__buf_add(&wire.body, ask->body, ask->body_len > 0 ? ask->body_len : strlen(ask->body));
  if (status == AIORCH_OK && ask->body)
    status = aio__wire_add_header(&wire, AIO__LIT("Content-Type"), AIO__LIT("application/json"), false, error);
  if (status == AIORCH_OK && ask->key)
    status = aio__wire_add_key(&wire, AIO__LIT("Authorization"), AIO__LIT("Bearer "), aio__str_z(ask->key), error);
  if (status == AIORCH_OK) status = transport->start(transport, &wire, &limits, waker, out, error);
  aio__wire_request_free(&wire);
  return status;
}

void http_answer_init(http_answer *answer) {
  memset(answer, 0, sizeof *answer);
  aio__buf_init(&answer->body, aio__alloc_default(), 256 << 20);
  aio__buf_init(&answer->headers, aio__alloc_default(), 1 << 20);
  answer->status = AIORCH_PENDING;
}

void http_answer_free(http_answer *answer) {
  aio__buf_free(&answer->body);
  aio__buf_free(&answer->headers);
}

static void read_head(aio__transport *transport, aio__exchange *exchange, http_answer *answer) {
  const aio__wire_reply *reply = transport->head(exchange);
  if (!reply) return;
  answer->http_status = reply->http_status;
  aio__buf_reset(&answer->headers);
  for (size_t i = 0; i < reply->header_count; i++) {
    aio__buf_str(&answer->headers, reply->headers[i].name);
    aio__buf_z(&answer->headers, ": ");
    aio__buf_str(&answer->headers, reply->headers[i].value);
    aio__buf_z(&answer->headers, "\n");
  }
}

void http_do(aio__transport *transport, const aio__alloc *al, const http_ask *ask, http_answer *answer) {
  aio__waker *waker = NULL;
  aio__exchange *exchange = NULL;
  aiorch_error error;
  const aio__clock *clock = aio__clock_system();
  int64_t start = aio__clock_now(clock), deadline = start + (ask->deadline_ms > 0 ? ask->deadline_ms : 10000) * 1000000;
  aio__error_init(&error);
  answer->started = aio__waker_new(al, clock, &waker);
  if (answer->started == AIORCH_OK) answer->started = http_start(transport, al, ask, waker, &exchange, &error);
  snprintf(answer->start_message, sizeof answer->start_message, "%.500s", error.message);
  while (answer->started == AIORCH_OK) {
    aio__waker_clear(waker);
    transport->take(exchange, &answer->body);
    answer->status = transport->state(exchange, &answer->error);
    if (answer->status != AIORCH_PENDING || (ask->stop_after > 0 && answer->body.n >= ask->stop_after)) break;
    aio__waker_wait(waker, AIO__NEVER);
  }
  answer->took_ns = aio__clock_now(clock) - start;
  answer->late_ns = aio__clock_now(clock) - deadline;
  if (exchange) {
    read_head(transport, exchange, answer);
    answer->sent = transport->sent(exchange);
  }
  if (exchange) transport->drop(exchange);
  aio__waker_release(waker);
}

size_t http_open_descriptors(void) {
  size_t count = 0;
  DIR *folder = opendir("/proc/self/fd");
  if (!folder) return 0;
  while (readdir(folder)) count++;
  closedir(folder);
  return count - 3; /* ".", "..", and that of the folder itself */
}
