/* lib/net/http.c, http_entry.c: over real sockets, with a server in this process. What goes wrong on the way is in tests/fault. */
#include <netdb.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <aiorch/version.h>

#include "net/exchange.h"
#include "support/http_client.h"
#include "support/test_alloc.h"
#include "support/tiny_server.h"

/* label: threads */

enum { BIG = 4 << 20 };

static tiny_server server;

static bool send_big(int fd) {
  static char piece[8192];
  memset(piece, 'x', sizeof piece);
  char head[128];
  snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG);
  if (!tiny_send_text(fd, head)) return false;
  for (size_t sent = 0; sent < BIG; sent += sizeof piece) {
    if (!tiny_send(fd, piece, sizeof piece)) return false;
  }
  return true;
}

static bool answer(tiny_server *s, const tiny_request *request) {
  (void)s;
  char text[256];
  if (strcmp(request->path, "/connection") == 0) {
    snprintf(text, sizeof text, "%d", request->connection);
    return tiny_reply(request->fd, 200, "X-Thing:  a value \r\nX-Empty:\r\n", text);
  }
  if (strcmp(request->path, "http://proxied.test/v1") == 0) return tiny_reply(request->fd, 200, NULL, "through the proxy");
  if (strcmp(request->path, "/head") == 0 || strncmp(request->path, "/head?", 6) == 0) return tiny_reply(request->fd, 200, NULL, request->head);
  if (strcmp(request->path, "/echo") == 0) {
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", request->body_len);
    return tiny_send_text(request->fd, head) && tiny_send(request->fd, request->body, request->body_len);
  }
  if (strcmp(request->path, "/big") == 0) return send_big(request->fd);
  if (strcmp(request->path, "/interim") == 0)
    return tiny_send_text(request->fd, "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Real: 1\r\n\r\nok");
  if (strcmp(request->path, "/moved") == 0) return tiny_reply(request->fd, 307, "Location: /connection\r\n", "");
  if (strcmp(request->path, "/busy") == 0)
    return tiny_reply(request->fd, 503, "Retry-After: 7\r\nrequest-id: r-1\r\n", "{\"error\":\"busy\"}");
  if (strcmp(request->path, "/two") == 0) {
    tiny_send_text(request->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    return tiny_gone(request->fd, 20000), false; /* the rest never comes */
  }
  tiny_gone(request->fd, 20000); /* silence */
  return false;
}

static int start_server(void **state) {
  (void)state;
  http_forget_proxies();
  http_watchdog(120);
  tiny_server_start(&server, answer, NULL);
  return 0;
}

static int stop_server(void **state) {
  (void)state;
  tiny_server_stop(&server);
  return 0;
}

static const char *url_of(const char *path) {
  static char url[256];
  tiny_url(&server, path, url, sizeof url);
  return url;
}

static void expect_answer(aio__transport *t, const char *path, const char *body, const char *want) {
  http_answer a;
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = url_of(path), .body = body}, &a);
  assert_int_equal(a.started, AIORCH_OK);
  assert_int_equal(a.status, AIORCH_OK);
  assert_int_equal(a.http_status, 200);
  assert_string_equal(aio__buf_cstr(&a.body), want);
  assert_true(a.sent);
  http_answer_free(&a);
}

static void test_start__an_answer_with_its_headers(void **state) {
  (void)state;
  aio__transport *t = http_open_plain(aio__alloc_default());
  http_answer a;
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = url_of("/connection")}, &a);
  assert_int_equal(a.status, AIORCH_OK);
  assert_non_null(strstr(aio__buf_cstr(&a.headers), "X-Thing: a value\n"));
  assert_non_null(strstr(aio__buf_cstr(&a.headers), "X-Empty: \n"));
  http_answer_free(&a);
  t->close(t);
}

static void test_start__one_connection_after_the_other_is_the_same(void **state) {
  (void)state;
  aio__transport *t = http_open_plain(aio__alloc_default());
  http_answer a;
  char first[32] = "";
  for (int i = 0; i < 5; i++) {
    http_answer_init(&a);
    http_do(t, aio__alloc_default(), &(http_ask){.url = url_of("/connection"), .body = "{}"}, &a);
    assert_int_equal(a.status, AIORCH_OK);
    if (i == 0) snprintf(first, sizeof first, "%s", aio__buf_cstr(&a.body));
    assert_string_equal(aio__buf_cstr(&a.body), first);
    http_answer_free(&a);
  }
  t->close(t);
}

/* libcurl's object, used again, keeps a URL that it has taken apart. */
static void test_start__each_goes_to_its_own_url(void **state) {
  (void)state;
  static const char *const paths[] = {"/head?a=1", "/head?a=1", "/head?a=2", "/echo", "/head?a=1", "/head?b=/../c%20d", "/head?b=/../c%20d"};
  aio__transport *t = http_open_plain(aio__alloc_default());
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    char want[64];
    http_answer a;
    http_answer_init(&a);
    http_do(t, aio__alloc_default(), &(http_ask){.url = url_of(paths[i]), .body = "{}"}, &a);
    snprintf(want, sizeof want, "POST %s HTTP/1.1\r\n", paths[i]);
    if (strcmp(paths[i], "/echo") == 0) assert_string_equal(aio__buf_cstr(&a.body), "{}");
    else assert_int_equal(strncmp(aio__buf_cstr(&a.body), want, strlen(want)), 0);
    http_answer_free(&a);
    http_answer_init(&a);
    if (i == 3) http_do(t, aio__alloc_default(), &(http_ask){.url = "http://[::1/", .body = "{}"}, &a);
    if (i == 3) assert_int_equal(a.status, AIORCH_E_NETWORK);
    http_answer_free(&a);
  }
  t->close(t);
}

static void test_start__what_is_sent(void **state) {
  (void)state;
  aio__transport *t = http_open_plain(aio__alloc_default());
  http_answer a;
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = url_of("/head"), .body = "{\"a\":1}", .key = "sk-secret-1", .framing = AIO__WIRE_SSE}, &a);
  const char *head = aio__buf_cstr(&a.body);
  assert_non_null(strstr(head, "POST /head HTTP/1.1\r\n"));
  assert_non_null(strstr(head, "Authorization: Bearer sk-secret-1\r\n"));
  assert_non_null(strstr(head, "User-Agent: libaiorch/"));
  assert_non_null(strstr(head, "Content-Length: 7\r\n"));
  assert_non_null(strstr(head, "Accept-Encoding: identity\r\n"));
  assert_null(strstr(head, "Expect"));
  assert_null(strstr(head, "Cookie"));
  http_answer_free(&a);
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = url_of("/head")}, &a);
  head = aio__buf_cstr(&a.body);
  assert_non_null(strstr(head, "GET /head HTTP/1.1\r\n"));
  assert_non_null(strstr(head, "Accept-Encoding: gzip, deflate"));
  assert_null(strstr(head, "Content-Type"));
  assert_null(strstr(head, "Authorization"));
  http_answer_free(&a);
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = url_of("/head"), .method = "DELETE"}, &a);
  assert_non_null(strstr(aio__buf_cstr(&a.body), "DELETE /head HTTP/1.1\r\n"));
  http_answer_free(&a);
  t->close(t);
}

static void test_start__a_large_request_comes_whole(void **state) {
  (void)state;
  aio__transport *t = http_open_plain(aio__alloc_default());
  char *text = malloc(900001);
  assert_non_null(text);
  for (size_t i = 0; i < 900000; i++) text[i] = (char)('a' + i % 23);
  text[900000] = '\0';
  expect_answer(t, "/echo", text, text);
  free(text);
  t->close(t);
}

static void test_start__what_cannot_be_sent(void **state) {
  (void)state;
  static const char *const urls[] = {"ftp://host/", "https://", "host/path", "", "file:///etc/passwd"};
  aio__transport *t = http_open_plain(aio__alloc_default());
  for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
    http_answer a;
    http_answer_init(&a);
    http_do(t, aio__alloc_default(), &(http_ask){.url = urls[i]}, &a);
    assert_int_equal(a.started, AIORCH_E_CONFIG);
    http_answer_free(&a);
  }
  aio__wire_request wire;
  aio__exchange *e;
  aiorch_error error;
  aio__wire_request_init(&wire, aio__alloc_default());
  aio__error_init(&error);
  aio__buf_z(&wire.url, url_of("/head"));
  assert_int_equal(aio__wire_add_header(&wire, AIO__LIT("Transfer-Encoding"), AIO__LIT("chunked"), false, NULL), AIORCH_OK);
  assert_int_equal(t->start(t, &wire, &(aio__exchange_limits){0}, NULL, &e, &error), AIORCH_E_CONFIG);
  assert_non_null(strstr(error.message, "Transfer-Encoding"));
  aio__wire_request_free(&wire);
  t->close(t);
}

static void test_state__interim_heads_errors_and_redirects(void **state) {
  (void)state;
  aio__transport *t = http_open_plain(aio__alloc_default());
  http_answer a;
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = url_of("/interim")}, &a);
  assert_int_equal(a.status, AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&a.body), "ok");
  assert_non_null(strstr(aio__buf_cstr(&a.headers), "X-Real"));
  assert_null(strstr(aio__buf_cstr(&a.headers), "Link"));
  http_answer_free(&a);
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = url_of("/busy")}, &a);
  assert_int_equal(a.status, AIORCH_OK);
  assert_int_equal(a.http_status, 503);
  assert_string_equal(aio__buf_cstr(&a.body), "{\"error\":\"busy\"}");
  http_answer_free(&a);
  int before = atomic_load(&server.requests);
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = url_of("/moved"), .body = "{}"}, &a);
  assert_int_equal(a.status, AIORCH_OK);
  assert_int_equal(a.http_status, 307);
  assert_int_equal(atomic_load(&server.requests), before + 1);
  http_answer_free(&a);
  t->close(t);
}

/* A reader that takes nothing stops its own transfer, with no more in memory than the buffer and one read; others go on. */
static void test_take__a_slow_reader_pauses_itself_alone(void **state) {
  (void)state;
  aio__transport *t = http_open_plain(aio__alloc_default());
  aio__waker *waker;
  aio__exchange *slow;
  aio__buf body;
  assert_int_equal(aio__waker_new(aio__alloc_default(), aio__clock_system(), &waker), AIORCH_OK);
  http_ask ask = {.url = url_of("/big"), .limits = {.buffer_max = 32 << 10, .idle_ms = 300}, .deadline_ms = 60000};
  assert_int_equal(http_start(t, aio__alloc_default(), &ask, waker, &slow, NULL), AIORCH_OK);
  while (!t->head(slow)) aio__waker_wait(waker, AIO__NEVER), aio__waker_clear(waker);
  for (int i = 0; i < 200; i++) expect_answer(t, "/echo", "{}", "{}");
  /* Longer than the idle limit: a paused transfer is not idle. */
  aio__waker_clear(waker);
  aio__waker_wait(waker, aio__clock_after_ms(aio__clock_system(), 600));
  assert_int_equal(t->state(slow, NULL), AIORCH_PENDING);
  aio__buf_init(&body, aio__alloc_default(), BIG + 1);
  assert_int_equal(t->take(slow, &body), AIORCH_OK);
  assert_in_range(body.n, 32 << 10, (32 << 10) + (16 << 10));
  aiorch_status status;
  for (;;) {
    aio__waker_clear(waker);
    assert_int_equal(t->take(slow, &body), AIORCH_OK);
    status = t->state(slow, NULL);
    if (status != AIORCH_PENDING) break;
    aio__waker_wait(waker, AIO__NEVER);
  }
  assert_int_equal(status, AIORCH_OK);
  assert_int_equal(body.n, BIG);
  aio__buf_free(&body);
  t->drop(slow);
  aio__waker_release(waker);
  t->close(t);
}

static void test_drop__closes_the_connection(void **state) {
  (void)state;
  aio__transport *t = http_open_plain(aio__alloc_default());
  http_answer a;
  int before = atomic_load(&server.now);
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = url_of("/two"), .body = "{}", .stop_after = 5}, &a);
  assert_int_equal(a.status, AIORCH_PENDING);
  assert_string_equal(aio__buf_cstr(&a.body), "first");
  /* The server sees the end; the bound of 50 ms is measured in tests/fault. */
  while (atomic_load(&server.now) > before) sched_yield();
  http_answer_free(&a);
  t->close(t);
}

static void test_drop__before_anything_has_happened(void **state) {
  (void)state;
  aio__transport *t = http_open_plain(aio__alloc_default());
  for (int i = 0; i < 300; i++) {
    aio__exchange *e;
    assert_int_equal(http_start(t, aio__alloc_default(), &(http_ask){.url = url_of("/silence"), .body = "{}"}, NULL, &e, NULL), AIORCH_OK);
    t->drop(e);
  }
  t->drop(NULL);
  t->close(t);
}

static void test_close__with_exchanges_out(void **state) {
  (void)state;
  aio__transport *t = http_open_plain(aio__alloc_default());
  aio__exchange *out[20];
  for (int i = 0; i < 20; i++)
    assert_int_equal(http_start(t, aio__alloc_default(), &(http_ask){.url = url_of(i % 2 ? "/two" : "/silence"), .body = "{}"}, NULL, &out[i], NULL), AIORCH_OK);
  t->close(t);
  for (int i = 0; i < 20; i++) {
    aio__wire_error error;
    aio__buf body;
    aiorch_status status;
    aio__buf_init(&body, aio__alloc_default(), 100);
    assert_int_equal(t->take(out[i], &body), AIORCH_OK);
    status = t->state(out[i], &error);
    assert_int_equal(status, AIORCH_E_CLOSED);
    assert_non_null(strstr(error.message, "closed"));
    aio__buf_free(&body);
    t->drop(out[i]);
  }
}

static void test_close__refuses_what_comes_later(void **state) {
  (void)state;
  aio__transport *t = http_open_plain(aio__alloc_default());
  aio__exchange *e, *more;
  assert_int_equal(http_start(t, aio__alloc_default(), &(http_ask){.url = url_of("/silence")}, NULL, &e, NULL), AIORCH_OK);
  t->close(t);
  assert_int_equal(http_start(t, aio__alloc_default(), &(http_ask){.url = url_of("/head")}, NULL, &more, NULL), AIORCH_E_CLOSED);
  t->drop(e);
}

static void test_fork__the_child_touches_nothing(void **state) {
  (void)state;
  aio__transport *t = http_open_plain(aio__alloc_default());
  aio__exchange *e, *other;
  expect_answer(t, "/echo", "before", "before");
  assert_int_equal(http_start(t, aio__alloc_default(), &(http_ask){.url = url_of("/two"), .body = "{}"}, NULL, &e, NULL), AIORCH_OK);
  size_t descriptors = http_open_descriptors();
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    bool well = http_start(t, aio__alloc_default(), &(http_ask){.url = url_of("/head")}, NULL, &other, NULL) == AIORCH_E_FORKED;
    t->drop(e);
    t->close(t);
    _exit(well && http_open_descriptors() == descriptors ? 0 : 1);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  expect_answer(t, "/echo", "after", "after");
  t->drop(e);
  t->close(t);
}

/* Two connections for twelve that want one: all get their turn, in their order, and never is there a third. */
static void test_start__waits_for_a_connection(void **state) {
  (void)state;
  aio__http_options options = {.connections_max = 3, .connections_per_host = 2};
  aio__transport *t;
  aio__exchange *out[12];
  aio__waker *waker;
  assert_int_equal(aio__waker_new(aio__alloc_default(), aio__clock_system(), &waker), AIORCH_OK);
  assert_int_equal(aio__http_open(&options, aio__alloc_default(), aio__clock_system(), NULL, NULL, &t, NULL), AIORCH_OK);
  for (int i = 0; i < 12; i++)
    assert_int_equal(http_start(t, aio__alloc_default(), &(http_ask){.url = url_of("/two"), .body = "{}"}, waker, &out[i], NULL), AIORCH_OK);
  for (int i = 0; i < 12; i += 2) {
    while (!t->head(out[i]) || !t->head(out[i + 1])) {
      aio__waker_wait(waker, AIO__NEVER);
      aio__waker_clear(waker);
    }
    for (int k = i + 2; k < 12; k++) assert_null(t->head(out[k]));
    assert_false(i + 2 < 12 && t->sent(out[i + 2]));
    t->drop(out[i]);
    t->drop(out[i + 1]);
  }
  aio__waker_release(waker);
  t->close(t);
}

static void test_start__a_wait_beyond_the_deadline_names_the_limit(void **state) {
  (void)state;
  aio__http_options options = {.connections_per_host = 1};
  aio__transport *t;
  aio__exchange *first;
  http_answer a;
  assert_int_equal(aio__http_open(&options, aio__alloc_default(), aio__clock_system(), NULL, NULL, &t, NULL), AIORCH_OK);
  assert_int_equal(http_start(t, aio__alloc_default(), &(http_ask){.url = url_of("/silence")}, NULL, &first, NULL), AIORCH_OK);
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = url_of("/echo"), .body = "x", .deadline_ms = 100}, &a);
  assert_int_equal(a.status, AIORCH_E_DEADLINE);
  assert_non_null(strstr(a.error.message, "http.connections_max, _per_host"));
  assert_false(a.sent);
  http_answer_free(&a);
  t->drop(first);
  t->close(t);
}

static void test_open__a_file_of_certificates_that_is_not_there(void **state) {
  (void)state;
  aio__http_options options = {.ca_file = "no/such/file.pem"};
  aio__transport *t = NULL;
  aiorch_error error;
  aio__error_init(&error);
  assert_int_equal(aio__http_open(&options, aio__alloc_default(), aio__clock_system(), NULL, NULL, &t, &error), AIORCH_E_CONFIG);
  assert_non_null(strstr(error.message, "http.ca_file: no/such/file.pem"));
  assert_null(t);
}

/* The variables count as they are at the opening. */
static void test_open__proxy_variables(void **state) {
  (void)state;
  http_answer a;
  setenv("http_proxy", url_of(""), 1);
  setenv("NO_PROXY", "127.0.0.1", 1);
  aio__transport *t = http_open_plain(aio__alloc_default());
  http_forget_proxies();
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = "http://proxied.test/v1"}, &a);
  assert_int_equal(a.status, AIORCH_OK);
  assert_string_equal(aio__buf_cstr(&a.body), "through the proxy");
  http_answer_free(&a);
  expect_answer(t, "/echo", "straight", "straight");
  t->close(t);
}

/* Each allocation in turn fails: an error with a status of the contract, and nothing is left behind. */
static void test_start__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  size_t before = http_open_descriptors(), rounds = 0;
  do {
    aio__test_alloc_next(&t);
    aio__http_options options = {.ca_file = "/dev/null"};
    aio__transport *transport = NULL;
    aiorch_status status = aio__http_open(&options, &t.al, aio__clock_system(), NULL, NULL, &transport, NULL);
    if (status == AIORCH_OK) {
      http_answer a;
      http_answer_init(&a);
      http_do(transport, &t.al, &(http_ask){.url = url_of("/echo"), .body = "{}", .key = "k"}, &a);
      if (a.status == AIORCH_OK) assert_string_equal(aio__buf_cstr(&a.body), "{}");
      status = a.started != AIORCH_OK ? a.started : a.status;
      http_answer_free(&a);
      transport->close(transport);
    }
    if (status != AIORCH_OK) assert_int_equal(status, AIORCH_E_NOMEM); /* without memory for its notes it only does more work */
    if (status != AIORCH_OK) assert_true(t.failed > 0);
    assert_int_equal(t.live, 0);
    rounds++;
  } while (t.failed > 0);
  assert_true(rounds > 8);
  while (http_open_descriptors() > before) sched_yield(); /* the server's end closes when it sees ours */
}

/* What was secret is not in the memory that is given back. */
static char freed[1 << 16];
static size_t freed_n;
static void *plain_malloc(void *self, size_t size) { (void)self; return malloc(size); }
static void *plain_realloc(void *self, void *memory, size_t size) { (void)self; return realloc(memory, size); }
static size_t sizes[64];
static void *kept[64];
static void *noting_malloc(void *self, size_t size) {
  void *memory = plain_malloc(self, size);
  for (size_t i = 0; i < 64 && memory; i++) {
    if (kept[i]) continue;
    kept[i] = memory;
    sizes[i] = size;
    break;
  }
  return memory;
}
static void noting_free(void *self, void *memory) {
  (void)self;
  for (size_t i = 0; i < 64; i++) {
    if (kept[i] != memory) continue;
    if (freed_n + sizes[i] <= sizeof freed) memcpy(freed + freed_n, memory, sizes[i]);
    freed_n += sizes[i];
    kept[i] = NULL;
  }
  free(memory);
}

static void test_free_request__overwrites_keys(void **state) {
  (void)state;
  aio__alloc al = {sizeof al, NULL, noting_malloc, plain_realloc, noting_free};
  aio__wire_request wire;
  aio__exchange_request *request;
  aio__wire_request_init(&wire, aio__alloc_default());
  aio__buf_z(&wire.url, "https://host/v1/messages");
  aio__buf_z(&wire.body, "{}");
  assert_int_equal(aio__wire_add_key(&wire, AIO__LIT("Authorization"), AIO__LIT("Bearer "), AIO__LIT("sk-ant-very-secret"), NULL), AIORCH_OK);
  assert_int_equal(aio__exchange_copy_request(&al, &wire, &request, NULL), AIORCH_OK);
  assert_true(aio__str_eqz(request->secret, "sk-ant-very-secret"));
  assert_true(aio__str_eqz(request->origin, "https://host"));
  assert_true(aio__str_eqz(request->host, "host"));
  assert_string_equal(request->lines[0], "Authorization: Bearer sk-ant-very-secret");
  aio__exchange_free_request(&al, request);
  assert_in_range(freed_n, 200, sizeof freed);
  assert_null(memmem(freed, freed_n, "secret", 6));
  aio__wire_request_free(&wire);
}

/* A build without libcurl says so. */
static int without_http(void) {
  aio__transport *t = NULL;
  aio__http_options options = {0};
  if (aio__http_open(&options, aio__alloc_default(), aio__clock_system(), NULL, NULL, &t, NULL) != AIORCH_E_UNSUPPORTED || t) return 1;
  printf("SKIP: built without HTTP\n");
  return 77;
}

/* ---- a name server that does not answer: this program's getaddrinfo comes before the C library's -------------------------- */

static pthread_mutex_t names_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_cond = PTHREAD_COND_INITIALIZER;
static bool names_answer;
static int names_asked, names_left;

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints, struct addrinfo **restrict out) {
  (void)node;
  (void)service;
  (void)hints;
  *out = NULL;
  pthread_mutex_lock(&names_mutex);
  names_asked++;
  pthread_cond_broadcast(&names_cond);
  while (!names_answer) pthread_cond_wait(&names_cond, &names_mutex);
  names_left++;
  pthread_cond_broadcast(&names_cond);
  pthread_mutex_unlock(&names_mutex);
  return EAI_AGAIN;
}

static void test_start__a_name_server_that_does_not_answer_stops_nobody_else(void **state) {
  (void)state;
  aio__transport *t = http_open_plain(aio__alloc_default());
  aio__exchange *e;
  http_answer a;
  assert_int_equal(http_start(t, aio__alloc_default(), &(http_ask){.url = "http://never.test/"}, NULL, &e, NULL), AIORCH_OK);
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = "http://never.test/", .deadline_ms = 200}, &a);
  assert_int_equal(a.status, AIORCH_E_DEADLINE);
  assert_non_null(strstr(a.error.message, "while connecting"));
  assert_false(a.sent);
  http_answer_free(&a);
  http_answer_init(&a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = "http://never.test/", .limits = {.connect_ms = 100}}, &a);
  assert_int_equal(a.status, AIORCH_E_NETWORK);
  assert_non_null(strstr(a.error.message, "connect limit"));
  http_answer_free(&a);
  expect_answer(t, "/echo", "x", "x");
  t->drop(e);
  expect_answer(t, "/echo", "x", "x");
  t->close(t); /* and nobody has answered yet */
  pthread_mutex_lock(&names_mutex);
  assert_true(names_asked > 0);
  assert_int_equal(names_left, 0);
  names_answer = true;
  pthread_cond_broadcast(&names_cond);
  while (names_left < names_asked) pthread_cond_wait(&names_cond, &names_mutex);
  pthread_mutex_unlock(&names_mutex);
}

int main(void) {
  if (!aiorch_has_feature("http")) return without_http();
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_start__an_answer_with_its_headers),
    cmocka_unit_test(test_start__one_connection_after_the_other_is_the_same),
    cmocka_unit_test(test_start__each_goes_to_its_own_url),
    cmocka_unit_test(test_start__what_is_sent),
    cmocka_unit_test(test_start__a_large_request_comes_whole),
    cmocka_unit_test(test_start__what_cannot_be_sent),
    cmocka_unit_test(test_state__interim_heads_errors_and_redirects),
    cmocka_unit_test(test_take__a_slow_reader_pauses_itself_alone),
    cmocka_unit_test(test_drop__closes_the_connection),
    cmocka_unit_test(test_drop__before_anything_has_happened),
    cmocka_unit_test(test_close__with_exchanges_out),
    cmocka_unit_test(test_close__refuses_what_comes_later),
    cmocka_unit_test(test_fork__the_child_touches_nothing),
    cmocka_unit_test(test_start__waits_for_a_connection),
    cmocka_unit_test(test_start__a_wait_beyond_the_deadline_names_the_limit),
    cmocka_unit_test(test_open__a_file_of_certificates_that_is_not_there),
    cmocka_unit_test(test_open__proxy_variables),
    cmocka_unit_test(test_start__out_of_memory),
    cmocka_unit_test(test_free_request__overwrites_keys),
    cmocka_unit_test(test_start__a_name_server_that_does_not_answer_stops_nobody_else),
  };
  return cmocka_run_group_tests(tests, start_server, stop_server);
}
