-- Vectors of chunks and of kept answers, and what tells the indexes in memory what has changed.
--
-- The chunks of a tenant under one model, and its kept answers under one, have a number of their own. A vector's number
-- is (that number << 40) + the low 40 bits of the number of its chunk or answer. So the vectors of a model lie together
-- in the order of what they belong to, those of a document are a range, and one is found without a further index.

CREATE TABLE vector_models (
  no INTEGER PRIMARY KEY AUTOINCREMENT,    -- never used again: an index in memory may still have it
  tenant_id TEXT NOT NULL,
  kind INTEGER NOT NULL,                   -- 1 chunks, 2 kept answers
  fingerprint TEXT NOT NULL,
  dimensions INTEGER NOT NULL,             -- 0: the vectors are in a vector store plug-in, their rows here are empty
  marks INTEGER NOT NULL,                  -- how many vectors there are
  missing_from INTEGER NOT NULL DEFAULT 0,    -- no chunk with a lower number is without its vector
  changed INTEGER NOT NULL DEFAULT 0       -- the last `seq` of its changes
);
CREATE UNIQUE INDEX vector_models_by_name ON vector_models (tenant_id, kind, fingerprint);

CREATE TABLE vectors (
  no INTEGER PRIMARY KEY,
  scope INTEGER,                           -- of an answer: the first 8 bytes of its scope, little-endian
  vector BLOB                              -- f32, little-endian
);

-- In which ranges of its vectors' numbers (the low 40 bits) a model has changed: what an index in memory, of this or
-- another process, reads anew. The oldest go, and an index that finds a gap is built anew.
DROP TABLE changes;
CREATE TABLE changes (
  model INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (model, seq)
) WITHOUT ROWID;

INSERT INTO vector_models (tenant_id, kind, fingerprint, dimensions, marks)
  SELECT tenant_id, 1, fingerprint, 0, count(*) FROM chunk_embeddings GROUP BY tenant_id, fingerprint;
INSERT INTO vectors (no)
  SELECT (m.no << 40) | (e.chunk & 1099511627775) FROM chunk_embeddings e
  JOIN vector_models m ON m.tenant_id = e.tenant_id AND m.fingerprint = e.fingerprint;
DROP TABLE chunk_embeddings;

-- Somebody said that the answer fits its own question only.
ALTER TABLE semantic_cache ADD COLUMN exact_only INTEGER NOT NULL DEFAULT 0;
