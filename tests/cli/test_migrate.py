"""aiorch migrate, on a PostgreSQL of its own (tests/postgres/cluster.py)."""

import os
import subprocess
import sys

import _cli
from _cli import case

if "AIORCH_TEST_POSTGRES_OWNER" not in os.environ:
    CLUSTER = os.path.join(_cli.ROOT, "tests", "postgres", "cluster.py")
    os.execv(sys.executable, [sys.executable, CLUSTER, "--empty", "--", sys.executable] + sys.argv)

OWNER = os.environ["AIORCH_TEST_POSTGRES_OWNER"]
KNOWN = len([name for name in os.listdir(os.path.join(_cli.ROOT, "sql", "postgres")) if name.endswith(".sql")])


def admin(sql):
    done = subprocess.run(["psql", "-XAtqd", os.environ["AIORCH_TEST_POSTGRES_ADMIN"], "-v", "ON_ERROR_STOP=1", "-c", sql],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def migrate(box, schema, *args, **kwargs):
    return box.run("migrate", "--store", OWNER, "--set", "postgres.schema=" + schema, *args, store=False, **kwargs)


def report(box, schema, *args):
    return migrate(box, schema, "--json", *args).json


@case
def needs_pgvector_first(box):
    said = migrate(box, "first", code=6).err
    assert "pgvector is not in this database" in said and "CREATE EXTENSION vector" in said, said
    assert report(box, "first", "--status")["version"] == 0
    admin("CREATE EXTENSION vector")


@case
def applies_what_is_missing(box):
    status = report(box, "one", "--status")
    assert status["schema"] == "one" and status["known"] == KNOWN and status["version"] == 0
    assert [m["state"] for m in status["migrations"]] == ["pending"] * KNOWN
    assert "Applied 2 migrations: the schema is at version 2." in migrate(box, "one", "--to", "2").out
    half = report(box, "one", "--status")["migrations"]
    assert [m["state"] for m in half[:3]] == ["applied", "applied", "pending"]
    assert half[0]["applied_at"].endswith("Z") and half[2]["applied_at"] is None
    done = report(box, "one")
    assert done["applied_now"] == KNOWN - 2 and done["version"] == KNOWN
    assert "Nothing to do" in migrate(box, "one").out


@case
def a_dry_run_is_what_psql_takes(box):
    sql = migrate(box, "dry", "--dry-run").out
    assert report(box, "dry", "--status")["version"] == 0
    done = subprocess.run(["psql", "-Xqd", OWNER, "-v", "ON_ERROR_STOP=1", "-f", "-"], input=sql, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert report(box, "dry", "--status")["version"] == KNOWN
    assert migrate(box, "dry", "--dry-run").out == ""


@case
def any_name_of_a_schema(box):
    name = "it's \"odd\" :schema"
    assert report(box, name)["version"] == KNOWN
    assert admin("SELECT count(*) > 10 FROM pg_tables WHERE schemaname = $$%s$$" % name) == "t"
    assert admin("SELECT count(*) FROM pg_proc p, unnest(proconfig) s WHERE pronamespace = quote_ident($$%s$$)::regnamespace"
                 " AND s LIKE 'search_path%%' AND s NOT LIKE '%%odd%%'" % name) == "0"


@case
def three_at_once_are_one(box):
    command = [_cli.CLI, "migrate", "--json", "--store", OWNER, "--set", "postgres.schema=crowd"]
    crowd = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    for one in crowd:
        _, err = one.communicate(timeout=100)
        assert one.returncode == 0, err
    assert admin("SELECT count(*) FROM crowd.schema_version") == str(KNOWN)


@case
def what_cannot_be(box):
    migrate(box, "bounds", "--to", "1")
    assert "there is no version 99" in migrate(box, "bounds", "--to", "99", code=2).err
    migrate(box, "bounds", "--to", "3")
    assert "no way back to 1" in migrate(box, "bounds", "--to", "1", code=2).err
    admin("INSERT INTO bounds.schema_version (version, name) VALUES (900, 'later')")
    assert "update libaiorch" in migrate(box, "bounds", code=6).err
    assert "needs no migration" in box.run("migrate", "--store", "memory", store=False, code=7).err


@case
def a_failure_leaves_nothing(box):
    migrate(box, "broken", "--to", "1")
    admin("CREATE TABLE broken.semantic_cache ()")
    said = migrate(box, "broken", code=6).err
    assert "migration 3 (cache) was not applied, nothing of it was changed" in said and "already exists" in said, said
    assert report(box, "broken", "--status")["version"] == 2
    admin("DROP TABLE broken.semantic_cache")
    assert report(box, "broken")["version"] == KNOWN


_cli.main()
