-- What the rest stands on: the schema, its roles, the tenant of a transaction, and the book of migrations.
--
-- These files are applied in order by `aiorch migrate`, or by psql:
--
--   psql -v ON_ERROR_STOP=1 -v schema=aiorch -d DATABASE -f sql/postgres/all.psql          (all that are missing)
--   psql -v ON_ERROR_STOP=1 -v schema=aiorch -d DATABASE -1 -f sql/postgres/0001_base.sql  (one, in one transaction)
--
-- by somebody who may create roles and schemas in the database, where an administrator has said CREATE EXTENSION vector.
-- A file that is applied already stops at its first statement and changes nothing.
--
-- Roles, one set for all databases of a server:
--   aiorch_owner   owns everything and migrates; row-level security holds for it, too
--   aiorch_app     reads and writes the rows of the tenant that the transaction names; a login of the application is a member of it
--   aiorch_reader  reads the same rows without the texts in them: for dashboards
--   aiorch_keeper  nobody's login: owns the few functions that look over all tenants, and may do no more than they need
--
-- Row-level security is enabled and forced on every table with a tenant. Two things name the tenant, for one transaction:
--   SELECT set_config('aiorch.tenant', 'acme', true)          a trusted backend, as libaiorch does it
--   request.jwt.claims, app_metadata.tenant_id or the claim   a token that was verified, as PostgREST and Supabase do it
--   that settings.tenant_claim names (never user_metadata: users write that themselves)
-- Where both are there, they must agree; where none is, no row is seen and functions raise.

SELECT pg_advisory_xact_lock(hashtextextended('aiorch migrate', 0));

DO $$
DECLARE
  encoding text := current_setting('server_encoding');
  wanted text;
  may_be_owner boolean;
BEGIN
  IF current_setting('server_version_num')::int < 150000 THEN
    RAISE EXCEPTION 'PostgreSQL % is too old: libaiorch needs 15 or newer', current_setting('server_version');
  ELSIF encoding <> 'UTF8' THEN
    RAISE EXCEPTION 'the database is encoded in %: libaiorch needs UTF8 (CREATE DATABASE … ENCODING ''UTF8'' TEMPLATE template0)', encoding;
  END IF;
  FOREACH wanted IN ARRAY ARRAY['aiorch_owner', 'aiorch_app', 'aiorch_reader', 'aiorch_keeper'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      BEGIN
        -- NOINHERIT: who is a member of aiorch_owner does not thereby see what aiorch_keeper sees.
        EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', wanted);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL; -- another database of this server was faster
      END;
    END IF;
  END LOOP;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname LIKE 'aiorch\_%' AND (rolbypassrls OR rolsuper)
             AND rolname IN ('aiorch_owner', 'aiorch_app', 'aiorch_reader', 'aiorch_keeper')) THEN
    RAISE EXCEPTION 'a role of libaiorch may bypass row-level security: ALTER ROLE … NOBYPASSRLS NOSUPERUSER';
  END IF;
  -- From 16 on, who made a role is a member that may not take it on.
  IF current_setting('server_version_num')::int >= 160000 THEN
    may_be_owner := pg_has_role(current_user, 'aiorch_owner', 'SET');
  ELSE
    may_be_owner := pg_has_role(current_user, 'aiorch_owner', 'MEMBER');
  END IF;
  IF NOT may_be_owner THEN
    EXECUTE format('GRANT aiorch_owner TO %I', current_user);
  END IF;
  IF NOT pg_has_role('aiorch_owner', 'aiorch_keeper', 'MEMBER') THEN
    GRANT aiorch_keeper TO aiorch_owner;
  END IF;
  -- Cosine and inner product of halfvec, and iterative scans.
  IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN
    BEGIN
      CREATE EXTENSION vector;
    EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
      RAISE EXCEPTION 'pgvector is not in this database (%): an administrator has to install it and to say CREATE EXTENSION vector', SQLERRM
        USING ERRCODE = 'object_not_in_prerequisite_state';
    END;
  END IF;
  IF (SELECT (string_to_array(extversion, '.')::int[])[1:2] < ARRAY[0, 8] FROM pg_extension WHERE extname = 'vector') THEN
    RAISE EXCEPTION 'pgvector is older than 0.8.0: update it, then ALTER EXTENSION vector UPDATE';
  END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS :"schema" AUTHORIZATION aiorch_owner;
SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', :'schema'), true);
SET LOCAL ROLE aiorch_owner;

CREATE TABLE :"schema".schema_version (
  version int PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  applied_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE :"schema".schema_version IS 'The migrations that were applied.';
INSERT INTO schema_version (version, name) VALUES (1, 'base');

REVOKE ALL ON SCHEMA :"schema" FROM PUBLIC;
GRANT USAGE ON SCHEMA :"schema" TO aiorch_app, aiorch_reader, aiorch_keeper;
GRANT SELECT ON schema_version TO aiorch_app, aiorch_reader;

-- ---- migrations -----------------------------------------------------------------------------------------------------------------

-- The first statement of every later file: one at a time, in order, each once. From there on the transaction is the owner's, and
-- names are looked up in this schema and in the one that pgvector lives in.
CREATE FUNCTION :"schema".migration_begins(this int, its_name text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  newest int;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('aiorch migrate', 0));
  SELECT max(version) INTO newest FROM schema_version;
  IF newest >= this THEN
    RAISE EXCEPTION 'migration % was applied before: nothing was changed', this USING ERRCODE = 'duplicate_object';
  ELSIF newest <> this - 1 THEN
    RAISE EXCEPTION 'migration % comes next, not %', newest + 1, this USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  INSERT INTO schema_version (version, name) VALUES (this, its_name);
END
$$;
REVOKE ALL ON FUNCTION migration_begins FROM PUBLIC;

-- What search_path is to be while a migration runs, and what functions that touch vectors have it pinned to.
CREATE FUNCTION :"schema".path_with_vector() RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT format('pg_catalog, %s, %s, pg_temp', (SELECT relnamespace::regnamespace FROM pg_class WHERE oid = 'schema_version'::regclass),
                (SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'vector'))
$$;
REVOKE ALL ON FUNCTION path_with_vector FROM PUBLIC;

-- ---- settings -------------------------------------------------------------------------------------------------------------------

-- For all tenants; only the owner writes them.
CREATE TABLE :"schema".settings (
  name text PRIMARY KEY CHECK (name IN ('tenant_claim')),
  value text NOT NULL,
  CONSTRAINT tenant_claim_is_not_written_by_users
    CHECK (name <> 'tenant_claim' OR (value <> '' AND split_part(value, '.', 1) <> 'user_metadata'))
);
COMMENT ON COLUMN :"schema".settings.value IS 'tenant_claim: where a token names the tenant, as "app_metadata.tenant_id" or "org_id".';
GRANT SELECT ON settings TO aiorch_app, aiorch_reader;

-- ---- the tenant -----------------------------------------------------------------------------------------------------------------

-- The tenant of this transaction; NULL when none is named, or two different ones are.
CREATE FUNCTION :"schema".current_tenant() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
  named text := nullif(current_setting('aiorch.tenant', true), '');
  claims text := nullif(current_setting('request.jwt.claims', true), '');
  claimed text;
BEGIN
  IF claims IS NULL THEN
    RETURN named;
  END IF;
  claimed := nullif(claims::jsonb #>> string_to_array(
    coalesce((SELECT value FROM settings WHERE name = 'tenant_claim'), 'app_metadata.tenant_id'), '.'), '');
  IF named IS NOT NULL AND claimed IS NOT NULL AND named <> claimed THEN
    RETURN NULL;
  END IF;
  RETURN coalesce(claimed, named);
END
$$;
COMMENT ON FUNCTION :"schema".current_tenant() IS 'The tenant of this transaction, or NULL.';

-- The same for functions that cannot do without.
CREATE FUNCTION :"schema".require_tenant() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
  tenant text := nullif(current_setting('aiorch.tenant', true), '');
BEGIN
  IF tenant IS NULL OR coalesce(current_setting('request.jwt.claims', true), '') <> '' THEN
    tenant := current_tenant();
  END IF;
  IF tenant IS NULL THEN
    RAISE EXCEPTION 'no tenant is set'
      USING ERRCODE = 'insufficient_privilege',
            HINT = 'SELECT set_config(''aiorch.tenant'', …, true) in this transaction, or a token with app_metadata.tenant_id; '
                   'where both are there they must agree.';
  END IF;
  RETURN tenant;
END
$$;
REVOKE ALL ON FUNCTION current_tenant, require_tenant FROM PUBLIC;
GRANT EXECUTE ON FUNCTION current_tenant, require_tenant TO aiorch_app, aiorch_reader, aiorch_keeper;
GRANT SELECT ON settings TO aiorch_keeper;

-- Row-level security for a table with a tenant: enabled, forced, and one policy for reading and writing alike.
-- It asks for current_tenant(), once a statement; without a token it looks at the setting itself, which is quicker.
CREATE FUNCTION :"schema".guard_by_tenant(guarded regclass) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  rule CONSTANT text := $rule$(SELECT CASE WHEN coalesce(current_setting('request.jwt.claims', true), '') = ''
    THEN nullif(current_setting('aiorch.tenant', true), '') ELSE current_tenant() END)$rule$;
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', guarded);
  EXECUTE format('CREATE POLICY tenant ON %1$s USING (tenant_id = %2$s) WITH CHECK (tenant_id = %2$s)', guarded, rule);
END
$$;
REVOKE ALL ON FUNCTION guard_by_tenant FROM PUBLIC;

-- Wall milliseconds of the server, the same for all machines.
CREATE FUNCTION :"schema".now_ms() RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL SAFE SET search_path FROM CURRENT AS $$
  SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;
REVOKE ALL ON FUNCTION now_ms FROM PUBLIC;
GRANT EXECUTE ON FUNCTION now_ms TO aiorch_app, aiorch_reader, aiorch_keeper;
