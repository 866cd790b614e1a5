"""aiorch serve from its start to its end: sockets of a service manager, TLS, another configuration, the drain, kill -9."""

import contextlib
import json
import os
import signal
import socket
import ssl
import threading

from _serve import WAIT_S, Server, case, cost_rows, is_closed, main, post, read_all, read_answer, read_answer_head, until
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
    """One answer is held back until all have been told, so that the server has a reason to stay for as long as that takes."""
    gate = threading.Event()
    with FakeLlm() as llm, Server(folder, llm=llm, store="kept") as s:
        llm.replies = [Reply(pieces=["words " * 400, "the end"], gate=gate)]
        held = s.raw(post("Long?", stream=True))
        until(lambda: llm.requests, "the request at the provider")
        with Load(s) as load:
            until(lambda: load.good > 50, "some answers")
            s.signal(signal.SIGTERM)
            for t in load.threads:
                t.join(60)
        assert not load.broken, load.broken
        assert load.refused == len(load.threads), "somebody was not told that it goes down"
        gate.set()
        assert b"event: done" in read_all(held)
        s.process.wait(60)
        assert len(llm.requests) == load.good + 1, (len(llm.requests), load.good)
        assert cost_rows(folder) == load.good + 1


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
def test_drain__waits_for_nobody_who_is_refused(folder):
    gate = threading.Event()
    with FakeLlm() as llm, Server(folder, {"drain_ms": 3600000, "body_timeout_ms": 3600000}, llm=llm) as s:
        llm.always = Reply(gate=gate)
        c = s.raw(post("Under way?"))
        until(lambda: llm.requests, "the request at the provider")
        s.signal(signal.SIGTERM)
        until(lambda: "going down" in s.err, "the drain")
        late = s.raw(post("Refused, and never whole?")[:-1])
        assert s.ask("New?").status == 503
        gate.set()
        assert b"Hello from the fake." in read_all(c)
        s.process.wait(60)
        late.close()


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
def test_end__waits_for_no_embedder(folder):
    with FakeLlm() as llm, socket.create_server(("127.0.0.1", 0)) as silent:
        config = {"embedder": "openai", "embedder.base_url": f"http://127.0.0.1:{silent.getsockname()[1]}/v1", "embedder.key": "k", "embedder.model": "vec-1",
                  "embedder.dimensions": 16, "retrieve.threshold": 0.3, "cache.threshold": 0.9}
        with Server(folder, {"drain_ms": 500}, config, llm=llm) as s:
            body = json.dumps({"model": "aiorch", "input": "x"}).encode()
            c = s.raw(b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            silent.accept()
            s.signal(signal.SIGTERM)
            s.process.wait(WAIT_S)  # what it says tells that it is not for the minute that embeddings have
            until(lambda: "was under way still" in s.err, "a word of it")
            c.close()


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
        until(lambda: s.err.count("was not taken over, the old one goes on") == 3, "the reasons")
        until(lambda: s.metric("aiorch_http_calls") == 1, "the old one's end")


@case
def test_hup__not_with_a_store_in_memory(folder):
    with Server(folder) as s:
        s.signal(signal.SIGHUP)
        until(lambda: "the store is in memory" in s.err, "the reason")
        assert s.ask("Still?").status == 200


def serial_at(server, ca):
    """The certificate that a new connection is shown, and that connection."""
    context = ssl.create_default_context(cafile=ca)
    c = context.wrap_socket(server.raw(), server_hostname="localhost")
    return c.getpeercert()["serialNumber"], c


def renew(folder, certificate, key):
    """A new certificate in the place of the old."""
    fresh = os.path.join(folder, f"fresh-{len(os.listdir(folder))}")
    os.mkdir(fresh)
    made = make_certificate(fresh)
    for new, old in zip(made, (certificate, key)):
        os.replace(new, old)


@case
def test_hup__certificates(folder):
    certificate, key = make_certificate(folder)
    for store in ("kept", "memory"):
        with FakeLlm() as llm, Server(folder, {"tls": {"certificate": certificate, "key": key}}, llm=llm, store=store) as s:
            first, old = serial_at(s, certificate)
            old.sendall(post("Before?"))
            assert read_answer(old)[0] == 200
            gate = threading.Event()
            llm.always = Reply(pieces=["words " * 400, "the end"], gate=gate)
            streaming = serial_at(s, certificate)[1]
            streaming.sendall(post("Long?", stream=True))
            assert streaming.recv(1)

            renew(folder, certificate, key)
            s.signal(signal.SIGHUP)
            told = "the new configuration serves" if store == "kept" else "but for its certificate"
            until(lambda: told in s.err, "the new certificate")
            llm.always = Reply()
            second, new = serial_at(s, certificate)
            assert first != second, "the old certificate is shown still"
            for c in (old, new, old):  # one that was there goes on with what it has
                c.sendall(post("After?"))
                assert read_answer(c)[0] == 200
            gate.set()
            got = b""
            while b"event: done" not in got:
                got += streaming.recv(65536)
            for c in (old, streaming):
                c.close()

            with open(key, "rb") as f:
                good = f.read()
            other = os.path.join(folder, "other-" + store)
            os.mkdir(other)
            with open(make_certificate(other)[1], "rb") as f:
                foreign = f.read()
            for bad, words in ((b"no key", "server.tls.key"), (b"-----BEGIN EC PRIVATE KEY-----\nx", "belong together"), (foreign, "belong together"), (None, "No such file")):
                lines = len(s.lines)
                os.unlink(key)
                if bad is not None:
                    with open(key, "wb") as f:
                        f.write(bad)
                s.signal(signal.SIGHUP)
                until(lambda: len(s.lines) > lines, "the reason")
                assert "was not taken over, the old one goes on: " in s.lines[-1] and words in s.lines[-1], s.lines[-1]
                serial, c = serial_at(s, certificate)
                assert serial == second
                c.close()
            with open(key, "wb") as f:
                f.write(good)
            new.sendall(post("Still?"))
            assert read_answer(new)[0] == 200
            new.close()


@case
def test_hup__limits(folder):
    with Server(folder, {"body_max_bytes": 4096, "head_max_bytes": 2048, "uri_max_bytes": 128}, store="kept", config={"retrieve.enabled": False}) as s:
        def status(body=b"", head=0, uri=0):
            data = b"POST /ask%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Much: %s\r\nContent-Length: %d\r\n\r\n%s" % (
                b"?" + b"a" * uri if uri else b"", b"a" * head, len(body), body)
            return int(read_all(s.raw(data)).split()[1])
        old = s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        read_answer(old)
        large = json.dumps({"message": "Hello " * 1000}).encode()
        assert (status(large), status(head=4000), status(uri=200)) == (413, 431, 414)
        s.settings["server"].update({"body_max_bytes": 65536, "head_max_bytes": 8192, "uri_max_bytes": 256,
                                                 "connections_per_address": 2, "idle_ms": 300, "workers": 2, "worker_queue": 5})
        s.write_config(s.settings)
        s.signal(signal.SIGHUP)
        until(lambda: s.err.count("is that of the start") == 2, "what stays as it was")
        assert "server.workers is that of the start" in s.err and "server.worker_queue is that of the start" in s.err
        until(lambda: is_closed(old), "the new limit of idle connections to reach one that was there")
        s.settings["server"]["idle_ms"] = 3600000  # which those that come now need not fear
        s.write_config(s.settings)
        s.signal(signal.SIGHUP)
        until(lambda: s.err.count("is that of the start") == 4, "the limits once more")
        assert (status(large), status(b"{}", head=4000), status(b"{}", uri=200)) == (200, 400, 400)
        held = [s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Much: "), s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Much: ")]
        assert read_all(s.raw()).startswith(b"HTTP/1.1 503 ")
        for c in held:
            c.close()


@case
def test_hup__where_it_listens_stays(folder):
    with Server(folder, {"listen": "127.0.0.1:0"}, store="kept", listen=None) as s:
        s.write_config({**s.settings, "server": {**s.settings["server"], "listen": "127.0.0.1:1"}})
        s.signal(signal.SIGHUP)
        until(lambda: "server.listen is that of the start" in s.err, "the line that says so")
        assert s.request("GET", "/healthz").status == 200


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
def test_hup__that_ends_during_the_stop(folder):
    """Its handle is closed all the same: what leaks is the leak sanitizer's to say. The configuration comes through a pipe, when the loop has ended;
    where it comes too late the server does not wait for it, and that is another test's matter."""
    for attempt in range(20):
        place = os.path.join(folder, str(attempt))
        os.mkdir(place)
        said = stop_during_reload(place)
        if not said.endswith("was under way still\n"):
            break
    assert said.endswith("ended\n"), said


def stop_during_reload(folder):
    with Server(folder, store="kept") as s:
        os.remove(s.config_path)
        os.mkfifo(s.config_path)
        s.signal(signal.SIGHUP)
        pipe = until(lambda: open_reader(s.config_path), "the reload at its file")
        s.signal(signal.SIGTERM)
        until(lambda: "going down" in s.err, "the first signal")
        s.signal(signal.SIGTERM)
        until(lambda: is_deaf(s), "the end of the loop")
        os.remove(s.config_path)
        s.write_config(s.settings)  # it is read by the library, and then by the server
        with contextlib.suppress(BrokenPipeError):  # too late: it has ended
            os.write(pipe, json.dumps(s.settings).encode())
        os.close(pipe)
    return s.err


def open_reader(path):
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def is_deaf(server):
    try:
        server.raw().close()
    except (ConnectionRefusedError, ConnectionResetError):  # reset: its socket was closed between the two halves of the greeting
        return True
    return False


@case
def test_tls(folder):
    certificate, key = make_certificate(folder)
    context = ssl.create_default_context(cafile=certificate)
    with FakeLlm() as llm, Server(folder, {"tls": {"certificate": certificate, "key": key}}, llm=llm) as s:
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
        gate = threading.Event()
        llm.always = Reply(gate=gate)
        c = context.wrap_socket(s.raw(), server_hostname="localhost")
        c.sendall(post("Gone?"))
        until(lambda: len(llm.requests) == 5, "the request at the provider")
        c.close()
        until(lambda: llm.broken == 1, "the provider's connection to be cut")
    with Server(folder, {"tls": {"certificate": certificate, "key": key}, "head_timeout_ms": 500}) as s:
        silent = s.raw()  # a handshake that does not come
        assert read_all(silent) == b""


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
