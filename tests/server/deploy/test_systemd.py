"""The units of examples/server/deploy as systemd's own tools see them, and the server beside what systemd does: a socket that is opened for it
and outlives it, and words about how it is. The units in a systemd that runs: tests/server/deploy/machine.sh, by hand."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from _serve import CLI, ROOT, WAIT_S, Server, case, cost_rows, main, post, read_all, read_answer, read_answer_head, until  # noqa: E402
from _fake_llm import FakeLlm, Reply  # noqa: E402

DEPLOY = os.path.join(ROOT, "examples", "server", "deploy")
EXPOSURE_MOST = 15  # of systemd-analyze security, in tenths: 1.5


def tool(name):
    if not shutil.which(name):
        print(f"  {name} is not installed: left out")
    return shutil.which(name)


def units(folder):
    """The units with the program of this build in the place of the installed one."""
    for name in ("aiorch.service", "aiorch.socket"):
        with open(os.path.join(DEPLOY, name), encoding="utf-8") as f:
            text = f.read()
        if name == "aiorch.service":
            text, count = re.subn(r"/usr/local/bin/aiorch", CLI, text)
            assert count == 1
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)
    return [os.path.join(folder, name) for name in ("aiorch.service", "aiorch.socket")]


@case
def test_units__verify(folder):
    if not tool("systemd-analyze"):
        return
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units(folder)], capture_output=True, text=True, check=False)
    own = [line for line in (done.stdout + done.stderr).splitlines() if "aiorch" in line]
    assert done.returncode == 0 and not own, (done.returncode, own or done.stderr)


@case
def test_units__security(folder):
    if not tool("systemd-analyze"):
        return
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MOST}", units(folder)[0]], capture_output=True, text=True,
                          check=False)
    if "unrecognized option" in done.stderr:
        print("  this systemd-analyze cannot look at files: left out")
        return
    print("  " + done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout[-2000:]


@case
def test_units__user_and_configuration(folder):
    """The user is made by the file for systemd-sysusers; the configuration is one that the server takes."""
    if tool("systemd-sysusers"):
        done = subprocess.run(["systemd-sysusers", "--dry-run", os.path.join(DEPLOY, "aiorch.sysusers")], capture_output=True, text=True, check=False)
        if "unrecognized option" not in done.stderr:
            assert done.returncode == 0 and "aiorch" in done.stdout + done.stderr, done.stderr
    with open(os.path.join(DEPLOY, "aiorch.json"), encoding="utf-8") as f:
        config = f.read()
    assert "/var/lib/aiorch" in config
    s = Server(folder)
    s.write_config(config.replace("/var/lib/aiorch", folder))
    done = subprocess.run([CLI, "keys", "create", "--tenant", "acme", "--user", "web", "--config", s.config_path], env=s.env, capture_output=True, check=True)
    with s:
        headers = {"Authorization": "Bearer " + done.stdout.decode().strip()}
        assert s.request("GET", "/v1/documents", headers=headers).status == 200 and s.request("GET", "/v1/documents").status == 401
    assert os.path.exists(os.path.join(folder, "store", "server.db"))


@case
def test_systemd_socket_activate(folder):
    """The program that systemd has for trying this: it opens the port, and starts the server when somebody comes."""
    if not tool("systemd-socket-activate"):
        return
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as s:
        port = s.getsockname()[1]
    s = Server(folder, listen=None)
    s.command = ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "-E", "HOME", *s.command]
    s.process = subprocess.Popen(s.command, env=s.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder)
    s.thread = threading.Thread(target=s._read, daemon=True)  # pylint: disable=protected-access
    s.thread.start()
    until(lambda: "Listening on" in s.err, "its socket")
    assert s.port is None  # nobody has come
    first = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
    first.sendall(post("Hello?").replace(b"Host: localhost", b"Host: localhost\r\nConnection: close"))
    assert b"200 OK" in read_all(first)
    until(lambda: s.port == port, "the server")
    assert "given by the service manager" in s.err
    ended(s)  # it has become the server, and ends as one


def ended(server):
    """Told once to end, it does so by itself: another signal would cut off what is under way."""
    server.signal(signal.SIGTERM)
    server.process.wait(WAIT_S)
    server.__exit__(None)


class Manager:
    """What systemd does for a service: it holds the socket, starts the server with it, and hears what that says."""

    def __init__(self, folder):
        self.folder = folder
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.words = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.words.bind(os.path.join(folder, "notify"))
        self.words.settimeout(WAIT_S)

    def start(self, env=None, **more):
        s = Server(self.folder, listen=None, env={"LISTEN_FDS": "1", "NOTIFY_SOCKET": os.path.join(self.folder, "notify"), **(env or {})}, **more)
        # the number of the process is known only between fork and exec, so a shell says it
        s.command = ["/bin/sh", "-c", f'exec 3<&{self.listener.fileno()}; LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$@"', "sh", *s.command]
        s.pass_fds = (self.listener.fileno(),)
        return s.start()

    def heard(self, what):
        """Waits for a datagram that begins so; others than signs of life must not come."""
        while True:
            text = self.words.recv(4096).decode()
            if text.startswith(what):
                return text
            assert text == "WATCHDOG=1", text

    def close(self):
        self.listener.close()
        self.words.close()


@case
def test_what_the_manager_hears(folder):
    m = Manager(folder)
    with contextlib.closing(m):
        s = m.start({"WATCHDOG_USEC": "600000"}, store="kept")
        assert m.heard("READY=1").startswith("READY=1\nSTATUS=Serving http://")
        for _ in range(3):
            m.heard("WATCHDOG=1")
        s.signal(signal.SIGHUP)
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", m.heard("RELOADING=1"))
        m.heard("READY=1")
        s.write_config("{")
        s.signal(signal.SIGHUP)
        m.heard("RELOADING=1")
        assert "not taken over" in m.heard("READY=1")
        ended(s)
        m.heard("STOPPING=1")
    quiet = Manager(os.path.join(folder, "home"))
    with contextlib.closing(quiet):  # a watchdog that is another process's
        s = Server(folder, listen=None, env={"LISTEN_FDS": "1", "NOTIFY_SOCKET": os.path.join(folder, "home", "notify"), "WATCHDOG_USEC": "300000"})
        s.command = ["/bin/sh", "-c", f'exec 3<&{quiet.listener.fileno()}; LISTEN_PID=$$ WATCHDOG_PID=1 exec "$@"', "sh", *s.command]
        s.pass_fds = (quiet.listener.fileno(),)
        s.start()
        quiet.heard("READY=1")
        ended(s)
        assert quiet.words.recv(4096).startswith(b"STOPPING=1")


def is_heard(c, request):
    """Whether an answer begins."""
    try:
        c.sendall(request)
        return c.recv(1, socket.MSG_PEEK) != b""
    except ConnectionError:
        return False


class Clients:
    """Ask one question after the other, on connections that stay open while the server lets them, until they are told to end. Who stands still
    until the server has closed a connection, and finds that out when the question is sent, asks it on another, as any client does: that the server
    has not read it the sums say."""

    def __init__(self, port, count):
        self.port, self.good, self.bad = port, 0, []
        self.lock, self.end = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(count)]

    def run(self, number):
        asked, c = 0, None
        try:
            while not self.end.is_set():
                c = c or socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
                asked += 1
                if not is_heard(c, post(f"Question {asked} of {number}?")):
                    c.close()
                    c, asked = None, asked - 1
                    continue
                head, status, body, _ = read_answer_head(c)
                with self.lock:
                    self.good += status == 200
                    if status != 200:
                        self.bad.append((status, body))
                if b"connection: close" in head.lower():
                    c.close()
                    c = None
        except Exception as e:  # pylint: disable=broad-except
            with self.lock:
                self.bad.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        for t in self.threads:
            t.join(WAIT_S)


@case
def test_restart__nobody_is_turned_away(folder):
    """Three times another process takes the socket, as after an upgrade: no request fails, and each is asked once and written down."""
    m = Manager(folder)
    with contextlib.closing(m), FakeLlm() as llm:
        s = m.start(llm=llm, store="kept")
        with Clients(m.port, 8) as clients:
            for i in range(3):
                before = clients.good
                until(lambda n=before: clients.good > n + 30 or clients.bad, "some answers")
                ended(s)
                asked = clients.good
                until(lambda n=asked: clients.good >= n, "those that wait")
                s = m.start(llm=llm, store="kept")
            before = clients.good
            until(lambda n=before: clients.good > n + 30 or clients.bad, "some answers")
        assert not clients.bad, clients.bad[:3]
        ended(s)
        assert len(llm.requests) == clients.good == cost_rows(folder), (len(llm.requests), clients.good, cost_rows(folder))


@case
def test_restart__what_is_under_way_is_finished(folder):
    """The old process finishes its stream while who comes anew waits for the next, and who is on an open connection is still served."""
    gate = threading.Event()
    m = Manager(folder)
    with contextlib.closing(m), FakeLlm() as llm:
        old = m.start(llm=llm)
        m.heard("READY=1")
        idle = old.raw(post("Before?"))
        read_answer(idle)
        llm.always = Reply(pieces=["words " * 400, "the end"], gate=gate)
        stream = old.raw(post("Long?", stream=True))
        until(lambda: len(llm.requests) == 2, "the request at the provider")
        llm.always = Reply()
        old.signal(signal.SIGTERM)
        m.heard("STOPPING=1")
        waits = old.raw(post("For the next?"))
        idle.sendall(post("On an open connection?"))
        head, status, _, _ = read_answer_head(idle)
        assert status == 200 and b"connection: close" in head.lower(), head
        gate.set()
        assert b"event: done" in read_all(stream)
        old.process.wait(WAIT_S)
        old.__exit__(None)
        new = m.start(llm=llm)
        status, body, _ = read_answer(waits)
        assert status == 200 and b"Hello from the fake." in body
        waits.close()
        ended(new)


if __name__ == "__main__":
    main()
