"""aiorch serve from its start to its end: sockets of a service manager, TLS, another configuration, the drain, kill -9."""

import contextlib
import json
import os
import signal
import socket
import ssl
import threading

from _serve import Server, case, cost_rows, main, post, read_all, read_answer, read_answer_head, until
from _fake_llm import FakeLlm, Reply
from _https import make_certificate


class Load:
    """Clients that ask one question after the other until they are told that the server goes down."""

    def __init__(self, server, clients=8):
        self.server, self.good, self.refused, self.broken = server, 0, 0, []
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(clients)]

    def run(self, number):
        asked = 0
        try:
            c = self.server.raw()
            while not self.stop.is_set():
                asked += 1
                c.sendall(post(f"Question {asked} of {number}?"))
                head, status, body, _ = read_answer_head(c)
                with self.lock:
                    if status == 200:
                        self.good += 1
                        assert json.loads(body)["response"]
                    else:
                        assert status == 503 and json.loads(body)["error"]["code"] == "shutting_down", (status, body)
                        self.refused += 1
                if status == 503:
                    c.close()
                    return
                if b"connection: close" in head.lower():  # as any client does, it comes again
                    c.close()
                    c = self.server.raw()
        except Exception as e:  # pylint: disable=broad-except
            with self.lock:
                self.broken.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join(60)


@case
def test_drain__under_load_loses_nothing(folder):
    with FakeLlm() as llm, Server(folder, llm=llm, store="kept") as s:
        with Load(s) as load:
            until(lambda: load.good > 50, "some answers")
            s.signal(signal.SIGTERM)
            for t in load.threads:
                t.join(60)
        s.process.wait(60)
        assert not load.broken, load.broken
        assert load.refused > 0, "nobody was told that it goes down"
        assert len(llm.requests) == load.good, (len(llm.requests), load.good)
        assert cost_rows(folder) == load.good


@case
def test_drain__waits_and_refuses(folder):
    gate = threading.Event()
    with FakeLlm() as llm, Server(folder, llm=llm) as s:
        llm.always = Reply(pieces=["words " * 400, "the end"], gate=gate)
        c = s.raw(post("Long?", stream=True))
        idle = s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        read_answer(idle)
        until(lambda: llm.requests, "the request at the provider")
        s.signal(signal.SIGTERM)
        until(lambda: "going down: 1 request" in s.err, "the drain")
        a = s.ask("New?")
        assert a.status == 503 and a.headers["retry-after"] == "5" and a.json["error"]["code"] == "shutting_down"
        assert s.request("GET", "/readyz").status == 503 and s.request("GET", "/healthz").status == 200
        idle.sendall(post("On a connection that was here?"))
        status, _, _ = read_answer(idle)
        assert status == 503 and read_all(idle) == b""
        gate.set()
        got = read_all(c)
        assert b"event: done" in got and got.endswith(b"0\r\n\r\n"), got[-200:]


@case
def test_drain__bounded(folder):
    gate = threading.Event()
    with FakeLlm() as llm, Server(folder, {"drain_ms": 200}, llm=llm) as s:
        llm.always = Reply(pieces=["words " * 400, "never"], gate=gate)
        stream, whole = s.raw(post("Long?", stream=True)), s.raw(post("Whole?"))
        until(lambda: len(llm.requests) == 2, "the requests at the provider")
        stream.recv(1)
        s.signal(signal.SIGTERM)
        got = read_all(stream)
        assert b"event: error" in got and b"event: done" not in got, got[-300:]
        status = read_all(whole).split(b" ")[1]
        assert status in (b"499", b"503"), status
        gate.set()


@case
def test_second_signal__ends_at_once(folder):
    gate = threading.Event()
    with FakeLlm() as llm, Server(folder, llm=llm) as s:
        llm.always = Reply(gate=gate)
        c = s.raw(post("Long?"))
        until(lambda: llm.requests, "the request at the provider")
        s.signal(signal.SIGTERM)
        until(lambda: "going down" in s.err, "the drain")
        s.signal(signal.SIGTERM)
        s.process.wait(60)
        c.close()
        gate.set()


@case
def test_hup__takes_over_and_says_why_not(folder):
    gate = threading.Event()
    with FakeLlm() as llm, Server(folder, llm=llm, store="kept") as s:
        llm.always = Reply(pieces=["words " * 400, "the end"], gate=gate)
        old = s.raw(post("Of the old one?", stream=True))
        until(lambda: llm.requests, "the request at the provider")
        s.write_config({**s.settings, "providers.fake.model": "tiny-2"})
        s.signal(signal.SIGHUP)
        until(lambda: "the new configuration serves" in s.err, "the new configuration")
        llm.always = Reply()
        assert s.ask("Of the new one?").headers["x-aiorch-model"] == "tiny-2"
        gate.set()
        got = b""
        while b"event: done" not in got:
            got += old.recv(65536)
        assert b'"model":"tiny-1"' in got
        old.close()
        for broken in ("{", {**s.settings, "no.such.setting": 1}, {**s.settings, "server": {"jwt.algorithms": "none"}}):
            failed = s.metric("aiorch_server_reloads_failed_total")
            s.write_config(broken)
            s.signal(signal.SIGHUP)
            until(lambda: s.metric("aiorch_server_reloads_failed_total") == failed + 1, "the refusal")
            assert s.ask("Still?").headers["x-aiorch-model"] == "tiny-2"
        assert "was not taken over, the old one goes on" in s.err
        until(lambda: s.metric("aiorch_http_calls") == 1, "the old one's end")


@case
def test_hup__not_with_a_store_in_memory(folder):
    with Server(folder) as s:
        s.signal(signal.SIGHUP)
        until(lambda: "the store is in memory" in s.err, "the reason")
        assert s.ask("Still?").status == 200


@case
def test_hup__under_load(folder):
    with FakeLlm() as llm, Server(folder, llm=llm, store="kept") as s:
        with Load(s, 4) as load:
            for i in range(5):
                until(lambda: load.good > 20 * (i + 1), "some answers")
                s.signal(signal.SIGHUP)
                until(lambda: s.metric("aiorch_server_reloads_total") == i + 1, "the new configuration")
        assert not load.broken and not load.refused, (load.broken, load.refused)
        assert len(llm.requests) == load.good


@case
def test_tls(folder):
    certificate, key = make_certificate(folder)
    context = ssl.create_default_context(cafile=certificate)
    with FakeLlm() as llm, Server(folder, {"tls": {"certificate": certificate, "key": key}, "head_timeout_ms": 1000}, llm=llm) as s:
        assert "serving https://" in s.err
        with contextlib.closing(context.wrap_socket(s.raw(), server_hostname="localhost")) as c:
            for i in range(3):
                c.sendall(post(f"Question {i}?"))
                status, body, _ = read_answer(c)
                assert status == 200 and json.loads(body)["response"] == "Hello from the fake."
            c.sendall(post("Streamed?", stream=True).replace(b"Host", b"Connection: close\r\nHost"))
            got = read_all(c)
            assert b"event: done" in got
        plain = s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in read_all(plain)
        silent = s.raw()  # a handshake that does not come
        assert read_all(silent) == b""
        gate = threading.Event()
        llm.always = Reply(gate=gate)
        c = context.wrap_socket(s.raw(), server_hostname="localhost")
        c.sendall(post("Gone?"))
        until(lambda: len(llm.requests) == 5, "the request at the provider")
        c.close()
        until(lambda: llm.broken == 1, "the provider's connection to be cut")


@case
def test_socket_activation(folder):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    early = socket.create_connection(("127.0.0.1", port))  # before there is a server
    early.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    s = Server(folder, listen=None, env={"LISTEN_FDS": "1"})
    # the number of the process is known only between fork and exec, so a shell says it
    s.command = ["/bin/sh", "-c", f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ exec "$@"', "sh", *s.command]
    s.pass_fds = (listener.fileno(),)
    with s:
        assert s.port == port and "given by the service manager" in s.err
        assert read_all(early).endswith(b'{"status":"ok"}\n')
        assert s.ask("Hello?").status == 200
    listener.close()


@case
def test_notify(folder):
    for path in (os.path.join(folder, "notify"), "\0aiorch-test-" + os.path.basename(folder)):
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(path)
        manager.settimeout(60)
        with Server(folder, env={"NOTIFY_SOCKET": path.replace("\0", "@")}, store="kept") as s:
            assert manager.recv(4096).startswith(b"READY=1\nSTATUS=Serving http://")
            s.signal(signal.SIGHUP)
            assert manager.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(4096).startswith(b"READY=1")
            s.signal(signal.SIGTERM)
            assert manager.recv(4096).startswith(b"STOPPING=1")
        manager.close()


@case
def test_killed__what_was_answered_is_written_down(folder):
    good = 0
    with FakeLlm() as llm:
        for _ in range(2):
            s = Server(folder, llm=llm, store="kept").start()
            with Load(s) as load:
                until(lambda: load.good > 50, "some answers")
                s.process.kill()
                s.process.wait()
            s.thread.join(60)
            s.process.stderr.close()
            good += load.good
        with Server(folder, llm=llm, store="kept"):
            pass
        asked = len(llm.requests)
        assert good <= cost_rows(folder) <= asked + 16, (good, cost_rows(folder), asked)


if __name__ == "__main__":
    main()
