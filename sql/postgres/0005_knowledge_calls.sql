-- What the library does with documents, one function a call: a transaction is one round trip, and what depends on what is there already
-- is decided here. All are the caller's (row-level security holds in them) but for ranked_chunks, which gives numbers and no texts.
--
-- Who changes a tenant's documents, vectors or answers locks the tenant's row first. So two that do it at the same time come one after
-- the other, each sees what the other did, and none holds what the other waits for.
SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', :'schema'), true);
SET LOCAL ROLE aiorch_owner;
SELECT migration_begins(5, 'knowledge calls');
SELECT set_config('search_path', path_with_vector(), true);

-- The tenant's row, locked; with `make` it is made when there is none.
CREATE FUNCTION :"schema".lock_tenant(make boolean) RETURNS tenants
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  its_tenant text := require_tenant();
  it tenants;
BEGIN
  SELECT * INTO it FROM tenants t WHERE t.tenant_id = its_tenant FOR UPDATE;
  IF NOT FOUND AND make THEN
    INSERT INTO tenants (tenant_id) VALUES (its_tenant) ON CONFLICT DO NOTHING;
    SELECT * INTO it FROM tenants t WHERE t.tenant_id = its_tenant FOR UPDATE;
  END IF;
  RETURN it;
END
$$;

-- ---- words ----------------------------------------------------------------------------------------------------------------------

-- The words that a chunk is found by are made by the library (lib/stores/fts_query.h), the same for all its stores: folded, without
-- accents, stemmed; of text that is written without spaces (Chinese, Japanese, Korean) each character and each two neighbours; of what
-- was written in one piece ("pg_dump") its words and the whole. Two things are put into their lexemes:
--   before each word stand four characters that are a mark of its tenant, so that an index scan meets (nearly) no other's chunks;
--   it has as many positions as it counts for, up to 255: 5 for each time in the title, 3 in the heading, 1 in the text.
-- ts_rank of one word that has k positions of one weight is (1 + 1/4 + 1/9 + ... + 1/k^2) / (pi^2 / 6), from which k can be told (how_often).
--
-- Words of a document in another language than English come unstemmed and are stemmed here; in their lexemes "~" and three letters of
-- the language follow the mark.
CREATE FUNCTION :"schema".language_lexeme(language text, word text) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT left(word, 4) || '~' || left(language, 3) ||
         coalesce((ts_lexize((language || '_stem')::regdictionary, substr(word, 5)))[1], substr(word, 5))
$$;

CREATE FUNCTION :"schema".language_words(language text, words text) RETURNS tsvector
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
  IF language = 'english' THEN
    RETURN words::tsvector;
  END IF;
  RETURN coalesce((SELECT string_agg(quote_literal(l.lexeme) || ':' ||
                     (SELECT string_agg(i::text, ',' ORDER BY i) FROM generate_series(1, least(l.n, 255)) i), ' ')
    FROM (SELECT language_lexeme(language, w.lexeme) AS lexeme, sum(cardinality(w.positions)) AS n FROM unnest(words::tsvector) w GROUP BY 1) l),
    '')::tsvector;
END
$$;

-- ---- documents ------------------------------------------------------------------------------------------------------------------

-- Adds or replaces the document of a source. what: 1 added, 2 replaced, 3 it has this hash already, and nothing was changed. One row for
-- each chunk that went, or one without: `removed`. A chunk whose hash was there before, under the same title, keeps its id and with it
-- its vectors. new_language: a text search configuration. new_words: a tsvector a chunk, see above.
CREATE FUNCTION :"schema".put_document(
  new_id uuid, its_source text, new_title text, new_format int, new_language text, new_hash bytea, at_ms bigint, new_bytes bigint, new_text text,
  offsets bigint[], anchors text[], names text[], vals text[],
  ids uuid[], tokens_of int[], starts bigint[], stops bigint[], headings text[], anchor_of text[], hashes bytea[], counts int[],
  new_words text[], texts text[])
RETURNS TABLE (what int, document_id uuid, its_version bigint, its_updated_ms bigint, its_chunks int, removed uuid)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := (lock_tenant(true)).tenant_id;
  old documents;
  n int := cardinality(ids);
  keeps uuid[] := array_fill(NULL::uuid, ARRAY[n]);
  gone uuid[];
BEGIN
  UPDATE tenants t SET languages = t.languages || new_language
    WHERE t.tenant_id = tenant AND new_language <> 'english' AND new_language <> ALL (t.languages);
  SELECT d.* INTO old FROM documents d WHERE d.tenant_id = tenant AND d.source = its_source;
  IF old.hash = new_hash THEN
    -- With the id that was given it is this very call, whose answer got lost.
    RETURN QUERY SELECT CASE WHEN old.id = new_id AND old.version = 1 THEN 1 ELSE 3 END, old.id, old.version, old.updated_ms,
                        old.chunk_count, NULL::uuid;
    RETURN;
  ELSIF old.id IS NULL THEN
    INSERT INTO documents (tenant_id, id, source, title, format, language, hash, version, updated_ms, bytes, chunk_count, anchor_offsets,
                           anchor_names, text)
      VALUES (tenant, new_id, its_source, new_title, new_format, new_language, new_hash, 1, at_ms, new_bytes, n, offsets, anchors, new_text);
    what := 1;
    document_id := new_id;
    its_version := 1;
  ELSE
    what := 2;
    document_id := old.id;
    its_version := old.version + 1;
    UPDATE documents d SET title = new_title, format = new_format, language = new_language, hash = new_hash, version = its_version,
        updated_ms = at_ms, bytes = new_bytes, chunk_count = n, anchor_offsets = offsets, anchor_names = anchors, text = new_text
      WHERE d.tenant_id = tenant AND d.id = old.id;
    DELETE FROM document_metadata m WHERE m.tenant_id = tenant AND m.document_id = old.id;
    IF old.title = new_title THEN
      -- Of several with one hash the first stays for the first.
      SELECT coalesce(array_agg(o.id ORDER BY i.i), '{}') INTO keeps
        FROM (SELECT h.i, h.hash, row_number() OVER (PARTITION BY h.hash ORDER BY h.i) AS nth
              FROM unnest(hashes) WITH ORDINALITY h(hash, i)) i
        LEFT JOIN (SELECT c.id, c.hash, row_number() OVER (PARTITION BY c.hash ORDER BY c.ordinal) AS nth FROM chunks c
                   WHERE c.tenant_id = tenant AND c.document_id = old.id) o
          ON o.hash = i.hash AND o.nth = i.nth AND length(i.hash) = 32;
    END IF;
    WITH went AS (DELETE FROM chunks c WHERE c.tenant_id = tenant AND c.document_id = old.id AND c.id <> ALL (array_remove(keeps, NULL))
                  RETURNING c.id, c.ordinal)
    SELECT array_agg(w.id ORDER BY w.ordinal) INTO gone FROM went w;
    UPDATE chunks c SET ordinal = k.i - 1, tokens = tokens_of[k.i], start = starts[k.i], stop = stops[k.i], anchor = anchor_of[k.i]
      FROM unnest(keeps) WITH ORDINALITY k(id, i)
      WHERE c.tenant_id = tenant AND c.id = k.id AND (c.ordinal, c.tokens, c.start, c.stop, c.anchor)
        IS DISTINCT FROM (k.i - 1, tokens_of[k.i], starts[k.i], stops[k.i], anchor_of[k.i]);
    UPDATE chunks c SET words = language_words(new_language, new_words[k.i]) FROM unnest(keeps) WITH ORDINALITY k(id, i)
      WHERE c.tenant_id = tenant AND c.id = k.id AND old.language <> new_language;
  END IF;
  INSERT INTO document_metadata (tenant_id, document_id, position, name, value)
    SELECT tenant, put_document.document_id, m.i - 1, m.name, m.value FROM unnest(names, vals) WITH ORDINALITY m(name, value, i);
  INSERT INTO chunks (tenant_id, id, document_id, ordinal, tokens, start, stop, heading, anchor, hash, word_count, words, text)
    SELECT tenant, c.id, put_document.document_id, c.i - 1, c.tokens, c.start, c.stop, c.heading, c.anchor, c.hash, c.word_count,
           language_words(new_language, c.words), c.text
    FROM unnest(ids, tokens_of, starts, stops, headings, anchor_of, hashes, counts, new_words, texts, keeps)
      WITH ORDINALITY c(id, tokens, start, stop, heading, anchor, hash, word_count, words, text, kept, i)
    WHERE c.kept IS NULL AND c.id IS NOT NULL;
  its_updated_ms := at_ms;
  its_chunks := n;
  IF gone IS NULL THEN
    RETURN NEXT;
  ELSE
    FOREACH removed IN ARRAY gone LOOP
      RETURN NEXT;
    END LOOP;
  END IF;
END
$$;

-- Removes the document of a source. One row for each of its chunks, or one with NULL when it had none; no row: there is no such document.
CREATE FUNCTION :"schema".remove_document(its_source text) RETURNS SETOF uuid
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := (lock_tenant(false)).tenant_id;
  its_id uuid;
  gone uuid[];
BEGIN
  SELECT d.id INTO its_id FROM documents d WHERE d.tenant_id = tenant AND d.source = its_source;
  IF its_id IS NULL THEN
    RETURN;
  END IF;
  WITH went AS (DELETE FROM chunks c WHERE c.tenant_id = tenant AND c.document_id = its_id RETURNING c.id, c.ordinal)
  SELECT array_agg(w.id ORDER BY w.ordinal) INTO gone FROM went w;
  DELETE FROM documents d WHERE d.tenant_id = tenant AND d.id = its_id;
  RETURN QUERY SELECT unnest(coalesce(gone, ARRAY[NULL::uuid]));
END
$$;

-- ---- filters --------------------------------------------------------------------------------------------------------------------

-- The documents of which, for each name that is filtered by, one value fits one of the filters of that name. kind 0: the value is `val`,
-- 1: it begins with it, 2: it lies between `val` and `upto`, either of which may be NULL. A range compares numbers when the value and its
-- bounds are all numbers, else bytes.
CREATE FUNCTION :"schema".documents_that_fit(names text[], kinds int[], vals text[], uptos text[]) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  WITH tenant AS (SELECT require_tenant() AS id),
  filter AS (
    SELECT f.name COLLATE "C" AS name, f.kind, f.val COLLATE "C" AS val, f.upto COLLATE "C" AS upto, left(f.val, 200) COLLATE "C" AS head,
           f.kind = 2 AND coalesce(f.val ~ '^-?[0-9]+(\.[0-9]+)?$', true) AND coalesce(f.upto ~ '^-?[0-9]+(\.[0-9]+)?$', true)
             AS of_numbers
    FROM unnest(names, kinds, vals, uptos) f(name, kind, val, upto)),
  fits AS (
    SELECT m.document_id, m.name FROM tenant t CROSS JOIN filter f JOIN document_metadata m
        ON m.tenant_id = t.id AND m.name = f.name AND m.head = f.head AND m.value = f.val WHERE f.kind = 0
    UNION ALL
    SELECT m.document_id, m.name FROM tenant t CROSS JOIN filter f JOIN document_metadata m
        ON m.tenant_id = t.id AND m.name = f.name AND m.head >= f.head AND m.head <= f.head || repeat(U&'\+10FFFF', 2)
        AND starts_with(m.value, f.val) WHERE f.kind = 1
    UNION ALL
    SELECT m.document_id, m.name FROM tenant t CROSS JOIN filter f JOIN document_metadata m
        ON m.tenant_id = t.id AND m.name = f.name
        AND CASE WHEN f.of_numbers AND m.number IS NOT NULL
              THEN (f.val IS NULL OR m.number >= f.val::numeric) AND (f.upto IS NULL OR m.number <= f.upto::numeric)
              ELSE (f.val IS NULL OR m.value >= f.val) AND (f.upto IS NULL OR m.value <= f.upto) END WHERE f.kind = 2)
  SELECT coalesce(array_agg(d.document_id), '{}') FROM (
    SELECT f.document_id FROM fits f GROUP BY f.document_id
    HAVING count(DISTINCT f.name) = (SELECT count(DISTINCT f.name) FROM filter f)) d
$$;

-- ---- full text ------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION :"schema".how_often(rank real) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN round(1 / greatest(1.64493406685::float8 * (1 - rank::float8), 0.001) - 0.5)::int;

-- The best chunks by BM25. lexemes: what is asked for, in each language of the tenant; places: which word of the question that is, from 1;
-- begins: the same as a beginning of longer words, for those that no chunk has, or NULL; weights: of the words of the question; within:
-- only chunks of these documents, or NULL. all_chunks, all_words: of the tenant. often: for each word that a chunk has, 256 times its
-- place (from 0) and how often it has it; 0 for one that stands for longer ones.
--
-- Runs as aiorch_keeper, whom a policy lets read these columns, and asks for the tenant itself: row-level security keeps an index of
-- words from being used, since the operator is not leakproof. It gives ids and numbers; whoever reads the chunks is held to the policy.
CREATE FUNCTION :"schema".ranked_chunks(lexemes text[], begins text[], places int[], weights float8[], all_chunks bigint, all_words bigint,
                                        within uuid[], most int)
RETURNS TABLE (chunk_id uuid, score float8, word_count int, often real[])
LANGUAGE plpgsql STABLE ROWS 60 SECURITY DEFINER SET search_path FROM CURRENT
  -- One plan for all questions, which takes longer to make than to carry out; also when it was made while there were few chunks.
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  tenant text := require_tenant();
  -- BM25 with k1 = 1.2 and b = 0.75: the norm of a chunk is k1 * (1 - b) + k1 * b / average * its words.
  shorter float8 := 0.9 / greatest(all_words::float8 / greatest(all_chunks, 1), 1);
  queries tsquery[];
  long_ones tsquery[];
BEGIN
  SELECT array_agg(quote_literal(l.word)::tsquery ORDER BY l.i) INTO queries FROM unnest(lexemes) WITH ORDINALITY l(word, i);
  SELECT array_agg((quote_literal(l.word) || ':*')::tsquery ORDER BY l.i) INTO long_ones FROM unnest(begins) WITH ORDINALITY l(word, i);
  -- "tenant_id || ''" is only compared: an index of it would bring all of the tenant's chunks to few that the words' has found.
  RETURN QUERY
  WITH exact AS MATERIALIZED (
    SELECT q.i, c.id, c.document_id, c.word_count::float8, how_often(ts_rank('{1,1,1,1}', c.words, q.query))::float8 AS often
    FROM unnest(queries, places) q(query, i), chunks c WHERE c.tenant_id || '' = tenant AND c.words @@ q.query),
  longer AS MATERIALIZED (
    SELECT q.i, c.id, c.document_id, c.word_count::float8, greatest(round(ts_rank('{1,1,1,1}', c.words, q.query)), 1)::float8 AS often
    FROM unnest(long_ones, places) q(query, i), chunks c
    WHERE q.query IS NOT NULL AND q.i NOT IN (SELECT e.i FROM exact e) AND c.tenant_id || '' = tenant AND c.words @@ q.query),
  postings AS (SELECT e.*, (256 * (e.i - 1) + e.often)::real AS note FROM exact e UNION ALL SELECT l.*, 0::real FROM longer l),
  worth AS MATERIALIZED (
    SELECT p.i, 2.2::float8 * weights[p.i] * ln(1 + (greatest(all_chunks, count(*)) - count(*) + 0.5) / (count(*) + 0.5))::float8 AS worth
    FROM postings p GROUP BY p.i)
  SELECT p.id, sum(w.worth * p.often / (p.often + (0.3::float8 + shorter * p.word_count))) AS sum, p.word_count::int, array_agg(p.note)
  FROM postings p JOIN worth w ON w.i = p.i WHERE within IS NULL OR p.document_id = ANY (within)
  GROUP BY p.id, p.word_count ORDER BY sum DESC, p.id LIMIT most;
END
$$;
GRANT SELECT (document_id, word_count) ON chunks TO aiorch_keeper;

-- The same for a caller, with filters (none: empty). plain: the words that are stemmed in each language, unstemmed, or NULL.
CREATE FUNCTION :"schema".search_chunks(lexemes text[], plain text[], begins text[], weights float8[], names text[], kinds int[], vals text[],
                                        uptos text[], most int)
RETURNS TABLE (chunk_id uuid, score float8, word_count int, often real[])
LANGUAGE plpgsql STABLE ROWS 60 SET search_path FROM CURRENT AS $$
DECLARE
  it tenants;
  within uuid[];
  n int := cardinality(lexemes);
  places int[] := array_agg(i ORDER BY i) FROM generate_series(1, n) i;
  language text;
BEGIN
  SELECT t.* INTO it FROM tenants t WHERE t.tenant_id = require_tenant();
  IF it.chunks > 0 THEN
    IF cardinality(names) > 0 THEN
      within := documents_that_fit(names, kinds, vals, uptos);
    END IF;
    FOREACH language IN ARRAY it.languages LOOP
      SELECT lexemes || array_agg(w.lexeme ORDER BY w.i), begins || array_agg(w.longer ORDER BY w.i), places || array_agg(w.i ORDER BY w.i)
        INTO lexemes, begins, places
        FROM (SELECT p.i::int, language_lexeme(language, coalesce(p.word, lexemes[p.i])) AS lexeme,
                     CASE WHEN begins[p.i] IS NOT NULL THEN language_lexeme(language, p.word) END AS longer
              FROM unnest(plain) WITH ORDINALITY p(word, i)) w;
    END LOOP;
    RETURN QUERY SELECT * FROM ranked_chunks(lexemes, begins, places, weights, it.chunks, it.words, within, most);
  END IF;
END
$$;

-- The same with what a source needs of each chunk; the texts of the first `texts` alone. Here, and not in the caller's statement, so that its
-- plan is kept.
CREATE FUNCTION :"schema".found_chunks(lexemes text[], plain text[], begins text[], weights float8[], names text[], kinds int[], vals text[],
                                       uptos text[], most int, texts int)
RETURNS TABLE (id uuid, document_id uuid, version bigint, ordinal int, tokens int, start bigint, stop bigint, source text, title text,
               anchor text, heading text, body text, score float8, word_count int, often real[])
LANGUAGE plpgsql STABLE ROWS 60 SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  tenant text := require_tenant();
BEGIN
  RETURN QUERY SELECT c.id, d.id, d.version, c.ordinal, c.tokens, c.start, c.stop, d.source COLLATE "default", d.title, c.anchor, c.heading,
      CASE WHEN r.nth <= texts THEN c.text END, r.score, r.word_count, r.often
    FROM search_chunks(lexemes, plain, begins, weights, names, kinds, vals, uptos, most) WITH ORDINALITY r(chunk_id, score, word_count, often, nth)
    JOIN chunks c ON c.tenant_id = tenant AND c.id = r.chunk_id JOIN documents d ON d.tenant_id = tenant AND d.id = c.document_id ORDER BY r.nth;
END
$$;

-- ---- vectors --------------------------------------------------------------------------------------------------------------------

-- The model under which the tenant has vectors of a fingerprint: chunks, or kept answers (`of_entries`).
CREATE FUNCTION :"schema".tenant_model(its_fingerprint text, of_entries boolean, OUT no int, OUT dimensions int, OUT vectors bigint,
                                       OUT first_missing uuid)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT m.no, m.dimensions, CASE WHEN of_entries THEN t.entries ELSE t.chunks END, t.missing_from
  FROM embedding_models m JOIN tenant_models t ON t.model = m.no
  WHERE m.fingerprint = its_fingerprint AND t.tenant_id = require_tenant() AND CASE WHEN of_entries THEN t.entries ELSE t.chunks END > 0
$$;

-- May vectors of this size be kept under the fingerprint? code 0: yes, under the model `no`, which is made known; 1: its vectors have
-- another size, 2: they are in another place; `stored` is their size; 3: the tenant has as many models as it can have.
CREATE FUNCTION :"schema".model_for(its_fingerprint text, its_dimensions int, of_entries boolean, OUT code int, OUT no int, OUT stored int)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
  models_max CONSTANT int := 64;
  its record;
BEGIN
  SELECT * INTO its FROM tenant_model(its_fingerprint, of_entries);
  code := 0;
  IF its.no IS NOT NULL THEN
    no := its.no;
    stored := its.dimensions;
    code := CASE WHEN stored = its_dimensions THEN 0 WHEN stored = 0 OR its_dimensions = 0 THEN 2 ELSE 1 END;
    RETURN;
  END IF;
  stored := 0;
  no := embedding_model(its_fingerprint, its_dimensions);
  IF (SELECT count(*) FROM tenant_models m WHERE m.tenant_id = tenant AND m.chunks + m.entries > 0 AND m.model <> model_for.no) >= models_max THEN
    code := 3;
  END IF;
END
$$;

-- Keeps vectors of chunks, d numbers each in `numbers`; chunks that are gone or have theirs are passed over. `code` as in model_for.
CREATE FUNCTION :"schema".keep_chunk_vectors(its_fingerprint text, d int, ids uuid[], numbers real[], OUT code int, OUT stored int)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  it tenants := lock_tenant(false);
  its_model int;
BEGIN
  code := 0;
  stored := 0;
  IF it.tenant_id IS NULL OR it.chunks = 0 OR cardinality(ids) = 0 THEN
    RETURN;
  END IF;
  SELECT m.code, m.no, m.stored INTO code, its_model, stored FROM model_for(its_fingerprint, d, false) m;
  IF code <> 0 THEN
    RETURN;
  END IF;
  INSERT INTO chunk_vectors (tenant_id, model, chunk_id, vector)
    SELECT DISTINCT ON (c.id) it.tenant_id, its_model, c.id, CASE WHEN d > 0 THEN numbers[(i.i - 1) * d + 1 : i.i * d]::vector END
    FROM unnest(ids) WITH ORDINALITY i(id, i) JOIN chunks c ON c.tenant_id = it.tenant_id AND c.id = i.id
    ORDER BY c.id, i.i
    ON CONFLICT DO NOTHING;
  -- So that the next look at what is missing begins there, and not with all that is done.
  UPDATE tenant_models m SET missing_from = coalesce(
      (SELECT c.id FROM chunks c WHERE c.tenant_id = it.tenant_id AND c.id >= m.missing_from AND NOT EXISTS
         (SELECT FROM chunk_vectors v WHERE v.tenant_id = it.tenant_id AND v.model = its_model AND v.chunk_id = c.id)
       ORDER BY c.id LIMIT 1), 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    WHERE m.tenant_id = it.tenant_id AND m.model = its_model;
END
$$;

-- The chunks without a vector of the fingerprint, the oldest first; and how many there are in all: in each row, or in one without a chunk.
CREATE FUNCTION :"schema".chunks_without_vector(its_fingerprint text, most int)
RETURNS TABLE (missing bigint, chunk_id uuid, title text, heading text, body text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
  its record;
BEGIN
  SELECT * INTO its FROM tenant_model(its_fingerprint, false);
  missing := coalesce((SELECT t.chunks FROM tenants t WHERE t.tenant_id = tenant), 0) - coalesce(its.vectors, 0);
  RETURN QUERY SELECT chunks_without_vector.missing, NULL::uuid, '', '', '';
  IF missing > 0 THEN
    RETURN QUERY SELECT chunks_without_vector.missing, c.id, d.title, c.heading, c.text
      FROM (SELECT c.* FROM chunks c
            WHERE c.tenant_id = tenant AND c.id >= coalesce(its.first_missing, '00000000-0000-0000-0000-000000000000') AND NOT EXISTS
              (SELECT FROM chunk_vectors v WHERE v.tenant_id = tenant AND v.model = its.no AND v.chunk_id = c.id)
            ORDER BY c.id LIMIT most) c
      JOIN documents d ON d.tenant_id = tenant AND d.id = c.document_id ORDER BY c.id;
  END IF;
END
$$;

-- The chunks nearest to a vector of unit length by cosine, the best first, the older of equals first. Up to aiorch.exact_up_to vectors of
-- the tenant (a setting; by default 10000), with filters, and where there is no index they are compared one by one. Beyond that the index
-- gives candidates, which are ordered by their own numbers.
--   kind 0: a chunk; 1: one of `also`; 2: another model's fingerprint, when only others have vectors; 3: the vectors are in a plug-in; 4: they
--   have `size` numbers.
CREATE FUNCTION :"schema".nearest_chunks(its_fingerprint text, query real[], threshold float8, most int, also uuid[], names text[], kinds int[],
                                         vals text[], uptos text[])
RETURNS TABLE (kind int, chunk_id uuid, similarity float8, size int, fingerprint text)
LANGUAGE plpgsql ROWS 60 SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := require_tenant();
  d int := cardinality(query);
  wanted vector := query::vector;
  its record;
  within uuid[];
  exact_up_to bigint := coalesce(nullif(current_setting('aiorch.exact_up_to', true), ''), '10000')::bigint;
BEGIN
  SELECT * INTO its FROM tenant_model(its_fingerprint, false);
  IF its.no IS NULL THEN
    RETURN QUERY SELECT 2, NULL::uuid, 0::float8, 0, m.fingerprint FROM tenant_models t JOIN embedding_models m ON m.no = t.model
      WHERE t.tenant_id = tenant AND t.chunks > 0 ORDER BY m.fingerprint;
    RETURN;
  ELSIF its.dimensions <> d THEN
    RETURN QUERY SELECT CASE WHEN its.dimensions = 0 THEN 3 ELSE 4 END, NULL::uuid, 0::float8, its.dimensions, '';
    RETURN;
  END IF;
  IF cardinality(also) > 0 THEN
    RETURN QUERY SELECT 1, v.chunk_id, -(v.vector <#> wanted), 0, '' FROM chunk_vectors v
      WHERE v.tenant_id = tenant AND v.model = its.no AND v.chunk_id = ANY (also);
  END IF;
  IF cardinality(names) > 0 THEN
    within := documents_that_fit(names, kinds, vals, uptos);
    RETURN QUERY SELECT 0, n.id, n.near, 0, ''
      FROM (SELECT v.chunk_id AS id, -(v.vector <#> wanted) AS near FROM chunks c
            JOIN chunk_vectors v ON v.tenant_id = tenant AND v.model = its.no AND v.chunk_id = c.id
            WHERE c.tenant_id = tenant AND c.document_id = ANY (within)) n
      WHERE n.near >= threshold ORDER BY n.near DESC, n.id LIMIT most;
  ELSIF its.vectors <= exact_up_to OR to_regclass(format('chunk_vectors_near_%s', its.no)) IS NULL THEN
    RETURN QUERY SELECT 0, n.id, n.near, 0, ''
      FROM (SELECT v.chunk_id AS id, -(v.vector <#> wanted) AS near FROM chunk_vectors v
            WHERE v.tenant_id = tenant AND v.model = its.no) n
      WHERE n.near >= threshold ORDER BY n.near DESC, n.id LIMIT most;
  ELSE
    -- In strict order the scan would drop what it meets late, though it is near; the order is made anew here anyway.
    PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('enable_sort', 'off', true),
            set_config('hnsw.ef_search', least(greatest(2 * most, 100), 1000)::text, true);
    RETURN QUERY EXECUTE format(
      'SELECT 0, n.id, n.near, 0, '''' FROM (SELECT v.chunk_id AS id, -(v.vector <#> $2) AS near FROM chunk_vectors v'
      '  WHERE v.tenant_id = $1 AND v.model = %s ORDER BY (v.vector::halfvec(%s)) <#> $2::halfvec(%2$s) LIMIT $3) n'
      ' WHERE n.near >= $4 ORDER BY n.near DESC, n.id LIMIT $5', its.no, d)
      USING tenant, wanted, 2 * most, threshold, most;
  END IF;
END
$$;

-- search_chunks and nearest_chunks in one, with what a source needs of each chunk. kind 5: a chunk that full text found, the best first, with its
-- similarity where it has a vector; the others as in nearest_chunks. Texts of the first `texts` of both alone.
CREATE TYPE :"schema".chunk_hit AS (chunk_id uuid, score float8, word_count int, often real[]);
CREATE FUNCTION :"schema".found_both(
  lexemes text[], plain text[], begins text[], weights float8[], most_words int, its_fingerprint text, query real[], threshold float8,
  most_near int, names text[], kinds int[], vals text[], uptos text[], texts int)
RETURNS TABLE (kind int, similarity float8, size int, fingerprint text, chunk_id uuid, id uuid, document_id uuid, version bigint, ordinal int,
               tokens int, start bigint, stop bigint, source text, title text, anchor text, heading text, body text, score float8,
               word_count int, often real[])
LANGUAGE plpgsql ROWS 100 SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  tenant text := require_tenant();
  wanted vector := query::vector;
  its_model int;
  hits chunk_hit[];
BEGIN
  SELECT CASE WHEN m.dimensions = cardinality(query) THEN m.no END INTO its_model FROM tenant_model(its_fingerprint, false) m;
  SELECT array_agg((r.chunk_id, r.score, r.word_count, r.often)::chunk_hit ORDER BY r.nth) INTO hits
    FROM search_chunks(lexemes, plain, begins, weights, names, kinds, vals, uptos, most_words)
      WITH ORDINALITY r(chunk_id, score, word_count, often, nth);
  RETURN QUERY SELECT 5, -(v.vector <#> wanted), 0, '', c.id, c.id, d.id, d.version, c.ordinal, c.tokens, c.start, c.stop,
      d.source COLLATE "default", d.title, c.anchor, c.heading, CASE WHEN r.nth <= texts THEN c.text END, r.score, r.word_count, r.often
    FROM unnest(hits) WITH ORDINALITY r(chunk_id, score, word_count, often, nth)
    JOIN chunks c ON c.tenant_id = tenant AND c.id = r.chunk_id JOIN documents d ON d.tenant_id = tenant AND d.id = c.document_id
    LEFT JOIN chunk_vectors v ON v.tenant_id = tenant AND v.model = its_model AND v.chunk_id = c.id ORDER BY r.nth;
  RETURN QUERY SELECT n.kind, n.similarity, n.size, n.fingerprint, n.chunk_id, c.id, d.id, d.version, c.ordinal, c.tokens, c.start, c.stop,
      d.source COLLATE "default", d.title, c.anchor, c.heading, CASE WHEN n.nth <= texts THEN c.text END, NULL::float8, NULL::int, NULL::real[]
    FROM nearest_chunks(its_fingerprint, query, threshold, most_near, '{}', names, kinds, vals, uptos)
      WITH ORDINALITY n(kind, chunk_id, similarity, size, fingerprint, nth)
    LEFT JOIN chunks c ON n.kind = 0 AND c.tenant_id = tenant AND c.id = n.chunk_id
    LEFT JOIN documents d ON d.tenant_id = tenant AND d.id = c.document_id ORDER BY n.nth;
END
$$;

-- Removes vectors of a fingerprint, of chunks and then of kept answers, at most `most`. Gives how many.
CREATE FUNCTION :"schema".forget_vectors(its_fingerprint text, most bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := (lock_tenant(false)).tenant_id;
  n bigint;
  all_of_them bigint := 0;
BEGIN
  DELETE FROM chunk_vectors v USING (
      SELECT o.model, o.chunk_id FROM chunk_vectors o JOIN embedding_models m ON m.no = o.model
      WHERE o.tenant_id = tenant AND m.fingerprint = its_fingerprint LIMIT most) o
    WHERE v.tenant_id = tenant AND v.model = o.model AND v.chunk_id = o.chunk_id;
  GET DIAGNOSTICS n = ROW_COUNT;
  all_of_them := n;
  DELETE FROM entry_vectors v USING (
      SELECT o.model, o.entry_id FROM entry_vectors o JOIN embedding_models m ON m.no = o.model
      WHERE o.tenant_id = tenant AND m.fingerprint = its_fingerprint LIMIT most - all_of_them) o
    WHERE v.tenant_id = tenant AND v.model = o.model AND v.entry_id = o.entry_id;
  GET DIAGNOSTICS n = ROW_COUNT;
  all_of_them := all_of_them + n;
  UPDATE tenant_models t SET missing_from = '00000000-0000-0000-0000-000000000000' FROM embedding_models m
    WHERE t.tenant_id = tenant AND t.model = m.no AND m.fingerprint = its_fingerprint;
  RETURN all_of_them;
END
$$;

REVOKE ALL ON FUNCTION language_lexeme, language_words, lock_tenant, put_document, remove_document, documents_that_fit, how_often,
  ranked_chunks, search_chunks, found_chunks, tenant_model, model_for, keep_chunk_vectors, chunks_without_vector, nearest_chunks, found_both, forget_vectors FROM PUBLIC;
GRANT EXECUTE ON FUNCTION language_lexeme, language_words, lock_tenant, put_document, remove_document, documents_that_fit, how_often,
  ranked_chunks, search_chunks, found_chunks, tenant_model, model_for, keep_chunk_vectors, chunks_without_vector, nearest_chunks, found_both, forget_vectors TO aiorch_app;
GRANT EXECUTE ON FUNCTION how_often TO aiorch_keeper;
GRANT CREATE ON SCHEMA :"schema" TO aiorch_keeper;
ALTER FUNCTION ranked_chunks OWNER TO aiorch_keeper;
REVOKE CREATE ON SCHEMA :"schema" FROM aiorch_keeper;
