-- Answers that are kept, the vectors of their questions, and the embedding models of both kinds of vectors.
SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', :'schema'), true);
SET LOCAL ROLE aiorch_owner;
SELECT migration_begins(3, 'cache');
SELECT set_config('search_path', path_with_vector(), true);

-- Counts the uses of cached answers of all tenants: what was used last has the highest number.
CREATE SEQUENCE :"schema".cache_clock CACHE 1;

CREATE TABLE :"schema".semantic_cache (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  scope bytea NOT NULL,                     -- everything but the question
  key bytea NOT NULL,                       -- of the question's normalized text
  created_ms bigint NOT NULL,
  expires_ms bigint NOT NULL,
  used bigint NOT NULL DEFAULT nextval('cache_clock'),
  hits bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL,                    -- what it takes of the tenant's max_bytes, with its vectors
  knowledge bigint NOT NULL,                -- where the tenant's knowledge stood when the answer was last good for it
  finish_reason int NOT NULL,
  exact_only boolean NOT NULL DEFAULT false, -- somebody said that the answer fits its own question only
  chunks bytea NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  query text NOT NULL,
  sources text NOT NULL,
  answer text NOT NULL,
  PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX semantic_cache_by_key ON semantic_cache (tenant_id, scope, key);
CREATE INDEX semantic_cache_by_use ON semantic_cache (tenant_id, used);
CREATE INDEX semantic_cache_by_expiry ON semantic_cache (tenant_id, expires_ms);

-- The documents that an answer rests on, at the version it was made from.
CREATE TABLE :"schema".cache_sources (
  tenant_id text COLLATE "C" NOT NULL,
  document_id uuid NOT NULL,
  entry_id uuid NOT NULL,
  version bigint NOT NULL,
  PRIMARY KEY (tenant_id, document_id, entry_id),
  FOREIGN KEY (tenant_id, entry_id) REFERENCES semantic_cache (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX cache_sources_of_entry ON cache_sources (tenant_id, entry_id);

CREATE TABLE :"schema".entry_vectors (
  tenant_id text COLLATE "C" NOT NULL,
  model int NOT NULL REFERENCES embedding_models (no),
  entry_id uuid NOT NULL,
  scope bytea NOT NULL,                     -- the entry's, so that a scope is searched without a look at the others
  vector vector,                            -- of unit length
  PRIMARY KEY (tenant_id, model, entry_id),
  FOREIGN KEY (tenant_id, entry_id) REFERENCES semantic_cache (tenant_id, id) ON DELETE CASCADE
) WITH (toast_tuple_target = 8160);
CREATE INDEX entry_vectors_of_entry ON entry_vectors (tenant_id, entry_id);
CREATE INDEX entry_vectors_of_scope ON entry_vectors (tenant_id, model, scope);
CREATE INDEX entry_vectors_of_model ON entry_vectors (model);

-- ---- what follows from a change -------------------------------------------------------------------------------------------------

CREATE FUNCTION :"schema".semantic_cache_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO tenants AS t (tenant_id, cache_rows, cache_bytes)
      SELECT tenant_id, count(*), sum(bytes) FROM came GROUP BY tenant_id ORDER BY tenant_id
      ON CONFLICT (tenant_id) DO UPDATE SET cache_rows = t.cache_rows + excluded.cache_rows,
        cache_bytes = t.cache_bytes + excluded.cache_bytes;
  ELSE
    UPDATE tenants t SET cache_rows = t.cache_rows - d.n, cache_bytes = t.cache_bytes - d.bytes
      FROM (SELECT tenant_id, count(*) AS n, sum(bytes) AS bytes FROM went GROUP BY tenant_id) d WHERE t.tenant_id = d.tenant_id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER semantic_cache_came AFTER INSERT ON semantic_cache REFERENCING NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION semantic_cache_changed();
CREATE TRIGGER semantic_cache_went AFTER DELETE ON semantic_cache REFERENCING OLD TABLE AS went
  FOR EACH STATEMENT EXECUTE FUNCTION semantic_cache_changed();

-- A vector counts among the bytes of its answer; with an answer that goes they have been counted out already.
CREATE FUNCTION :"schema".entry_vectors_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO tenant_models AS m (tenant_id, model, entries)
      SELECT tenant_id, model, count(*) FROM came GROUP BY tenant_id, model ORDER BY tenant_id, model
      ON CONFLICT (tenant_id, model) DO UPDATE SET entries = m.entries + excluded.entries;
    WITH larger AS (
      UPDATE semantic_cache e SET bytes = e.bytes + d.bytes
        FROM (SELECT tenant_id, entry_id, sum(4 * vector_dims(vector)) AS bytes FROM came GROUP BY tenant_id, entry_id) d
        WHERE e.tenant_id = d.tenant_id AND e.id = d.entry_id AND d.bytes > 0 RETURNING d.tenant_id, d.bytes)
    UPDATE tenants t SET cache_bytes = t.cache_bytes + d.bytes
      FROM (SELECT tenant_id, sum(bytes) AS bytes FROM larger GROUP BY tenant_id) d WHERE t.tenant_id = d.tenant_id;
  ELSE
    UPDATE tenant_models m SET entries = m.entries - d.n
      FROM (SELECT tenant_id, model, count(*) AS n FROM went GROUP BY tenant_id, model) d
      WHERE m.tenant_id = d.tenant_id AND m.model = d.model;
    WITH smaller AS (
      UPDATE semantic_cache e SET bytes = e.bytes - d.bytes
        FROM (SELECT tenant_id, entry_id, sum(4 * vector_dims(vector)) AS bytes FROM went GROUP BY tenant_id, entry_id) d
        WHERE e.tenant_id = d.tenant_id AND e.id = d.entry_id AND d.bytes > 0 RETURNING d.tenant_id, d.bytes)
    UPDATE tenants t SET cache_bytes = t.cache_bytes - d.bytes
      FROM (SELECT tenant_id, sum(bytes) AS bytes FROM smaller GROUP BY tenant_id) d WHERE t.tenant_id = d.tenant_id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER entry_vectors_came AFTER INSERT ON entry_vectors REFERENCING NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION entry_vectors_changed();
CREATE TRIGGER entry_vectors_went AFTER DELETE ON entry_vectors REFERENCING OLD TABLE AS went
  FOR EACH STATEMENT EXECUTE FUNCTION entry_vectors_changed();

-- With a document goes what rested on it, whether it is replaced or removed. Who stores an answer has locked the tenant's row, and so has
-- documents_changed(), which comes before this (triggers go by their names): of the two one comes after the other.
CREATE FUNCTION :"schema".answers_lose_document() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM semantic_cache e USING went w, came c, cache_sources s
      WHERE c.tenant_id = w.tenant_id AND c.id = w.id AND c.version <> w.version AND s.tenant_id = w.tenant_id
        AND s.document_id = w.id AND e.tenant_id = s.tenant_id AND e.id = s.entry_id;
  ELSE
    DELETE FROM semantic_cache e USING went w, cache_sources s
      WHERE s.tenant_id = w.tenant_id AND s.document_id = w.id AND e.tenant_id = s.tenant_id AND e.id = s.entry_id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER then_answers_lose_changed AFTER UPDATE ON documents REFERENCING OLD TABLE AS went NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION answers_lose_document();
CREATE TRIGGER then_answers_lose_removed AFTER DELETE ON documents REFERENCING OLD TABLE AS went
  FOR EACH STATEMENT EXECUTE FUNCTION answers_lose_document();
REVOKE ALL ON FUNCTION semantic_cache_changed, entry_vectors_changed, answers_lose_document FROM PUBLIC;

-- ---- embedding models -----------------------------------------------------------------------------------------------------------

-- The number of a model of this fingerprint and size, which is made known when it is new.
CREATE FUNCTION :"schema".embedding_model(its_fingerprint text, its_dimensions int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  known int;
BEGIN
  SELECT m.no INTO known FROM embedding_models m WHERE m.fingerprint = its_fingerprint AND m.dimensions = its_dimensions;
  IF NOT FOUND THEN
    PERFORM pg_advisory_xact_lock(hashtextextended('aiorch embedding model', 0));
    INSERT INTO embedding_models (no, fingerprint, dimensions)
      SELECT coalesce(max(m.no), 0) + 1, its_fingerprint, its_dimensions FROM embedding_models m
      ON CONFLICT (fingerprint, dimensions) DO UPDATE SET no = embedding_models.no RETURNING no INTO known;
  END IF;
  RETURN known;
END
$$;
REVOKE ALL ON FUNCTION embedding_model FROM PUBLIC;
GRANT EXECUTE ON FUNCTION embedding_model TO aiorch_app;

-- Indexes of a model's vectors, for each of the two tables, for who owns the schema: worth it from some 10,000 vectors of one tenant
-- on, below that a tenant's are compared one by one (nearest_chunks). Run it as a transaction of its own: it waits for who is writing
-- vectors right now. Vectors are of unit length, so the inner product orders them as the cosine does.
CREATE FUNCTION :"schema".embedding_index(its_fingerprint text, its_dimensions int) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT SET max_parallel_maintenance_workers = 0 AS $$
DECLARE
  known int := embedding_model(its_fingerprint, its_dimensions);
  kind text;
BEGIN
  IF its_dimensions NOT BETWEEN 1 AND 4000 THEN
    RAISE EXCEPTION 'vectors of % numbers cannot be indexed: 1 to 4000 can', its_dimensions USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOREACH kind IN ARRAY ARRAY['chunk', 'entry'] LOOP
    EXECUTE format('CREATE INDEX IF NOT EXISTS %1$s_vectors_near_%2$s ON %1$s_vectors USING hnsw'
                   ' ((vector::halfvec(%3$s)) halfvec_ip_ops) WHERE model = %2$s', kind, known, its_dimensions);
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION embedding_index FROM PUBLIC;

-- ---- access ---------------------------------------------------------------------------------------------------------------------

SELECT guard_by_tenant(t) FROM unnest(ARRAY['semantic_cache', 'cache_sources', 'entry_vectors']::regclass[]) t;
GRANT SELECT, INSERT, UPDATE, DELETE ON semantic_cache, cache_sources, entry_vectors TO aiorch_app;
GRANT USAGE ON SEQUENCE cache_clock TO aiorch_app;
GRANT SELECT (tenant_id, id, created_ms, expires_ms, used, hits, bytes, knowledge, finish_reason, exact_only, provider, model)
  ON semantic_cache TO aiorch_reader;
GRANT SELECT ON cache_sources TO aiorch_reader;
GRANT SELECT (tenant_id, model, entry_id) ON entry_vectors TO aiorch_reader;
