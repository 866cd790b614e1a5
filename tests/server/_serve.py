"""What the tests of `aiorch serve` share: cases, the server in a folder of its own, requests and raw sockets."""

import contextlib
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.environ.get("AIORCH_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLI = os.environ.get("AIORCH_CLI") or ""
sys.path.insert(0, os.path.join(ROOT, "tests", "cli"))

WAIT_S = 60  # how long something may take that has to happen; a machine may be slow
KEY = "sk-test-0123456789abcdef0123456789abcdef"

_cases = []


def case(function):
    """Marks a function as a test; it gets an empty folder."""
    _cases.append(function)
    return function


def main():
    if not CLI or not os.access(CLI, os.X_OK):
        print("SKIP: no command line to test: set AIORCH_CLI")
        sys.exit(77)
    if subprocess.run([CLI, "serve", "--settings"], capture_output=True, check=False).returncode != 0:
        print("SKIP: this build has no server")
        sys.exit(77)
    wanted, passed, failed = sys.argv[1:], 0, 0
    for function in _cases:
        if wanted and function.__name__ not in wanted:
            continue
        folder = tempfile.mkdtemp(prefix="serve-")
        try:
            function(folder)
            passed += 1
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED {function.__name__}")
            traceback.print_exc(limit=-4, file=sys.stdout)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


def cost_rows(folder, store="kept", what="count(*)"):
    """The runs that a SQLite store in the folder has written down; of several sums a tuple."""
    with contextlib.closing(sqlite3.connect(os.path.join(folder, store, "ledger.db"))) as db:
        row = db.execute(f"select {what} from ai_api_calls").fetchone()
        return row if len(row) > 1 else row[0]


def memory_mib(server, kind):
    """`kind`: VmRSS, or VmHWM for the most it ever had."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(kind)) // 1024


def with_sanitizer():
    """Whose own memory is counted, too."""
    with open(CLI, "rb") as f:
        program = f.read()
    return b"__asan_init" in program or b"__tsan_init" in program


def until(condition, what="it"):
    """Waits until it holds; gives what it gave."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what} has not come about")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, {k.lower(): v for k, v in headers}, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        """[(event, data)] of a stream; comments are left out."""
        out = []
        for block in self.text.split("\n\n"):
            name, data = None, None
            for line in block.split("\n"):
                if line.startswith("event: "):
                    name = line[7:]
                if line.startswith("data: "):
                    data = line[6:] if line[6:] == "[DONE]" else json.loads(line[6:])
            if data is not None:
                out.append((name, data))
        return out


class Server:
    """with Server(folder, settings...) as s: ... `config`: more of the configuration; `env`: more of the environment."""

    def __init__(self, folder, server=None, config=None, args=(), env=None, anonymous=True, store="memory", listen="127.0.0.1:0",
                 pass_fds=(), preexec=None, llm=None):
        self.folder, self.lines, self.port = folder, [], None
        self.config_path = os.path.join(folder, "aiorch.json")
        self.settings = {"store": store if store == "memory" else os.path.join(folder, store), "embedder": "none", "rate_limit.requests": 0,
                         "server": {"anonymous": anonymous, "anonymous_per_minute": 0, "metrics_open": anonymous, **(server or {})}, **(config or {})}
        if llm:
            self.settings.update({"providers.fake.api": "openai", "providers.fake.base_url": llm.url, "providers.fake.model": "tiny-1",
                                  "providers.fake.key": KEY, "retrieve.enabled": False, "cache.mode": "off"})
        self.write_config(self.settings)
        keep = {k: v for k, v in os.environ.items() if k.startswith(("ASAN", "UBSAN", "TSAN", "PATH", "LD_", "TMP"))}
        home = os.path.join(folder, "home")
        os.makedirs(home, exist_ok=True)
        self.command = [CLI, "serve", "--config", self.config_path, *(["--listen", listen] if listen else []), *args]
        self.env = {**keep, "HOME": home, **(env or {})}
        self.pass_fds, self.preexec, self.process, self.thread = pass_fds, preexec, None, None

    def write_config(self, settings):
        with open(self.config_path, "w", encoding="utf-8") as f:
            f.write(settings if isinstance(settings, str) else json.dumps(settings))

    def start(self):
        self.process = subprocess.Popen(self.command, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        pass_fds=self.pass_fds, preexec_fn=self.preexec, cwd=self.folder)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        until(lambda: self.port or self.process.poll() is not None, "the server's first line")
        assert self.port, f"the server did not start: {self.err}"
        return self

    def _read(self):
        for line in self.process.stderr:
            text = line.decode("utf-8", "replace")
            self.lines.append(text)
            match = re.search(r"serving https?://\S*?:(\d+)", text)
            if match:
                self.port = int(match.group(1))

    @property
    def err(self):
        return "".join(self.lines)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            if kind:
                self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the server did not end: " + self.err) from None
        self.thread.join(WAIT_S)
        self.process.stderr.close()
        if kind:
            print(self.err)
        else:
            assert self.process.returncode == 0, f"exit code {self.process.returncode}: {self.err}"

    def signal(self, number):
        self.process.send_signal(number)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        with contextlib.closing(connection):
            data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may be answered before it was read, and what was said is read all the same
                connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())

    def ask(self, message="Hello?", **more):
        return self.request("POST", "/ask", {"message": message, **more})

    def metric(self, name):
        for line in self.request("GET", "/metrics").text.splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise AssertionError(f"no metric {name}")

    def raw(self, data=b""):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        if data:
            s.sendall(data)
        return s


def post(message, path="/ask", **more):
    """The bytes of a request."""
    body = json.dumps({"message": message, **more}).encode()
    return b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body)


def read_all(s):
    """What comes until the other side closes."""
    out = b""
    while True:
        try:
            data = s.recv(65536)
        except ConnectionResetError:
            return out
        if not data:
            return out
        out += data


def read_until(s, word):
    """What comes up to that, and with it."""
    data = b""
    while word not in data:
        got = s.recv(65536)
        assert got, data
        data += got
    return data


def read_answer(s):
    """One answer with a Content-Length from a connection that stays open: (status, body, what came after it)."""
    return read_answer_head(s)[1:]


def read_answer_head(s):
    """The same, after its head."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = s.recv(65536)
        assert got, f"closed early: {data!r}"
        data += got
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
    while len(body) < length:
        got = s.recv(65536)
        assert got, "closed early"
        body += got
    return head, int(head.split()[1]), body[:length], body[length:]


def is_closed(s):
    """Whether the other side has closed, without waiting."""
    readable, _, _ = select.select([s], [], [], 0)
    if not readable:
        return False
    try:
        return s.recv(65536) == b""
    except ConnectionResetError:
        return True
