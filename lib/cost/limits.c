/* The settings of limits and budgets as constraints for the ledger, which keeps them per tenant. */
#include "cost/limits.h"

#include <string.h>

#include "core/hash.h"

static const int64_t MS_PER_S = 1000;
static const int64_t REFUSED_WINDOW_MS = 3600 * 1000;

/* A user's name is data about a person, and of any length: the key holds its digest. */
static void subject_key(aio__constraint *c, const char *kind, aio__str user) {
  aio__sha256 hash;
  uint8_t digest[AIO__SHA256_SIZE];
  aio__sha256_init(&hash);
  aio__sha256_str(&hash, user);
  aio__sha256_end(&hash, digest);
  size_t n = strlen(kind);
  _Static_assert(sizeof c->key > sizeof "refused:user:" + 2 * AIO__SHA256_SIZE, "kind, digest and NUL fit");
  memcpy(c->key, kind, n);
  aio__hex(digest, sizeof digest, c->key + n);
}

/* Budgets admit by at least 1 nano-USD, so that one which is used up admits nothing, not even a run of unknown price.
 * */
static aio__constraint money(int64_t limit, int64_t window_s, int64_t amount, const char *setting) {
  return (aio__constraint){.kind = AIO__LIMIT_MONEY, .window_ms = window_s * MS_PER_S, .limit = limit,
                           .amount = amount > 1 ? amount : 1, .setting = setting};
}

size_t aio__limits_for_run(const aio__options *options, aio__str user, int64_t amount_nano_usd,
                           aio__constraint out[AIO__CONSTRAINTS_MAX]) {
  size_t n = 0;
  if (user.n > 0 && options->rate_requests > 0) {
    out[n] = (aio__constraint){.kind = AIO__LIMIT_RUNS, .window_ms = options->rate_window_s * MS_PER_S,
                               .limit = options->rate_requests, .amount = 1, .setting = "rate_limit.requests"};
    subject_key(&out[n++], "runs:user:", user);
  }
  if (user.n > 0 && options->budget_user > 0) {
    out[n] = money(options->budget_user, options->budget_window_s, amount_nano_usd, "budget.user_nano_usd");
    subject_key(&out[n++], "money:user:", user);
  }
  if (options->budget_tenant > 0) {
    out[n] = money(options->budget_tenant, options->budget_window_s, amount_nano_usd, "budget.tenant_nano_usd");
    memcpy(out[n++].key, "money:tenant", sizeof "money:tenant");
  }
  return n;
}

size_t aio__limits_for_refusal(const aio__options *options, aio__str user, aio__constraint out[AIO__CONSTRAINTS_MAX]) {
  if (user.n == 0 || options->rate_refused <= 0) return 0;
  out[0] = (aio__constraint){.kind = AIO__LIMIT_RUNS, .window_ms = REFUSED_WINDOW_MS, .limit = options->rate_refused,
                             .amount = 1, .setting = "rate_limit.refused"};
  subject_key(&out[0], "refused:user:", user);
  return 1;
}
