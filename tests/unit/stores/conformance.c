/* The suite of conformance.h. Its parts share one program: they are included, not compiled by themselves. */
#include "stores/conformance.h"

#include <string.h>

static const int64_t T0 = 1763942400000; /* 2025-11-24 00:00 UTC */
static const int64_t HOUR = 3600000;

/* ---- calls ------------------------------------------------------------------------------------------------------ */

static void on_done(aio__op *op, void *ctx) {
  waiting *w = ctx;
  (void)op;
  pthread_mutex_lock(&w->mutex);
  w->done = true;
  pthread_cond_signal(&w->cond);
  pthread_mutex_unlock(&w->mutex);
}

static void waiting_init(waiting *w, int64_t deadline_ns) {
  assert_int_equal(pthread_mutex_init(&w->mutex, NULL), 0);
  assert_int_equal(pthread_cond_init(&w->cond, NULL), 0);
  w->done = false;
  aio__op_init(&w->op, deadline_ns, on_done, w);
}

/* How a call has ended, and the end of `w`. */
static aiorch_status waiting_end(waiting *w, aiorch_status status) {
  if (status == AIORCH_PENDING) {
    pthread_mutex_lock(&w->mutex);
    while (!w->done) pthread_cond_wait(&w->cond, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
    status = w->op.status;
  }
  pthread_cond_destroy(&w->cond);
  pthread_mutex_destroy(&w->mutex);
  if (status < 0) {
    assert_int_equal(w->op.error.status, status);
    assert_true(strlen(w->op.error.message) > 0);
  }
  return status;
}

#define CALL_UNTIL(f, deadline, group, function, ...)                                                                  \
  (waiting_init(&(f)->call, deadline),                                                                                 \
   waiting_end(&(f)->call, (f)->store->group->function((f)->store, &(f)->call.op, __VA_ARGS__)))
#define CALL(f, group, function, ...) CALL_UNTIL(f, AIO__NEVER, group, function, __VA_ARGS__)

int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  aio__test_alloc_init(&f->memory);
  aio__error_init(&f->call.op.error);
  assert_int_equal(aio__options_init(&f->options, &f->memory.al), AIORCH_OK);
  aio__arena_init(&f->arena, &f->memory.al, 4096);
  f->env = (aio__store_env){.al = &f->memory.al, .clock = aio__clock_system(), .options = &f->options};
  assert_int_equal(open_store(f), AIORCH_OK);
  *state = f;
  return 0;
}

int teardown(void **state) {
  fixture *f = *state;
  if (f->store != NULL) f->store->close(f->store);
  aio__arena_free(&f->arena);
  aio__options_free(&f->options);
  assert_int_equal(f->memory.live, 0);
  free(f);
  return 0;
}

#include "stores/conformance_knowledge.c"
#include "stores/conformance_runs.c"
#include "stores/conformance_cache.c"
#include "stores/conformance_vectors.c"
#include "stores/conformance_vectors_random.c"
#include "stores/conformance_near.c"
#include "stores/conformance_ledger.c"
#include "stores/conformance_tenants.c"

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest conformance_tests[] = {
  CASE(test_add__new_document_is_shown_whole),
  CASE(test_show__unknown_is_not_found),
  CASE(test_add__same_hash_changes_nothing),
  CASE(test_add__changed_document_is_replaced),
  CASE(test_add__chunk_beyond_the_text_is_refused),
  CASE(test_add__long_text_is_kept_byte_by_byte),
  CASE(test_add__document_without_chunks_is_kept),
  CASE(test_check__tells_whether_the_hash_is_the_same),
  CASE(test_remove__document_is_gone),
  CASE(test_list__pages_by_source),
  CASE(test_search__best_first),
  CASE(test_search__heading_weighs_more_than_text),
  CASE(test_search__odd_queries_find_nothing),
  CASE(test_search__forms_of_a_word),
  CASE(test_search__ends_at_the_limit),
  CASE(test_search__tells_how_often_each_term_stands),
  CASE(test_search__filters),
  CASE(test_search__filters_by_prefix),
  CASE(test_search__filters_by_range),
  CASE(test_search__names_the_nearest_anchor),
  CASE(test_search__parts_of_what_has_no_spaces),
  CASE(test_search__longer_parts_rank_higher),
  CASE(test_search__one_character),
  CASE(test_search__mixed_scripts),
  CASE(test_search__runs_are_replaced_and_removed),
  CASE(test_search__scores_know_nothing_of_other_tenants),
  CASE(test_fetch__in_the_order_of_the_ids),
  CASE(test_fetch__filters_by_prefix_and_range),
  CASE(test_unembedded__oldest_first_until_marked),
  CASE(test_lookup__gives_what_was_put),
  CASE(test_lookup__expired_is_not_found),
  CASE(test_lookup__clock_goes_back),
  CASE(test_put__repeated_changes_nothing),
  CASE(test_put__same_place_stays_unless_replaced),
  CASE(test_put__refused_when_a_document_has_moved_on),
  CASE(test_add_and_remove__drop_the_answers_they_fed),
  CASE(test_lookup__stale_after_knowledge_has_grown),
  CASE(test_revalidated__a_document_that_took_long),
  CASE(test_put__knowledge_as_of_the_retrieval),
  CASE(test_put__least_recently_used_goes),
  CASE(test_put__expired_goes_first),
  CASE(test_put__bounded_by_bytes),
  CASE(test_cache_list__newest_first_with_hits),
  CASE(test_invalidate__by_each_kind_of_tag),
  CASE(test_nearest__best_first),
  CASE(test_nearest__more_than_there_are),
  CASE(test_nearest__threshold),
  CASE(test_nearest__also),
  CASE(test_both__as_search_and_nearest),
  CASE(test_nearest__ties),
  CASE(test_mark_embedded__refuses_what_cannot_be_compared),
  CASE(test_nearest__refuses_what_cannot_be_compared),
  CASE(test_nearest__another_model),
  CASE(test_nearest__vectors_in_a_plugin),
  CASE(test_nearest__removed_document),
  CASE(test_nearest__replaced_document_keeps_what_is_the_same),
  CASE(test_mark_embedded__repeated_or_gone),
  CASE(test_nearest__filters_are_exact),
  CASE(test_forget_model__in_pieces),
  CASE(test_mark_embedded__models_come_and_go),
  CASE(test_unembedded__whatever_is_marked_first),
  CASE(test_nearest__as_a_full_scan_through_any_changes),
  CASE(test_nearest__while_another_writes),
  CASE(test_near__best_first_in_the_scope),
  CASE(test_near__scopes_that_begin_alike),
  CASE(test_near__only_what_may_be_given),
  CASE(test_near__another_model),
  CASE(test_read__as_its_own_question),
  CASE(test_read__counts_as_a_use),
  CASE(test_lookup__tells_of_neighbours),
  CASE(test_near__what_is_gone_is_not_found),
  CASE(test_put__a_vector_counts_in_bytes),
  CASE(test_put__refuses_a_vector_that_cannot_be_compared),
  CASE(test_cache_unembedded__oldest_first_until_marked),
  CASE(test_near__as_a_full_scan_through_any_changes),
  CASE(test_admit__exactly_the_limit),
  CASE(test_admit__without_constraints),
  CASE(test_admit__waiting_as_told_succeeds),
  CASE(test_admit__boundary_bursts),
  CASE(test_admit__limit_lowered_in_mid_window),
  CASE(test_admit__never),
  CASE(test_admit__all_constraints_or_none),
  CASE(test_admit__repeated_for_the_same_run),
  CASE(test_admit__clock_goes_back),
  CASE(test_settle__money_counts_as_it_was_spent),
  CASE(test_settle__what_broke_off_counts_at_least_as_reserved),
  CASE(test_settle__runs_are_not_money),
  CASE(test_settle__repeated_counts_once),
  CASE(test_attempt__pending_then_settled),
  CASE(test_expire__unknown_may_still_be_settled),
  CASE(test_costs__grouped),
  CASE(test_costs__sums_beyond_the_range),
  CASE(test_costs__sums_are_exact),
  CASE(test_stats__count_what_is_there),
  CASE(test_enter__looks_up_when_it_has_admitted),
  CASE(test_prune__what_is_old_of_all_tenants),
  CASE(test_admit__racing_threads),
  CASE(test_calls__from_several_threads),
  CASE(test_calls__after_the_deadline),
  CASE(test_tenants__canaries_never_surface),
  CASE(test_calls__out_of_memory),
};
enum { CONFORMANCE_TESTS = sizeof conformance_tests / sizeof conformance_tests[0] };
