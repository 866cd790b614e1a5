/* The extractive provider as the generate stage sees it: a call in, sentences with markers out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "providers/extractive.h"
#include "support/virtual_clock.h"

typedef struct fixture {
  virtual_clock clock;
  aio__counters counters;
  aio__log *log;
  aio__calls *calls;
  aio__call_request request;
  aio__call_source sources[8];
  aio__buf answer;
  aiorch_status status;
  int32_t finish_reason;
  int64_t input, output;
  char model[32];
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  if (!f) return -1;
  virtual_clock_init(&f->clock);
  const aio__alloc *al = aio__alloc_default();
  if (aio__log_new(al, &f->clock.clock, NULL, NULL, &f->log) != AIORCH_OK) return -1;
  if (aio__calls_new(al, &f->clock.clock, f->log, &f->counters, &f->calls) != AIORCH_OK) return -1;
  aio__buf_init(&f->answer, al, 1 << 20);
  f->request.max_tokens = 1024;
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  aio__buf_free(&f->answer);
  aio__calls_free(f->calls);
  aio__log_free(f->log);
  free(f);
  return 0;
}

static void add_source(fixture *f, const char *title, const char *text) {
  f->sources[f->request.source_count++] =
      (aio__call_source){
          .title = aio__str_z(title), .uri = AIO__LIT("doc"), .text = aio__str_z(text), .similarity = (double)NAN};
}

static const char *ask(fixture *f, const char *question) {
  aiorch_call *call = NULL;
  f->request.question = aio__str_z(question);
  f->request.sources = f->sources;
  aio__buf_reset(&f->answer);
  assert_int_equal(aio__call_new(f->calls, AIO__CALL_GENERATE, &f->request, NULL, AIO__NEVER, 1 << 20, &call), 0);
  aio__call_start(call, aio__extractive.vtbl.generate, aio__extractive.vtbl.cancel, NULL, 0, NULL);
  assert_true(aio__call_ended(call));
  assert_int_equal(aio__call_take_text(call, &f->answer), AIORCH_OK);
  const aio__call_result *result = aio__call_result_of(call);
  f->status = result->status;
  f->finish_reason = result->finish_reason;
  f->input = result->usage[AIORCH_USAGE_INPUT];
  f->output = result->usage[AIORCH_USAGE_OUTPUT];
  memcpy(f->model, result->model, sizeof f->model);
  aio__call_drop(call);
  return aio__buf_cstr(&f->answer);
}

static const char manual[] =
    "## Routine Vacuuming\n\n"
    "Databases require periodic maintenance known as vacuuming. For many installations, it is sufficient to let"
    " vacuuming be performed by the autovacuum daemon. You might need to adjust the parameters described there.\n\n"
    "The autovacuum daemon is an optional feature whose purpose is to automate the execution of vacuum and analyze"
    " commands. See Section 20.10 for autovacuum.\n\n"
    "To reclaim disk space from a table, run this command:\n\n"
    "```sql\nVACUUM FULL orders;\n```\n";
static const char ports[] =
    "The server listens on port 5432 by default. Colours of the terminal are not configured here.\n";

static void test_extractive_generate__answers_with_sentences_and_their_markers(void **state) {
  fixture *f = *state;
  add_source(f, "Ports", ports);
  add_source(f, "Vacuuming", manual);
  const char *answer = ask(f, "What is the autovacuum daemon?");
  assert_int_equal(f->status, AIORCH_OK);
  assert_int_equal(f->finish_reason, AIORCH_FINISH_STOP);
  assert_int_equal(strncmp(answer, "From the documents:\n\n", 21), 0);
  assert_non_null(strstr(answer, "The autovacuum daemon is an optional feature whose purpose is to automate the"
                                 " execution of vacuum and analyze commands. [2]"));
  assert_null(strstr(answer, "See Section"));
  assert_null(strstr(answer, "[1]"));
  assert_null(strstr(answer, "Colours"));
}

static void test_extractive_generate__costs_nothing_and_names_itself(void **state) {
  fixture *f = *state;
  add_source(f, "Ports", ports);
  ask(f, "Which port does the server listen on?");
  assert_string_equal(f->model, "extractive");
  assert_int_equal(f->input, 0);
  assert_int_equal(f->output, 0);
}

static void test_extractive_generate__brings_the_code_that_a_sentence_promises(void **state) {
  fixture *f = *state;
  add_source(f, "Vacuuming", manual);
  const char *answer = ask(f, "How do I reclaim disk space from a table?");
  assert_non_null(strstr(answer, "run this command: [1]\n\n```\nVACUUM FULL orders;\n```"));
}

static void test_extractive_generate__brings_the_list_that_a_sentence_promises(void **state) {
  fixture *f = *state;
  add_source(f, "", "There are three isolation levels in this system:\n- Read committed.\n- Serializable.\n* Other.\n");
  const char *answer = ask(f, "Which isolation levels are there?");
  assert_non_null(strstr(answer, "system: [1]\n- Read committed.\n- Serializable.\n- Other."));
}

static void test_extractive_generate__says_when_the_documents_do_not_answer(void **state) {
  fixture *f = *state;
  assert_string_equal(ask(f, "What is the capital of France?"), "The documents do not answer this.");
  assert_int_equal(f->status, AIORCH_OK);
  assert_int_equal(f->finish_reason, AIORCH_FINISH_STOP);
  add_source(f, "Vacuuming", manual);
  add_source(f, "Ports", ports);
  assert_string_equal(ask(f, "What is the capital of France?"), "The documents do not answer this.");
  assert_string_equal(ask(f, ""), "The documents do not answer this.");
  assert_string_equal(ask(f, "?!"), "The documents do not answer this.");
}

/* ---- meaning ---- */

/* A sentence with `word` has the cosine `hit`, any other `miss`. */
typedef struct fake_meaning {
  aio__call_meaning meaning;
  const char *word;
  double hit, miss;
  aiorch_status status;
  size_t calls, most;
} fake_meaning;

static aiorch_status fake_similarities(void *ctx, const aio__str *texts, size_t count, double *out) {
  fake_meaning *fake = ctx;
  fake->calls++;
  if (count > fake->most) fake->most = count;
  for (size_t i = 0; i < count && fake->status == AIORCH_OK; i++) {
    bool has = false;
    size_t n = strlen(fake->word);
    for (size_t k = 0; k + n <= texts[i].n; k++) has = has || memcmp(texts[i].p + k, fake->word, n) == 0;
    out[i] = has ? fake->hit : fake->miss;
  }
  return fake->status;
}

static void meaning_with(fixture *f, fake_meaning *fake, const char *word, double hit, double miss) {
  *fake = (fake_meaning){.meaning = {.far = 0.1, .near = 0.45, .similarities = fake_similarities, .ctx = fake},
                         .word = word,
                         .hit = hit,
                         .miss = miss};
  f->request.meaning = &fake->meaning;
}

static void test_extractive_generate__answers_in_other_words(void **state) {
  fixture *f = *state;
  fake_meaning fake;
  add_source(f, "Ports", ports);
  add_source(f, "Vacuuming", manual);
  const char *question = "Does anything clean up by itself overnight?";
  assert_string_equal(ask(f, question), "The documents do not answer this.");
  meaning_with(f, &fake, "daemon is an optional", 0.56, 0.2);
  const char *answer = ask(f, question);
  assert_non_null(strstr(answer, "The autovacuum daemon is an optional feature"));
  assert_null(strstr(answer, "[1]"));
  assert_int_equal(fake.calls, 1);
}

static void test_extractive_generate__what_is_far_is_no_answer(void **state) {
  fixture *f = *state;
  fake_meaning fake;
  add_source(f, "Ports", ports);
  /* Half of its words are there: enough by words alone, not when nothing means it. */
  const char *question = "Which port in the harbour by default?";
  assert_non_null(strstr(ask(f, question), "5432"));
  meaning_with(f, &fake, "none", 0, 0.2);
  assert_string_equal(ask(f, question), "The documents do not answer this.");
  /* All of them are: that counts for it. */
  meaning_with(f, &fake, "port 5432", 0.35, 0.1);
  assert_non_null(strstr(ask(f, "Which port does the server listen on by default?"), "5432"));
}

static void test_extractive_generate__words_are_enough_in_other_languages(void **state) {
  fixture *f = *state;
  fake_meaning fake;
  add_source(f, "", "Der Server wartet normalerweise auf dem Port 5432 auf Verbindungen. Farben sind hier nicht das Thema.");
  meaning_with(f, &fake, "none", 0, 0.1);
  assert_non_null(strstr(ask(f, "Auf welchem Port wartet der Server?"), "5432"));
  assert_string_equal(ask(f, "Wie hoch ist der Berg?"), "The documents do not answer this.");
}

static void test_extractive_generate__goes_on_without_meaning(void **state) {
  fixture *f = *state;
  fake_meaning fake;
  add_source(f, "Ports", ports);
  meaning_with(f, &fake, "none", 0, 0);
  fake.status = AIORCH_E_CANCELLED;
  assert_non_null(strstr(ask(f, "Which port does the server listen on?"), "5432"));
  assert_string_equal(ask(f, "What does the process wait at?"), "The documents do not answer this.");
  f->sources[0].similarity = 0.7; /* the source's own stands for its sentences */
  assert_non_null(strstr(ask(f, "What does the process wait at?"), "The server listens on port 5432"));
  fake.meaning.similarities = NULL; /* an embedder that is asked nothing here */
  assert_non_null(strstr(ask(f, "What does the process wait at?"), "The server listens on port 5432"));
  f->sources[0].similarity = 0.2;
  assert_string_equal(ask(f, "What does the process wait at?"), "The documents do not answer this.");
}

static void test_extractive_generate__asks_for_few_sentences(void **state) {
  fixture *f = *state;
  fake_meaning fake;
  enum { BYTES = 1 << 21 };
  char *text = malloc(BYTES);
  assert_non_null(text);
  size_t n = 0;
  for (int i = 0; n < 200000; i++) n += (size_t)sprintf(text + n, "Sentence %d speaks of the matter number %d here. ", i, i * 7);
  add_source(f, "many", text);
  meaning_with(f, &fake, "none", 0, 0.5);
  ask(f, "Is there anything about it?");
  assert_int_equal(fake.calls, 1);
  assert_in_range(fake.most, 1, AIO__EXTRACTIVE_NEAR_MAX);
  for (n = 0; n < BYTES - 1; n++) text[n] = n % 7 == 6 ? ' ' : 'a'; /* one sentence, longer than what is read */
  text[n] = '\0';
  f->sources[0].text = aio__str_z(text);
  ask(f, "Is there anything about it?");
  assert_in_range(fake.most, 1, AIO__EXTRACTIVE_NEAR_MAX);
  fake.calls = 0;
  f->sources[0].text = AIO__LIT("");
  assert_string_equal(ask(f, "Is there anything about it?"), "The documents do not answer this.");
  assert_int_equal(fake.calls, 0);
  free(text);
}

static void test_extractive_generate__says_the_same_thing_once(void **state) {
  fixture *f = *state;
  add_source(f, "a", ports);
  add_source(f, "b", ports);
  const char *answer = ask(f, "Which port does the server listen on?");
  const char *first = strstr(answer, "port 5432");
  assert_non_null(first);
  assert_null(strstr(first + 1, "port 5432"));
}

static void test_extractive_generate__brings_the_sentence_that_it_leans_on(void **state) {
  fixture *f = *state;
  add_source(f, "", "Temporary files hold what does not fit into memory. They are deleted when the query that made the"
                    " spill ends. Nothing else matters here at all.\n");
  const char *answer = ask(f, "When are spill files of a query deleted?");
  assert_non_null(strstr(answer, "Temporary files hold what does not fit into memory. They are deleted"));
}

static void test_extractive_generate__cleans_the_marks_of_the_documents(void **state) {
  fixture *f = *state;
  add_source(f, "", "A **checkpoint** writes [all dirty pages](wal.html#X)\nto disk [12], see `a[1]`.\n");
  const char *answer = ask(f, "What does a checkpoint write?");
  assert_non_null(strstr(answer, "A checkpoint writes all dirty pages to disk, see `a[1]`. [1]"));
}

static void test_extractive_generate__rows_of_tables(void **state) {
  fixture *f = *state;
  add_source(f, "", "| Name | Bytes | Range |\n|---|---|---|\n| smallint | 2 bytes | -32768 to +32767 |\n");
  const char *answer = ask(f, "What range does smallint have?");
  assert_non_null(strstr(answer, "smallint: 2 bytes; -32768 to +32767 [1]"));
}

static void test_extractive_generate__entries_of_a_glossary(void **state) {
  fixture *f = *state;
  add_source(f, "", "The WAL grows with each change that is made to WAL files of the WAL.\n\nWAL\n: A journal of all"
                    " changes that are made to the files.\n\nFOO\n: Something else altogether, with no use here.\n");
  const char *answer = ask(f, "What is WAL?");
  assert_int_equal(strncmp(answer, "From the documents:\n\n", 21), 0);
  assert_non_null(strstr(answer, "WAL: A journal of all changes that are made to the files. [1]"));
  assert_null(strstr(answer, "FOO"));
}

static void test_extractive_generate__how_long_is_no_question_about_length(void **state) {
  fixture *f = *state;
  add_source(f, "Refunds", "A refund is paid within fourteen days. It goes to the card of the purchase.\n");
  assert_non_null(strstr(ask(f, "How long does a refund take?"), "within fourteen days. [1]"));
}

static void test_extractive_generate__at_most_five_sentences(void **state) {
  fixture *f = *state;
  add_source(f, "", "The lock of alpha rows waits long. A lock on beta pages waits too. Every lock for gamma tables"
                    " waits here. One lock in delta trees waits there. Some lock at epsilon leaves waits now. That lock"
                    " near zeta nodes waits then. No lock with eta slots waits never. Each lock by theta heaps waits"
                    " again.\n");
  const char *answer = ask(f, "Which lock waits?");
  size_t markers = 0;
  for (const char *at = answer; (at = strstr(at, "[1]")) != NULL; at++) markers++;
  assert_true(markers >= 2);
  assert_true(markers <= AIO__EXTRACTIVE_SENTENCES_MAX);
}

static void test_extractive_generate__keeps_to_the_token_limit(void **state) {
  fixture *f = *state;
  add_source(f, "Vacuuming", manual);
  f->request.max_tokens = 10;
  const char *answer = ask(f, "What is the autovacuum daemon?");
  assert_int_equal(f->status, AIORCH_OK);
  assert_int_equal(f->finish_reason, AIORCH_FINISH_LENGTH);
  assert_true(strlen(answer) <= 30);
}

static void test_extractive_generate__a_follow_up_knows_the_turn_before(void **state) {
  fixture *f = *state;
  const aio__call_message messages[] = {{.role = AIORCH_ROLE_USER, .text = AIO__LIT("What is the autovacuum daemon?")},
                                        {.role = AIORCH_ROLE_ASSISTANT, .text = AIO__LIT("A feature.")},
                                        {.role = AIORCH_ROLE_USER, .text = AIO__LIT("Is it optional?")}};
  f->request.messages = messages;
  f->request.message_count = 3;
  add_source(f, "Ports", "An optional port may be given.\n");
  add_source(f, "Vacuuming", manual);
  assert_non_null(strstr(ask(f, "Is it optional?"), "The autovacuum daemon is an optional feature"));
}

static void test_extractive_generate__reads_no_more_than_its_bound(void **state) {
  fixture *f = *state;
  size_t n = AIO__EXTRACTIVE_BYTES_MAX + 4096;
  char *text = malloc(n + 1);
  assert_non_null(text);
  for (size_t i = 0; i < n; i++) text[i] = "filler text. "[i % 13];
  static const char late[] = "The zeppelin is grey and it flies very high. ";
  memcpy(text + n - sizeof late, late, sizeof late);
  add_source(f, "", text);
  assert_string_equal(ask(f, "What is a zeppelin?"), "The documents do not answer this.");
  memcpy(text, late, sizeof late - 1);
  assert_non_null(strstr(ask(f, "What is a zeppelin?"), "zeppelin is grey"));
  free(text);
}

static void test_extractive_generate__any_bytes(void **state) {
  fixture *f = *state;
  static const char alphabet[] = "lock wait. A\n`#-|*~1)!?\" \t\xE3\x80\x82\xFF:[](";
  uint32_t seed = 99;
  for (int round = 0; round < 1500; round++) {
    char text[200];
    for (size_t i = 0; i < sizeof text - 1; i++) {
      seed = seed * 1664525u + 1013904223u;
      text[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
    }
    text[seed % sizeof text] = '\0';
    text[sizeof text - 1] = '\0';
    f->request.source_count = 0;
    add_source(f, text, text);
    ask(f, "lock wait?");
    assert_int_equal(f->status, AIORCH_OK);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_extractive_generate__answers_with_sentences_and_their_markers),
      TEST(test_extractive_generate__costs_nothing_and_names_itself),
      TEST(test_extractive_generate__brings_the_code_that_a_sentence_promises),
      TEST(test_extractive_generate__brings_the_list_that_a_sentence_promises),
      TEST(test_extractive_generate__says_when_the_documents_do_not_answer),
      TEST(test_extractive_generate__answers_in_other_words),
      TEST(test_extractive_generate__what_is_far_is_no_answer),
      TEST(test_extractive_generate__words_are_enough_in_other_languages),
      TEST(test_extractive_generate__goes_on_without_meaning),
      TEST(test_extractive_generate__asks_for_few_sentences),
      TEST(test_extractive_generate__says_the_same_thing_once),
      TEST(test_extractive_generate__brings_the_sentence_that_it_leans_on),
      TEST(test_extractive_generate__cleans_the_marks_of_the_documents),
      TEST(test_extractive_generate__rows_of_tables),
      TEST(test_extractive_generate__entries_of_a_glossary),
      TEST(test_extractive_generate__how_long_is_no_question_about_length),
      TEST(test_extractive_generate__at_most_five_sentences),
      TEST(test_extractive_generate__keeps_to_the_token_limit),
      TEST(test_extractive_generate__a_follow_up_knows_the_turn_before),
      TEST(test_extractive_generate__reads_no_more_than_its_bound),
      TEST(test_extractive_generate__any_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
