"""aiorch import supabase: the tables of the program that libaiorch replaces, with thousands of rows, on a server of its own."""

import json
import os
import signal
import subprocess
import sys

import _cli
from _cli import case
from _tiny_model import make

if "AIORCH_TEST_POSTGRES_OWNER" not in os.environ:
    CLUSTER = os.path.join(_cli.ROOT, "tests", "postgres", "cluster.py")
    os.execv(sys.executable, [sys.executable, CLUSTER, "--", sys.executable] + sys.argv)

OWNER = os.environ["AIORCH_TEST_POSTGRES_OWNER"]
DOCUMENTS, CALLS, ANSWERS, DIMENSIONS = 2000, 5000, 1000, 32
WORDS = "server port settings door colour sales report archive desk change".split()


def psql(url, sql, good=True):
    done = subprocess.run(["psql", "-XAtqd", url, "-v", "ON_ERROR_STOP=1", "-f", "-"], input=sql, capture_output=True, text=True)
    assert not good or done.returncode == 0, done.stderr
    return done.stdout.strip() if good else done.stderr


def admin(sql):
    return psql(os.environ["AIORCH_TEST_POSTGRES_ADMIN"], sql)


def text_of(i):
    return f"The {WORDS[i % 10]} number {i} is about the {WORDS[i // 10 % 10]}."


def with_model(box):
    make(os.path.join(box.env["HOME"], ".cache", "aiorch", "models", "tiny"), 1)
    settings = {"embedder.local.model": "tiny", "cache.threshold": 0.9, "retrieve.threshold": 0.3}
    box.env["AIORCH_CONFIG"] = box.write("aiorch.json", json.dumps(settings))


def tables_of(box, schema, same_model):
    """What the edge function has, filled: as its owner, who is no superuser."""
    with_model(box)
    admin(f"GRANT aiorch_app TO owner; CREATE SCHEMA {schema} AUTHORIZATION owner; GRANT USAGE ON SCHEMA {schema} TO PUBLIC;"
          " DO $$ BEGIN CREATE ROLE service_role; EXCEPTION WHEN duplicate_object THEN NULL; END $$; GRANT service_role TO owner WITH ADMIN OPTION")
    texts = [text_of(i) for i in range(DOCUMENTS)]
    if same_model:
        lines = box.run("embed", "--purpose", "passage", "-", stdin="".join(json.dumps({"text": t}) + "\n" for t in texts), store=False).lines
        vectors = ["[" + ",".join("%.7f" % (3 * x) for x in line["embedding"]) + "]" for line in lines]
    else:
        vectors = ["[" + ",".join(str((i * 7 + k * 3) % 11 + 1) for k in range(DIMENSIONS)) + "]" for i in range(DOCUMENTS)]
    rows = "".join(f"{i + 1}\t{text}\t{json.dumps({'product': WORDS[i % 10], 'page': i})}\t{vectors[i]}\n" for i, text in enumerate(texts))
    psql(OWNER, f"""
        SET search_path = {schema}, extensions;
        CREATE TABLE documents (id bigint PRIMARY KEY, content text, metadata jsonb, embedding vector({DIMENSIONS}));
        CREATE TABLE semantic_cache (id bigserial PRIMARY KEY, query_text text, query_embedding vector({DIMENSIONS}), response_text text,
          provider text, model text, created_at timestamptz DEFAULT now());
        CREATE TABLE ai_api_calls (user_id text, provider text, input_tokens int, output_tokens int, latency_ms int,
          estimated_cost numeric(14, 9), status text, created_at timestamptz);
        CREATE FUNCTION find_cached_response(query_vec vector, similarity_threshold float) RETURNS TABLE (response_text text) LANGUAGE sql AS
          $$ SELECT response_text FROM semantic_cache WHERE 1 - (query_embedding <=> query_vec) >= similarity_threshold LIMIT 1 $$;
        CREATE FUNCTION match_documents(query_embedding vector, match_threshold float, match_count int) RETURNS TABLE (content text) LANGUAGE sql AS
          $$ SELECT content FROM documents WHERE 1 - (embedding <=> query_embedding) >= match_threshold LIMIT match_count $$;
        INSERT INTO semantic_cache (query_text, query_embedding, response_text, provider, model)
          SELECT 'q' || i, (SELECT array_agg(((i + k) % 5)::real + 1) FROM generate_series(1, {DIMENSIONS}) k)::vector, 'a' || i, 'claude', 'm' FROM generate_series(1, {ANSWERS}) i;
        -- Every tenth row is twice there, the same in everything.
        INSERT INTO ai_api_calls SELECT 'u' || i % 50, 'claude', i, 2 * i, 100 + i % 900, i * 0.000123457, 'success', '2026-01-01Z'::timestamptz + i / 10 * 10 * interval '1 minute'
          FROM (SELECT CASE WHEN i % 10 = 1 THEN i - 1 ELSE i END AS i FROM generate_series(1, {CALLS}) i) x;
        INSERT INTO documents VALUES ({DOCUMENTS + 1}, '', '{{}}', NULL), ({DOCUMENTS + 2}, NULL, NULL, NULL);
        COPY documents FROM STDIN;
{rows}\\.
""")


def take(box, schema, tenant, *args, **kwargs):
    return box.run("import", "supabase", "--store", OWNER, "--tenant", tenant, "--from-schema", schema, "--for-role", "service_role",
                   *args, store=False, **kwargs)


def number(sql):
    return int(admin(sql))


def nothing_is_lost(schema, tenant):
    assert number(f"SELECT count(*) FROM {schema}.documents_before_aiorch") == DOCUMENTS + 2
    assert number(f"SELECT count(*) FROM {schema}.semantic_cache_before_aiorch") == ANSWERS
    assert number(f"SELECT count(*) FROM {schema}.ai_api_calls_before_aiorch") == CALLS
    assert number(f"SELECT count(*) FROM aiorch.documents WHERE tenant_id = '{tenant}'") == DOCUMENTS
    assert number(f"SELECT count(*) FROM aiorch.ai_api_calls WHERE tenant_id = '{tenant}'") == CALLS
    assert admin(f"SELECT sum(cost_nano_usd) FROM aiorch.ai_api_calls WHERE tenant_id = '{tenant}'") == \
        admin(f"SELECT (sum(estimated_cost) * 1000000000)::bigint FROM {schema}.ai_api_calls_before_aiorch"), "money is exact"
    assert number(f"SELECT sum(input_tokens) FROM aiorch.ai_api_calls WHERE tenant_id = '{tenant}'") == \
        number(f"SELECT sum(input_tokens) FROM {schema}.ai_api_calls_before_aiorch")
    assert number(f"SELECT count(*) FROM aiorch.semantic_cache WHERE tenant_id = '{tenant}'") == 0


def the_program_goes_on(schema, tenant):
    """Its calls, word for word."""
    vector = admin(f"SELECT embedding FROM {schema}.documents_before_aiorch WHERE id = 8")
    before = f"SET ROLE service_role; SET aiorch.tenant = '{tenant}'; SET search_path = {schema}, extensions; "
    assert psql(OWNER, before + f"SELECT response_text FROM find_cached_response(query_vec := '{vector}', similarity_threshold := 0.95)") == "", \
        "answers of before are not given"
    found = psql(OWNER, before + f"SELECT content FROM match_documents(query_embedding := '{vector}', match_threshold := 0.7, match_count := 5)").splitlines()
    calls = "SELECT count(*) FROM ai_api_calls WHERE user_id = 'u7' AND created_at >= now() - interval '1 hour'"
    assert psql(OWNER, before + calls) == "0"
    psql(OWNER, before + "INSERT INTO ai_api_calls (user_id, provider, input_tokens, output_tokens, latency_ms, estimated_cost, status, created_at)"
         " VALUES ('u7', 'claude', 100, 50, 900, 0.00105, 'success', now())")
    assert psql(OWNER, before + calls) == "1"
    psql(OWNER, before + f"INSERT INTO semantic_cache (query_text, query_embedding, response_text, provider, model) VALUES ('q', '{vector}', 'new', 'claude', 'm')")
    assert psql(OWNER, before + f"SELECT response_text FROM find_cached_response(query_vec := '{vector}', similarity_threshold := 0.95)") == "new"
    assert "no tenant is set" in psql(OWNER, f"SET ROLE service_role; SELECT * FROM {schema}.ai_api_calls", good=False)
    return found


@case
def a_dry_run_says_what_would_happen(box):
    tables_of(box, "dry", True)
    said = take(box, "dry", "dry", "--dry-run").out
    assert f"documents  {DOCUMENTS + 2} in dry.documents: 0 imported already, {DOCUMENTS} with a vector" in said, said
    assert f"calls      {CALLS} in dry.ai_api_calls: cost $" in said and "0 of them without a cost, 0 with more than nine decimals" in said, said
    assert f"answers    {ANSWERS} in dry.semantic_cache: stay there and are not given again, since they say neither" in said, said
    assert "function   dry.find_cached_response" in said and "function   dry.match_documents" in said, said
    assert number("SELECT count(*) FROM pg_class WHERE relname LIKE '%_before_aiorch'") == 0
    assert number("SELECT count(*) FROM aiorch.ai_api_calls WHERE tenant_id = 'dry'") == 0


@case
def all_of_it_with_the_vectors_that_are_there(box):
    tables_of(box, "one", True)
    done = take(box, "one", "one", "--json").json
    assert done["documents_found"] == DOCUMENTS + 2 and done["documents_imported"] == DOCUMENTS and done["documents_skipped"] == 2, done
    assert done["same_model"] and done["vectors"] == DOCUMENTS and done["embedded"] == 0 and done["to_embed"] == 0, done
    assert done["calls_imported"] == CALLS and done["answers_imported"] == 0 and done["answers_found"] == ANSWERS, done
    nothing_is_lost("one", "one")
    found = the_program_goes_on("one", "one")
    assert text_of(7) in found, found
    hits = box.run("search", "--json", "--store", OWNER, "--tenant", "one", "--filter", "page=7", text_of(7), store=False).json["results"]
    assert hits and hits[0]["similarity"] > 0.9, hits
    again = take(box, "one", "one", "--json").json
    assert again["taken_before"] and again["documents_imported"] == 0 and again["calls_imported"] == 0, again
    assert number("SELECT count(*) FROM aiorch.ai_api_calls WHERE tenant_id = 'one'") == CALLS + 1


def kill_again_and_again(box, name):
    """How often it was killed before it had ended."""
    tables_of(box, name, True)
    command = [_cli.CLI, "import", "supabase", "--store", OWNER, "--tenant", name, "--from-schema", name, "--json"]
    kills = 0
    for pause in (0.05, 0.2, 0.5, 0.8, 1.2):
        one = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=box.env)
        try:
            one.communicate(timeout=pause)
        except subprocess.TimeoutExpired:
            one.send_signal(signal.SIGKILL)
            one.communicate()
            kills += 1
    return kills


@case
def killed_and_run_again_as_often_as_it_takes(box):
    for attempt in range(10):  # this program may stand still for so long that the first is done
        name = f"killed{attempt}"
        if kill_again_and_again(box, name) > 0:
            break
    else:
        raise AssertionError("none was killed")
    done = take(box, name, name, "--json").json
    assert done["to_embed"] == 0, done
    nothing_is_lost(name, name)
    assert number(f"SELECT count(*) FROM aiorch.chunk_vectors WHERE tenant_id = '{name}'") == DOCUMENTS
    the_program_goes_on(name, name)


@case
def vectors_of_another_model_are_made_anew(box):
    tables_of(box, "other", False)
    done = take(box, "other", "other", "--no-embed", "--json").json
    assert done["same_model"] is False and done["vectors"] == 0, done
    nothing_is_lost("other", "other")
    assert number("SELECT count(*) FROM aiorch.chunk_vectors WHERE tenant_id = 'other'") == 0
    later = box.run("reembed", "--json", "--store", OWNER, "--tenant", "other", store=False).json
    assert later["embedded"] == DOCUMENTS and later["to_embed"] == 0, later


@case
def what_is_written_meanwhile_is_there_once(box):
    """Four writers go on while the table under them is renamed: each row is copied, or goes to the stand-in."""
    admin("GRANT aiorch_app TO owner; CREATE SCHEMA live AUTHORIZATION owner; GRANT USAGE ON SCHEMA live TO PUBLIC")
    psql(OWNER, "CREATE TABLE live.ai_api_calls (user_id text, provider text, input_tokens int, output_tokens int, latency_ms int,"
         " estimated_cost numeric(14, 9), status text, created_at timestamptz);"
         f"INSERT INTO live.ai_api_calls SELECT 'u', 'claude', i, i, 1, 0.000000001, 'success', now() FROM generate_series(1, {CALLS}) i")
    insert = box.write("insert.sql", "INSERT INTO live.ai_api_calls (user_id, provider, input_tokens, output_tokens, latency_ms, estimated_cost,"
                       " status, created_at) VALUES ('w', 'claude', 1, 1, 1, 0.000000002, 'success', now());\n")
    writers = subprocess.Popen(["pgbench", "-n", "-c", "4", "-t", "300", "-f", insert, OWNER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "PGOPTIONS": "-c aiorch.tenant=live"})
    has_ended = False
    while number("SELECT count(*) FROM live.ai_api_calls WHERE user_id = 'w'") < 50:
        assert not has_ended, writers.communicate()
        has_ended = writers.poll() is not None  # their last rows may have come since
    done = box.run("import", "supabase", "--store", OWNER, "--tenant", "live", "--from-schema", "live", "--no-embed", "--json", store=False).json
    out, err = writers.communicate(timeout=100)
    assert writers.returncode == 0 and "1200/1200" in out, out + err
    before = number("SELECT count(*) FROM live.ai_api_calls_before_aiorch")
    assert CALLS + 50 <= before and done["calls_imported"] == before, (before, done)
    assert number("SELECT count(*) FROM aiorch.ai_api_calls WHERE tenant_id = 'live'") == CALLS + 1200
    assert number("SELECT sum(cost_nano_usd) FROM aiorch.ai_api_calls WHERE tenant_id = 'live'") == CALLS + 2 * 1200


@case
def what_is_in_the_way_is_named(box):
    with_model(box)
    admin("CREATE SCHEMA odd AUTHORIZATION owner; CREATE TABLE odd.documents (id int, content text)")
    said = take(box, "odd", "odd", code=6).err
    assert "odd.documents belongs to postgres: only its owner may rename it" in said, said
    admin("CREATE SCHEMA bare AUTHORIZATION owner")
    assert "there are no tables documents, semantic_cache or ai_api_calls in the schema bare" in take(box, "bare", "odd", code=9).err
    assert 'there is no schema "nowhere"' in take(box, "nowhere", "odd", code=6).err
    assert "is no PostgreSQL" in box.run("import", "supabase", "--store", "memory", store=False, code=7).err
    assert "the second word is one of: supabase" in box.run("import", "oracle", code=2).err


_cli.main()
