/*
 * The whole library over real sockets: runs through all seven stages, with a provider that answers at once on the other processor
 * (support/instant_server.c). Public headers only; prints a table, or one JSON object with --json. README.md tells how to read it.
 *
 *   whole_calls [--json] [--calls N] [--requests N] [--streams N] [--idle N] [--rounds N] [--store FOLDER] [--no-pin]
 *
 * calls      N runs one after the other over one warm connection, memory store: what the library adds to the same bytes sent and
 *            taken by curl_easy_perform, in turns with it
 * requests   N runs, 64 in flight, one thread (aiorch_run_submit, aiorch_wait), SQLite, each with a durable cost row: beside a bare loop
 *            of curl_multi_perform
 * streams    N streams at once, 64 deltas at 20 ms, from one thread: how much further apart the pieces of an answer came out than
 *            they were sent
 * idle       what each of N streams that stand still adds to the process
 */
#include <aiorch/aiorch.h>
#include <curl/curl.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/figures.h"
#include "support/paced.h"
#include "support/pages.h"
#include "support/upstream.h"

enum { IN_FLIGHT = 64, USERS = 200, BODY_MAX = 1 << 16 };

static int port;
static unsigned long number; /* of the next question: none is asked twice */

static void check(const char *what, aiorch_status status, const aiorch_error *error) {
  if (status < 0) die(what, error && aiorch_error_message(error)[0] ? aiorch_error_message(error) : aiorch_strerror(status));
}

/* ---- the library ------------------------------------------------------------------------------------------------------- */

static void set(aiorch_config *config, const char *key, const char *value) {
  aiorch_error *error;
  check("error", aiorch_error_new(&error), NULL);
  check(key, aiorch_config_set_str(config, key, value, strlen(value), error), error);
  aiorch_error_free(error);
}

static void set_number(aiorch_config *config, const char *key, int64_t value) {
  check(key, aiorch_config_set_i64(config, key, value, NULL), NULL);
}

static void add_documents(aiorch *orch) {
  char text[PAGE_MAX], name[32];
  for (unsigned long i = 0; i < PAGES; i++) {
    aiorch_document *document;
    aiorch_error *error;
    size_t n = page_text(i, text);
    snprintf(name, sizeof name, "page-%lu.txt", i);
    check("error", aiorch_error_new(&error), NULL);
    check("document", aiorch_document_new(&document), NULL);
    check("source", aiorch_document_set_source(document, name, strlen(name)), NULL);
    check("text", aiorch_document_set_text(document, AIORCH_FORMAT_PLAIN, text, n), NULL);
    check("add", aiorch_knowledge_add(orch, "bench", 5, document, 5000, error), error);
    aiorch_document_free(document);
    aiorch_error_free(error);
  }
}

static aiorch *open_library(const char *store, const char *place, bool streamed) {
  char url[128];
  aiorch_config *config;
  aiorch_error *error;
  aiorch *orch;
  check("error", aiorch_error_new(&error), NULL);
  check("config", aiorch_config_new(&config), NULL);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/openai/%s", port, place);
  set(config, "store", store);
  set(config, "embedder", "none");
  set_number(config, "rate_limit.requests", 1000000000);
  set_number(config, "http.connections_max", 20000);
  set_number(config, "http.connections_per_host", 20000);
  set(config, "providers.instant.api", "openai");
  set(config, "providers.instant.base_url", url);
  set(config, "providers.instant.model", "m");
  set(config, "providers.instant.key", "sk-bench");
  check("stream", aiorch_config_set_bool(config, "providers.instant.stream", streamed, error), error);
  check("open", aiorch_open(config, &orch, error), error);
  aiorch_config_free(config);
  aiorch_error_free(error);
  add_documents(orch);
  return orch;
}

static void shut(aiorch *orch) {
  check("close", aiorch_close(orch, 30000), NULL);
  aiorch_free(orch);
}

static aiorch_run *new_run(aiorch *orch) {
  char text[256], user[32], word[PAGE_WORD_MAX];
  aiorch_run *run;
  unsigned long n = ++number;
  page_word(n % PAGES, word);
  int user_len = snprintf(user, sizeof user, "u%lu", n % USERS);
  int len = snprintf(text, sizeof text, "Question %lu: how do I keep the %s in order while many writers add to it?", n, word);
  check("run", aiorch_run_new(orch, "bench", 5, user, (size_t)user_len, &run), NULL);
  check("message", aiorch_run_add_message(run, AIORCH_ROLE_USER, text, (size_t)len), NULL);
  return run;
}

/* A figure of runs that left stages out, or failed, would be none. */
static void check_run(const aiorch_run *run) {
  const char *answer;
  size_t len;
  check("run", aiorch_run_status(run), aiorch_run_error(run));
  for (int32_t stage = 0; stage < AIORCH_STAGE_COUNT; stage++) {
    int32_t outcome = aiorch_run_stage_outcome(run, stage);
    if (outcome != AIORCH_OUTCOME_OK && outcome != AIORCH_OUTCOME_MISS) die("a stage", "did not run through");
  }
  if (aiorch_run_answer(run, &answer, &len) != AIORCH_OK || len == 0 || aiorch_run_source_count(run) == 0) die("a run", "no answer or no sources");
}

/* ---- bare curl ----------------------------------------------------------------------------------------------------------- */

static char body[BODY_MAX + 1];
static size_t taken;

static size_t count_bytes(char *bytes, size_t size, size_t count, void *ctx) {
  if (ctx) memcpy(ctx, bytes, size * count < 31 ? size * count : 31);
  taken += size * count;
  return size * count;
}

static CURL *bare_handle(const char *path, struct curl_slist *headers) {
  char url[128];
  CURL *curl = curl_easy_init();
  if (!curl) abort();
  snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count_bytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, NULL);
  return curl;
}

static void post_body(CURL *curl) {
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
}

static struct curl_slist *bare_headers(void) {
  return curl_slist_append(curl_slist_append(NULL, "Content-Type: application/json"), "Expect:");
}

/* What bare curl sends is as long as what the library sent. */
static size_t make_body(bool streamed) {
  char answer[32] = "";
  CURL *curl = bare_handle("/last", NULL);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
  if (curl_easy_perform(curl) != CURLE_OK) abort();
  curl_easy_cleanup(curl);
  size_t len = strtoul(answer, NULL, 10), head = (size_t)snprintf(body, sizeof body, "{\"stream\":%s,\"x\":\"", streamed ? "true" : "false");
  if (len < head + 2 || len > BODY_MAX) die("the body of a request", "has an odd length");
  memset(body + head, 'x', len - head - 2);
  strcpy(body + len - 2, "\"}");
  return len;
}

/* ---- one call after the other ---------------------------------------------------------------------------------------------- */

typedef struct spread {
  double p50, p99, cpu;            /* microseconds; the least of the rounds */
  double stage[AIORCH_STAGE_COUNT]; /* the middle call of the best round */
} spread;

static void note_round(spread *s, double *us, int calls, double cpu) {
  keep_least(&s->p50, at_part(us, (size_t)calls, .5));
  keep_least(&s->p99, at_part(us, (size_t)calls, .99));
  keep_least(&s->cpu, cpu / calls);
}

static void note_stages(spread *s, double *stages, int calls) {
  for (int i = 0; i < AIORCH_STAGE_COUNT; i++) {
    keep_least(&s->stage[i], at_part(stages + (size_t)i * (size_t)calls, (size_t)calls, .5));
  }
}

static void library_calls(aiorch *orch, double *us, int calls, spread *s) {
  double *stages = calloc((size_t)calls * AIORCH_STAGE_COUNT, sizeof *stages), cpu = cpu_us();
  if (!stages) abort();
  for (int i = 0; i < calls; i++) {
    double begin = now_us();
    aiorch_run *run = new_run(orch);
    check("run", aiorch_run_execute(run), aiorch_run_error(run));
    check_run(run);
    for (int32_t stage = 0; stage < AIORCH_STAGE_COUNT; stage++) stages[stage * calls + i] = (double)aiorch_run_stage_us(run, stage);
    aiorch_run_free(run);
    us[i] = now_us() - begin;
  }
  note_round(s, us, calls, cpu_us() - cpu);
  note_stages(s, stages, calls);
  free(stages);
}

static void curl_calls(CURL *curl, double *us, int calls, spread *s) {
  double cpu = cpu_us();
  for (int i = 0; i < calls; i++) {
    double begin = now_us();
    if (curl_easy_perform(curl) != CURLE_OK) abort();
    us[i] = now_us() - begin;
  }
  note_round(s, us, calls, cpu_us() - cpu);
}

static void figures_calls(int calls, int rounds, bool streamed) {
  double *us = calloc((size_t)calls, sizeof *us), ignored[100];
  const char *how = streamed ? "streamed" : "whole", *key = streamed ? "streamed_call" : "call";
  char keys[6][64];
  static const char *const parts[] = {"added_p50_us", "added_p99_us", "p50_us", "p99_us", "cpu_us", "curl_cpu_us"};
  spread library = {0}, curl = {0}, warm = {0};
  if (!us) abort();
  aiorch *orch = open_library("memory", "whole", streamed);
  library_calls(orch, ignored, 100, &warm);
  size_t sent = make_body(streamed);
  struct curl_slist *headers = bare_headers();
  CURL *handle = bare_handle("/openai/whole/chat/completions", headers);
  post_body(handle);
  curl_calls(handle, ignored, 100, &warm);
  for (int i = 0; i < rounds; i++) {
    library_calls(orch, us, calls, &library);
    curl_calls(handle, us, calls, &curl);
  }
  for (int i = 0; i < 6; i++) snprintf(keys[i], sizeof keys[i], "%s_%s", key, parts[i]);
  row(keys[0], library.p50 - curl.p50, "%s call of %zu bytes, time added to bare curl's %.0f us, p50, us", how, sent, curl.p50);
  row(keys[1], library.p99 - curl.p99, "  added to bare curl's %.0f us, p99, us", curl.p99);
  row(keys[2], library.p50, "  all of it, p50, us");
  row(keys[3], library.p99, "  all of it, p99, us");
  row(keys[4], library.cpu, "  processor a call, us");
  row(keys[5], curl.cpu, "  processor a call of bare curl, us");
  for (int32_t stage = 0; stage < AIORCH_STAGE_COUNT; stage++) {
    snprintf(keys[0], sizeof keys[0], "%s_%s_us", key, aiorch_stage_name(stage));
    row(keys[0], library.stage[stage], "  in %s, p50, us", aiorch_stage_name(stage));
  }
  curl_easy_cleanup(handle);
  curl_slist_free_all(headers);
  free(us);
  shut(orch);
}

/* ---- 64 in flight ------------------------------------------------------------------------------------------------------------ */

typedef struct rate {
  double per_s, cpu; /* the best of the rounds */
} rate;

static void note_rate(rate *r, double begin, double cpu, int requests) {
  double per_s = requests / ((now_us() - begin) / 1e6);
  if (per_s > r->per_s) r->per_s = per_s;
  keep_least(&r->cpu, (cpu_us() - cpu) / requests);
}

static void submit(aiorch *orch, void *user_data) {
  aiorch_run *run = new_run(orch);
  check("user data", aiorch_run_set_user_data(run, user_data), NULL);
  check("submit", aiorch_run_submit(run), NULL);
}

static void library_requests(aiorch *orch, int requests, rate *r) {
  const aiorch_event *event;
  int started = 0, done = 0;
  double begin = now_us(), cpu = cpu_us();
  for (; started < IN_FLIGHT; started++) submit(orch, NULL);
  while (done < requests) {
    aiorch_run *run;
    aiorch_status status;
    if (aiorch_wait(orch, 60000, &run) != AIORCH_OK) die("wait", "nothing goes on");
    while ((status = aiorch_run_next(run, 0, &event)) == AIORCH_OK) continue;
    if (status != AIORCH_DONE) continue;
    check_run(run);
    aiorch_run_free(run);
    done++;
    if (started < requests) started++, submit(orch, NULL);
  }
  note_rate(r, begin, cpu, requests);
}

static void curl_requests(int requests, rate *r) {
  struct curl_slist *headers = bare_headers();
  CURL *handles[IN_FLIGHT];
  CURLM *multi = curl_multi_init();
  CURLMsg *message;
  int started = 0, done = 0, left;
  double begin = now_us(), cpu = cpu_us();
  for (; started < IN_FLIGHT; started++) {
    handles[started] = bare_handle("/openai/whole/chat/completions", headers);
    post_body(handles[started]);
    curl_multi_add_handle(multi, handles[started]);
  }
  while (done < requests) {
    curl_multi_perform(multi, &left);
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
      if (message->data.result != CURLE_OK) abort();
      CURL *curl = message->easy_handle;
      curl_multi_remove_handle(multi, curl);
      done++;
      if (started < requests) started++, curl_multi_add_handle(multi, curl);
    }
    if (done < requests) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  note_rate(r, begin, cpu, requests);
  for (int i = 0; i < IN_FLIGHT; i++) {
    curl_multi_remove_handle(multi, handles[i]);
    curl_easy_cleanup(handles[i]);
  }
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
}

static void figures_requests(const char *store, int requests, int rounds) {
  rate sqlite = {0}, memory = {0}, curl = {0}, warm = {0};
  aiorch *orch = open_library(store, "whole", false), *other = open_library("memory", "whole", false);
  library_requests(orch, IN_FLIGHT * 4, &warm);
  library_requests(other, IN_FLIGHT * 4, &warm);
  make_body(false);
  for (int i = 0; i < rounds; i++) {
    library_requests(orch, requests, &sqlite);
    library_requests(other, requests, &memory);
    curl_requests(requests, &curl);
  }
  row("requests_per_s", sqlite.per_s, "calls a second, %d in flight, SQLite, durable cost rows", IN_FLIGHT);
  row("requests_cpu_us", sqlite.cpu, "  processor a call, us");
  row("requests_memory_per_s", memory.per_s, "  the same, memory store");
  row("requests_memory_cpu_us", memory.cpu, "  processor a call, us");
  row("requests_curl_per_s", curl.per_s, "  bare curl_multi_perform, the same bytes");
  row("requests_curl_cpu_us", curl.cpu, "  processor a call, us");
  shut(orch);
  shut(other);
}

/* ---- streams --------------------------------------------------------------------------------------------------------------------- */

/* Appends to `added`; the number of them. */
static size_t added_gaps(const pieces *s, const aiorch_run *run, double *added) {
  const char *answer;
  size_t len;
  check_run(run);
  check("answer", aiorch_run_answer(run, &answer, &len), NULL);
  return pieces_gaps(s, answer, len, added);
}

static int serve(aiorch *orch, int64_t timeout_ms, double *added, size_t *added_n) {
  const aiorch_event *event;
  const char *text;
  aiorch_run *run;
  aiorch_status status;
  size_t len;
  if (aiorch_wait(orch, timeout_ms, &run) != AIORCH_OK) return 0;
  pieces *s = aiorch_run_user_data(run);
  while ((status = aiorch_run_next(run, 0, &event)) == AIORCH_OK) {
    if (aiorch_event_type(event) != AIORCH_EVENT_DELTA) continue;
    check("text", aiorch_event_text(event, &text, &len), NULL);
    pieces_note(s, len, HELD_BACK);
  }
  if (status != AIORCH_DONE) return 0;
  *added_n += added_gaps(s, run, added + *added_n);
  aiorch_run_free(run);
  return 1;
}

static void figures_streams(int count) {
  pieces *streams = calloc((size_t)count, sizeof *streams);
  double *added = calloc((size_t)count * DELTAS, sizeof *added), cpu = cpu_us(), begin = now_us();
  size_t n = 0;
  int begun = 0, ended = 0;
  if (!streams || !added) abort();
  aiorch *orch = open_library("memory", "paced", true);
  cpu = cpu_us();
  begin = now_us();
  while (ended < count) { /* begun one after the other, over a second and a half, while those that run are served */
    double due = begin + (double)begun * 1500000 / count;
    if (begun < count && now_us() >= due) {
      submit(orch, &streams[begun++]);
      ended += serve(orch, 0, added, &n);
      continue;
    }
    ended += serve(orch, begun < count ? 1 : 60000, added, &n);
  }
  cpu = cpu_us() - cpu;
  row("streams", count, "streams at once, all complete, one thread");
  row("added_gap_p50_ms", at_part(added, n, .5) / 1e3, "  added gap p50, ms");
  row("added_gap_p99_ms", at_part(added, n, .99) / 1e3, "  added gap p99, ms");
  row("added_gap_max_ms", at_part(added, n, 1) / 1e3, "  added gap, worst, ms");
  row("streams_cpu_us", cpu / ((double)count * DELTAS), "  processor a delta, us");
  free(streams);
  free(added);
  shut(orch);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------------------ */

static double resident_kb(void) {
  long pages = 0, all = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%ld %ld", &all, &pages) != 2) abort();
  fclose(f);
  return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static void figures_memory(int count) {
  pieces *streams = calloc((size_t)count, sizeof *streams);
  if (!streams) abort();
  aiorch *orch = open_library("memory", "stall", true);
  const aiorch_event *event;
  aiorch_run *run;
  int speaking = 0;
  malloc_trim(0);
  double before = resident_kb();
  for (int i = 0; i < count; i++) submit(orch, &streams[i]);
  while (speaking < count) {
    if (aiorch_wait(orch, 60000, &run) != AIORCH_OK) die("wait", "nothing goes on");
    pieces *s = aiorch_run_user_data(run);
    aiorch_status status;
    while ((status = aiorch_run_next(run, 0, &event)) == AIORCH_OK)
      if (aiorch_event_type(event) == AIORCH_EVENT_DELTA && s->bytes++ == 0) speaking++;
    if (status == AIORCH_DONE) check("a stream", aiorch_run_status(run), aiorch_run_error(run)), die("a stream", "has ended");
  }
  row("stream_kb", (resident_kb() - before) / count, "memory a stream, its run and its prompt, kB");
  (void)aiorch_close(orch, 0);
  aiorch_free(orch);
  free(streams);
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------------------- */

int main(int argc, char **argv) {
  int calls = 1000, requests = 10000, streams = 1000, idle = 1000, rounds = 5;
  const char *store = NULL;
  char folder[SCRATCH_MAX];
  bool pinned = true;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0) figures_json = true;
    else if (strcmp(argv[i], "--no-pin") == 0) pinned = false;
    else if (strcmp(argv[i], "--calls") == 0 && i + 1 < argc) calls = atoi(argv[++i]);
    else if (strcmp(argv[i], "--requests") == 0 && i + 1 < argc) requests = atoi(argv[++i]);
    else if (strcmp(argv[i], "--streams") == 0 && i + 1 < argc) streams = atoi(argv[++i]);
    else if (strcmp(argv[i], "--idle") == 0 && i + 1 < argc) idle = atoi(argv[++i]);
    else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) rounds = atoi(argv[++i]);
    else if (strcmp(argv[i], "--store") == 0 && i + 1 < argc) store = argv[++i];
    else return fprintf(stderr, "usage: whole_calls [--json] [--calls N] [--requests N] [--streams N] [--idle N] [--rounds N] [--store FOLDER] [--no-pin]\n"), 2;
  }
  if (!store) scratch_make(folder);
  signal(SIGPIPE, SIG_IGN);
  unsetenv("http_proxy");
  unsetenv("all_proxy");
  unsetenv("ALL_PROXY");
  port = upstream_start(argv[0], pinned);
  if (pinned) upstream_pin(0);
  if (idle > 0) figures_memory(idle);
  if (calls > 0) figures_calls(calls, rounds, false), figures_calls(calls, rounds, true);
  if (requests > 0) figures_requests(store ? store : folder, requests, rounds);
  if (streams > 0) figures_streams(streams);
  rows_end();
  upstream_stop();
  if (!store) scratch_remove(folder);
  return 0;
}
