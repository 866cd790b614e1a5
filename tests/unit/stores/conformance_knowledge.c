/* Documents and search. A part of conformance.c. */
#include "stores/conformance.h"
#include "stores/fts_rank.h"

static const aio__str ACME = {"acme", 4};

/* A UUID-shaped id that says what it is for. */
/* A UUID, as the library makes them: a store may keep it in sixteen bytes. */
static const char *id_of(char out[AIO__UUID_LEN + 1], const char *kind, int n) {
  unsigned hash = 0;
  for (const char *c = kind; *c != '\0'; c++) hash = hash * 31 + (unsigned char)*c;
  snprintf(out, AIO__UUID_LEN + 1, "00000000-0000-7000-8000-%04x%08u", hash & 0xffff, (unsigned)n % 100000000u);
  return out;
}

typedef struct piece {
  const char *heading, *text;
} piece;

typedef struct result {
  int what;
  aio__str *removed;
  size_t removed_count;
} result;

enum { PIECES_MAX = 64 };

/* Adds a document whose chunks are the pieces, with ids from `number` on. */
static aiorch_status add_full(fixture *f, aio__str tenant, aio__store_document *d, const piece *pieces, size_t count,
                              int number, int64_t now_ms, result *out) {
  static char text[1 << 20];
  static char hashes[PIECES_MAX][32];
  aio__store_chunk chunks[PIECES_MAX];
  size_t n = 0;
  assert_true(count <= PIECES_MAX);
  memset(chunks, 0, sizeof chunks);
  memset(hashes, 0, sizeof hashes);
  for (size_t i = 0; i < count; i++) {
    size_t len = strlen(pieces[i].text);
    assert_true(n + len < sizeof text);
    memcpy(text + n, pieces[i].text, len);
    id_of(chunks[i].id, "chnk", number * 100 + (int)i);
    chunks[i].ordinal = (uint32_t)i;
    chunks[i].tokens = (uint32_t)len / 4;
    chunks[i].start = n;
    chunks[i].end = n += len;
    chunks[i].heading = aio__str_z(pieces[i].heading);
    snprintf(hashes[i], sizeof hashes[i], "%.12s|%.16s", pieces[i].heading, pieces[i].text);
    chunks[i].hash = (aio__str){hashes[i], sizeof hashes[i]};
  }
  d->text = (aio__str){text, n};
  if (d->id[0] == '\0') id_of(d->id, "docu", number);
  if (d->format == 0) d->format = AIORCH_FORMAT_PLAIN;
  return CALL(f, knowledge, add, tenant, d, chunks, count, now_ms, &f->arena, &out->what, &out->removed,
              &out->removed_count);
}

static const char *hash_of(const char *text) {
  static char hash[64][32];
  static int next;
  char *out = hash[next++ % 64];
  memset(out, '.', 32);
  memcpy(out, text, strlen(text) < 32 ? strlen(text) : 32);
  return out;
}

/* A document of one chunk; its hash is its text. */
static aio__store_document add_text(fixture *f, aio__str tenant, const char *source, const char *title,
                                    const char *text, int number, int64_t now_ms) {
  aio__store_document d = {.source = aio__str_z(source), .title = aio__str_z(title), .hash = {hash_of(text), 32}};
  piece one = {"", text};
  result r;
  assert_int_equal(add_full(f, tenant, &d, &one, 1, number, now_ms, &r), AIORCH_OK);
  return d;
}

static size_t search(fixture *f, aio__str tenant, const char *query, aio__found_chunk **out) {
  aio__search_args args = {.query = aio__str_z(query), .limit = 10};
  size_t n = 0;
  assert_int_equal(CALL(f, knowledge, search, tenant, &args, &f->arena, out, &n), AIORCH_OK);
  return n;
}

static void expect_str(aio__str got, const char *expected) {
  assert_int_equal(got.n, strlen(expected));
  assert_memory_equal(got.p, expected, got.n);
}

static void test_add__new_document_is_shown_whole(void **state) {
  fixture *f = *state;
  aio__pair pairs[] = {
    {AIO__LIT("lang"), AIO__LIT("en")}, {AIO__LIT("team"), AIO__LIT("")}, {AIO__LIT("lang"), AIO__LIT("de")}};
  aio__anchor anchors[] = {{0, AIO__LIT("top")}, {7, AIO__LIT("second")}};
  piece pieces[] = {{"A", "first. "}, {"A > B", "second."}};
  aio__store_document d = {.source = AIO__LIT("a.html"),
                           .title = AIO__LIT("T"),
                           .hash = {hash_of("1"), 32},
                           .metadata = pairs,
                           .metadata_count = 3,
                           .anchors = anchors,
                           .anchor_count = 2,
                           .format = AIORCH_FORMAT_MARKDOWN};
  aio__store_document got;
  result r;
  assert_int_equal(add_full(f, ACME, &d, pieces, 2, 1, T0, &r), AIORCH_OK);
  assert_int_equal(r.what, AIORCH_DOCUMENT_ADDED);
  assert_int_equal(r.removed_count, 0);
  assert_int_equal(d.version, 1);
  assert_int_equal(d.updated_ms, T0);
  assert_int_equal(CALL(f, knowledge, show, ACME, AIO__LIT("a.html"), &f->arena, &got), AIORCH_OK);
  expect_str(got.text, "first. second.");
  expect_str(got.source, "a.html");
  expect_str(got.title, "T");
  assert_string_equal(got.id, d.id);
  assert_int_equal(got.format, AIORCH_FORMAT_MARKDOWN);
  assert_int_equal(got.chunk_count, 2);
  assert_int_equal(got.bytes, 14);
  assert_int_equal(got.metadata_count, 3);
  expect_str(got.metadata[2].name, "lang");
  expect_str(got.metadata[2].value, "de");
  expect_str(got.metadata[1].value, "");
  assert_int_equal(got.anchor_count, 2);
  assert_int_equal(got.anchors[1].offset, 7);
  expect_str(got.anchors[1].name, "second");
  assert_int_equal(CALL(f, knowledge, show, ACME, aio__str_z(d.id), &f->arena, &got), AIORCH_OK);
  expect_str(got.source, "a.html");
}

static void test_show__unknown_is_not_found(void **state) {
  fixture *f = *state;
  aio__store_document got;
  assert_int_equal(CALL(f, knowledge, show, ACME, AIO__LIT("nothing"), &f->arena, &got), AIORCH_E_NOT_FOUND);
}

static void test_add__same_hash_changes_nothing(void **state) {
  fixture *f = *state;
  aio__store_document d = add_text(f, ACME, "a", "T", "one text", 1, T0), again = d;
  piece one = {"", "one text"};
  result r;
  id_of(again.id, "docu", 77);
  assert_int_equal(add_full(f, ACME, &again, &one, 1, 77, T0 + 5, &r), AIORCH_OK);
  assert_int_equal(r.what, AIORCH_DOCUMENT_UNCHANGED);
  assert_string_equal(again.id, d.id);
  assert_int_equal(again.version, 1);
  assert_int_equal(again.updated_ms, T0);
  assert_int_equal(again.chunk_count, 1);
}

static void test_add__changed_document_is_replaced(void **state) {
  fixture *f = *state;
  piece before[] = {{"H", "kangaroo "}, {"H", "wombat "}}, after[] = {{"H", "platypus "}, {"H", "kangaroo "}};
  aio__store_document d = {.source = AIO__LIT("a"), .title = AIO__LIT("T"), .hash = {hash_of("1"), 32}}, e = d;
  aio__found_chunk *found;
  result r;
  char id[AIO__UUID_LEN + 1];
  assert_int_equal(add_full(f, ACME, &d, before, 2, 1, T0, &r), AIORCH_OK);
  e.hash.p = hash_of("2");
  assert_int_equal(add_full(f, ACME, &e, after, 2, 2, T0 + 1, &r), AIORCH_OK);
  assert_int_equal(r.what, AIORCH_DOCUMENT_UPDATED);
  assert_string_equal(e.id, d.id);
  assert_int_equal(e.version, 2);
  assert_int_equal(r.removed_count, 1);
  expect_str(r.removed[0], id_of(id, "chnk", 101));
  assert_int_equal(search(f, ACME, "wombat", &found), 0);
  assert_int_equal(search(f, ACME, "platypus", &found), 1);
  assert_string_equal(found[0].chunk_id, id_of(id, "chnk", 200));
  assert_int_equal(found[0].document_version, 2);
  assert_int_equal(search(f, ACME, "kangaroo", &found), 1);
  assert_string_equal(found[0].chunk_id, id_of(id, "chnk", 100));
  expect_str(found[0].text, "kangaroo ");
  assert_int_equal(found[0].start, 9);
}

static void test_add__chunk_beyond_the_text_is_refused(void **state) {
  fixture *f = *state;
  aio__store_document d = {.source = AIO__LIT("a"), .text = AIO__LIT("abc"), .hash = {hash_of("1"), 32}};
  aio__store_chunk chunk = {.start = 2, .end = 4};
  result r;
  id_of(d.id, "docu", 1);
  assert_int_equal(CALL(f, knowledge, add, ACME, &d, &chunk, 1, T0, &f->arena, &r.what, &r.removed, &r.removed_count),
                   AIORCH_E_INVALID);
}

static void test_add__long_text_is_kept_byte_by_byte(void **state) {
  fixture *f = *state;
  static char text[200001];
  for (size_t i = 0; i < sizeof text - 1; i++) text[i] = (char)('a' + i * 7 % 23);
  memcpy(text + 65530, " echidna sits here ", 19);
  char piece_a[60001], *piece_b = text + 60000;
  memcpy(piece_a, text, 60000);
  piece_a[60000] = '\0';
  piece pieces[] = {{"", piece_a}, {"", piece_b}};
  aio__store_document d = {.source = AIO__LIT("long"), .hash = {hash_of("1"), 32}}, got;
  aio__found_chunk *found;
  result r;
  assert_int_equal(add_full(f, ACME, &d, pieces, 2, 1, T0, &r), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, show, ACME, AIO__LIT("long"), &f->arena, &got), AIORCH_OK);
  assert_int_equal(got.text.n, 200000);
  assert_memory_equal(got.text.p, text, 200000);
  assert_int_equal(search(f, ACME, "echidna", &found), 1);
  assert_int_equal(found[0].text.n, 140000);
  assert_memory_equal(found[0].text.p, piece_b, 140000);
}

static void test_add__document_without_chunks_is_kept(void **state) {
  fixture *f = *state;
  aio__store_document d = {.source = AIO__LIT("empty"), .hash = {hash_of("1"), 32}}, got;
  result r;
  assert_int_equal(add_full(f, ACME, &d, NULL, 0, 1, T0, &r), AIORCH_OK);
  d.hash.p = hash_of("2");
  assert_int_equal(add_full(f, ACME, &d, NULL, 0, 2, T0, &r), AIORCH_OK);
  assert_int_equal(r.what, AIORCH_DOCUMENT_UPDATED);
  assert_int_equal(CALL(f, knowledge, show, ACME, AIO__LIT("empty"), &f->arena, &got), AIORCH_OK);
  assert_int_equal(got.text.n, 0);
}

static void test_check__tells_whether_the_hash_is_the_same(void **state) {
  fixture *f = *state;
  aio__store_document d = add_text(f, ACME, "a", "T", "one text", 1, T0);
  aio__store_document ask = {.source = AIO__LIT("a"), .hash = d.hash};
  bool unchanged = false;
  assert_int_equal(CALL(f, knowledge, check, ACME, &ask, &unchanged), AIORCH_OK);
  assert_true(unchanged);
  assert_string_equal(ask.id, d.id);
  assert_int_equal(ask.version, 1);
  assert_int_equal(ask.updated_ms, T0);
  assert_int_equal(ask.chunk_count, 1);
  ask.hash.p = hash_of("other");
  assert_int_equal(CALL(f, knowledge, check, ACME, &ask, &unchanged), AIORCH_OK);
  assert_false(unchanged);
  ask.source = AIO__LIT("b");
  unchanged = true;
  assert_int_equal(CALL(f, knowledge, check, ACME, &ask, &unchanged), AIORCH_OK);
  assert_false(unchanged);
}

static void test_remove__document_is_gone(void **state) {
  fixture *f = *state;
  aio__str *removed;
  aio__found_chunk *found;
  aio__store_document got;
  size_t count = 0;
  char id[AIO__UUID_LEN + 1];
  add_text(f, ACME, "a", "T", "a quokka", 1, T0);
  add_text(f, ACME, "b", "T", "another quokka", 2, T0);
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("a"), T0, &f->arena, &removed, &count), AIORCH_OK);
  assert_int_equal(count, 1);
  expect_str(removed[0], id_of(id, "chnk", 100));
  assert_int_equal(search(f, ACME, "quokka", &found), 1);
  expect_str(found[0].source, "b");
  assert_int_equal(CALL(f, knowledge, show, ACME, AIO__LIT("a"), &f->arena, &got), AIORCH_E_NOT_FOUND);
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("a"), T0, &f->arena, &removed, &count),
                   AIORCH_E_NOT_FOUND);
  assert_int_equal(add_text(f, ACME, "a", "T", "a quokka", 3, T0).version, 1);
}

static void test_list__pages_by_source(void **state) {
  fixture *f = *state;
  aio__store_document *docs;
  size_t n = 0;
  add_text(f, ACME, "c", "C", "x", 1, T0);
  add_text(f, ACME, "a", "A", "x", 2, T0);
  add_text(f, ACME, "b", "B", "x", 3, T0);
  assert_int_equal(CALL(f, knowledge, list, ACME, AIO__LIT(""), 2, &f->arena, &docs, &n), AIORCH_OK);
  assert_int_equal(n, 2);
  expect_str(docs[0].source, "a");
  expect_str(docs[1].title, "B");
  assert_int_equal(docs[1].text.n, 0);
  assert_int_equal(docs[1].bytes, 1);
  assert_int_equal(CALL(f, knowledge, list, ACME, docs[1].source, 2, &f->arena, &docs, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  expect_str(docs[0].source, "c");
  assert_int_equal(CALL(f, knowledge, list, ACME, AIO__LIT("c"), 2, &f->arena, &docs, &n), AIORCH_OK);
  assert_int_equal(n, 0);
}

/* ---- search ----------------------------------------------------------------------------------------------------- */

static void test_search__best_first(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  add_text(f, ACME, "body", "Other", "some words about backups and many more words that say nothing", 1, T0);
  add_text(f, ACME, "title", "Backing up", "how to make backups of it, and of many other things as well", 2, T0);
  add_text(f, ACME, "none", "None", "nothing of the kind", 3, T0);
  assert_int_equal(search(f, ACME, "How do I make a backup?", &found), 2);
  expect_str(found[0].source, "title");
  assert_true(found[0].score > found[1].score);
  assert_true(found[1].score > 0);
}

static void test_search__heading_weighs_more_than_text(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  piece a[] = {{"Nothing", "vacuum is a word here and this is the rest"}},
        b[] = {{"Vacuum", "another word is in here and this is the rest"}};
  aio__store_document d = {.source = AIO__LIT("a"), .hash = {hash_of("1"), 32}},
                      e = {.source = AIO__LIT("b"), .hash = {hash_of("2"), 32}};
  result r;
  assert_int_equal(add_full(f, ACME, &d, a, 1, 1, T0, &r), AIORCH_OK);
  assert_int_equal(add_full(f, ACME, &e, b, 1, 2, T0, &r), AIORCH_OK);
  assert_int_equal(search(f, ACME, "vacuum", &found), 2);
  expect_str(found[0].source, "b");
  expect_str(found[0].heading, "Vacuum");
}

static void test_search__odd_queries_find_nothing(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  const char *const queries[] = {"",
                                 "   ",
                                 "\"",
                                 "* ^ NEAR( ) AND OR NOT",
                                 "'; DROP TABLE chunks; --",
                                 "title:",
                                 "\xff\xfe",
                                 "\xe2\x86\x92",
                                 "nobody",
                                 "{x} : y",
                                 "-"};
  add_text(f, ACME, "a", "T", "the wallaby hops", 1, T0);
  for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
    assert_int_equal(search(f, ACME, queries[i], &found), 0);
  assert_int_equal(search(f, ACME, "\"wallaby\" AND (NOT", &found), 1);
  assert_int_equal(search(f, ACME, "the", &found), 1);
}

static void test_search__forms_of_a_word(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  add_text(f, ACME, "a", "T", "Configuring the caf\xc3\xa9s of pg_hba.conf for replications of 200412", 1, T0);
  const char *const queries[] = {"configure", "cafe", "CAF\xc3\x89", "replication", "pg_hba.conf", "hba", "replic"};
  for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
    assert_int_equal(search(f, ACME, queries[i], &found), 1);
  assert_int_equal(search(f, ACME, "confusion", &found), 0);
  assert_int_equal(search(f, ACME, "200412", &found), 1);
  assert_int_equal(search(f, ACME, "2004", &found), 0); /* another number, not the beginning of one */
}

static void test_search__ends_at_the_limit(void **state) {
  fixture *f = *state;
  aio__search_args args = {.query = AIO__LIT("numbat"), .limit = 3};
  aio__found_chunk *found;
  size_t n = 0;
  char source[16];
  for (int i = 0; i < 8; i++) {
    snprintf(source, sizeof source, "s%d", i);
    add_text(f, ACME, source, "", i == 5 ? "numbat numbat" : "numbat and rest", i, T0);
  }
  assert_int_equal(CALL(f, knowledge, search, ACME, &args, &f->arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, 3);
  expect_str(found[0].source, "s5");
  args.limit = 0;
  assert_int_equal(CALL(f, knowledge, search, ACME, &args, &f->arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, 0);
}

/* A term counts as much as its fields weigh; what stands for another word is not counted as that. */
static void test_search__tells_how_often_each_term_stands(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  aio__fts_query terms;
  aio__search_args args = {.query = AIO__LIT("numbats quokka bilb"), .limit = 10, .terms = &terms};
  size_t n = 0;
  add_text(f, ACME, "a", "Numbat", "a numbat and its bilby, numbats", 1, T0);
  add_text(f, ACME, "b", "T", "bilby", 2, T0);
  aio__fts_query_parse(args.query, &terms);
  assert_int_equal(terms.n, 3);
  for (int lean = 0; lean < 2; lean++) {
    args.lean = lean == 1;
    assert_int_equal(CALL(f, knowledge, search, ACME, &args, &f->arena, &found, &n), AIORCH_OK);
    assert_int_equal(n, 2);
    expect_str(found[0].source, "a");
    assert_non_null(found[0].often);
    assert_int_equal(found[0].often[0], aio__fts_field_weight(AIO__FTS_TITLE) + 2 * aio__fts_field_weight(AIO__FTS_BODY));
    assert_int_equal(found[0].often[1], 0);
    assert_int_equal(found[0].often[2], 0);
    assert_int_equal(found[0].words, 7);
    expect_str(found[1].source, "b");
    assert_int_equal(found[1].often[0], 0);
    if (lean == 0 || found[1].text.p != NULL) expect_str(found[1].text, "bilby"); /* it may be left out, need not */
  }
}

static void add_with(fixture *f, const char *source, const char *lang, const char *team, int number) {
  aio__pair pairs[] = {{AIO__LIT("lang"), aio__str_z(lang)}, {AIO__LIT("team"), aio__str_z(team)}};
  aio__store_document d = {
    .source = aio__str_z(source), .hash = {hash_of(source), 32}, .metadata = pairs, .metadata_count = 2};
  piece one = {"", "bilby"};
  result r;
  assert_int_equal(add_full(f, ACME, &d, &one, 1, number, T0, &r), AIORCH_OK);
}

static size_t filtered(fixture *f, const aio__filter *filters, size_t count) {
  aio__search_args args = {.query = AIO__LIT("bilby"), .filters = filters, .filter_count = count, .limit = 10};
  aio__found_chunk *found;
  size_t n = 0;
  assert_int_equal(CALL(f, knowledge, search, ACME, &args, &f->arena, &found, &n), AIORCH_OK);
  return n;
}

static aio__filter is(const char *name, const char *value) {
  return (aio__filter){.name = aio__str_z(name), .kind = AIO__FILTER_IS, .value = aio__str_z(value)};
}

static void test_search__filters(void **state) {
  fixture *f = *state;
  add_with(f, "1", "en", "x", 1);
  add_with(f, "2", "de", "x", 2);
  add_with(f, "3", "fr", "y", 3);
  add_with(f, "4", "en", "y", 4);
  aio__filter en = is("lang", "en"), de = is("lang", "de"), x = is("team", "x"), no = is("lang", "it"),
              odd = is("other", "en");
  assert_int_equal(filtered(f, &en, 1), 2);
  assert_int_equal(filtered(f, (aio__filter[]){en, de}, 2), 3);
  assert_int_equal(filtered(f, (aio__filter[]){en, x, de}, 3), 2);
  assert_int_equal(filtered(f, (aio__filter[]){en, x}, 2), 1);
  assert_int_equal(filtered(f, &no, 1), 0);
  assert_int_equal(filtered(f, (aio__filter[]){en, odd}, 2), 0);
}

static aio__filter prefix(const char *name, const char *value) {
  return (aio__filter){aio__str_z(name), AIO__FILTER_PREFIX, aio__str_z(value), {NULL, 0}};
}

/* NULL: open. */
static aio__filter range(const char *name, const char *from, const char *to) {
  aio__filter filter = {.name = aio__str_z(name), .kind = AIO__FILTER_RANGE};
  if (from) filter.value = aio__str_z(from);
  if (to) filter.to = aio__str_z(to);
  return filter;
}

static size_t filtered_by(fixture *f, aio__filter filter) { return filtered(f, &filter, 1); }

static void test_search__filters_by_prefix(void **state) {
  fixture *f = *state;
  add_with(f, "1", "docs/a", "x", 1);
  add_with(f, "2", "docs/b", "x", 2);
  add_with(f, "3", "docs", "y", 3);
  add_with(f, "4", "doc/\xC3\xA9", "y", 4);
  add_with(f, "5", "", "y", 5);
  assert_int_equal(filtered_by(f, prefix("lang", "docs/")), 2);
  assert_int_equal(filtered_by(f, prefix("lang", "docs")), 3);
  assert_int_equal(filtered_by(f, prefix("lang", "docs/b")), 1);
  assert_int_equal(filtered_by(f, prefix("lang", "docs/b/")), 0);
  assert_int_equal(filtered_by(f, prefix("lang", "doc/\xC3\xA9")), 1);
  assert_int_equal(filtered_by(f, prefix("lang", "e")), 0);
  assert_int_equal(filtered_by(f, prefix("lang", "")), 5);
  assert_int_equal(filtered_by(f, prefix("other", "")), 0);
  assert_int_equal(filtered(f, (aio__filter[]){prefix("lang", "docs/"), is("lang", "")}, 2), 3);
  assert_int_equal(filtered(f, (aio__filter[]){prefix("lang", "doc"), is("team", "y")}, 2), 2);
}

static void test_search__filters_by_range(void **state) {
  fixture *f = *state;
  add_with(f, "1", "2023-12-31", "9", 1);
  add_with(f, "2", "2024-01-01", "10", 2);
  add_with(f, "3", "2024-05-31", "-2.5", 3);
  add_with(f, "4", "2025-01-01", "ten", 4);
  assert_int_equal(filtered_by(f, range("lang", "2024-01-01", "2024-12-31")), 2);
  assert_int_equal(filtered_by(f, range("lang", "2024", "2025")), 2);
  assert_int_equal(filtered_by(f, range("lang", NULL, "2024-01-01")), 2);
  assert_int_equal(filtered_by(f, range("lang", "2024-05-31", NULL)), 2);
  assert_int_equal(filtered_by(f, range("lang", "2025", "2024")), 0);
  assert_int_equal(filtered_by(f, range("team", "9", "10")), 2);
  assert_int_equal(filtered_by(f, range("team", "-3", "9.0")), 2);
  assert_int_equal(filtered_by(f, range("team", "10", NULL)), 2); /* "ten" lies behind "10" */
  assert_int_equal(filtered_by(f, range("team", NULL, "-2.50")), 1);
  assert_int_equal(filtered(f, (aio__filter[]){range("lang", "2024", NULL), range("team", "0", "9")}, 2), 0);
  assert_int_equal(filtered(f, (aio__filter[]){range("team", NULL, "0"), is("team", "ten")}, 2), 2);
}

static void test_fetch__filters_by_prefix_and_range(void **state) {
  fixture *f = *state;
  add_with(f, "1", "docs/a", "7", 1);
  add_with(f, "2", "blog/a", "70", 2);
  aio__found_chunk *found, fetched[2];
  assert_int_equal(search(f, ACME, "bilby", &found), 2);
  aio__str ids[2] = {aio__str_z(found[0].chunk_id), aio__str_z(found[1].chunk_id)};
  aio__filter docs = prefix("lang", "docs/"), high = range("team", "8", "100");
  assert_int_equal(CALL(f, knowledge, fetch, ACME, ids, 2, &docs, 1, &f->arena, fetched), AIORCH_OK);
  expect_str(fetched[0].source, "1");
  assert_int_equal(fetched[1].chunk_id[0], 0);
  assert_int_equal(CALL(f, knowledge, fetch, ACME, ids, 2, &high, 1, &f->arena, fetched), AIORCH_OK);
  assert_int_equal(fetched[0].chunk_id[0], 0);
  expect_str(fetched[1].source, "2");
}

static void test_search__names_the_nearest_anchor(void **state) {
  fixture *f = *state;
  aio__anchor anchors[] = {{3, AIO__LIT("one")}, {12, AIO__LIT("two")}};
  piece pieces[] = {{"", "before "}, {"", "after thylacine "}, {"", "last devil"}};
  aio__store_document d = {.source = AIO__LIT("a"), .hash = {hash_of("1"), 32}, .anchors = anchors, .anchor_count = 2};
  aio__found_chunk *found;
  result r;
  assert_int_equal(add_full(f, ACME, &d, pieces, 3, 1, T0, &r), AIORCH_OK);
  assert_int_equal(search(f, ACME, "before", &found), 1);
  expect_str(found[0].anchor, "");
  assert_int_equal(search(f, ACME, "thylacine", &found), 1);
  expect_str(found[0].anchor, "one");
  assert_int_equal(search(f, ACME, "devil", &found), 1);
  expect_str(found[0].anchor, "two");
  assert_int_equal(found[0].ordinal, 2);
}

static void test_search__scores_know_nothing_of_other_tenants(void **state) {
  fixture *f = *state;
  aio__found_chunk *found;
  add_text(f, ACME, "a", "T", "rare dingo words", 1, T0);
  add_text(f, ACME, "b", "T", "common words", 2, T0);
  assert_int_equal(search(f, ACME, "dingo words", &found), 2);
  double first = found[0].score, second = found[1].score;
  char source[16];
  for (int i = 0; i < 20; i++) {
    snprintf(source, sizeof source, "s%d", i);
    add_text(f, AIO__LIT("other"), source, "dingo", "dingo dingo dingo and much more of it, on and on", i, T0);
  }
  assert_int_equal(search(f, ACME, "dingo words", &found), 2);
  assert_true(found[0].score >= first && found[0].score <= first);
  assert_true(found[1].score >= second && found[1].score <= second);
}

static void test_fetch__in_the_order_of_the_ids(void **state) {
  fixture *f = *state;
  aio__found_chunk found[3];
  char a[AIO__UUID_LEN + 1], b[AIO__UUID_LEN + 1];
  add_with(f, "1", "en", "x", 1);
  add_with(f, "2", "de", "x", 2);
  aio__str ids[] = {aio__str_z(id_of(b, "chnk", 200)), AIO__LIT("no such id"), aio__str_z(id_of(a, "chnk", 100))};
  aio__filter en = is("lang", "en");
  assert_int_equal(CALL(f, knowledge, fetch, ACME, ids, 3, NULL, 0, &f->arena, found), AIORCH_OK);
  assert_string_equal(found[0].chunk_id, b);
  assert_string_equal(found[1].chunk_id, "");
  assert_string_equal(found[2].chunk_id, a);
  expect_str(found[2].text, "bilby");
  assert_int_equal(CALL(f, knowledge, fetch, ACME, ids, 3, &en, 1, &f->arena, found), AIORCH_OK);
  assert_string_equal(found[0].chunk_id, "");
  assert_string_equal(found[2].chunk_id, a);
  assert_int_equal(CALL(f, knowledge, fetch, ACME, NULL, 0, NULL, 0, &f->arena, found), AIORCH_OK);
}

static void test_unembedded__oldest_first_until_marked(void **state) {
  fixture *f = *state;
  aio__unembedded *chunks;
  size_t n = 0;
  uint64_t left = 0;
  char id[AIO__UUID_LEN + 1];
  aio__str model = AIO__LIT("model-1");
  piece pieces[] = {{"H", "one"}, {"", "two"}};
  aio__store_document d = {.source = AIO__LIT("z"), .title = AIO__LIT("T"), .hash = {hash_of("1"), 32}};
  result r;
  assert_int_equal(add_full(f, ACME, &d, pieces, 2, 1, T0, &r), AIORCH_OK);
  add_text(f, ACME, "a", "", "three", 2, T0);
  assert_int_equal(CALL(f, knowledge, unembedded, ACME, model, 2, &f->arena, &chunks, &n, &left), AIORCH_OK);
  assert_int_equal(n, 2);
  assert_int_equal(left, 3);
  assert_string_equal(chunks[0].chunk_id, id_of(id, "chnk", 100));
  expect_str(chunks[0].text, "T: H\none");
  expect_str(chunks[1].text, "T\ntwo");
  aio__str ids[] = {aio__str_z(chunks[0].chunk_id), AIO__LIT("gone meanwhile")};
  assert_int_equal(CALL(f, knowledge, mark_embedded, ACME, &(aio__vectors){.fingerprint = model}, ids, 2), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, mark_embedded, ACME, &(aio__vectors){.fingerprint = model}, ids, 2), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, unembedded, ACME, model, 9, &f->arena, &chunks, &n, &left), AIORCH_OK);
  assert_int_equal(n, 2);
  assert_int_equal(left, 2);
  expect_str(chunks[1].text, "three");
  assert_int_equal(CALL(f, knowledge, unembedded, ACME, AIO__LIT("model-2"), 9, &f->arena, &chunks, &n, &left),
                   AIORCH_OK);
  assert_int_equal(n, 3);
  /* A chunk that stays the same keeps its mark, one that goes takes it along. */
  piece changed[] = {{"", "new two"}, {"H", "one"}};
  d.hash.p = hash_of("2");
  assert_int_equal(add_full(f, ACME, &d, changed, 2, 3, T0, &r), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, unembedded, ACME, model, 9, &f->arena, &chunks, &n, &left), AIORCH_OK);
  assert_int_equal(left, 2);
  expect_str(chunks[1].text, "T\nnew two");
}
