-- No tenant sees, counts, changes or removes another's: every table and every function, in every situation a transaction can be in.
-- As a login that is exempt from row-level security (BYPASSRLS): the role that it takes on is what counts. The superuser begins the
-- transaction and becomes that login. tenants_setup.sql comes first; test_postgres_sql.py also runs this with one policy dropped or
-- opened at a time, and wants it red then.
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only on
SELECT set_config('search_path', format('pg_catalog, %I, extensions, trial', :'schema'), false), set_config('trial.schema', :'schema', false) \g /dev/null
SET LOCAL enable_seqscan = off;
SET LOCAL jit = off; -- it would compile each of these statements, for what a scan that is not wanted costs
SET LOCAL SESSION AUTHORIZATION bypass;
SET LOCAL ROLE aiorch_app;

-- One case: nothing, or what came where something else was wanted. (A test of pgTAP a case would take it hours: it counts them in a
-- table that every test updates.)
CREATE FUNCTION pg_temp.case_is(got text, wanted text, what text) RETURNS text LANGUAGE sql AS $$
  SELECT CASE WHEN got IS NOT DISTINCT FROM wanted THEN '' ELSE format(E'%s: got %s, wanted %s\n', what, coalesce(got, 'NULL'), coalesce(wanted, 'NULL')) END
$$;

CREATE FUNCTION pg_temp.situation_is(claims text, tenant text) RETURNS void LANGUAGE sql AS $$
  SELECT set_config('request.jwt.claims', claims, true), set_config('aiorch.tenant', tenant, true)
$$;

-- What the tables give in a situation in which `seen` (NULL: nobody) is the tenant, to somebody who is after acme's rows.
CREATE FUNCTION pg_temp.tables_hold(situation text, seen text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  one record;
  right_one boolean := seen = 'acme';
  n text;
  own text;
  pk text;
  writes boolean;
  bad text;
BEGIN
  FOR one IN SELECT * FROM trial.rows ORDER BY tab LOOP
    bad := '';
    n := CASE WHEN one.tab IN ('chunks', 'semantic_cache') THEN '2' ELSE '1' END;
    own := CASE WHEN seen IN ('acme', 'rival') THEN n ELSE '0' END;
    pk := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.no) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k (attnum, no), pg_attribute a
           WHERE i.indrelid = one.tab::regclass AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.attnum);
    writes := one.tab <> 'run_totals';
    -- Whatever is seen is the tenant's own, with a condition and without one.
    bad := bad || pg_temp.case_is(trial.outcome(format('SELECT FROM %I', one.tab)), own, 'SELECT');
    bad := bad || pg_temp.case_is(trial.outcome(format('SELECT FROM %I WHERE tenant_id = ''acme''', one.tab)), CASE WHEN right_one THEN n ELSE '0' END,
                   'SELECT where acme');
    bad := bad || pg_temp.case_is(trial.outcome(format('SELECT FROM (SELECT count(*) AS n, max(t::text) AS most FROM %I t) a WHERE n = %s AND (most IS NULL) = (n = 0)'
                                        ' AND coalesce(most, %L) LIKE %L', one.tab, own, seen, '%' || coalesce(seen, '') || '%')),
                   CASE WHEN seen IS NULL THEN '0' ELSE '1' END, 'aggregate');
    bad := bad || pg_temp.case_is(trial.outcome(format('SELECT FROM %I a JOIN tenants t USING (tenant_id)', one.tab)), own, 'join');
    -- Nothing of acme's is made, changed or removed by anybody else.
    bad := bad || pg_temp.case_is(trial.outcome(format(one.statement, one.fresh)),
                   CASE WHEN NOT writes OR NOT coalesce(right_one, false) THEN '42501' WHEN one.fresh = 'none' THEN '23505' ELSE '1' END,
                   'INSERT');
    bad := bad || pg_temp.case_is(trial.outcome(format(one.statement, '00000000-0000-7000-8000-000000000001') || ' ON CONFLICT (' || pk ||
                                 ') DO UPDATE SET tenant_id = excluded.tenant_id'),
                   CASE WHEN writes AND right_one THEN '1' ELSE '42501' END, 'UPSERT');
    bad := bad || pg_temp.case_is(trial.outcome(format(one.statement, one.fresh) || ' RETURNING *'),
                   CASE WHEN NOT writes OR NOT coalesce(right_one, false) THEN '42501' WHEN one.fresh = 'none' THEN '23505' ELSE '1' END,
                   'INSERT RETURNING');
    bad := bad || pg_temp.case_is(trial.outcome(format('UPDATE %I SET tenant_id = tenant_id', one.tab)), CASE WHEN writes THEN own ELSE '42501' END,
                   'UPDATE');
    bad := bad || pg_temp.case_is(trial.outcome(format('UPDATE %I SET tenant_id = tenant_id WHERE tenant_id = ''acme'' RETURNING *', one.tab)),
                   CASE WHEN NOT writes THEN '42501' WHEN right_one THEN n ELSE '0' END, 'UPDATE RETURNING of acme');
    -- Own rows are not handed to another, nor taken from one.
    bad := bad || pg_temp.case_is((trial.outcome(format('UPDATE %I SET tenant_id = ''third''', one.tab)) = n)::text, 'false', 'give away');
    bad := bad || pg_temp.case_is(trial.outcome(format('DELETE FROM %I WHERE tenant_id <> %L RETURNING *', one.tab, coalesce(seen, ''))),
                   CASE WHEN writes THEN '0' ELSE '42501' END, 'DELETE of others');
    bad := bad || pg_temp.case_is(trial.outcome(format('DELETE FROM %I WHERE tenant_id = ''acme''', one.tab)),
                   CASE WHEN NOT writes THEN '42501' WHEN NOT coalesce(right_one, false) THEN '0' ELSE n END, 'DELETE of acme');
    bad := bad || pg_temp.case_is(trial.outcome(format('TRUNCATE %I', one.tab)), '42501', 'TRUNCATE');
    bad := bad || pg_temp.case_is(trial.outcome(format('SELECT FROM %I FOR UPDATE', one.tab)), CASE WHEN writes THEN own ELSE '42501' END,
                   'lock');
    RETURN NEXT is(bad, '', situation || ': ' || one.tab);
  END LOOP;
  bad := '';
  -- The nearest vectors by index, where the best of all are another's.
  FOREACH pk IN ARRAY ARRAY['chunk_vectors', 'entry_vectors'] LOOP
    bad := bad || pg_temp.case_is(trial.outcome(format('SELECT FROM %I WHERE model = 1 ORDER BY (vector::halfvec(3)) <#> ''[1,0,0]''::halfvec(3) LIMIT 10', pk)),
                   CASE WHEN seen IN ('acme', 'rival') THEN '1' ELSE '0' END, 'nearest ' || pk);
  END LOOP;
  RETURN NEXT is(bad, '', situation || ': nearest by index');
END
$$;

CREATE FUNCTION pg_temp.functions_hold(situation text, seen text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  one record;
  here text := CASE WHEN seen IS NULL THEN '42501' ELSE '1' END;
  bad text := '';
BEGIN
  bad := bad || pg_temp.case_is(current_tenant(), seen, 'current_tenant()');
  bad := bad || pg_temp.case_is(trial.outcome('SELECT require_tenant()'), here, 'require_tenant()');
  FOR one IN SELECT * FROM trial.calls ORDER BY statement LOOP
    bad := bad || pg_temp.case_is(trial.outcome('SELECT FROM ' || one.statement),
                   CASE WHEN seen IS NULL THEN one.nobody WHEN seen IN ('acme', 'rival') THEN one.own ELSE one.stranger END, one.statement);
  END LOOP;
  bad := bad || pg_temp.case_is(trial.outcome($q$SELECT FROM admit_call(gen_random_uuid(), '{0}', '{key}', '{9000000000}', '{1}', '{1}') a WHERE a.admitted$q$),
                 here, 'admit_call() of a key that stands in another window');
  bad := bad || pg_temp.case_is(trial.outcome($q$SELECT FROM admit_call(gen_random_uuid(), '{0}', '{key}', '{9000000000000}', '{1}', '{1}', 2) a WHERE NOT a.admitted$q$),
                 CASE WHEN seen IS NULL THEN '42501' WHEN seen IN ('acme', 'rival') THEN '1' ELSE '0' END, 'admit_call() counts the own alone');
  bad := bad || pg_temp.case_is(trial.outcome($q$SELECT FROM admit_call_by_rate(gen_random_uuid(), '{new}', '{1000}', '{1}', '{1}') a WHERE a.admitted$q$),
                 here, 'admit_call_by_rate()');
  bad := bad || pg_temp.case_is(trial.outcome($q$SELECT FROM admit_call_by_rate(gen_random_uuid(), '{key00001}', '{9000000000000}', '{1}', '{1}', 2) a WHERE NOT a.admitted$q$),
                 CASE WHEN seen IS NULL THEN '42501' WHEN seen IN ('acme', 'rival') THEN '1' ELSE '0' END,
                 'admit_call_by_rate() counts the own alone');
  bad := bad || pg_temp.case_is(trial.outcome($q$SELECT FROM admit_calls(ARRAY[gen_random_uuid()], '{1}', '{0}', '{key}', '{9000000000}', '{1}', '{1}') a WHERE a.admitted$q$),
                 here, 'admit_calls() of a key that stands in another window');
  bad := bad || pg_temp.case_is(trial.outcome($q$SELECT FROM admit_calls(ARRAY[gen_random_uuid()], '{1}', '{0}', '{key}', '{9000000000000}', '{1}', '{1}', 2) a WHERE NOT a.admitted$q$),
                 CASE WHEN seen IS NULL THEN '42501' WHEN seen IN ('acme', 'rival') THEN '1' ELSE '0' END, 'admit_calls() counts the own alone');
  bad := bad || pg_temp.case_is(trial.outcome($q$SELECT FROM admit_calls_by_rate(ARRAY[gen_random_uuid()], '{1}', '{new too}', '{1000}', '{1}', '{1}') a WHERE a.admitted$q$),
                 here, 'admit_calls_by_rate()');
  bad := bad || pg_temp.case_is(trial.outcome($q$SELECT FROM admit_calls_by_rate(ARRAY[gen_random_uuid()], '{1}', '{key00001}', '{9000000000000}', '{1}', '{1}', 2) a WHERE NOT a.admitted$q$),
                 CASE WHEN seen IS NULL THEN '42501' WHEN seen IN ('acme', 'rival') THEN '1' ELSE '0' END,
                 'admit_calls_by_rate() counts the own alone');
  -- These two look over all tenants and say numbers alone; of what is not due they take nothing.
  bad := bad || pg_temp.case_is(expire_attempts()::text, '0', 'expire_attempts() of nothing due');
  bad := bad || pg_temp.case_is((SELECT p::text FROM prune() p), '(0,0,0)', 'prune() of nothing due');
  bad := bad || pg_temp.case_is(prune_stand_in()::text, '0', 'prune_stand_in() of nothing due');
  bad := bad || pg_temp.case_is((SELECT p::text FROM prune_counts() p), '(0,0,0)', 'prune_counts() of nothing due');
  bad := bad || pg_temp.case_is(trial.outcome('SELECT FROM embedding_indexes()'), '42501', 'embedding_indexes() is the owner''s');
  bad := bad || pg_temp.case_is(embedding_model('trial model', 3)::text, '1', 'embedding_model()');
  bad := bad || pg_temp.case_is(trial.outcome('INSERT INTO embedding_models VALUES (9, ''x'', 1)'), '42501', 'INSERT into embedding_models');
  bad := bad || pg_temp.case_is(trial.outcome('UPDATE settings SET value = ''sub'''), '42501', 'UPDATE of settings');
  bad := bad || pg_temp.case_is(trial.outcome('INSERT INTO settings VALUES (''tenant_claim'', ''sub'')'), '42501', 'INSERT into settings');
  bad := bad || pg_temp.case_is(trial.outcome('DELETE FROM schema_version'), '42501', 'DELETE from schema_version');
  RETURN NEXT is(bad, '', situation || ': functions');
END
$$;

CREATE FUNCTION pg_temp.all_holds(situation text, seen text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT pg_temp.tables_hold(situation, seen) UNION ALL SELECT pg_temp.functions_hold(situation, seen)
$$;

SELECT no_plan();
SELECT is(current_user || ' ' || session_user, 'aiorch_app bypass', 'the suite runs as the application, in a session that could bypass');

-- What is tested is all there is.
SELECT set_eq(
  format($q$SELECT table_name::text FROM information_schema.columns WHERE table_schema = %L AND column_name = 'tenant_id'
            AND table_name IN (SELECT relname FROM pg_class WHERE relkind IN ('r', 'p'))$q$, :'schema'),
  'SELECT tab FROM trial.rows', 'every table with a tenant is tested');
SELECT set_eq(
  format($q$SELECT proname::text FROM pg_proc WHERE pronamespace = %L::regnamespace AND has_function_privilege('aiorch_app', oid, 'EXECUTE')$q$, :'schema'),
  $q$SELECT unnest(ARRAY['admit_call', 'admit_calls', 'admit_call_by_rate', 'admit_calls_by_rate', 'current_tenant', 'embedding_model', 'expire_attempts', 'now_ms', 'prune', 'prune_counts', 'prune_stand_in', 'require_tenant'])
     UNION SELECT m[1] FROM trial.calls, regexp_matches(statement, '([a-z_]+)\(', 'g') m WHERE m[1] NOT IN ('unnest', 'set_config', 'gen_random_uuid')$q$, 'every function of the application is tested');

-- Unset comes first: once it was set, a setting is never unset again in its session, only empty.
SELECT ok(current_setting('aiorch.tenant', true) IS NULL, 'the tenant was not set in this session');
SELECT pg_temp.all_holds('unset', NULL);
SELECT pg_temp.situation_is('', 'acme') \g /dev/null
SELECT pg_temp.all_holds('right', 'acme');
SELECT pg_temp.situation_is('', 'rival') \g /dev/null
SELECT pg_temp.all_holds('wrong', 'rival');
SELECT pg_temp.situation_is('{"role":"authenticated","app_metadata":{"tenant_id":"rival"}}', 'acme') \g /dev/null
SELECT pg_temp.all_holds('a token of rival, set to acme', NULL);
-- :brief is for the driver, which looks only whether it is red.
\if :brief
\else
SELECT pg_temp.situation_is('', '') \g /dev/null
SELECT pg_temp.all_holds('empty', NULL);
-- Spoofed: names that are nearly right, and tokens that say one thing where the setting says another.
SELECT pg_temp.situation_is('', 'acme'' OR ''1''=''1') \g /dev/null
SELECT pg_temp.all_holds('injected', 'acme'' OR ''1''=''1');
SELECT pg_temp.situation_is('', 'ACME') \g /dev/null
SELECT pg_temp.all_holds('other case', 'ACME');
SELECT pg_temp.situation_is('', 'acme ') \g /dev/null
SELECT pg_temp.all_holds('a space more', 'acme ');
SELECT pg_temp.situation_is('', '%') \g /dev/null
SELECT pg_temp.all_holds('wildcard', '%');
SELECT pg_temp.situation_is('{"user_metadata":{"tenant_id":"acme"},"app_metadata":{}}', '') \g /dev/null
SELECT pg_temp.all_holds('what a user wrote into the token', NULL);
SELECT pg_temp.situation_is('{"tenant_id":"acme","app_metadata":{"tenant_id":"rival"}}', '') \g /dev/null
SELECT pg_temp.all_holds('a token of rival with acme at the wrong place', 'rival');
SELECT pg_temp.situation_is('{"app_metadata":{"tenant_id":"acme"}}', '') \g /dev/null
SELECT pg_temp.all_holds('a token of acme', 'acme');
SELECT pg_temp.situation_is('{"app_metadata":{"tenant_id":"acme"}}', 'acme') \g /dev/null
SELECT pg_temp.all_holds('a token of acme, set to acme', 'acme');
SELECT pg_temp.situation_is('{"app_metadata":{"tenant_id":""}}', '') \g /dev/null
SELECT pg_temp.all_holds('a token of an empty tenant', NULL);
SELECT pg_temp.situation_is('{"app_metadata":"acme"}', '') \g /dev/null
SELECT pg_temp.all_holds('a token of another shape', NULL);
\endif
SELECT pg_temp.situation_is('', '') \g /dev/null

-- The owner is held to the same, and the reader, who sees no text.
RESET ROLE;
RESET SESSION AUTHORIZATION;
SET LOCAL ROLE aiorch_owner;
SELECT is(trial.outcome(format('SELECT FROM %I', tab)), '0', 'the owner without a tenant: SELECT from ' || tab) FROM trial.rows;
SELECT is(trial.outcome(format('UPDATE %I SET tenant_id = tenant_id', tab)), '0', 'the owner without a tenant: UPDATE of ' || tab) FROM trial.rows;
SELECT pg_temp.situation_is('', 'acme') \g /dev/null
SELECT is(trial.outcome(format('SELECT FROM %I WHERE tenant_id <> ''acme''', tab)), '0', 'the owner as acme: no other''s ' || tab) FROM trial.rows;
RESET ROLE;
SET LOCAL ROLE aiorch_reader;
SELECT is(trial.outcome(format('SELECT tenant_id FROM %I', tab)), CASE WHEN tab IN ('chunks', 'semantic_cache') THEN '2' WHEN tab = 'document_metadata' THEN '42501' ELSE '1' END,
          'the reader: its tenant''s ' || tab) FROM trial.rows;
SELECT is(trial.outcome(format('SELECT tenant_id FROM %I WHERE tenant_id <> ''acme''', tab)), CASE WHEN tab = 'document_metadata' THEN '42501' ELSE '0' END,
          'the reader: no other''s ' || tab) FROM trial.rows;
SELECT is(trial.outcome(format('UPDATE %I SET tenant_id = tenant_id', tab)), '42501', 'the reader: no UPDATE of ' || tab) FROM trial.rows;
SELECT is_empty(
  format($q$SELECT attrelid::regclass, attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
            WHERE relnamespace = %L::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
            AND has_column_privilege('aiorch_reader', attrelid, attnum, 'SELECT')
            AND (attname IN ('text', 'title', 'heading', 'anchor', 'query', 'answer', 'sources', 'words', 'value', 'vector', 'anchor_names', 'query_text', 'query_embedding', 'response_text'))
            AND relname NOT IN ('settings') AND (relname, attname) <> ('tenants', 'words')$q$, :'schema'), 'the reader: no column with a text');
SELECT is(trial.outcome('SELECT text FROM documents'), '42501', 'the reader: no text of documents');
SELECT is(trial.outcome('SELECT FROM search_chunks(''{t:canary}'', ''{NULL}'', ''{NULL}'', ''{1}'', NULL, NULL, NULL, NULL, 10)'), '42501', 'the reader: no search');
RESET ROLE;

-- Nobody else has any right here, nor any right to become the keeper.
SELECT is_empty(
  format($q$SELECT c.oid::regclass, acl.grantee::regrole FROM pg_class c, aclexplode(c.relacl) acl
            WHERE relnamespace = %L::regnamespace AND acl.grantee::regrole::text NOT IN ('aiorch_owner', 'aiorch_app', 'aiorch_reader', 'aiorch_keeper')$q$,
         :'schema'), 'no table is open to anybody else');
SELECT is_empty(
  format($q$SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = %L::regnamespace
            AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)$q$, :'schema'),
  'no function is open to everybody');
SELECT ok(NOT pg_has_role(r, 'aiorch_keeper', 'USAGE'), r || ' does not have what the keeper has')
  FROM unnest(ARRAY['aiorch_app', 'aiorch_reader', 'aiorch_owner', 'app', 'bypass', 'reader', 'owner']) r;
SELECT ok(NOT rolbypassrls AND NOT rolsuper AND NOT rolcanlogin AND NOT rolcreaterole, rolname || ' can do no more than it should')
  FROM pg_roles WHERE rolname LIKE 'aiorch\_%';

-- Every policy is the one, for reading and for writing: of some tables writing is also kept apart by what follows from it.
SELECT is((SELECT count(DISTINCT (pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))) FROM pg_policy JOIN pg_class c ON c.oid = polrelid
           WHERE polname = 'tenant' AND relnamespace = current_setting('trial.schema')::regnamespace AND pg_get_expr(polqual, polrelid) = pg_get_expr(polwithcheck, polrelid)),
          1::bigint, 'all policies say the same');
SELECT is((SELECT count(*) FROM pg_policy JOIN pg_class c ON c.oid = polrelid WHERE polname = 'tenant' AND relnamespace = current_setting('trial.schema')::regnamespace
           AND pg_get_expr(polqual, polrelid) = pg_get_expr(polwithcheck, polrelid)), (SELECT count(*) FROM trial.rows), 'and for reading what for writing');

-- What one tenant takes away is its own.
SET LOCAL ROLE aiorch_app;
SELECT pg_temp.situation_is('', 'rival') \g /dev/null
SELECT make_room('acme', 1, 0, 0, 9000000000001), drop_answers('', NULL), remove_document('source-00000000-0000-7000-8000-000000000001'),
       forget_vectors('trial model', 100) \g /dev/null
RESET ROLE;
SELECT is((SELECT format('%s %s %s %s %s %s', documents, chunks, cache_rows, (SELECT count(*) FROM semantic_cache e WHERE e.tenant_id = t.tenant_id),
                         (SELECT count(*) FROM entry_vectors v WHERE v.tenant_id = t.tenant_id), (SELECT count(*) FROM chunk_vectors v WHERE v.tenant_id = t.tenant_id))
           FROM tenants t WHERE tenant_id = tenant), wanted, 'after rival cleared its own: ' || tenant)
  FROM (VALUES ('acme', '1 2 2 2 1 1'), ('rival', '0 0 0 0 0 0')) w (tenant, wanted);

-- What looks over all tenants finds what is due of each, and the counts stay right.
SET LOCAL ROLE aiorch_app;
SELECT is(expire_attempts(9100000000000), 3::bigint, 'expire_attempts() of all tenants');
SELECT is((SELECT p::text FROM prune_counts(9000000000000, 9100000000000) p), '(6,7,3)', 'prune_counts() of all tenants');
SELECT is((SELECT p::text FROM prune(9000000000000, 10000, 9100000000000) p), '(6,4,3)', 'prune() of all tenants');
SELECT is(prune_stand_in(10000, 9100000000000), 3::bigint, 'prune_stand_in() of all tenants');
SELECT is((SELECT p::text FROM prune_counts(9000000000000, 9100000000000) p), '(0,0,0)', 'and nothing is left that is due');
RESET ROLE;
SELECT is((SELECT string_agg(format('%s %s %s %s', tenant_id, documents, cache_rows, cache_bytes), ', ' ORDER BY tenant_id) FROM tenants),
          'acme 1 0 0, rival 0 0 0, third 1 0 0', 'counts of tenants after it');
SELECT is((SELECT string_agg(format('%s %s %s', tenant_id, chunks, entries), ', ' ORDER BY tenant_id) FROM tenant_models),
          'acme 1 0, rival 0 0, third 1 0', 'counts of vectors after it');
SELECT is((SELECT string_agg(format('%s %s %s', tenant_id, runs, cost_nano_usd), ', ' ORDER BY tenant_id) FROM run_totals),
          'acme 2 6, rival 2 6, third 2 6', 'what removed runs have cost');
SELECT is((SELECT count(*) FROM cache_sources) + (SELECT count(*) FROM entry_vectors) + (SELECT count(*) FROM ai_attempts), 0::bigint,
          'nothing is left of what it removed');
SELECT * FROM finish();
