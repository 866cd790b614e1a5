-- knowledge.db: documents with their full text, and the answers that rest on them. Written with synchronous=NORMAL:
-- after a power loss the last changes may be gone, what is there is whole.
--
-- Each tenant has a number of its own. A chunk's number is (tenant's number << 40) + a sequence that never goes back,
-- and the chunks of one document are numbered without a gap. So a range of numbers is a tenant or a document, and full
-- text, which knows rows by number alone, is asked for the asking tenant's range only.

CREATE TABLE tenants (
  tenant_id TEXT NOT NULL PRIMARY KEY,
  no INTEGER NOT NULL UNIQUE,
  next_chunk INTEGER NOT NULL DEFAULT 1,
  documents INTEGER NOT NULL DEFAULT 0,
  chunks INTEGER NOT NULL DEFAULT 0,
  words INTEGER NOT NULL DEFAULT 0,        -- of all chunks, for the average length that ranking needs
  text_bytes INTEGER NOT NULL DEFAULT 0,
  knowledge INTEGER NOT NULL DEFAULT 0,    -- counts documents added or changed: cached answers remember where it stood
  knowledge_ms INTEGER NOT NULL DEFAULT 0, -- when it last went up
  cache_rows INTEGER NOT NULL DEFAULT 0,
  cache_bytes INTEGER NOT NULL DEFAULT 0,
  cache_clock INTEGER NOT NULL DEFAULT 0   -- counts uses of cached answers
) WITHOUT ROWID;

CREATE TABLE documents (
  no INTEGER PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  source TEXT NOT NULL,
  title TEXT NOT NULL,
  format INTEGER NOT NULL,
  hash BLOB NOT NULL,
  version INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  first_chunk INTEGER NOT NULL,
  chunk_count INTEGER NOT NULL,
  anchors BLOB NOT NULL                    -- each: offset (8 bytes), length of name (4), little-endian, name
);
CREATE UNIQUE INDEX documents_by_source ON documents (tenant_id, source);
CREATE UNIQUE INDEX documents_by_id ON documents (tenant_id, id);

-- The text in pieces of 64 KiB, so that a chunk of a large document is read without the rest of it.
CREATE TABLE document_parts (
  tenant_id TEXT NOT NULL,
  document INTEGER NOT NULL,
  part INTEGER NOT NULL,
  text BLOB NOT NULL
);
CREATE UNIQUE INDEX document_parts_in_order ON document_parts (tenant_id, document, part);

CREATE TABLE document_metadata (
  tenant_id TEXT NOT NULL,
  document INTEGER NOT NULL,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (tenant_id, document, position)
) WITHOUT ROWID;
CREATE INDEX document_metadata_by_value ON document_metadata (tenant_id, name, value, document);

CREATE TABLE chunks (
  no INTEGER PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  document INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  words INTEGER NOT NULL,
  start INTEGER NOT NULL,                  -- bytes in the document's text: [start, stop)
  stop INTEGER NOT NULL,
  heading TEXT NOT NULL,
  anchor TEXT NOT NULL,                    -- the nearest one at or before start
  hash BLOB NOT NULL
);
CREATE UNIQUE INDEX chunks_by_id ON chunks (tenant_id, id);

-- Holds no text of its own: a row is taken out by giving its words again.
CREATE VIRTUAL TABLE chunk_words USING fts5(
  title, heading, body, content = '', tokenize = 'porter unicode61 remove_diacritics 2');

CREATE TABLE chunk_embeddings (
  tenant_id TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  chunk INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, fingerprint, chunk)
) WITHOUT ROWID;
CREATE INDEX chunk_embeddings_by_chunk ON chunk_embeddings (chunk);

CREATE TABLE semantic_cache (
  no INTEGER PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  scope BLOB NOT NULL,
  key BLOB NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  used INTEGER NOT NULL,                   -- the tenant's cache_clock at its last use
  hits INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  knowledge INTEGER NOT NULL,              -- where the tenant's knowledge stood when the answer was last good for it
  finish_reason INTEGER NOT NULL,
  chunks BLOB NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  query TEXT NOT NULL,
  sources TEXT NOT NULL,
  answer TEXT NOT NULL
);
CREATE UNIQUE INDEX semantic_cache_by_key ON semantic_cache (tenant_id, scope, key);
CREATE UNIQUE INDEX semantic_cache_by_id ON semantic_cache (tenant_id, id);
CREATE INDEX semantic_cache_by_use ON semantic_cache (tenant_id, used);
CREATE INDEX semantic_cache_by_expiry ON semantic_cache (tenant_id, expires_ms, bytes);

CREATE TABLE cache_sources (
  tenant_id TEXT NOT NULL,
  document_id TEXT NOT NULL,
  entry INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, document_id, entry)
) WITHOUT ROWID;
CREATE INDEX cache_sources_by_entry ON cache_sources (entry);

-- What other processes' indexes have to catch up on; old rows go, and who finds a gap starts over.
CREATE TABLE changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant_id TEXT NOT NULL,
  kind INTEGER NOT NULL,                   -- 1 document added or replaced, 2 document removed
  document_id TEXT NOT NULL,
  at_ms INTEGER NOT NULL
);
