"""Follows docs/postgres.md line by line, on an empty server, then docs/supabase.md, on one that is set up like Supabase:

    python3 tests/postgres/cluster.py --empty --tls -- python3 tests/postgres/test_docs.py
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def blocks(path):
    with open(path, encoding="utf-8") as file:
        return re.findall(r"<!-- test: no \(tests/postgres/test_docs.py[^\n]*\n```sh\n(.*?)```", file.read(), re.S)


def follow(lines, home, env, may_find_nothing):
    """Each line by itself, so that it is known what each says; what they export is carried on. (what each said, the exports)"""
    said = {}
    exports = ""
    for line in lines:
        if line.startswith("export "):
            exports += line + "\n"
        done = subprocess.run(["sh", "-e", "-c", exports + line], cwd=home, env=env, capture_output=True, text=True, timeout=100)
        said[line] = done.stdout
        print("%s\n%s%s" % (line, done.stdout, done.stderr), flush=True)
        if done.returncode not in ((0, 1, 3, 4) if may_find_nothing in line else (0,)):
            sys.exit("failed: exit %d" % done.returncode)
    return said, exports


def sh(script, home, env):
    done = subprocess.run(["sh", "-e", "-c", script], cwd=home, env=env, capture_output=True, text=True, timeout=100)
    print(done.stdout + done.stderr, flush=True)
    assert done.returncode == 0
    return done.stdout


def psql(url, sql, good=True):
    done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-"], input=sql, capture_output=True, text=True)
    assert (done.returncode == 0) == good, done.stdout + done.stderr
    return done.stdout.strip() if good else done.stderr


def postgres_page(home, env):
    first, second = blocks(os.path.join(ROOT, "docs", "postgres.md"))
    lines = first.splitlines()
    assert len(lines) == 10, "docs/postgres.md promises ten lines"
    said, exports = follow(lines, home, env, "rival")
    assert "three days" in said[lines[8]], "acme does not find its own"
    assert "three days" not in said[lines[9]], "rival finds what is acme's"
    assert "handbook.md" in sh(exports + second, home, env)


# As a project of Supabase is: who owns the server is called supabase_admin, "postgres" is no superuser, and PostgREST's roles are there.
SUPABASE = """
CREATE ROLE helper SUPERUSER LOGIN;
\\c postgres helper
ALTER ROLE postgres RENAME TO supabase_admin;
CREATE ROLE postgres LOGIN CREATEROLE CREATEDB BYPASSRLS;
CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE authenticator LOGIN NOINHERIT;
GRANT anon, authenticated, service_role TO authenticator, postgres WITH ADMIN OPTION;
DROP DATABASE IF EXISTS app;
DROP DATABASE aiorch;
CREATE DATABASE project OWNER postgres;
DROP OWNED BY app_owner, app;
DROP ROLE app, app_owner, aiorch_app, aiorch_reader, aiorch_keeper, aiorch_owner;
\\c project helper
ALTER SCHEMA public OWNER TO postgres;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
CREATE SCHEMA extensions AUTHORIZATION postgres;
GRANT USAGE ON SCHEMA extensions TO PUBLIC;
CREATE EXTENSION vector SCHEMA extensions;
SET ROLE postgres;
ALTER DATABASE project SET search_path = "$user", public, extensions;
"""

# What the edge function has made there, as "postgres".
PROGRAM = """
SET search_path = public, extensions;
CREATE TABLE documents (id bigserial PRIMARY KEY, content text, metadata jsonb, embedding vector(384));
CREATE TABLE semantic_cache (id bigserial PRIMARY KEY, query_text text, query_embedding vector(384), response_text text, provider text, model text,
                             created_at timestamptz DEFAULT now());
CREATE TABLE ai_api_calls (id bigserial PRIMARY KEY, user_id uuid, provider text, input_tokens int, output_tokens int, latency_ms int,
                           estimated_cost double precision, status text, created_at timestamptz DEFAULT now());
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION find_cached_response(query_vec vector(384), similarity_threshold float) RETURNS TABLE (response_text text) LANGUAGE sql AS
  $$ SELECT response_text FROM semantic_cache WHERE 1 - (query_embedding <=> query_vec) >= similarity_threshold LIMIT 1 $$;
CREATE FUNCTION match_documents(query_embedding vector(384), match_threshold float, match_count int) RETURNS TABLE (content text) LANGUAGE sql AS
  $$ SELECT content FROM documents WHERE 1 - (embedding <=> query_embedding) >= match_threshold LIMIT match_count $$;
INSERT INTO documents (content, metadata) VALUES ('Parcels take three days.', '{"title": "Parcels"}'), ('The door is green.', '{}');
INSERT INTO semantic_cache (query_text, response_text) SELECT 'q' || i, 'a' || i FROM generate_series(1, 20) i;
INSERT INTO ai_api_calls (user_id, provider, input_tokens, output_tokens, latency_ms, estimated_cost, status)
  SELECT '00000000-0000-0000-0000-00000000000a', 'claude', i, i, 900, i * 0.00001, 'success' FROM generate_series(1, 1000) i;
"""


def as_postgrest(url, claims, sql, good=True):
    """A transaction as PostgREST makes one of a verified token."""
    role = json.loads(claims)["role"]
    return psql(url, "BEGIN; SET LOCAL ROLE %s; DO $$ BEGIN PERFORM set_config('request.jwt.claims', '%s', true); END $$; %s; COMMIT;" % (role, claims, sql), good)


def supabase_page(home, env):
    server, bouncer = (urllib.parse.urlsplit(os.environ[name]).netloc.split("@")[1] for name in ("AIORCH_TEST_POSTGRES_ADMIN", "AIORCH_TEST_POSTGRES_PGBOUNCER"))
    psql("postgresql://postgres@%s/postgres" % server, SUPABASE)
    session = "postgresql://postgres@localhost:%s/project?sslmode=verify-full&sslrootcert=%s" % (server.split(":")[1], os.environ["AIORCH_TEST_POSTGRES_CA"])
    psql(session, PROGRAM)
    env = {**env, "SESSION": session, "POOLED": "postgresql://app@%s/project" % bouncer}
    first, second = blocks(os.path.join(ROOT, "docs", "supabase.md"))
    lines = first.splitlines()
    said, exports = follow(lines, home, env, "rival")
    assert "2 in public.documents" in said[lines[5]] and "1000 in public.ai_api_calls: cost $5.005" in said[lines[5]], said[lines[5]]
    assert "2 documents taken over" in said[lines[6]] and "1000 calls copied of 1000" in said[lines[6]], said[lines[6]]
    assert "three days" in said[lines[8]], "acme does not find its own"
    assert "three days" not in said[lines[9]], "rival finds what is acme's"
    assert "1000" in sh(exports + second, home, env)
    # The roles of PostgREST, by their tokens, over a session of its login.
    rest = "postgresql://authenticator@%s/project" % server
    key = '{"role": "service_role", "iss": "supabase"}'
    count = "SELECT count(*) FROM public.ai_api_calls"
    assert as_postgrest(rest, key, count) == "1000", "the key of service_role stands for acme"
    as_postgrest(rest, key, "INSERT INTO public.ai_api_calls (user_id, provider, input_tokens, output_tokens, latency_ms, estimated_cost, status)"
                 " VALUES ('00000000-0000-0000-0000-00000000000a', 'claude', 1, 1, 1, 0.1, 'success')")
    assert as_postgrest(rest, key, count) == "1001"
    assert as_postgrest(rest, '{"role": "authenticated", "app_metadata": {"tenant_id": "rival"}}', count) == "0"
    for claims in ('{"role": "authenticated"}', '{"role": "authenticated", "user_metadata": {"tenant_id": "acme"}}'):
        assert "no tenant is set" in as_postgrest(rest, claims, count, good=False), claims
    assert "permission denied" in as_postgrest(rest, '{"role": "anon", "app_metadata": {"tenant_id": "acme"}}', count, good=False)
    assert "AIORCH_STORE" in exports and psql(session, "SELECT count(*) FROM documents_before_aiorch") == "2"


def main():
    cli = os.environ.get("AIORCH_CLI")
    if not cli:
        print("SKIP: no command line was built")
        return 77
    server = urllib.parse.urlsplit(os.environ["AIORCH_TEST_POSTGRES_ADMIN"]).netloc.split("@")[1]
    home = tempfile.mkdtemp(prefix="docs.")
    with open(os.path.join(home, "handbook.md"), "w", encoding="utf-8") as file:
        file.write("# Parcels\n\nParcels take three days. Large ones take five.\n")
    env = {**os.environ, "SERVER": server, "HOME": home, "PATH": os.path.dirname(cli) + ":" + os.environ["PATH"]}
    postgres_page(home, env)
    supabase_page(home, env)
    return 0


if __name__ == "__main__":
    sys.exit(main())
