/* lib/net/io_thread.c. label: threads */
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/io_thread.h"
#include "support/http_client.h"
#include "support/test_alloc.h"
#include "support/virtual_clock.h"

enum { TIMERS = 500, POSTERS = 8, POSTS = 2000 };

/* What the thread does for a test, and when it was done. */
typedef struct job {
  aio__io_task task;
  aio__io_thread *io;
  void (*work)(struct job *job);
  void *ctx;
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  bool done;
} job;

static void run_job(aio__io_task *task) {
  job *j = (job *)(void *)task;
  j->work(j);
  pthread_mutex_lock(&j->mutex);
  j->done = true;
  pthread_cond_signal(&j->cond);
  pthread_mutex_unlock(&j->mutex);
}

static void wait_for_job(job *j) {
  pthread_mutex_lock(&j->mutex);
  while (!j->done) pthread_cond_wait(&j->cond, &j->mutex);
  pthread_mutex_unlock(&j->mutex);
  pthread_cond_destroy(&j->cond);
  pthread_mutex_destroy(&j->mutex);
}

static void on_thread(aio__io_thread *io, void (*work)(job *job), void *ctx) {
  job j = {.task.run = run_job, .io = io, .work = work, .ctx = ctx};
  pthread_mutex_init(&j.mutex, NULL);
  pthread_cond_init(&j.cond, NULL);
  aio__io_post(io, &j.task);
  wait_for_job(&j);
}

static aio__io_thread *open_io(const aio__alloc *al, const aio__clock *clock) {
  aio__io_thread *io = NULL;
  http_watchdog(60);
  assert_int_equal(aio__io_new(al, clock, &io, NULL), AIORCH_OK);
  assert_int_equal(aio__io_start(io, NULL), AIORCH_OK);
  assert_int_equal(aio__io_start(io, NULL), AIORCH_OK);
  return io;
}

/* ---- the thread ------------------------------------------------------------------------------------------------------ */

static void look_at_thread(job *j) {
  sigset_t blocked;
  pthread_attr_t attr;
  size_t size = 0;
  pthread_sigmask(SIG_SETMASK, NULL, &blocked);
  bool all = sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGPIPE) && sigismember(&blocked, SIGALRM);
  pthread_getattr_np(pthread_self(), &attr);
  pthread_attr_getstacksize(&attr, &size);
  pthread_attr_destroy(&attr);
  *(bool *)j->ctx = all && size <= 2 * AIO__IO_STACK_BYTES;
}

static void test_start__blocks_signals_and_has_a_small_stack(void **state) {
  (void)state;
  bool well = false;
  aio__io_thread *io = open_io(aio__alloc_default(), aio__clock_system());
  on_thread(io, look_at_thread, &well);
  aio__io_free(io);
  assert_true(well);
}

static void test_new__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__io_thread *io = NULL;
  aio__test_alloc_init(&t);
  aio__test_alloc_next(&t);
  assert_int_equal(aio__io_new(&t.al, aio__clock_system(), &io, NULL), AIORCH_E_NOMEM);
  assert_null(io);
  assert_int_equal(t.live, 0);
  aio__io_free(NULL);
}

/* ---- tasks --------------------------------------------------------------------------------------------------------------- */

typedef struct counted {
  aio__io_task task;
  int poster, number;
  int *last; /* of each poster */
  bool *wrong;
  int *count;
} counted;

static void count_task(aio__io_task *task) {
  counted *c = (counted *)(void *)task;
  if (c->last[c->poster] + 1 != c->number) *c->wrong = true;
  c->last[c->poster] = c->number;
  ++*c->count;
}

typedef struct poster {
  aio__io_thread *io;
  counted *tasks;
} poster;

static void *post_all(void *ctx) {
  poster *p = ctx;
  for (int i = 0; i < POSTS; i++) aio__io_post(p->io, &p->tasks[i].task);
  return NULL;
}

static void test_post__all_run_in_the_order_of_each_poster(void **state) {
  (void)state;
  int last[POSTERS], count = 0;
  bool wrong = false;
  counted *tasks = calloc(POSTERS * POSTS, sizeof *tasks);
  pthread_t threads[POSTERS];
  poster posters[POSTERS];
  aio__io_thread *io = open_io(aio__alloc_default(), aio__clock_system());
  assert_non_null(tasks);
  for (int p = 0; p < POSTERS; p++) {
    last[p] = -1;
    for (int i = 0; i < POSTS; i++) tasks[p * POSTS + i] = (counted){{count_task, NULL}, p, i, last, &wrong, &count};
    posters[p] = (poster){io, tasks + p * POSTS};
    assert_int_equal(pthread_create(&threads[p], NULL, post_all, &posters[p]), 0);
  }
  for (int p = 0; p < POSTERS; p++) pthread_join(threads[p], NULL);
  aio__io_free(io); /* runs what is left */
  assert_int_equal(count, POSTERS * POSTS);
  assert_false(wrong);
  free(tasks);
}

/* A wake-up for the end that comes together with tasks is not forgotten over them: a bug that hung for a minute. */
/* ---- quietly ---- */

typedef struct quiet_jobs {
  job jobs[AIO__IO_QUIET_MAX];
  atomic_int ran;
} quiet_jobs;

static void count_job(job *j) { atomic_fetch_add((atomic_int *)j->ctx, 1); }

static void post_quietly(aio__io_thread *io, quiet_jobs *all, int count) {
  atomic_init(&all->ran, 0);
  for (int i = 0; i < count; i++) {
    all->jobs[i] = (job){.task.run = run_job, .io = io, .work = count_job, .ctx = &all->ran};
    pthread_mutex_init(&all->jobs[i].mutex, NULL);
    pthread_cond_init(&all->jobs[i].cond, NULL);
    aio__io_post_quietly(io, &all->jobs[i].task);
  }
}

static void wait_for_all(quiet_jobs *all, int count) {
  for (int i = 0; i < count; i++) wait_for_job(&all->jobs[i]);
  assert_int_equal(atomic_load(&all->ran), count);
}

static void do_nothing(job *j) { (void)j; }

typedef struct gate {
  sem_t inside, open;
} gate;

static void hold(job *j) {
  gate *g = j->ctx;
  sem_post(&g->inside);
  sem_wait(&g->open);
}

/* All of them while the thread is at something else: awake it would take a part of them, and nobody would be told of the rest. */
static void post_quietly_while_held(aio__io_thread *io, quiet_jobs *all, int count) {
  gate g;
  job j = {.task.run = run_job, .io = io, .work = hold, .ctx = &g};
  sem_init(&g.inside, 0, 0);
  sem_init(&g.open, 0, 0);
  pthread_mutex_init(&j.mutex, NULL);
  pthread_cond_init(&j.cond, NULL);
  aio__io_post(io, &j.task);
  sem_wait(&g.inside);
  post_quietly(io, all, count);
  sem_post(&g.open);
  wait_for_job(&j);
  sem_destroy(&g.inside);
  sem_destroy(&g.open);
}

static void test_post_quietly__runs_when_it_is_woken_or_many_wait(void **state) {
  (void)state;
  static quiet_jobs all;
  aio__io_thread *io = open_io(aio__alloc_default(), aio__clock_system());
  aio__io_wake(NULL);
  aio__io_wake(io);
  post_quietly(io, &all, 3);
  aio__io_wake(io);
  wait_for_all(&all, 3);
  post_quietly_while_held(io, &all, AIO__IO_QUIET_MAX); /* nobody has to wake it for so many */
  wait_for_all(&all, AIO__IO_QUIET_MAX);
  post_quietly(io, &all, 2);
  on_thread(io, do_nothing, NULL); /* one that is not quiet takes those before it along */
  wait_for_all(&all, 2);
  post_quietly(io, &all, 1);
  aio__io_free(io); /* and the end all that waits */
  wait_for_all(&all, 1);
}

static void test_free__ends_at_once_while_tasks_wait(void **state) {
  (void)state;
  enum { ROUNDS = 500, TASKS = 16 };
  for (int round = 0; round < ROUNDS; round++) {
    int last = -1, count = 0;
    bool wrong = false;
    counted tasks[TASKS];
    aio__io_thread *io = open_io(aio__alloc_default(), aio__clock_system());
    for (int i = 0; i < TASKS; i++) {
      tasks[i] = (counted){{count_task, NULL}, 0, i, &last, &wrong, &count};
      aio__io_post(io, &tasks[i].task);
    }
    aio__io_free(io);
    assert_int_equal(count, TASKS);
    assert_false(wrong);
  }
}

static void test_free__runs_what_waits_for_a_thread_that_never_started(void **state) {
  (void)state;
  int last = -1, count = 0;
  bool wrong = false;
  counted task = {{count_task, NULL}, 0, 0, &last, &wrong, &count};
  aio__io_thread *io = NULL;
  assert_int_equal(aio__io_new(aio__alloc_default(), aio__clock_system(), &io, NULL), AIORCH_OK);
  aio__io_post(io, &task.task);
  assert_int_equal(count, 0);
  aio__io_free(io);
  assert_int_equal(count, 1);
}

/* ---- timers ----------------------------------------------------------------------------------------------------------------- */

typedef struct timed {
  aio__io_timer timer;
  int64_t at;
  struct schedule *schedule;
} timed;

typedef struct schedule {
  virtual_clock clock;
  timed timers[TIMERS];
  int64_t last;
  size_t ran;
  bool early, disorder;
} schedule;

static void on_timed(aio__io_timer *timer) {
  timed *t = (timed *)(void *)timer;
  schedule *s = t->schedule;
  if (s->clock.monotonic_ns < t->at) s->early = true;
  if (t->at < s->last) s->disorder = true;
  s->last = t->at;
  s->ran++;
}

/* Sets them all, moves a third, clears a third. The clock stands still meanwhile. */
static void set_timers(job *j) {
  schedule *s = j->ctx;
  uint64_t seed = 88172645463325252u;
  int64_t now = s->clock.monotonic_ns;
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < TIMERS; i++) {
      seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
      if (round == 1 && i % 3 != 1) continue;
      s->timers[i].at = now + (int64_t)(seed % 1000) * 1000000 + 1;
      if (round == 0) aio__io_timer_init(&s->timers[i].timer, on_timed);
      s->timers[i].schedule = s;
      aio__io_timer_set(j->io, &s->timers[i].timer, s->timers[i].at);
    }
  }
  for (size_t i = 2; i < TIMERS; i += 3) {
    if (i % 2) aio__io_timer_clear(j->io, &s->timers[i].timer);
    else aio__io_timer_set(j->io, &s->timers[i].timer, AIO__NEVER);
    aio__io_timer_clear(j->io, &s->timers[i].timer);
  }
}

static void nothing(job *j) {
  (void)j;
}

static void test_timer_set__all_run_in_order_and_never_early(void **state) {
  (void)state;
  schedule *s = calloc(1, sizeof *s);
  assert_non_null(s);
  virtual_clock_init(&s->clock);
  aio__io_thread *io = open_io(aio__alloc_default(), &s->clock.clock);
  on_thread(io, set_timers, s);
  assert_int_equal(s->ran, 0);
  for (int ms = 0; ms < 1100; ms += 10) {
    virtual_clock_advance_ms(&s->clock, 10);
    on_thread(io, nothing, NULL);
  }
  for (int i = 0; i < 4; i++) on_thread(io, nothing, NULL);
  aio__io_free(io);
  assert_int_equal(s->ran, TIMERS - TIMERS / 3);
  assert_false(s->early);
  assert_false(s->disorder);
  free(s);
}

/* ---- descriptors --------------------------------------------------------------------------------------------------------------- */

typedef struct watching {
  int pipes[2][2];
  uint32_t source, other;
  int ready[2], strange;
  aiorch_status added;
} watching;

static void on_ready(void *ctx, int fd, uint32_t events) {
  watching *w = ctx;
  char c;
  for (int i = 0; i < 2; i++) {
    if (fd == w->pipes[i][0] && (events & EPOLLIN) && read(fd, &c, 1) == 1) w->ready[i]++;
  }
}

static void on_strange(void *ctx, int fd, uint32_t events) {
  (void)fd;
  (void)events;
  ((watching *)ctx)->strange++;
}

static void watch_both(job *j) {
  watching *w = j->ctx;
  w->added = aio__io_source_add(j->io, on_ready, w, &w->source);
  if (w->added == AIORCH_OK) w->added = aio__io_source_add(j->io, on_strange, w, &w->other);
  for (int i = 0; i < 2; i++) {
    if (aio__io_watch(j->io, w->source, w->pipes[i][0], EPOLLIN) != 0) w->added = AIORCH_E_SYSTEM;
  }
}

static void write_both(job *j) {
  watching *w = j->ctx;
  for (int i = 0; i < 2; i++) {
    if (write(w->pipes[i][1], "x", 1) != 1) w->added = AIORCH_E_SYSTEM;
  }
}

static void unwatch_second(job *j) {
  watching *w = j->ctx;
  aio__io_watch(j->io, w->source, w->pipes[1][0], 0);
}

/* Its descriptor is still watched, which it should not be: what comes finds nobody, not the source that has its place now. */
static void replace_source(job *j) {
  watching *w = j->ctx;
  uint32_t next;
  aio__io_source_remove(j->io, w->source);
  w->added = aio__io_source_add(j->io, on_strange, w, &next);
}

static void test_watch__what_is_ready_and_nothing_else(void **state) {
  (void)state;
  watching w = {.added = AIORCH_OK};
  aio__io_thread *io = open_io(aio__alloc_default(), aio__clock_system());
  for (int i = 0; i < 2; i++) assert_int_equal(pipe(w.pipes[i]), 0);
  on_thread(io, watch_both, &w);
  on_thread(io, write_both, &w);
  on_thread(io, nothing, NULL);
  on_thread(io, nothing, NULL);
  assert_int_equal(w.added, AIORCH_OK);
  on_thread(io, unwatch_second, &w);
  assert_int_equal(w.ready[0], 1);
  assert_int_equal(w.ready[1], 1);
  on_thread(io, write_both, &w);
  on_thread(io, nothing, NULL);
  on_thread(io, nothing, NULL);
  on_thread(io, replace_source, &w);
  assert_int_equal(w.ready[0], 2);
  assert_int_equal(w.ready[1], 1);
  on_thread(io, write_both, &w);
  on_thread(io, nothing, NULL);
  on_thread(io, nothing, NULL);
  for (int i = 0; i < 2; i++) close(w.pipes[i][0]), close(w.pipes[i][1]);
  aio__io_free(io);
  assert_int_equal(w.ready[0], 2);
  assert_int_equal(w.strange, 0);
}

/* ---- fork ------------------------------------------------------------------------------------------------------------------------ */

static void test_free__closes_nothing_in_a_child(void **state) {
  (void)state;
  size_t before = http_open_descriptors();
  aio__io_thread *io = open_io(aio__alloc_default(), aio__clock_system());
  pid_t child = fork();
  if (child == 0) {
    size_t open = http_open_descriptors();
    bool well = aio__io_forked(io) && aio__io_start(io, NULL) == AIORCH_E_FORKED;
    aio__io_free(io);
    _exit(well && open == http_open_descriptors() ? 0 : 1);
  }
  int status = 1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  on_thread(io, nothing, NULL);
  aio__io_free(io);
  assert_int_equal(http_open_descriptors(), before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_start__blocks_signals_and_has_a_small_stack),
    cmocka_unit_test(test_new__out_of_memory),
    cmocka_unit_test(test_post__all_run_in_the_order_of_each_poster),
    cmocka_unit_test(test_post_quietly__runs_when_it_is_woken_or_many_wait),
    cmocka_unit_test(test_free__ends_at_once_while_tasks_wait),
    cmocka_unit_test(test_free__runs_what_waits_for_a_thread_that_never_started),
    cmocka_unit_test(test_timer_set__all_run_in_order_and_never_early),
    cmocka_unit_test(test_watch__what_is_ready_and_nothing_else),
    cmocka_unit_test(test_free__closes_nothing_in_a_child),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
