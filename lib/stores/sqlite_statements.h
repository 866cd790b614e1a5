/* Every statement of the SQLite store in one place; each connection prepares what it needs once. A tenant is in each of
 * them that reads or writes rows of one, by its id or its number; the numbers of chunks and of vector models (no), and so
 * those of vectors, hold their tenant. "+tenant_id" is only compared: a range of numbers is not to be looked for among all of a tenant's. */
#ifndef AIO_STORES_SQLITE_STATEMENTS_H
#define AIO_STORES_SQLITE_STATEMENTS_H

/* Of both databases. */
#define AIO__SQ_COMMON_SQL(X) \
  X(BEGIN, "BEGIN IMMEDIATE") \
  X(BEGIN_READ, "BEGIN") \
  X(COMMIT, "COMMIT") \
  X(ROLLBACK, "ROLLBACK") \
  X(DATA_VERSION, "PRAGMA data_version")

#define AIO__SQ_DOCUMENT_SQL(X) \
  X(TENANT, "SELECT no, next_chunk, chunks, words, knowledge, knowledge_ms, cache_rows, cache_bytes, cache_clock," \
            " documents, text_bytes FROM tenants WHERE tenant_id = ?1") \
  X(TENANT_NEW, "INSERT INTO tenants (tenant_id, no) SELECT ?1, coalesce(max(no), 0) + 1 FROM tenants") \
  X(TENANT_SET_KNOWLEDGE, "UPDATE tenants SET next_chunk = ?2, documents = documents + ?3, chunks = chunks + ?4," \
                          " words = words + ?5, text_bytes = text_bytes + ?6, knowledge = knowledge + ?7," \
                          " knowledge_ms = max(knowledge_ms * (?7 = 0), ?8 * (?7 <> 0)) WHERE tenant_id = ?1") \
  X(DOCUMENT_BY_SOURCE, "SELECT no, id, version, updated_ms, chunk_count, hash, first_chunk, bytes, title, source," \
                        " format FROM documents WHERE tenant_id = ?1 AND source = ?2") \
  X(DOCUMENT_BY_ID, "SELECT no, id, version, updated_ms, chunk_count, hash, first_chunk, bytes, title, source, format" \
                    " FROM documents WHERE tenant_id = ?1 AND id = ?2") \
  X(DOCUMENT_LIST, "SELECT no, id, version, updated_ms, chunk_count, hash, first_chunk, bytes, title, source, format" \
                   " FROM documents WHERE tenant_id = ?1 AND source > ?2 ORDER BY source LIMIT ?3") \
  X(DOCUMENT_ANCHORS, "SELECT anchors FROM documents WHERE tenant_id = ?1 AND no = ?2") \
  X(DOCUMENT_NEW, "INSERT INTO documents (tenant_id, id, source, title, format, hash, version, updated_ms, bytes," \
                  " first_chunk, chunk_count, anchors) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)") \
  X(DOCUMENT_SET, "UPDATE documents SET title = ?4, format = ?5, hash = ?6, version = ?7," \
    " updated_ms = ?8, bytes = ?9," \
                  " first_chunk = ?10, chunk_count = ?11, anchors = ?12" \
                  " WHERE tenant_id = ?1 AND id = ?2 AND source = ?3") \
  X(DOCUMENT_DROP, "DELETE FROM documents WHERE tenant_id = ?1 AND no = ?2") \
  X(DOCUMENT_OF_SOURCE, "SELECT no FROM documents WHERE tenant_id = ?1 AND source = ?2") \
  X(DOCUMENT_PLACE, "SELECT no, version, bytes FROM documents WHERE tenant_id = ?1 AND id = ?2") \
  X(DOCUMENT_VERSION, "SELECT no, version FROM documents WHERE tenant_id = ?1 AND id = ?2") \
  X(PARTS, "SELECT text FROM document_parts WHERE tenant_id = ?1 AND document = ?2 AND part BETWEEN ?3 AND ?4" \
           " ORDER BY part") \
  X(PART_NEW, "INSERT INTO document_parts (tenant_id, document, part, text) VALUES (?1,?2,?3,?4)") \
  X(PARTS_DROP, "DELETE FROM document_parts WHERE tenant_id = ?1 AND document = ?2") \
  X(METADATA, "SELECT name, value FROM document_metadata WHERE tenant_id = ?1 AND document = ?2 ORDER BY position") \
  X(METADATA_NEW, "INSERT INTO document_metadata (tenant_id, document, position, name, value)" \
    " VALUES (?1,?2,?3,?4,?5)") \
  X(METADATA_DROP, "DELETE FROM document_metadata WHERE tenant_id = ?1 AND document = ?2") \
  X(METADATA_FROM, "SELECT d.first_chunk, d.chunk_count, m.value FROM document_metadata m JOIN documents d" \
                   " ON d.no = m.document AND d.tenant_id = m.tenant_id" \
                   " WHERE m.tenant_id = ?1 AND m.name = ?2 AND m.value >= ?3 ORDER BY m.value")

#define AIO__SQ_CHUNK_SQL(X) \
  X(CHUNK_NEW, "INSERT INTO chunks (no, tenant_id, id, document, ordinal, tokens, words, start," \
    " stop, heading, anchor," \
               " hash) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)") \
  X(CHUNKS_OF, "SELECT no, id, start, stop, heading, words, hash FROM chunks WHERE +tenant_id = ?1" \
               " AND no BETWEEN ?2 AND ?3 ORDER BY no") \
  X(CHUNKS_DROP, "DELETE FROM chunks WHERE +tenant_id = ?1 AND no BETWEEN ?2 AND ?3") \
  X(CHUNK_BY_NO, "SELECT c.no, c.id, c.ordinal, c.tokens, c.start, c.stop, c.heading, c.anchor," \
    " d.no, d.id, d.version," \
               " d.source, d.title FROM chunks c JOIN documents d ON d.no = c.document AND d.tenant_id = c.tenant_id" \
                 " WHERE c.tenant_id = ?1 AND c.no = ?2") \
  X(CHUNK_BY_ID, "SELECT c.no, c.id, c.ordinal, c.tokens, c.start, c.stop, c.heading, c.anchor," \
    " d.no, d.id, d.version," \
               " d.source, d.title FROM chunks c JOIN documents d ON d.no = c.document AND d.tenant_id = c.tenant_id" \
                 " WHERE c.tenant_id = ?1 AND c.id = ?2") \
  X(DOCUMENT_NEXT, "SELECT no, tenant_id, title, first_chunk, chunk_count, bytes FROM documents WHERE no > ?1" \
                   " ORDER BY no LIMIT 1") \
  X(CHUNK_WORDS, "UPDATE chunks SET words = ?3 WHERE tenant_id = ?1 AND no = ?2") \
  X(TENANT_WORDS, "UPDATE tenants SET words = words + ?2 WHERE tenant_id = ?1") \
  X(WORDS_NEW, "INSERT INTO chunk_words (rowid, title, heading, body) VALUES (?1,?2,?3,?4)") \
  X(WORDS_DROP, "INSERT INTO chunk_words (chunk_words, rowid, title, heading, body) VALUES ('delete',?1,?2,?3,?4)") \
  X(WORDS_MERGE, "INSERT INTO chunk_words (chunk_words, rank) VALUES ('merge', ?1)") \
  X(WORDS_TAKE, "SELECT count(*) FROM chunk_words WHERE chunk_words MATCH ?1 AND rowid BETWEEN ?2 AND ?3" \
                " AND aio_take(chunk_words, ?4)") \
  X(WORDS_SIZES, "SELECT id, sz FROM chunk_words_docsize WHERE id BETWEEN ?1 AND ?2") \
  X(CHUNK_NO, "SELECT no FROM chunks WHERE tenant_id = ?1 AND id = ?2") \
  X(CHUNK_MISSING, "SELECT c.no FROM chunks c WHERE +c.tenant_id = ?1 AND c.no BETWEEN ?2 AND ?3 AND" \
                   AIO__SQ_NO_VECTOR("?4") " ORDER BY c.no LIMIT 1") \
  X(UNEMBEDDED, "SELECT c.no, c.id, c.ordinal, c.tokens, c.start, c.stop, c.heading, c.anchor, d.no, d.id, d.version," \
                " d.source, d.title FROM chunks c JOIN documents d ON d.no = c.document AND d.tenant_id = c.tenant_id" \
                " WHERE +c.tenant_id = ?1 AND c.no BETWEEN ?2 AND ?3 AND" AIO__SQ_NO_VECTOR("?4") \
                " ORDER BY c.no LIMIT ?5")

/* For a row with the number `no` of chunks c or semantic_cache c: `model` is the number of a model << 40. */
#define AIO__SQ_NO_VECTOR(model) \
  " NOT EXISTS (SELECT 1 FROM vectors v WHERE v.no = (" model " | (c.no & 1099511627775)))"

#define AIO__SQ_VECTOR_SQL(X) \
  X(MODEL, "SELECT no, kind, dimensions, marks, missing_from, changed, fingerprint FROM vector_models" \
           " WHERE tenant_id = ?1 AND kind = ?2 AND fingerprint = ?3") \
  X(MODELS, "SELECT no, kind, dimensions, marks, missing_from, changed, fingerprint FROM vector_models" \
            " WHERE tenant_id = ?1 AND kind BETWEEN ?2 AND ?3 AND marks > 0 ORDER BY fingerprint, kind LIMIT ?4") \
  X(MODEL_NEW, "INSERT INTO vector_models (tenant_id, kind, fingerprint, dimensions, marks) VALUES (?1,?2,?3,?4,0)") \
  X(MODEL_COUNT, "SELECT count(*) FROM vector_models WHERE tenant_id = ?1 AND kind = ?2") \
  X(MODEL_SET, "UPDATE vector_models SET dimensions = ?3, marks = ?4, missing_from = ?5, changed = ?6" \
               " WHERE tenant_id = ?1 AND no = ?2") \
  X(MODEL_DROP, "DELETE FROM vector_models WHERE tenant_id = ?1 AND no = ?2") \
  X(VECTOR_NEW, "INSERT OR IGNORE INTO vectors (no, scope, vector) VALUES (?1,?2,?3)") \
  X(VECTOR_MARK, "INSERT OR IGNORE INTO vectors (no) VALUES (?1)") \
  X(VECTOR, "SELECT vector FROM vectors WHERE no = ?1") \
  X(VECTOR_MOVE, "UPDATE vectors SET no = ?2 WHERE no = ?1") \
  X(VECTORS, "SELECT no, scope, vector FROM vectors WHERE no BETWEEN ?1 AND ?2 ORDER BY no") \
  X(VECTORS_LAST_OF, "SELECT max(no), count(*) FROM" \
                     " (SELECT no FROM vectors WHERE no BETWEEN ?1 AND ?2 ORDER BY no LIMIT ?3)") \
  X(VECTORS_DROP, "DELETE FROM vectors WHERE no BETWEEN ?1 AND ?2") \
  X(CHANGE_NEW, "INSERT INTO changes (model, seq, first, last) VALUES (?1,?2,?3,?4)") \
  X(CHANGES, "SELECT seq, first, last FROM changes WHERE model = ?1 AND seq > ?2 ORDER BY seq") \
  X(CHANGES_DROP, "DELETE FROM changes WHERE model = ?1 AND seq <= ?2")

#define AIO__SQ_CACHE_SQL(X) \
  X(CACHE_LOOKUP, "SELECT no, id, created_ms, expires_ms, hits, knowledge, finish_reason, provider, model, query," \
                  " chunks, scope, key, exact_only, sources, answer, rests_on FROM semantic_cache WHERE tenant_id = ?1" \
                  " AND scope = ?2 AND key = ?3") \
  X(CACHE_READ, "SELECT no, id, created_ms, expires_ms, hits, knowledge, finish_reason, provider, model, query," \
                " chunks, scope, key, exact_only, sources, answer, rests_on FROM semantic_cache WHERE tenant_id = ?1" \
                " AND +scope = ?2 AND id = ?3") \
  X(CACHE_NEAR, "SELECT id, query, scope, expires_ms, exact_only FROM semantic_cache" \
                " WHERE +tenant_id = ?1 AND no = ?2") \
  X(CACHE_SCOPE, "SELECT no, key, expires_ms, exact_only FROM semantic_cache WHERE tenant_id = ?1 AND scope = ?2" \
                 " LIMIT ?3") \
  X(CACHE_UNEMBEDDED, "SELECT c.id, c.query FROM semantic_cache c WHERE c.tenant_id = ?1 AND" AIO__SQ_NO_VECTOR("?2") \
                      " ORDER BY c.id LIMIT ?3") \
  X(CACHE_OF_ID, "SELECT no, scope FROM semantic_cache WHERE tenant_id = ?1 AND id = ?2") \
  X(CACHE_GROW, "UPDATE semantic_cache SET bytes = bytes + ?3 WHERE +tenant_id = ?1 AND no = ?2") \
  X(CACHE_SHRINK, "UPDATE semantic_cache SET bytes = bytes - ?4 WHERE +tenant_id = ?1 AND no IN" \
                  " (SELECT no & 1099511627775 FROM vectors WHERE no BETWEEN ?2 AND ?3)") \
  X(CACHE_EXACT_ONLY, "UPDATE semantic_cache SET exact_only = 1 WHERE tenant_id = ?1 AND id = ?2") \
  X(CACHE_LIST, "SELECT no, id, created_ms, expires_ms, hits, knowledge, finish_reason, provider," \
    " model, query, chunks," \
                " scope, key, exact_only, bytes, rests_on FROM semantic_cache WHERE tenant_id = ?1 AND expires_ms > ?2" \
                " ORDER BY created_ms DESC, no DESC LIMIT ?3") \
  X(CACHE_RESTS_ON, "SELECT rests_on FROM semantic_cache WHERE +tenant_id = ?1 AND no = ?2") \
  X(CACHE_DOCUMENT_NEW, "INSERT OR IGNORE INTO cache_documents (tenant, part, document, entry) VALUES (?1,?2,?3,?4)") \
  X(CACHE_DOCUMENT_DROP, "DELETE FROM cache_documents WHERE tenant = ?1 AND part = ?2 AND document = ?3" \
                         " AND entry = ?4") \
  X(CACHE_PART_NEXT, "SELECT part FROM cache_documents WHERE tenant = ?1 AND part > ?2 ORDER BY part LIMIT 1") \
  X(CACHE_NEW, "INSERT INTO semantic_cache (tenant_id, id, scope, key, created_ms, expires_ms, used, hits, bytes," \
               " knowledge, finish_reason, chunks, provider, model, query, sources, answer, exact_only, rests_on)" \
               " VALUES (?1,?2,?3,?4,?5,?6,?7,0,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)") \
  X(CACHE_BY_ID, "SELECT no, bytes FROM semantic_cache WHERE tenant_id = ?1 AND id = ?2") \
  X(CACHE_BY_KEY, "SELECT no, bytes, expires_ms, knowledge FROM semantic_cache WHERE tenant_id = ?1 AND scope = ?2" \
                  " AND key = ?3") \
  X(CACHE_BY_DOCUMENT, "SELECT c.no, c.bytes FROM cache_documents d JOIN semantic_cache c ON c.no = d.entry" \
                       " AND c.tenant_id = ?1 WHERE d.tenant = ?2 AND d.part = ?3 AND d.document = ?4 LIMIT 1") \
  X(CACHE_OLDEST_EXPIRED, "SELECT no, bytes FROM semantic_cache WHERE tenant_id = ?1 AND expires_ms <= ?2" \
                          " ORDER BY expires_ms LIMIT 1") \
  X(CACHE_EXPIRED, "SELECT count(*) FROM semantic_cache WHERE expires_ms <= ?1") \
  X(CACHE_EXPIRED_TENANT, "SELECT tenant_id FROM tenants t WHERE EXISTS (SELECT 1 FROM semantic_cache c" \
                          " WHERE c.tenant_id = t.tenant_id AND c.expires_ms <= ?1) LIMIT 1") \
  X(CACHE_LEAST_USED, "SELECT no, bytes FROM semantic_cache WHERE tenant_id = ?1 ORDER BY used LIMIT 1") \
  X(CACHE_DROP, "DELETE FROM semantic_cache WHERE tenant_id = ?1 AND no = ?2") \
  X(CACHE_DROP_ALL, "DELETE FROM semantic_cache WHERE tenant_id = ?1") \
  X(CACHE_DOCUMENTS_DROP_ALL, "DELETE FROM cache_documents WHERE tenant = ?1") \
  X(CACHE_TOUCH, "UPDATE semantic_cache SET hits = hits + ?3, used = ?4, created_ms = min(created_ms, ?5)," \
                 " expires_ms = expires_ms - max(created_ms - ?5, 0) WHERE tenant_id = ?1 AND id = ?2") \
  X(CACHE_REVALIDATED, "UPDATE semantic_cache SET knowledge = max(knowledge, ?3) WHERE tenant_id = ?1 AND id = ?2") \
  X(CACHE_LIVE, "SELECT count(*), coalesce(sum(bytes), 0) FROM semantic_cache WHERE tenant_id = ?1" \
    " AND expires_ms > ?2") \
  X(TENANT_SET_CACHE, "UPDATE tenants SET cache_rows = ?2, cache_bytes = ?3, cache_clock = ?4 WHERE tenant_id = ?1")

#define AIO__SQ_KNOWLEDGE_SQL(X) \
  AIO__SQ_DOCUMENT_SQL(X) AIO__SQ_CHUNK_SQL(X) AIO__SQ_VECTOR_SQL(X) AIO__SQ_CACHE_SQL(X)

/* sum() fails where it passes an integer. Money is summed in dollars and in what is left of them; tokens end at 2^53 as
 * in aio__usage_add, and up to there a sum in floating point is exact. */
#define AIO__SQ_MONEY(column) \
  "coalesce(sum(" column " / 1000000000), 0), coalesce(sum(" column " % 1000000000), 0)"
#define AIO__SQ_TOKENS(name) "CAST(min(total(" name "_tokens), 9007199254740992.0) AS INTEGER)"

/* By tenant, since that is how they are indexed; every tenant that has runs is in run_totals. */
#define AIO__SQ_OLD_RUNS \
  "SELECT c.tenant_id, c.id FROM run_totals t JOIN ai_api_calls c ON c.tenant_id = t.tenant_id AND c.created_ms < ?1" \
  " ORDER BY t.tenant_id, c.created_ms, c.id LIMIT ?2"

#define AIO__SQ_LEDGER_SQL(X) \
  X(ADMITTED, "SELECT 1 FROM admissions WHERE tenant_id = ?1 AND run_id = ?2 AND key = ?3") \
  X(ADMISSION_CLAMP, "UPDATE admissions SET at_ms = ?3, expires_ms = expires_ms - at_ms + ?3" \
                     " WHERE tenant_id = ?1 AND key = ?2 AND at_ms > ?3 + ?4") \
  X(ADMISSION_SUM, "SELECT " AIO__SQ_MONEY("amount") ", max(at_ms), min(at_ms) FROM admissions" \
                   " WHERE tenant_id = ?1 AND key = ?2 AND at_ms > ?3") \
  X(ADMISSIONS_LEAVE, "SELECT " AIO__SQ_MONEY("amount") ", (SELECT min(at_ms) FROM admissions WHERE tenant_id = ?1" \
                      " AND key = ?2 AND at_ms > ?4) FROM admissions WHERE tenant_id = ?1 AND key = ?2 AND at_ms > ?3" \
                      " AND at_ms <= ?4") \
  X(ADMISSIONS_OF_RUN, "SELECT key FROM admissions WHERE tenant_id = ?1 AND run_id = ?2 AND kind = 1") \
  X(ADMISSIONS_NEWEST, "SELECT at_ms, amount FROM admissions WHERE tenant_id = ?1 AND key = ?2 AND at_ms > ?3" \
                       " ORDER BY at_ms DESC") \
  X(ADMISSION_NEW, "INSERT INTO admissions (tenant_id, key, at_ms, amount, kind, run_id, expires_ms)" \
                   " VALUES (?1,?2,?3,?4,?5,?6,?7)") \
  X(ADMISSIONS_PRUNE, "DELETE FROM admissions WHERE no IN (SELECT no FROM admissions WHERE expires_ms <= ?1" \
                      " ORDER BY expires_ms LIMIT ?2) RETURNING tenant_id, key, at_ms, amount") \
  X(ADMISSIONS_OLD, "SELECT count(*) FROM admissions WHERE expires_ms <= ?1") \
  X(RUNS_OLD, "SELECT count(*) FROM run_totals t JOIN ai_api_calls c ON c.tenant_id = t.tenant_id AND c.created_ms < ?1") \
  X(ATTEMPTS_PRUNE, "DELETE FROM ai_attempts WHERE (tenant_id, run_id) IN (" AIO__SQ_OLD_RUNS ")") \
  X(RUNS_PRUNE, "DELETE FROM ai_api_calls WHERE (tenant_id, id) IN (" AIO__SQ_OLD_RUNS ")") \
  X(ADMISSION_SETTLE, "UPDATE admissions SET amount = max(?3, ?4 * amount) WHERE tenant_id = ?1 AND run_id = ?2 AND kind = 1") \
  X(ATTEMPT_PUT, "INSERT INTO ai_attempts (tenant_id, run_id, id, state, kind, status, http_status, provider, model," \
                 " request_id, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens," \
               " output_tokens, reasoning_tokens, estimated, cost_nano_usd, created_ms, duration_us, lease_until_ms)" \
                 " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21)" \
                 " ON CONFLICT (tenant_id, run_id, id) DO UPDATE SET state = ?4, status = ?6, http_status = ?7," \
                 " provider = ?8, model = ?9, request_id = ?10, input_tokens = ?11, cache_read_tokens = ?12," \
               " cache_write_tokens = ?13, cache_write_1h_tokens = ?14, output_tokens = ?15, reasoning_tokens = ?16," \
                 " estimated = ?17, cost_nano_usd = ?18, duration_us = ?20, lease_until_ms = ?21" \
                 " WHERE (?4 = 1 AND state <> 1) OR (?4 = 2 AND state = 0)") \
  X(RUN_NEW, "INSERT OR IGNORE INTO ai_api_calls (tenant_id, id, user_id, provider, model, status, cache," \
             " input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens," \
             " reasoning_tokens, estimated, cost_nano_usd, created_ms, duration_us)" \
             " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)") \
  X(TOTALS_ADD, "INSERT INTO run_totals (tenant_id, runs, cost_nano_usd) VALUES (?1, ?3, ?2)" \
                " ON CONFLICT (tenant_id) DO UPDATE SET runs = runs + ?3, cost_nano_usd = CASE WHEN" \
                " cost_nano_usd > 9223372036854775807 - ?2 THEN 9223372036854775807 ELSE cost_nano_usd + ?2 END") \
  X(TOTALS, "SELECT runs, cost_nano_usd FROM run_totals WHERE tenant_id = ?1") \
  X(ATTEMPTS_EXPIRE, "UPDATE ai_attempts SET state = 2 WHERE state = 0 AND lease_until_ms <= ?1") \
  X(ATTEMPTS, "SELECT id, state, kind, status, http_status, provider, model, request_id, input_tokens," \
              " cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens," \
              " estimated, cost_nano_usd, created_ms, duration_us, lease_until_ms FROM ai_attempts" \
              " WHERE tenant_id = ?1 AND run_id = ?2 ORDER BY created_ms, id") \
  X(COSTS_BY_DAY, AIO__SQ_COSTS("strftime('%Y-%m-%d', created_ms / 1000, 'unixepoch')")) \
  X(COSTS_BY_PROVIDER, AIO__SQ_COSTS("provider")) \
  X(COSTS_BY_MODEL, AIO__SQ_COSTS("model")) \
  X(COSTS_BY_USER, AIO__SQ_COSTS("user_id"))

#define AIO__SQ_COSTS(group) \
  "SELECT " group " AS g, count(*), sum(cache >= 2), sum(status < 0), sum(cost_nano_usd IS NULL)," \
  " " AIO__SQ_MONEY("cost_nano_usd") ", " AIO__SQ_TOKENS("input") ", " AIO__SQ_TOKENS("cache_read") "," \
  " " AIO__SQ_TOKENS("cache_write") ", " AIO__SQ_TOKENS("cache_write_1h") ", " AIO__SQ_TOKENS("output") "," \
  " " AIO__SQ_TOKENS("reasoning") ", max(estimated) FROM ai_api_calls" \
  " WHERE tenant_id = ?1 AND created_ms >= ?2 AND created_ms < ?3 GROUP BY g ORDER BY g"

enum {
#define X(name, sql) AIO__SQ_##name,
  AIO__SQ_COMMON_SQL(X) AIO__SQ_COMMON_COUNT,
  AIO__SQ_KNOWLEDGE_BEFORE = AIO__SQ_COMMON_COUNT - 1,
  AIO__SQ_KNOWLEDGE_SQL(X) AIO__SQ_KNOWLEDGE_COUNT,
  AIO__SQ_LEDGER_BEFORE = AIO__SQ_COMMON_COUNT - 1,
  AIO__SQ_LEDGER_SQL(X) AIO__SQ_LEDGER_COUNT
#undef X
};

#endif
