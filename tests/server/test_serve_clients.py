"""aiorch serve and clients as they are: gone, slow, half-closed, many, and those that want one program to read what another does not."""

import json
import os
import resource
import signal
import socket
import threading

from _serve import WAIT_S, Server, case, cost_rows, is_closed, main, post, read_all, read_answer, until
from _fake_llm import FakeLlm, Reply


@case
def test_client_gone__cancels_and_settles(folder):
    gate = threading.Event()
    prices = os.path.join(folder, "prices.json")
    with open(prices, "w", encoding="utf-8") as f:
        json.dump({"prices": [{"model": "tiny-1", "input": 2_000_000_000, "output": 10_000_000_000}]}, f)
    with FakeLlm() as llm, Server(folder, llm=llm, store="kept", config={"cost.prices_file": prices}) as s:
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
        # Who was asked, and what it takes for what came of it: an estimate, and marked so.
        assert cost_rows(folder, what="count(*), min(provider), max(provider), min(model), max(model), min(estimated)") == (2, "fake", "fake", "tiny-1", "tiny-1", 1)
        assert cost_rows(folder, what="sum(cost_nano_usd is null), sum(cost_nano_usd <> input_tokens * 2000 + output_tokens * 10000)") == (0, 0)
        least = cost_rows(folder, what="min(input_tokens), max(output_tokens)")
        assert least[0] > 0 and 300 < least[1] < 2000, least


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
def test_half_closed__ends_with_its_answer(folder):
    for goes_on in (False, True):
        with Server(folder, {"half_closed": goes_on, "head_timeout_ms": 3600000, "body_timeout_ms": 3600000}) as s:
            for request in (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"):
                for times in (1, 2):
                    c = s.raw(request * times)
                    c.shutdown(socket.SHUT_WR)
                    got = read_all(c)  # to the server's end of it, which is not server.idle_ms
                    assert got.count(b"HTTP/1.1 ") == times, got
            whole = post("Never whole?")
            for part in (whole[:20], whole[:-1]):
                c = s.raw(part)
                c.shutdown(socket.SHUT_WR)
                assert read_all(c) == b""
            until(lambda: s.metric("aiorch_http_connections") == 1, "the end of the connections")  # but for this one


@case
def test_slow_reader__stands_still_alone(folder):
    pieces = ["%05d " % i * 700 for i in range(500)]  # 2 MB
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
        assert s.metric("aiorch_http_calls") == 2, "it has ended"
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # it has been slow for long enough: 4 KiB at a time take minutes under load
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


def deaf(server, request):
    """A client that has asked and never reads."""
    c = socket.socket()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.settimeout(WAIT_S)
    c.connect(("127.0.0.1", server.port))
    c.sendall(request)
    return c


@case
def test_reader_that_takes_nothing(folder):
    """Its stream alone stands still; when its time is up it is cut off, its run cancelled, and what that has cost written down."""
    pieces = ["%05d " % i * 700 for i in range(1500)]
    others = 5
    with FakeLlm() as llm, Server(folder, {"write_timeout_ms": 3600000, "stream_buffer_bytes": 16384}, llm=llm, store="kept",
                                  config={"generate.max_tokens": 900000}) as s:
        llm.replies = [Reply(pieces=pieces, gate=threading.Event())]
        stuck = deaf(s, post("Much?", stream=True))
        until(lambda: llm.requests, "its request at the provider")
        for _ in range(others):
            a = s.ask("Meanwhile?", stream=True)
            assert a.status == 200 and a.events[-1][0] == "done", a.text
        s.settings["server"]["write_timeout_ms"] = 500
        s.write_config(s.settings)
        s.signal(signal.SIGHUP)
        until(lambda: timed_out(s, "write"), "the time to be up")
        until(lambda: s.metric("aiorch_http_calls") == 1, "the end of its call")  # this one
        assert s.metric("aiorch_server_runs_cancelled_total") == 1
        until(lambda: llm.broken == 1, "the provider's connection to be cut")
        until(lambda: cost_rows(folder) == others + 1, "its cost row")
        until(lambda: s.metric("aiorch_http_connections") == 1, "its end, though it has not read that")
        got = read_all(stuck)
        assert got.startswith(b"HTTP/1.1 200") and b"event: done" not in got and not got.endswith(b"0\r\n\r\n")
        stuck.close()


@case
def test_reader_that_takes_nothing__of_a_whole_answer(folder):
    pieces = ["%05d " % i * 700 for i in range(1500)]  # 6 MB: more than the system's own buffers take
    with FakeLlm() as llm, Server(folder, {"write_timeout_ms": 500}, llm=llm, config={"generate.max_tokens": 900000}) as s:
        llm.replies = [Reply(pieces=pieces)]
        stuck = deaf(s, post("Much?"))
        until(lambda: timed_out(s, "write"), "the time to be up")
        until(lambda: s.metric("aiorch_http_calls") == 1 and s.metric("aiorch_http_connections") == 1, "its end")
        assert s.ask("Still there?").status == 200
        got = read_all(stuck)
        assert got.startswith(b"HTTP/1.1 200") and len(got) < 6000000, len(got)
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
        body = s.raw(b"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")

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
        def asked():
            c = s.raw()
            try:
                c.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                read_answer(c)
                return c
            except (AssertionError, ConnectionError):  # it stood still for too long before it asked
                c.close()
                return None
        fresh, used = s.raw(), until(asked, "an answer")
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
        for _ in range(8):  # they ask at once, as clients do: no reset takes the answer from them
            answer = s.request("POST", "/ask", {"message": "Hello?" * 1000})
            assert (answer.status, answer.json["error"]["code"], answer.headers["retry-after"]) == (503, "overloaded", "1"), answer.text
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
            try:
                got = read_all(c)
            except TimeoutError as e:
                raise AssertionError(f"{name}: left open") from e
            heads = [part.split(b"\r\n")[0] for part in got.split(b"HTTP/1.")[1:]]
            assert b'"ok"' not in got, f"{name}: what was hidden was answered: {got!r}"
            assert not heads or heads[0].split()[1][:1] in (b"4", b"5"), f"{name}: {heads}"
        assert s.request("GET", "/healthz").status == 200


GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"

NO_HEADS = {
    "zeros": (b"\0" * 100, 400),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "one word": (b"GET\r\n\r\n", 400),
    "no version": (b"GET /healthz\r\nHost: x\r\n\r\n", 400),
    "two spaces": (b"GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a space in the address": (b"GET /heal thz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "small letters": (b"GET /healthz http/1.1\r\nHost: x\r\n\r\n", 400),
    "empty lines": (b"\r\n" * 10, 400),
    "a long method": (b"A" * 70000, 400),
    "http/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "http/9.9": (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505),
    "http/0.9": (b"GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505),
    "a long address": (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "an address without end": (b"GET /" + b"a" * 70000, 414),
    "a long head": (GET + b"X-A: " + b"a" * 16384 + b"\r\n\r\n", 431),
    "a head without end": (GET + b"X-A: " + b"a" * 70000, 431),
    "many headers": (GET + b"X-A: b\r\n" * 1000 + b"\r\n", 431),
    "a large cookie": (GET + b"Cookie: " + b"a=b;" * 3000 + b"\r\n\r\n", 431),
    "no colon": (GET + b"what for\r\n\r\n", 400),
    "no name": (GET + b": x\r\n\r\n", 400),
    "a nul": (GET + b"X-A: a\0b\r\n\r\n", 400),
    "a bare return": (GET + b"X-A: a\rb\r\n\r\n", 400),
    "folded": (GET + b"X-A: a\r\n b\r\n\r\n", 400),
    "a length that is none": (b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n", 400),
    "a length with a space behind it": (b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 2 \r\n\r\n{}", 400),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "gzip": (b"POST /ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
}


def assert_refused(name, got, status):
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), f"{name}: {got[:300]!r}"
    assert b"\r\nconnection: close" in head.lower() and b"\r\nx-request-id: req-" in head.lower(), f"{name}: {head!r}"
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["type"] == "invalid_request_error" or status >= 500, f"{name}: {error}"


@case
def test_first_head__refused_in_our_words(folder):
    with Server(folder) as s:
        for name, (data, status) in NO_HEADS.items():
            assert_refused(name, read_all(s.raw(data)), status)
            for cut in (1, len(data) // 2, len(data) - 1):  # in two pieces
                c = s.raw(data[:cut])
                s.request("GET", "/healthz")  # the first has been looked at by then
                try:
                    c.sendall(data[cut:])
                except (BrokenPipeError, ConnectionResetError):
                    pass
                assert_refused(f"{name}, cut at {cut}", read_all(c), status)
                c.close()
        until(lambda: s.metric("aiorch_http_connections") == 1, "the end of all of them")


@case
def test_first_head__taken_however_it_comes(folder):
    with Server(folder) as s:
        data = post("One byte after the other?") + b"GET /healthz HTTP/1.0\r\n\r\n"
        c = s.raw()
        for i in range(len(data)):
            c.sendall(data[i:i + 1])
        got = read_all(c)
        assert got.count(b"HTTP/1.1 200") == 2 and b'"response"' in got, got
        empty = s.raw(b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_all(empty).startswith(b"HTTP/1.1 200"), "empty lines before a request"
        full = GET + b"Connection: close\r\nX-A: "
        full += b"a" * (16384 - len(full) - 4) + b"\r\n\r\n"
        assert len(full) == 16384 and read_all(s.raw(full)).startswith(b"HTTP/1.1 200"), "a head as large as it may be"
        several = GET + b"Connection: close\r\n" + b"X-Header-Of-Some-Length: of some length, too\r\n" * 20 + b"\r\n"
        assert read_all(s.raw(several)).startswith(b"HTTP/1.1 200")


@case
def test_first_head__gone_before_it_was_whole(folder):
    with Server(folder, {"head_timeout_ms": 600000, "idle_ms": 600000}) as s:
        for data in (b"", b"GET /hea", GET):
            for how in ("close", "half", "reset"):
                c = s.raw(data)
                until(lambda: s.metric("aiorch_http_connections") == 2, "the connection")
                if how == "half":
                    c.shutdown(socket.SHUT_WR)
                    assert read_all(c) == b""
                if how == "reset":
                    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                c.close()
                until(lambda: s.metric("aiorch_http_connections") == 1, "its end")


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
