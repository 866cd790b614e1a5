/* lib/net/http_handle.c: what libcurl does by itself. label: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/version.h>

#include "support/http_client.h"
#include "support/tiny_server.h"

/* Time stands still, but for what the server takes for its work; a wait is a real one. */
static _Atomic int64_t now_ns;

static int64_t read_monotonic(void *self) {
  (void)self;
  return atomic_load(&now_ns);
}

static int64_t read_wall(void *self) {
  (void)self;
  return aio__clock_wall_ms(aio__clock_system());
}

static bool wait_really(void *self, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns) {
  (void)self;
  const aio__clock *real = aio__clock_system();
  int64_t left_ns = deadline_ns - atomic_load(&now_ns);
  return real->wait(real->self, cond, mutex, deadline_ns == AIO__NEVER ? deadline_ns : aio__clock_now(real) + left_ns);
}

static const aio__clock working_clock = {NULL, read_monotonic, read_wall, wait_really};

/* Answers the first request, and closes at the second one, after so much work. */
typedef struct closing {
  atomic_int requests;
  int64_t work_ms;
} closing;

static bool answer_once(tiny_server *s, const tiny_request *request) {
  closing *c = s->ctx;
  if (atomic_fetch_add(&c->requests, 1) != 1) return tiny_reply(request->fd, 200, NULL, "answered");
  atomic_fetch_add(&now_ns, c->work_ms * 1000000);
  return false;
}

static void ask(aio__transport *t, const char *url, http_answer *a) {
  http_answer_init(a);
  http_do(t, aio__alloc_default(), &(http_ask){.url = url, .body = "{}"}, a);
}

static void closed_after(int64_t work_ms, closing *c, http_answer *second) {
  tiny_server server;
  aio__transport *t = NULL;
  http_answer first;
  char url[256];
  *c = (closing){.work_ms = work_ms};
  tiny_server_start(&server, answer_once, c);
  tiny_url(&server, "/", url, sizeof url);
  assert_int_equal(aio__http_open(&(aio__http_options){0}, aio__alloc_default(), &working_clock, NULL, NULL, &t, NULL), AIORCH_OK);
  ask(t, url, &first);
  assert_int_equal(first.status, AIORCH_OK);
  http_answer_free(&first);
  ask(t, url, second);
  t->close(t);
  tiny_server_stop(&server);
}

static void test_on_connected__what_was_worked_on_is_not_asked_for_again(void **state) {
  closing c;
  http_answer a;
  (void)state;
  closed_after(2000, &c, &a);
  assert_int_equal(atomic_load(&c.requests), 2);
  assert_int_equal(a.status, AIORCH_E_NETWORK);
  assert_true(a.sent);
  assert_non_null(strstr(a.error.message, "without a reply"));
  http_answer_free(&a);
}

static void test_on_connected__a_kept_connection_that_had_gone_is_taken_for_no_failure(void **state) {
  closing c;
  http_answer a;
  (void)state;
  closed_after(0, &c, &a);
  assert_int_equal(atomic_load(&c.requests), 3);
  assert_int_equal(a.status, AIORCH_OK);
  http_answer_free(&a);
}

static int begin(void **state) {
  (void)state;
  http_forget_proxies();
  http_watchdog(120);
  atomic_store(&now_ns, aio__clock_now(aio__clock_system()));
  return 0;
}

int main(void) {
  if (!aiorch_has_feature("http")) {
    printf("SKIP: the library was built without HTTP\n");
    return 77;
  }
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_on_connected__what_was_worked_on_is_not_asked_for_again),
    cmocka_unit_test(test_on_connected__a_kept_connection_that_had_gone_is_taken_for_no_failure),
  };
  return cmocka_run_group_tests(tests, begin, NULL);
}
