/* The knowledge and cache ops of the PostgreSQL store where others are at them at the same time, and its ranks beside those of the memory
 * store. (label: threads) */
#include "stores/conformance.c"

#include "stores/postgres_rows.h"
#include "stores/postgres_store.c"

aiorch_status open_store(fixture *f) {
  empty_tables();
  set_text(f, "postgres.clock", "caller");
  return open_url(f, variable("AIORCH_TEST_POSTGRES"));
}

/* ---- races --------------------------------------------------------------------------------------------------------------------- */

enum { RIVALS = 4, ROUNDS = 12 };

/* One of several handles that do the same thing at the same time. */
typedef struct rival {
  fixture f;
  int number, won;
  aiorch_status failed;
  const char *words; /* of the failure */
} rival;

static void note_status(rival *r, aiorch_status status) {
  if (status >= 0 || r->failed != AIORCH_OK) return;
  r->failed = status;
  r->words = r->f.call.op.error.message;
}

static aiorch_status add_one(rival *r, const char *source, const char *text, const char *hash, int number, int *what) {
  aio__store_document d = {.source = aio__str_z(source), .title = AIO__LIT("T"), .text = aio__str_z(text), .hash = {hash, 32}, .format = 1};
  aio__store_chunk chunk = {.end = d.text.n, .tokens = 1, .heading = AIO__LIT("H"), .hash = d.hash};
  aio__str *removed = NULL;
  size_t n = 0;
  id_of(d.id, "docu", number);
  id_of(chunk.id, "chnk", number);
  return CALL(&r->f, knowledge, add, ACME, &d, &chunk, 1, T0, &r->f.arena, what, &removed, &n);
}

static void run_rivals(fixture *f, void *(*body)(void *), rival rivals[RIVALS]) {
  pthread_t threads[RIVALS];
  for (int i = 0; i < RIVALS; i++) {
    rivals[i] = (rival){.f = {.env = f->env}, .number = i};
    aio__error_init(&rivals[i].f.call.op.error);
    aio__arena_init(&rivals[i].f.arena, &f->memory.al, 4096);
    assert_int_equal(open_url(&rivals[i].f, variable(i % 2 == 0 ? "AIORCH_TEST_POSTGRES" : "AIORCH_TEST_POSTGRES_PGBOUNCER")), AIORCH_OK);
  }
  for (int i = 0; i < RIVALS; i++) assert_int_equal(pthread_create(&threads[i], NULL, body, &rivals[i]), 0);
  for (int i = 0; i < RIVALS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (int i = 0; i < RIVALS; i++) {
    if (rivals[i].failed != AIORCH_OK) fail_msg("rival %d: %d %s", i, rivals[i].failed, rivals[i].words);
    close_store(&rivals[i].f);
    aio__arena_free(&rivals[i].f.arena);
  }
}

/* What the tenant's row says is what is there. */
static void expect_counts_agree(void) {
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.tenants t WHERE"
                                " documents <> (SELECT count(*) FROM aiorch.documents d WHERE d.tenant_id = t.tenant_id)"
                                " OR chunks <> (SELECT count(*) FROM aiorch.chunks c WHERE c.tenant_id = t.tenant_id)"
                                " OR words <> (SELECT coalesce(sum(word_count), 0) FROM aiorch.chunks c WHERE c.tenant_id = t.tenant_id)"
                                " OR text_bytes <> (SELECT coalesce(sum(bytes), 0) FROM aiorch.documents d WHERE d.tenant_id = t.tenant_id)"
                                " OR cache_rows <> (SELECT count(*) FROM aiorch.semantic_cache e WHERE e.tenant_id = t.tenant_id)"
                                " OR cache_bytes <> (SELECT coalesce(sum(bytes), 0) FROM aiorch.semantic_cache e"
                                "                    WHERE e.tenant_id = t.tenant_id)"),
                   0);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.tenant_models t WHERE"
                                " chunks <> (SELECT count(*) FROM aiorch.chunk_vectors v WHERE v.tenant_id = t.tenant_id AND v.model = t.model)"
                                " OR entries <> (SELECT count(*) FROM aiorch.entry_vectors v"
                                "                WHERE v.tenant_id = t.tenant_id AND v.model = t.model)"),
                   0);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.cache_sources s LEFT JOIN aiorch.documents d USING (tenant_id)"
                                " WHERE d.id = s.document_id AND d.version <> s.version"),
                   0);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.cache_sources s WHERE NOT EXISTS"
                                " (SELECT FROM aiorch.documents d WHERE d.tenant_id = s.tenant_id AND d.id = s.document_id)"),
                   0);
}

static void *add_the_same(void *ctx) {
  rival *r = ctx;
  for (int round = 0; round < ROUNDS; round++) {
    char source[16], hash[33];
    int what = 0;
    snprintf(source, sizeof source, "s%d", round);
    snprintf(hash, sizeof hash, "%-32d", round);
    note_status(r, add_one(r, source, "the same text", hash, 1000 * r->number + round, &what));
    r->won += what == AIORCH_DOCUMENT_ADDED;
  }
  return NULL;
}

static void test_add__the_same_document_from_several_handles(void **state) {
  fixture *f = *state;
  rival rivals[RIVALS];
  int won = 0;
  run_rivals(f, add_the_same, rivals);
  for (int i = 0; i < RIVALS; i++) won += rivals[i].won;
  assert_int_equal(won, ROUNDS);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.documents"), ROUNDS);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.chunks"), ROUNDS);
  assert_int_equal(admin_number("SELECT knowledge FROM aiorch.tenants"), ROUNDS);
  expect_counts_agree();
}

static void *put_the_same(void *ctx) {
  rival *r = ctx;
  for (int round = 0; round < ROUNDS; round++) {
    char query[16], key[33];
    bool stored = false;
    snprintf(query, sizeof query, "q%d", round);
    snprintf(key, sizeof key, "%-32d", round);
    aio__cache_entry e = {.scope = {SCOPE, 32}, .key = {key, 32}, .query = aio__str_z(query), .answer = AIO__LIT("a"),
                          .sources = AIO__LIT("[]"), .chunks = {key, 32}, .provider = AIO__LIT("p"), .model = AIO__LIT("m"),
                          .created_ms = T0, .expires_ms = T0 + HOUR, .knowledge = 1};
    id_of(e.id, "cach", 1000 * r->number + round);
    note_status(r, CALL(&r->f, cache, put, ACME, &e, &ROOMY, T0, &stored));
    r->won += stored;
  }
  return NULL;
}

static void test_put__the_same_key_from_several_handles(void **state) {
  fixture *f = *state;
  rival rivals[RIVALS];
  int won = 0;
  run_rivals(f, put_the_same, rivals);
  for (int i = 0; i < RIVALS; i++) won += rivals[i].won;
  assert_int_equal(won, ROUNDS);
  assert_int_equal(admin_number("SELECT count(*) FROM aiorch.semantic_cache"), ROUNDS);
  expect_counts_agree();
}

/* Each of the calls that change something, in an order of each rival's own. */
static void change_something(rival *r, uint32_t *seed, int number) {
  char source[16], hash[33], key[33];
  int what = 0;
  bool flag = false;
  uint64_t gone = 0;
  size_t n = 0;
  aio__str *removed = NULL;
  float row[DIM];
  char id[AIO__UUID_LEN + 1];
  snprintf(source, sizeof source, "s%u", roll(seed, 3));
  snprintf(hash, sizeof hash, "%-32d", number);
  snprintf(key, sizeof key, "%-32u", roll(seed, 5));
  vector_of((unsigned)number, row);
  aio__vectors vectors = {MODEL, DIM, row};
  switch (roll(seed, 7)) {
  case 0:
  case 1:
    note_status(r, add_one(r, source, "some words that change", hash, number, &what));
    break;
  case 2: {
    aiorch_status status = CALL(&r->f, knowledge, remove, ACME, aio__str_z(source), T0, &r->f.arena, &removed, &n);
    if (status != AIORCH_E_NOT_FOUND) note_status(r, status);
    break;
  }
  case 3: {
    aio__store_document *docs = NULL;
    note_status(r, CALL(&r->f, knowledge, list, ACME, AIO__LIT(""), 9, &r->f.arena, &docs, &n));
    aio__cache_source on = {.version = n > 0 ? docs[0].version : 1};
    memcpy(on.document_id, n > 0 ? docs[0].id : id_of(id, "docu", 1), sizeof on.document_id);
    aio__cache_entry e = {.scope = {SCOPE, 32}, .key = {key, 32}, .query = AIO__LIT("q"), .answer = AIO__LIT("a"), .sources = AIO__LIT("[]"),
                          .chunks = {hash, 32}, .provider = AIO__LIT("p"), .model = AIO__LIT("m"), .created_ms = T0,
                          .expires_ms = T0 + HOUR, .knowledge = 1, .rests_on = &on, .rests_on_count = 1, .vector = &vectors};
    aio__cache_limits three = {3, 1 << 20, 1};
    id_of(e.id, "cach", number);
    note_status(r, CALL(&r->f, cache, put, ACME, &e, &three, T0, &flag));
    break;
  }
  case 4: {
    aio__cache_entry got;
    note_status(r, CALL(&r->f, cache, lookup, ACME, ((aio__str){SCOPE, 32}), ((aio__str){key, 32}), T0, &r->f.arena, &got, &flag));
    break;
  }
  case 5: {
    aio__unembedded *todo = NULL;
    uint64_t left = 0;
    note_status(r, CALL(&r->f, knowledge, unembedded, ACME, MODEL, 1, &r->f.arena, &todo, &n, &left));
    aio__str chunk = n > 0 ? aio__str_z(todo[0].chunk_id) : AIO__LIT("none");
    note_status(r, CALL(&r->f, knowledge, mark_embedded, ACME, &vectors, &chunk, 1));
    break;
  }
  default:
    note_status(r, roll(seed, 2) == 0 ? CALL(&r->f, cache, invalidate, ACME, aio__str_z(source), &gone)
                                      : CALL(&r->f, knowledge, forget_model, ACME, MODEL, 2, &n));
  }
}

static void *change_anything(void *ctx) {
  rival *r = ctx;
  uint32_t seed = (uint32_t)r->number + 1;
  for (int i = 0; i < 60; i++) change_something(r, &seed, 1000 * (r->number + 1) + i);
  return NULL;
}

static void test_calls__any_changes_from_several_handles(void **state) {
  fixture *f = *state;
  rival rivals[RIVALS];
  run_rivals(f, change_anything, rivals);
  expect_counts_agree();
}

/* ---- ranks --------------------------------------------------------------------------------------------------------------------- */

static const char *const TEXTS[] = {
  "The vacuum command gives space back, and vacuum again gives more of it.",
  "Backups are written with pg_dump. A backup of postgresql.conf is worth having.",
  "Replication sends what was written to another server, which replays it.",
  "東京都の人口。バックアップはpg_dumpで取る。",
  "A very long text about nothing much, in which words stand that others have, too: space, server, backup, command, and the caf\xc3\xa9.",
  "configuring configured configures configuration",
};

/* The same chunks in the same order with the same scores as a store that ranks by fts_rank.h. (Of words that stand for longer ones no two
 * stores have the same score.) */
static void test_search__ranks_as_the_memory_store_does(void **state) {
  fixture *f = *state;
  fixture other = {.env = f->env};
  static const char *const queries[] = {"vacuum",        "How do I back up the server?", "pg_dump", "postgresql.conf backup",
                                        "東京",          "都",                           "café space",             "words about nothing",
                                        "restore a dump", "の"};
  aio__error_init(&other.call.op.error);
  aio__arena_init(&other.arena, &f->memory.al, 4096);
  assert_int_equal(aio__store_memory_open(&other.env, &other.store, NULL), AIORCH_OK);
  for (int i = 0; i < 30; i++) {
    char source[16];
    snprintf(source, sizeof source, "s%d", i);
    const char *title = i % 3 == 0 ? "Backup and space" : i % 3 == 1 ? "" : "The server";
    for (int k = 0; k < 2; k++)
      add_text(k == 0 ? f : &other, ACME, source, title, TEXTS[(size_t)i % (sizeof TEXTS / sizeof TEXTS[0])], i, T0);
  }
  for (size_t q = 0; q < sizeof queries / sizeof queries[0]; q++) {
    aio__found_chunk *ours, *theirs;
    size_t n = search(f, ACME, queries[q], &ours);
    assert_int_equal(search(&other, ACME, queries[q], &theirs), n);
    for (size_t i = 0; i < n; i++) {
      if (fabs(ours[i].score - theirs[i].score) > 1e-9 * (1 + theirs[i].score))
        fail_msg("\"%s\" %zu: %.12f is not %.12f", queries[q], i, ours[i].score, theirs[i].score);
      assert_string_equal(ours[i].chunk_id, theirs[i].chunk_id);
      assert_non_null(ours[i].often);
    }
  }
  other.store->close(other.store);
  aio__arena_free(&other.arena);
}

/* The best come with their texts all the same, which spares another call. */
static void test_search__lean_leaves_the_text_out(void **state) {
  fixture *f = *state;
  aio__search_args args = {.query = AIO__LIT("wombat in a title"), .limit = 100, .lean = true};
  aio__found_chunk *found;
  size_t n = 0;
  add_text(f, ACME, "a", "A wombat", "wombat and wombat", 1, T0);
  for (int i = 0; i < AIO__PG_TEXTS_WITH_LEAN; i++) {
    char source[16];
    snprintf(source, sizeof source, "s%d", i);
    add_text(f, ACME, source, "T", "a wombat", 2 + i, T0);
  }
  assert_int_equal(CALL(f, knowledge, search, ACME, &args, &f->arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, AIO__PG_TEXTS_WITH_LEAN + 1);
  expect_str(found[0].text, "wombat and wombat");
  expect_str(found[AIO__PG_TEXTS_WITH_LEAN - 1].text, "a wombat");
  assert_null(found[AIO__PG_TEXTS_WITH_LEAN].text.p);
  assert_int_equal(found[0].often[0], 7); /* five for the title, two in the text */
  assert_int_equal(found[0].often[1], 0);
  assert_int_equal(found[0].words, 5);
}

/* ---- calls that travel together -------------------------------------------------------------------------------------------------- */

enum { CROWD = 24, CROWD_CALLS = 20, CROWD_LIMIT = 100 };

static const char KEYS[3][33] = {"the key of thirty-two bytes, one", "the key of thirty-two bytes, two", "the key of thirty-two bytes, 3rd"};

typedef struct member {
  fixture *f;
  const aio__cache_entry *first;
  int number, admitted, found;
  aiorch_error failed;
} member;

static void note_end(member *m, waiting *w, aiorch_status status) {
  status = waiting_end(w, status);
  if (status < 0 && m->failed.status >= 0) aio__error_copy(&m->failed, &w->op.error);
}

/* Admitted, with and without a lookup of an answer that is there, settled, and an answer kept. */
static void *live(void *ctx) {
  member *m = ctx;
  aio__store *store = m->f->store;
  for (int i = 0; i < CROWD_CALLS; i++) {
    aio__constraint c[] = {runs_limit("hot", CROWD_LIMIT, 1000 * HOUR), runs_limit("wide", 100000, HOUR)};
    aio__arena arena;
    aio__cache_entry kept = *m->first, got;
    aio__admission out = {0};
    aio__run_row run = run_of(m->number * 1000 + i, 5, T0);
    bool found = false, stored;
    aio__cache_ask wanted = {.scope = m->first->scope, .key = m->first->key, .arena = &arena, .entry = &got, .found = &found};
    waiting w;
    id_of(kept.id, "cach", 100 + m->number * CROWD_CALLS + i);
    kept.key = (aio__str){KEYS[1 + m->number % 2], 32};
    waiting_init(&w, AIO__NEVER);
    aio__arena_init(&arena, m->f->env.al, 512);
    if (m->number % 3 == 0)
      note_end(m, &w, store->ledger->admit(store, &w.op, ACME, aio__str_z(run.id), c, 1 + (size_t)i % 2, T0, &out));
    else
      note_end(m, &w, store->ledger->enter(store, &w.op, ACME, aio__str_z(run.id), c, 1, &wanted, T0, &out));
    m->admitted += out.admitted;
    m->found += found;
    waiting_init(&w, AIO__NEVER);
    note_end(m, &w, store->ledger->settle(store, &w.op, ACME, &run, NULL, 0));
    waiting_init(&w, AIO__NEVER);
    note_end(m, &w, store->cache->put(store, &w.op, ACME, &kept, &ROOMY, T0, &stored));
    aio__arena_free(&arena);
  }
  return NULL;
}

static void crowd(fixture *f, const char *limiter) {
  static member members[CROWD];
  pthread_t threads[CROWD];
  int admitted = 0, found = 0, most = 0;
  aio__store_stats stats;
  aio__cache_entry e = entry_of(1, "q", "a", NULL);
  e.key = e.chunks = (aio__str){KEYS[0], 32}; /* what hash_of gives belongs to one thread */
  close_store(f);
  set_text(f, "postgres.clock", "server");
  set_text(f, "postgres.limiter", limiter);
  empty_tables();
  assert_int_equal(open_url(f, variable("AIORCH_TEST_POSTGRES")), AIORCH_OK);
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  for (int i = 0; i < CROWD; i++) {
    members[i] = (member){.f = f, .first = &e, .number = i};
    aio__error_init(&members[i].failed);
    assert_int_equal(pthread_create(&threads[i], NULL, live, &members[i]), 0);
  }
  for (int i = 0; i < CROWD; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    if (members[i].failed.status < 0) fail_msg("%s", members[i].failed.message);
    admitted += members[i].admitted;
    found += members[i].found;
    most += i % 3 == 0 ? 0 : members[i].admitted;
  }
  assert_int_equal(admitted, CROWD_LIMIT);
  assert_int_equal(found, most); /* whoever was admitted found it, nobody else looked */
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(stats.runs, CROWD * CROWD_CALLS);
  assert_int_equal(stats.cost_nano_usd, CROWD * CROWD_CALLS * 5);
  assert_int_equal(stats.cache_entries, 3);
}

static void test_calls__together_by_the_log(void **state) {
  crowd(*state, "log");
}

static void test_calls__together_by_rate(void **state) {
  crowd(*state, "rate");
}

static void add_in(fixture *f, const char *source, const char *language, const char *text, int number) {
  aio__pair pair = {AIO__LIT("language"), aio__str_z(language)};
  aio__store_document d = {.source = aio__str_z(source), .hash = {hash_of(source), 32}, .metadata = &pair, .metadata_count = 1};
  piece one = {"", text};
  result r;
  assert_int_equal(add_full(f, ACME, &d, &one, 1, number, T0, &r), AIORCH_OK);
}

/* Words of a document that says which language it is in are stemmed as in that one. */
static void test_search__a_language_a_document(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  add_in(f, "de", "de-AT", "Die Häuser der Stadt haben viele Fenster.", 1);
  add_in(f, "fr", "French", "Les chevaux galopaient vers la mer.", 2);
  add_in(f, "en", "en", "The houses of the town have windows.", 3);
  assert_int_equal(search(f, ACME, "Haus", &found), 1);
  expect_str(found[0].source, "de");
  assert_int_equal(search(f, ACME, "galoper", &found), 1);
  expect_str(found[0].source, "fr");
  assert_int_equal(found[0].often[0], 1);
  assert_int_equal(search(f, ACME, "house", &found), 1);
  expect_str(found[0].source, "en");
  assert_int_equal(search(f, ACME, "windows Fenster", &found), 2);
  add_in(f, "galop", "fr", "Il galope.", 4);
  assert_int_equal(search(f, ACME, "galopait", &found), 2); /* both count */
  assert_int_equal(admin_number("SELECT cardinality(languages) FROM aiorch.tenants"), 2);
}

/* A lexeme has at most 255 positions. */
static void test_search__a_word_that_is_everywhere(void **state) {
  fixture *f = *state;
  static char text[6 * 1000 + 1];
  aio__found_chunk *found;
  for (int i = 0; i < 1000; i++) memcpy(text + i * 6, "emu's ", 6);
  add_text(f, ACME, "a", "", text, 1, T0);
  assert_int_equal(search(f, ACME, "emu", &found), 1);
  assert_int_equal(found[0].often[0], 255);
  assert_int_equal(found[0].words, 2000);
}

/* ---- an index of vectors -------------------------------------------------------------------------------------------------------- */

/* The index gives what comparing all gives, with the tenant's own and nobody else's. */
static void test_nearest__through_the_index(void **state) {
  enum { DOCS = 60 };
  fixture *f = *state;
  aio__found_chunk *found;
  float row[DIM], query[DIM];
  static const char *const names[] = {"acme", "other"};
  admin("SET search_path = aiorch, public; SELECT aiorch.embedding_index('model-1', 20)", NULL);
  admin("ALTER ROLE app SET aiorch.exact_up_to = '0'", NULL);
  close_store(f);
  assert_int_equal(open_url(f, variable("AIORCH_TEST_POSTGRES")), AIORCH_OK);
  for (int t = 0; t < 2; t++)
    for (int i = 0; i < DOCS; i++) {
      char source[16];
      snprintf(source, sizeof source, "s%d", i);
      add_text(f, aio__str_z(names[t]), source, "T", names[t], 100 * t + i, T0);
      vector_of((unsigned)i, row);
      mark(f, aio__str_z(names[t]), MODEL, (100 * t + i) * 100, row);
    }
  for (unsigned q = 0; q < 10; q++) {
    size_t n = 0;
    vector_of(1u << 30 | q, query);
    double best = -1;
    for (unsigned i = 0; i < DOCS; i++) {
      vector_of(i, row);
      if (cosine_of(query, row) > best) best = cosine_of(query, row);
    }
    assert_int_equal(try_nearest(f, ACME, MODEL, query, 10, &found, &n), AIORCH_OK);
    assert_int_equal(n, 10);
    expect_near(found[0].similarity, best);
    for (size_t i = 0; i < n; i++) expect_str(found[i].text, "acme");
    for (size_t i = 1; i < n; i++) assert_true(found[i - 1].similarity >= found[i].similarity);
  }
  admin("ALTER ROLE app RESET aiorch.exact_up_to", NULL);
  admin("DROP INDEX aiorch.chunk_vectors_near_1", NULL);
}

int main(int argc, char **argv) {
  static const struct CMUnitTest tests[] = {
    CASE(test_add__the_same_document_from_several_handles),
    CASE(test_put__the_same_key_from_several_handles),
    CASE(test_calls__any_changes_from_several_handles),
    CASE(test_search__ranks_as_the_memory_store_does),
    CASE(test_search__lean_leaves_the_text_out),
    CASE(test_calls__together_by_the_log),
    CASE(test_calls__together_by_rate),
    CASE(test_search__a_language_a_document),
    CASE(test_search__a_word_that_is_everywhere),
    CASE(test_nearest__through_the_index),
  };
  (void)conformance_tests;
  need_server_with(argv, "--schema=aiorch");
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
