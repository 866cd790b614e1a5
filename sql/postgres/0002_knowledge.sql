-- Documents, their chunks, full text and vectors. What follows from a change (counts, the answers that rested on a document) follows
-- by triggers in the same transaction, whoever makes the change.
SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', :'schema'), true);
SET LOCAL ROLE aiorch_owner;
SELECT migration_begins(2, 'knowledge');
SELECT set_config('search_path', path_with_vector(), true);

-- A tenant comes with its first row. Names are compared and ordered by their bytes.
CREATE TABLE :"schema".tenants (
  tenant_id text COLLATE "C" PRIMARY KEY CHECK (tenant_id <> ''),
  documents bigint NOT NULL DEFAULT 0,
  chunks bigint NOT NULL DEFAULT 0,
  words bigint NOT NULL DEFAULT 0,         -- of all chunks, for the average length that ranking needs
  text_bytes bigint NOT NULL DEFAULT 0,
  knowledge bigint NOT NULL DEFAULT 0,     -- counts documents added or changed: cached answers remember where it stood
  knowledge_ms bigint NOT NULL DEFAULT 0,  -- when it last went up
  cache_rows bigint NOT NULL DEFAULT 0,
  cache_bytes bigint NOT NULL DEFAULT 0,
  languages text[] NOT NULL DEFAULT '{}'   -- that its documents are or were in, but for english
) WITH (fillfactor = 50);

CREATE TABLE :"schema".documents (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  source text COLLATE "C" NOT NULL,
  title text NOT NULL,
  format int NOT NULL,
  language text NOT NULL DEFAULT 'english', -- a text search configuration: how its words are stemmed
  hash bytea NOT NULL,                      -- of all that makes it what it is
  version bigint NOT NULL,
  updated_ms bigint NOT NULL,
  bytes bigint NOT NULL,
  chunk_count int NOT NULL,
  anchor_offsets bigint[] NOT NULL DEFAULT '{}',
  anchor_names text[] NOT NULL DEFAULT '{}',
  text text NOT NULL,
  PRIMARY KEY (tenant_id, id),
  CHECK (cardinality(anchor_offsets) = cardinality(anchor_names))
);
CREATE UNIQUE INDEX documents_by_source ON documents (tenant_id, source);

-- `head` and `number` are what indexes can hold of a value: its beginning, and what it is when it is a number.
CREATE TABLE :"schema".document_metadata (
  tenant_id text COLLATE "C" NOT NULL,
  document_id uuid NOT NULL,
  position int NOT NULL,
  name text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  head text COLLATE "C" NOT NULL GENERATED ALWAYS AS (left(value, 200)) STORED,
  number numeric GENERATED ALWAYS AS
    (CASE WHEN length(value) <= 200 AND value ~ '^-?[0-9]+(\.[0-9]+)?$' THEN value::numeric END) STORED,
  PRIMARY KEY (tenant_id, document_id, position),
  FOREIGN KEY (tenant_id, document_id) REFERENCES documents (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX document_metadata_by_value ON document_metadata (tenant_id, name, head, document_id);
CREATE INDEX document_metadata_by_number ON document_metadata (tenant_id, name, number, document_id) WHERE number IS NOT NULL;

CREATE TABLE :"schema".chunks (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  document_id uuid NOT NULL,
  ordinal int NOT NULL,
  tokens int NOT NULL,
  start bigint NOT NULL,                    -- bytes in the document's text: [start, stop)
  stop bigint NOT NULL,
  heading text NOT NULL,
  anchor text NOT NULL,                     -- the nearest one at or before start
  hash bytea NOT NULL,
  word_count int NOT NULL,
  words tsvector NOT NULL,                  -- see 0005: the library makes them
  text text NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, document_id) REFERENCES documents (tenant_id, id) ON DELETE CASCADE
) WITH (toast_tuple_target = 8160);
-- Words are read for each chunk that is ranked: in the row, and not compressed, they cost a third.
ALTER TABLE chunks ALTER COLUMN words SET STORAGE EXTERNAL, ALTER COLUMN text SET STORAGE EXTERNAL;
CREATE INDEX chunks_of_document ON chunks (tenant_id, document_id, ordinal);
CREATE INDEX chunks_by_words ON chunks USING gin (words);

-- ---- vectors --------------------------------------------------------------------------------------------------------------------

-- Embedding models by fingerprint (model, precision, tokenizer) and size, for all tenants. dimensions 0: the vectors are in a vector
-- store plug-in, their rows here are empty. A fingerprint may come with another size or place once a tenant has forgotten the first:
-- then it is another row. embedding_model() makes the row, embedding_index() its HNSW index.
CREATE TABLE :"schema".embedding_models (
  no int PRIMARY KEY CHECK (no > 0),
  fingerprint text COLLATE "C" NOT NULL,
  dimensions int NOT NULL CHECK (dimensions BETWEEN 0 AND 16000),
  UNIQUE (fingerprint, dimensions)
);

CREATE TABLE :"schema".chunk_vectors (
  tenant_id text COLLATE "C" NOT NULL,
  model int NOT NULL REFERENCES embedding_models (no),
  chunk_id uuid NOT NULL,
  vector vector,                            -- of unit length
  PRIMARY KEY (tenant_id, model, chunk_id),
  FOREIGN KEY (tenant_id, chunk_id) REFERENCES chunks (tenant_id, id) ON DELETE CASCADE
) WITH (toast_tuple_target = 8160);         -- up to 2,000 numbers in the row
CREATE INDEX chunk_vectors_of_chunk ON chunk_vectors (tenant_id, chunk_id);
CREATE INDEX chunk_vectors_of_model ON chunk_vectors (model);

-- How many of a tenant's chunks and kept answers have a vector. missing_from: no chunk with a lower id is without one.
CREATE TABLE :"schema".tenant_models (
  tenant_id text COLLATE "C" NOT NULL,
  model int NOT NULL REFERENCES embedding_models (no),
  chunks bigint NOT NULL DEFAULT 0,
  entries bigint NOT NULL DEFAULT 0,
  missing_from uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  PRIMARY KEY (tenant_id, model)
) WITH (fillfactor = 50);
CREATE INDEX tenant_models_of_model ON tenant_models (model);

-- ---- what follows from a change -------------------------------------------------------------------------------------------------

CREATE FUNCTION :"schema".documents_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO tenants AS t (tenant_id, documents, text_bytes, knowledge, knowledge_ms)
      SELECT tenant_id, count(*), sum(bytes), count(*), max(updated_ms) FROM came GROUP BY tenant_id ORDER BY tenant_id
      ON CONFLICT (tenant_id) DO UPDATE SET documents = t.documents + excluded.documents,
        text_bytes = t.text_bytes + excluded.text_bytes, knowledge = t.knowledge + excluded.knowledge,
        knowledge_ms = excluded.knowledge_ms;
  ELSIF TG_OP = 'UPDATE' THEN
    UPDATE tenants t SET text_bytes = t.text_bytes + d.bytes, knowledge = t.knowledge + d.changed,
        knowledge_ms = CASE WHEN d.changed > 0 THEN d.at_ms ELSE t.knowledge_ms END
      FROM (SELECT c.tenant_id, sum(c.bytes - w.bytes) AS bytes, count(*) FILTER (WHERE c.version <> w.version) AS changed,
                   max(c.updated_ms) AS at_ms
              FROM came c JOIN went w USING (tenant_id, id) GROUP BY c.tenant_id) d
      WHERE t.tenant_id = d.tenant_id;
  ELSE
    UPDATE tenants t SET documents = t.documents - d.n, text_bytes = t.text_bytes - d.bytes
      FROM (SELECT tenant_id, count(*) AS n, sum(bytes) AS bytes FROM went GROUP BY tenant_id) d WHERE t.tenant_id = d.tenant_id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER documents_came AFTER INSERT ON documents REFERENCING NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION documents_changed();
CREATE TRIGGER documents_changed AFTER UPDATE ON documents REFERENCING OLD TABLE AS went NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION documents_changed();
CREATE TRIGGER documents_went AFTER DELETE ON documents REFERENCING OLD TABLE AS went
  FOR EACH STATEMENT EXECUTE FUNCTION documents_changed();

-- A new chunk may have a lower id than others that have their vectors.
CREATE FUNCTION :"schema".chunks_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO tenants AS t (tenant_id, chunks, words)
      SELECT tenant_id, count(*), sum(word_count) FROM came GROUP BY tenant_id ORDER BY tenant_id
      ON CONFLICT (tenant_id) DO UPDATE SET chunks = t.chunks + excluded.chunks, words = t.words + excluded.words;
    UPDATE tenant_models m SET missing_from = c.first
      FROM (SELECT DISTINCT ON (tenant_id) tenant_id, id AS first FROM came ORDER BY tenant_id, id) c
      WHERE m.tenant_id = c.tenant_id AND m.missing_from > c.first;
  ELSIF TG_OP = 'UPDATE' THEN
    UPDATE tenants t SET words = t.words + d.words
      FROM (SELECT c.tenant_id, sum(c.word_count - w.word_count) AS words
              FROM came c JOIN went w USING (tenant_id, id) GROUP BY c.tenant_id) d
      WHERE t.tenant_id = d.tenant_id AND d.words <> 0;
  ELSE
    UPDATE tenants t SET chunks = t.chunks - d.n, words = t.words - d.words
      FROM (SELECT tenant_id, count(*) AS n, sum(word_count) AS words FROM went GROUP BY tenant_id) d
      WHERE t.tenant_id = d.tenant_id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER chunks_came AFTER INSERT ON chunks REFERENCING NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION chunks_changed();
CREATE TRIGGER chunks_changed AFTER UPDATE ON chunks REFERENCING OLD TABLE AS went NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION chunks_changed();
CREATE TRIGGER chunks_went AFTER DELETE ON chunks REFERENCING OLD TABLE AS went
  FOR EACH STATEMENT EXECUTE FUNCTION chunks_changed();

CREATE FUNCTION :"schema".chunk_vectors_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO tenant_models AS m (tenant_id, model, chunks)
      SELECT tenant_id, model, count(*) FROM came GROUP BY tenant_id, model ORDER BY tenant_id, model
      ON CONFLICT (tenant_id, model) DO UPDATE SET chunks = m.chunks + excluded.chunks;
  ELSE
    UPDATE tenant_models m SET chunks = m.chunks - d.n
      FROM (SELECT tenant_id, model, count(*) AS n FROM went GROUP BY tenant_id, model) d
      WHERE m.tenant_id = d.tenant_id AND m.model = d.model;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER chunk_vectors_came AFTER INSERT ON chunk_vectors REFERENCING NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION chunk_vectors_changed();
CREATE TRIGGER chunk_vectors_went AFTER DELETE ON chunk_vectors REFERENCING OLD TABLE AS went
  FOR EACH STATEMENT EXECUTE FUNCTION chunk_vectors_changed();
REVOKE ALL ON FUNCTION documents_changed, chunks_changed, chunk_vectors_changed FROM PUBLIC;

-- ---- access ---------------------------------------------------------------------------------------------------------------------

SELECT guard_by_tenant(t) FROM unnest(ARRAY['tenants', 'documents', 'document_metadata', 'chunks', 'chunk_vectors', 'tenant_models']::regclass[]) t;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants, documents, document_metadata, chunks, chunk_vectors, tenant_models TO aiorch_app;
GRANT SELECT ON embedding_models TO aiorch_app, aiorch_reader, aiorch_keeper;
GRANT SELECT ON tenants, tenant_models TO aiorch_reader;
GRANT SELECT (tenant_id, id, source, format, version, updated_ms, bytes, chunk_count) ON documents TO aiorch_reader;
GRANT SELECT (tenant_id, id, document_id, ordinal, tokens, start, stop, word_count) ON chunks TO aiorch_reader;
GRANT SELECT (tenant_id, model, chunk_id) ON chunk_vectors TO aiorch_reader;

-- ---- full text ------------------------------------------------------------------------------------------------------------------

-- Row-level security keeps an index of words from being used, since the operator is not leakproof. So what searches runs as
-- aiorch_keeper, whom a policy lets read these columns, asks for the tenant itself, and gives ids and numbers alone.
CREATE POLICY keeper ON chunks FOR SELECT TO aiorch_keeper USING (true);
GRANT SELECT (tenant_id, id, words) ON chunks TO aiorch_keeper;
