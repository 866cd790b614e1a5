"""nginx and Caddy in front of the server, with the files of examples/server/deploy (ports and places put in): what the server promises
holds for clients behind them, too."""

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from _serve import ROOT, WAIT_S, Answer, Server, case, main, post, read_all, until  # noqa: E402
from _fake_llm import FakeLlm, Reply  # noqa: E402
from _https import make_certificate  # noqa: E402

DEPLOY = os.path.join(ROOT, "examples", "server", "deploy")
MIB = 1 << 20


def reserve_port():
    """A port that nobody else is given for as long as this is open; who binds it by its number, as servers do, may listen at it."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0))
    return s


def replaced(text, *pairs):
    """The text with each pattern replaced; one that is not there is a fault of the file, or of this test."""
    for pattern, by in pairs:
        text, count = re.subn(pattern, by, text)
        assert count, f"the file has no {pattern}"
    return text


class Proxy:
    """with Nginx(folder, server) as front: ... front.request(...), front.connect()"""
    name = file = None

    def __init__(self, folder, server):
        self.folder, self.upstream, self.reserved = os.path.join(folder, self.name), server.port, reserve_port()
        self.port = self.reserved.getsockname()[1]
        os.makedirs(self.folder)
        self.certificate, self.key = make_certificate(self.folder)
        self.tls = ssl.create_default_context(cafile=self.certificate)
        self.process = None
        with open(os.path.join(DEPLOY, self.file), encoding="utf-8") as f:
            self.given = f.read()

    def put(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def command(self):
        raise NotImplementedError

    def up(self):
        assert self.process.poll() is None, f"{self.name} did not start: {self.said()}"
        with contextlib.suppress(OSError):
            self.connect().close()
            return True
        return False

    def said(self):
        with open(os.path.join(self.folder, "said"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def __enter__(self):
        with open(os.path.join(self.folder, "said"), "wb") as out:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.folder,
                                            env={**os.environ, "HOME": self.folder, "XDG_DATA_HOME": self.folder, "XDG_CONFIG_HOME": self.folder})
        until(self.up, self.name)
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        self.process.wait(WAIT_S)
        self.reserved.close()
        if kind:
            print(self.said())

    def connect(self, source="127.0.0.1"):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S, source_address=(source, 0))
        return self.tls.wrap_socket(plain, server_hostname="localhost")

    def request(self, method, path, body=None, headers=None, source="127.0.0.1"):
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=WAIT_S, context=self.tls)
        connection.sock = self.connect(source)
        with contextlib.closing(connection):
            data = json.dumps(body).encode() if isinstance(body, dict) else body
            try:
                connection.request(method, path, data, headers or {})
            except OSError:
                pass  # it has answered before the body was whole
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())

    def ask(self, message, source="127.0.0.1", headers=None, **more):
        return self.request("POST", "/ask", {"message": message, **more}, headers, source)


class Nginx(Proxy):
    name, file = "nginx", "nginx.conf"

    def command(self):
        site = replaced(self.given, (r"127\.0\.0\.1:8484", f"127.0.0.1:{self.upstream}"), (r"listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
                        (r"server_name ai\.example\.org", "server_name localhost"), (r"/etc/ssl/aiorch/fullchain\.pem", self.certificate),
                        (r"/etc/ssl/aiorch/privkey\.pem", self.key))
        places = "".join(f"{kind}_temp_path {self.folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.getuid() == 0 else ""  # the folder of a test is its owner's alone
        main_file = (f"{user}daemon off;\npid {self.folder}/pid;\nerror_log stderr;\nevents {{ worker_connections 512; }}\n"
                     f"http {{\naccess_log off;\n{places}include {self.put('aiorch.conf', site)};\n}}\n")
        return [which("nginx"), "-e", "stderr", "-p", self.folder, "-c", self.put("main.conf", main_file)]


class Caddy(Proxy):
    name, file = "caddy", "Caddyfile"

    def command(self):
        site = replaced(self.given, (r"127\.0\.0\.1:8484", f"127.0.0.1:{self.upstream}"),
                        (r"(?m)^ai\.example\.org \{", f"https://localhost:{self.port} {{\n  bind 127.0.0.1\n  tls {self.certificate} {self.key}"))
        path = self.put("Caddyfile", "{\n  admin off\n  auto_https disable_redirects\n}\n" + site)
        return [which("caddy"), "run", "--adapter", "caddyfile", "--config", path]


def which(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def fronts():
    there = [front for front in (Nginx, Caddy) if which(front.name)]
    if not there:
        print("SKIP: neither nginx nor caddy is installed")
        sys.exit(77)
    for front in (Nginx, Caddy):
        if front not in there:
            print(f"  {front.name} is not installed: left out")
    return there


def each(function):
    """A case for each of the two."""
    def run(folder):
        for front in fronts():
            place = os.path.join(folder, front.name)
            os.makedirs(place)
            try:
                function(place, front)
            except Exception:
                print(f"behind {front.name}:")
                raise
    run.__name__ = function.__name__
    return case(run)


class Steps(list):
    """Pieces that are given one by one, each when it is asked for."""

    def __init__(self, pieces):
        super().__init__(pieces)
        self.go = threading.Semaphore(0)

    def __iter__(self):
        for piece in super().__iter__():
            assert self.go.acquire(timeout=WAIT_S)  # pylint: disable=consider-using-with
            yield piece


def sentence(i):
    return f"Piece {i}: " + "so many words that nothing is held back. " * 100


@each
def test_answers_and_connections(folder, front):
    with FakeLlm() as llm, Server(folder, {"trusted_proxies": "127.0.0.1"}, llm=llm) as s, front(folder, s) as p:
        before = s.metric("aiorch_http_connections_accepted_total")
        for i in range(20):
            a = p.ask(f"Question {i}?", headers={"X-Request-Id": "of-the-client"})
            assert a.status == 200 and a.json["response"] == "Hello from the fake.", a.text
            assert re.fullmatch(r"[0-9a-f-]{32,36}", a.headers["x-request-id"]), a.headers  # the proxy's, which its log has, too
            assert a.headers["x-aiorch-provider"] == "fake" and a.headers["x-aiorch-cache"] == "off", a.headers
        more = s.metric("aiorch_http_connections_accepted_total") - before
        assert more <= 4, f"{more} connections for 20 requests"  # the metrics' own among them
        told = p.request("GET", "/v1/models", headers={"x-api-key": "aik_wrong"})
        assert told.status == 401 and told.headers["www-authenticate"] == "Bearer"


@each
def test_streams_come_piece_by_piece(folder, front):
    steps = Steps(sentence(i) for i in range(4))
    with FakeLlm() as llm, Server(folder, {"heartbeat_ms": 50}, llm=llm) as s, front(folder, s) as p:
        llm.always = Reply()
        llm.always.pieces = steps
        with contextlib.closing(p.connect()) as c:
            c.sendall(post("Long?", stream=True).replace(b"Host: localhost", b"Host: localhost\r\nConnection: close"))
            got = b""
            for i in range(4):
                steps.go.release()
                while f"Piece {i}:".encode() not in got:
                    more = c.recv(65536)
                    assert more, got
                    got += more
                assert f"Piece {i + 1}:".encode() not in got
                quiet = len(got)
                while i < 3 and b": " not in got[quiet:]:  # nothing to say, which is said
                    got += c.recv(65536)
            got += read_all(c)
        assert b"event: done" in got, got[-300:]
        assert b"text/event-stream" in got and b"x-request-id" in got.lower()


@each
def test_a_client_that_goes_takes_its_run_with_it(folder, front):
    gate = threading.Event()
    with FakeLlm() as llm, Server(folder, llm=llm) as s, front(folder, s) as p:
        llm.always = Reply(pieces=[sentence(0), "the end"], gate=gate)
        for number, streamed in enumerate((True, False), 1):
            c = p.connect()
            c.sendall(post("Long?", stream=streamed))
            until(lambda n=number: len(llm.requests) == n, "the request at the provider")
            while streamed and b"Piece 0" not in c.recv(65536):
                pass
            c.close()
            until(lambda n=number: s.metric("aiorch_server_runs_cancelled_total") == n and llm.broken == n, "the end of the run")
        gate.set()


@each
def test_the_address_is_the_client_s(folder, front):
    with Server(folder, {"trusted_proxies": "127.0.0.1", "anonymous_per_minute": 2, "access_log": True}) as s, front(folder, s) as p:
        forged = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Real-IP": "203.0.113.9"}
        for source in ("127.0.0.5", "127.0.0.6"):  # each has a limit of its own
            assert [p.ask("Hello?", source, forged).status for _ in range(3)] == [200, 200, 429]
        told = p.ask("Hello?", "127.0.0.5", {"X-Forwarded-For": "203.0.113.10, 127.0.0.1"})
        assert told.status == 429 and int(told.headers["retry-after"]) >= 1 and told.headers["x-ratelimit-remaining-requests"] == "0", told.headers
        assert told.json["error"]["code"] == "rate_limit_exceeded"
        direct = http.client.HTTPConnection("127.0.0.1", s.port, timeout=WAIT_S, source_address=("127.0.0.7", 0))
        for status in (200, 200, 429):  # who is no proxy is not believed
            direct.request("POST", "/ask", b'{"message": "Hello?"}', {"X-Forwarded-For": f"203.0.113.{status}"})
            with direct.getresponse() as response:
                assert response.status == status
                response.read()
        direct.close()
        until(lambda: '"address":"127.0.0.7"' in s.err, "the log")
        assert '"address":"127.0.0.5"' in s.err and '"address":"127.0.0.6"' in s.err and "203.0.113" not in s.err


@each
def test_refusals_come_through(folder, front):
    gate = threading.Event()
    with FakeLlm() as llm, Server(folder, {"calls_max": 1}, llm=llm) as s, front(folder, s) as p:
        whole = p.request("POST", "/ask", b'{"message": "' + b"a" * (15 * MIB) + b'"}')
        assert whole.status in (400, 413) and "validate.user_chars" in whole.text, whole.text[:300]  # all of it came, and it is too long for a question
        large = p.request("POST", "/ask", b"a" * (16 * MIB + 1000))
        assert large.status == 413 and "16777216 bytes" in large.text, large.text[:300]
        assert large.json["error"]["type"] == "invalid_request_error" and large.headers["x-request-id"]
        llm.always = Reply(gate=gate)
        c = p.connect()
        c.sendall(post("Long?"))
        until(lambda: llm.requests, "the request at the provider")
        a = p.ask("Another?")
        assert a.status == 503 and a.headers["retry-after"] == "1" and a.json["error"]["code"] == "overloaded", a.text
        gate.set()
        assert b"Hello from the fake." in c.recv(65536)
        c.close()


if __name__ == "__main__":
    main()
