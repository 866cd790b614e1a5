"""aiorch serve and requests that somebody made up to deceive it: two readings of one request, on later requests of a connection, too, and
every moment at which a client may go."""

import contextlib
import json
import os
import resource
import socket
import struct
import threading
import time

from _serve import Server, case, main, post, read_all, read_answer, read_answer_head, until
from _fake_llm import FakeLlm, Reply

PLAIN = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: hidden\r\nConnection: close\r\n\r\n"


def chunked(*more, body=b'{"message": "Hello?"}', trailers=b""):
    lines = b"".join(line + b"\r\n" for line in more)
    return b"POST /ask HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n%s\r\n%x\r\n%s\r\n0\r\n%s\r\n" % (lines, len(body), body, trailers)


LATER = {
    "folded encoding": b"POST /ask HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\r\n chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "folded length": b"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n\t90\r\n\r\n",
    "folded value": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\r\n",
    "folded name": b"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-: 0\r\n Length: 90\r\n\r\n",
    "nul behind a length": b"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\0 90\r\nX-A: b\r\n\r\n",
    "nul in the last value": b"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\x00090\r\n\r\n",
    "nul in an encoding": b"POST /ask HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\0x\r\nX-A: b\r\n\r\n0\r\n\r\n",
    "both lengths": b"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "a space in the address": b"GET /heal thz HTTP/1.1\r\nHost: x\r\n\r\n",
    "two keys": b"GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "absolute address": b"GET http://other/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "nul in the address": b"GET /healthz%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "nul in the query": b"GET /healthz?a=%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "space before the colon": b"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length : 90\r\n\r\n",
    "a chunk with a sign": b"POST /ask HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": b"POST /ask HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "a chunk larger than numbers": b"POST /ask HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n{}\r\n0\r\n\r\n",
    "a space in a chunk's size": b"POST /ask HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n",
}


@case
def test_later_requests__two_readings(folder):
    """What is refused as a first request is refused as the second, too, and what hides behind it is not answered."""
    with Server(folder) as s:
        for name, data in LATER.items():
            for first in (PLAIN, b""):
                c = s.raw()
                try:
                    c.sendall(first + data + HIDDEN)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                got = read_all(c)
                answers = got.split(b"HTTP/1.1 ")[1:]
                assert got.count(b'"ok"') == (1 if first else 0), f"{name}: what was hidden was answered: {got!r}"
                assert len(answers) == (2 if first else 1) and answers[-1][:1] == b"4", f"{name}: {got!r}"
                if "chunk" not in name:
                    assert json.loads(got.split(b"\r\n\r\n")[-1])["error"]["code"] == "bad_request", f"{name}: {got!r}"
                c.close()
        assert s.request("GET", "/healthz").status == 200


@case
def test_chunks_that_are_good(folder):
    with Server(folder) as s:
        for data in (chunked(), chunked(trailers=b"X-Sum: 1\r\nContent-Length: 90\r\nAuthorization: Bearer x\r\nTransfer-Encoding: gzip\r\n"),
                     chunked().replace(b"\r\n0\r\n", b"\r\n0;last=yes\r\n"), chunked().replace(b"15\r\n{", b"0015;name=\"va;lue\"\r\n{")):
            c = s.raw(data + PLAIN)
            status, body, rest = read_answer(c)
            assert status == 200 and json.loads(body)["response"], (data, body)
            while rest.count(b'"ok"') == 0:
                rest += c.recv(65536)
            c.close()


@case
def test_chunk_without_end(folder):
    """The line of a chunk's size that never ends is not kept, and has the time of a body."""
    with Server(folder, {"body_timeout_ms": 500}) as s:
        c = s.raw(b"POST /ask HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2;" + b"x" * 100000)
        assert b" 200 " not in read_all(c)
        c.close()
        until(lambda: s.metric("aiorch_http_calls") == 1, "its end")


@case
def test_expect(folder):
    with Server(folder, {"body_max_bytes": 4096}) as s:
        body = b'{"message": "Hello?"}'
        c = s.raw(b"POST /ask HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        got = b""
        while b"\r\n\r\n" not in got:
            got += c.recv(100)
        assert got == b"HTTP/1.1 100 Continue\r\n\r\n", got
        c.sendall(body)
        assert read_answer(c)[0] == 200
        for path, length in ((b"/ask", 5000), (b"/nothing", 100), (b"/healthz", 100)):  # no word of going on before a refusal
            c = s.raw(b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (path, length))
            head, status, _, _ = read_answer_head(c)
            assert status in (404, 405, 413) and not head.startswith(b"HTTP/1.1 100"), head
            c.close()


@case
def test_head_has_no_body(folder):
    with Server(folder) as s:
        for data in (b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"HEAD /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                     PLAIN + b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
                     b"HEAD /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"):
            got = read_all(s.raw(data))
            head, _, body = got[got.rindex(b"HTTP/1.1 "):].partition(b"\r\n\r\n")
            assert b"ontent-" in head and body == b"", (data, got)


@case
def test_old_clients(folder):
    with Server(folder) as s:
        got = read_all(s.raw(b"GET /healthz HTTP/1.0\r\n\r\n"))
        assert b" 200 " in got.split(b"\r\n")[0] and got.endswith(b'{"status":"ok"}\n')
        c = s.raw(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert read_answer(c)[0] == 200
        c.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert read_all(c).endswith(b'{"status":"ok"}\n')
        stream = read_all(s.raw(post("Streamed?", stream=True).replace(b"HTTP/1.1", b"HTTP/1.0")))  # no chunks: it ends with the connection
        assert b"chunked" not in stream.split(b"\r\n\r\n")[0].lower() and b"event: done" in stream, stream
        for upgrade in (b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", b"Connection: Upgrade\r\nUpgrade: websocket\r\n"):
            c = s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + upgrade + b"\r\n")
            assert read_answer(c)[0] == 200  # not taken up
            c.close()


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


@case
def test_reset_at_every_moment(folder):
    gate = threading.Event()
    forever = {"body_timeout_ms": 3600000, "head_timeout_ms": 3600000, "idle_ms": 3600000}  # the end of a client alone ends what it began
    with FakeLlm() as llm, Server(folder, forever, llm=llm) as s:
        llm.always = Reply(pieces=["words " * 200, "more"], gate=gate)
        for how in (reset, socket.socket.close, lambda c: c.shutdown(socket.SHUT_WR)):
            kept = []
            for stream in (False, True):
                whole = post("Gone?", stream=stream)
                for sent in (1, 20, whole.index(b"\r\n\r\n") + 2, whole.index(b"\r\n\r\n") + 4, len(whole) - 1, len(whole)):
                    c = s.raw(whole[:sent])
                    if sent == len(whole):
                        until(lambda: s.metric("aiorch_http_calls") >= 2, "the call")
                        if stream:
                            assert c.recv(10)
                    how(c)
                    kept.append(c)
            c = s.raw(PLAIN)
            read_answer(c)
            how(c)
            c = s.raw(b"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")  # refused, and read on for a while
            read_answer(c)
            how(c)
            until(lambda: s.metric("aiorch_http_calls") == 1 and s.metric("aiorch_http_connections") == 1, "the end of all of them")
            for c in kept:
                c.close()
        gate.set()
        llm.always = Reply()
        assert s.ask("Still there?").json["response"] == "Hello from the fake."
        assert s.metric("aiorch_http_body_bytes") == 0


def processor_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rests(server):
    """For a second from now; it may have had something to do until then, one that spins has for ever."""
    then, used = time.monotonic(), processor_s(server.process.pid)
    until(lambda: time.monotonic() > then + 1, "the second")
    return processor_s(server.process.pid) - used < 0.1


def is_refused(c):
    """Without waiting; may be asked again."""
    with contextlib.suppress(BlockingIOError):
        return c.recv(100, socket.MSG_PEEK).startswith(b"HTTP/1.1 503")
    return False


@case
def test_head__larger_than_what_the_system_keeps(folder):
    with FakeLlm() as llm, Server(folder, {"head_max_bytes": 524288}, llm=llm) as s:
        line, rest = post("Hello?").split(b"\r\n", 1)
        for size, status in ((40 << 10, 200), (400 << 10, 200), (700 << 10, 431)):
            c = s.raw()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # what is too much is read on for a while only
                c.sendall(line + b"\r\nX-Much: " + b"a" * size + b"\r\n" + rest)
            assert read_answer(c)[0] == status, size
            c.close()
        assert s.metric('aiorch_http_timeouts_total{phase="head"}') == 0


@case
def test_no_descriptors_left(folder):
    """More connections than descriptors: those beyond are told so, nothing spins, and there is room for the server's own files."""
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
    with Server(folder, preexec=few, store="kept", config={"retrieve.enabled": False}) as s:
        held = [s.raw(b"GET /hea") for _ in range(450)]
        for c in held:
            c.setblocking(False)
        until(lambda: len([c for c in held if is_refused(c)]) >= 40, "a word to those that are too many")
        until(lambda: rests(s), "a second of nothing to do: it spins")
        assert "no more than 272 connections at once" in s.err
        for c in held:
            c.close()
        until(lambda: read_all(s.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 "), "room again")
        assert s.ask("Still there?").status == 200


if __name__ == "__main__":
    main()
