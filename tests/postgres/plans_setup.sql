-- 100 tenants with 1,000 rows each in every large table, for the look at plans. Run by the superuser.
\set ON_ERROR_STOP 1
SELECT set_config('search_path', format('pg_catalog, %I, extensions', :'schema'), false) \g /dev/null
CREATE FUNCTION pg_temp.id(t int, n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex(t), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
CREATE FUNCTION pg_temp.unit(seed int) RETURNS vector LANGUAGE sql IMMUTABLE AS $$
  SELECT l2_normalize(array_agg(sin(seed * 1.37 + i * i * 0.71 + seed % 97 * i))::real[]::vector) FROM generate_series(1, 16) i $$;
SET max_parallel_maintenance_workers = 0; -- parallel builds below pgvector 0.8.2 are not safe
SELECT embedding_model('plans', 16) AS model \gset
INSERT INTO documents (tenant_id, id, source, title, format, hash, version, updated_ms, bytes, chunk_count, text)
  SELECT 't' || t, pg_temp.id(t, n), 'source ' || n, 'title', 0, sha256((t || ' ' || n)::bytea), 1, 1, 10, 10, 'text' FROM generate_series(1, 100) t, generate_series(1, 100) n;
INSERT INTO document_metadata (tenant_id, document_id, position, name, value)
  SELECT 't' || t, pg_temp.id(t, n), p, 'name ' || p, (n * p)::text FROM generate_series(1, 100) t, generate_series(1, 100) n, generate_series(1, 10) p;
INSERT INTO chunks (tenant_id, id, document_id, ordinal, tokens, start, stop, heading, anchor, hash, word_count, words, text)
  SELECT 't' || t, pg_temp.id(t, n), pg_temp.id(t, (n - 1) / 10 + 1), n % 10, 10, 0, 10, '', '', sha256(n::text::bytea), 3,
         format('''t%s:w%s'':1 ''t%s:v%s'':2 ''t%s:all'':3', t, n % 50, t, n % 7, t)::tsvector, 'text' FROM generate_series(1, 100) t, generate_series(1, 1000) n;
INSERT INTO chunk_vectors SELECT 't' || t, :model, pg_temp.id(t, n), pg_temp.unit(t * 1000 + n) FROM generate_series(1, 100) t, generate_series(1, 1000) n;
INSERT INTO semantic_cache (tenant_id, id, scope, key, created_ms, expires_ms, bytes, knowledge, finish_reason, chunks, provider, model, query, sources, answer)
  SELECT 't' || t, pg_temp.id(t, n), ('s' || n % 20)::bytea, ('k' || n)::bytea, n, 9000000000000 + n, 100, 1, 1, '', 'p', 'm', 'q', '[]', 'a'
  FROM generate_series(1, 100) t, generate_series(1, 1000) n;
INSERT INTO cache_sources SELECT 't' || t, pg_temp.id(t, n % 100 + 1), pg_temp.id(t, n), 1 FROM generate_series(1, 100) t, generate_series(1, 1000) n;
INSERT INTO entry_vectors SELECT 't' || t, :model, pg_temp.id(t, n), ('s' || n % 20)::bytea, pg_temp.unit(t * 1000 + n) FROM generate_series(1, 100) t, generate_series(1, 1000) n;
INSERT INTO admissions SELECT 't' || t, 'key ' || n % 20, pg_temp.id(t, n), 1000 + n, 1, 0, 9000000000000 + n FROM generate_series(1, 100) t, generate_series(1, 1000) n;
INSERT INTO admission_rates SELECT 't' || t, 'key ' || n, 1000, pg_temp.id(t, n) FROM generate_series(1, 100) t, generate_series(1, 1000) n;
INSERT INTO ai_api_calls SELECT 't' || t, pg_temp.id(t, n), 'u' || n % 20, 'p', 'm', 0, 0, 1, 0, 0, 0, 1, 0, false, 5, n * 1000, 1
  FROM generate_series(1, 100) t, generate_series(1, 1000) n;
INSERT INTO ai_attempts SELECT 't' || t, pg_temp.id(t, n), pg_temp.id(t, n), 1, 0, 0, 200, 'p', 'm', 'r', 1, 0, 0, 0, 1, 0, false, 5, 1, 1, 1
  FROM generate_series(1, 100) t, generate_series(1, 1000) n;
SELECT embedding_index('plans', 16);
VACUUM ANALYZE;
