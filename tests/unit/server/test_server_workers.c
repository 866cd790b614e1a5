/* examples/server/server_workers.c label: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { LONG_MS = 60000 };

static char answered[64]; /* the first letters of the tenants, as they were served */
static size_t answers;

void server_worker_done(server *s, server_request *r) {
  (void)s;
  assert_true(answers < sizeof answered - 1);
  answered[answers++] = r->who.tenant[0];
}

/* ---- requests of tenants ---- */

typedef struct gate {
  sem_t open, passed;
} gate;

static gate doors;

static void note(endpoint_call *call) {
  (void)call;
  sem_post(&doors.passed);
}

static void wait_and_note(endpoint_call *call) {
  sem_wait(&doors.open);
  note(call);
}

static void wait_alone(void *context) {
  (void)context;
  sem_wait(&doors.open);
}

static const endpoint quick = {.serve = note}, slow = {.serve = wait_and_note};

typedef struct asked {
  server_request request;
  endpoint_call job;
} asked;

static bool ask(struct workers *w, asked *a, const endpoint *what, const char *tenant) {
  *a = (asked){.request = {.endpoint = what}};
  snprintf(a->request.who.tenant, sizeof a->request.who.tenant, "%s", tenant);
  a->job.who = &a->request.who;
  a->request.job = &a->job;
  return workers_serve(w, &a->request);
}

static struct workers *begin(server *s, int64_t threads, int64_t queue_max) {
  *s = (server){.epoll = epoll_create1(EPOLL_CLOEXEC)};
  memset(answered, 0, sizeof answered);
  answers = 0;
  sem_init(&doors.open, 0, 0);
  sem_init(&doors.passed, 0, 0);
  struct workers *w = workers_new(s, threads, queue_max);
  assert_non_null(w);
  return w;
}

static void end(server *s, struct workers *w, int left_inside) {
  for (int i = 0; i < left_inside; i++) sem_post(&doors.open);
  assert_true(workers_end(w, LONG_MS));
  workers_free(w);
  sem_destroy(&doors.open);
  sem_destroy(&doors.passed);
  close(s->epoll);
}

static bool passed_in_time(void) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 30;
  return sem_timedwait(&doors.passed, &until) == 0;
}

static void test_workers_serve__tenants_take_turns(void **state) {
  server s;
  asked all[7];
  struct workers *w = begin(&s, 1, 64);
  (void)state;
  workers_task(w, wait_alone, NULL, NULL);
  for (int i = 0; i < 4; i++) assert_true(ask(w, &all[i], &quick, "acme"));
  for (int i = 4; i < 6; i++) assert_true(ask(w, &all[i], &quick, "globex"));
  assert_true(ask(w, &all[6], &quick, "initech"));
  end(&s, w, 1);
  assert_string_equal(answered, "agiagaa");
}

static void test_workers_serve__one_tenant_does_not_fill_the_queue(void **state) {
  server s;
  asked all[32];
  int n = 0;
  struct workers *w = begin(&s, 1, 16);
  (void)state;
  workers_task(w, wait_alone, NULL, NULL);
  while (n < 16 && ask(w, &all[n], &quick, "acme")) n++;
  assert_int_equal(n, 12);
  while (n < 31 && ask(w, &all[n], &quick, "globex")) n++;
  assert_in_range(n, 14, 15);
  assert_false(ask(w, &all[31], &quick, "acme"));
  assert_true(ask(w, &all[n], &quick, "initech")); /* and still there is room for who comes next */
  end(&s, w, 1);
  assert_int_equal(answers, n + 1);
}

/* However small it is, it takes one, and when it is full nobody more. */
static void test_workers_serve__a_queue_of_one(void **state) {
  server s;
  asked one, other;
  struct workers *w = begin(&s, 1, 1);
  (void)state;
  workers_task(w, wait_alone, NULL, NULL);
  assert_true(ask(w, &one, &quick, "acme"));
  assert_false(ask(w, &other, &quick, "acme"));
  assert_false(ask(w, &other, &quick, "globex"));
  end(&s, w, 1);
  assert_string_equal(answered, "a");
}

static void test_workers_serve__a_thread_is_left_to_others(void **state) {
  server s;
  asked all[6];
  struct workers *w = begin(&s, 2, 64);
  (void)state;
  assert_true(ask(w, &all[0], &quick, "globex"));
  assert_true(passed_in_time());
  for (int i = 1; i < 4; i++) assert_true(ask(w, &all[i], &slow, "acme"));
  for (int i = 4; i < 6; i++) {
    assert_true(ask(w, &all[i], &quick, "globex"));
    assert_true(passed_in_time()); /* while nobody lets acme's go on */
  }
  end(&s, w, 3);
  assert_int_equal(answers, 6);
}

static void test_workers_serve__a_tenant_alone_has_all_threads(void **state) {
  server s;
  asked all[2];
  struct workers *w = begin(&s, 2, 64);
  (void)state;
  assert_true(ask(w, &all[0], &slow, "acme"));
  assert_true(ask(w, &all[1], &quick, "acme"));
  assert_true(passed_in_time());
  end(&s, w, 1);
  assert_string_equal(answered, "aa");
}

typedef struct chain {
  struct workers *workers;
  int made, released, told;
} chain;

static void make(void *context) { ((chain *)context)->made++; }
static void release(void *context) { ((chain *)context)->released++; }
static void tell(void *context) { ((chain *)context)->told++; }
static void hand_on(void *context) { workers_task(((chain *)context)->workers, release, tell, context); }

/* As with a reload: what was opened is handed over to be closed, and nobody is left to close it. */
static void test_workers_free__a_task_that_the_end_of_another_hands_over(void **state) {
  server s = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
  chain c = {.workers = workers_new(&s, 2, 4)};
  (void)state;
  assert_non_null(c.workers);
  workers_task(c.workers, make, hand_on, &c);
  assert_true(workers_end(c.workers, LONG_MS));
  assert_int_equal(c.made, 1);
  assert_int_equal(c.released, 0); /* the loop has not heard of it */
  workers_free(c.workers);
  assert_int_equal(c.released, 1);
  assert_int_equal(c.told, 1);
  close(s.epoll);
}

static void test_workers_end__does_what_waits(void **state) {
  server s = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
  chain c = {.workers = workers_new(&s, 1, 4)};
  (void)state;
  assert_non_null(c.workers);
  for (int i = 0; i < 10; i++) workers_task(c.workers, make, tell, &c);
  assert_true(workers_end(c.workers, LONG_MS));
  assert_int_equal(c.made, 10);
  workers_free(c.workers);
  assert_int_equal(c.told, 10);
  workers_free(NULL);
  assert_true(workers_end(NULL, 0));
  close(s.epoll);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_workers_free__a_task_that_the_end_of_another_hands_over),
      cmocka_unit_test(test_workers_end__does_what_waits),
      cmocka_unit_test(test_workers_serve__tenants_take_turns),
      cmocka_unit_test(test_workers_serve__one_tenant_does_not_fill_the_queue),
      cmocka_unit_test(test_workers_serve__a_queue_of_one),
      cmocka_unit_test(test_workers_serve__a_thread_is_left_to_others),
      cmocka_unit_test(test_workers_serve__a_tenant_alone_has_all_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
