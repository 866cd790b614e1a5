/* See outage_faults.h. */
#include "outage_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cluster.h"

enum { OTHERS_MAX = 200, STOPPED_MAX = 200, WORDS_MAX = 16, PATH_SIZE = 4096, BLOCK = 65536, SEGMENTS_MAX = 50 };

static struct {
  PGconn *others[OTHERS_MAX];
  size_t other_count;
  pid_t stopped[STOPPED_MAX];
  size_t stopped_count;
  int port;          /* of the standby; 0: none */
  bool has_promoted;
} now;

static int64_t seconds(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec;
}

/* ---- namespaces, and the cluster ------------------------------------------------------------------------------------ */

/* A loopback of its own, which is down at first. */
static bool own_loopback(void) {
  struct ifreq request;
  memset(&request, 0, sizeof request);
  memcpy(request.ifr_name, "lo", 3);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  bool good = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags |= IFF_UP;
  good = good && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  if (fd >= 0) (void)close(fd);
  return good;
}

static bool try_traffic(const char *verb, const char *kind) {
  int how = 0;
  (void)fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    execlp("tc", "tc", "qdisc", verb, "dev", "lo", "root", kind, (char *)NULL);
    _exit(127);
  }
  return child > 0 && waitpid(child, &how, 0) == child && how == 0;
}

static bool enter_namespace(void) {
  if (geteuid() != 0 || unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) return false;
  return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && own_loopback();
}

void outage_into_cluster(char **argv) {
  const char *options[] = {"--no-bouncer", "--set", "max_connections=40", NULL, NULL, NULL};
  if (getenv("AIORCH_TEST_POSTGRES") != NULL) return;
  if (enter_namespace()) {
    (void)setenv("AIORCH_TEST_OUTAGE_NAMESPACE", "1", 1);
    if (try_traffic("replace", "blackhole") && try_traffic("del", NULL))
      (void)setenv("AIORCH_TEST_OUTAGE_PARTS", "1", 1);
    else
      printf("without tc (of iproute2), or its kind blackhole: no partition\n");
    options[3] = "--disk";
    options[4] = "400";
  } else {
    printf("without namespaces (%s): no partition, no full disk\n", strerror(errno));
  }
  cluster_enter(argv, options);
}

/* ---- programs of the server, as the one who runs it, who alone may --------------------------------------------------- */

/* Its exit code; 127: it could not be run. */
static int run(const char *program, const char *const *arguments) {
  char path[PATH_SIZE];
  const char *argv[WORDS_MAX + 2] = {program};
  int n = 1, how = 0;
  const struct passwd *user = getpwnam(cluster_variable("AIORCH_TEST_POSTGRES_USER"));
  snprintf(path, sizeof path, "%s/%s", cluster_variable("AIORCH_TEST_POSTGRES_BIN"), program);
  for (; *arguments != NULL && n < WORDS_MAX; arguments++) argv[n++] = *arguments;
  if (user == NULL) cluster_die(program, "no such user");
  (void)fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    bool ok = geteuid() != 0 || (setgroups(0, NULL) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0);
    int silence = open("/dev/null", O_WRONLY | O_CLOEXEC);
    ok = ok && silence >= 0 && dup2(silence, STDOUT_FILENO) == STDOUT_FILENO;
    if (ok && chdir(cluster_variable("AIORCH_TEST_POSTGRES_DATA")) == 0) execv(path, (char *const *)(uintptr_t)argv);
    _exit(127);
  }
  if (child < 0 || waitpid(child, &how, 0) != child || !WIFEXITED(how)) cluster_die(program, "did not end by itself");
  return WEXITSTATUS(how);
}

static int pg_ctl(const char *data, const char *const *more) {
  const char *arguments[WORDS_MAX] = {"-D", data, "-s", "-w", "-t", "100"};
  for (int n = 6; *more != NULL && n < WORDS_MAX - 1; n++) arguments[n] = *more++;
  return run("pg_ctl", arguments);
}

static void stop_folder(const char *data) {
  const char *const arguments[] = {"-m", "immediate", "stop", NULL};
  if (pg_ctl(data, arguments) != 0) cluster_die("pg_ctl stop", data);
}

static void start_folder(const char *data, int at) {
  char port[32];
  snprintf(port, sizeof port, "-p %d", at);
  const char *const arguments[] = {"-o", port, "-l", "again.log", "start", NULL};
  if (pg_ctl(data, arguments) != 0) cluster_die("pg_ctl start", data);
}

static int first_port(void) {
  return atoi(strrchr(cluster_variable("AIORCH_TEST_POSTGRES"), ':') + 1);
}

static const char *data_folder(void) {
  return cluster_variable("AIORCH_TEST_POSTGRES_DATA");
}

static void stop_server(PGconn *pg) {
  (void)pg;
  stop_folder(data_folder());
}

static void start_server(PGconn *pg) {
  (void)pg;
  start_folder(data_folder(), first_port());
}

PGresult *outage_sql(PGconn *pg, const char *sql) {
  PGresult *result = PQexec(pg, sql);
  ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) cluster_die(sql, PQerrorMessage(pg));
  return result;
}

static void run_sql(PGconn *pg, const char *sql) {
  PQclear(outage_sql(pg, sql));
}

static int number(PGconn *pg, const char *sql) {
  PGresult *result = outage_sql(pg, sql);
  int n = PQntuples(result) > 0 ? atoi(PQgetvalue(result, 0, 0)) : 0;
  PQclear(result);
  return n;
}

static PGconn *connect_as(const char *user, int port) {
  char url[160];
  snprintf(url, sizeof url, "postgresql://%s@127.0.0.1:%d/aiorch", user, port);
  return PQconnectdb(url);
}

PGconn *outage_admin(void) {
  PGconn *pg = connect_as("postgres", now.has_promoted ? now.port : first_port());
  if (PQstatus(pg) != CONNECTION_OK) cluster_die("the superuser", PQerrorMessage(pg));
  cluster_no_notices(pg); /* libpq would write them to stderr */
  return pg;
}

#define OURS "FROM pg_stat_activity WHERE usename = 'app'"
#define END_ALL "SELECT pg_terminate_backend(pid) " OURS

int outage_end_sessions(PGconn *pg) {
  int64_t give_up = seconds() + FAULT_WAIT_S;
  int there = number(pg, "SELECT count(*) " OURS);
  for (int left = there; left > 0; left = number(pg, "SELECT count(*) " OURS)) {
    if (seconds() > give_up) cluster_die("sessions of the fault before", "do not end");
    run_sql(pg, END_ALL);
    (void)usleep(1000);
  }
  return there;
}

/* ---- no connection left ----------------------------------------------------------------------------------------------- */

/* Others have them all: as many as there are, until none is left for us and we have none. A backend of ours that ends is out of the list
 * before its place is free: counted, not tried. */
static void take_connections(PGconn *pg) {
  int64_t give_up = seconds() + FAULT_WAIT_S;
  size_t all = (size_t)number(pg, "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
                                  " - count(*)::int FROM pg_stat_activity WHERE usename = 'postgres' AND backend_type = 'client backend'");
  while (now.other_count < all || number(pg, "SELECT count(*) " OURS) > 0) {
    PGconn *other = connect_as("reader", first_port());
    if (PQstatus(other) == CONNECTION_OK && now.other_count < OTHERS_MAX) {
      now.others[now.other_count++] = other;
    } else {
      PQfinish(other);
      run_sql(pg, END_ALL);
    }
    if (seconds() > give_up) cluster_die("taking all connections", "not within the time of the watchdog");
  }
}

static void give_connections(PGconn *pg) {
  (void)pg;
  if (now.other_count < 10) cluster_die("no connection left", "but others had hardly any");
  while (now.other_count > 0) PQfinish(now.others[--now.other_count]);
}

static void forbid_connections(PGconn *pg) {
  run_sql(pg, "ALTER ROLE app CONNECTION LIMIT 0");
  run_sql(pg, END_ALL);
}

static void allow_connections(PGconn *pg) {
  run_sql(pg, "ALTER ROLE app CONNECTION LIMIT -1");
}

/* ---- there, but of no use --------------------------------------------------------------------------------------------- */

static void make_read_only(PGconn *pg) {
  run_sql(pg, "ALTER ROLE app SET default_transaction_read_only = on");
  run_sql(pg, END_ALL);
}

static void make_writable(PGconn *pg) {
  run_sql(pg, "ALTER ROLE app RESET default_transaction_read_only");
  run_sql(pg, END_ALL);
}

static void lock_tables(PGconn *pg) {
  run_sql(pg, "BEGIN");
  run_sql(pg, "LOCK TABLE aiorch.ai_api_calls, aiorch.ai_attempts, aiorch.admissions");
}

static void unlock_tables(PGconn *pg) {
  run_sql(pg, "COMMIT");
}

static void stop_process(pid_t pid) {
  if (now.stopped_count < STOPPED_MAX && pid > 1 && kill(pid, SIGSTOP) == 0) now.stopped[now.stopped_count++] = pid;
}

static void stop_found(PGconn *pg, const char *sql) {
  PGresult *found = outage_sql(pg, sql);
  for (int i = 0; i < PQntuples(found); i++) stop_process((pid_t)atoi(PQgetvalue(found, i, 0)));
  PQclear(found);
}

/* One that ends by itself just now, or whose client has gone, is stopped without effect: asked again, it stops one more. */
static void stop_backend(PGconn *pg) {
  char sql[STOPPED_MAX * 12 + 200];
  size_t before = now.stopped_count;
  int64_t give_up = seconds() + FAULT_WAIT_S;
  int n = snprintf(sql, sizeof sql, "SELECT pid " OURS " AND pid NOT IN (0");
  for (size_t i = 0; i < before; i++) n += snprintf(sql + n, sizeof sql - (size_t)n, ", %d", (int)now.stopped[i]);
  (void)snprintf(sql + n, sizeof sql - (size_t)n, ") ORDER BY state = 'active' DESC, state_change DESC LIMIT 1");
  while (now.stopped_count == before) {
    if (seconds() > give_up) cluster_die("a backend", "cannot be stopped");
    stop_found(pg, sql);
  }
}

/* All of it, so that a connection is taken by the system and then nobody speaks. */
static void freeze_server(PGconn *pg) {
  char path[PATH_SIZE];
  int pid = 0;
  snprintf(path, sizeof path, "%s/postmaster.pid", data_folder());
  FILE *file = fopen(path, "r");
  if (file == NULL || fscanf(file, "%d", &pid) != 1) cluster_die(path, "cannot be read");
  (void)fclose(file);
  stop_process((pid_t)pid);
  stop_found(pg, "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()");
  if (now.stopped_count == 0) cluster_die("the server", "cannot be stopped");
}

static void continue_stopped(PGconn *pg) {
  (void)pg;
  while (now.stopped_count > 0) (void)kill(now.stopped[--now.stopped_count], SIGCONT);
}

/* ---- partition and full disk: in a namespace of our own ---------------------------------------------------------------- */

/* Every packet is lost, and nobody is told. */
static void part_network(PGconn *pg) {
  (void)pg;
  if (!try_traffic("replace", "blackhole")) cluster_die("tc", "has worked before");
}

static void join_network(PGconn *pg) {
  (void)pg;
  if (!try_traffic("del", NULL)) cluster_die("tc", "has worked before");
}

static void ballast_path(char out[PATH_SIZE]) {
  snprintf(out, PATH_SIZE, "%s/ballast", data_folder());
}

/* To the last byte: tables and the log of the server cannot grow. */
static void fill_disk(PGconn *pg) {
  char path[PATH_SIZE];
  static const char block[BLOCK];
  (void)pg;
  ballast_path(path);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) cluster_die(path, strerror(errno));
  for (size_t size = BLOCK; size > 0;)
    if (write(fd, block, size) <= 0) size /= 2;
  if (errno != ENOSPC) cluster_die(path, strerror(errno));
  (void)close(fd);
}

/* Its log needs a new file and has no room for it: the server ends, and cannot begin again. */
static void fill_log(PGconn *pg) {
  fill_disk(pg);
  for (int i = 0; i < SEGMENTS_MAX && PQstatus(pg) == CONNECTION_OK; i++)
    PQclear(PQexec(pg, "SELECT pg_logical_emit_message(false, 'outage', 'a row'), pg_switch_wal()"));
  if (PQstatus(pg) == CONNECTION_OK) cluster_die("the log of the server", "still finds room");
}

static void empty_disk(PGconn *pg) {
  char path[PATH_SIZE];
  static const char *const status[] = {"status", NULL};
  int64_t give_up = seconds() + FAULT_WAIT_S;
  (void)pg;
  ballast_path(path);
  if (unlink(path) != 0) cluster_die(path, strerror(errno));
  for (;;) { /* it may have ended, or be about to */
    if (pg_ctl(data_folder(), status) != 0) start_server(NULL);
    PGconn *again = connect_as("postgres", first_port());
    bool is_back = PQstatus(again) == CONNECTION_OK;
    PQfinish(again);
    if (is_back) return;
    if (seconds() > give_up) cluster_die("the server", "is not back after its disk was full");
    (void)usleep(20000);
  }
}

/* ---- failover ------------------------------------------------------------------------------------------------------------ */

static void standby_folder(char out[PATH_SIZE]) {
  snprintf(out, PATH_SIZE, "%s-standby", data_folder());
}

static int free_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
    cluster_die("a port", strerror(errno));
  (void)close(fd);
  return ntohs(address.sin_port);
}

void outage_make_standby(void) {
  char folder[PATH_SIZE], url[120];
  int64_t give_up = seconds() + FAULT_WAIT_S;
  standby_folder(folder);
  snprintf(url, sizeof url, "postgresql://postgres@127.0.0.1:%d/postgres", first_port());
  const char *const copy[] = {"-D", folder, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", url, NULL};
  if (run("pg_basebackup", copy) != 0) cluster_die("pg_basebackup", folder);
  now.port = free_port();
  start_folder(folder, now.port);
  PGconn *pg = outage_admin();
  run_sql(pg, "ALTER SYSTEM SET synchronous_standby_names = '*'");
  run_sql(pg, "SELECT pg_reload_conf()");
  while (number(pg, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'") != 1) {
    if (seconds() > give_up) cluster_die("the standby", "does not follow");
    (void)usleep(20000);
  }
  PQfinish(pg);
}

void outage_url(char *out, size_t size) {
  if (now.port == 0)
    snprintf(out, size, "%s", cluster_variable("AIORCH_TEST_POSTGRES"));
  else
    snprintf(out, size, "postgresql://app@127.0.0.1:%d,127.0.0.1:%d/aiorch?target_session_attrs=read-write", first_port(), now.port);
}

static void promote_standby(PGconn *pg) {
  static const char *const promote[] = {"promote", NULL};
  char folder[PATH_SIZE];
  (void)pg;
  standby_folder(folder);
  if (pg_ctl(folder, promote) != 0) cluster_die("pg_ctl promote", folder);
  now.has_promoted = true;
}

void outage_end_standby(void) {
  static const char *const stop[] = {"-m", "immediate", "stop", NULL};
  char folder[PATH_SIZE];
  if (now.port == 0) return;
  standby_folder(folder);
  (void)pg_ctl(folder, stop);
  now.port = 0;
}

bool outage_is_possible(const outage_fault *fault) {
  bool parts = fault->begin == part_network;
  return !fault->needs_namespace || getenv(parts ? "AIORCH_TEST_OUTAGE_PARTS" : "AIORCH_TEST_OUTAGE_NAMESPACE") != NULL;
}

const outage_fault OUTAGE_FAULTS[] = {
  {"stopped", stop_server, start_server, false, false, false, false, false},
  {"no connection left", take_connections, give_connections, false, false, false, false, false},
  {"no connection for us", forbid_connections, allow_connections, false, false, false, false, false},
  {"read-only", make_read_only, make_writable, false, false, true, false, false},
  {"tables locked", lock_tables, unlock_tables, false, false, true, false, false},
  {"a backend stopped", stop_backend, continue_stopped, false, true, false, false, false},
  {"frozen", freeze_server, continue_stopped, false, false, false, false, false},
  {"tables locked, little time", lock_tables, unlock_tables, true, false, true, false, false},
  {"a backend stopped, little time", stop_backend, continue_stopped, true, true, false, false, false},
  {"frozen, little time", freeze_server, continue_stopped, true, false, false, false, false},
  {"partition", part_network, join_network, false, false, false, true, false},
  {"partition, little time", part_network, join_network, true, false, false, true, false},
  {"disk full", fill_disk, empty_disk, false, false, false, true, false},
  {"disk full, also to its log", fill_log, empty_disk, false, false, false, true, false},
  {"failover", stop_server, promote_standby, false, false, false, false, true}, /* the last one: the first server is gone */
  {NULL, NULL, NULL, false, false, false, false, false},
};
