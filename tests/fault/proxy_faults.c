/*
 * Calls through a proxy that we did not write (tinyproxy), with a name and a password in its URL: over TLS by CONNECT, plain, and past
 * it by no_proxy; and what goes wrong with one.
 *
 *   proxy_faults     needs tinyproxy, python3 and openssl
 *
 * What must hold: an error names the proxy and the variable that set it, and never its password; nobody behind the proxy sees that
 * either; an exchange is over 100 ms after its deadline at the latest (one that is later is played again, up to three times, since others
 * use the machine, too).
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault_table.h"
#include "support/http_client.h"
#include "support/test_alloc.h"
#include "support/tiny_server.h"

enum { LATE_NS = 100000000, TRIES = 5, LATE_TRIES = 3, CONNECT_MS = 5000, SILENT_MS = 300, WATCHDOG_S = 60, LOG_MAX = 1 << 20, FIRST_FREE_FD = 3, LAST_FD = 64 };

#define LOGIN "kim:pa55-w0rd-of-kim"
#define PASSWORD "pa55-w0rd"
#define PACKED "a2ltOnBhNTUtdzByZC1vZi1raW0" /* LOGIN as it is sent */

static aio__test_alloc memory;
static char ca[1024], seen_by_proxy[LOG_MAX];
static int tls_port, closed_port, silent_port, proxy_port, proxy_out, failures;
static pid_t proxy_pid;
static tiny_server plain;

/* ---- ports and the proxy ------------------------------------------------------------------------------------------ */

/* Bound to a port that was free; `backlog` 0: nobody listens. */
static int bind_any(int backlog, int *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, n) != 0 || getsockname(fd, (struct sockaddr *)&address, &n) != 0) abort();
  if (backlog > 0 && listen(fd, backlog) != 0) abort();
  *port = ntohs(address.sin_port);
  return fd;
}

/* Tinyproxy says its lines at once, each before what it tells of goes on. */
static bool proxy_says(const char *what) {
  size_t n = strlen(seen_by_proxy);
  ssize_t got;
  while (n + 1 < sizeof seen_by_proxy && (got = read(proxy_out, seen_by_proxy + n, sizeof seen_by_proxy - 1 - n)) > 0) {
    n += (size_t)got;
    seen_by_proxy[n] = '\0';
  }
  return strstr(seen_by_proxy, what) != NULL;
}

static void stop_proxy(void) {
  int status;
  kill(proxy_pid, SIGTERM);
  waitpid(proxy_pid, &status, 0);
  close(proxy_out);
}

static bool start_proxy_once(const char *path) {
  int out[2];
  close(bind_any(0, &proxy_port)); /* it cannot choose by itself */
  FILE *f = fopen(path, "w");
  if (!f || pipe(out) != 0) abort();
  fprintf(f, "Port %d\nListen 127.0.0.1\nTimeout 30\nLogLevel Info\nBasicAuth kim pa55-w0rd-of-kim\nConnectPort %d\nConnectPort %d\n", proxy_port,
          tls_port, closed_port);
  fclose(f);
  proxy_pid = fork();
  if (proxy_pid == 0) {
    dup2(out[1], 1);
    for (int fd = FIRST_FREE_FD; fd < LAST_FD; fd++) close(fd);
    execlp("tinyproxy", "tinyproxy", "-d", "-c", path, (char *)NULL);
    _exit(127);
  }
  close(out[1]);
  proxy_out = out[0];
  seen_by_proxy[0] = '\0';
  size_t n = 0;
  while (!strstr(seen_by_proxy, "Accepting connections")) { /* one byte at a time: it blocks until then or until the end */
    if (n + 1 >= sizeof seen_by_proxy || read(proxy_out, seen_by_proxy + n, 1) != 1) {
      stop_proxy();
      return false;
    }
    seen_by_proxy[++n] = '\0';
  }
  fcntl(proxy_out, F_SETFL, O_NONBLOCK);
  return true;
}

static void start_proxy(void) {
  const char *folder = getenv("AIORCH_TEST_TMP");
  char path[1024];
  snprintf(path, sizeof path, "%s/tinyproxy.conf", folder ? folder : ".");
  for (int i = 0; i < TRIES; i++) {
    if (start_proxy_once(path)) return; /* else somebody else has taken the port */
  }
  fprintf(stderr, "tinyproxy does not start: %s\n", seen_by_proxy);
  exit(1);
}

/* ---- one call ------------------------------------------------------------------------------------------------------ */

static bool tell_head(tiny_server *server, const tiny_request *request) {
  (void)server;
  return tiny_reply(request->fd, 200, NULL, request->head);
}

typedef struct call {
  const char *name, *variable, *value, *no_proxy;
  const char *scheme;      /* of what is asked */
  int port;                /* of what is asked, on 127.0.0.1 */
  int64_t deadline_ms;
  aiorch_status status;
  const char *words[3];    /* in the error, or in the body */
  bool sent;
  const char *logged;      /* what the proxy says of it; NULL: it has not seen it */
  bool get;                /* without a body: tinyproxy resets the connection when it says no to one that it has not read */
} call;

static void complain(bool bad, const call *c, const char *what, const char *got) {
  if (!bad) return;
  printf("  FAILED %s: %s (%s)\n", c->name, what, got);
  failures++;
}

static void judge(const call *c, const http_answer *a) {
  const char *got = c->status == AIORCH_OK ? aio__buf_cstr(&a->body) : a->error.message;
  complain(a->started != AIORCH_OK, c, "was not started", a->start_message);
  complain(a->status != c->status, c, "another status", a->error.message);
  for (size_t i = 0; i < 3 && c->words[i]; i++) complain(!strstr(got, c->words[i]), c, c->words[i], got);
  complain(strstr(a->error.message, PASSWORD) || strstr(a->error.message, "kim"), c, "the words tell the login", a->error.message);
  complain(strstr(aio__buf_cstr(&a->body), PACKED) != NULL, c, "the login goes beyond the proxy", "");
  complain(a->sent != c->sent, c, "sent or not", a->sent ? "sent" : "not sent");
  complain(a->late_ns > LATE_NS, c, "late", a->error.message);
  if (c->logged) complain(!proxy_says(c->logged), c, "the proxy has not seen it", seen_by_proxy);
  else complain(proxy_says("Request"), c, "the proxy has seen it", seen_by_proxy);
}

static void play(const call *c, int tries) {
  aio__http_options options = {.ca_file = ca};
  aio__transport *transport;
  char url[128];
  http_answer a;
  http_watchdog(WATCHDOG_S);
  http_forget_proxies();
  setenv(c->variable, c->value, 1);
  if (c->no_proxy) setenv("NO_PROXY", c->no_proxy, 1);
  if (aio__http_open(&options, &memory.al, aio__clock_system(), NULL, NULL, &transport, NULL) != AIORCH_OK) abort();
  http_forget_proxies();
  proxy_says("");
  seen_by_proxy[0] = '\0';
  snprintf(url, sizeof url, "%s://127.0.0.1:%d/v1", c->scheme, c->port);
  http_answer_init(&a);
  http_ask ask = {.url = url, .body = c->get ? NULL : "{}", .key = "k", .deadline_ms = c->deadline_ms > 0 ? c->deadline_ms : 10000, .limits = {.connect_ms = CONNECT_MS}};
  http_do(transport, &memory.al, &ask, &a);
  bool late = a.late_ns > LATE_NS, again = late && tries > 1;
  if (late) printf("  %s: %.1f ms late\n", c->name, (double)a.late_ns / 1e6);
  if (!again) judge(c, &a);
  printf("  %-34s %s\n", c->name, a.status == AIORCH_OK ? "OK" : a.error.message);
  http_answer_free(&a);
  transport->close(transport);
  if (again) play(c, tries - 1);
}

/* ---- all of them --------------------------------------------------------------------------------------------------- */

static void play_all(void) {
  static const char needs[] = "wants another name and password";
  char good[128], wrong[128], none[128], closed[128], silent[128], odd[128], shown[64], shown_closed[64], shown_silent[64], connects[64];
  snprintf(good, sizeof good, "http://" LOGIN "@127.0.0.1:%d", proxy_port);
  snprintf(wrong, sizeof wrong, "http://kim:" PASSWORD "-wrong@127.0.0.1:%d", proxy_port);
  snprintf(none, sizeof none, "http://127.0.0.1:%d", proxy_port);
  snprintf(closed, sizeof closed, "http://" LOGIN "@127.0.0.1:%d", closed_port);
  snprintf(silent, sizeof silent, "http://" LOGIN "@127.0.0.1:%d", silent_port);
  snprintf(odd, sizeof odd, "gopher://" LOGIN "@127.0.0.1:%d", proxy_port);
  snprintf(shown, sizeof shown, "the proxy http://127.0.0.1:%d (", proxy_port);
  snprintf(shown_closed, sizeof shown_closed, "the proxy http://127.0.0.1:%d (", closed_port);
  snprintf(shown_silent, sizeof shown_silent, "the proxy http://127.0.0.1:%d (", silent_port);
  snprintf(connects, sizeof connects, "CONNECT 127.0.0.1:%d", tls_port);
  const call calls[] = {
      {"TLS", "https_proxy", good, NULL, "https", tls_port, 0, AIORCH_OK, {"well"}, true, connects, false},
      {"TLS, the variable in capitals", "HTTPS_PROXY", good, NULL, "https", tls_port, 0, AIORCH_OK, {"well"}, true, connects, false},
      {"plain", "http_proxy", good, NULL, "http", plain.port, 0, AIORCH_OK, {"POST /v1 ", "Authorization: Bearer k"}, true, "POST http://127.0.0.1", false},
      {"both by ALL_PROXY", "ALL_PROXY", good, NULL, "http", plain.port, 0, AIORCH_OK, {"POST /v1 "}, true, "POST http://127.0.0.1", false},
      {"another variable", "http_proxy", good, NULL, "https", tls_port, 0, AIORCH_OK, {"well"}, true, NULL, false},
      {"TLS, spared", "https_proxy", good, "a.test, 127.0.0.0/8", "https", tls_port, 0, AIORCH_OK, {"well"}, true, NULL, false},
      {"plain, spared", "http_proxy", good, "127.0.0.1", "http", plain.port, 0, AIORCH_OK, {"POST /v1 "}, true, NULL, false},
      {"TLS, another is spared", "https_proxy", good, "127.0.0.2", "https", tls_port, 0, AIORCH_OK, {"well"}, true, connects, false},
      {"TLS, another password", "https_proxy", wrong, NULL, "https", tls_port, 0, AIORCH_E_NETWORK, {needs, shown, "(https_proxy)"}, false, connects, false},
      {"TLS, no password", "https_proxy", none, NULL, "https", tls_port, 0, AIORCH_E_NETWORK, {needs, shown, "(https_proxy)"}, false, connects, false},
      {"plain, no password", "http_proxy", none, NULL, "http", plain.port, 0, AIORCH_E_NETWORK, {needs, shown, "(http_proxy)"}, true, "GET", true},
      {"CONNECT is refused", "HTTPS_PROXY", good, NULL, "https", plain.port, 0, AIORCH_E_NETWORK, {"HTTP 403", shown, "(HTTPS_PROXY)"}, false, "CONNECT", false},
      {"nobody behind the proxy", "https_proxy", good, NULL, "https", closed_port, 0, AIORCH_E_NETWORK, {"HTTP 5", shown, "(https_proxy)"}, false, "CONNECT", false},
      {"TLS, no proxy there", "https_proxy", closed, NULL, "https", tls_port, 0, AIORCH_E_NETWORK, {"no connection", shown_closed, "(https_proxy)"}, false, NULL, false},
      {"plain, no proxy there", "all_proxy", closed, NULL, "http", plain.port, 0, AIORCH_E_NETWORK, {"no connection", shown_closed, "(all_proxy)"}, false, NULL, false},
      {"no proxy there, but spared", "all_proxy", closed, "*", "http", plain.port, 0, AIORCH_OK, {"POST /v1 "}, true, NULL, false},
      {"a proxy that says nothing", "https_proxy", silent, NULL, "https", tls_port, SILENT_MS, AIORCH_E_DEADLINE, {"connecting", shown_silent, "(https_proxy)"}, false, NULL, false},
      {"plain, it says nothing", "http_proxy", silent, NULL, "http", plain.port, SILENT_MS, AIORCH_E_DEADLINE, {"waiting for the reply", shown_silent}, true, NULL, false},
      {"no scheme of a proxy", "https_proxy", odd, NULL, "https", tls_port, 0, AIORCH_E_NETWORK, {"gopher://127.0.0.1", "(https_proxy)"}, false, NULL, false},
  };
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) play(&calls[i], LATE_TRIES);
}

int main(void) {
  aio__buf said;
  aio__tape seen;
  bool tls;
  if (system("tinyproxy -v >/dev/null 2>&1") != 0) {
    printf("SKIP: needs tinyproxy\n");
    return 77;
  }
  http_forget_proxies();
  http_watchdog(WATCHDOG_S);
  if (!fault_begin()) return 77;
  snprintf(ca, sizeof ca, "%s", fault_said("ca", &said));
  aio__buf_free(&said);
  tls_port = fault_port("tls_good", &tls);
  int nobody = bind_any(0, &closed_port), silence = bind_any(16, &silent_port);
  tiny_server_start(&plain, tell_head, NULL);
  aio__test_alloc_init(&memory);
  start_proxy();
  size_t descriptors = http_open_descriptors();
  play_all();
  fault_seen("tls_good", &seen);
  aio__str all = aio__tape_raw(&seen, AIO__TAPE_ROOT);
  if (memmem(all.p, all.n, PACKED, strlen(PACKED)) || memmem(all.p, all.n, "roxy-", 5)) failures++, printf("  FAILED: the server has seen what is the proxy's\n");
  aio__tape_free(&seen);
  stop_proxy();
  tiny_server_stop(&plain);
  if (memory.live != 0) failures++, printf("  FAILED: %ld allocations are left, of %zu descriptors\n", (long)memory.live, descriptors);
  close(nobody);
  close(silence);
  fault_end();
  printf("%s\n", failures ? "FAILED" : "all held");
  return failures ? 1 : 0;
}
