"""aiorch serve and clients as they are: gone, slow, half-closed, many, and those that want one program to read what another does not."""

import json
import resource
import socket
import threading

from _serve import Server, case, cost_rows, is_closed, main, post, read_all, read_answer, until
from _fake_llm import FakeLlm, Reply


@case
def test_client_gone__cancels_and_settles(folder):
    gate = threading.Event()
    with FakeLlm() as llm, Server(folder, llm=llm, store="kept") as s:
        llm.always = Reply(pieces=["words " * 500, "never"], gate=gate)
        for stream in (True, False):
            before = s.metric("aiorch_server_runs_cancelled_total")
            c = s.raw(post("Gone?", stream=stream))
            if stream:
                assert c.recv(4096).startswith(b"HTTP/1.1 200")
            else:
                until(lambda: len(llm.requests) == 2, "the second request at the provider")
            c.close()
            until(lambda: s.metric("aiorch_server_runs_cancelled_total") == before + 1, "a cancelled run")
        until(lambda: llm.broken == 2, "the provider's connections to be cut")
        until(lambda: s.metric("aiorch_http_calls") == 1, "the end of both calls")  # this one
        until(lambda: cost_rows(folder) >= 2, "a cost row for each")


@case
def test_client_gone__reset(folder):
    gate = threading.Event()
    with FakeLlm() as llm, Server(folder, llm=llm) as s:
        llm.always = Reply(gate=gate)
        c = s.raw(post("Reset?"))
        until(lambda: llm.requests, "the request at the provider")
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        c.close()
        until(lambda: llm.broken == 1, "the provider's connection to be cut")


@case
def test_half_closed(folder):
    gate = threading.Event()
    for goes_on in (False, True):
        with FakeLlm() as llm, Server(folder, {"half_closed": goes_on}, llm=llm) as s:
            gate.clear()
            llm.always = Reply(pieces=["Late", " answer"], gate=gate)
            c = s.raw(post("Half?"))
            c.shutdown(socket.SHUT_WR)
            until(lambda: llm.requests, "the request at the provider") if goes_on else until(lambda: s.metric("aiorch_http_gone_total") == 1, "a client that is gone")
            gate.set()
            got = read_all(c)
            assert (b"Late answer" in got) == goes_on, got


@case
def test_slow_reader__stands_still_alone(folder):
    pieces = ["%05d " % i * 700 for i in range(1500)]  # 6 MB
    with FakeLlm() as llm, Server(folder, {"stream_buffer_bytes": 16384}, {"generate.max_tokens": 900000}, llm=llm) as s:
        llm.always = Reply(pieces=pieces)
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(60)
        slow.connect(("127.0.0.1", s.port))
        slow.sendall(post("Much?", stream=True))
        first = slow.recv(1)
        llm.always = Reply()
        for _ in range(5):
            assert s.ask("Quick?").json["response"] == "Hello from the fake."
        events = s.metric("aiorch_server_stream_events_total")
        until(lambda: paused(s, events), "the slow one to stand still")
        got = first + read_to_end(slow)
        slow.close()
        assert b"event: done" in got
        text = "".join(json.loads(line[6:])["delta"] for line in body_of(got).decode().split("\n") if line.startswith('data: {"delta"'))
        assert text == "".join(pieces), (len(text), len("".join(pieces)))


def paused(s, before):
    """Nothing was handed over between two looks."""
    a = s.metric("aiorch_server_stream_events_total")
    s.ask("Between?")
    return a == s.metric("aiorch_server_stream_events_total") and a >= before


def read_to_end(c):
    data = b""
    while b"\r\n0\r\n\r\n" not in data[-64:]:
        got = c.recv(65536)
        assert got, "cut: " + repr(data[-200:])
        data += got
    return data


def body_of(answer):
    """Takes the chunks of an answer apart."""
    head, rest = answer.split(b"\r\n\r\n", 1)
    assert b"chunked" in head
    out = b""
    while True:
        size, rest = rest.split(b"\r\n", 1)
        n = int(size, 16)
        if n == 0:
            return out
        out += rest[:n]
        rest = rest[n + 2:]


@case
def test_reader_that_takes_nothing(folder):
    pieces = ["%05d " % i * 700 for i in range(1500)]
    with FakeLlm() as llm, Server(folder, {"write_timeout_ms": 500, "stream_buffer_bytes": 16384}, llm=llm) as s:
        llm.always = Reply(pieces=pieces)
        stuck = socket.socket()
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect(("127.0.0.1", s.port))
        stuck.sendall(post("Much?", stream=True))
        until(lambda: s.request("GET", "/metrics").text.count('aiorch_http_timeouts_total{phase="write"} 1\n'), "the time to be up")
        until(lambda: s.metric("aiorch_http_calls") == 1, "the end of its call")  # this one
        assert s.metric("aiorch_server_runs_cancelled_total") == 1
        stuck.close()


def timed_out(s, phase):
    return s.request("GET", "/metrics").text.count(f'aiorch_http_timeouts_total{{phase="{phase}"}} 0\n') == 0


@case
def test_slow_head_and_body(folder):
    with Server(folder, {"head_timeout_ms": 400, "body_timeout_ms": 400, "idle_ms": 600000}) as s:
        head = s.raw(b"POST /ask HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        second = s.raw(post("First, then slowly?"))
        assert read_answer(second)[0] == 200
        second.sendall(b"GET /heal")
        body = s.raw(b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")

        def drip():
            for c in (head, second, body):
                try:
                    c.sendall(b"a")
                except OSError:
                    pass
            return is_closed(head) and is_closed(second) and is_closed(body)
        until(drip, "all three to be cut")
        assert timed_out(s, "head") and timed_out(s, "body")
        assert s.request("GET", "/healthz").status == 200


@case
def test_idle(folder):
    with Server(folder, {"idle_ms": 300}) as s:
        fresh, used = s.raw(), s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        read_answer(used)
        until(lambda: is_closed(fresh) and is_closed(used), "idle connections to be closed")


def raise_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@case
def test_idle_connections__a_thousand(folder):
    if raise_limit() < 4096:
        return
    with Server(folder) as s:
        many = [s.raw() for _ in range(1000)]
        until(lambda: s.metric("aiorch_http_connections") >= 1000, "a thousand connections")
        assert s.ask("Still there?").status == 200
        for c in many[:10]:
            c.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_answer(c)[0] == 200
        for c in many:
            c.close()
        until(lambda: s.metric("aiorch_http_connections") < 10, "them to be gone")


@case
def test_connections__limits(folder):
    with Server(folder, {"connections_per_address": 3}) as s:
        held = [s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(3)]
        for c in held:
            read_answer(c)
        more = s.raw()
        assert read_all(more).startswith(b"HTTP/1.1 503 ")
        held[0].close()
        until(lambda: read_all(s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 "), "room for one more")
        for c in held:
            c.close()


@case
def test_pipelined(folder):
    with Server(folder) as s:
        c = s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + post("Second?") + b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = read_all(c)
        assert got.count(b"HTTP/1.1 ") == 3, got
        first, second, third = got.split(b"HTTP/1.1 ")[1:]
        assert first.startswith(b"200") and b'"status":"ok"' in first
        assert second.startswith(b"200") and b'"response"' in second
        assert third.startswith(b"404")


HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: hidden\r\n\r\n"

SMUGGLED = {
    "both lengths": b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "both, other order": b"POST /ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two lengths": b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + HIDDEN,
    "same length twice": b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "a list of lengths": b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\n{}" + HIDDEN,
    "plus": b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}" + HIDDEN,
    "minus": b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n{}" + HIDDEN,
    "hex": b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 0x2\r\n\r\n{}" + HIDDEN,
    "huge": b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551618\r\n\r\n{}" + HIDDEN,
    "xchunked": b"POST /ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunked twice": b"POST /ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + HIDDEN,
    "identity, chunked": b"POST /ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "vertical tab": b"POST /ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "space before the colon": b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length : 2\r\n\r\n{}" + HIDDEN,
    "space before a name": b"POST /ask HTTP/1.1\r\nHost: x\r\n Content-Length: 2\r\n\r\n{}" + HIDDEN,
    "1.0 and chunked": b"POST /ask HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "no host": b"POST /ask HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "two hosts": b"POST /ask HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "absolute address": b"GET http://other/healthz HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN,
    "no name": b"POST /ask HTTP/1.1\r\nHost: x\r\n: y\r\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "bare return": b"POST /ask HTTP/1.1\r\nHost: x\r\nX-A: a\rContent-Length: 40\r\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "chunk size of sign": b"POST /ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "chunk size of hex": b"POST /ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "nul in the address": b"GET /healthz%00x HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN,
}


@case
def test_smuggled(folder):
    with Server(folder) as s:
        for name, data in SMUGGLED.items():
            c = s.raw(data)
            c.settimeout(3)
            try:
                got = read_all(c)
            except TimeoutError as e:
                raise AssertionError(f"{name}: left open") from e
            heads = [part.split(b"\r\n")[0] for part in got.split(b"HTTP/1.")[1:]]
            assert b'"ok"' not in got, f"{name}: what was hidden was answered: {got!r}"
            assert not heads or heads[0].split()[1][:1] in (b"4", b"5"), f"{name}: {heads}"
        assert s.request("GET", "/healthz").status == 200


@case
def test_line_ends(folder):
    """Nothing that a client sends comes back as a header of its own."""
    with Server(folder) as s:
        for path in ("/nothing%0d%0aX-Evil:%201", "/nothing?a=%0d%0aX-Evil:%201", "/%0aX-Evil"):
            got = read_all(s.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()))
            assert b"\nX-Evil" not in got and got.startswith(b"HTTP/1.1 4"), got
        got = read_all(s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: a%0d%0aX-Evil: 1\r\nConnection: close\r\n\r\n"))
        assert b"X-Evil" not in got
        bare = read_all(s.raw(b"GET /healthz HTTP/1.1\nHost: x\nConnection: close\n\n"))
        assert bare.count(b"HTTP/1.1 ") == 1, bare


@case
def test_noise(folder):
    with Server(folder) as s:
        for data in (b"\0" * 1000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\r\n\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"A" * 70000,
                     b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"POST /ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"):
            c = s.raw()
            try:
                c.sendall(data)
                c.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            assert b"HTTP/1.1 200" not in read_all(c), data
        assert s.request("GET", "/healthz").status == 200


if __name__ == "__main__":
    main()
