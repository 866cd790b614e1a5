-- For who looks after the store: what is old goes a part at a time, and the vectors of a model get an index once it is worth one.
SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', :'schema'), true);
SET LOCAL ROLE aiorch_owner;
SELECT migration_begins(8, 'operators');
SELECT set_config('search_path', path_with_vector(), true);

-- ---- filters --------------------------------------------------------------------------------------------------------------------

-- As it was, but for one thing: without a tenant it raises also when there is nothing to filter by.
CREATE OR REPLACE FUNCTION :"schema".documents_that_fit(names text[], kinds int[], vals text[], uptos text[]) RETURNS uuid[]
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
BEGIN
  RETURN (
    WITH filter AS (
      SELECT f.name COLLATE "C" AS name, f.kind, f.val COLLATE "C" AS val, f.upto COLLATE "C" AS upto, left(f.val, 200) COLLATE "C" AS head,
             f.kind = 2 AND coalesce(f.val ~ '^-?[0-9]+(\.[0-9]+)?$', true) AND coalesce(f.upto ~ '^-?[0-9]+(\.[0-9]+)?$', true)
               AS of_numbers
      FROM unnest(names, kinds, vals, uptos) f(name, kind, val, upto)),
    fits AS (
      SELECT m.document_id, m.name FROM filter f JOIN document_metadata m
          ON m.tenant_id = tenant AND m.name = f.name AND m.head = f.head AND m.value = f.val WHERE f.kind = 0
      UNION ALL
      SELECT m.document_id, m.name FROM filter f JOIN document_metadata m
          ON m.tenant_id = tenant AND m.name = f.name AND m.head >= f.head AND m.head <= f.head || repeat(U&'\+10FFFF', 2)
          AND starts_with(m.value, f.val) WHERE f.kind = 1
      UNION ALL
      SELECT m.document_id, m.name FROM filter f JOIN document_metadata m
          ON m.tenant_id = tenant AND m.name = f.name
          AND CASE WHEN f.of_numbers AND m.number IS NOT NULL
                THEN (f.val IS NULL OR m.number >= f.val::numeric) AND (f.upto IS NULL OR m.number <= f.upto::numeric)
                ELSE (f.val IS NULL OR m.value >= f.val) AND (f.upto IS NULL OR m.value <= f.upto) END WHERE f.kind = 2)
    SELECT coalesce(array_agg(d.document_id), '{}') FROM (
      SELECT f.document_id FROM fits f GROUP BY f.document_id
      HAVING count(DISTINCT f.name) = (SELECT count(DISTINCT f.name) FROM filter f)) d);
END
$$;

-- ---- what is old ----------------------------------------------------------------------------------------------------------------

-- prune() looks for run rows of all tenants by their age. They come in the order of time, so that a summary a block is enough.
CREATE INDEX ai_api_calls_by_age ON ai_api_calls USING brin (created_ms) WITH (pages_per_range = 32);

-- As prune(), for answers that programs inserted by way of the stand-ins.
CREATE FUNCTION :"schema".prune_stand_in(most int DEFAULT 10000, at_ms bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  n bigint;
BEGIN
  DELETE FROM stand_in_answers a USING (
      SELECT d.tenant_id, d.id FROM stand_in_answers d WHERE d.expires_ms <= coalesce(at_ms, now_ms()) LIMIT most FOR UPDATE SKIP LOCKED) o
    WHERE a.tenant_id = o.tenant_id AND a.id = o.id;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END
$$;

-- How many rows prune() and prune_stand_in() would remove in all, and changes nothing.
CREATE FUNCTION :"schema".prune_counts(calls_before_ms bigint DEFAULT NULL, at_ms bigint DEFAULT NULL,
                                       OUT admissions bigint, OUT answers bigint, OUT calls bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  moment bigint := coalesce(at_ms, now_ms());
BEGIN
  admissions := (SELECT count(*) FROM admissions WHERE expires_ms <= moment)
    + (SELECT count(*) FROM admission_rates WHERE empty_us <= moment * 1000);
  answers := (SELECT count(*) FROM semantic_cache WHERE expires_ms <= moment)
    + (SELECT count(*) FROM stand_in_answers WHERE expires_ms <= moment);
  calls := (SELECT count(*) FROM ai_api_calls WHERE created_ms < calls_before_ms);
END
$$;

CREATE POLICY keeper ON stand_in_answers TO aiorch_keeper USING (true) WITH CHECK (true);
GRANT SELECT (tenant_id, id, expires_ms), UPDATE (expires_ms), DELETE ON stand_in_answers TO aiorch_keeper;

-- ---- an index of vectors --------------------------------------------------------------------------------------------------------

-- Up to how many vectors of a tenant are compared one by one, which is exact; see nearest_chunks.
CREATE FUNCTION :"schema".exact_up_to() RETURNS bigint
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT coalesce(nullif(current_setting('aiorch.exact_up_to', true), ''), '10000')::bigint
$$;

-- For the owner: the models that chunks have vectors of here, numbers over all tenants, and how it stands with the index of each.
-- state: none, valid, building (it is being made now), broken (its making was broken off: it serves nobody and costs each write).
CREATE FUNCTION :"schema".embedding_indexes()
RETURNS TABLE (no int, fingerprint text, dimensions int, vectors bigint, largest bigint, state text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT m.no, m.fingerprint, m.dimensions, coalesce(t.vectors, 0)::bigint, coalesce(t.largest, 0),
         CASE WHEN i.indexrelid IS NULL THEN 'none' WHEN i.indisvalid THEN 'valid' WHEN l.held THEN 'building' ELSE 'broken' END
  FROM embedding_models m
  LEFT JOIN (SELECT model, sum(chunks) AS vectors, max(chunks) AS largest FROM tenant_models GROUP BY model) t ON t.model = m.no
  LEFT JOIN pg_index i ON i.indexrelid = to_regclass(format('chunk_vectors_near_%s', m.no))
  -- Who makes an index holds this lock from before the index is there until it is done; so does a vacuum.
  CROSS JOIN (SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'chunk_vectors'::regclass AND granted AND mode = 'ShareUpdateExclusiveLock'
                             AND database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) AS held) l
  WHERE m.dimensions > 0 ORDER BY m.no
$$;

-- The statement that makes the index of a model; CONCURRENTLY, so that nobody waits for it: by itself, not in a transaction.
-- Vectors are of unit length, so the inner product orders them as the cosine does.
CREATE FUNCTION :"schema".embedding_index_statement(its_no int, side_by_side boolean) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT format('CREATE INDEX %1$s IF NOT EXISTS chunk_vectors_near_%2$s ON %3$s.chunk_vectors USING hnsw'
                ' ((vector::%4$s.halfvec(%5$s)) %4$s.halfvec_ip_ops) WHERE model = %2$s',
                CASE WHEN side_by_side THEN 'CONCURRENTLY' ELSE '' END, m.no, c.relnamespace::regnamespace, e.extnamespace::regnamespace, m.dimensions)
  FROM embedding_models m, pg_class c, pg_extension e
  WHERE m.no = its_no AND c.oid = 'chunk_vectors'::regclass AND e.extname = 'vector'
$$;

-- Before an index is made, as the owner: removes one whose making was broken off, and sees to it that with a pgvector below 0.8.2 no index
-- of vectors is made by several processes (also by REINDEX), since they may write past their memory. 'ready': there is none now; 'there';
-- 'busy': somebody is making one, or vacuums. Nobody waits for those here: who makes one waits for all who look at anything.
CREATE FUNCTION :"schema".embedding_index_prepare(its_no int) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  name text := format('chunk_vectors_near_%s', its_no);
  is_old boolean := (SELECT (string_to_array(regexp_replace(extversion, '[^0-9.].*', ''), '.')::int[])[1:3] < ARRAY[0, 8, 2]
                     FROM pg_extension WHERE extname = 'vector');
  is_single boolean := coalesce((SELECT 'parallel_workers=0' = ANY (reloptions) FROM pg_class WHERE oid = 'chunk_vectors'::regclass), false);
BEGIN
  BEGIN
    LOCK TABLE chunk_vectors IN SHARE UPDATE EXCLUSIVE MODE NOWAIT;
  EXCEPTION WHEN lock_not_available THEN
    RETURN 'busy';
  END;
  IF is_old AND NOT is_single THEN
    ALTER TABLE chunk_vectors SET (parallel_workers = 0);
  ELSIF is_single AND NOT is_old THEN
    ALTER TABLE chunk_vectors RESET (parallel_workers);
  END IF;
  IF EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = to_regclass(name) AND NOT i.indisvalid) THEN
    EXECUTE format('DROP INDEX %I', name);
  END IF;
  RETURN CASE WHEN to_regclass(name) IS NULL THEN 'ready' ELSE 'there' END;
END
$$;

-- As it was, for chunks alone: kept answers are compared within their scope, which needs none. For psql; `aiorch migrate` makes what is
-- needed without having anybody wait.
CREATE OR REPLACE FUNCTION :"schema".embedding_index(its_fingerprint text, its_dimensions int) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT SET max_parallel_maintenance_workers = 0 AS $$
DECLARE
  known int := embedding_model(its_fingerprint, its_dimensions);
BEGIN
  IF its_dimensions NOT BETWEEN 1 AND 4000 THEN
    RAISE EXCEPTION 'vectors of % numbers cannot be indexed: 1 to 4000 can', its_dimensions USING ERRCODE = 'invalid_parameter_value';
  END IF;
  EXECUTE format('DROP INDEX IF EXISTS entry_vectors_near_%s', known);
  CASE embedding_index_prepare(known)
  WHEN 'ready' THEN
    EXECUTE embedding_index_statement(known, false);
  WHEN 'busy' THEN
    RAISE EXCEPTION 'another index is being made, or chunk_vectors is being vacuumed: try again later' USING ERRCODE = 'lock_not_available';
  ELSE
    NULL;
  END CASE;
END
$$;

-- ---- access ---------------------------------------------------------------------------------------------------------------------

GRANT SELECT (chunks) ON tenant_models TO aiorch_keeper;
REVOKE ALL ON FUNCTION prune_stand_in, prune_counts, exact_up_to, embedding_indexes, embedding_index_statement, embedding_index_prepare FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prune_stand_in, prune_counts, exact_up_to TO aiorch_app;
GRANT CREATE ON SCHEMA :"schema" TO aiorch_keeper;
ALTER FUNCTION prune_stand_in OWNER TO aiorch_keeper;
ALTER FUNCTION prune_counts OWNER TO aiorch_keeper;
ALTER FUNCTION embedding_indexes OWNER TO aiorch_keeper;
REVOKE CREATE ON SCHEMA :"schema" FROM aiorch_keeper;
SET LOCAL ROLE aiorch_keeper;
GRANT EXECUTE ON FUNCTION embedding_indexes TO aiorch_owner;
