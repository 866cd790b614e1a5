/*
 * What goes wrong in a provider's answer (rows of network_faults.json with "play": "answer"), through the whole library: every row
 * with every family of providers, whole and over TLS as a stream, alone and with a fallback behind it.
 *
 *   provider_faults [--row NAME] [--family NAME] [--verbose]     needs python3 and openssl
 *
 * What must hold, beside what the row says: a run is over 100 ms after its deadline at the latest (one that is later, or saw the begin of an
 * answer only with its end, is played again, up to three times, since others use the machine, too; so is one that went another way while this
 * program or the server stood still); nobody is asked who should not be; no key, no secret header, and no part of
 * one is in an event, a run's JSON, an error, a log line, a figure, a setting that is read back, the command line, or the store.
 *
 * label: threads
 */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <aiorch/aiorch.h>

#include "fault_table.h"
#include "support/http_client.h"
#include "support/model_files.h"

enum { CASES_MAX = 63, TRIES = 3, EXCUSES = 10, LATE_MS = 100, WATCHDOG_S = 30, OPENING_S = 120, DEADLINE_MS = 20000, FAMILIES = 4, PLAYS = 4 * FAMILIES, AT_ONCE = 8, WAIT_MS = 1000 };

/* Every secret has this in it, and nothing else has. */
#define CANARY "c4n4ryb1rd"
#define KEYS "sk-ant-A-" CANARY "-0123456789, sk-ant-B-" CANARY "-9876543210"
#define HEADERS "{\"X-Secret\": \"h-" CANARY "-1122334455\"}"
#define TENANT "acme"
#define SETTINGS                                                                                                              \
  "{\"rate_limit.requests\": 0, \"cache.mode\": \"off\", \"generate.attempts\": 2, \"generate.breaker_failures\": 1000,"      \
  " \"generate.retry_budget\": 1000, \"output.hold_back\": 64}"

static const char *const families[FAMILIES] = {"anthropic", "openai", "gemini", "ollama"};
static const char *const models[FAMILIES] = {"claude-sonnet-5-5", "gpt-6.1-terra", "gemini-3.8-flash", "llama3.2"};

typedef struct play play;

typedef struct one_case {
  play *play;
  aio__tape_value row, expect;
  char name[40];
  bool done, excused; /* excused: what is wrong is the machine's doing, perhaps, and is played again */
  int tries, excuses;
  int64_t deadline_ms, start_ns;
  aio__buf released;
} one_case;

/* One family, whole or as streams, alone or with a fallback: an orchestrator with a provider for each row. */
struct play {
  int family;
  bool stream, with_other;
  char folder[512];
  aiorch *orch;
  one_case cases[CASES_MAX];
  size_t count;
  int failures, again; /* again: runs that were played once more */
  int64_t worst_late_ns;
};

static const char *only_row, *only_family;
static bool verbose;
static char ca_file[512], answer[16384], folder[400];
static atomic_int leaks;

/* ---- secrets ------------------------------------------------------------------------------------------------------ */

static void look(const char *where, const char *text, size_t len) {
  if (!text || !memmem(text, len, CANARY, sizeof CANARY - 1)) return;
  if (atomic_fetch_add(&leaks, 1) < 20) printf("  FAILED: a secret is in %s: %.*s\n", where, (int)(len < 1200 ? len : 1200), text);
}

static void look_z(const char *where, const char *text) { look(where, text, text ? strlen(text) : 0); }

static void look_text(const char *where, aiorch_status status, aiorch_text *text) {
  const char *data;
  size_t len;
  if (status != AIORCH_OK) return;
  if (aiorch_text_get(text, &data, &len) == AIORCH_OK) look(where, data, len);
  aiorch_text_free(text);
}

static void log_line(void *self, int32_t level, const char *json, size_t len) {
  (void)self;
  (void)level;
  look("the log", json, len);
}

static void look_file(const char *path) {
  aio__str file = aio__test_read_file(path);
  look(path, file.p, file.n);
  aio__test_free_file(file);
}

static void look_folder(const char *path) {
  char name[1024];
  struct dirent *entry;
  DIR *dir = opendir(path);
  while (dir && (entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] == '.') continue;
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    struct stat st;
    if (stat(name, &st) == 0 && S_ISREG(st.st_mode)) look_file(name);
  }
  if (dir) closedir(dir);
}

static void look_error(const char *where, const aiorch_error *error) {
  if (!error) return;
  look_z(where, aiorch_error_message(error));
  look_z(where, aiorch_error_provider(error));
}

/* ---- opening ------------------------------------------------------------------------------------------------------ */

static void check(aiorch_status status, const aiorch_error *error) {
  if (status == AIORCH_OK) return;
  printf("  FAILED: %s: %s\n", aiorch_status_name(status), error ? aiorch_error_message(error) : "");
  abort();
}

static void set(aiorch_config *config, const char *provider, const char *name, const char *value, aiorch_error *error) {
  char key[128];
  snprintf(key, sizeof key, "%s%s%s%s", provider ? "providers." : "", provider ? provider : "", provider ? "." : "", name);
  check(aiorch_config_set_str(config, key, value, strlen(value), error), error);
}

static void set_number(aiorch_config *config, const char *provider, const char *name, int64_t value, aiorch_error *error) {
  char key[128];
  snprintf(key, sizeof key, "providers.%s.%s", provider, name);
  if (value != 0) check(aiorch_config_set_i64(config, key, value, error), error);
}

static void add_provider(play *p, aiorch_config *config, aio__tape_value row, const char *name, aiorch_error *error) {
  char place[64], url[128], key[128];
  bool tls, good = strcmp(name, "well") == 0;
  aio__tape_value ask = fault_member(row, "ask");
  snprintf(place, sizeof place, "%s%s", name, p->stream ? "/tls" : "");
  int port = fault_port(place, &tls);
  snprintf(url, sizeof url, "%s://127.0.0.1:%d%s", tls ? "https" : "http", port, p->family == 1 ? "/v1" : "");
  set(config, name, "api", families[p->family], error);
  set(config, name, "model", models[p->family], error);
  set(config, name, "base_url", url, error);
  set(config, name, "key", KEYS, error);
  set(config, name, "headers", HEADERS, error);
  snprintf(key, sizeof key, "providers.%s.stream", name);
  check(aiorch_config_set_bool(config, key, p->stream, error), error);
  set_number(config, name, "context_tokens", good ? 100000 : 1000, error);
  set_number(config, name, "first_byte_ms", fault_number(ask, "first_byte_ms"), error);
  set_number(config, name, "first_token_ms", fault_number(ask, "first_token_ms"), error);
  set_number(config, name, "idle_ms", fault_number(ask, "idle_ms"), error);
}

static void add_case(play *p, aio__tape_value row, const char *name) {
  one_case *c = &p->cases[p->count++];
  int64_t deadline_ms = fault_number(fault_member(row, "ask"), "deadline_ms");
  *c = (one_case){.play = p, .row = row, .expect = fault_member(row, "expect")};
  c->deadline_ms = deadline_ms > 0 ? deadline_ms : DEADLINE_MS;
  snprintf(c->name, sizeof c->name, "%s", name);
  aio__buf_init(&c->released, aio__alloc_default(), 1 << 20);
}

static void add_rows(play *p, aiorch_config *config, aiorch_error *error) {
  aio__tape_value rows = AIO__TAPE_GET(&fault_table, AIO__TAPE_ROOT, "rows");
  for (aio__tape_value row = aio__tape_first(&fault_table, rows); row != AIO__TAPE_NONE; row = aio__tape_next(&fault_table, rows, row)) {
    aio__buf text;
    if (!aio__tape_is(&fault_table, fault_member(row, "play"), "answer")) continue;
    const char *name = fault_text(row, "name", &text);
    if (p->count == CASES_MAX) abort();
    add_provider(p, config, row, name, error);
    bool chosen = !only_row || strcmp(only_row, name) == 0;
    if (chosen && !(p->with_other && strcmp(name, "well") == 0)) add_case(p, row, name);
    aio__buf_free(&text);
  }
}

static void look_settings(aiorch_config *config) {
  aiorch_text *text;
  for (size_t i = 0; aiorch_config_describe(i, &text) == AIORCH_OK; i++) look_text("aiorch_config_describe", AIORCH_OK, text);
  static const char *const names[] = {"providers", "providers.well.key", "providers.well.headers", "providers.well.base_url"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    aiorch_status status = aiorch_config_get(config, names[i], &text, NULL); /* first: the order of arguments is the compiler's */
    look_text(names[i], status, text);
  }
}

/* Settings that are wrong, each with a secret in it: the words are of use without it. */
static void look_refused(aiorch_config *config, aiorch_error *error) {
  static const char *const wrong[][2] = {{"providers.wrong.key", "sk-" CANARY "\x01"}, {"providers.wrong.headers", "{\"X\": \"" CANARY "\""},
                                         {"providers.wrong.headers", "{\"X\": [\"" CANARY "\"]}"}, {"providers.wrong.key", "a *" CANARY}};
  static const char wrong_json[] = "{\"providers\": {\"wrong\": {\"key\": \"sk-" CANARY "\", \"headers\": {\"a\": \"" CANARY "\"";
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    aiorch_config *other;
    aiorch *orch;
    if (aiorch_config_new(&other) != AIORCH_OK) abort();
    set(other, NULL, "store", "memory", error);
    set(other, "wrong", "api", "openai", error);
    set(other, "wrong", "model", "m", error);
    set(other, "wrong", "base_url", "http://127.0.0.1:1/v1", error);
    aiorch_status status = aiorch_config_set_str(other, wrong[i][0], wrong[i][1], strlen(wrong[i][1]), error);
    if (status == AIORCH_OK) status = aiorch_open(other, &orch, error);
    if (status == AIORCH_OK) {
      printf("  FAILED: %s may be \"%s\"\n", wrong[i][0], wrong[i][1]);
      abort();
    }
    look_error("the refusal of a setting", error);
    aiorch_config_free(other);
  }
  if (aiorch_config_load_json(config, wrong_json, sizeof wrong_json - 1, "wrong", error) == AIORCH_OK) abort();
  look_error("the refusal of a file", error);
}

static void open_play(play *p) {
  aiorch_config *config;
  aiorch_error *error;
  aiorch_logger_vtbl logger = {sizeof logger, 0, AIORCH_LOG_DEBUG, log_line, NULL};
  char prices[512];
  if (aiorch_config_new(&config) != AIORCH_OK || aiorch_error_new(&error) != AIORCH_OK) abort();
  snprintf(prices, sizeof prices, "%s/prices.json", folder);
  set(config, NULL, "store", p->folder, error);
  set(config, NULL, "cost.prices_file", prices, error);
  set(config, NULL, "http.ca_file", ca_file, error);
  check(aiorch_config_load_json(config, SETTINGS, sizeof SETTINGS - 1, "settings", error), error);
  check(aiorch_config_set_logger(config, &logger, NULL, error), error);
  look_refused(config, error);
  add_rows(p, config, error);
  look_settings(config);
  http_watchdog(OPENING_S); /* under a sanitizer many at once take their time */
  check(aiorch_open(config, &p->orch, error), error);
  aiorch_config_free(config);
  aiorch_error_free(error);
}

/* ---- what must come of a row -------------------------------------------------------------------------------------- */

/* Whether all the words of "when" fit this family and kind. */
static bool fits(const play *p, const char *when) {
  char words[128], *rest = words, *word;
  snprintf(words, sizeof words, "%s", when);
  while ((word = strsep(&rest, " ")) != NULL) {
    bool kind = strcmp(word, p->stream ? "stream" : "whole") == 0;
    if (!kind && strcmp(word, families[p->family]) != 0) return false;
  }
  return true;
}

/* The member of the row, or of the last of its exceptions ("but") that fits and has it. */
static aio__tape_value expected(const one_case *c, const char *name) {
  aio__tape_value found = fault_member(c->expect, name), list = fault_member(c->expect, "but");
  for (aio__tape_value but = aio__tape_first(&fault_table, list); but != AIO__TAPE_NONE; but = aio__tape_next(&fault_table, list, but)) {
    aio__buf when;
    if (fits(c->play, fault_text(but, "when", &when)) && fault_member(but, name) != AIO__TAPE_NONE) found = fault_member(but, name);
    aio__buf_free(&when);
  }
  return found;
}

static void expected_text(const one_case *c, const char *name, const char *fallback, char *out, size_t cap) {
  aio__tape_value value = expected(c, name);
  aio__buf scratch;
  aio__str text;
  aio__buf_init(&scratch, aio__alloc_default(), 1 << 16);
  bool there = value != AIO__TAPE_NONE && aio__tape_str(&fault_table, value, NULL, &scratch, &text) == AIORCH_OK;
  if (there) snprintf(out, cap, "%.*s", (int)text.n, text.p);
  else snprintf(out, cap, "%s", fallback);
  aio__buf_free(&scratch);
}

static int64_t expected_number(const one_case *c, const char *name, int64_t fallback) {
  int64_t value;
  return aio__tape_i64(&fault_table, expected(c, name), &value) ? value : fallback;
}

static void complain(one_case *c, bool bad, const char *what, const char *got, const char *want) {
  if (!bad) return;
  c->play->failures++;
  printf("  %s %s, %s %s%s: %s is \"%s\", should be \"%s\"\n", c->excused ? "again" : "FAILED", c->name, families[c->play->family], c->play->stream ? "stream" : "whole",
         c->play->with_other ? ", with a fallback" : "", what, got, want);
}

static void complain_number(one_case *c, const char *what, int64_t got, int64_t want) {
  char have[32], should[32];
  snprintf(have, sizeof have, "%lld", (long long)got);
  snprintf(should, sizeof should, "%lld", (long long)want);
  complain(c, got != want, what, have, should);
}

static void judge_released(one_case *c, aiorch_run *run, const char *want) {
  const char *text = "", *got = aio__buf_cstr(&c->released);
  size_t n = strlen(got);
  bool bad = strcmp(want, "nothing") == 0 ? n > 0
             : strcmp(want, "all") == 0   ? strcmp(got, answer) != 0
             : strcmp(want, "begin") == 0 ? n == 0 || n >= strlen(answer) || strncmp(got, answer, n) != 0
                                          : strcmp(got, want) != 0;
  complain(c, bad, "what was released", got, want);
  (void)aiorch_run_answer(run, &text, NULL);
  complain(c, strcmp(text, got) != 0, "the answer beside the deltas", text, got);
}

/* The attempts at the row's provider, and the one behind it when that had to answer. */
static void judge_attempts(one_case *c, aiorch_run *run, bool other_answers) {
  char want[40];
  size_t count = aiorch_run_attempt_count(run), own = 0;
  expected_text(c, "attempt", "?", want, sizeof want);
  int64_t http = expected_number(c, "http", 0);
  for (size_t i = 0; i < count; i++) {
    const char *provider, *model, *id;
    aiorch_status outcome;
    int32_t kind, status;
    (void)aiorch_run_attempt_names(run, i, &provider, &model, &id);
    (void)aiorch_run_attempt(run, i, &kind, &outcome, &status, NULL);
    if (strcmp(provider, c->name) != 0) continue;
    own++;
    complain(c, strcmp(aiorch_status_name(outcome), want) != 0, "an attempt", aiorch_status_name(outcome), want);
    if (outcome != AIORCH_OK) complain_number(c, "the HTTP status of an attempt", status, http > 0 ? http : status);
  }
  complain_number(c, "the number of attempts", (int64_t)own, expected_number(c, "attempts", 1));
  complain_number(c, "the number of other attempts", (int64_t)(count - own), other_answers ? 1 : 0);
}

static void judge_error(one_case *c, aiorch_run *run, const char *want) {
  const aiorch_error *error = aiorch_run_error(run);
  const char *message = aiorch_error_message(error);
  char words[200];
  expected_text(c, "words", "", words, sizeof words);
  complain(c, strcmp(aiorch_status_name(aiorch_run_status(run)), want) != 0, "the status of the run", aiorch_status_name(aiorch_run_status(run)), want);
  complain(c, !strstr(message, words) || message[0] == '\0', "the message", message, words);
  complain(c, strcmp(aiorch_error_provider(error), c->name) != 0 && strcmp(want, "DEADLINE") != 0, "the provider of the error",
           aiorch_error_provider(error), c->name);
  int64_t after = expected_number(c, "retry_after_ms", -1);
  if (after >= 0) complain_number(c, "the time to wait", aiorch_error_retry_after_ms(error), after);
}

static void judge(one_case *c, aiorch_run *run) {
  char want_run[40], with[40], released[200], cost[20];
  const char *provider = "", *json = NULL;
  int64_t nano_usd;
  size_t len = 0;
  expected_text(c, "run", "PROVIDERS_UNAVAILABLE", want_run, sizeof want_run);
  expected_text(c, "with", "other", with, sizeof with);
  expected_text(c, "released", "nothing", released, sizeof released);
  expected_text(c, "cost", "known", cost, sizeof cost);
  bool self = strcmp(with, "self") == 0, other = c->play->with_other && strcmp(with, "other") == 0;
  (void)aiorch_run_provider(run, &provider, NULL);
  if (self || other) {
    complain(c, aiorch_run_status(run) != AIORCH_OK, "the status of the run", aiorch_error_message(aiorch_run_error(run)), "OK");
    complain(c, strcmp(provider, self ? c->name : "well") != 0, "who answered", provider, self ? c->name : "well");
  } else {
    judge_error(c, run, want_run);
  }
  judge_attempts(c, run, other);
  judge_released(c, run, other ? "all" : released);
  bool known = aiorch_run_cost(run, &nano_usd) == AIORCH_OK;
  const char *found = !known ? "unknown" : aiorch_run_usage_estimated(run) ? "estimated" : "known";
  complain(c, strcmp(found, cost) != 0, "the cost", found, cost);
  if (aiorch_run_to_json(run, &json, &len) == AIORCH_OK) look("aiorch_run_to_json", json, len);
  look_error("aiorch_run_error", aiorch_run_error(run));
  if (verbose) {
    printf("  %-18s %-9s %-6s %-6s %s %s\n", c->name, families[c->play->family], c->play->stream ? "stream" : "whole", c->play->with_other ? "with" : "alone",
           aiorch_status_name(aiorch_run_status(run)), aiorch_error_message(aiorch_run_error(run)));
  }
}

/* ---- playing ------------------------------------------------------------------------------------------------------ */

static void start(one_case *c) {
  aiorch_run *run;
  char chain[128], deadline[32];
  static const char question[] = "How is the whole database dumped?";
  c->tries++;
  aio__buf_reset(&c->released);
  if (aiorch_run_new(c->play->orch, TENANT, sizeof TENANT - 1, "u1", 2, &run) != AIORCH_OK) abort();
  snprintf(chain, sizeof chain, "%s%s", c->name, c->play->with_other ? ",well" : "");
  snprintf(deadline, sizeof deadline, "%lld", (long long)c->deadline_ms);
  check(aiorch_run_add_message(run, AIORCH_ROLE_USER, question, sizeof question - 1), NULL);
  check(aiorch_run_set_option(run, "generate.chain", chain, strlen(chain)), aiorch_run_error(run));
  check(aiorch_run_set_option(run, "deadline_ms", deadline, strlen(deadline)), aiorch_run_error(run));
  check(aiorch_run_set_user_data(run, c), NULL);
  c->start_ns = aio__clock_now(aio__clock_system());
  check(aiorch_run_submit(run), aiorch_run_error(run));
}

static void take_event(one_case *c, const aiorch_event *event) {
  const char *text = "";
  size_t n = 0;
  if (aiorch_event_json(event, &text, &n) == AIORCH_OK) look("an event", text, n);
  if (aiorch_event_type(event) != AIORCH_EVENT_DELTA || aiorch_event_text(event, &text, &n) != AIORCH_OK) return;
  aio__buf_str(&c->released, aio__str_n(text, n));
}

/* The begin of the answer and the fault behind it were seen in one look, since the machine was busy for as long as the server waits
 * between them: the run goes on as from a fault before the begin, which other rows are for, and the server waits longer from now on. What was
 * given out is of one attempt then: a begin with another answer behind it is a fault of ours, and is judged at once. */
static bool has_missed_the_begin(one_case *c, const aiorch_run *run) {
  char released[200];
  if (!aio__str_starts(aio__str_z(answer), aio__buf_view(&c->released))) return false;
  expected_text(c, "released", "nothing", released, sizeof released);
  return strcmp(released, "begin") == 0 && (int64_t)aiorch_run_attempt_count(run) > expected_number(c, "attempts", 1);
}

/* One run that can go on; true when it has ended, and was not too late. */
static bool drive(play *p, aiorch_run *run) {
  one_case *c = aiorch_run_user_data(run);
  const aiorch_event *event;
  aiorch_status status;
  while ((status = aiorch_run_next(run, 0, &event)) == AIORCH_OK) take_event(c, event);
  if (status != AIORCH_DONE) return false;
  int64_t late_ns = aio__clock_now(aio__clock_system()) - c->start_ns - c->deadline_ms * 1000000;
  bool late = late_ns > LATE_MS * INT64_C(1000000), missed = has_missed_the_begin(c, run);
  if (missed) fault_slow_down();
  c->done = !(late || missed) || c->tries >= TRIES;
  if (c->done) {
    int before = p->failures;
    c->excused = c->excuses < EXCUSES && fault_stood_still(c->start_ns);
    complain(c, late, "its end", "too late, three times", "in time");
    judge(c, run);
    if (c->excused && p->failures > before) {
      p->failures = before;
      c->excuses++;
      c->tries = 0;
      c->done = false;
    }
    if (!late && late_ns > p->worst_late_ns) p->worst_late_ns = late_ns;
  }
  aiorch_run_free(run);
  if (!c->done) {
    p->again++;
    start(c);
  }
  http_watchdog(WATCHDOG_S);
  return c->done;
}

static void look_at_figures(play *p) {
  aiorch_text *text;
  aiorch_status status;
  static const char *const by[] = {"model", "provider"};
  status = aiorch_metrics_snapshot(p->orch, &text, NULL);
  look_text("aiorch_metrics_snapshot", status, text);
  status = aiorch_stats(p->orch, TENANT, sizeof TENANT - 1, 5000, &text, NULL);
  look_text("aiorch_stats", status, text);
  status = aiorch_providers(p->orch, &text);
  look_text("aiorch_providers", status, text);
  for (size_t i = 0; i < 2; i++) {
    status = aiorch_costs(p->orch, TENANT, sizeof TENANT - 1, 0, 0, by[i], 5000, &text, NULL);
    look_text("aiorch_costs", status, text);
  }
}

static void *play_all(void *ctx) {
  play *p = ctx;
  p->worst_late_ns = INT64_MIN;
  open_play(p);
  size_t started = 0;
  while (started < p->count && started < AT_ONCE) start(&p->cases[started++]);
  for (size_t left = p->count; left > 0;) {
    aiorch_run *run;
    aiorch_status status = aiorch_wait(p->orch, WAIT_MS, &run);
    if (status == AIORCH_OK && drive(p, run)) {
      left--;
      if (started < p->count) start(&p->cases[started++]);
    }
    if (status < 0) abort();
  }
  look_at_figures(p);
  while (aiorch_close(p->orch, 5000) == AIORCH_AGAIN) {}
  check(aiorch_free(p->orch), NULL);
  for (size_t i = 0; i < p->count; i++) aio__buf_free(&p->cases[i].released);
  look_folder(p->folder);
  return NULL;
}

static void read_arguments(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--verbose") == 0) verbose = true;
    if (strcmp(argv[i], "--row") == 0 && i + 1 < argc) only_row = argv[++i];
    if (strcmp(argv[i], "--family") == 0 && i + 1 < argc) only_family = argv[++i];
  }
}

static void prepare(void) {
  aio__buf text;
  char path[512];
  const char *tmp = getenv("AIORCH_TEST_TMP");
  snprintf(folder, sizeof folder, "%.350s/provider_faults", tmp ? tmp : ".");
  snprintf(ca_file, sizeof ca_file, "%s", fault_said("ca", &text));
  aio__buf_free(&text);
  snprintf(answer, sizeof answer, "%s", fault_said("answer", &text));
  aio__buf_free(&text);
  (void)mkdir(folder, 0700);
  snprintf(path, sizeof path, "%s/prices.json", folder);
  FILE *prices = fopen(path, "w");
  if (!prices) abort();
  fputs("{\"prices\": [{\"model\": \"llama3.2\", \"input\": 0, \"cache_read\": 0, \"cache_write\": 0, \"output\": 0}]}", prices);
  fclose(prices);
}

int main(int argc, char **argv) {
  static play plays[PLAYS];
  pthread_t threads[PLAYS];
  size_t n = 0, cases = 0;
  int failures = 0, again = 0;
  int64_t worst = INT64_MIN, begin = aio__clock_now(aio__clock_system());
  read_arguments(argc, argv);
  setvbuf(stdout, NULL, _IOLBF, 0);
  http_forget_proxies();
  http_forget_proxies();
  http_watchdog(OPENING_S);
  if (!fault_begin()) return 77;
  prepare();
  for (int i = 0; i < PLAYS; i++) {
    if (only_family && strcmp(only_family, families[i / 4]) != 0) continue;
    play *p = &plays[n];
    p->family = i / 4;
    p->stream = i % 2 != 0;
    p->with_other = i % 4 >= 2;
    snprintf(p->folder, sizeof p->folder, "%s/%s%d", folder, families[p->family], i % 4);
    if (pthread_create(&threads[n++], NULL, play_all, p) != 0) abort();
  }
  for (size_t i = 0; i < n; i++) {
    pthread_join(threads[i], NULL);
    failures += plays[i].failures;
    again += plays[i].again;
    cases += plays[i].count;
    if (plays[i].worst_late_ns > worst) worst = plays[i].worst_late_ns;
  }
  look_file("/proc/self/cmdline");
  failures += atomic_load(&leaks);
  int64_t took = aio__clock_now(aio__clock_system()) - begin;
  printf("%zu runs in %.1f s, %d of them again, %d failures; the latest ended %.1f ms after its deadline\n", cases, (double)took / 1e9, again, failures, (double)worst / 1e6);
  fault_end();
  return failures > 0 || cases == 0 ? 1 : 0;
}
