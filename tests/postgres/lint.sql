-- The catalog says what it should, after Supabase's splinter and what multi-tenant databases got wrong elsewhere. Each test names what
-- is wrong. Run by anybody who may read the catalog.
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only on
SELECT set_config('search_path', 'pg_catalog, trial', false) \g /dev/null
SELECT set_config('trial.schema', :'schema', false) \g /dev/null
CREATE TEMP VIEW tables AS SELECT oid, relname, relrowsecurity, relforcerowsecurity,
    EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant_id') AS of_tenants
  FROM pg_class c WHERE relnamespace = current_setting('trial.schema')::regnamespace AND relkind IN ('r', 'p', 'm', 'f');
CREATE TEMP VIEW functions AS SELECT * FROM pg_proc WHERE pronamespace = current_setting('trial.schema')::regnamespace;
SELECT no_plan();

SELECT is_empty('SELECT relname FROM tables WHERE of_tenants AND NOT (relrowsecurity AND relforcerowsecurity)',
                'row-level security is enabled and forced on every table with a tenant');
SELECT set_eq('SELECT relname::text FROM tables WHERE NOT of_tenants', ARRAY['embedding_models', 'schema_version', 'settings'],
              'tables without a tenant are these alone');
SELECT is_empty($$SELECT relname FROM tables t WHERE of_tenants AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = t.oid AND polname = 'tenant'
                  AND polcmd = '*' AND polpermissive AND polroles = '{0}' AND polqual IS NOT NULL AND polwithcheck IS NOT NULL)$$,
                'every table with a tenant has the policy, for everybody and every command');
SELECT is_empty($$SELECT relname, polname FROM pg_policy JOIN tables t ON t.oid = polrelid WHERE polname <> 'tenant'
                  AND polroles <> ARRAY['aiorch_keeper'::regrole::oid]$$, 'other policies are the keeper''s');
SELECT is_empty($$SELECT relname, polname FROM pg_policy JOIN tables t ON t.oid = polrelid WHERE polname = 'tenant'
                  AND pg_get_expr(polqual, polrelid) !~ '= \( SELECT\s'$$, 'policies look for the tenant once a statement, not once a row');
SELECT is_empty($$SELECT relname FROM pg_policy JOIN tables t ON t.oid = polrelid
                  WHERE coalesce(pg_get_expr(polqual, polrelid), '') || coalesce(pg_get_expr(polwithcheck, polrelid), '') ~ 'user_metadata'$$,
                'no policy believes what users write');
SELECT is_empty($$SELECT oid::regprocedure FROM functions WHERE prosrc ~ 'user_metadata'$$, 'nor does a function');
SELECT is_empty($$SELECT oid::regprocedure FROM functions
                  WHERE prosqlbody IS NULL AND NOT coalesce((SELECT setting ~ '^search_path=pg_catalog, .*, pg_temp$' FROM unnest(proconfig) setting WHERE setting ~ '^search_path='), false)$$,
                'functions have their search_path pinned: pg_catalog first, pg_temp last (or names that were looked up when they were made)');
SELECT set_eq($$SELECT proname::text FROM functions WHERE prosecdef$$,
              ARRAY['embedding_indexes', 'embedding_model', 'expire_attempts', 'prune', 'prune_counts', 'prune_stand_in', 'ranked_chunks'], 'functions with the rights of their owner are these alone');
SELECT is_empty($$SELECT oid::regprocedure, proowner::regrole FROM functions WHERE prosecdef
                  AND proowner <> CASE proname WHEN 'embedding_model' THEN 'aiorch_owner' ELSE 'aiorch_keeper' END::regrole$$, 'and they belong to whom they should');
SELECT is_empty($$SELECT oid::regprocedure FROM functions WHERE NOT prosecdef AND proowner <> 'aiorch_owner'::regrole$$, 'the owner owns the others');
SELECT is_empty($$SELECT oid::regprocedure FROM functions WHERE proleakproof$$, 'no function claims to be leakproof');
SELECT is_empty($$SELECT relname FROM tables t JOIN pg_class c USING (oid, relname) WHERE c.relowner <> 'aiorch_owner'::regrole$$, 'the owner owns the tables');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c WHERE relkind = 'v' AND relnamespace IN (current_setting('trial.schema')::regnamespace, 'public'::regnamespace)
                  AND relowner IN (SELECT oid FROM pg_roles WHERE rolname LIKE 'aiorch\_%')
                  AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)$$, 'views have the rights of who asks');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = current_setting('trial.schema')::regnamespace AND relkind IN ('m', 'f')$$,
                'no materialized view and no foreign table, which know no policies');
SELECT is_empty($$SELECT relname FROM tables t WHERE NOT EXISTS (SELECT FROM pg_index WHERE indrelid = t.oid AND indisprimary)$$, 'every table has a primary key');
SELECT is_empty($$SELECT relname FROM tables t WHERE of_tenants AND NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON attrelid = indrelid AND attnum = indkey[0]
                  WHERE indrelid = t.oid AND indisprimary AND attname = 'tenant_id')$$, 'it begins with the tenant');
SELECT is_empty($$SELECT indexrelid::regclass FROM pg_index i JOIN tables t ON t.oid = indrelid JOIN pg_attribute a ON attrelid = indrelid AND attnum = indkey[0]
                  WHERE indisunique AND of_tenants AND attname <> 'tenant_id'$$, 'and so does every unique index: no tenant finds out what another has');
SELECT is_empty($$SELECT relname FROM tables t JOIN pg_attribute a ON attrelid = t.oid WHERE of_tenants AND attname = 'tenant_id' AND
                  (NOT attnotnull OR attcollation <> (SELECT oid FROM pg_collation WHERE collname = 'C'))$$, 'a tenant is never NULL, and compared by bytes');
SELECT is_empty($$SELECT conrelid::regclass, conname FROM pg_constraint c JOIN tables t ON t.oid = conrelid WHERE contype = 'f'
                  AND NOT EXISTS (SELECT FROM pg_index i WHERE indrelid = conrelid AND indpred IS NULL
                                  AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey::int2[])$$, 'every foreign key has an index');
SELECT is_empty($$SELECT conrelid::regclass, conname FROM pg_constraint c JOIN tables t ON t.oid = conrelid JOIN tables f ON f.oid = confrelid
                  WHERE contype = 'f' AND f.of_tenants
                  AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = conrelid AND attname = 'tenant_id' AND attnum = ANY (conkey))$$,
                'a foreign key between tenants'' tables holds the tenant');
SELECT is_empty($$SELECT a.indexrelid::regclass, b.indexrelid::regclass FROM pg_index a JOIN pg_index b USING (indrelid) JOIN tables t ON t.oid = a.indrelid
                  WHERE a.indexrelid < b.indexrelid AND a.indkey::text = b.indkey::text AND a.indclass::text = b.indclass::text
                  AND coalesce(pg_get_expr(a.indexprs, a.indrelid), '') = coalesce(pg_get_expr(b.indexprs, b.indrelid), '')
                  AND coalesce(pg_get_expr(a.indpred, a.indrelid), '') = coalesce(pg_get_expr(b.indpred, b.indrelid), '')$$, 'no index is there twice');
SELECT is_empty($$SELECT indexrelid::regclass FROM pg_index JOIN tables t ON t.oid = indrelid WHERE NOT indisvalid$$, 'every index is valid');
SELECT is_empty($$SELECT n.nspname, a.privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a WHERE nspname = current_setting('trial.schema')
                  AND (a.grantee = 0 OR (a.privilege_type = 'CREATE' AND a.grantee <> 'aiorch_owner'::regrole))$$,
                'the schema is closed to the public, and only the owner makes things in it');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a WHERE relnamespace = current_setting('trial.schema')::regnamespace AND a.grantee = 0$$,
                'no table and no sequence is open to everybody');
SELECT is_empty($$SELECT c.oid::regclass, p FROM pg_class c, unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER']) p
                  WHERE relnamespace = current_setting('trial.schema')::regnamespace AND relkind = 'r' AND has_table_privilege('aiorch_app', c.oid, p)$$,
                'the application may not get round the policies (TRUNCATE, REFERENCES, TRIGGER)');
SELECT * FROM finish();
