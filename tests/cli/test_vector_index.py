"""The index of vectors in PostgreSQL: who makes it, when, and that it is said how searches go. On a server of its own."""

import json
import os
import subprocess
import sys
import time

import _cli
from _cli import case
from _tiny_model import make

if "AIORCH_TEST_POSTGRES_OWNER" not in os.environ:
    CLUSTER = os.path.join(_cli.ROOT, "tests", "postgres", "cluster.py")
    os.execv(sys.executable, [sys.executable, CLUSTER, "--", sys.executable] + sys.argv)

APP, OWNER = os.environ["AIORCH_TEST_POSTGRES"], os.environ["AIORCH_TEST_POSTGRES_OWNER"]
QUESTION = "Which port does the server listen on?"


def admin(sql):
    done = subprocess.run(["psql", "-XAtqd", os.environ["AIORCH_TEST_POSTGRES_ADMIN"], "-v", "ON_ERROR_STOP=1", "-c", sql],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def with_vectors(box, tenant, store=APP, count=12):
    """An index is wanted from 6 vectors of a tenant on."""
    model = os.path.join(box.env["HOME"], ".cache", "aiorch", "models", "tiny")
    if not os.path.exists(model):
        make(model, 1)
    settings = {"embedder.local.model": "tiny", "cache.threshold": 0.9, "retrieve.threshold": 0.3}
    box.env["AIORCH_CONFIG"] = box.write("aiorch.json", json.dumps(settings))
    admin("ALTER DATABASE aiorch SET aiorch.exact_up_to = '5'")
    for i in range(count):
        box.write(f"{tenant}/{i}.md", f"# Ports {i}\n\nThe server {i} listens on port {5000 + i}.\n")
    return box.run("ingest", "--store", store, "--tenant", tenant, box.at(tenant), store=False)


def stats(box, tenant):
    return box.run("stats", "--json", "--store", APP, "--tenant", tenant, store=False).json


def found(box, tenant):
    return [hit["uri"] for hit in box.run("search", "--json", "--store", APP, "--tenant", tenant, QUESTION, store=False).json["results"]]


def forget_all():
    admin("DELETE FROM aiorch.documents; UPDATE aiorch.tenant_models SET chunks = 0;"
          " DO $$ DECLARE n text; BEGIN FOR n IN SELECT indexname FROM pg_indexes WHERE schemaname = 'aiorch' AND indexname LIKE '%_near_%' LOOP"
          " EXECUTE 'DROP INDEX aiorch.' || n; END LOOP; END $$")


@case
def the_owner_makes_it_and_the_application_says_what_it_does(box):
    said = with_vectors(box, "one")
    assert "index" not in said.out and "pgvector" not in said.err, said.out + said.err
    assert stats(box, "one")["vector_search"] == "exact"
    before = found(box, "one")
    status = box.run("migrate", "--status", "--store", OWNER, store=False).out
    assert "12 of" in status and "searches are exact and slow, the index is none" in status, status
    made = box.run("migrate", "--store", OWNER, store=False)
    assert "making the index of 12 vectors" in made.out and "searches go by the index where a tenant has more than 5" in made.out, made.out
    version = admin("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    old = [int(n) for n in version.split(".")[:3]]
    assert (made.err.count("aiorch: warning: pgvector " + version) == 1 and "vacuum may damage" in made.err) == (old < [0, 8, 4]), made.err
    assert stats(box, "one")["vector_search"] == "index"
    assert "vectors: index" in box.run("stats", "--store", APP, "--tenant", "one", store=False).out
    assert sorted(found(box, "one")) == sorted(before)
    single = admin("SELECT coalesce('parallel_workers=0' = ANY (reloptions), false) FROM pg_class WHERE oid = 'aiorch.chunk_vectors'::regclass")
    assert (single == "t") == (old < [0, 8, 2])
    again = box.run("migrate", "--json", "--store", OWNER, store=False).json
    (model,) = again["vector_indexes"]
    assert model["index"] == "valid" and model["made_now"] is False and model["vectors"] == 12 and model["search"] == "index", model


@case
def what_was_broken_off_is_made_up_for(box):
    forget_all()
    with_vectors(box, "two")
    box.run("migrate", "--store", OWNER, store=False)
    admin("UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text LIKE '%chunk_vectors_near%'")
    assert stats(box, "two")["vector_search"] == "exact"
    assert "the index is broken" in box.run("migrate", "--status", "--store", OWNER, store=False).out
    (model,) = [m for m in box.run("migrate", "--json", "--store", OWNER, store=False).json["vector_indexes"] if m["vectors"] > 0]
    assert model["made_now"] and model["index"] == "valid", model
    assert stats(box, "two")["vector_search"] == "index"


@case
def who_may_makes_it_after_embedding(box):
    forget_all()
    admin("GRANT aiorch_app TO owner")
    said = with_vectors(box, "three", OWNER)
    assert "making the index of 12 vectors" in said.out, said.out + said.err
    assert stats(box, "three")["vector_search"] == "index"
    forget_all()
    with_vectors(box, "four", OWNER, count=5)
    assert stats(box, "four")["vector_search"] == "exact", "so few are compared one by one"
    box.write("four/more.md", "# Doors\n\nThe door is green.\n")
    box.run("ingest", "--no-embed", "--store", OWNER, "--tenant", "four", box.at("four"), store=False)
    report = box.run("reembed", "--json", "--store", OWNER, "--tenant", "four", store=False).json
    (model,) = [m for m in report["vector_indexes"] if m["vectors"] > 0]
    assert report["embedded"] == 1 and model["made_now"], report


@case
def two_at_once_are_one(box):
    forget_all()
    with_vectors(box, "five")
    command = [_cli.CLI, "migrate", "--json", "--store", OWNER]
    crowd = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=box.env) for _ in range(3)]
    for one in crowd:
        out, err = one.communicate(timeout=100)
        assert one.returncode == 0, err
        assert [m["index"] for m in json.loads(out)["vector_indexes"] if m["vectors"] > 0] == ["valid"], out


@case
def who_comes_as_another_ends_waits_for_it(box):
    """The server lets the table go a moment before the index is said to be whole."""
    forget_all()
    with_vectors(box, "six")
    box.run("migrate", "--store", OWNER, store=False)
    (index,) = admin("SELECT indexrelid FROM pg_index WHERE indrelid = 'aiorch.chunk_vectors'::regclass"
                     " AND indexrelid::regclass::text LIKE '%_near_%'").splitlines()
    admin(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {index}")
    with subprocess.Popen(["psql", "-XAtqd", os.environ["AIORCH_TEST_POSTGRES_ADMIN"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as ends:
        ends.stdin.write(f"BEGIN; UPDATE pg_index SET indisvalid = true WHERE indexrelid = {index} RETURNING 1;\n")
        ends.stdin.flush()
        assert ends.stdout.readline() == "1\n"
        with subprocess.Popen([_cli.CLI, "migrate", "--json", "--store", OWNER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=box.env) as comes:
            until = time.monotonic() + 60
            while admin("SELECT count(*) FROM pg_stat_activity WHERE usename = 'owner' AND wait_event_type = 'Lock'") == "0":
                assert time.monotonic() < until and comes.poll() is None, comes.communicate()
                time.sleep(0.01)
            ends.stdin.write("COMMIT;\n")
            ends.stdin.close()
            out, err = comes.communicate(timeout=100)
    assert comes.returncode == 0, err
    assert [(m["index"], m["made_now"]) for m in json.loads(out)["vector_indexes"] if m["vectors"] > 0] == [("valid", False)], out


_cli.main()
