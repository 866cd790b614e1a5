"""Clients that take their time: slowhttptest (slowloris, slow bodies, slow reading), and 10,000 connections that do nothing."""

import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from _serve import Server, case, main, until  # noqa: E402

IDLE = 10000
LIMITS = {"head_timeout_ms": 3000, "body_timeout_ms": 3000, "write_timeout_ms": 2000, "connections_per_address": 0}


def attack(server, seconds, path, *args):
    """Runs it while the server is asked; (what it said, the longest answer in seconds)."""
    url = f"http://127.0.0.1:{server.port}{path}"
    process = subprocess.Popen(["slowhttptest", *args, "-c", "400", "-r", "400", "-l", str(seconds), "-u", url, "-p", "3"], cwd=server.folder,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    longest = 0.0
    while process.poll() is None:
        begun = time.monotonic()
        assert server.ask().status == 200
        longest = max(longest, time.monotonic() - begun)
        time.sleep(0.1)
    return re.sub(r"\x1b\[[0-9;]*m", "", process.stdout.read().decode("utf-8", "replace")), longest


def check_attack(folder, name, cut, path, *args):
    """`cut`: the phase in which all of its connections must be cut."""
    if not shutil.which("slowhttptest"):
        print("  slowhttptest is not installed: left out")
        return
    with Server(folder, LIMITS) as s:
        said, longest = attack(s, 8, path, *args)
        ended = {phase: int(s.metric(f'aiorch_http_timeouts_total{{phase="{phase}"}}')) for phase in ("head", "body", "write")}
        print(f"  {name}: cut {ended}; others were answered within {longest * 1000:.0f} ms")
        assert "service available: YES" in re.sub(r" +", " ", said), said[-1500:]
        assert not cut or ended[cut] >= 400, ended
        assert longest < 5, longest
        until(lambda: s.metric("aiorch_http_connections") <= 2, "the end of its connections")


@case
def test_slowloris(folder):
    check_attack(folder, "slowloris", "head", "/ask", "-H", "-i", "1", "-x", "24")


@case
def test_slow_bodies(folder):
    check_attack(folder, "slow bodies", "body", "/ask", "-B", "-i", "1", "-s", "8192", "-x", "10")


@case
def test_slow_reading(folder):
    check_attack(folder, "slow reading", None, "/openapi.json", "-X", "-w", "16", "-y", "32", "-n", "1", "-z", "8", "-k", "3")


@case
def test_idle_connections(folder):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, most - 500 if most != resource.RLIM_INFINITY else IDLE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with Server(folder, {"connections_per_address": 0, "connections_max": 20000, "idle_ms": 120000, "head_timeout_ms": 120000}) as s:
        held = []
        for _ in range(count):
            held.append(socket.create_connection(("127.0.0.1", s.port)))
        until(lambda: s.metric("aiorch_http_connections") >= count, "the connections")
        with open(f"/proc/{s.process.pid}/status", encoding="ascii") as f:
            resident = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
        begun = time.monotonic()
        for _ in range(20):
            assert s.ask().status == 200
        took = (time.monotonic() - begun) / 20
        print(f"  {count} idle connections: {resident // 1024} MiB resident, others are answered in {took * 1000:.1f} ms")
        assert count < IDLE or resident < 400 << 10, resident
        for c in held:
            c.close()
        until(lambda: s.metric("aiorch_http_connections") <= 2, "their end")


main()
