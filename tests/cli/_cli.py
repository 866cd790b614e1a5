"""What the tests of the command line share: cases, running it, JSON checks against schema/, a terminal."""

import contextlib
import json
import os
import pty
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.environ.get("AIORCH_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLI = os.environ.get("AIORCH_CLI") or (sys.argv[1] if len(sys.argv) > 1 else "")
TIMEOUT_S = 120
# Set: each Box's store is a database of its own in this cluster of tests/postgres/cluster.py (test_over_postgres.py sets it).
POSTGRES = bool(os.environ.get("AIORCH_CLI_OVER_POSTGRES"))

_cases = []


def case(function):
    """Marks a function as a test; it gets a fresh Box."""
    _cases.append(function)
    return function


def on_disk(function):
    """Marks a test of what is in the folder of a store: on another kind of store it is passed over."""
    function.on_disk = True
    return function


def main():
    if not CLI or not os.access(CLI, os.X_OK):
        print("no command line to test: set AIORCH_CLI, or give its path", file=sys.stderr)
        sys.exit(77)
    wanted = sys.argv[2:] if not os.environ.get("AIORCH_CLI") else sys.argv[1:]
    passed = failed = 0
    for function in _cases:
        if wanted and function.__name__ not in wanted or POSTGRES and hasattr(function, "on_disk"):
            continue
        box = Box()
        try:
            function(box)
            passed += 1
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED {function.__name__}")
            traceback.print_exc(limit=-4, file=sys.stdout)
        finally:
            box.remove()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


class Result:
    def __init__(self, code, out, err):
        self.code, self.raw, self.err = code, out, err.decode("utf-8", "replace")

    @property
    def out(self):
        return self.raw.decode("utf-8", "replace")

    @property
    def json(self):
        lines = self.out.splitlines()
        assert len(lines) == 1, f"one line of JSON expected, got {len(lines)}: {self.out[:400]!r}"
        return json.loads(lines[0])

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Box:
    """A folder with a store and documents of its own."""

    def __init__(self):
        self.path = os.path.realpath(tempfile.mkdtemp(prefix="aiorch-cli-"))
        self.store = os.path.join(self.path, "store")
        self.database = None
        if POSTGRES:
            self.make_database()
        home = os.path.join(self.path, "home")
        os.mkdir(home)
        keep = ("PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "LANG")
        self.env = {name: os.environ[name] for name in keep if name in os.environ}
        self.env.update(HOME=home, XDG_DATA_HOME=home + "/data", XDG_CONFIG_HOME=home + "/config", TERM="xterm",
                        TZ="UTC")

    def make_database(self):
        """A copy of the one that the cluster has filled."""
        self.database = "cli_" + os.path.basename(self.path).replace("-", "_").lower()
        self.administer(f"CREATE DATABASE {self.database} TEMPLATE aiorch")
        self.store = os.environ["AIORCH_TEST_POSTGRES"].rsplit("/", 1)[0] + "/" + self.database

    @staticmethod
    def administer(sql):
        server = os.environ["AIORCH_TEST_POSTGRES_ADMIN"].rsplit("/", 1)[0] + "/postgres"
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server, "-c", sql], check=True)

    def empty_store(self):
        """Everything that is kept is forgotten."""
        if self.database is None:
            shutil.rmtree(self.store)
        else:
            self.administer(f"DROP DATABASE {self.database} WITH (FORCE)")
            self.make_database()

    def query(self, sql):
        """One number from the store's database."""
        server = os.environ["AIORCH_TEST_POSTGRES_ADMIN"].rsplit("/", 1)[0] + "/" + self.database
        done = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", server, "-c", sql], check=True, capture_output=True)
        return int(done.stdout)

    def ledger(self, sql):
        """One number from the ledger, whichever database it is in."""
        if self.database is not None:
            return self.query("SET search_path = aiorch; " + sql)
        with contextlib.closing(sqlite3.connect(os.path.join(self.store, "ledger.db"))) as ledger:
            return ledger.execute(sql).fetchone()[0]

    def change(self, database, sql):
        """Changes rows behind the back of everybody; `database`: ledger or knowledge, where there are two."""
        if self.database is not None:
            server = os.environ["AIORCH_TEST_POSTGRES_ADMIN"].rsplit("/", 1)[0] + "/" + self.database
            subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server, "-c", "SET search_path = aiorch; " + sql], check=True)
            return
        with contextlib.closing(sqlite3.connect(os.path.join(self.store, database + ".db"))) as opened, opened:
            opened.execute(sql)

    def has_begun(self):
        """Was anything stored, or at least begun to be?"""
        if self.database is None:
            return os.path.exists(self.store + "/knowledge.db")
        return self.query("SELECT count(*) FROM aiorch.documents") > 0

    def size(self):
        """Bytes of what the store knows; 0 before there is any."""
        if self.database is not None:
            return self.query("SELECT pg_database_size(current_database())")
        paths = [os.path.join(self.store, "knowledge.db" + end) for end in ("", "-wal")]
        return sum(os.path.getsize(path) for path in paths if os.path.exists(path))

    def remove(self):
        if self.database is not None:
            self.administer(f"DROP DATABASE {self.database} WITH (FORCE)")
        for folder, _, _ in os.walk(self.path):
            os.chmod(folder, 0o700)
        shutil.rmtree(self.path, ignore_errors=True)

    def at(self, name):
        return os.path.join(self.path, name)

    def write(self, name, content):
        path = self.at(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def command(self, args, store=True):
        return [CLI] + (["--store", self.store] if store else []) + [os.fspath(a) for a in args]

    def run(self, *args, stdin=b"", code=0, env=None, store=True, cwd=None):
        """Runs aiorch, checks its exit code and that an error is one line on stderr."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        done = subprocess.run(self.command(args, store), input=stdin, capture_output=True, timeout=TIMEOUT_S,
                              env={**self.env, **(env or {})}, cwd=cwd or self.path, check=False)
        result = Result(done.returncode, done.stdout, done.stderr)
        said = result.out[-2000:] + result.err[-4000:]
        assert result.code == code, f"{args}: exit code {result.code}, not {code}\n{said}"
        if code not in (0, 130):
            errors = [line for line in result.err.splitlines() if not line.startswith("aiorch: warning: ")]
            assert len(errors) == 1 and errors[0].startswith("aiorch: "), f"one error line: {result.err!r}"
        return result

    def json(self, *args, **kwargs):
        return self.run("--json", *args, **kwargs).json

    def error(self, *args, code, name, **kwargs):
        """The error object of a command that must fail, checked against its stderr line."""
        result = self.run("--json", *args, code=code, **kwargs)
        body = result.json
        validate(body["error"], "run", "error")
        assert body["error"]["name"] == name, body["error"]
        return body["error"]

    def terminal(self, *args, env=None, keys=(), columns=80):
        """Runs aiorch on a terminal; returns (exit code, what stood on it). `keys`: [(what stands there before, bytes to type)]."""
        return run_on_terminal(self.command(args), {**self.env, **(env or {})}, self.path, columns, keys)

    def start(self, *args, **kwargs):
        return subprocess.Popen(self.command(args), env=self.env, cwd=self.path, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **kwargs)


def run_on_terminal(command, env, cwd, columns, keys=()):
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def control():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C is a signal

    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=cwd, close_fds=True,
                               preexec_fn=control)
    os.close(slave)
    out, keys, seen = b"", list(keys), 0
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        ready, _, _ = select.select([master], [], [], 0.5)
        if not ready and process.poll() is not None:
            break
        if ready:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            out += piece
        while keys and keys[0][0].encode() in out[seen:]:
            seen = out.index(keys[0][0].encode(), seen) + len(keys[0][0].encode())
            os.write(master, keys.pop(0)[1])
    os.close(master)
    if process.poll() is None and time.monotonic() >= end:
        process.send_signal(signal.SIGKILL)
    assert not keys, f"never seen: {keys[0][0]!r} in {out[-2000:]!r}"
    return process.wait(), out.decode("utf-8", "replace").replace("\r\n", "\n")


# ---- schemas ----

_validators = {}


def _load(name):
    with open(os.path.join(ROOT, "schema", name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def validate(value, name, part=None):
    """Checks a value against schema/<name>.json, or one of its $defs. Needs python3-jsonschema; without, only shape."""
    try:
        import jsonschema
    except ImportError:
        schema = _load(name)
        schema = schema["$defs"][part] if part else schema
        for member in schema.get("required", []):
            assert member in value, f"{name}: no member {member}"
        return
    key = (name, part)
    if key not in _validators:
        schemas = {schema["$id"]: schema for schema in map(_load, ("run", "request", "event"))}
        top = {"$ref": f"https://libaiorch.example/schema/{name}.json" + (f"#/$defs/{part}" if part else "")}
        try:
            from referencing import Registry, Resource
            registry = Registry().with_resources((i, Resource.from_contents(s)) for i, s in schemas.items())
            _validators[key] = jsonschema.Draft202012Validator(top, registry=registry)
        except ImportError:
            resolver = jsonschema.RefResolver("", top, store=schemas)
            _validators[key] = jsonschema.Draft202012Validator(top, resolver=resolver)
    errors = sorted(_validators[key].iter_errors(value), key=lambda e: list(map(str, e.path)))
    assert not errors, f"{name}: " + "; ".join(f"{list(e.path)}: {e.message[:200]}" for e in errors[:3])
