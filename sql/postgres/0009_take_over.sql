-- Taking over what a program on Supabase (or any PostgreSQL) has: its tables documents, semantic_cache and ai_api_calls, and its functions
-- find_cached_response and match_documents. `aiorch import supabase` calls import_from() with one step after the other; each may be repeated,
-- and goes on where the last one ended. Run by a login that may migrate and owns the tables. Nothing is dropped: what was there is there
-- under another name (…_before_aiorch), every row of it.
--
-- What becomes of the rows:
--   ai_api_calls     runs of the tenant, each once, money to the nano-dollar
--   documents        documents of the tenant, which the command line takes apart; their vectors come along when they are of the model in use
--   semantic_cache   stays where it is and is never given again: its answers say neither for whom nor from what they were made, so one user's
--                    could be given to another, or one that rests on a document of before
SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', :'schema'), true);
SET LOCAL ROLE aiorch_owner;
SELECT migration_begins(9, 'take over');
SELECT set_config('search_path', path_with_vector(), true);

-- It copied answers, and left documents to others.
DROP FUNCTION :"schema".take_over(text, text, text[]);

-- ---- the tenant of a role ----------------------------------------------------------------------------------------------------------

-- A key of Supabase names a role (service_role) and no tenant, and its owner may not say ALTER ROLE … SET aiorch.tenant. So the owner of the
-- schema says for which tenant a token stands that names none:
--   INSERT INTO aiorch.settings VALUES ('tenant_of_role.service_role', 'acme')
ALTER TABLE settings DROP CONSTRAINT settings_name_check;
ALTER TABLE settings ADD CONSTRAINT settings_name_check CHECK (name = 'tenant_claim' OR (name ~ '^tenant_of_role\..' AND value <> ''));
COMMENT ON COLUMN :"schema".settings.value IS 'tenant_claim: where a token names the tenant, as "app_metadata.tenant_id" or "org_id". '
  'tenant_of_role.ROLE: the tenant of tokens of this role that name none.';

CREATE OR REPLACE FUNCTION :"schema".current_tenant() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
  named text := nullif(current_setting('aiorch.tenant', true), '');
  claims text := nullif(current_setting('request.jwt.claims', true), '');
  claimed text;
BEGIN
  IF claims IS NULL THEN
    RETURN named;
  END IF;
  claimed := nullif(claims::jsonb #>> string_to_array(
    coalesce((SELECT value FROM settings WHERE name = 'tenant_claim'), 'app_metadata.tenant_id'), '.'), '');
  IF named IS NOT NULL AND claimed IS NOT NULL AND named <> claimed THEN
    RETURN NULL;
  END IF;
  RETURN coalesce(claimed, named, (SELECT value FROM settings WHERE name = 'tenant_of_role.' || (claims::jsonb ->> 'role')));
END
$$;

-- ---- the tables -------------------------------------------------------------------------------------------------------------------

-- The table of a name, as it was or as it is called now; NULL: there is none.
CREATE FUNCTION :"schema".import_table(target text, its_name text) RETURNS regclass
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT c.oid::regclass FROM pg_class c
  WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = target) AND c.relkind = 'r'
    AND c.relname IN (its_name, its_name || '_before_aiorch') ORDER BY c.relname = its_name LIMIT 1
$$;

-- ---- what it has cost -----------------------------------------------------------------------------------------------------------

-- A row as JSON, so that a column that is missing is NULL. The id comes from the row, and of rows that are the same in everything from which
-- of them it is: so a row that comes twice is one, and two rows are two.
CREATE FUNCTION :"schema".import_calls(its_tenant text, calls regclass) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  n bigint;
BEGIN
  PERFORM set_config('aiorch.tenant', its_tenant, true);
  EXECUTE format($q$
    INSERT INTO ai_api_calls (tenant_id, id, user_id, provider, model, status, cache, input_tokens, cache_read_tokens, cache_write_tokens,
                              cache_write_1h_tokens, output_tokens, reasoning_tokens, estimated, cost_nano_usd, created_ms, duration_us)
      SELECT $1, md5('call ' || $1 || r::text || CASE WHEN nth > 1 THEN ' ' || nth ELSE '' END)::uuid,
             coalesce(r ->> 'user_id', ''), coalesce(r ->> 'provider', ''), coalesce(r ->> 'model', ''),
             CASE WHEN lower(coalesce(r ->> 'status', 'success')) IN ('success', 'ok', 'cached', 'cache_hit', 'hit') THEN 0 ELSE -500 END,
             CASE WHEN lower(r ->> 'status') IN ('cached', 'cache_hit', 'hit') THEN 2 ELSE 1 END,
             coalesce(round((r ->> 'input_tokens')::numeric), 0), 0, 0, 0, coalesce(round((r ->> 'output_tokens')::numeric), 0), 0, true,
             CASE WHEN r ->> 'estimated_cost' NOT IN ('NaN', 'Infinity', '-Infinity') THEN round((r ->> 'estimated_cost')::numeric * 1000000000) END,
             coalesce((extract(epoch FROM (r ->> 'created_at')::timestamptz) * 1000)::bigint, 0),
             coalesce(round((r ->> 'latency_ms')::numeric * 1000), 0)
      FROM (SELECT y.r, row_number() OVER (PARTITION BY y.r::text) AS nth FROM (SELECT to_jsonb(t) AS r FROM %s t) y) x
      ON CONFLICT DO NOTHING $q$, calls) USING its_tenant;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END
$$;

-- ---- documents ------------------------------------------------------------------------------------------------------------------

-- The column of vectors of a table; NULL: it has none.
CREATE FUNCTION :"schema".import_vector_column(its_table regclass) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT a.attname::text FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
  WHERE a.attrelid = its_table AND a.attnum > 0 AND NOT a.attisdropped AND y.typname IN ('vector', 'halfvec') ORDER BY a.attname <> 'embedding', a.attnum LIMIT 1
$$;

-- Rows of the table from some of its pages, each with the source that its document gets: by its id, else by its place.
CREATE FUNCTION :"schema".import_rows(its_table regclass, from_page bigint, pages bigint)
RETURNS TABLE (source text, title text, content text, metadata jsonb, vector vector)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
  embedded text := import_vector_column(its_table);
  others text := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
                  WHERE a.attrelid = its_table AND a.attnum > 0 AND NOT a.attisdropped
                    AND y.typname NOT IN ('vector', 'halfvec', 'sparsevec', 'tsvector', 'bytea'));
BEGIN
  RETURN QUERY EXECUTE format($q$
    SELECT 'supabase:documents/' || coalesce(r ->> 'id', r ->> 'uuid', place),
           coalesce(nullif(r ->> 'title', ''), nullif(r ->> 'name', ''), nullif(m ->> 'title', ''), nullif(m ->> 'source', ''), nullif(r ->> 'source', ''),
                    left(split_part(btrim(coalesce(c, ''), E' \t\r\n'), E'\n', 1), 80)),
           c, m || jsonb_strip_nulls(jsonb_build_object('source', r -> 'source', 'url', r -> 'url')), v
    FROM (SELECT o.r, o.place, o.v, coalesce(o.r ->> 'content', o.r ->> 'text', o.r ->> 'body') AS c,
                 CASE jsonb_typeof(o.r -> 'metadata') WHEN 'object' THEN o.r -> 'metadata' ELSE '{}' END AS m
          FROM (SELECT (SELECT to_jsonb(x) FROM (SELECT %s) x) AS r, t.ctid::text AS place, %s::vector AS v FROM %s t
                WHERE t.ctid >= '(%s,0)'::tid AND t.ctid < '(%s,0)'::tid) o) p $q$,
    others, CASE WHEN embedded IS NULL THEN 'NULL' ELSE 't.' || quote_ident(embedded) END, its_table, from_page, from_page + pages);
END
$$;

CREATE FUNCTION :"schema".import_pages(its_table regclass) RETURNS bigint
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT pg_relation_size(its_table) / current_setting('block_size')::bigint
$$;

-- Those of some pages that are not documents of the tenant yet.
CREATE FUNCTION :"schema".import_documents(its_tenant text, its_table regclass, from_page bigint, pages bigint) RETURNS jsonb
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM set_config('aiorch.tenant', its_tenant, true);
  RETURN jsonb_build_object('pages', import_pages(its_table), 'next_page', from_page + pages, 'rows', coalesce((
    SELECT jsonb_agg(jsonb_build_object('source', i.source, 'title', i.title, 'text', i.content, 'metadata', i.metadata) ORDER BY i.source)
    FROM import_rows(its_table, from_page, pages) i
    WHERE NOT EXISTS (SELECT FROM documents d WHERE d.tenant_id = its_tenant AND d.source = i.source)), '[]'));
END
$$;

-- A few texts and their vectors: does the embedder in use give the same for them?
CREATE FUNCTION :"schema".import_sample(its_table regclass) RETURNS jsonb
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT jsonb_build_object('rows', coalesce(jsonb_agg(jsonb_build_object('text', s.content, 'vector', to_jsonb(l2_normalize(s.vector)::real[]))), '[]'))
  FROM (SELECT i.content, i.vector FROM import_rows(its_table, 0, 64) i
        WHERE i.vector IS NOT NULL AND vector_norm(i.vector) > 0 AND length(i.content) BETWEEN 10 AND 800 ORDER BY i.source LIMIT 8) s
$$;

-- Keeps the vectors of documents that are one chunk: what was embedded is what is in it. How many.
CREATE FUNCTION :"schema".import_vectors(its_tenant text, its_table regclass, its_model text, from_page bigint, pages bigint) RETURNS jsonb
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  ids uuid[];
  numbers real[];
  d int;
  kept record;
BEGIN
  PERFORM set_config('aiorch.tenant', its_tenant, true);
  SELECT max(vector_dims(i.vector)) INTO d FROM import_rows(its_table, from_page, pages) i WHERE i.vector IS NOT NULL;
  WITH found AS MATERIALIZED (
    SELECT c.id, l2_normalize(i.vector)::real[] AS vector FROM import_rows(its_table, from_page, pages) i
    JOIN documents o ON o.tenant_id = its_tenant AND o.source = i.source AND o.chunk_count = 1
    JOIN chunks c ON c.tenant_id = its_tenant AND c.document_id = o.id
    WHERE i.vector IS NOT NULL AND vector_dims(i.vector) = d AND vector_norm(i.vector) > 0 AND btrim(o.text, E' \t\n') = btrim(replace(i.content, E'\r\n', E'\n'), E' \t\n'))
  SELECT array_agg(f.id ORDER BY f.id), (SELECT array_agg(u.x ORDER BY g.id, u.nth) FROM found g, unnest(g.vector) WITH ORDINALITY u(x, nth))
    INTO ids, numbers FROM found f;
  IF ids IS NOT NULL THEN
    SELECT * INTO kept FROM keep_chunk_vectors(its_model, d, ids, numbers);
    IF kept.code <> 0 THEN
      RAISE EXCEPTION 'the vectors cannot be kept under "%": it has others of % numbers', its_model, kept.stored USING ERRCODE = 'invalid_parameter_value';
    END IF;
  END IF;
  RETURN jsonb_build_object('pages', import_pages(its_table), 'next_page', from_page + pages, 'vectors', coalesce(cardinality(ids), 0));
END
$$;

-- ---- the steps ------------------------------------------------------------------------------------------------------------------

-- How it stands, and what is in the way; changes nothing.
CREATE FUNCTION :"schema".import_plan(its_tenant text, target text) RETURNS jsonb
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  docs regclass := import_table(target, 'documents');
  cache regclass := import_table(target, 'semantic_cache');
  calls regclass := import_table(target, 'ai_api_calls');
  embedded text := import_vector_column(docs);
  found bigint := 0;
  vectors bigint := 0;
  answers bigint := 0;
  runs bigint := 0;
  cost numeric;
  rounded bigint := 0;
  unpriced bigint := 0;
  imported bigint;
  here oid := (SELECT n.oid FROM pg_namespace n WHERE n.nspname = target);
  problems jsonb;
BEGIN
  PERFORM set_config('aiorch.tenant', its_tenant, true);
  IF here IS NULL THEN
    RAISE EXCEPTION 'there is no schema "%"', target USING ERRCODE = 'invalid_schema_name';
  END IF;
  SELECT jsonb_agg(p.what) INTO problems FROM (
    SELECT format('%s belongs to %s: only its owner may rename it', c.oid::regclass, c.relowner::regrole) AS what FROM pg_class c
      WHERE c.oid IN (docs, cache, calls) AND NOT pg_has_role(c.relowner, 'USAGE')
    UNION ALL
    SELECT format('%I.%I is there beside %2$s_before_aiorch: rename one of them', target, n.name) FROM unnest(ARRAY['documents', 'semantic_cache', 'ai_api_calls']) n(name)
      WHERE (SELECT count(*) FROM pg_class c WHERE c.relnamespace = here AND c.relkind = 'r' AND c.relname IN (n.name, n.name || '_before_aiorch')) > 1
    UNION ALL
    SELECT format('%s is no table of its own: it cannot be taken over', c.oid::regclass) FROM pg_class c
      WHERE c.relnamespace = here AND c.relname IN ('documents', 'semantic_cache', 'ai_api_calls') AND c.relkind NOT IN ('r', 'i')
        AND NOT (c.relkind = 'v' AND pg_get_viewdef(c.oid) ~ 'stand_in_(calls|cache)')
    UNION ALL
    SELECT format('no right to make objects in the schema %I', target) WHERE NOT has_schema_privilege(here, 'CREATE')) p;
  IF problems IS NOT NULL THEN
    RETURN jsonb_build_object('tenant', its_tenant, 'schema', target, 'problems', problems);
  END IF;
  IF docs IS NOT NULL THEN
    EXECUTE format('SELECT count(*), %s FROM %s', CASE WHEN embedded IS NULL THEN '0' ELSE format('count(%I)', embedded) END, docs) INTO found, vectors;
  END IF;
  IF cache IS NOT NULL THEN
    EXECUTE format('SELECT count(*) FROM %s', cache) INTO answers;
  END IF;
  IF calls IS NOT NULL THEN
    EXECUTE format($q$SELECT count(*), sum(c), count(*) FILTER (WHERE scale(trim_scale(c)) > 9), count(*) FILTER (WHERE c IS NULL)
      FROM (SELECT CASE WHEN r ->> 'estimated_cost' NOT IN ('NaN', 'Infinity', '-Infinity') THEN (r ->> 'estimated_cost')::numeric END AS c
            FROM (SELECT to_jsonb(t) AS r FROM %s t) x) y$q$, calls) INTO runs, cost, rounded, unpriced;
  END IF;
  imported := (SELECT count(*) FROM documents d WHERE d.tenant_id = its_tenant AND d.source >= 'supabase:documents/' AND d.source < 'supabase:documents0');
  RETURN jsonb_build_object(
    'tenant', its_tenant, 'schema', target,
    'taken', EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = here AND c.relname = 'ai_api_calls' AND c.relkind = 'v' AND pg_get_viewdef(c.oid) ~ 'stand_in_calls'),
    'documents', jsonb_build_object('table', docs, 'found', found, 'with_vector', vectors, 'imported', imported),
    'calls', jsonb_build_object('table', calls, 'found', runs, 'cost_usd', coalesce(trim_scale(cost), 0)::text, 'rounded', rounded, 'without_cost', unpriced,
      'imported', (SELECT count(*) FROM ai_api_calls c WHERE c.tenant_id = its_tenant)),
    'answers', jsonb_build_object('table', cache, 'found', answers),
    'functions', coalesce((SELECT jsonb_agg(p.oid::regprocedure::text) FROM pg_proc p WHERE p.pronamespace = here
      AND p.proname IN ('find_cached_response', 'match_documents') AND p.prosrc !~ 'stand_in_(answer|documents)'), '[]'),
    'problems', '[]'::jsonb);
END
$$;

-- Rights of its own for a role that does not inherit those of aiorch_app, as those of PostgREST on Supabase do not: what the stand-ins read and
-- write, under the same policies.
CREATE FUNCTION :"schema".stand_in_rights(its_role text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', (SELECT relnamespace::regnamespace FROM pg_class WHERE oid = 'stand_in_answers'::regclass), its_role);
  EXECUTE format('GRANT EXECUTE ON FUNCTION stand_in_answer, stand_in_documents, stand_in_calls, stand_in_cache, require_tenant, current_tenant, now_ms TO %I', its_role);
  EXECUTE format('GRANT SELECT ON settings, embedding_models, tenant_models, documents, chunks, chunk_vectors TO %I', its_role);
  EXECUTE format('GRANT SELECT, INSERT ON ai_api_calls TO %I', its_role);
  EXECUTE format('GRANT SELECT, INSERT, DELETE ON stand_in_answers TO %I', its_role);
END
$$;

-- Renames what is there, copies what it has cost and makes the stand-ins, in one transaction: a program that writes meanwhile waits for its
-- end, and then writes to the stand-ins. Done already, it does what is missing.
CREATE FUNCTION :"schema".import_take(its_tenant text, target text DEFAULT 'public', for_roles text[] DEFAULT '{}', OUT calls bigint, OUT renamed text[])
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  one record;
  its_calls regclass := import_table(target, 'ai_api_calls');
  taken boolean := (import_plan(its_tenant, target) ->> 'taken')::boolean;
BEGIN
  calls := 0;
  renamed := '{}';
  -- Most of them before anybody has to wait, the rest when nobody can write any more.
  IF its_calls IS NOT NULL THEN
    calls := import_calls(its_tenant, its_calls);
  END IF;
  PERFORM set_config('lock_timeout', '10s', true);
  FOR one IN SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = quote_ident(target)::regnamespace AND c.relkind = 'r'
               AND c.relname IN ('semantic_cache', 'documents', 'ai_api_calls') ORDER BY 1 LOOP
    EXECUTE format('ALTER TABLE %I.%I RENAME TO %I', target, one.name, one.name || '_before_aiorch');
    renamed := renamed || one.name::text;
  END LOOP;
  IF its_calls IS NOT NULL AND 'ai_api_calls' = ANY (renamed) THEN
    calls := calls + import_calls(its_tenant, its_calls);
  END IF;
  IF NOT taken THEN
    FOR one IN SELECT p.oid::regprocedure AS it, p.proname AS name FROM pg_proc p WHERE p.pronamespace = quote_ident(target)::regnamespace
                 AND p.proname IN ('find_cached_response', 'match_documents') LOOP
      EXECUTE format('ALTER FUNCTION %s RENAME TO %I', one.it, one.name || '_before_aiorch');
      renamed := renamed || one.it::text;
    END LOOP;
    PERFORM stand_in(target, for_roles);
    PERFORM stand_in_rights(r) FROM unnest(for_roles) r;
  END IF;
END
$$;

-- The one that `aiorch import supabase` calls. {"step": plan|take|documents|sample|vectors, "tenant", "schema", "roles" [take], "page" [documents,
-- vectors], "model" [vectors]}
CREATE FUNCTION :"schema".import_from(request jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  pages CONSTANT bigint := 8;
  its_tenant text := request ->> 'tenant';
  target text := coalesce(request ->> 'schema', 'public');
  docs regclass;
  page bigint := coalesce((request ->> 'page')::bigint, 0);
  took record;
BEGIN
  -- One at a time: who was killed may not have ended yet.
  PERFORM pg_advisory_xact_lock(hashtextextended('aiorch import ' || target, 0));
  docs := import_table(target, 'documents');
  CASE request ->> 'step'
  WHEN 'plan' THEN
    RETURN import_plan(its_tenant, target);
  WHEN 'take' THEN
    SELECT * INTO took FROM import_take(its_tenant, target, ARRAY(SELECT jsonb_array_elements_text(coalesce(request -> 'roles', '[]'))));
    RETURN jsonb_build_object('calls', took.calls, 'renamed', to_jsonb(took.renamed));
  WHEN 'documents' THEN
    RETURN CASE WHEN docs IS NULL THEN '{"pages": 0, "next_page": 0, "rows": []}' ELSE import_documents(its_tenant, docs, page, pages) END;
  WHEN 'sample' THEN
    RETURN CASE WHEN docs IS NULL THEN '{"rows": []}' ELSE import_sample(docs) END;
  WHEN 'vectors' THEN
    RETURN CASE WHEN docs IS NULL THEN '{"pages": 0, "next_page": 0, "vectors": 0}' ELSE import_vectors(its_tenant, docs, request ->> 'model', page, pages) END;
  ELSE
    RAISE EXCEPTION 'there is no step "%"', request ->> 'step' USING ERRCODE = 'invalid_parameter_value';
  END CASE;
END
$$;

REVOKE ALL ON FUNCTION import_table, import_calls, import_vector_column, import_rows, import_pages, import_documents, import_sample, import_vectors,
  import_plan, stand_in_rights, import_take, import_from FROM PUBLIC;
