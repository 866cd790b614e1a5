-- Which answers rest on which document, written densely. Each answer names a few documents that lie anywhere, so that an
-- index by document alone takes a page of its own for each of them. Here a part holds the answers of 256 numbers in a row:
-- those that are kept together share the few pages of one part, and who changes a document looks once into each part.

CREATE TABLE cache_documents (
  tenant INTEGER NOT NULL,                 -- tenants.no
  part INTEGER NOT NULL,                   -- entry >> 8
  document INTEGER NOT NULL,               -- documents.no
  entry INTEGER NOT NULL,                  -- semantic_cache.no
  PRIMARY KEY (tenant, part, document, entry)
) WITHOUT ROWID;

-- Each document as its number, its version and its id, with a blank after each.
ALTER TABLE semantic_cache ADD COLUMN rests_on TEXT NOT NULL DEFAULT '';

UPDATE semantic_cache SET rests_on = (
    SELECT group_concat(d.no || ' ' || s.version || ' ' || d.id || ' ', '') FROM cache_sources s
    JOIN documents d ON d.tenant_id = s.tenant_id AND d.id = s.document_id
    WHERE s.entry = semantic_cache.no AND s.tenant_id = semantic_cache.tenant_id)
  WHERE no IN (SELECT s.entry FROM cache_sources s JOIN documents d ON d.tenant_id = s.tenant_id AND d.id = s.document_id
    JOIN semantic_cache c ON c.no = s.entry AND c.tenant_id = s.tenant_id);
INSERT INTO cache_documents (tenant, part, document, entry)
  SELECT t.no, s.entry >> 8, d.no, s.entry FROM cache_sources s
  JOIN tenants t ON t.tenant_id = s.tenant_id
  JOIN documents d ON d.tenant_id = s.tenant_id AND d.id = s.document_id
  ORDER BY 1, 2, 3, 4;
DROP TABLE cache_sources;
