/* What the fault tests do to the library: see scenario.h. */
#include "scenario.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALL_MS = 45000, CLOSE_MS = 45000, CLOSE_TRIES = 1000, WAIT_MS = 100, CROWD = 6, WAIT_TRIES = 900, DOCUMENTS = 3 };

static const char tenant[] = "acme";
static bool over_http; /* what is opened has providers behind HTTP */

static bool is_http(scenario_kind kind) { return kind == SCENARIO_HTTP || kind == SCENARIO_HTTP_OPEN; }

const char *scenario_name(scenario_kind kind) {
  static const char *const names[SCENARIO_KINDS] = {"create", "run", "ingest", "embed", "submit", "crowd", "http", "http_open"};
  return names[kind];
}

/* ---- the ledger that parent and child share ---------------------------------------------------------------------- */

scenario_ledger *scenario_ledger_new(void) {
  void *p = mmap(NULL, sizeof(scenario_ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) abort();
  return p;
}

void scenario_ledger_clear(scenario_ledger *ledger) {
  memset(ledger, 0, sizeof *ledger);
}

void scenario_say(scenario_ledger *ledger, const char *format, ...) {
  char words[600];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(words, sizeof words - 1, format, args);
  va_end(args);
  if (n < 0) return;
  size_t len = (size_t)n < sizeof words - 2 ? (size_t)n : sizeof words - 2;
  words[len++] = '\n';
  int at = atomic_fetch_add(&ledger->said, (int)len);
  if (at + (int)len < SCENARIO_SAID_MAX) memcpy(ledger->words + at, words, len);
}

static void remember(scenario_ids *ids, const char *id, size_t len) {
  int n = atomic_load(&ids->n);
  if (n >= SCENARIO_IDS_MAX || len != SCENARIO_ID) return;
  memcpy(ids->id[n], id, SCENARIO_ID);
  atomic_store(&ids->n, n + 1);
}

/* Every status is noted; one that no caller should ever see under a failing system is a fault of the library. */
void scenario_note(scenario_ledger *ledger, const char *what, aiorch_status status, const aiorch_error *error) {
  int n = atomic_fetch_add(&ledger->statuses, 1);
  if (n < SCENARIO_STATUS_MAX) ledger->status[n] = status;
  if (status >= 0) return;
  static const aiorch_status expected[] = {
    AIORCH_E_NOMEM,      AIORCH_E_DEADLINE,   AIORCH_E_SYSTEM,          AIORCH_E_STORE,
    AIORCH_E_STORE_DOWN, AIORCH_E_STORE_FULL, AIORCH_E_STORE_READ_ONLY, AIORCH_E_PROVIDERS_UNAVAILABLE,
    AIORCH_E_MODEL /* of a local model in the usual place, which is looked for */};
  bool known = false;
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) known |= status == expected[i];
  const char *words = error != NULL ? aiorch_error_message(error) : "-";
  (void)snprintf(ledger->last, sizeof ledger->last, "%s: %s: %s", what, aiorch_status_name(status), words);
  if (!known) scenario_say(ledger, "%s returned %s (%s)", what, aiorch_status_name(status), words);
  if (error != NULL && words[0] == '\0')
    scenario_say(ledger, "%s returned %s without a word", what, aiorch_status_name(status));
}

/* ---- the library's memory ---------------------------------------------------------------------------------------- */

static void *count_alloc(void *user_data, size_t size) {
  scenario_ledger *ledger = user_data;
  void *p = wrap_alloc_fails() ? NULL : malloc(size);
  if (p != NULL) atomic_fetch_add(&ledger->live, 1);
  return p;
}

static void *count_realloc(void *user_data, void *memory, size_t size) {
  scenario_ledger *ledger = user_data;
  void *p = wrap_alloc_fails() ? NULL : realloc(memory, size);
  if (p != NULL && memory == NULL) atomic_fetch_add(&ledger->live, 1);
  return p;
}

static void count_free(void *user_data, void *memory) {
  scenario_ledger *ledger = user_data;
  atomic_fetch_sub(&ledger->live, 1);
  free(memory);
}

/* ---- the provider ------------------------------------------------------------------------------------------------ */

/* The call is in shared memory before anything is answered: whatever happens then, it was made. */
static aiorch_status generate(void *self, aiorch_call *call) {
  static const char answer[] = "A dump is made with pg_dump [1]. It is consistent.";
  const char *id = NULL;
  size_t n = 0;
  if (aiorch_call_run_id(call, &id, &n) == AIORCH_OK) remember(&((scenario_ledger *)self)->called, id, n);
  aiorch_status status = aiorch_call_emit(call, answer, sizeof answer - 1);
  aiorch_call_put_usage(call, AIORCH_USAGE_INPUT, 100);
  aiorch_call_put_usage(call, AIORCH_USAGE_OUTPUT, 12);
  aiorch_call_finish(call, status < 0 ? status : AIORCH_OK);
  return AIORCH_SLOT_OK;
}

/* ---- opening and closing ----------------------------------------------------------------------------------------- */

static aiorch_status set(aiorch_config *config, const char *folder, scenario_ledger *ledger, aiorch_error *error) {
  static const char settings[] =
    "{\"deadline_ms\": 45000, \"store.busy_ms\": 2000, \"rate_limit.requests\": 1000, \"generate.chain\": \"counted\"}";
  aiorch_provider_vtbl vtbl;
  memset(&vtbl, 0, sizeof vtbl);
  vtbl.struct_size = sizeof vtbl;
  vtbl.model = "claude-haiku-4-5";
  vtbl.generate = generate;
  aiorch_status status = aiorch_config_set_str(config, "store", folder, strlen(folder), error);
  if (status == AIORCH_OK) status = aiorch_config_load_json(config, settings, sizeof settings - 1, "settings", error);
  if (status == AIORCH_OK && over_http) status = scenario_http_set(config, error);
  if (status == AIORCH_OK) status = aiorch_config_add_provider(config, "counted", &vtbl, ledger, error);
  return status;
}

aiorch *scenario_open(const char *folder, scenario_ledger *ledger) {
  aiorch_allocator allocator = {sizeof allocator, ledger, count_alloc, count_realloc, count_free};
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  aiorch *orch = NULL;
  aiorch_status status = aiorch_error_new(&error);
  if (status == AIORCH_OK) status = aiorch_config_new_with(&allocator, &config);
  if (status == AIORCH_OK) status = set(config, folder, ledger, error);
  if (status == AIORCH_OK) status = aiorch_open(config, &orch, error);
  scenario_note(ledger, "open", status, config != NULL ? error : NULL);
  aiorch_config_free(config);
  aiorch_error_free(error);
  return orch;
}

void scenario_close(aiorch *orch, scenario_ledger *ledger) {
  if (orch == NULL) return;
  aiorch_status status = AIORCH_AGAIN;
  for (int i = 0; i < CLOSE_TRIES && status == AIORCH_AGAIN; i++) {
    status = aiorch_close(orch, CLOSE_MS);
    if (status == AIORCH_AGAIN) (void)usleep(1000); /* a clock that fails may say that the time is over at once */
  }
  if (status == AIORCH_AGAIN) scenario_say(ledger, "close is never done");
  scenario_note(ledger, "close", status, NULL);
  scenario_note(ledger, "free", aiorch_free(orch), NULL);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static aiorch_run *new_run(aiorch *orch, const char *question, scenario_ledger *ledger) {
  aiorch_run *run = NULL;
  aiorch_status status = aiorch_run_new(orch, tenant, sizeof tenant - 1, "u1", 2, &run);
  scenario_note(ledger, "run_new", status, NULL);
  if (status != AIORCH_OK) return NULL;
  status = aiorch_run_add_message(run, AIORCH_ROLE_USER, question, strlen(question));
  if (status == AIORCH_OK) return run;
  scenario_note(ledger, "add_message", status, aiorch_run_error(run));
  aiorch_run_free(run);
  return NULL;
}

void scenario_called(scenario_ledger *ledger, const aiorch_run *run) {
  const char *id = NULL;
  size_t n = 0;
  if (aiorch_run_id(run, &id, &n) == AIORCH_OK) remember(&ledger->called, id, n);
}

bool scenario_judge(aiorch_run *run, aiorch_status status, scenario_ledger *ledger) {
  const char *text = NULL;
  size_t n = 0;
  scenario_note(ledger, "run", status, aiorch_run_error(run));
  bool cut_short = status == AIORCH_E_DEADLINE || status == AIORCH_E_CANCELLED; /* its rows are handed over, not waited for */
  if (!cut_short && aiorch_run_stage_outcome(run, AIORCH_STAGE_LOG_COST) == AIORCH_OUTCOME_OK &&
      aiorch_run_id(run, &text, &n) == AIORCH_OK)
    remember(&ledger->acknowledged, text, n);
  if (status == AIORCH_OK && (aiorch_run_answer(run, &text, &n) != AIORCH_OK || n == 0))
    scenario_say(ledger, "a run that ended well has no answer");
  if (status == AIORCH_OK && aiorch_run_stage_outcome(run, AIORCH_STAGE_LOG_COST) != AIORCH_OUTCOME_OK)
    scenario_say(ledger, "a run ended well without its cost row");
  return status == AIORCH_OK;
}

bool scenario_ask(aiorch *orch, const char *question, scenario_ledger *ledger) {
  aiorch_run *run = new_run(orch, question, ledger);
  if (run == NULL) return false;
  bool good = scenario_judge(run, aiorch_run_execute(run), ledger);
  const char *json = NULL;
  (void)aiorch_run_to_json(run, &json, NULL);
  aiorch_run_free(run);
  return good;
}

static aiorch_status drive(aiorch *orch, aiorch_run *run) {
  int32_t fd = -1;
  aiorch_status status = aiorch_run_submit(run);
  if (status != AIORCH_OK) return status;
  (void)aiorch_fd(orch, &fd);
  for (int i = 0; i < WAIT_TRIES; i++) {
    const aiorch_event *event = NULL;
    aiorch_run *ready = NULL;
    status = aiorch_wait(orch, WAIT_MS, &ready);
    if (status == AIORCH_AGAIN) (void)usleep(1000); /* a clock that fails may say that the time is over at once */
    if (status == AIORCH_AGAIN) continue;
    if (status != AIORCH_OK) return status;
    do status = aiorch_run_next(ready, 0, &event);
    while (status == AIORCH_OK);
    if (status == AIORCH_DONE) return aiorch_run_status(ready);
    if (status != AIORCH_AGAIN) return status;
  }
  return AIORCH_E_INTERNAL; /* it never came: much longer than the run may take */
}

static bool submit_one(aiorch *orch, const char *question, scenario_ledger *ledger) {
  aiorch_run *run = new_run(orch, question, ledger);
  if (run == NULL) return false;
  bool good = scenario_judge(run, drive(orch, run), ledger);
  aiorch_run_free(run);
  return good;
}

/* Ends those of the runs that are done. How many are left. */
static int judge_done(aiorch_run *ready, aiorch_run *runs[CROWD], int left, scenario_ledger *ledger) {
  const aiorch_event *event = NULL;
  aiorch_status status;
  do status = aiorch_run_next(ready, 0, &event);
  while (status == AIORCH_OK);
  if (status == AIORCH_AGAIN) return left;
  if (status != AIORCH_DONE) scenario_note(ledger, "run_next", status, aiorch_run_error(ready));
  (void)scenario_judge(ready, status == AIORCH_DONE ? aiorch_run_status(ready) : status, ledger);
  for (int i = 0; i < CROWD; i++)
    if (runs[i] == ready) runs[i] = NULL;
  aiorch_run_free(ready);
  return left - 1;
}

static void submit_crowd(aiorch *orch, scenario_ledger *ledger) {
  aiorch_run *runs[CROWD] = {NULL};
  char question[40];
  int left = 0;
  for (int i = 0; i < CROWD; i++) {
    (void)snprintf(question, sizeof question, "How is a dump of kind %d read?", i);
    runs[i] = new_run(orch, question, ledger);
    if (runs[i] == NULL) continue;
    aiorch_status status = aiorch_run_submit(runs[i]);
    left += status == AIORCH_OK;
    if (status == AIORCH_OK) continue;
    (void)scenario_judge(runs[i], status, ledger);
    aiorch_run_free(runs[i]);
    runs[i] = NULL;
  }
  for (int i = 0; i < WAIT_TRIES && left > 0; i++) {
    aiorch_run *ready = NULL;
    aiorch_status status = aiorch_wait(orch, WAIT_MS, &ready);
    if (status == AIORCH_OK)
      left = judge_done(ready, runs, left, ledger);
    else if (status == AIORCH_AGAIN)
      (void)usleep(1000); /* a clock that fails may say that the time is over at once */
    else
      scenario_note(ledger, "wait", status, NULL);
  }
  for (int i = 0; i < CROWD; i++) aiorch_run_free(runs[i]);
  if (left > 0) scenario_say(ledger, "%d runs never came: much longer than they may take", left);
}

/* ---- documents --------------------------------------------------------------------------------------------------- */

static aiorch_status fill(aiorch_document *d, int number, int version) {
  char source[40], text[6000];
  int n = snprintf(text, sizeof text, "# Guide %d\n\nVersion %d of it.\n\n", number, version);
  for (int i = 0; i < 40 && n > 0 && n < (int)sizeof text - 200; i++)
    n += snprintf(text + n, sizeof text - (size_t)n,
                  "## Part %d\n\nA dump of kind %d is made with pg_dump -%d, and read by "
                  "pg_restore. Version %d.\n\n",
                  i, i * number, i, version);
  (void)snprintf(source, sizeof source, "guide-%d.md", number);
  aiorch_status status = aiorch_document_set_source(d, source, strlen(source));
  if (status == AIORCH_OK) status = aiorch_document_set_text(d, AIORCH_FORMAT_MARKDOWN, text, (size_t)n);
  if (status == AIORCH_OK) status = aiorch_document_add_metadata(d, "lang", 4, "en", 2);
  if (status == AIORCH_OK) status = aiorch_document_add_anchor(d, 10, "top", 3);
  return status;
}

bool scenario_add(aiorch *orch, int number, int version, scenario_ledger *ledger) {
  aiorch_document *d = NULL;
  aiorch_error *error = NULL;
  aiorch_status status = aiorch_error_new(&error);
  if (status == AIORCH_OK) status = aiorch_document_new(&d);
  if (status == AIORCH_OK) status = fill(d, number, version);
  if (status == AIORCH_OK) {
    status = aiorch_knowledge_add(orch, tenant, sizeof tenant - 1, d, CALL_MS, error);
    scenario_note(ledger, "knowledge_add", status, error);
    if (status == AIORCH_OK) atomic_fetch_add(&ledger->added, 1);
  } else {
    scenario_note(ledger, "document", status, NULL);
  }
  aiorch_document_free(d);
  aiorch_error_free(error);
  return status == AIORCH_OK;
}

static void read_all(aiorch *orch, scenario_ledger *ledger) {
  aiorch_hits *hits = NULL;
  aiorch_documents *documents = NULL;
  aiorch_document *one = NULL;
  aiorch_text *text = NULL;
  aiorch_error *error = NULL;
  if (aiorch_error_new(&error) != AIORCH_OK) return;
  size_t t = sizeof tenant - 1;
  scenario_note(
    ledger, "search",
    aiorch_knowledge_search(orch, tenant, t, "how is a dump made", 18, "{\"lang\": \"en\"}", 5, CALL_MS, &hits, error),
    error);
  scenario_note(ledger, "list", aiorch_knowledge_list(orch, tenant, t, NULL, 0, 10, CALL_MS, &documents, error), error);
  aiorch_status status = aiorch_knowledge_show(orch, tenant, t, "guide-1.md", 10, CALL_MS, &one, error);
  if (status != AIORCH_E_NOT_FOUND) scenario_note(ledger, "show", status, error);
  scenario_note(ledger, "stats", aiorch_stats(orch, tenant, t, CALL_MS, &text, error), error);
  aiorch_text_free(text);
  text = NULL;
  scenario_note(ledger, "costs", aiorch_costs(orch, tenant, t, 0, 0, "model", CALL_MS, &text, error), error);
  aiorch_text_free(text);
  text = NULL;
  scenario_note(ledger, "cache_list", aiorch_cache_list(orch, tenant, t, 10, CALL_MS, &text, error), error);
  aiorch_text_free(text);
  aiorch_document_free(one);
  aiorch_documents_free(documents);
  aiorch_hits_free(hits);
  aiorch_error_free(error);
}

static void remove_one(aiorch *orch, const char *source, scenario_ledger *ledger) {
  aiorch_error *error = NULL;
  if (aiorch_error_new(&error) != AIORCH_OK) return;
  aiorch_status status =
    aiorch_knowledge_remove(orch, tenant, sizeof tenant - 1, source, strlen(source), CALL_MS, error);
  if (status == AIORCH_OK) atomic_fetch_add(&ledger->removed, 1);
  if (status != AIORCH_E_NOT_FOUND) scenario_note(ledger, "knowledge_remove", status, error);
  aiorch_error_free(error);
}

/* ---- the scenarios ----------------------------------------------------------------------------------------------- */

static void play_ingest(aiorch *orch, scenario_ledger *ledger) {
  for (int i = 1; i <= DOCUMENTS; i++) (void)scenario_add(orch, i, 2, ledger);
  (void)scenario_add(orch, 1, 3, ledger);
  (void)scenario_add(orch, 7, 1, ledger);
  read_all(orch, ledger);
  remove_one(orch, "guide-2.md", ledger);
}

static void play_open(scenario_kind kind, aiorch *orch, scenario_ledger *ledger) {
  switch (kind) {
  case SCENARIO_CREATE:
    (void)scenario_add(orch, 1, 1, ledger);
    break;
  case SCENARIO_INGEST:
    play_ingest(orch, ledger);
    break;
  case SCENARIO_EMBED:
    (void)scenario_embed(orch, ledger);
    break;
  case SCENARIO_HTTP:
  case SCENARIO_HTTP_OPEN:
    scenario_http_play(orch, ledger);
    break;
  case SCENARIO_CROWD:
    submit_crowd(orch, ledger);
    break;
  case SCENARIO_SUBMIT:
    (void)submit_one(orch, "How is a dump made?", ledger);
    (void)submit_one(orch, "How is it restored?", ledger);
    break;
  default:
    (void)scenario_ask(orch, "How is a dump of kind 4 made?", ledger); /* a miss */
    (void)scenario_ask(orch, "How is a dump of kind 4 made?", ledger); /* a hit */
    break;
  }
}

void scenario_play(scenario_kind kind, const char *folder, const wrap_plan *plan, bool steady,
                   scenario_ledger *ledger) {
  bool opens_under_it = kind == SCENARIO_CREATE || kind == SCENARIO_HTTP_OPEN;
  over_http = is_http(kind);
  if (opens_under_it) wrap_arm(plan);
  aiorch *orch = scenario_open(folder, ledger);
  if (!opens_under_it) wrap_arm(plan);
  if (orch != NULL) play_open(kind, orch, ledger);
  if (orch != NULL && steady) {
    wrap_pause();
    if (!(is_http(kind) ? scenario_http_ask(orch, ledger) : scenario_ask(orch, "Does it go on now?", ledger)))
      scenario_say(ledger, "the handle does not recover: %s", ledger->last);
    wrap_resume();
  }
  scenario_close(orch, ledger);
  wrap_pause();
  for (int i = 0; i < WRAP_CALLS; i++) ledger->counts[i] = wrap_count((wrap_call)i);
  ledger->matched = wrap_matched();
  ledger->injected = wrap_injected();
  long live = atomic_load(&ledger->live);
  if (live != 0) scenario_say(ledger, "%ld allocations were not freed", live);
}

void scenario_make_template(const char *folder) {
  static const wrap_plan nothing = {0};
  scenario_ledger *ledger = scenario_ledger_new();
  wrap_arm(&nothing);
  wrap_pause();
  aiorch *orch = scenario_open(folder, ledger);
  if (orch == NULL) {
    (void)fprintf(stderr, "no store can be made in %s: %s\n", folder, ledger->words);
    exit(1);
  }
  for (int i = 1; i <= DOCUMENTS; i++) (void)scenario_add(orch, i, 1, ledger);
  (void)scenario_ask(orch, "What was asked before?", ledger);
  scenario_close(orch, ledger);
  scenario_check_store(folder, ledger);
  if (atomic_load(&ledger->said) > 0) {
    (void)fprintf(stderr, "without any fault:\n%s", ledger->words);
    exit(1);
  }
  (void)munmap(ledger, sizeof *ledger);
}

/* ---- children ---------------------------------------------------------------------------------------------------- */

int scenario_in_child(void (*body)(void *ctx), void *ctx, unsigned seconds) {
  (void)fflush(NULL);
  pid_t child = fork();
  if (child < 0) abort();
  if (child == 0) {
    (void)alarm(seconds);
    body(ctx);
    exit(0); /* not _exit: the leak check of a sanitizer runs at exit */
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

const char *scenario_fate(int wait_status, char words[80]) {
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return NULL;
  if (WIFEXITED(wait_status))
    (void)snprintf(words, 80, "the process ended with %d", WEXITSTATUS(wait_status));
  else if (WTERMSIG(wait_status) == SIGALRM)
    (void)snprintf(words, 80, "the process hung");
  else
    (void)snprintf(words, 80, "the process was ended by signal %d (%s)", WTERMSIG(wait_status),
                   strsignal(WTERMSIG(wait_status)));
  return words;
}

/* ---- arguments ---------------------------------------------------------------------------------------------------- */

bool scenario_argument(scenario_choice *choice, int argc, char **argv, int *i) {
  const char *name = argv[*i], *value = *i + 1 < argc ? argv[*i + 1] : NULL;
  bool flag = true;
  if (strcmp(name, "--all") == 0)
    choice->all = true;
  else if (strcmp(name, "--verbose") == 0)
    choice->verbose = true;
  else
    flag = false;
  if (flag || value == NULL) return flag;
  if (strcmp(name, "--points") == 0)
    choice->points = strtoul(value, NULL, 10);
  else if (strcmp(name, "--seed") == 0)
    choice->seed = strtoul(value, NULL, 10);
  else if (strcmp(name, "--scenario") == 0)
    choice->scenario = value;
  else
    return false;
  ++*i;
  return true;
}
