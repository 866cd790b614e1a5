-- Three tenants with one row of everything each, two of them under the same ids, and what tenants.sql needs. Run by the superuser, once.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
CREATE SCHEMA trial;
CREATE EXTENSION pgtap SCHEMA trial;
GRANT USAGE ON SCHEMA trial TO PUBLIC;
SELECT set_config('search_path', format('pg_catalog, %I, extensions, trial', :'schema'), false);

-- What a statement comes to: how many rows it gave or changed, or its SQLSTATE. It leaves nothing behind.
CREATE FUNCTION trial.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  EXECUTE statement;
  GET DIAGNOSTICS n = ROW_COUNT;
  RAISE EXCEPTION USING ERRCODE = 'TRIAL', MESSAGE = n;
EXCEPTION
  WHEN SQLSTATE 'TRIAL' THEN RETURN SQLERRM;
  WHEN OTHERS THEN RETURN SQLSTATE;
END
$$;

-- A new row of tenant acme in each table; %1$L is an id. `fresh` is one that is not there yet.
CREATE TABLE trial.rows (
  tab text PRIMARY KEY,
  fresh text NOT NULL DEFAULT '00000000-0000-7000-8000-000000000003',
  statement text NOT NULL
);
GRANT SELECT ON trial.rows TO PUBLIC;
INSERT INTO trial.rows (tab, statement) VALUES
  ('documents', $q$INSERT INTO documents (tenant_id, id, source, title, format, hash, version, updated_ms, bytes, chunk_count, text)
     VALUES ('acme', %1$L, 'source-' || %1$L, 'canary title', 0, '\x00', 1, 1, 1, 0, 'canary text')$q$),
  ('document_metadata', $q$INSERT INTO document_metadata (tenant_id, document_id, position, name, value)
     VALUES ('acme', '00000000-0000-7000-8000-000000000001', right(%1$L, 2)::int, 'year', '2024')$q$),
  ('chunks', $q$INSERT INTO chunks (tenant_id, id, document_id, ordinal, tokens, start, stop, heading, anchor, hash, word_count, words, text)
     VALUES ('acme', %1$L, '00000000-0000-7000-8000-000000000001', right(%1$L, 2)::int, 1, 0, 1, 'canary heading', '', '\x00', 2,
             '''t:canary'':1'::tsvector, 'canary text')$q$),
  ('semantic_cache', $q$INSERT INTO semantic_cache (tenant_id, id, scope, key, created_ms, expires_ms, bytes, knowledge, finish_reason, chunks,
     provider, model, query, sources, answer) VALUES ('acme', %1$L, '\x01', %1$L::bytea, 1, 9000000000000, 1, 1, 1, '', 'p', 'm',
             'canary question', '[]', 'canary answer')$q$),
  ('cache_sources', $q$INSERT INTO cache_sources (tenant_id, document_id, entry_id, version)
     VALUES ('acme', %1$L, '00000000-0000-7000-8000-000000000001', 1)$q$),
  ('admissions', $q$INSERT INTO admissions (tenant_id, key, run_id, at_ms, amount, kind, expires_ms)
     VALUES ('acme', 'key', %1$L, 1, 1, 0, 9000000000000)$q$),
  ('ai_api_calls', $q$INSERT INTO ai_api_calls VALUES ('acme', %1$L, 'ann', 'p', 'm', 0, 0, 1, 0, 0, 0, 1, 0, false, 5, 1, 1)$q$),
  ('stand_in_answers', $q$INSERT INTO stand_in_answers VALUES ('acme', %1$L, 'canary question', '[1,0,0]', 'canary answer', 'p', 'm', 1, 9000000000000)$q$),
  ('ai_attempts', $q$INSERT INTO ai_attempts VALUES ('acme', '00000000-0000-7000-8000-000000000001', %1$L, 0, 0, 0, 200, 'p', 'm', 'r',
     1, 0, 0, 0, 1, 0, false, 5, 1, 1, 9000000000000)$q$);
INSERT INTO trial.rows (tab, fresh, statement) VALUES
  ('tenants', 'none', $q$INSERT INTO tenants (tenant_id) VALUES ('acme')$q$),
  ('tenant_models', 'none', $q$INSERT INTO tenant_models (tenant_id, model) VALUES ('acme', 1)$q$),
  ('run_totals', 'none', $q$INSERT INTO run_totals VALUES ('acme', 1, 1)$q$),
  ('admission_rates', 'other', $q$INSERT INTO admission_rates VALUES ('acme', 'key' || right(%1$L, 5), 9000000000000000, gen_random_uuid())$q$),
  ('chunk_vectors', '00000000-0000-7000-8000-000000000002', $q$INSERT INTO chunk_vectors VALUES ('acme', 1, %1$L, '[1,0,0]')$q$),
  ('entry_vectors', '00000000-0000-7000-8000-000000000002', $q$INSERT INTO entry_vectors VALUES ('acme', 1, %1$L, '\x01', '[1,0,0]')$q$);

-- The same for two tenants, and for a third under other ids, each written by the application as that tenant. Chunk and answer 2 have no vector yet.
CREATE FUNCTION trial.fill(tenant text, ids text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  one record;
  id text;
BEGIN
  PERFORM set_config('aiorch.tenant', tenant, true), set_config('role', 'aiorch_app', true);
  PERFORM embedding_model('trial model', 3);
  FOR one IN SELECT r.tab, r.statement FROM unnest(ARRAY['documents', 'document_metadata', 'chunks', 'semantic_cache', 'cache_sources', 'admissions',
      'admission_rates', 'ai_api_calls', 'ai_attempts', 'chunk_vectors', 'entry_vectors', 'stand_in_answers']) WITH ORDINALITY o (tab, no) JOIN trial.rows r USING (tab)
      ORDER BY no LOOP
    FOREACH id IN ARRAY CASE WHEN one.tab IN ('chunks', 'semantic_cache') THEN
        ARRAY['00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002'] ELSE ARRAY['00000000-0000-7000-8000-000000000001'] END LOOP
      EXECUTE replace(replace(format(one.statement, id), '''acme''', quote_literal(tenant)), '-00000000000', ids);
    END LOOP;
  END LOOP;
  PERFORM set_config('role', 'postgres', true);
  INSERT INTO run_totals VALUES (tenant, 1, 1);
END
$$;
-- Calls, and how many rows they give to a tenant that has rows, to one that has none, and to nobody.
CREATE TABLE trial.calls (statement text PRIMARY KEY, own text NOT NULL, stranger text NOT NULL, nobody text NOT NULL DEFAULT '42501');
GRANT SELECT ON trial.calls TO PUBLIC;
INSERT INTO trial.calls VALUES
  ('lock_tenant(false)', '1', '1'),
  ($q$put_document('00000000-0000-7000-8000-000000000009', 'new', 't', 0, 'german', '\x01', 1, 1, 'x', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')$q$, '1', '1'),
  ('remove_document(''source-00000000-0000-7000-8000-000000000001'')', '2', '0'),
  ('ranked_chunks(''{t:canary}'', ''{NULL}'', ''{1}'', ''{1}'', 4, 8, NULL, 10)', '2', '0'),
  ('search_chunks(''{t:canary}'', ''{NULL}'', ''{NULL}'', ''{1}'', NULL, NULL, NULL, NULL, 10)', '2', '0'),
  ('found_chunks(''{t:canary}'', ''{NULL}'', ''{NULL}'', ''{1}'', NULL, NULL, NULL, NULL, 10, 10)', '2', '0'),
  ('log_call(gen_random_uuid(), ''{u,p,m}'', 0, 1, ''{0,0,0,0,0,0}'', false, 1, 1, 1, ARRAY[gen_random_uuid()], ''{0}'', ''{0}'', ''{0}'', ''{0}'', ''{p}'', ''{m}'', ''{r}'', ''{0,0,0,0,0,0}'', ''{f}'', ''{1}'', ''{1}'', ''{1}'', ''{1}'')', '1', '1'),
  ('search_chunks(''{t:canary}'', ''{NULL}'', ''{NULL}'', ''{1}'', ''{year}'', ''{0}'', ''{2024}'', ''{NULL}'', 10)', '2', '0'),
  ('tenant_model(''trial model'', false) m WHERE m.no IS NOT NULL', '1', '0'),
  ('model_for(''trial model'', 3, false)', '1', '1'),
  ('keep_chunk_vectors(''trial model'', 3, ''{00000000-0000-7000-8000-000000000002}'', ''{0,1,0}'')', '1', '1'),
  ('chunks_without_vector(''trial model'', 10)', '2', '1'),
  ('nearest_chunks(''trial model'', ''{1,0,0}'', 0, 10, ''{}'', NULL, NULL, NULL, NULL)', '1', '0'),
  ('found_both(''{t:canary}'', ''{NULL}'', ''{NULL}'', ''{1}'', 10, ''trial model'', ''{1,0,0}'', 0, 10, NULL, NULL, NULL, NULL, 10)', '3', '0'),
  ('set_config(''aiorch.exact_up_to'', ''0'', true), nearest_chunks(''trial model'', ''{1,0,0}'', 0, 10, ''{}'', NULL, NULL, NULL, NULL)', '1', '0'),
  ('forget_vectors(''trial model'', 10) n WHERE n = 2', '1', '0'),
  ($q$take_answer('\x01', '00000000-0000-7000-8000-000000000001'::bytea, NULL, 1) a WHERE a.found$q$, '1', '0'),
  ($q$take_answer('\x01', NULL, '00000000-0000-7000-8000-000000000001', 1) a WHERE a.found$q$, '1', '0'),
  ($q$enter_calls(ARRAY[gen_random_uuid()], '{1}', '{0}', '{new key}', '{1000}', '{5}', '{1}', false, ARRAY['\x01'::bytea],
      ARRAY['00000000-0000-7000-8000-000000000001'::bytea], '{1}') a WHERE a.admitted AND a.found$q$, '1', '0'),
  ($q$keep_answer('00000000-0000-7000-8000-000000000009', '\x02', '\x02', 1, 9000000000000, 1, 0, 1, false, '', 'p', 'm', 'q', '[]', 'a', '{}', '{}', '', NULL, NULL,
      10, 1000, false, 1) k WHERE k.kept$q$, '1', '1'),
  ($q$near_answers('trial model', '\x01', '{1,0,0}', 0, 10, 1)$q$, '1', '0'),
  ('keep_answer_vectors(''trial model'', 3, ''{00000000-0000-7000-8000-000000000002}'', ''{0,1,0}'')', '1', '1'),
  ('answers_without_vector(''trial model'', 10)', '2', '1'),
  ('stand_in_answer(''[1,0,0]'', 0.9)', '1', '0'),
  ('stand_in_documents(''[1,0,0]'', 0.9, 5)', '1', '0'),
  ('stand_in_calls()', '1', '0'),
  ('stand_in_cache()', '1', '0'),
  ('drop_answers('''', NULL) n WHERE n = 2', '1', '0'),
  ('drop_answers(''source-00000000-0000-7000-8000-000000000001'', NULL) n WHERE n = 1', '1', '0');
INSERT INTO trial.calls VALUES
  ('unnest(documents_that_fit(''{year}'', ''{0}'', ''{2024}'', ''{NULL}''))', '1', '0', '42501'),
  ('unnest(documents_that_fit(''{year}'', ''{1}'', ''{20}'', ''{NULL}''))', '1', '0', '42501'),
  ('unnest(documents_that_fit(''{year}'', ''{2}'', ''{1000}'', ''{3000}''))', '1', '0', '42501'),
  ('unnest(documents_that_fit(''{}'', ''{}'', ''{}'', ''{}''))', '0', '0', '42501'), ('exact_up_to()', '1', '1', '1'),
  ('how_often(0.5)', '1', '1', '1'), ('language_lexeme(''german'', ''markwort'')', '1', '1', '1'),
  ('language_words(''german'', ''markwort:1'')', '1', '1', '1'), ('make_room(''acme'', 1, 0, 0, 1)', '1', '1', '1');

BEGIN;
SELECT trial.fill('acme', '-00000000000'), trial.fill('rival', '-00000000000'), trial.fill('third', '-00000000001');
COMMIT;
