-- ledger.db: who was admitted, what was asked of providers, what it has cost. A settled row is on the disk
-- before its call ends; admissions and pending attempts survive the death of the process.

-- The sliding log: what stands under a key counts from at_ms until its window has passed.
CREATE TABLE admissions (
  no INTEGER PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  key TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  kind INTEGER NOT NULL,                   -- 0 runs, 1 money in nano-USD
  run_id TEXT NOT NULL,
  expires_ms INTEGER NOT NULL              -- after which nobody asks for it any more
);
CREATE INDEX admissions_in_window ON admissions (tenant_id, key, at_ms, amount);
CREATE INDEX admissions_by_run ON admissions (tenant_id, run_id);
CREATE INDEX admissions_by_expiry ON admissions (expires_ms);

CREATE TABLE ai_api_calls (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  status INTEGER NOT NULL,
  cache INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  cache_write_1h_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  estimated INTEGER NOT NULL,
  cost_nano_usd INTEGER,                   -- NULL: a price is unknown
  created_ms INTEGER NOT NULL,
  duration_us INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
CREATE INDEX ai_api_calls_by_time ON ai_api_calls (tenant_id, created_ms);

-- state: 0 pending (sent, not ended), 1 settled, 2 unknown (its lease ran out).
CREATE TABLE ai_attempts (
  tenant_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  id TEXT NOT NULL,
  state INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  status INTEGER NOT NULL,
  http_status INTEGER NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  request_id TEXT NOT NULL,
  input_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  cache_write_1h_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  estimated INTEGER NOT NULL,
  cost_nano_usd INTEGER,
  created_ms INTEGER NOT NULL,
  duration_us INTEGER NOT NULL,
  lease_until_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, run_id, id)
) WITHOUT ROWID;
CREATE INDEX ai_attempts_pending ON ai_attempts (lease_until_ms) WHERE state = 0;

-- Sums over all run rows, so that nobody adds them up again.
CREATE TABLE run_totals (
  tenant_id TEXT NOT NULL PRIMARY KEY,
  runs INTEGER NOT NULL,
  cost_nano_usd INTEGER NOT NULL
) WITHOUT ROWID;
