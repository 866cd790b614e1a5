-- For programs that were written for tables and functions of their own, as the usual edge function on Supabase has them:
-- find_cached_response(query_vec, similarity_threshold), match_documents(query_embedding, match_threshold, match_count), inserts into
-- semantic_cache and ai_api_calls, and counts of the latter. stand_in() puts objects of these names into a schema (public); what they
-- read and write is the tenant's, who is named as everywhere. They raise where no tenant is.
--
-- They do what such programs expect, and no more: what is found is found by the threshold alone, without the guards that the library's cache
-- has. So the two caches are kept apart: what is inserted here is found here until it expires, and never given by the library; what the library keeps
-- for one user, system prompt and model is never given here.
SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', :'schema'), true);
SET LOCAL ROLE aiorch_owner;
SELECT migration_begins(7, 'stand in');
SELECT set_config('search_path', path_with_vector(), true);

CREATE TABLE :"schema".stand_in_answers (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  query_text text NOT NULL,
  query_embedding vector NOT NULL,
  response_text text NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  created_ms bigint NOT NULL,
  expires_ms bigint NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX stand_in_answers_by_expiry ON stand_in_answers (tenant_id, expires_ms);
SELECT guard_by_tenant('stand_in_answers');
GRANT SELECT, INSERT, UPDATE, DELETE ON stand_in_answers TO aiorch_app;
GRANT SELECT (tenant_id, id, provider, model, created_ms, expires_ms) ON stand_in_answers TO aiorch_reader;

-- The nearest answer of the same size, when it is near enough: one row or none.
CREATE FUNCTION :"schema".stand_in_answer(query_vec vector, similarity_threshold float8)
RETURNS TABLE (response_text text, provider text, model text, query_text text, similarity float8)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
BEGIN
  RETURN QUERY SELECT n.response_text, n.provider, n.model, n.query_text, n.near
    FROM (SELECT a.*, 1 - (a.query_embedding <=> query_vec) AS near FROM stand_in_answers a
          WHERE a.tenant_id = tenant AND a.expires_ms > now_ms() AND vector_dims(a.query_embedding) = vector_dims(query_vec)) n
    WHERE n.near >= similarity_threshold ORDER BY n.near DESC, n.created_ms DESC LIMIT 1;
END
$$;

-- The nearest chunks under the model of this size that has most of the tenant's chunks.
CREATE FUNCTION :"schema".stand_in_documents(query_embedding vector, match_threshold float8, match_count int)
RETURNS TABLE (id uuid, content text, similarity float8, source text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
  d int := vector_dims(query_embedding);
  its record;
BEGIN
  SELECT m.no, t.chunks INTO its FROM tenant_models t JOIN embedding_models m ON m.no = t.model
    WHERE t.tenant_id = tenant AND t.chunks > 0 AND m.dimensions = d ORDER BY t.chunks DESC, m.no LIMIT 1;
  IF its.no IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY SELECT c.id, c.text, n.near, o.source
    FROM (SELECT v.chunk_id, 1 - (v.vector <=> query_embedding) AS near FROM chunk_vectors v
          WHERE v.tenant_id = tenant AND v.model = its.no ORDER BY near DESC, v.chunk_id LIMIT least(greatest(match_count, 0), 200)) n
    JOIN chunks c ON c.tenant_id = tenant AND c.id = n.chunk_id
    JOIN documents o ON o.tenant_id = tenant AND o.id = c.document_id
    WHERE n.near >= match_threshold ORDER BY n.near DESC, c.id;
END
$$;

-- What the views give, and what becomes of rows that are inserted into them.
CREATE FUNCTION :"schema".stand_in_calls()
RETURNS TABLE (id uuid, user_id text, provider text, model text, input_tokens bigint, output_tokens bigint, latency_ms bigint,
               estimated_cost numeric, status text, created_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
BEGIN
  RETURN QUERY SELECT c.id, c.user_id::text, c.provider::text, c.model::text, c.input_tokens + c.cache_read_tokens + c.cache_write_tokens,
      c.output_tokens, c.duration_us / 1000, c.cost_nano_usd / 1000000000.0,
      CASE WHEN c.status < 0 THEN 'error' ELSE 'success' END, to_timestamp(c.created_ms / 1000.0)
    FROM ai_api_calls c WHERE c.tenant_id = tenant;
END
$$;

CREATE FUNCTION :"schema".stand_in_cache()
RETURNS TABLE (id uuid, query_text text, query_embedding vector, response_text text, provider text, model text, created_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
BEGIN
  RETURN QUERY SELECT a.id, a.query_text, a.query_embedding, a.response_text, a.provider, a.model, to_timestamp(a.created_ms / 1000.0)
    FROM stand_in_answers a WHERE a.tenant_id = tenant AND a.expires_ms > now_ms();
END
$$;

CREATE FUNCTION :"schema".stand_in_call_comes() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  NEW.id := coalesce(NEW.id, gen_random_uuid());
  NEW.created_at := coalesce(NEW.created_at, clock_timestamp());
  NEW.status := coalesce(NEW.status, 'success');
  -- A token that such a program counts is a guess: characters by four. A failure is AIORCH_E_PROVIDERS_UNAVAILABLE.
  INSERT INTO ai_api_calls (tenant_id, id, user_id, provider, model, status, cache, input_tokens, cache_read_tokens, cache_write_tokens,
                            cache_write_1h_tokens, output_tokens, reasoning_tokens, estimated, cost_nano_usd, created_ms, duration_us)
    VALUES (require_tenant(), NEW.id, coalesce(NEW.user_id, ''), coalesce(NEW.provider, ''), coalesce(NEW.model, ''),
            CASE WHEN lower(NEW.status) IN ('success', 'ok', 'cached', 'cache_hit', 'hit') THEN 0 ELSE -500 END,
            CASE WHEN lower(NEW.status) IN ('cached', 'cache_hit', 'hit') THEN 2 ELSE 1 END,
            coalesce(NEW.input_tokens, 0), 0, 0, 0, coalesce(NEW.output_tokens, 0), 0, true, round(NEW.estimated_cost * 1000000000),
            (extract(epoch FROM NEW.created_at) * 1000)::bigint, coalesce(NEW.latency_ms, 0) * 1000);
  RETURN NEW;
END
$$;

CREATE FUNCTION :"schema".stand_in_answer_comes() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
  life_ms CONSTANT bigint := 86400000; -- a day, as the library's own cache by default
BEGIN
  NEW.id := coalesce(NEW.id, gen_random_uuid());
  NEW.created_at := clock_timestamp();
  IF NEW.query_embedding IS NULL OR NEW.response_text IS NULL THEN
    RAISE EXCEPTION 'query_embedding and response_text are needed' USING ERRCODE = 'not_null_violation';
  END IF;
  DELETE FROM stand_in_answers a WHERE a.tenant_id = tenant AND a.expires_ms <= now_ms();
  INSERT INTO stand_in_answers VALUES (tenant, NEW.id, coalesce(NEW.query_text, ''), NEW.query_embedding, NEW.response_text,
    coalesce(NEW.provider, ''), coalesce(NEW.model, ''), now_ms(), now_ms() + life_ms);
  RETURN NEW;
END
$$;

REVOKE ALL ON FUNCTION stand_in_answer, stand_in_documents, stand_in_calls, stand_in_cache, stand_in_call_comes, stand_in_answer_comes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stand_in_answer, stand_in_documents, stand_in_calls, stand_in_cache TO aiorch_app;

-- Makes the objects in a schema where nothing has their names, for roles that become members of aiorch_app. Run it as who migrates:
--   SELECT aiorch.stand_in(for_roles => '{service_role}')
-- Views and functions have the rights of who asks.
CREATE FUNCTION :"schema".stand_in(target text DEFAULT 'public', for_roles text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  here text := (SELECT relnamespace::regnamespace FROM pg_class WHERE oid = 'stand_in_answers'::regclass);
  vec text := (SELECT format('%s.vector', extnamespace::regnamespace) FROM pg_extension WHERE extname = 'vector');
  taken text := (
    SELECT string_agg(n, ', ') FROM (
      SELECT relname AS n FROM pg_class WHERE relnamespace = quote_ident(target)::regnamespace AND relname IN ('semantic_cache', 'ai_api_calls')
      UNION SELECT proname FROM pg_proc WHERE pronamespace = quote_ident(target)::regnamespace AND proname IN ('find_cached_response', 'match_documents')) x);
  one text;
BEGIN
  IF taken IS NOT NULL THEN
    RAISE EXCEPTION 'the schema % has these already: %', target, taken USING ERRCODE = 'duplicate_object',
      HINT = 'Rename them (ALTER … RENAME TO …_before_aiorch), or name another schema.';
  END IF;
  EXECUTE format('CREATE FUNCTION %I.find_cached_response(query_vec %s, similarity_threshold float8 DEFAULT 0.95)
    RETURNS TABLE (response_text text, provider text, model text, query_text text, similarity float8)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS %L', target, vec,
    format('SELECT * FROM %s.stand_in_answer(query_vec, similarity_threshold)', here));
  EXECUTE format('CREATE FUNCTION %I.match_documents(query_embedding %s, match_threshold float8 DEFAULT 0.7, match_count int DEFAULT 5)
    RETURNS TABLE (id uuid, content text, similarity float8, source text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS %L', target, vec,
    format('SELECT * FROM %s.stand_in_documents(query_embedding, match_threshold, match_count)', here));
  EXECUTE format('CREATE VIEW %I.ai_api_calls WITH (security_invoker = true) AS SELECT * FROM %s.stand_in_calls()', target, here);
  EXECUTE format('CREATE VIEW %I.semantic_cache WITH (security_invoker = true) AS SELECT * FROM %s.stand_in_cache()', target, here);
  EXECUTE format('CREATE TRIGGER comes INSTEAD OF INSERT ON %I.ai_api_calls FOR EACH ROW EXECUTE FUNCTION %s.stand_in_call_comes()', target, here);
  EXECUTE format('CREATE TRIGGER comes INSTEAD OF INSERT ON %I.semantic_cache FOR EACH ROW EXECUTE FUNCTION %s.stand_in_answer_comes()', target, here);
  EXECUTE format('REVOKE ALL ON FUNCTION %1$I.find_cached_response, %1$I.match_documents FROM PUBLIC', target);
  FOREACH one IN ARRAY array_append(for_roles, 'aiorch_app') LOOP
    IF one <> 'aiorch_app' THEN
      EXECUTE format('GRANT aiorch_app TO %I', one);
    END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION %1$I.find_cached_response, %1$I.match_documents TO %2$I', target, one);
    EXECUTE format('GRANT SELECT, INSERT ON %1$I.ai_api_calls, %1$I.semantic_cache TO %2$I', target, one);
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION stand_in FROM PUBLIC;

-- Takes over what such a program has in a schema: its tables and functions are renamed (…_before_aiorch), its calls and cached answers are
-- copied for a tenant, and the stand-ins take their names. Run it as who migrates and owns the tables. Documents stay where they are, in
-- documents_before_aiorch: they are to be ingested, since the library takes texts apart and embeds them itself.
CREATE FUNCTION :"schema".take_over(its_tenant text, target text DEFAULT 'public', for_roles text[] DEFAULT '{}',
                                    OUT calls bigint, OUT answers bigint, OUT documents_left bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  one record;
BEGIN
  PERFORM set_config('aiorch.tenant', its_tenant, true);
  FOR one IN SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = quote_ident(target)::regnamespace AND c.relkind IN ('r', 'p')
               AND c.relname IN ('semantic_cache', 'documents', 'ai_api_calls') LOOP
    EXECUTE format('ALTER TABLE %I.%I RENAME TO %I', target, one.name, one.name || '_before_aiorch');
  END LOOP;
  FOR one IN SELECT p.oid::regprocedure AS it, p.proname AS name FROM pg_proc p WHERE p.pronamespace = quote_ident(target)::regnamespace
               AND p.proname IN ('find_cached_response', 'match_documents') LOOP
    EXECUTE format('ALTER FUNCTION %s RENAME TO %I', one.it, one.name || '_before_aiorch');
  END LOOP;
  calls := 0;
  answers := 0;
  documents_left := 0;
  -- By way of JSON, so that a column that is missing is NULL. Ids come from the rows, so that a row that comes twice is one.
  IF to_regclass(format('%I.ai_api_calls_before_aiorch', target)) IS NOT NULL THEN
    EXECUTE format($q$
      INSERT INTO ai_api_calls (tenant_id, id, user_id, provider, model, status, cache, input_tokens, cache_read_tokens, cache_write_tokens,
                                cache_write_1h_tokens, output_tokens, reasoning_tokens, estimated, cost_nano_usd, created_ms, duration_us)
        SELECT $1, md5('call ' || $1 || r::text)::uuid, coalesce(r ->> 'user_id', ''), coalesce(r ->> 'provider', ''), coalesce(r ->> 'model', ''),
               CASE WHEN lower(coalesce(r ->> 'status', 'success')) IN ('success', 'ok', 'cached', 'cache_hit', 'hit') THEN 0 ELSE -500 END,
               CASE WHEN lower(r ->> 'status') IN ('cached', 'cache_hit', 'hit') THEN 2 ELSE 1 END,
               coalesce(round((r ->> 'input_tokens')::numeric), 0), 0, 0, 0, coalesce(round((r ->> 'output_tokens')::numeric), 0), 0, true,
               round((r ->> 'estimated_cost')::numeric * 1000000000),
               coalesce((extract(epoch FROM (r ->> 'created_at')::timestamptz) * 1000)::bigint, 0), coalesce(round((r ->> 'latency_ms')::numeric * 1000), 0)
        FROM (SELECT to_jsonb(t) AS r FROM %I.ai_api_calls_before_aiorch t) x ON CONFLICT DO NOTHING $q$, target) USING its_tenant;
    GET DIAGNOSTICS calls = ROW_COUNT;
  END IF;
  IF to_regclass(format('%I.semantic_cache_before_aiorch', target)) IS NOT NULL THEN
    EXECUTE format($q$
      INSERT INTO stand_in_answers
        SELECT $1, md5('answer ' || $1 || r::text)::uuid, coalesce(r ->> 'query_text', ''), (r ->> 'query_embedding')::vector, r ->> 'response_text',
               coalesce(r ->> 'provider', ''), coalesce(r ->> 'model', ''), now_ms(), now_ms() + 86400000
        FROM (SELECT to_jsonb(t) AS r FROM %I.semantic_cache_before_aiorch t) x
        WHERE r ->> 'query_embedding' IS NOT NULL AND r ->> 'response_text' IS NOT NULL ON CONFLICT DO NOTHING $q$, target) USING its_tenant;
    GET DIAGNOSTICS answers = ROW_COUNT;
  END IF;
  IF to_regclass(format('%I.documents_before_aiorch', target)) IS NOT NULL THEN
    EXECUTE format('SELECT count(*) FROM %I.documents_before_aiorch', target) INTO documents_left;
  END IF;
  PERFORM stand_in(target, for_roles);
END
$$;
REVOKE ALL ON FUNCTION take_over FROM PUBLIC;
