"""Requests that libmicrohttpd itself refuses with a page of HTML: they are answered in OpenAI's shape, first or later on a connection, in one
piece or several, in plain or over TLS; and nobody else notices."""

import contextlib
import json
import ssl
import threading

from _serve import Server, case, main, post, read_all, read_answer, until
from _https import make_certificate

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
GOOD = GET + b"\r\n"
POST = b"POST /ask HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "no colon": (GET + b"what for\r\n\r\n", 400),
    "a length that is none": (POST + b"Content-Length: 1e3\r\n\r\n", 400),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "http/9.9": (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505),
    "http/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "a head without end": (GET + b"X-A: " + b"a" * 70000, 431),
    "a head that is a little too long": (GET + b"X-A: " + b"a" * 17000 + b"\r\n\r\n", 431),
    "many headers": (GET + b"X-A: b\r\n" * 1000 + b"\r\n", 431),
    "an address without end": (b"GET /" + b"a" * 70000, 414),
    "a long address": (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "gzip": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "a chunk that is none": (CHUNKED + b"ZZ\r\n", 400),
    "a chunk that is none, later": (CHUNKED + b"2\r\n{}\r\nZZ\r\n", 400),
    "a chunk larger than numbers": (CHUNKED + b"10000000000000000\r\n", 413),
}
ONE_WORD = b"GET\r\n\r\n"


class Place:
    """A server, in plain or over TLS."""

    def __init__(self, folder, tls, **settings):
        self.context = None
        if tls:
            certificate, key = make_certificate(folder)
            self.context = ssl.create_default_context(cafile=certificate)
            settings["tls"] = {"certificate": certificate, "key": key}
        self.server = Server(folder, settings)

    def connect(self):
        c = self.server.raw()
        return self.context.wrap_socket(c, server_hostname="localhost") if self.context else c


def send(c, data):
    """The server may have said all that it has to say before it has got everything."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        c.sendall(data)


def later(c, data):
    c.sendall(GOOD)
    assert read_answer(c)[0] == 200
    send(c, data)


def in_pieces(c, data):
    later(c, data[:len(data) // 3])
    for at in range(len(data) // 3, len(data), 1 + len(data) // 3):
        send(c, data[at:at + 1 + len(data) // 3])


WAYS = {"first": send, "later": later, "in pieces": in_pieces, "right behind another": lambda c, data: send(c, GOOD + data)}


def assert_refused(got, status, what):
    """The last answer, and the end."""
    last = got[got.rfind(b"HTTP/1.1 "):]
    head, _, body = last.partition(b"\r\n\r\n")
    assert last.startswith(b"HTTP/1.1 %d " % status) and b"<html" not in got, f"{what}: {got[-400:]!r}"
    assert b"\r\nconnection: close" in head.lower() and b"\r\nx-request-id: req-" in head.lower(), f"{what}: {head!r}"
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"] and error["code"], f"{what}: {error}"


def refused_each_way(folder, tls):
    place = Place(folder, tls)
    with place.server:
        for name, (data, status) in MALFORMED.items():
            for way, go in WAYS.items():
                with contextlib.closing(place.connect()) as c:
                    go(c, data)
                    assert_refused(read_all(c), status, f"{name}, {way}")
        with contextlib.closing(place.connect()) as c:  # of this nobody is told
            later(c, ONE_WORD)
            assert read_all(c) == b""
        with contextlib.closing(place.connect()) as c:
            c.sendall(GOOD)
            assert read_answer(c)[0] == 200


@case
def test_malformed__in_plain(folder):
    refused_each_way(folder, False)


@case
def test_malformed__over_tls(folder):
    refused_each_way(folder, True)


PIECE = b"a" * 65536
LONG = {
    "more than may be, in chunks": (CHUNKED + b"10000\r\n%s\r\n" % PIECE * 64, 413),
    "more than may be, as it says": (POST + b"Content-Length: 4194304\r\n\r\n" + PIECE * 64, 413),
    "where none is taken, in chunks": (GET + b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n%s\r\n" % PIECE * 64, 413),
    "of one who is not known": (POST + b"Authorization: Bearer x\r\nContent-Length: 4194304\r\n\r\n" + PIECE * 64, 401),
}


@case
def test_refused__while_the_body_comes(folder):
    """Whoever still sends gets the answer, and no reset in its place: over TLS, too."""
    for tls in (False, True):
        place = Place(folder, tls, body_max_bytes=131072)
        with place.server:
            for name, (data, status) in LONG.items():
                for first in (b"", GOOD):
                    with contextlib.closing(place.connect()) as c:
                        c.sendall(first + data)
                        assert_refused(read_all(c), status, f"{name}, {'TLS' if tls else 'plain'}")


@case
def test_malformed__of_anthropics(folder):
    """Whose shape it is, is known when the head was good."""
    with Server(folder) as s:
        got = read_all(s.raw(CHUNKED.replace(b"/ask", b"/v1/messages") + b"ZZ\r\n"))
        body = json.loads(got.partition(b"\r\n\r\n")[2])
        assert got.startswith(b"HTTP/1.1 400 ") and body["type"] == "error" and body["error"]["type"] == "invalid_request_error", got
        assert s.metric("aiorch_http_calls") == 1  # the call that asks


def among_others(folder, tls, count):
    """Some have sent half a head, some half a body, some nothing yet: all of them are suspended for a moment, and go on."""
    place = Place(folder, tls, head_timeout_ms=600000, body_timeout_ms=600000, idle_ms=600000)
    question = post("Hello?")
    halves = [GOOD[:20], question[:60], question[:-5], b""]
    with place.server:
        others = [place.connect() for _ in range(count)]
        for i, c in enumerate(others):
            if i % 2:
                c.sendall(GOOD)
                assert read_answer(c)[0] == 200
            c.sendall(halves[i % 4])
        for name, (data, status) in MALFORMED.items():
            with contextlib.closing(place.connect()) as c:
                later(c, data)
                assert_refused(read_all(c), status, name)
        for i, c in enumerate(others):
            whole = GOOD if i % 4 in (0, 3) else question
            c.sendall(whole[len(halves[i % 4]):])
            assert read_answer(c)[0] == 200, i
            c.close()


@case
def test_malformed__among_others(folder):
    among_others(folder, False, 400)


@case
def test_malformed__among_others_over_tls(folder):
    among_others(folder, True, 100)


def all_at_once(folder, tls):
    place = Place(folder, tls)
    wrong, rounds = [], 12

    def good():
        with contextlib.closing(place.connect()) as c:
            for i in range(10 * rounds):
                c.sendall(GOOD if i % 2 else post("Hello?"))
                status, body, rest = read_answer(c)
                assert status == 200 and not rest and (b'"ok"' in body or b'"response"' in body), (status, body, rest)

    def bad(number):
        names = list(MALFORMED)
        for i in range(rounds):
            name = names[(number + i) % len(names)]
            way = list(WAYS)[i % len(WAYS)]
            with contextlib.closing(place.connect()) as c:
                WAYS[way](c, MALFORMED[name][0])
                assert_refused(read_all(c), MALFORMED[name][1], f"{name}, {way}")

    def run(work, *args):
        try:
            work(*args)
        except Exception as e:  # pylint: disable=broad-except
            wrong.append(repr(e))

    with place.server as s:
        threads = [threading.Thread(target=run, args=(good,)) for _ in range(8)] + [threading.Thread(target=run, args=(bad, i)) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not wrong, wrong
        if not tls:
            until(lambda: s.metric("aiorch_http_connections") == 1, "the end of all of them")


@case
def test_malformed__many_at_once(folder):
    all_at_once(folder, False)


@case
def test_malformed__many_at_once_over_tls(folder):
    all_at_once(folder, True)


@case
def test_malformed__at_the_stop(folder):
    """One that has been answered and reads nothing does not keep the server."""
    for tls in (False, True):
        place = Place(folder, tls)
        with place.server:
            c = place.connect()
            later(c, MALFORMED["no colon"][0])
            c.recv(10)
        c.close()


if __name__ == "__main__":
    main()
