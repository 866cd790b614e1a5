"""Ten thousand connections on which nothing happens, from four addresses: they cost little, hold up nobody, and end by the clock."""

import contextlib
import resource
import select
import signal
import socket
import sys
import time

from _serve import WAIT_S, Server, case, main, memory_mib, read_answer, until, with_sanitizer

CROWD = 10000
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
KEPT = 500  # descriptors of the test and of the server beside them
SILENT_MOST_MIB, ASKED_MOST_MIB = 12, 250
QUESTION = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Crowd:
    def __init__(self, port):
        self.poll, self.sockets = select.epoll(), {}
        for i in range(CROWD):
            c = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S, source_address=(ADDRESSES[i % len(ADDRESSES)], 0))
            self.sockets[c.fileno()] = c
            self.poll.register(c.fileno(), select.EPOLLRDHUP)

    def ask(self):
        for c in self.sockets.values():
            c.sendall(QUESTION)
        for c in self.sockets.values():
            status, _, rest = read_answer(c)
            assert status == 200 and not rest, (status, rest)

    def ended(self):
        """How many the server has closed by now, without a word."""
        for fd, _ in self.poll.poll(0):
            c = self.sockets.pop(fd)
            assert c.recv(100) == b"", "an idle connection was told something"
            self.poll.unregister(fd)
            c.close()
        return CROWD - len(self.sockets)

    def close(self):
        self.poll.close()
        for c in self.sockets.values():
            c.close()


def has_descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard == resource.RLIM_INFINITY or hard >= CROWD + KEPT


def idle_may_take(s, ms):
    told = s.err.count("but for its certificate and the limits of connections")
    s.settings["server"]["idle_ms"] = ms
    s.write_config(s.settings)
    s.signal(signal.SIGHUP)
    until(lambda: s.err.count("but for its certificate and the limits of connections") > told, "the new limit")


def sit_out(folder, most_mib, before):
    """`before`: what each of them does before nothing happens any more."""
    begun = time.monotonic()
    with Server(folder, {"idle_ms": 3600000}) as s:
        alone = memory_mib(s, "VmRSS")
        with contextlib.closing(Crowd(s.port)) as crowd:
            before(crowd)
            until(lambda: s.metric("aiorch_http_connections") == CROWD + 1, "all of them")
            assert s.ask("Is there room for one more?").json["response"]
            assert s.ask("And for a stream?", stream=True).events[-1][0] == "done"
            grown = memory_mib(s, "VmRSS") - alone
            assert crowd.ended() == 0
            idle_may_take(s, 100)
            until(lambda: crowd.ended() == CROWD, "the end of all of them")
        idle_may_take(s, 3600000)
        until(lambda: s.metric("aiorch_http_connections") == 1, "the server's count of them")
        assert s.ask("Still there?").status == 200
    print(f"  {CROWD} connections: {grown} MiB beside {alone}, {time.monotonic() - begun:.1f} s in all")
    assert grown < most_mib or with_sanitizer(), grown


@case
def test_crowd__that_has_said_nothing(folder):
    sit_out(folder, SILENT_MOST_MIB, lambda crowd: None)


@case
def test_crowd__that_has_asked_once(folder):
    sit_out(folder, ASKED_MOST_MIB, Crowd.ask)


if __name__ == "__main__":
    if not has_descriptors():
        print(f"SKIP: no {CROWD} connections with so few descriptors (ulimit -Hn)")
        sys.exit(77)
    main()
