-- Who was admitted, what was asked of providers, what it has cost.
SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', :'schema'), true);
SET LOCAL ROLE aiorch_owner;
SELECT migration_begins(4, 'ledger');
SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', :'schema'), true);

-- The sliding log: what stands under a key counts from at_ms until its window has passed.
CREATE TABLE :"schema".admissions (
  tenant_id text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  run_id uuid NOT NULL,
  at_ms bigint NOT NULL,
  amount bigint NOT NULL,
  kind smallint NOT NULL,                   -- 0 runs, 1 money in nano-USD
  expires_ms bigint NOT NULL,               -- after which nobody asks for it any more
  PRIMARY KEY (tenant_id, run_id, key)
);
CREATE INDEX admissions_in_window ON admissions (tenant_id, key, at_ms) INCLUDE (amount, run_id);
CREATE INDEX admissions_by_expiry ON admissions (expires_ms);

-- The one-row form (GCRA): when the key would be empty again.
CREATE TABLE :"schema".admission_rates (
  tenant_id text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  empty_us bigint NOT NULL,
  last_run uuid NOT NULL,                   -- which, when it comes again, is not counted again
  PRIMARY KEY (tenant_id, key)
) WITH (fillfactor = 50); -- and no further index: an update stays on its page

CREATE TABLE :"schema".ai_api_calls (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  provider text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  status int NOT NULL,
  cache int NOT NULL,
  input_tokens bigint NOT NULL,
  cache_read_tokens bigint NOT NULL,
  cache_write_tokens bigint NOT NULL,
  cache_write_1h_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  reasoning_tokens bigint NOT NULL,
  estimated boolean NOT NULL,
  cost_nano_usd bigint,                     -- NULL: a price is unknown
  created_ms bigint NOT NULL,
  duration_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ai_api_calls_by_time ON ai_api_calls (tenant_id, created_ms);

-- state: 0 pending (sent, not ended), 1 settled, 2 unknown (its lease ran out).
CREATE TABLE :"schema".ai_attempts (
  tenant_id text COLLATE "C" NOT NULL,
  run_id uuid NOT NULL,
  id uuid NOT NULL,
  state smallint NOT NULL,
  kind int NOT NULL,
  status int NOT NULL,
  http_status int NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  request_id text NOT NULL,
  input_tokens bigint NOT NULL,
  cache_read_tokens bigint NOT NULL,
  cache_write_tokens bigint NOT NULL,
  cache_write_1h_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  reasoning_tokens bigint NOT NULL,
  estimated boolean NOT NULL,
  cost_nano_usd bigint,
  created_ms bigint NOT NULL,
  duration_us bigint NOT NULL,
  lease_until_ms bigint NOT NULL,
  PRIMARY KEY (tenant_id, run_id, id)
) WITH (fillfactor = 80);
CREATE INDEX ai_attempts_pending ON ai_attempts (lease_until_ms) WHERE state = 0;

-- Sums over the run rows that prune() has removed: with those that are there they are all that ever were.
CREATE TABLE :"schema".run_totals (
  tenant_id text COLLATE "C" PRIMARY KEY,
  runs bigint NOT NULL,
  cost_nano_usd numeric NOT NULL
);

SELECT guard_by_tenant(t) FROM unnest(ARRAY['admissions', 'admission_rates', 'ai_api_calls', 'ai_attempts', 'run_totals']::regclass[]) t;
GRANT SELECT, INSERT, UPDATE, DELETE ON admissions, admission_rates, ai_api_calls, ai_attempts TO aiorch_app;
GRANT SELECT ON run_totals TO aiorch_app;
GRANT SELECT ON admissions, admission_rates, ai_api_calls, ai_attempts, run_totals TO aiorch_reader;

-- ---- writing --------------------------------------------------------------------------------------------------------------------

-- A run's row, what was reserved for it at what it has cost, and its attempts: `names` are its user, provider and model, `usage` its tokens as
-- the columns stand. A row that is there already changes neither. Without names there are only attempts, one an item of the arrays after it
-- (of `usages` six): what is settled stays, pending becomes settled or unknown, unknown may still be settled.
CREATE FUNCTION :"schema".log_call(
  its_run uuid, names text[], its_status int, its_cache int, usage bigint[], its_estimated boolean, its_cost bigint, its_created_ms bigint,
  its_duration_us bigint, ids uuid[], states int[], kinds int[], statuses int[], https int[], providers text[], models text[], requests text[],
  usages bigint[], estimates boolean[], costs bigint[], created_ms bigint[], durations_us bigint[], leases_ms bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
BEGIN
  IF cardinality(names) = 3 THEN
    INSERT INTO ai_api_calls (tenant_id, id, user_id, provider, model, status, cache, input_tokens, cache_read_tokens, cache_write_tokens,
                              cache_write_1h_tokens, output_tokens, reasoning_tokens, estimated, cost_nano_usd, created_ms, duration_us)
      VALUES (tenant, its_run, names[1], names[2], names[3], its_status, its_cache, usage[1], usage[2], usage[3], usage[4], usage[5], usage[6],
              its_estimated, its_cost, its_created_ms, its_duration_us)
      ON CONFLICT (tenant_id, id) DO NOTHING;
    IF FOUND AND its_cost IS NOT NULL THEN
      -- An attempt that broke off has a cost that is an estimate by what was seen of it: budgets count at least what was reserved.
      UPDATE admissions a
        SET amount = CASE WHEN its_estimated AND EXISTS (SELECT FROM unnest(statuses, estimates) t(s, e) WHERE s < 0 AND e)
                          THEN greatest(its_cost, a.amount) ELSE its_cost END
        WHERE a.tenant_id = tenant AND a.run_id = its_run AND a.kind = 1;
    END IF;
  END IF;
  FOR i IN 1 .. cardinality(ids) LOOP
    INSERT INTO ai_attempts AS old (tenant_id, run_id, id, state, kind, status, http_status, provider, model, request_id, input_tokens,
                                    cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, estimated,
                                    cost_nano_usd, created_ms, duration_us, lease_until_ms)
      VALUES (tenant, its_run, ids[i], states[i], kinds[i], statuses[i], https[i], providers[i], models[i], requests[i], usages[6 * i - 5],
              usages[6 * i - 4], usages[6 * i - 3], usages[6 * i - 2], usages[6 * i - 1], usages[6 * i], estimates[i], costs[i],
              log_call.created_ms[i], durations_us[i], leases_ms[i])
      ON CONFLICT (tenant_id, run_id, id) DO UPDATE SET state = excluded.state, status = excluded.status, http_status = excluded.http_status,
        provider = excluded.provider, model = excluded.model, request_id = excluded.request_id, input_tokens = excluded.input_tokens,
        cache_read_tokens = excluded.cache_read_tokens, cache_write_tokens = excluded.cache_write_tokens,
        cache_write_1h_tokens = excluded.cache_write_1h_tokens, output_tokens = excluded.output_tokens,
        reasoning_tokens = excluded.reasoning_tokens, estimated = excluded.estimated, cost_nano_usd = excluded.cost_nano_usd,
        duration_us = excluded.duration_us, lease_until_ms = excluded.lease_until_ms
        WHERE (excluded.state = 1 AND old.state <> 1) OR (excluded.state = 2 AND old.state = 0);
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION log_call FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log_call TO aiorch_app;

-- ---- admission ------------------------------------------------------------------------------------------------------------------

-- What an admission answers.
CREATE TYPE :"schema".admission AS (
  admitted boolean,
  violated int,           -- index (from 0) of the constraint that refused; -1 when admitted
  used bigint,            -- what stands under the violated key in its window, or under the first one when admitted
  retry_after_ms bigint   -- after which the same admission would pass if nothing else came; -1: never
);

-- Atomic over all processes and machines: either every constraint holds and one row each is written under its_run, or none is.
-- Constraint i: over the last windows_ms[i], the amounts admitted under keys[i] plus amounts[i] must not pass limits[i]; no key twice.
--
-- Who asks for the same key waits in line (one lock a key, taken in one order, until the transaction ends); then the log is read.
-- The clock is the server's: machines need not agree about the time. at_ms is for tests, which bring their own.
-- The same run under the same key counts once, however often it comes. Plans are kept by a session, and one made while the tables
-- were empty must serve when they are full: no sequential scans.
CREATE FUNCTION :"schema".admit_call(its_run uuid, kinds int[], keys text[], windows_ms bigint[], limits bigint[],
                                     amounts bigint[], at_ms bigint DEFAULT NULL) RETURNS admission
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
  tenant text := require_tenant();
  n int := coalesce(cardinality(keys), 0);
  race_ms CONSTANT bigint := 60000; -- so far ahead of now is another call that was faster; more is a clock that went back
  locks bigint[] := '{}';
  used numeric;
  here boolean;
  counted boolean[] := '{}';
  newest bigint;
  wait bigint;
  refused admission;
  result admission := (true, -1, 0, 0);
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'admit_call needs READ COMMITTED: a snapshot from before the lock does not show who was faster'
      USING ERRCODE = 'invalid_transaction_state';
  ELSIF n = 0 OR n > 16 OR cardinality(kinds) <> n OR cardinality(windows_ms) <> n OR cardinality(limits) <> n
        OR cardinality(amounts) <> n THEN
    RAISE EXCEPTION 'admit_call: between 1 and 16 constraints, and all arrays of one length'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR i IN 1 .. n LOOP
    locks[i] := hashtextextended(length(tenant) || ':' || tenant || keys[i], 7219);
  END LOOP;
  IF n > 1 THEN
    locks := ARRAY(SELECT l FROM unnest(locks) l ORDER BY l);
  END IF;
  FOR i IN 1 .. n LOOP
    PERFORM pg_advisory_xact_lock(locks[i]);
  END LOOP;
  at_ms := coalesce(at_ms, (extract(epoch FROM clock_timestamp()) * 1000)::bigint);
  FOR i IN 1 .. n LOOP
    LOOP
      SELECT coalesce(sum(a.amount), 0), coalesce(bool_or(a.run_id = its_run), false), max(a.at_ms) INTO used, here, newest
        FROM admissions a WHERE a.tenant_id = tenant AND a.key = keys[i] AND a.at_ms > admit_call.at_ms - windows_ms[i];
      EXIT WHEN newest IS NULL OR newest <= at_ms + race_ms;
      UPDATE admissions a SET at_ms = admit_call.at_ms, expires_ms = a.expires_ms - a.at_ms + admit_call.at_ms
        WHERE a.tenant_id = tenant AND a.key = keys[i] AND a.at_ms > admit_call.at_ms + race_ms;
    END LOOP;
    counted[i] := here;
    IF i = 1 THEN
      result.used := least(used + CASE WHEN counted[1] THEN 0 ELSE amounts[1] END, 9223372036854775807);
    END IF;
    CONTINUE WHEN counted[i] OR used + amounts[i] <= limits[i];
    -- It may have been counted so long ago that its window has passed.
    counted[i] := EXISTS (SELECT FROM admissions a WHERE a.tenant_id = tenant AND a.run_id = its_run AND a.key = keys[i]);
    CONTINUE WHEN counted[i];
    -- When enough will have left its window. From the newest back: the first that leaves no room beside those after it has to go,
    -- and with it all before it.
    wait := -1;
    IF amounts[i] <= limits[i] THEN
      SELECT s.at_ms + windows_ms[i] - admit_call.at_ms INTO wait
        FROM (SELECT a.at_ms, sum(a.amount) OVER (ORDER BY a.at_ms DESC ROWS UNBOUNDED PRECEDING) AS stay FROM admissions a
              WHERE a.tenant_id = tenant AND a.key = keys[i] AND a.at_ms > admit_call.at_ms - windows_ms[i]) s
        WHERE s.stay + amounts[i] > limits[i] ORDER BY s.at_ms DESC LIMIT 1;
    END IF;
    -- Of several that refuse, the one that refuses longest is named.
    IF refused IS NULL OR (refused.retry_after_ms >= 0 AND (wait < 0 OR wait > refused.retry_after_ms)) THEN
      refused := (false, i - 1, least(used, 9223372036854775807), wait);
    END IF;
  END LOOP;
  IF refused IS NOT NULL THEN
    RETURN refused;
  END IF;
  FOR i IN 1 .. n LOOP
    IF NOT counted[i] THEN
      INSERT INTO admissions (tenant_id, key, run_id, at_ms, amount, kind, expires_ms)
        VALUES (tenant, keys[i], its_run, at_ms, amounts[i], kinds[i], at_ms + windows_ms[i]) ON CONFLICT DO NOTHING;
    END IF;
  END LOOP;
  RETURN result;
END
$$;

-- Several calls at once, as if one came after the other: who asks for them together holds each key's lock once, and not from one to the
-- next. Call i is its_runs[i], with constraints first_of[i] .. first_of[i + 1] - 1 (or to the end) of the arrays after it. One row a call.
--
-- What fits whatever becomes of the others is admitted in one statement. What may not, and what is not as usual (a run that was here
-- before, a clock that went back), is left to admit_call, one after the other.
CREATE FUNCTION :"schema".admit_calls(its_runs uuid[], first_of int[], kinds int[], keys text[], windows_ms bigint[], limits bigint[],
                                      amounts bigint[], at_ms bigint DEFAULT NULL)
RETURNS TABLE (call int, admitted boolean, violated int, used bigint, retry_after_ms bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT
  -- One plan for all: it takes longer to make than to carry out.
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  tenant text := require_tenant();
  n int := coalesce(cardinality(its_runs), 0);
  m int := coalesce(cardinality(keys), 0);
  one bigint;
  upto int;
  good int[];
  stands bigint[];
  it admission;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'admit_calls needs READ COMMITTED: a snapshot from before the lock does not show who was faster'
      USING ERRCODE = 'invalid_transaction_state';
  ELSIF n = 0 OR n > 1000 OR cardinality(first_of) <> n OR first_of[1] <> 1 OR m < n OR cardinality(kinds) <> m OR cardinality(windows_ms) <> m
        OR cardinality(limits) <> m OR cardinality(amounts) <> m THEN
    RAISE EXCEPTION 'admit_calls: between 1 and 1000 calls with a constraint each, and all arrays of one length'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOREACH one IN ARRAY ARRAY(SELECT DISTINCT hashtextextended(length(tenant) || ':' || tenant || k.k, 7219) AS l FROM unnest(keys) k(k) ORDER BY l) LOOP
    PERFORM pg_advisory_xact_lock(one);
  END LOOP;
  at_ms := coalesce(at_ms, (extract(epoch FROM clock_timestamp()) * 1000)::bigint);
  WITH asked AS MATERIALIZED (
    SELECT u.*, admit_calls.at_ms - u.window_ms AS since, c.call, c.run, u.i = c.first AS leads, sum(u.amount) OVER (PARTITION BY u.key) AS total,
           count(*) OVER (PARTITION BY u.key, c.run) > 1
             OR EXISTS (SELECT FROM admissions a WHERE a.tenant_id = tenant AND a.run_id = c.run AND a.key = u.key) AS again
    FROM (SELECT o.run, o.first, o.call::int, lead(o.first, 1, m + 1) OVER (ORDER BY o.call) AS beyond
          FROM unnest(its_runs, first_of) WITH ORDINALITY o(run, first, call)) c
    JOIN unnest(kinds, keys, windows_ms, limits, amounts) WITH ORDINALITY u(kind, key, window_ms, most, amount, i)
      ON u.i >= c.first AND u.i < c.beyond),
  found AS MATERIALIZED ( -- "since" comes ready: an operator that may fail, on a column, row-level security keeps from the index

    SELECT d.key, d.since, s.used, s.newest FROM (SELECT DISTINCT a.key, a.since FROM asked a) d,
      LATERAL (SELECT coalesce(sum(a.amount), 0) AS used, max(a.at_ms) AS newest FROM admissions a
               WHERE a.tenant_id = tenant AND a.key = d.key AND a.at_ms > d.since) s),
  fits AS MATERIALIZED (
    SELECT a.call FROM asked a JOIN found f ON f.key = a.key AND f.since = a.since GROUP BY a.call
    HAVING bool_and(NOT a.again AND f.used + a.total <= a.most AND coalesce(f.newest <= admit_calls.at_ms, true))),
  came AS (
    INSERT INTO admissions (tenant_id, key, run_id, at_ms, amount, kind, expires_ms)
      SELECT tenant, a.key, a.run, admit_calls.at_ms, a.amount, a.kind, admit_calls.at_ms + a.window_ms FROM asked a JOIN fits ON fits.call = a.call)
  SELECT array_agg(x.call), array_agg(x.used) INTO good, stands
    FROM (SELECT a.call, a.leads, least(f.used + sum(a.amount) OVER (PARTITION BY a.key ORDER BY a.i), 9223372036854775807)::bigint AS used
          FROM asked a JOIN fits ON fits.call = a.call JOIN found f ON f.key = a.key AND f.since = a.since) x
    WHERE x.leads;
  violated := -1;
  retry_after_ms := 0;
  admitted := true;
  FOR i IN 1 .. coalesce(cardinality(good), 0) LOOP
    call := good[i];
    used := stands[i];
    RETURN NEXT;
  END LOOP;
  IF cardinality(good) = n THEN
    RETURN;
  END IF;
  FOR i IN 1 .. n LOOP
    CONTINUE WHEN i = ANY (good);
    upto := coalesce(first_of[i + 1], m + 1) - 1;
    it := admit_call(its_runs[i], kinds[first_of[i] : upto], keys[first_of[i] : upto], windows_ms[first_of[i] : upto],
                     limits[first_of[i] : upto], amounts[first_of[i] : upto], at_ms);
    call := i;
    admitted := it.admitted;
    violated := it.violated;
    used := it.used;
    retry_after_ms := it.retry_after_ms;
    RETURN NEXT;
  END LOOP;
END
$$;

-- The one-row form of the same for limits on the number of runs (GCRA): a key that nobody used for its window takes `limit` at once,
-- then one each window/limit. So over a long time it admits what the sliding log admits, in one window up to twice as much. A row a
-- key, however many come, and no lock but that row's: for keys with many calls a second. Money needs the log, since its amounts are
-- set right when a run has ended. `used` is what has not drained away yet.
CREATE FUNCTION :"schema".admit_call_by_rate(its_run uuid, keys text[], windows_ms bigint[], limits bigint[], amounts bigint[],
                                             at_ms bigint DEFAULT NULL) RETURNS admission
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
  tenant text := require_tenant();
  n int := coalesce(cardinality(keys), 0);
  now_us bigint := coalesce(at_ms * 1000, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
  window_us bigint;
  one text;
  more_us bigint[] := '{}'; -- how much later the key is empty for this run; NULL: it never fits
  wait bigint;
  empty_us bigint;
  last_run uuid;
  result admission := (true, -1, 0, 0);
BEGIN
  IF n = 0 OR n > 16 OR cardinality(windows_ms) <> n OR cardinality(limits) <> n OR cardinality(amounts) <> n THEN
    RAISE EXCEPTION 'admit_call_by_rate: between 1 and 16 constraints, and all arrays of one length'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR i IN 1 .. n LOOP
    more_us[i] := CASE WHEN amounts[i] = 0 THEN 0 WHEN amounts[i] <= limits[i]
                       THEN ceil(windows_ms[i]::numeric * 1000 * amounts[i] / limits[i]) END;
  END LOOP;
  IF n = 1 AND more_us[1] IS NOT NULL THEN
    window_us := windows_ms[1] * 1000;
    UPDATE admission_rates r SET empty_us = greatest(r.empty_us, now_us) + more_us[1], last_run = its_run
      WHERE r.tenant_id = tenant AND r.key = keys[1] AND r.last_run <> its_run AND r.empty_us <= now_us + window_us - more_us[1]
      RETURNING r.empty_us INTO empty_us;
    IF FOUND THEN
      result.used := ceil((empty_us - now_us) * limits[1]::numeric / window_us);
      RETURN result;
    END IF;
  END IF;
  -- A new key, several keys, or a refusal that needs its reasons: the rows are locked in one order, then looked at.
  FOREACH one IN ARRAY CASE WHEN n > 1 THEN ARRAY(SELECT u FROM unnest(keys) u ORDER BY u COLLATE "C") ELSE keys END LOOP
    LOOP
      PERFORM FROM admission_rates r WHERE r.tenant_id = tenant AND r.key = one FOR UPDATE;
      EXIT WHEN FOUND;
      INSERT INTO admission_rates (tenant_id, key, empty_us, last_run)
        VALUES (tenant, one, 0, '00000000-0000-0000-0000-000000000000') ON CONFLICT DO NOTHING;
    END LOOP;
  END LOOP;
  now_us := coalesce(at_ms * 1000, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
  FOR i IN 1 .. n LOOP
    window_us := windows_ms[i] * 1000;
    SELECT r.empty_us, r.last_run INTO empty_us, last_run FROM admission_rates r WHERE r.tenant_id = tenant AND r.key = keys[i];
    -- Further ahead than a window is a clock that went back.
    empty_us := greatest(least(empty_us, now_us + window_us), now_us);
    wait := CASE WHEN last_run = its_run THEN 0 WHEN more_us[i] IS NULL THEN -1
                 ELSE greatest(ceil((empty_us + more_us[i] - now_us - window_us) / 1000.0), 0) END;
    IF wait <> 0 AND (result.admitted OR (result.retry_after_ms >= 0 AND (wait < 0 OR wait > result.retry_after_ms))) THEN
      result := (false, i - 1, ceil((empty_us - now_us) * limits[i]::numeric / window_us), wait);
    END IF;
  END LOOP;
  IF NOT result.admitted THEN
    DELETE FROM admission_rates r WHERE r.tenant_id = tenant AND r.key = ANY (keys) AND r.empty_us = 0;
    RETURN result;
  END IF;
  FOR i IN 1 .. n LOOP
    UPDATE admission_rates r SET last_run = its_run, empty_us = greatest(least(r.empty_us, now_us + windows_ms[i] * 1000), now_us) + more_us[i]
      WHERE r.tenant_id = tenant AND r.key = keys[i] AND r.last_run <> its_run;
  END LOOP;
  SELECT ceil((r.empty_us - now_us) * limits[1]::numeric / (windows_ms[1] * 1000)) INTO result.used FROM admission_rates r
    WHERE r.tenant_id = tenant AND r.key = keys[1];
  RETURN result;
END
$$;
-- Several calls of the one-row form at once, as admit_calls. What has one key is reckoned in memory: a row is read and written once,
-- however many ask for it. After a commit of unknown outcome only the last run of a key is known again: others count twice, never less.
CREATE FUNCTION :"schema".admit_calls_by_rate(its_runs uuid[], first_of int[], keys text[], windows_ms bigint[], limits bigint[],
                                              amounts bigint[], at_ms bigint DEFAULT NULL)
RETURNS TABLE (call int, admitted boolean, violated int, used bigint, retry_after_ms bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
  tenant text := require_tenant();
  n int := coalesce(cardinality(its_runs), 0);
  m int := coalesce(cardinality(keys), 0);
  one text;
  k int;
  upto int;
  now_us bigint;
  more_us bigint;
  window_us bigint;
  r admission_rates;
  changed boolean;
  it admission;
BEGIN
  IF n = 0 OR n > 1000 OR cardinality(first_of) <> n OR first_of[1] <> 1 OR m < n OR cardinality(windows_ms) <> m OR cardinality(limits) <> m
     OR cardinality(amounts) <> m THEN
    RAISE EXCEPTION 'admit_calls_by_rate: between 1 and 1000 calls with a constraint each, and all arrays of one length'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOREACH one IN ARRAY ARRAY(SELECT DISTINCT u COLLATE "C" FROM unnest(keys) u ORDER BY 1) LOOP
    LOOP
      SELECT * INTO r FROM admission_rates a WHERE a.tenant_id = tenant AND a.key = one FOR UPDATE;
      EXIT WHEN FOUND;
      INSERT INTO admission_rates (tenant_id, key, empty_us, last_run)
        VALUES (tenant, one, 0, '00000000-0000-0000-0000-000000000000') ON CONFLICT DO NOTHING;
    END LOOP;
    -- Rows that are locked stay so; the time is that of the first of them to be reckoned, or later.
    now_us := coalesce(at_ms * 1000, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
    changed := false;
    FOR i IN 1 .. n LOOP
      k := first_of[i];
      CONTINUE WHEN coalesce(first_of[i + 1], m + 1) <> k + 1 OR keys[k] <> one;
      call := i;
      admitted := true;
      violated := -1;
      retry_after_ms := 0;
      window_us := windows_ms[k] * 1000;
      more_us := CASE WHEN amounts[k] = 0 THEN 0 WHEN amounts[k] <= limits[k]
                      THEN ceil(window_us::numeric * amounts[k] / limits[k]) END;
      -- Further ahead than a window is a clock that went back.
      r.empty_us := greatest(least(r.empty_us, now_us + window_us), now_us);
      IF r.last_run = its_runs[i] THEN
        NULL;
      ELSIF more_us IS NULL THEN
        retry_after_ms := -1;
      ELSIF r.empty_us + more_us <= now_us + window_us THEN
        r.empty_us := r.empty_us + more_us;
        r.last_run := its_runs[i];
        changed := true;
      ELSE
        retry_after_ms := ceil((r.empty_us + more_us - now_us - window_us) / 1000.0);
      END IF;
      IF retry_after_ms <> 0 THEN
        admitted := false;
        violated := 0;
      END IF;
      used := ceil((r.empty_us - now_us) * limits[k]::numeric / window_us);
      RETURN NEXT;
    END LOOP;
    IF changed THEN
      UPDATE admission_rates a SET empty_us = r.empty_us, last_run = r.last_run WHERE a.tenant_id = tenant AND a.key = one;
    END IF;
  END LOOP;
  FOR i IN 1 .. n LOOP
    upto := coalesce(first_of[i + 1], m + 1) - 1;
    CONTINUE WHEN upto = first_of[i];
    it := admit_call_by_rate(its_runs[i], keys[first_of[i] : upto], windows_ms[first_of[i] : upto], limits[first_of[i] : upto],
                             amounts[first_of[i] : upto], at_ms);
    call := i;
    admitted := it.admitted;
    violated := it.violated;
    used := it.used;
    retry_after_ms := it.retry_after_ms;
    RETURN NEXT;
  END LOOP;
  DELETE FROM admission_rates a WHERE a.tenant_id = tenant AND a.key = ANY (keys) AND a.empty_us = 0;
END
$$;
REVOKE ALL ON FUNCTION admit_call, admit_calls, admit_call_by_rate, admit_calls_by_rate FROM PUBLIC;
GRANT EXECUTE ON FUNCTION admit_call, admit_calls, admit_call_by_rate, admit_calls_by_rate TO aiorch_app;

-- ---- what looks over all tenants ------------------------------------------------------------------------------------------------

-- Both run as aiorch_keeper, give numbers and no rows, and need no tenant.

-- Pending attempts whose lease ran out become unknown.
CREATE FUNCTION :"schema".expire_attempts(at_ms bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  n bigint;
BEGIN
  UPDATE ai_attempts SET state = 2 WHERE state = 0 AND lease_until_ms <= coalesce(at_ms, now_ms());
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END
$$;

-- Removes what nobody asks for any more, at most `most` rows of a kind: admissions out of their window, cached answers that have
-- expired, and, where calls_before_ms says so, run rows (with their attempts) from before it, whose sums go into run_totals.
-- Call it again while a number comes back that is `most`.
CREATE FUNCTION :"schema".prune(calls_before_ms bigint DEFAULT NULL, most int DEFAULT 10000, at_ms bigint DEFAULT NULL,
                                OUT admissions bigint, OUT answers bigint, OUT calls bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  moment bigint := coalesce(at_ms, now_ms());
  tenant text;
  n bigint;
BEGIN
  DELETE FROM admissions WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM admissions WHERE expires_ms <= moment ORDER BY expires_ms LIMIT most FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS admissions = ROW_COUNT;
  DELETE FROM admission_rates WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM admission_rates WHERE empty_us <= moment * 1000 LIMIT most FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS n = ROW_COUNT;
  admissions := admissions + n;
  answers := 0;
  -- The tenant's row first, as who stores an answer does.
  FOR tenant IN SELECT t.tenant_id FROM tenants t WHERE t.cache_rows > 0 ORDER BY t.tenant_id LOOP
    EXIT WHEN answers >= most;
    CONTINUE WHEN NOT EXISTS (SELECT FROM semantic_cache e WHERE e.tenant_id = tenant AND e.expires_ms <= moment);
    PERFORM FROM tenants t WHERE t.tenant_id = tenant FOR UPDATE;
    DELETE FROM semantic_cache e WHERE e.tenant_id = tenant AND e.id = ANY (ARRAY(
      SELECT d.id FROM semantic_cache d WHERE d.tenant_id = tenant AND d.expires_ms <= moment ORDER BY d.expires_ms LIMIT most - answers));
    GET DIAGNOSTICS n = ROW_COUNT;
    answers := answers + n;
  END LOOP;
  calls := 0;
  IF calls_before_ms IS NOT NULL THEN
    WITH old AS MATERIALIZED (
      SELECT c.tenant_id, c.id FROM ai_api_calls c WHERE c.created_ms < calls_before_ms LIMIT most FOR UPDATE SKIP LOCKED
    ), attempts AS (
      DELETE FROM ai_attempts a USING old WHERE a.tenant_id = old.tenant_id AND a.run_id = old.id
    ), gone AS (
      DELETE FROM ai_api_calls c USING old WHERE c.tenant_id = old.tenant_id AND c.id = old.id
        RETURNING c.tenant_id, coalesce(c.cost_nano_usd, 0) AS cost
    ), sums AS (
      INSERT INTO run_totals AS t (tenant_id, runs, cost_nano_usd)
        SELECT tenant_id, count(*), sum(cost) FROM gone GROUP BY tenant_id ORDER BY tenant_id
        ON CONFLICT (tenant_id) DO UPDATE SET runs = t.runs + excluded.runs, cost_nano_usd = t.cost_nano_usd + excluded.cost_nano_usd
        RETURNING 1
    )
    SELECT count(*) INTO calls FROM gone;
  END IF;
END
$$;

CREATE POLICY keeper ON ai_attempts TO aiorch_keeper USING (true) WITH CHECK (true);
CREATE POLICY keeper ON ai_api_calls TO aiorch_keeper USING (true) WITH CHECK (true);
CREATE POLICY keeper ON run_totals TO aiorch_keeper USING (true) WITH CHECK (true);
CREATE POLICY keeper ON admissions TO aiorch_keeper USING (true) WITH CHECK (true);
CREATE POLICY keeper ON admission_rates TO aiorch_keeper USING (true) WITH CHECK (true);
CREATE POLICY keeper ON tenants TO aiorch_keeper USING (true) WITH CHECK (true);
CREATE POLICY keeper ON tenant_models TO aiorch_keeper USING (true) WITH CHECK (true);
CREATE POLICY keeper ON semantic_cache TO aiorch_keeper USING (true) WITH CHECK (true);
-- To lock rows takes a right to change something of them. What goes along with an answer goes by foreign key, as the owner.
GRANT SELECT (tenant_id, run_id, state, lease_until_ms), UPDATE (state), DELETE ON ai_attempts TO aiorch_keeper;
GRANT SELECT (tenant_id, id, created_ms, cost_nano_usd), UPDATE (id), DELETE ON ai_api_calls TO aiorch_keeper;
GRANT SELECT, INSERT, UPDATE ON run_totals TO aiorch_keeper;
GRANT SELECT, UPDATE (expires_ms), DELETE ON admissions TO aiorch_keeper;
GRANT SELECT, UPDATE (empty_us), DELETE ON admission_rates TO aiorch_keeper;
GRANT SELECT (tenant_id, cache_rows, cache_bytes), UPDATE (cache_rows, cache_bytes) ON tenants TO aiorch_keeper;
GRANT SELECT (tenant_id, model, entries), UPDATE (entries) ON tenant_models TO aiorch_keeper;
GRANT SELECT (tenant_id, id, expires_ms, bytes), UPDATE (bytes), DELETE ON semantic_cache TO aiorch_keeper;
REVOKE ALL ON FUNCTION expire_attempts, prune FROM PUBLIC;
GRANT EXECUTE ON FUNCTION expire_attempts, prune TO aiorch_app;
GRANT CREATE ON SCHEMA :"schema" TO aiorch_keeper;
ALTER FUNCTION expire_attempts OWNER TO aiorch_keeper;
ALTER FUNCTION prune OWNER TO aiorch_keeper;
REVOKE CREATE ON SCHEMA :"schema" FROM aiorch_keeper;
