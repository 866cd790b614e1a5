/* examples/server/http_life.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_front.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const http_limits limits = {.head_bytes = 16384, .uri_bytes = 4096, .bodies_bytes = 65536, .stream_buffer_bytes = 65536,
                                   .connections = 100, .head_timeout_ms = 60000, .body_timeout_ms = 60000, .idle_ms = 60000,
                                   .write_timeout_ms = 60000};

/* What the host was told. */
typedef struct told {
  int heads, requests, overs;
  http_call *waits; /* one that is not answered yet */
} told;

static http_verdict on_head(void *context, http_call *call, size_t *body_max, http_problem *why) {
  (void)call, (void)why;
  *body_max = 0;
  ((told *)context)->heads++;
  return HTTP_TAKEN;
}

static void on_request(void *context, http_call *call) {
  ((told *)context)->requests++;
  ((told *)context)->waits = call;
}

static void on_gone(void *context, http_call *call) {
  cli_bytes nothing = {0};
  ((told *)context)->waits = NULL;
  http_answer(call, 200, NULL, NULL, &nothing);
}

static void on_room(void *context, http_call *call) { (void)context, (void)call; }

static void on_over(void *context, http_call *call, int status, uint64_t bytes) {
  (void)call, (void)status, (void)bytes;
  ((told *)context)->overs++;
}

static void on_refuse(void *context, const http_call *call, const http_problem *why, http_headers *headers, cli_bytes *body) {
  (void)context, (void)call, (void)why, (void)headers;
  cli_addz(body, "{}");
}

typedef struct scene {
  int epoll, listening;
  struct sockaddr_in at;
  told told;
  http_front *front;
} scene;

static void begin(scene *s) {
  char why[256] = "";
  *s = (scene){.epoll = epoll_create1(EPOLL_CLOEXEC), .listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  socklen_t len = sizeof s->at;
  s->at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  assert_int_equal(bind(s->listening, (struct sockaddr *)&s->at, sizeof s->at), 0);
  assert_int_equal(listen(s->listening, 1), 0);
  assert_int_equal(getsockname(s->listening, (struct sockaddr *)&s->at, &len), 0);
  http_host host = {&s->told, on_head, on_request, on_gone, on_room, on_over, on_refuse};
  s->front = http_front_new(&limits, &host, s->epoll, NULL, NULL, why);
  if (!s->front) fail_msg("%s", why);
}

/* A client whose request is here, and known to the library, which has not read it. */
static int ask(scene *s) {
  static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  struct epoll_event events[8];
  int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(connect(client, (struct sockaddr *)&s->at, sizeof s->at), 0);
  int fd = accept4(s->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(send(client, request, sizeof request - 1, 0), sizeof request - 1);
  http_front_take(s->front, fd, &s->at, sizeof s->at, 1000);
  int n = epoll_wait(s->epoll, events, 8, 60000);
  assert_true(n > 0);
  for (int i = 0; i < n; i++) {
    loop_watch *watch = events[i].data.ptr;
    watch->ready(watch, events[i].events);
  }
  return client;
}

static void end(scene *s) {
  close(s->listening);
  close(s->epoll);
}

static void test_http_front_free__tells_of_no_request_that_came_last(void **state) {
  scene s;
  (void)state;
  begin(&s);
  int client = ask(&s);
  http_front_free(s.front); /* the host has freed what it needs for one */
  assert_int_equal(s.told.heads, 0);
  assert_int_equal(s.told.requests, 0);
  close(client);
  end(&s);
}

static void test_http_front_free__ends_what_the_host_knows(void **state) {
  scene s;
  (void)state;
  begin(&s);
  int client = ask(&s);
  http_front_work(s.front, 1000);
  assert_int_equal(s.told.requests, 1);
  assert_non_null(s.told.waits);
  cli_bytes body = {0};
  cli_addz(&body, "late");
  http_answer(s.told.waits, 200, "text/plain", NULL, &body);
  http_front_free(s.front);
  assert_int_equal(s.told.overs, 1);
  char got[1024] = "";
  assert_true(recv(client, got, sizeof got - 1, 0) > 0);
  assert_non_null(strstr(got, "late"));
  close(client);
  end(&s);
}

/* The library writes what is there, asks for more, and must not be left waiting for it. */
static void test_http_front_free__cuts_a_stream_that_has_just_been_written_to(void **state) {
  scene s;
  (void)state;
  begin(&s);
  int client = ask(&s);
  http_front_work(s.front, 1000);
  assert_non_null(s.told.waits);
  http_stream_begin(s.told.waits, 200, "text/plain", NULL);
  for (int i = 0; i < 2; i++) {
    cli_bytes piece = {0};
    cli_addz(&piece, "piece");
    http_stream_write(s.told.waits, &piece);
    cli_release(&piece);
    if (i == 0) http_front_work(s.front, 1000);
  }
  http_front_free(s.front);
  assert_int_equal(s.told.overs, 1);
  close(client);
  end(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_http_front_free__tells_of_no_request_that_came_last),
      cmocka_unit_test(test_http_front_free__ends_what_the_host_knows),
      cmocka_unit_test(test_http_front_free__cuts_a_stream_that_has_just_been_written_to),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
