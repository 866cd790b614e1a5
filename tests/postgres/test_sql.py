"""What the SQL of the PostgreSQL store promises, tried on a real server. Run inside tests/postgres/cluster.py:

    python3 tests/postgres/cluster.py -- python3 tests/postgres/test_sql.py [-v] [NAME...]

The suites of pgTAP (tenants.sql, lint.sql, limiter.sql) must pass, and tenants.sql must fail once any one policy is dropped, opened or
not forced: a suite that cannot fail proves nothing. COPY, which pgTAP cannot see, and racing callers come on top.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SQL = os.path.join(os.path.dirname(os.path.dirname(HERE)), "sql", "postgres")
ENV = {name[len("AIORCH_TEST_POSTGRES"):].lstrip("_") or "APP": value
       for name, value in os.environ.items() if name.startswith("AIORCH_TEST_POSTGRES")}
SCHEMA = ENV["SCHEMA"]
failures = []


def check(good, what, more=""):
    print(("ok   " if good else "FAIL ") + what + ("" if good or not more else "\n" + more))
    if not good:
        failures.append(what)


def psql(url, *statements, text=None):
    command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "schema=" + SCHEMA, "-d", url]
    for one in statements:
        command += ["-c", one]
    return subprocess.run(command + (["-f", "-"] if text is not None else []), input=text, text=True, capture_output=True, cwd=HERE)


def script(name, before="", brief=False):
    """A suite in one transaction that is rolled back: (passed, what failed)."""
    done = psql(ENV["ADMIN"], text="\\set brief %s\nBEGIN;\n%s\n\\i %s\nROLLBACK;\n" % (brief, before, name))
    lines = done.stdout.splitlines()
    plan = [line for line in lines if line.startswith("1..")]
    bad = [line for line in lines if line.startswith("not ok") or line.startswith("#")]
    whole = done.returncode == 0 and len(plan) == 1 and \
        sum(line.startswith(("ok ", "not ok ")) for line in lines) == int(plan[0][3:])
    if not whole:
        bad.append("it did not come to its end: " + done.stderr[-2000:])
    return not bad, "\n".join(bad[:40])


def suite(name):
    good, bad = script(name)
    check(good, name, bad)


def in_schema(query):
    return [line for line in psql(ENV["ADMIN"], query.replace("SCHEMA", SCHEMA)).stdout.splitlines() if line]


def mutations():
    """(what, SQL): each takes away one thing that keeps tenants apart."""
    for one in in_schema("SELECT format('%I.%I %I', schemaname, tablename, policyname) FROM pg_policies WHERE schemaname = 'SCHEMA' ORDER BY 1"):
        table, policy = one.rsplit(" ", 1)
        if one.endswith("chunks keeper"):
            continue  # without it a search finds the same, and looks through all the rows to do so: see plans()
        yield "policy %s dropped" % one, "DROP POLICY %s ON %s" % (policy, table)
        if policy == "tenant":
            yield "policy %s open for reading" % one, "ALTER POLICY tenant ON %s USING (true)" % table
            yield "policy %s open for writing" % one, "ALTER POLICY tenant ON %s WITH CHECK (true)" % table
            yield "%s without row-level security" % table, "ALTER TABLE %s DISABLE ROW LEVEL SECURITY" % table
            yield "%s not forced" % table, "ALTER TABLE %s NO FORCE ROW LEVEL SECURITY" % table
    yield "everybody is the keeper", "GRANT aiorch_keeper TO aiorch_app; ALTER ROLE aiorch_app INHERIT"
    yield "a table open to the public", "GRANT SELECT ON %s.documents TO PUBLIC" % SCHEMA
    yield "texts for the reader", "GRANT SELECT ON %s.chunks TO aiorch_reader" % SCHEMA
    yield "settings for the application", "GRANT UPDATE ON %s.settings TO aiorch_app" % SCHEMA
    yield "the application bypasses", "ALTER ROLE aiorch_app BYPASSRLS"
    yield "a search over all tenants", """DO $$ BEGIN EXECUTE replace(pg_get_functiondef('%s.ranked_chunks'::regproc),
        'c.tenant_id || '''' = tenant AND', ''); END $$""" % SCHEMA
    yield "a setting that beats the token", """DO $$ BEGIN EXECUTE replace(pg_get_functiondef('%s.current_tenant'::regproc),
        'RETURN NULL', 'RETURN named'); END $$""" % SCHEMA
    yield "no tenant is the empty tenant", """DO $$ BEGIN EXECUTE replace(pg_get_functiondef('%s.require_tenant'::regproc),
        'IF tenant IS NULL THEN', 'IF false THEN'); END $$""" % SCHEMA


def tenants():
    suite("tenants.sql")
    check(script("tenants.sql", brief=True)[0], "tenants.sql, in brief")
    changes = list(mutations())
    results = [script("tenants.sql", before=sql + ";", brief=True) for _, sql in changes]
    unnoticed = [what for (what, _), (good, bad) in zip(changes, results) if good]
    check(not unnoticed, "tenants.sql turns red for each of %d changes" % len(changes), "\n".join(unnoticed))
    if "-v" in sys.argv:
        for (what, _), (_, bad) in zip(changes, results):
            print("== %s\n%s" % (what, "\n".join(bad.splitlines()[:4])))


def copies():
    """COPY of every table, out and in, in every situation."""
    tables = in_schema("SELECT tab FROM trial.rows ORDER BY tab")
    bad = []
    for setting, seen in (("", None), ("acme", "acme"), ("rival", "rival"), ("' OR true", None)):
        for table in tables:
            before = ["BEGIN", "SET LOCAL ROLE aiorch_app"]
            if setting:
                before.append("SELECT set_config('aiorch.tenant', $x$%s$x$, true)" % setting)
            for what in ("%s.%s (tenant_id)" % (SCHEMA, table), "(SELECT tenant_id FROM %s.%s)" % (SCHEMA, table)):
                done = psql(ENV["BYPASS"], *before, "COPY %s TO STDOUT" % what)
                rows = done.stdout.splitlines()[1 if setting else 0:]
                wanted = {seen} if seen else set()
                if done.returncode != 0 or set(rows) != wanted:
                    bad.append("COPY %s TO as %r: %s %s" % (what, setting, rows, done.stderr))
            done = psql(ENV["BYPASS"], *before, "COPY %s.%s FROM STDIN" % (SCHEMA, table))
            if done.returncode == 0:
                bad.append("COPY %s FROM as %r went through" % (table, setting))
    check(not bad, "COPY of %d tables, out and in" % len(tables), "\n".join(bad))


def temporary(name, text):
    """A file for pgbench."""
    path = os.path.join(os.environ.get("TMPDIR", "/tmp"), "%s-%d.sql" % (name, os.getpid()))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def race_of(key, url, call, wanted, what):
    """64 callers in 4 processes, each 10 times, for one key: how many were admitted, of how many."""
    path = temporary("race", "BEGIN;\nSELECT set_config('role', 'aiorch_app', true), set_config('aiorch.tenant', 'race', true);\n"
                             "INSERT INTO trial.admitted SELECT '%s', a.admitted FROM %s.%s a;\nCOMMIT;\n" % (key, SCHEMA, call))
    racers = [subprocess.Popen(["pgbench", "-n", "-c", "16", "-j", "2", "-t", "10", "-f", path, url], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [racer.communicate()[1] for racer in racers]
    os.unlink(path)
    answers = psql(ENV["ADMIN"], "SELECT count(*) FILTER (WHERE admitted), count(*) FROM trial.admitted WHERE key = '%s'" % key)
    check(all(racer.returncode == 0 for racer in racers) and answers.stdout.strip() == "%d|%d" % wanted,
          "%s (%s)" % (what, "PgBouncer" if url == ENV.get("PGBOUNCER") else "direct"), answers.stdout + answers.stderr + "".join(said)[-1000:])


def race(url, form, limit):
    key = "race %s %s" % (form, url)
    constraints = "array['%s'], '{3600000}', '{%d}', '{1}'" % (key, limit)
    call = "admit_call(gen_random_uuid(), '{0}', %s)" % constraints if form == "log" else \
        "admit_call_by_rate(gen_random_uuid(), %s)" % constraints
    race_of(key, url, call, (limit, 640), "of 640 racing calls exactly %d are admitted, %s" % (limit, form))


def race_together(url, form, limit):
    """The same with three calls at a time, one of them for another key too."""
    key, other = "together %s %s" % (form, url), "other %s %s" % (form, url)
    runs = "array[gen_random_uuid(), gen_random_uuid(), gen_random_uuid()], '{1,2,4}'"
    constraints = "array['%s', '%s', '%s', '%s'], '{3600000,3600000,3600000,3600000}', '{%d,%d,1000000,%d}', '{1,1,1,1}'" % (
        key, key, other, key, limit, limit, limit)
    call = "admit_calls(%s, '{0,0,0,0}', %s)" % (runs, constraints) if form == "log" else "admit_calls_by_rate(%s, %s)" % (runs, constraints)
    race_of(key, url, call, (limit, 1920), "of 1920 calls, three at a time, exactly %d are admitted, %s" % (limit, form))
    if form == "log":
        rows = psql(ENV["ADMIN"], "SELECT count(*) FROM %s.admissions WHERE key = '%s'" % (SCHEMA, key)).stdout.strip()
        check(rows == str(limit), "and as many stand in the log", rows)


def race_with_kills(limit):
    """The same while backends and a process of callers are killed: what is admitted stands in the log, and the limit is never passed."""
    path = temporary("kills", "BEGIN;\nSELECT set_config('role', 'aiorch_app', true), set_config('aiorch.tenant', 'killed', true);\n"
                     "SELECT admitted FROM %s.admit_call(gen_random_uuid(), '{0}', '{key}', '{3600000}', '{%d}', '{1}');\nCOMMIT;\n" % (SCHEMA, limit))
    command = ["pgbench", "-n", "-c", "16", "-j", "2", "-t", "40", "-f", path, ENV["APP"]]
    racers = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(4)]
    kill = "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE usename = 'app' ORDER BY random() LIMIT 3) k"
    killed = 0
    for round_ in range(8):
        killed += int(psql(ENV["ADMIN"], kill).stdout.strip() or 0)
        if round_ == 4:
            racers[0].kill()
    for racer in racers:
        racer.wait()
    count = "SELECT count(*) FROM SCHEMA.admissions WHERE tenant_id = 'killed'"
    during = int(in_schema(count)[0])
    check(killed > 0 and during <= limit, "with %d backends and a process killed, %d of %d are admitted" % (killed, during, limit))
    more = [str(limit // 16 + 1) if word == "40" else word for word in command]
    subprocess.run(more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    check(int(in_schema(count)[0]) == limit, "and afterwards the rest, to the last")
    os.unlink(path)


def limiter():
    suite("limiter.sql")
    race_with_kills(2400)
    psql(ENV["ADMIN"], "CREATE TABLE IF NOT EXISTS trial.admitted (key text, admitted boolean); GRANT SELECT, INSERT ON trial.admitted TO PUBLIC")
    for url in [ENV["APP"]] + ([ENV["PGBOUNCER"]] if "PGBOUNCER" in ENV else []):
        race(url, "log", 100)
        race(url, "rate", 100)
        race_together(url, "log", 200)
        race_together(url, "rate", 200)


def by_file(schema, name, *options):
    return subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "schema=" + schema, "-d", ENV["OWNER"], *options, "-f",
                           os.path.join(SQL, name)], capture_output=True, text=True)


def migration_files():
    return sorted(name for name in os.listdir(SQL) if name[:4].isdigit())


def migrations():
    """A second time nothing happens; out of order and twice by hand nothing happens either, and it says why."""
    again = by_file(SCHEMA, "all.psql")
    check(again.returncode == 0 and again.stderr == "", "all.psql a second time", again.stderr)
    files = migration_files()
    for name in files:
        twice = by_file(SCHEMA, name, "-1")
        check(twice.returncode != 0 and ("already exists" in twice.stderr or "applied before" in twice.stderr), name + " a second time is refused",
              twice.stderr)
    applied = in_schema("SELECT version || ' ' || name FROM SCHEMA.schema_version ORDER BY version")
    check(applied == ["%d %s" % (int(name[:4]), name[5:-4].replace("_", " ")) for name in files], "schema_version names each file", "\n".join(applied))


def apply(schema, names):
    """Migrations by psql, one file a transaction: what went wrong."""
    for name in names:
        done = by_file(schema, name, "-1")
        if done.returncode != 0:
            return "%s: %s" % (name, done.stderr)
    return ""


def upgrades():
    """From each earlier version, with a row in each table that it has: the rows are the same afterwards, and the schema is complete."""
    files = migration_files()
    order = ("documents", "document_metadata", "chunks", "chunk_vectors", "semantic_cache", "cache_sources", "entry_vectors", "admissions",
             "admission_rates", "ai_api_calls", "ai_attempts", "run_totals", "stand_in_answers")
    shape = """SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = '%s' UNION ALL
               SELECT 'function', p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', md5(p.prosrc)
               FROM pg_proc p WHERE pronamespace = '%s'::regnamespace ORDER BY 1, 2, 3"""
    wanted = None
    for stop in range(len(files), 0, -1):
        schema = "upgrade_%d" % stop
        bad = apply(schema, files[:stop])
        tables = psql(ENV["ADMIN"], "SELECT tablename FROM pg_tables WHERE schemaname = '%s'" % schema).stdout.split()
        fill = ["SET search_path = pg_catalog, %s, extensions" % schema]
        if "embedding_models" in tables:
            fill.append("INSERT INTO embedding_models (no, fingerprint, dimensions) VALUES (1, 'old', 3)")
        for table in order:
            if table in tables:
                statement = in_schema("SELECT encode(convert_to(statement, 'UTF8'), 'hex') FROM trial.rows WHERE tab = '%s'" % table)[0]
                fill.append(bytes.fromhex(statement).decode().replace("%1$L", "'00000000-0000-7000-8000-000000000001'"))
        filled = psql(ENV["ADMIN"], *fill)
        bad = bad or (filled.stderr if filled.returncode else "")
        rows = "; ".join("SELECT '%s', md5(string_agg(t::text, '|' ORDER BY t::text)) FROM %s.%s t" % (table, schema, table)
                         for table in sorted(tables) if table != "schema_version")
        before = psql(ENV["ADMIN"], rows).stdout
        bad = bad or apply(schema, files[stop:])
        after = psql(ENV["ADMIN"], rows).stdout
        now = psql(ENV["ADMIN"], shape % (schema, schema)).stdout.replace(schema, "SCHEMA")
        wanted = wanted or now
        check(not bad and before == after and before.count("|") >= 1 and now == wanted, "from version %d with rows in %d tables" % (stop, len(tables)),
              "%s\n%s\n%s" % (bad, before, after))


def stand_in():
    """The calls of the stack that the objects stand in for, word for word, on a login whose tenant is its own setting."""
    url = ENV["ADMIN"].replace("postgres@", "edge@")
    vector = "[%s]" % ",".join(["1"] + ["0"] * 383)
    other = "[%s]" % ",".join(["0.96", "0.28"] + ["0"] * 382)
    psql(ENV["ADMIN"], "CREATE ROLE service_role BYPASSRLS", "CREATE ROLE edge LOGIN IN ROLE service_role", "GRANT CREATE ON SCHEMA public TO owner")
    made = psql(ENV["OWNER"], "SELECT %s.stand_in(for_roles => '{service_role}')" % SCHEMA)
    check(made.returncode == 0, "stand_in() makes its objects", made.stderr)
    again = psql(ENV["OWNER"], "SELECT %s.stand_in()" % SCHEMA)
    check("has these already" in again.stderr, "and not a second time", again.stderr)
    calls = {
        "find_cached_response": "SELECT response_text FROM find_cached_response(query_vec := '%s', similarity_threshold := 0.95)",
        "match_documents": "SELECT content FROM match_documents(query_embedding := '%s', match_threshold := 0.7, match_count := 5)",
        "count": "SELECT count(*) FROM ai_api_calls WHERE user_id = 'u1' AND created_at >= now() - interval '1 hour' -- %s",
        "log": "INSERT INTO ai_api_calls (user_id, provider, input_tokens, output_tokens, latency_ms, estimated_cost, status, created_at)"
               " VALUES ('u1', 'anthropic', 120, 80, 950, 0.00156, 'success', now()) -- %s",
        "store": "INSERT INTO semantic_cache (query_text, query_embedding, response_text, provider, model)"
                 " VALUES ('q', '%s', 'the answer', 'anthropic', 'claude')",
    }
    calls = {name: call % vector for name, call in calls.items()}
    for name, call in calls.items():
        done = psql(url, "SET search_path = public, extensions", "SET aiorch.tenant = ''", call)
        check(done.returncode != 0 and "no tenant is set" in done.stderr, "%s raises without a tenant, also from a login with BYPASSRLS" % name,
              done.stdout + done.stderr)
    psql(ENV["ADMIN"], "ALTER ROLE edge SET aiorch.tenant = 'acme'", "ALTER ROLE edge SET search_path = public, extensions")
    ask = lambda call, *before: psql(url, *(before + (call,)))
    check(ask(calls["find_cached_response"]).stdout == "", "nothing is cached yet")
    for name in ("log", "store"):
        done = ask(calls[name])
        check(done.returncode == 0, name + " is taken", done.stderr)
    check(ask(calls["count"]).stdout.strip() == "1", "the call counts")
    check(ask(calls["find_cached_response"]).stdout.strip() == "the answer", "the answer is found")
    check(ask(calls["find_cached_response"].replace(vector, other)).stdout.strip() == "the answer", "a near question finds it at 0.96")
    check(ask(calls["find_cached_response"].replace(vector, other).replace("0.95", "0.97")).stdout.strip() == "", "and not above its similarity")
    check(ask(calls["find_cached_response"], "SET aiorch.tenant = 'rival'").stdout == "", "another tenant does not")
    check(ask(calls["count"], "SET aiorch.tenant = 'rival'").stdout.strip() == "0", "nor does the call count there")
    token = "SET request.jwt.claims = '{\"app_metadata\":{\"tenant_id\":\"rival\"}}'"
    check(ask("SELECT count(*) FROM ai_api_calls", token).returncode != 0, "a token of another tenant than the login's is refused")
    stored = in_schema("SELECT cost_nano_usd, duration_us, status, input_tokens, output_tokens, estimated FROM SCHEMA.ai_api_calls"
                       " WHERE tenant_id = 'acme' AND user_id = 'u1'")
    check(stored == ["1560000|950000|0|120|80|t"], "the row is the library's", str(stored))
    check(in_schema("SELECT count(*) FROM SCHEMA.semantic_cache WHERE answer = 'the answer'") == ["0"], "the library's cache never has the answer")
    psql(ENV["ADMIN"], "UPDATE %s.stand_in_answers SET expires_ms = 1 WHERE tenant_id = 'acme'" % SCHEMA)
    check(ask(calls["find_cached_response"]).stdout == "", "it expires")
    # A document with a vector, as the library puts it.
    done = psql(ENV["BYPASS"], "BEGIN", "SET LOCAL ROLE aiorch_app", "SET LOCAL aiorch.tenant = 'acme'", "SET LOCAL search_path = %s, extensions" % SCHEMA,
                """INSERT INTO documents (tenant_id, id, source, title, format, hash, version, updated_ms, bytes, chunk_count, text)
                   VALUES ('acme', '10000000-0000-7000-8000-000000000001', 'stand-in', 't', 0, '', 1, 1, 1, 1, 'x')""",
                """INSERT INTO chunks (tenant_id, id, document_id, ordinal, tokens, start, stop, heading, anchor, hash, word_count, words, text)
                   VALUES ('acme', '10000000-0000-7000-8000-000000000002', '10000000-0000-7000-8000-000000000001', 0, 1, 0, 1, '', '', '', 1, '', 'what it says')""",
                "INSERT INTO chunk_vectors SELECT 'acme', embedding_model('stand-in', 384), '10000000-0000-7000-8000-000000000002', '%s'" % vector, "COMMIT")
    check(done.returncode == 0, "a document for it", done.stderr)
    check(ask(calls["match_documents"]).stdout.strip() == "what it says", "match_documents finds it", ask(calls["match_documents"]).stderr)
    check(ask(calls["match_documents"], "SET aiorch.tenant = 'rival'").stdout == "", "another tenant does not")


def take_over():
    """The tables of such a program, as its authors made them."""
    made = psql(ENV["OWNER"], text="""
      CREATE SCHEMA old_app; SET search_path = old_app, extensions;
      CREATE TABLE semantic_cache (id bigserial PRIMARY KEY, query_text text, query_embedding vector(3), response_text text, provider text, model text,
                                   created_at timestamptz DEFAULT now());
      CREATE TABLE documents (id bigserial PRIMARY KEY, content text, embedding vector(3));
      CREATE TABLE ai_api_calls (id bigserial PRIMARY KEY, user_id uuid, provider text, input_tokens int, output_tokens int, latency_ms int,
                                 estimated_cost float8, status text, created_at timestamptz);
      CREATE FUNCTION find_cached_response(query_vec vector(3), similarity_threshold float) RETURNS TABLE (response_text text) LANGUAGE sql AS $$ SELECT 'old' $$;
      CREATE FUNCTION match_documents(query_embedding vector(3), match_threshold float, match_count int) RETURNS TABLE (content text) LANGUAGE sql AS $$ SELECT 'old' $$;
      INSERT INTO semantic_cache (query_text, query_embedding, response_text, provider) VALUES ('q', '[1,0,0]', 'kept', 'p'), ('r', NULL, 'none', 'p');
      INSERT INTO documents (content, embedding) VALUES ('one', '[1,0,0]'), ('two', '[0,1,0]');
      INSERT INTO ai_api_calls (user_id, provider, input_tokens, output_tokens, latency_ms, estimated_cost, status, created_at) VALUES
        ('00000000-0000-0000-0000-00000000000a', 'claude', 10, 20, 30, 0.00033, 'success', '2026-01-02T03:04:05Z'),
        ('00000000-0000-0000-0000-00000000000a', 'none', 10, 0, NULL, NULL, 'error', '2026-01-02T03:04:06Z');""")
    check(made.returncode == 0, "the tables of a program", made.stderr)
    taken = psql(ENV["OWNER"], "SELECT calls, cardinality(renamed) FROM %s.import_take('moved', 'old_app')" % SCHEMA)
    check(taken.stdout.strip() == "2|5", "import_take() copies two calls and renames three tables and two functions", taken.stdout + taken.stderr)
    taken = psql(ENV["OWNER"], "SELECT calls, cardinality(renamed) FROM %s.import_take('moved', 'old_app')" % SCHEMA)
    check(taken.stdout.strip() == "0|0", "and finds nothing to do a second time", taken.stdout + taken.stderr)
    check(in_schema("SELECT user_id, provider, status, input_tokens, output_tokens, cost_nano_usd, created_ms, duration_us FROM SCHEMA.ai_api_calls"
                    " WHERE tenant_id = 'moved' ORDER BY created_ms") ==
          ["00000000-0000-0000-0000-00000000000a|claude|0|10|20|330000|1767323045000|30000",
           "00000000-0000-0000-0000-00000000000a|none|-500|10|0||1767323046000|0"], "the calls are the library's")
    found = psql(ENV["APP"], "BEGIN", "SET LOCAL aiorch.tenant = 'moved'", 
                 "SELECT response_text FROM old_app.find_cached_response('[1,0,0]', 0.95)")
    check("permission denied for schema old_app" in found.stderr, "a schema that is closed stays closed", found.stderr)
    psql(ENV["OWNER"], "GRANT USAGE ON SCHEMA old_app TO aiorch_app")
    found = psql(ENV["APP"], "BEGIN", "SET LOCAL aiorch.tenant = 'moved'", "SELECT response_text FROM old_app.find_cached_response('[1,0,0]', 0.95)")
    check(found.returncode == 0 and found.stdout.strip() == "", "an answer of before is not given again", found.stdout + found.stderr)
    left = in_schema("SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'old_app'::regnamespace AND relkind = 'r'")
    check(left == ["ai_api_calls_before_aiorch documents_before_aiorch semantic_cache_before_aiorch"], "what was there is there under another name", str(left))


# What is called, and the indexes that its statements have to use (a|b: either serves as well). {7}: an id of tenant t7; {V}: a vector.
HOT = (
    ("take_answer('s3', 'k3', NULL, 1)", ["semantic_cache_by_key", "semantic_cache_pkey"]),
    ("take_answer('s3', NULL, '{7}', 1)", ["semantic_cache_pkey"]),
    ("near_answers('plans', 's7', '{V}', 0.5, 5, 1)",
     ["entry_vectors_of_scope", "semantic_cache_pkey"]),
    ("""keep_answer('00000007-0000-7000-8000-ffffffffffff', 'new', 'new', 1, 9000000000000, 100, 0, 1, false, '', 'p', 'm', 'q', '[]', 'a', '{"{7}"}',
        '{1}', 'plans', 16, '{V}', 1000, 1000000, false, 1)""",
     ["semantic_cache_pkey", "semantic_cache_by_key", "semantic_cache_by_use", "semantic_cache_by_expiry", "documents_pkey"]),
    ("drop_answers('source 7', NULL)", ["documents_by_source", "cache_sources_pkey"]),
    ("search_chunks('{t7:w7,t7:v1}', '{NULL,NULL}', '{NULL,NULL}', '{1,1}', NULL, NULL, NULL, NULL, 10)", ["chunks_by_words"]),
    ("found_chunks('{t7:w7,t7:v1}', '{NULL,NULL}', '{NULL,NULL}', '{1,1}', NULL, NULL, NULL, NULL, 10, 10)", ["chunks_pkey"]),
    ("found_chunks('{t7:w7,t7:v1}', '{NULL,NULL}', '{NULL,NULL}', '{1,1}', NULL, NULL, NULL, NULL, 10, 10)", ["documents_pkey"]),
    ("""log_call('00000007-0000-7000-8000-fffffffffffe', '{u,p,m}', 0, 1, '{0,0,0,0,0,0}', false, 1, 1, 1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
        '{}', '{}')""", ["admissions_pkey"]),
    ("documents_that_fit('{name 3}', '{0}', '{21}', '{NULL}')", ["document_metadata_by_value"]),
    ("nearest_chunks('plans', '{V}', 0, 10, '{}', NULL, NULL, NULL, NULL)", ["chunk_vectors_pkey|chunk_vectors_of_chunk"]),
    ("nearest_chunks('plans', '{V}', 0, 10, '{}', NULL, NULL, NULL, NULL)", ["chunk_vectors_near_N"]),
    ("found_both('{t7:w7,t7:v1}', '{NULL,NULL}', '{NULL,NULL}', '{1,1}', 10, 'plans', '{V}', 0, 10, NULL, NULL, NULL, NULL, 10)", ["chunk_vectors_pkey|chunk_vectors_of_chunk"]),
    ("""enter_calls('{{7}}', '{1}', '{0}', '{key 7}', '{5000}', '{100}', '{1}', false, '{s3}', '{k3}', '{1}', 2000)""", ["semantic_cache_by_key"]),
    ("remove_document('source 9')", ["documents_by_source", "chunks_of_document", "documents_pkey"]),
    ("admit_call('{7}', '{0}', '{key 7}', '{5000}', '{100}', '{1}', 2000)", ["admissions_in_window"]),
    ("admit_call_by_rate('{7}', '{key 7}', '{5000}', '{100}', '{1}', 2000)", ["admission_rates_pkey"]),
    ("admit_calls('{{7}}', '{1}', '{0}', '{key 7}', '{5000}', '{100}', '{1}', 2000)", ["admissions_in_window"]),
    ("admit_calls('{{7}}', '{1}', '{0}', '{key 7}', '{5000}', '{100}', '{1}', 2000)", ["admissions_pkey"]),
    ("admit_calls_by_rate('{{7}}', '{1}', '{key 7}', '{5000}', '{100}', '{1}', 2000)", ["admission_rates_pkey"]),
    ("expire_attempts()", ["ai_attempts_pending"]),
    ("prune(most => 10)", ["admissions_by_expiry", "semantic_cache_by_expiry"]),
    ("ai_attempts WHERE tenant_id = 't7' AND run_id = '{7}'", ["ai_attempts_pkey"]),
    ("ai_api_calls WHERE tenant_id = 't7' AND created_ms >= 990000 AND created_ms < 995000", ["ai_api_calls_by_time"]),
    ("(SELECT source FROM documents WHERE tenant_id = 't7' AND source > 'source 5' ORDER BY source LIMIT 5) d", ["documents_by_source"]),
)
LARGE = "documents|document_metadata|chunks|chunk_vectors|semantic_cache|cache_sources|entry_vectors|admissions|ai_api_calls|ai_attempts"


def plans():
    """Each hot statement uses its index, with 100,000 rows in 100 tenants; those in functions, too."""
    made = psql(ENV["ADMIN"], text="\\i plans_setup.sql\n")
    check(made.returncode == 0, "100 tenants with 1,000 rows a table", made.stderr)
    for what, indexes in HOT:
        # Seven times: a plan that a session keeps comes after the fifth.
        call = "SELECT count(*) FROM " + what.replace("{7}", "00000007-0000-7000-8000-000000000007").replace("{V}", "{%s}" % ",".join(["0.25"] * 16))
        if "_near_N" in indexes[0]:
            call = "SET LOCAL aiorch.exact_up_to = 0; " + call
        done = psql(ENV["ADMIN"], text="LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;"
                    " SET jit = off; BEGIN; SET LOCAL ROLE aiorch_app; SET LOCAL aiorch.tenant = 't7'; SET LOCAL search_path = pg_catalog, %s, extensions;"
                    " %s SET LOCAL client_min_messages = log; %s; ROLLBACK;\n" % (SCHEMA, "".join(
                        "SAVEPOINT s; %s; ROLLBACK TO s; " % call for _ in range(6)), call))
        plan = done.stderr
        used = {re.sub(r"_near_\d+$", "_near_N", one) for one in re.findall(r"(?:using|Bitmap Index Scan on) (\w+)", plan)}
        scans = re.findall(r"Seq Scan on (?:%s)\b.*" % LARGE, plan)
        missing = [one for one in indexes if not used & set(one.split("|"))]
        check(done.returncode == 0 and not missing and not scans, "plan of %s: %s" % (re.sub(r"\s+", " ", what)[:40], ", ".join(indexes)),
              "missing: %s, used: %s\n%s\n%s" % (missing, sorted(used), "\n".join(scans), plan[-6000:] if done.returncode else ""))


PARTS = {"lint": lambda: suite("lint.sql"), "tenants": tenants, "copies": copies, "limiter": limiter, "migrations": migrations, "upgrades": upgrades, "stand_in": stand_in, "take_over": take_over, "plans": plans}


def main():
    setup = psql(ENV["ADMIN"], text="\\i tenants_setup.sql\n")
    if setup.returncode != 0:
        sys.exit("tenants_setup.sql: " + setup.stderr)
    for name in [name for name in sys.argv[1:] if name != "-v"] or PARTS:
        PARTS[name]()
    print("%s" % ("all good" if not failures else "%d failed" % len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
