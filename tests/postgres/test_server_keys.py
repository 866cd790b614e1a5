"""Keys of callers in PostgreSQL: made by the owner, read by the server's own login, revoked while it runs."""

import os
import subprocess
import sys

ROOT = os.environ.get("AIORCH_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "server"))

from _serve import CLI, Server, case, main, until  # noqa: E402  # pylint: disable=wrong-import-position

OWNER, APP, ADMIN = (os.environ.get("AIORCH_TEST_POSTGRES" + end, "") for end in ("_OWNER", "", "_ADMIN"))


def keys(env, *args, code=0):
    done = subprocess.run([CLI, "keys", *args, "--store", OWNER, "--quiet"], env=env, capture_output=True, timeout=60, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout.decode().strip()


def sql(text):
    return subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", ADMIN, "-c", text], check=True, capture_output=True).stdout.decode().strip()


@case
def test_a_login_that_may_not_read(folder):
    s = Server(folder, anonymous=False, config={"store": APP})
    keys(s.env, "create", "--tenant", "acme", "--user", "u")
    done = subprocess.run(s.command, env=s.env, capture_output=True, timeout=60, check=False)
    assert done.returncode == 7 and b"permission denied" in done.stderr, (done.returncode, done.stderr)


@case
def test_a_login_that_reads(folder):
    s = Server(folder, anonymous=False, config={"store": APP})
    first = keys(s.env, "create", "--tenant", "acme", "--user", "u")
    login = APP.split("://")[1].split("@")[0].split(":")[0]
    sql(f'GRANT USAGE ON SCHEMA aiorch_server TO "{login}"; GRANT SELECT ON ALL TABLES IN SCHEMA aiorch_server TO "{login}"')
    with s:
        def ask(key):
            return s.request("GET", "/v1/documents", headers={"Authorization": "Bearer " + key})
        assert ask(first).status == 200, ask(first).text
        second = keys(s.env, "create", "--tenant", "globex", "--user", "u")
        until(lambda: ask(second).status == 200, "the new key")
        listed = [line.split()[0] for line in keys(s.env, "list").splitlines()]
        keys(s.env, "revoke", listed[-1])
        until(lambda: ask(second).status == 401, "the refusal")
        assert ask(first).status == 200
        keys(s.env, "revoke", "key_nothing", code=9)
    assert first not in sql("SELECT * FROM aiorch_server.server_keys") and sql("SELECT count(*) FROM aiorch_server.server_keys WHERE length(hash) = 32") == "3"


main()
