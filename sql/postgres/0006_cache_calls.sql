-- What the library does with kept answers, one function a call.
SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', :'schema'), true);
SET LOCAL ROLE aiorch_owner;
SELECT migration_begins(6, 'cache calls');
SELECT set_config('search_path', path_with_vector(), true);

-- The live answer of a scope, by key or (its_key NULL) by id: it counts as used, and when it was made ahead of now, it is as if it had been
-- made now. Always one row: `knowledge` is where the tenant's stands, `neighbours` (by key, and nothing or a stale one was found) whether
-- other questions of the scope have answers that may be given. rests_on: "document version" of each, with spaces between.
CREATE FUNCTION :"schema".take_answer(its_scope bytea, its_key bytea, its_id uuid, at_ms bigint)
RETURNS TABLE (found boolean, stale boolean, knowledge bigint, neighbours boolean, id uuid, created_ms bigint, expires_ms bigint, hits bigint,
               finish_reason int, exact_only boolean, key bytea, chunks bytea, provider text, model text, query text, sources text,
               answer text, rests_on text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
  it semantic_cache;
BEGIN
  SELECT t.knowledge INTO knowledge FROM tenants t WHERE t.tenant_id = tenant;
  IF its_key IS NOT NULL THEN
    SELECT e.id INTO its_id FROM semantic_cache e WHERE e.tenant_id = tenant AND e.scope = its_scope AND e.key = its_key;
  END IF;
  UPDATE semantic_cache e SET hits = e.hits + 1, used = nextval('cache_clock'), created_ms = least(e.created_ms, at_ms),
      expires_ms = e.expires_ms - greatest(e.created_ms - at_ms, 0)
    WHERE e.tenant_id = tenant AND e.id = its_id AND e.scope = its_scope AND e.expires_ms > at_ms
    RETURNING * INTO it;
  found := it.id IS NOT NULL;
  knowledge := coalesce(knowledge, 0);
  stale := found AND it.knowledge < knowledge;
  neighbours := its_key IS NOT NULL AND (NOT found OR stale) AND EXISTS (
    SELECT FROM semantic_cache e WHERE e.tenant_id = tenant AND e.scope = its_scope AND e.key <> its_key AND e.expires_ms > at_ms
      AND NOT e.exact_only);
  IF found THEN
    rests_on := (SELECT string_agg(s.document_id || ' ' || s.version, ' ' ORDER BY s.document_id) FROM cache_sources s
                 WHERE s.tenant_id = tenant AND s.entry_id = it.id);
  END IF;
  RETURN QUERY SELECT take_answer.found, take_answer.stale, take_answer.knowledge, take_answer.neighbours, it.id, it.created_ms,
    it.expires_ms, it.hits, it.finish_reason, it.exact_only, it.key, it.chunks, it.provider, it.model, it.query, it.sources, it.answer,
    take_answer.rests_on;
END
$$;

-- Admissions as admit_calls (by_rate: admit_calls_by_rate), and of each call that was admitted what take_answer gives for its scope and key.
-- times: what is now for the answers. Answers of several calls are locked in the order of their keys.
CREATE FUNCTION :"schema".enter_calls(
  its_runs uuid[], first_of int[], kinds int[], keys text[], windows_ms bigint[], limits bigint[], amounts bigint[], by_rate boolean,
  scopes bytea[], keys_of bytea[], times bigint[], at_ms bigint DEFAULT NULL)
RETURNS TABLE (call int, admitted boolean, violated int, used bigint, retry_after_ms bigint,
               found boolean, stale boolean, knowledge bigint, neighbours boolean, id uuid, created_ms bigint, expires_ms bigint, hits bigint,
               finish_reason int, exact_only boolean, key bytea, chunks bytea, provider text, model text, query text, sources text,
               answer text, rests_on text)
LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  it admission;
BEGIN
  -- Who was not admitted asks for no scope, and finds nothing.
  IF cardinality(its_runs) = 1 THEN
    IF by_rate THEN
      it := admit_call_by_rate(its_runs[1], keys, windows_ms, limits, amounts, at_ms);
    ELSE
      it := admit_call(its_runs[1], kinds, keys, windows_ms, limits, amounts, at_ms);
    END IF;
    RETURN QUERY SELECT 1, it.admitted, it.violated, it.used, it.retry_after_ms, t.*
      FROM take_answer(CASE WHEN it.admitted THEN scopes[1] END, keys_of[1], NULL, times[1]) t;
  ELSIF by_rate THEN
    RETURN QUERY SELECT a.*, t.*
      FROM (SELECT * FROM admit_calls_by_rate(its_runs, first_of, keys, windows_ms, limits, amounts, at_ms) r
            ORDER BY scopes[r.call], keys_of[r.call]) a,
        LATERAL take_answer(CASE WHEN a.admitted THEN scopes[a.call] END, keys_of[a.call], NULL, times[a.call]) t;
  ELSE
    RETURN QUERY SELECT a.*, t.*
      FROM (SELECT * FROM admit_calls(its_runs, first_of, kinds, keys, windows_ms, limits, amounts, at_ms) r
            ORDER BY scopes[r.call], keys_of[r.call]) a,
        LATERAL take_answer(CASE WHEN a.admitted THEN scopes[a.call] END, keys_of[a.call], NULL, times[a.call]) t;
  END IF;
END
$$;

-- Room for an answer of new_bytes: of what has expired some goes, all when there is no room, then what was used longest ago.
CREATE FUNCTION :"schema".make_room(tenant text, new_bytes bigint, max_rows bigint, max_bytes bigint, at_ms bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  sweep CONSTANT int := 100;
  it tenants;
  old record;
  gone uuid[] := '{}';
  last_used bigint := -9223372036854775808;
  seen int;
BEGIN
  DELETE FROM semantic_cache e USING (
      SELECT o.id FROM semantic_cache o WHERE o.tenant_id = tenant AND o.expires_ms <= at_ms ORDER BY o.expires_ms LIMIT sweep) o
    WHERE e.tenant_id = tenant AND e.id = o.id;
  SELECT t.* INTO it FROM tenants t WHERE t.tenant_id = tenant;
  IF it.cache_rows + 1 <= max_rows AND it.cache_bytes + new_bytes <= max_bytes THEN
    RETURN;
  END IF;
  DELETE FROM semantic_cache e WHERE e.tenant_id = tenant AND e.expires_ms <= at_ms;
  SELECT t.* INTO it FROM tenants t WHERE t.tenant_id = tenant;
  -- A few at a time, so that the index gives them in their order and nobody sorts a whole cache.
  LOOP
    EXIT WHEN it.cache_rows + 1 <= max_rows AND it.cache_bytes + new_bytes <= max_bytes;
    seen := 0;
    FOR old IN SELECT e.id, e.bytes, e.used FROM semantic_cache e WHERE e.tenant_id = tenant AND e.used > last_used ORDER BY e.used LIMIT 20 LOOP
      EXIT WHEN it.cache_rows + 1 <= max_rows AND it.cache_bytes + new_bytes <= max_bytes;
      it.cache_rows := it.cache_rows - 1;
      it.cache_bytes := it.cache_bytes - old.bytes;
      gone := gone || old.id;
      last_used := old.used;
      seen := seen + 1;
    END LOOP;
    EXIT WHEN seen = 0;
  END LOOP;
  DELETE FROM semantic_cache e WHERE e.tenant_id = tenant AND e.id = ANY (gone);
END
$$;

-- Keeps an answer unless a document that it rests on is no longer at that version, or a live one that is not stale has its place and
-- `replace` does not say otherwise. new_bytes: without the vector's. code: 0; else why the vector cannot be kept, as in model_for, and
-- nothing was changed.
CREATE FUNCTION :"schema".keep_answer(
  new_id uuid, its_scope bytea, its_key bytea, new_created_ms bigint, new_expires_ms bigint, new_bytes bigint, its_knowledge bigint,
  new_finish_reason int, new_exact_only boolean, new_chunks bytea, new_provider text, new_model text, new_query text, new_sources text,
  new_answer text, documents_of uuid[], versions_of bigint[], its_fingerprint text, d int, numbers real[],
  max_rows bigint, max_bytes bigint, replace_it boolean, at_ms bigint, OUT kept boolean, OUT code int, OUT stored int)
LANGUAGE plpgsql SET search_path FROM CURRENT
  -- Plans are kept, also when they were made while there were few rows.
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  tenant text := require_tenant();
  it tenants;
  old_id uuid;
  old_stays boolean;
  stood bigint;
  its_model int;
BEGIN
  code := 0;
  stored := 0;
  SELECT t.* INTO it FROM tenants t WHERE t.tenant_id = tenant FOR UPDATE;
  IF NOT FOUND THEN
    it := lock_tenant(true);
  END IF;
  kept := EXISTS (SELECT FROM semantic_cache e WHERE e.tenant_id = it.tenant_id AND e.id = new_id);
  IF kept THEN
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM unnest(documents_of, versions_of) r(id, version)
             LEFT JOIN documents o ON o.tenant_id = it.tenant_id AND o.id = r.id WHERE o.version IS DISTINCT FROM r.version) THEN
    RETURN;
  END IF;
  SELECT e.id, e.expires_ms > at_ms AND e.knowledge >= it.knowledge INTO old_id, old_stays FROM semantic_cache e
    WHERE e.tenant_id = it.tenant_id AND e.scope = its_scope AND e.key = its_key;
  IF old_stays AND NOT replace_it THEN
    RETURN;
  END IF;
  IF d IS NOT NULL THEN
    SELECT m.code, m.no, m.stored INTO code, its_model, stored FROM model_for(its_fingerprint, d, true) m;
    IF code <> 0 THEN
      RETURN;
    END IF;
  END IF;
  IF old_id IS NOT NULL THEN
    DELETE FROM semantic_cache e WHERE e.tenant_id = it.tenant_id AND e.id = old_id;
  END IF;
  IF it.cache_rows >= max_rows OR it.cache_bytes + new_bytes + 4 * coalesce(d, 0) > max_bytes
     OR EXISTS (SELECT FROM semantic_cache e WHERE e.tenant_id = it.tenant_id AND e.expires_ms <= at_ms) THEN
    PERFORM make_room(it.tenant_id, new_bytes + 4 * coalesce(d, 0), max_rows, max_bytes, at_ms);
  END IF;
  -- Without a knowledge of its own the answer is as new as new_created_ms, and what was added in that very millisecond came later.
  stood := CASE WHEN its_knowledge > 0 THEN its_knowledge - 1
                WHEN it.knowledge > 0 AND new_created_ms <= least(it.knowledge_ms, at_ms) THEN it.knowledge - 1 ELSE it.knowledge END;
  INSERT INTO semantic_cache (tenant_id, id, scope, key, created_ms, expires_ms, bytes, knowledge, finish_reason, exact_only, chunks,
                              provider, model, query, sources, answer)
    VALUES (it.tenant_id, new_id, its_scope, its_key, new_created_ms, new_expires_ms, new_bytes, least(stood, it.knowledge),
            new_finish_reason, new_exact_only, new_chunks, new_provider, new_model, new_query, new_sources, new_answer);
  IF cardinality(documents_of) > 0 THEN
    INSERT INTO cache_sources (tenant_id, document_id, entry_id, version)
      SELECT it.tenant_id, r.id, new_id, r.version FROM unnest(documents_of, versions_of) r(id, version) ON CONFLICT DO NOTHING;
  END IF;
  IF d IS NOT NULL THEN
    INSERT INTO entry_vectors (tenant_id, model, entry_id, scope, vector)
      VALUES (it.tenant_id, its_model, new_id, its_scope, CASE WHEN d > 0 THEN numbers::vector END);
  END IF;
  kept := true;
END
$$;

-- The live answers of a scope whose questions are nearest to a vector of unit length, the best first; not those that serve their own
-- question only. A scope's vectors are compared one by one. kind 0: an answer; 2 to 4: as nearest_chunks gives them.
CREATE FUNCTION :"schema".near_answers(its_fingerprint text, its_scope bytea, query real[], threshold float8, most int, at_ms bigint)
RETURNS TABLE (kind int, entry_id uuid, similarity float8, size int, fingerprint text, question text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
  wanted vector := query::vector;
  its record;
BEGIN
  IF most < 1 THEN
    RETURN;
  END IF;
  SELECT * INTO its FROM tenant_model(its_fingerprint, true);
  IF its.no IS NOT NULL AND its.dimensions <> cardinality(near_answers.query) THEN
    RETURN QUERY SELECT CASE WHEN its.dimensions = 0 THEN 3 ELSE 4 END, NULL::uuid, 0::float8, its.dimensions, '', '';
    RETURN;
  ELSIF its.no IS NOT NULL THEN
    RETURN QUERY SELECT 0, n.id, n.near, 0, '', n.query
      FROM (SELECT e.id, e.query, -(v.vector <#> wanted) AS near FROM entry_vectors v
            JOIN semantic_cache e ON e.tenant_id = tenant AND e.id = v.entry_id
            WHERE v.tenant_id = tenant AND v.model = its.no AND v.scope = its_scope AND e.expires_ms > at_ms AND NOT e.exact_only) n
      WHERE n.near >= threshold ORDER BY n.near DESC, n.id LIMIT most;
    IF FOUND THEN
      RETURN;
    END IF;
  END IF;
  -- Nothing was found. Is it that the answers of this scope are embedded by other models only?
  IF EXISTS (SELECT FROM entry_vectors v JOIN semantic_cache e ON e.tenant_id = tenant AND e.id = v.entry_id
             WHERE v.tenant_id = tenant AND v.model = its.no AND v.scope = its_scope AND e.expires_ms > at_ms AND NOT e.exact_only)
     OR NOT EXISTS (SELECT FROM semantic_cache e JOIN entry_vectors v ON v.tenant_id = tenant AND v.entry_id = e.id
                    WHERE e.tenant_id = tenant AND e.scope = its_scope AND e.expires_ms > at_ms AND NOT e.exact_only) THEN
    RETURN;
  END IF;
  RETURN QUERY SELECT 2, NULL::uuid, 0::float8, 0, m.fingerprint, '' FROM tenant_models t JOIN embedding_models m ON m.no = t.model
    WHERE t.tenant_id = tenant AND t.entries > 0 AND m.fingerprint <> its_fingerprint ORDER BY m.fingerprint;
END
$$;

-- As keep_chunk_vectors, for the questions of kept answers.
CREATE FUNCTION :"schema".keep_answer_vectors(its_fingerprint text, d int, ids uuid[], numbers real[], OUT code int, OUT stored int)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  it tenants := lock_tenant(false);
  its_model int;
BEGIN
  code := 0;
  stored := 0;
  IF it.tenant_id IS NULL OR it.cache_rows = 0 OR cardinality(ids) = 0 THEN
    RETURN;
  END IF;
  SELECT m.code, m.no, m.stored INTO code, its_model, stored FROM model_for(its_fingerprint, d, true) m;
  IF code = 0 THEN
    INSERT INTO entry_vectors (tenant_id, model, entry_id, scope, vector)
      SELECT DISTINCT ON (e.id) it.tenant_id, its_model, e.id, e.scope, CASE WHEN d > 0 THEN numbers[(i.i - 1) * d + 1 : i.i * d]::vector END
      FROM unnest(ids) WITH ORDINALITY i(id, i) JOIN semantic_cache e ON e.tenant_id = it.tenant_id AND e.id = i.id
      ORDER BY e.id, i.i
      ON CONFLICT DO NOTHING;
  END IF;
END
$$;

-- As chunks_without_vector, for the questions of kept answers.
CREATE FUNCTION :"schema".answers_without_vector(its_fingerprint text, most int) RETURNS TABLE (missing bigint, entry_id uuid, question text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
  its record;
BEGIN
  SELECT * INTO its FROM tenant_model(its_fingerprint, true);
  missing := coalesce((SELECT t.cache_rows FROM tenants t WHERE t.tenant_id = tenant), 0) - coalesce(its.vectors, 0);
  RETURN QUERY SELECT answers_without_vector.missing, NULL::uuid, '';
  IF missing > 0 THEN
    RETURN QUERY SELECT answers_without_vector.missing, e.id, e.query FROM semantic_cache e
      WHERE e.tenant_id = tenant AND NOT EXISTS
        (SELECT FROM entry_vectors v WHERE v.tenant_id = tenant AND v.model = its.no AND v.entry_id = e.id)
      ORDER BY e.id LIMIT most;
  END IF;
END
$$;

-- Drops kept answers by their id, or that of a document, or a document's source; all of the tenant's by the empty tag. Gives how many.
CREATE FUNCTION :"schema".drop_answers(tag text, tag_id uuid) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := (lock_tenant(false)).tenant_id;
  n bigint;
BEGIN
  IF tag = '' THEN
    DELETE FROM semantic_cache e WHERE e.tenant_id = tenant;
  ELSE
    DELETE FROM semantic_cache e WHERE e.tenant_id = tenant AND e.id IN (
      SELECT tag_id UNION ALL
      SELECT s.entry_id FROM cache_sources s WHERE s.tenant_id = tenant AND s.document_id = tag_id UNION ALL
      SELECT s.entry_id FROM documents o JOIN cache_sources s ON s.tenant_id = tenant AND s.document_id = o.id
        WHERE o.tenant_id = tenant AND o.source = tag);
  END IF;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END
$$;

REVOKE ALL ON FUNCTION take_answer, enter_calls, make_room, keep_answer, near_answers, keep_answer_vectors, answers_without_vector,
  drop_answers FROM PUBLIC;
GRANT EXECUTE ON FUNCTION take_answer, enter_calls, make_room, keep_answer, near_answers, keep_answer_vectors, answers_without_vector,
  drop_answers TO aiorch_app;
