/*
 * Disks that are full, fail, come short or may not be written.
 *
 *   full      a real file system of 3 MiB, filled to the last byte (skipped where no file system can be mounted)
 *   limit     RLIMIT_FSIZE in its place: files may not grow
 *   injected  ENOSPC, EIO, EROFS and short writes by wrap.c, from some write on
 *   readonly  the file system is mounted anew, read-only
 *
 * Each time: clear errors, an intact store, and service that goes on, on the same handle, when the disk is well again.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scenario.h"

enum { SECONDS = 150, ROUNDS = 400, SKIP = 77 };

static char base[PATH_MAX];
static int failures;

/* ---- what every case asks ---------------------------------------------------------------------------------------- */

/* The last of the statuses noted is one that says what is wrong with the disk. */
static bool says(const scenario_ledger *ledger, const aiorch_status *wanted) {
  int n = atomic_load(&ledger->statuses);
  n = n < SCENARIO_STATUS_MAX ? n : SCENARIO_STATUS_MAX;
  for (int i = 0; i < n; i++)
    for (const aiorch_status *w = wanted; *w != 0; w++)
      if (ledger->status[i] == *w) return true;
  return false;
}

/* Works until something fails: the number of steps that succeeded, or -1 when nothing fails in many rounds. */
static int work_until_it_fails(aiorch *orch, scenario_ledger *ledger) {
  for (int i = 0; i < ROUNDS; i++) {
    char question[64];
    (void)snprintf(question, sizeof question, "What is asked in round %d?", i);
    atomic_store(&ledger->statuses, 0);
    if (atomic_load(&ledger->acknowledged.n) >= SCENARIO_IDS_MAX - 8) atomic_store(&ledger->acknowledged.n, 0);
    if (atomic_load(&ledger->called.n) >= SCENARIO_IDS_MAX - 8) atomic_store(&ledger->called.n, 0);
    if (!scenario_ask(orch, question, ledger) || !scenario_add(orch, 10 + i, 1, ledger)) return i;
  }
  return -1;
}

static void goes_on(aiorch *orch, scenario_ledger *ledger) {
  if (!scenario_ask(orch, "Does it go on now?", ledger))
    scenario_say(ledger, "a run fails though the disk is well again");
  if (!scenario_add(orch, 5, 1, ledger)) scenario_say(ledger, "a document fails though the disk is well again");
}

static const aiorch_status full[] = {AIORCH_E_STORE_FULL, 0};
static const aiorch_status broken[] = {AIORCH_E_STORE, AIORCH_E_STORE_FULL, 0};
static const aiorch_status read_only[] = {AIORCH_E_STORE_READ_ONLY, AIORCH_E_STORE, 0};

/* ---- a file system of our own ------------------------------------------------------------------------------------ */

static bool mount_own(char mounted[PATH_MAX]) {
  (void)snprintf(mounted, PATH_MAX, "%.4000s/disk", base);
  (void)mkdir(mounted, 0700);
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return false;
  return mount("tmpfs", mounted, "tmpfs", 0, "size=3m") == 0; /* gone with this process */
}

static void fill_disk(const char *mounted, off_t leave) {
  static const char zeros[4096];
  char path[PATH_MAX + 16];
  (void)snprintf(path, sizeof path, "%s/ballast", mounted);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  while (wrap_real_write(fd, zeros, sizeof zeros) > 0) {}
  struct stat info;
  if (fstat(fd, &info) == 0 && leave > 0) (void)ftruncate(fd, info.st_size > leave ? info.st_size - leave : 0);
  (void)close(fd);
}

static void empty_disk(const char *mounted) {
  char path[PATH_MAX + 16];
  (void)snprintf(path, sizeof path, "%s/ballast", mounted);
  (void)unlink(path);
}

static void case_full(scenario_ledger *ledger) {
  char mounted[PATH_MAX], store[PATH_MAX + 16];
  if (!mount_own(mounted)) exit(SKIP);
  (void)snprintf(store, sizeof store, "%s/store", mounted);
  aiorch *orch = scenario_open(store, ledger);
  if (orch == NULL) return;
  if (!scenario_ask(orch, "Before the disk is full?", ledger))
    scenario_say(ledger, "it does not work on an empty disk");
  for (off_t leave = 0; leave <= 96 << 10; leave += 24 << 10) {
    fill_disk(mounted, leave);
    if (work_until_it_fails(orch, ledger) < 0) scenario_say(ledger, "nothing fails on a full disk");
    if (!says(ledger, full)) scenario_say(ledger, "nobody says that the disk is full");
    empty_disk(mounted);
    goes_on(orch, ledger);
    scenario_check_store(store, ledger);
  }
  scenario_close(orch, ledger);
  fill_disk(mounted, 0);
  scenario_remove(store);
  atomic_store(&ledger->acknowledged.n, 0);
  atomic_store(&ledger->called.n, 0);
  fill_disk(mounted, 0);
  orch = scenario_open(store, ledger);
  if (orch != NULL) scenario_say(ledger, "a store can be made on a full disk");
  scenario_close(orch, ledger);
  empty_disk(mounted);
  orch = scenario_open(store, ledger);
  if (orch == NULL)
    scenario_say(ledger, "a store cannot be made after the disk was full");
  else
    goes_on(orch, ledger);
  scenario_close(orch, ledger);
  scenario_check_store(store, ledger);
}

static void case_readonly(scenario_ledger *ledger) {
  char mounted[PATH_MAX], store[PATH_MAX + 16];
  if (!mount_own(mounted)) exit(SKIP);
  (void)snprintf(store, sizeof store, "%s/store", mounted);
  aiorch *orch = scenario_open(store, ledger);
  if (orch == NULL || !scenario_ask(orch, "Before?", ledger)) scenario_say(ledger, "it does not work on a good disk");
  scenario_close(orch, ledger);
  if (mount(NULL, mounted, NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0) exit(SKIP);
  atomic_store(&ledger->statuses, 0);
  orch = scenario_open(store, ledger);
  if (orch != NULL) (void)scenario_ask(orch, "On a disk that may not be written?", ledger);
  if (!says(ledger, read_only)) scenario_say(ledger, "nobody says that the disk may not be written");
  scenario_close(orch, ledger);
  if (mount(NULL, mounted, NULL, MS_REMOUNT, "size=3m") != 0) exit(SKIP);
  orch = scenario_open(store, ledger);
  if (orch == NULL)
    scenario_say(ledger, "it cannot be opened when the disk may be written again");
  else
    goes_on(orch, ledger);
  scenario_close(orch, ledger);
  scenario_check_store(store, ledger);
}

/* ---- a limit for each file --------------------------------------------------------------------------------------- */

static void limit_files(rlim_t bytes) {
  struct rlimit limit;
  (void)getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
  (void)setrlimit(RLIMIT_FSIZE, &limit);
}

static void case_limit(scenario_ledger *ledger) {
  char store[PATH_MAX];
  (void)snprintf(store, sizeof store, "%.4000s/limited", base);
  (void)signal(SIGXFSZ, SIG_IGN); /* of the host, as the library has none */
  aiorch *orch = scenario_open(store, ledger);
  if (orch == NULL) return;
  for (rlim_t bytes = 1 << 20; bytes <= 4 << 20; bytes <<= 1) {
    limit_files(bytes);
    if (work_until_it_fails(orch, ledger) < 0) scenario_say(ledger, "files grow beyond the limit");
    if (!says(ledger, full)) scenario_say(ledger, "nobody says that there is no room");
    limit_files(RLIM_INFINITY);
    goes_on(orch, ledger);
    scenario_check_store(store, ledger);
  }
  scenario_close(orch, ledger);
  scenario_check_store(store, ledger);
}

/* ---- writes that fail -------------------------------------------------------------------------------------------- */

static void inject(aiorch *orch, const char *store, const wrap_plan *plan, const aiorch_status *wanted,
                   scenario_ledger *ledger) {
  int said = atomic_load(&ledger->said);
  atomic_store(&ledger->acknowledged.n, 0);
  atomic_store(&ledger->called.n, 0);
  wrap_arm(plan);
  int steps = work_until_it_fails(orch, ledger);
  wrap_pause();
  if (steps < 0)
    scenario_say(ledger, "nothing fails");
  else if (!says(ledger, wanted))
    scenario_say(ledger, "the status does not say what is wrong");
  goes_on(orch, ledger);
  scenario_check_store(store, ledger);
  if (atomic_load(&ledger->said) > said)
    scenario_say(ledger, "  ^ write %ld, %s", plan->at, plan->action == WRAP_SHORT ? "short" : strerror(plan->error));
}

static void case_injected(scenario_ledger *ledger) {
  static const struct {
    uint64_t calls;
    wrap_action action;
    int error;
    const aiorch_status *wanted;
  } kinds[] = {
    {WRAP_BIT(WRAP_WRITE) | WRAP_BIT(WRAP_PWRITE), WRAP_FAIL, ENOSPC, full},
    {WRAP_BIT(WRAP_WRITE) | WRAP_BIT(WRAP_PWRITE), WRAP_FAIL, EIO, broken},
    {WRAP_BIT(WRAP_WRITE) | WRAP_BIT(WRAP_PWRITE), WRAP_SHORT, 0, broken},
    {WRAP_BIT(WRAP_WRITE) | WRAP_BIT(WRAP_PWRITE), WRAP_FAIL, EROFS, read_only},
    {WRAP_BIT(WRAP_FSYNC) | WRAP_BIT(WRAP_FDATASYNC), WRAP_FAIL, EIO, broken},
  };
  char store[PATH_MAX];
  (void)snprintf(store, sizeof store, "%.4000s/injected", base);
  aiorch *orch = scenario_open(store, ledger);
  if (orch == NULL) return;
  for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
    for (long at = 1; at <= 40; at += 3) {
      wrap_plan plan = {
        .calls = kinds[k].calls, .at = at, .from_on = true, .action = kinds[k].action, .error = kinds[k].error};
      inject(orch, store, &plan, kinds[k].wanted, ledger);
    }
  scenario_close(orch, ledger);
  scenario_check_store(store, ledger);
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

typedef struct test {
  const char *name;
  void (*run)(scenario_ledger *ledger);
} test;

typedef struct job {
  const test *test;
  scenario_ledger *ledger;
} job;

static void run_test(void *ctx) {
  job *j = ctx;
  j->test->run(j->ledger);
  if (atomic_load(&j->ledger->live) != 0) scenario_say(j->ledger, "allocations were not freed");
}

int main(void) {
  static const test tests[] = {
    {"full", case_full}, {"limit", case_limit}, {"injected", case_injected}, {"readonly", case_readonly}};
  scenario_temp(base);
  for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
    job j = {&tests[i], scenario_ledger_new()};
    char words[80];
    int status = scenario_in_child(run_test, &j, SECONDS);
    const char *fate = scenario_fate(status, words);
    bool skipped = WIFEXITED(status) && WEXITSTATUS(status) == SKIP;
    if (fate != NULL && !skipped) scenario_say(j.ledger, "%s", fate);
    bool bad = atomic_load(&j.ledger->said) > 0;
    failures += bad;
    (void)printf("%-9s %s\n%.*s", tests[i].name,
                 skipped ? "SKIP: no file system can be mounted here"
                 : bad   ? "BAD"
                         : "ok",
                 SCENARIO_SAID_MAX, j.ledger->words);
  }
  scenario_remove(base);
  return failures > 0;
}
