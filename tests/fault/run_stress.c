/*
 * Thousands of runs on many threads over four providers that fail at random, in every form in which a run can be driven, cancelled and
 * freed at random moments by their own thread and by others.
 *
 *   run_stress [--runs N] [--threads N] [--seed N]      1,000 runs on 64 threads when not said
 *
 * What must hold: each run ends once, in a status that the contract names; an answer is that of one provider, whole when the run is well
 * and a begin of it when it is not; the counters add up; afterwards memory and descriptors are what they were. A run that hangs ends
 * the program after 60 s without one that ends.
 *
 * label: threads
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <aiorch/aiorch.h>

#include "support/http_client.h"
#include "support/test_alloc.h"
#include "support/tiny_server.h"
#include "text/json_tape.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

enum { THREADS_MAX = 256, PROVIDERS = 4, PIECES = 40, REPEATS = 16, WATCHDOG_S = 60, ID_LEN = 36, STALL_MS = 300, SLACK_BYTES = 512 << 10, NEXT_MS = 20 };

#define TENANT "acme"

static const char *const families[PROVIDERS] = {"anthropic", "openai", "gemini", "ollama"};
static const char *const words[PROVIDERS] = {"alpha ", "beta ", "gamma ", "delta "};

typedef struct worker {
  pthread_t thread;
  uint64_t seed;
  int number;
  _Atomic(int) has_id; /* whether `id` may be cancelled by others */
  char id[ID_LEN + 1];
  int wrong, ended[8];
} worker;

static struct {
  long runs;
  int threads;
  uint64_t seed;
} options = {1000, 64, 0};

static aiorch *orch;
static worker workers[THREADS_MAX];
static atomic_long left, submitted, ended;
static tiny_server server;

static uint64_t next(uint64_t *seed) {
  *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
  return *seed;
}

/* ---- the providers ------------------------------------------------------------------------------------------------ */

static bool chunk(int fd, const char *text) {
  char all[2048];
  int n = snprintf(all, sizeof all, "%zx\r\n%s\r\n", strlen(text), text);
  return tiny_send(fd, all, (size_t)n);
}

static bool piece(int fd, int family) {
  static const char *const formats[PROVIDERS] = {
      "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"%s\"}}\n\n",
      "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}\n\n",
      "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"%s\"}]}}]}\n\n",
      "{\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"done\":false}\n"};
  char line[512], text[256] = "";
  for (int i = 0; i < REPEATS; i++) strcat(text, words[family]);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(line, sizeof line, formats[family], text);
#pragma GCC diagnostic pop
  return chunk(fd, line);
}

static bool last(int fd, int family) {
  static const char *const ends[PROVIDERS] = {
      ("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\n"
       "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
      "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
      "data: {\"candidates\":[{\"content\":{\"parts\":[]},\"finishReason\":\"STOP\"}]}\n\n",
      "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n"};
  return chunk(fd, ends[family]) && tiny_send_text(fd, "0\r\n\r\n");
}

static bool failed(int fd, int status, const char *headers) {
  return tiny_reply(fd, status, headers, "{\"error\":{\"message\":\"not now\",\"type\":\"x\"}}");
}

/* Well more often than not; else broken in one of the ways that a provider knows, `at` pieces into the answer. */
static bool speak(int fd, int family, unsigned how, int at) {
  if (!tiny_send_text(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")) return false;
  for (int i = 0; i < PIECES; i++) {
    if (i == at && how == 4) return false;
    if (i == at && how == 5) return tiny_send_text(fd, "0\r\n\r\n");
    if (i == at && how == 6) return chunk(fd, "data: {\"error\":{\"message\":\"overloaded\"}}\n\n") && tiny_send_text(fd, "0\r\n\r\n");
    if (i == at && how == 7) return !tiny_gone(fd, STALL_MS) && false;
    if (!piece(fd, family)) return false;
    if (i % 8 == 0) sched_yield();
  }
  return last(fd, family);
}

static bool answer(tiny_server *s, const tiny_request *request) {
  static _Atomic uint64_t count;
  uint64_t lot = options.seed + atomic_fetch_add(&count, 1) * UINT64_C(0x9E3779B97F4A7C15) + 1;
  int family = request->path[1] - '0';
  (void)s;
  (void)next(&lot);
  unsigned how = (unsigned)(next(&lot) % 24);
  int at = (int)(next(&lot) % PIECES);
  if (family < 0 || family >= PROVIDERS) return false;
  switch (how) {
    case 0: return failed(request->fd, 503, "");
    case 1: return failed(request->fd, 429, "Retry-After: 0\r\n");
    case 2: return failed(request->fd, 401, "");
    case 3: return false;
    default: return speak(request->fd, family, how, at);
  }
}

/* ---- the library -------------------------------------------------------------------------------------------------- */

static void open_orch(const aiorch_allocator *allocator) {
  char json[4096];
  aiorch_config *config;
  aiorch_error *error;
  int n = snprintf(json, sizeof json,
                   "{\"store\": \"memory\", \"rate_limit.requests\": 0, \"generate.attempts\": 2, \"generate.breaker_failures\": 6,"
                   " \"generate.breaker_open_ms\": 20, \"output.hold_back\": 64, \"cache.mode\": \"off\", \"providers\": {");
  for (int i = 0; i < PROVIDERS; i++) {
    n += snprintf(json + n, sizeof json - (size_t)n,
                  "%s\"p%d\": {\"api\": \"%s\", \"model\": \"m\", \"base_url\": \"http://127.0.0.1:%d/%d/v1\", \"key\": \"ka%d, kb%d\","
                  " \"first_byte_ms\": 5000, \"idle_ms\": 100, \"first_token_ms\": 5000}",
                  i > 0 ? ", " : "", i, families[i], server.port, i, i, i);
  }
  n += snprintf(json + n, sizeof json - (size_t)n, "}}");
  if (aiorch_error_new(&error) != AIORCH_OK || aiorch_config_new_with(allocator, &config) != AIORCH_OK) abort();
  if (aiorch_config_load_json(config, json, (size_t)n, "stress", error) != AIORCH_OK || aiorch_open(config, &orch, error) != AIORCH_OK) {
    printf("  FAILED: %s\n", aiorch_error_message(error));
    abort();
  }
  aiorch_config_free(config);
  aiorch_error_free(error);
}

/* The sum of the ways in which runs have ended is the number of those that began. */
static int check_counters(void) {
  static const char *const ends[] = {"runs_ok", "runs_failed", "runs_cancelled", "runs_deadline"};
  aiorch_text *text;
  const char *json;
  size_t len;
  int64_t started = 0, sum = 0, n;
  aio__tape tape;
  if (aiorch_metrics_snapshot(orch, &text, NULL) != AIORCH_OK || aiorch_text_get(text, &json, &len) != AIORCH_OK) abort();
  aio__tape_init(&tape, aio__alloc_default());
  if (aio__tape_read(&tape, aio__str_n(json, len)) != AIORCH_OK) abort();
  aio__tape_value counters = AIO__TAPE_GET(&tape, AIO__TAPE_ROOT, "counters");
  (void)aio__tape_i64(&tape, AIO__TAPE_GET(&tape, counters, "runs_started"), &started);
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    if (aio__tape_i64(&tape, aio__tape_member(&tape, counters, ends[i], strlen(ends[i])), &n)) sum += n;
  }
  aio__tape_free(&tape);
  aiorch_text_free(text);
  if (started == sum && started > 0) return 0;
  printf("  FAILED: %lld runs have begun, %lld have ended\n", (long long)started, (long long)sum);
  return 1;
}

/* ---- a run -------------------------------------------------------------------------------------------------------- */

static void wrong(worker *w, const char *what, const char *got) {
  if (w->wrong++ < 3) printf("  FAILED: %s: %s\n", what, got);
}

static bool is_begin(const char *text, size_t n, bool all) {
  for (int i = 0; i < PROVIDERS; i++) {
    size_t len = strlen(words[i]), k = 0;
    while (k < n && text[k] == words[i][k % len]) k++;
    if (k == n && (all ? n == len * PIECES * REPEATS : n <= len * PIECES * REPEATS)) return true;
  }
  return n == 0 && !all;
}

static void judge(worker *w, aiorch_run *run) {
  aiorch_status status = aiorch_run_status(run);
  const char *text = "";
  size_t n = 0;
  (void)aiorch_run_answer(run, &text, &n);
  if (!is_begin(text, n, status == AIORCH_OK)) wrong(w, "an answer that nobody has given", text);
  switch (status) {
    case AIORCH_OK: w->ended[0]++; break;
    case AIORCH_E_CANCELLED: w->ended[1]++; break;
    case AIORCH_E_DEADLINE: w->ended[2]++; break;
    case AIORCH_E_PROVIDERS_UNAVAILABLE: w->ended[3]++; break;
    case AIORCH_E_NETWORK:
    case AIORCH_E_TRUNCATED:
    case AIORCH_E_RESPONSE:
    case AIORCH_E_PROVIDER_BUSY: w->ended[4]++; break;
    default: wrong(w, aiorch_status_name(status), aiorch_error_message(aiorch_run_error(run)));
  }
  aiorch_run_free(run);
  atomic_fetch_add(&ended, 1);
  http_watchdog(WATCHDOG_S);
}

static aiorch_run *new_run(worker *w) {
  static atomic_long asked;
  aiorch_run *run;
  char chain[32], question[64];
  const char *id;
  size_t n;
  uint64_t lot = next(&w->seed);
  snprintf(chain, sizeof chain, "p%d,p%d", (int)(lot % PROVIDERS), (int)((lot + 1 + (lot >> 8) % (PROVIDERS - 1)) % PROVIDERS));
  if (aiorch_run_new(orch, TENANT, sizeof TENANT - 1, "u1", 2, &run) != AIORCH_OK) abort();
  /* Some ask the same at the same time, and may share an answer. */
  long number = (lot >> 24) % 4 == 0 ? (long)((lot >> 32) % 8) : 8 + atomic_fetch_add(&asked, 1);
  int question_len = snprintf(question, sizeof question, "Who is number %ld?", number);
  if (aiorch_run_add_message(run, AIORCH_ROLE_USER, question, (size_t)question_len) != AIORCH_OK) abort();
  if (aiorch_run_set_option(run, "generate.chain", chain, strlen(chain)) != AIORCH_OK) abort();
  if ((lot >> 16) % 16 == 0 && aiorch_run_set_option(run, "deadline_ms", "30", 2) != AIORCH_OK) abort();
  if (aiorch_run_id(run, &id, &n) != AIORCH_OK || n != ID_LEN) abort();
  atomic_store(&w->has_id, 0);
  for (int i = 0; i < ID_LEN; i++) __atomic_store_n(&w->id[i], id[i], __ATOMIC_RELAXED);
  atomic_store(&w->has_id, 1);
  return run;
}

/* That of another thread, whatever it is doing with it. */
static void cancel_another(worker *w) {
  worker *other = &workers[next(&w->seed) % (uint64_t)options.threads];
  char id[ID_LEN];
  if (!atomic_load(&other->has_id)) return;
  for (int i = 0; i < ID_LEN; i++) id[i] = __atomic_load_n(&other->id[i], __ATOMIC_RELAXED); /* may be half of another: no harm */
  aiorch_status status = aiorch_cancel(orch, id, ID_LEN);
  if (status != AIORCH_OK && status != AIORCH_E_NOT_FOUND && status != AIORCH_E_INVALID) wrong(w, "aiorch_cancel", aiorch_status_name(status));
}

/* Pulled; cancelled, or freed, after some events. */
static void pull(worker *w, aiorch_run *run, bool frees) {
  const aiorch_event *event;
  int finals = 0;
  unsigned stop = (unsigned)(next(&w->seed) % 24);
  aiorch_status status = AIORCH_AGAIN;
  for (unsigned i = 0; status == AIORCH_OK || status == AIORCH_AGAIN; i++) {
    if (i == stop && frees) break;
    if (i == stop) (void)aiorch_cancel(orch, w->id, ID_LEN);
    status = aiorch_run_next(run, NEXT_MS, &event);
    if (status == AIORCH_OK && aiorch_event_type(event) == AIORCH_EVENT_FINAL) finals++;
  }
  if (status == AIORCH_DONE) {
    if (finals != 1) wrong(w, "final events", finals == 0 ? "none" : "several");
    judge(w, run);
    return;
  }
  if (!frees) wrong(w, "aiorch_run_next", aiorch_status_name(status));
  aiorch_run_free(run);
  w->ended[5]++;
  atomic_fetch_add(&ended, 1);
}

/* Drives what others have submitted. */
static void help(worker *w, int64_t timeout_ms) {
  aiorch_run *run;
  const aiorch_event *event;
  if (aiorch_wait(orch, timeout_ms, &run) != AIORCH_OK) return;
  aiorch_status status;
  while ((status = aiorch_run_next(run, 0, &event)) == AIORCH_OK) {}
  if (status == AIORCH_AGAIN) return;
  if (status != AIORCH_DONE) wrong(w, "aiorch_run_next of a submitted run", aiorch_status_name(status));
  judge(w, run);
  atomic_fetch_sub(&submitted, 1);
}

static void *work(void *ctx) {
  worker *w = ctx;
  while (atomic_fetch_sub(&left, 1) > 0) {
    aiorch_run *run = new_run(w);
    switch (next(&w->seed) % 4) {
      case 0:
        (void)aiorch_run_execute(run);
        judge(w, run);
        break;
      case 1: pull(w, run, false); break;
      case 2: pull(w, run, true); break;
      default:
        atomic_fetch_add(&submitted, 1);
        if (aiorch_run_submit(run) != AIORCH_OK) abort();
    }
    if (next(&w->seed) % 4 == 0) cancel_another(w);
    help(w, 0);
  }
  while (atomic_load(&submitted) > 0) help(w, NEXT_MS);
  return NULL;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

static void one_round(long runs, const aiorch_allocator *allocator, int sums[8], int *failures) {
  tiny_server_start(&server, answer, NULL);
  open_orch(allocator);
  atomic_store(&left, runs);
  atomic_store(&ended, 0);
  for (int i = 0; i < options.threads; i++) {
    workers[i] = (worker){.number = i, .seed = options.seed * 1000003 + (uint64_t)i * 7919 + 1};
  }
  for (int i = 0; i < options.threads; i++) {
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) abort();
  }
  for (int i = 0; i < options.threads; i++) {
    pthread_join(workers[i].thread, NULL);
    *failures += workers[i].wrong;
    for (int k = 0; k < 8; k++) sums[k] += workers[i].ended[k];
  }
  if (atomic_load(&ended) != runs) *failures += printf("  FAILED: %ld of %ld runs have ended\n", atomic_load(&ended), runs) > 0;
  *failures += check_counters();
  while (aiorch_close(orch, 5000) == AIORCH_AGAIN) {}
  if (aiorch_free(orch) != AIORCH_OK) abort();
  tiny_server_stop(&server);
}

static void read_arguments(int argc, char **argv) {
  options.seed = (uint64_t)time(NULL);
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--runs") == 0) options.runs = strtol(argv[i + 1], NULL, 10);
    if (strcmp(argv[i], "--threads") == 0) options.threads = (int)strtol(argv[i + 1], NULL, 10);
    if (strcmp(argv[i], "--seed") == 0) options.seed = strtoull(argv[i + 1], NULL, 10);
  }
  if (options.threads < 1 || options.threads > THREADS_MAX) options.threads = THREADS_MAX;
  if (options.runs < 1) options.runs = 1;
}

int main(int argc, char **argv) {
  static aio__test_alloc memory;
  int sums[8] = {0}, warm[8] = {0}, failures = 0;
  read_arguments(argc, argv);
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("%ld runs on %d threads, seed %llu\n", options.runs, options.threads, (unsigned long long)options.seed);
  http_forget_proxies();
  http_watchdog(WATCHDOG_S);
  aio__test_alloc_init(&memory);
  one_round(options.runs / 10 + 1, &memory.al, warm, &failures); /* what the process keeps for ever is there now */
  size_t descriptors = http_open_descriptors(), used = mallinfo2().uordblks;
  int64_t begin = aio__clock_now(aio__clock_system());
  one_round(options.runs, &memory.al, sums, &failures);
  double took = (double)(aio__clock_now(aio__clock_system()) - begin) / 1e9;
  size_t used_now = mallinfo2().uordblks, descriptors_now = http_open_descriptors();
  printf("%.1f s: %d answered, %d cancelled, %d late, %d by nobody, %d broken off, %d freed\n", took, sums[0], sums[1], sums[2], sums[3], sums[4],
         sums[5]);
  printf("%ld allocations of the library left; descriptors %zu, before %zu; memory of the process %zu, before %zu\n", atomic_load(&memory.live),
         descriptors_now, descriptors, used_now, used);
  if (atomic_load(&memory.live) != 0) failures += printf("  FAILED: memory is left\n") > 0;
  if (descriptors_now != descriptors) failures += printf("  FAILED: descriptors are left\n") > 0;
  if (!SANITIZED && used_now > used + SLACK_BYTES) failures += printf("  FAILED: the process has grown\n") > 0;
  printf("%d failures\n", failures);
  return failures > 0 ? 1 : 0;
}
