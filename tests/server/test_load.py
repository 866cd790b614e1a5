"""`aiorch serve` with everything on and everything at once, in this build, which may be one with sanitizers: keys and tokens that change, two
tenants, both stores, whole and streamed answers, clients that go, documents that come and go, a provider that fails, new configurations, and
the drain under load. No report, no leak, no descriptor left, every call of the provider accounted for."""

import collections
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import time

from _serve import CLI, KEY, WAIT_S, Server, case, main, until
from _load import Client, TENANTS, World

CLIENTS, LOAD_S, DRAIN_S = 14, 7, 1
SEEN_SURELY = {"ask", "leave", "half_close", "read_slowly", "documents", "search", "done", "error"}
JWT = {"jwt.algorithms": "HS256", "jwt.issuer": "tests", "jwt.audience": "aiorch", "jwt.tenant_claim": "tenant"}
REPORT = re.compile(r"runtime error|Sanitizer|data race|heap-use|leak of", re.I)


def settings_of(world):
    """The server's, and the library's."""
    own = {**JWT, "jwt.secret": world.secret, "heartbeat_ms": 50, "stream_buffer_bytes": 2048, "cors.origins": "https://app.example", "access_log": True,
           "metrics_tenant": "acme"}
    base = f"http://127.0.0.1:{world.provider_port}"
    config = {"rate_limit.requests": 1000000, "budget.user_nano_usd": 10 ** 15, "generate.chain": "moody,good", "generate.attempts": 2,
              "generate.retry_budget": 1000, "generate.breaker_failures": 4, "generate.breaker_open_ms": 100, "cache.match": "exact", "retrieve.threshold": 0.5,
              "embedder": "openai", "embedder.base_url": base + "/embed/v1", "embedder.key": KEY, "embedder.model": "vec-1", "embedder.dimensions": 16}
    for name in ("moody", "good"):
        config.update({f"providers.{name}.api": "openai", f"providers.{name}.base_url": f"{base}/{name}/v1", f"providers.{name}.model": "tiny-1",
                       f"providers.{name}.key": KEY})
    return own, config


def new_key(s, tenant):
    done = subprocess.run([CLI, "keys", "create", "--tenant", tenant, "--user", "u", "--config", s.config_path, "--json"], env=s.env, capture_output=True,
                          timeout=60, check=True)
    return json.loads(done.stdout)


class Keys:
    """A key for each tenant, again and again another."""

    def __init__(self, world, s):
        self.world, self.s, self.now = world, s, {}
        for tenant in TENANTS:
            self.make(tenant)

    def make(self, tenant):
        made = new_key(self.s, tenant)
        self.now[tenant], self.world.keys[tenant] = made, made["key"]

    def rotate(self, tenant):
        with self.world.change():
            old = self.now[tenant]
            self.make(tenant)
            subprocess.run([CLI, "keys", "revoke", old["id"], "--config", self.s.config_path], env=self.s.env, capture_output=True, timeout=60, check=True)
            until(lambda: knows(self.world, self.now[tenant]["key"]) and not knows(self.world, old["key"]), "the new key, and the end of the old one")
            self.world.dead_key = old["key"]


def reload(world, s, broken=False):
    """The same with another secret of tokens, or one that nobody can use."""
    count = "aiorch_server_reloads_failed_total" if broken else "aiorch_server_reloads_total"
    done = metric(world, s, count) + 1
    with world.change():
        if broken:
            s.write_config("{")
        else:
            world.old_secret, world.secret = world.secret, chr(ord("a") + int(done) % 26) * 32
            own, _ = settings_of(world)
            s.write_config({**s.settings, "server": {**s.settings["server"], **own}})
        s.signal(signal.SIGHUP)
        until(lambda: metric(world, s, count) >= done, "the new configuration")


def metric(world, s, name):
    with contextlib.closing(world.connect()) as c, c.makefile("rb") as f:
        c.sendall(f"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {world.keys['acme']}\r\n\r\n".encode())
        text = f.read().decode()
    for line in text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(f"no metric {name}: {text[:300]}")


def knows(world, key):
    with contextlib.closing(world.connect()) as c, c.makefile("rb") as f:
        c.sendall(f"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        return f.read().startswith(b"HTTP/1.1 200")


def any_client(s):
    """Whether the server has a connection of a client open still."""
    with open(f"/proc/{s.process.pid}/net/tcp", encoding="ascii") as f:
        words = [line.split() for line in f.readlines()[1:]]
    listens = "0A"
    return any(int(w[1].split(":")[1], 16) == s.port and w[3] != listens and w[9] != "0" for w in words)


def descriptors(world, s):
    """What the server has open, but for connections to the provider, which it keeps."""
    kept, out = set(), {}
    with open(f"/proc/{s.process.pid}/net/tcp", encoding="ascii") as f:
        for line in f.readlines()[1:]:
            word = line.split()
            if int(word[2].split(":")[1], 16) == world.provider_port:
                kept.add(f"socket:[{word[9]}]")
    for fd in os.listdir(f"/proc/{s.process.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            what = os.readlink(f"/proc/{s.process.pid}/fd/{fd}")
            if what not in kept and not what.endswith(".db"):  # SQLite keeps those of a file that is still open elsewhere, for the next
                kind = re.sub(r"\d+", "N", what)
                out[kind] = out.get(kind, 0) + 1
    return out


def warm(world, s):
    """Has the server open what it opens for the first request of a kind. Afterwards no client is connected, and it has seen that."""
    client = Client(world, 0)
    for action in (client.ask, client.search, client.embed, client.documents):
        action()
    client.drop()
    until(lambda: not any_client(s), "the end of the connections")


def load(world, s, seconds, meanwhile, wanted=frozenset()):
    """All clients, while what is to happen meanwhile does, and until all that is wanted was seen; they are still at work when it ends."""
    world.stop.clear()
    clients = [Client(world, i) for i in range(CLIENTS)]
    for c in clients:
        c.start()
    deadline, last = time.monotonic() + seconds, time.monotonic() + seconds + WAIT_S
    while not world.wrong and (time.monotonic() < deadline or wanted - world.seen.keys() and time.monotonic() < last):
        for step in meanwhile:
            step()
            time.sleep(0.2)
        if not meanwhile:
            time.sleep(0.1)
    return clients


def join(world, clients):
    world.stop.set()
    for c in clients:
        c.join(60)
        c.drop()
    assert not any(c.is_alive() for c in clients), "a client waits for ever"


def nothing_wrong(world):
    assert not world.wrong, f"{len(world.wrong)}: " + "\n".join(sorted({w[:60]: w for w in world.wrong}.values()))


def whole_life(folder, world, store, meanwhile):
    own, config = settings_of(world)
    prices = os.path.join(folder, "prices.json")
    with open(prices, "w", encoding="utf-8") as f:
        json.dump({"prices": [{"model": "tiny-*", "input": 250000000, "output": 1250000000}, {"model": "vec-*", "input": 1000000, "output": 0}]}, f)
    s = Server(folder, own, {**config, "cost.prices_file": prices, "server.keys": os.path.join(folder, "keys.db")}, anonymous=False, store=store)
    with s:
        world.server = s
        keys = Keys(world, s)
        until(lambda: all(knows(world, key) for key in world.keys.values()), "the keys")
        warm(world, s)
        first = descriptors(world, s)
        clients = load(world, s, LOAD_S, meanwhile(world, s, keys), SEEN_SURELY)
        join(world, clients)
        nothing_wrong(world)
        until(lambda: metric(world, s, "aiorch_http_calls") == 1, "the end of all calls")
        if store != "memory":
            reload(world, s)  # connections to a store that were opened for the load are not missed
        warm(world, s)
        left = {}

        def none_left():
            left.clear()
            left.update(descriptors(world, s))
            return left == first
        with contextlib.suppress(AssertionError):
            until(none_left)
        assert left == first, (first, left)
        clients = load(world, s, DRAIN_S, [])
        world.going_down = True
        s.signal(signal.SIGTERM)
        s.process.wait(60)
        join(world, clients)
        nothing_wrong(world)
    assert not REPORT.search(s.err), s.err[-5000:]
    print(f"  {store}: {dict(sorted(world.seen.items()))}; the provider counted {world.calls} calls and {world.embedded} of embeddings")
    for what in sorted(SEEN_SURELY):
        assert world.seen[what] > 0, f"nobody saw {what}"
    world.end()
    return s


def check_ledger(folder, world):
    """Each call that the provider counted is a row; each run that was answered has its own, as it was told."""
    with contextlib.closing(sqlite3.connect(os.path.join(folder, "kept", "ledger.db"))) as db:
        runs = {row[0]: row[1:] for row in db.execute("SELECT id, status, cost_nano_usd FROM ai_api_calls")}
        attempts = db.execute("SELECT run_id, state, request_id FROM ai_attempts WHERE provider IN ('moody', 'good')").fetchall()
    of_run, told = collections.Counter(a[0] for a in attempts), [a[2] for a in attempts if a[2]]
    assert all(a[1] == 1 for a in attempts), "an attempt is open after an orderly end"
    assert len(told) == len(set(told)), "a call has two rows"
    assert set(told) <= {f"chat-{i}" for i in range(world.calls)}, "a row names a call that never was"
    for run, (name, how, cost) in world.answered.items():
        assert run in runs, f"the run of {name} is not written down"
        status, nano = runs[run]
        assert (status == 0) == (how == "done"), (name, how, status)
        assert cost is None or round(float(cost) * 10 ** 9) == nano, (name, cost, nano)
        if "common" not in name:
            least, most = world.asked[name], world.asked[name] + world.silent[name]
            assert least <= of_run[run] <= most, f"{name}: the provider counted {least} to {most}, the ledger has {of_run[run]}"
    asked, silent = sum(world.asked.values()), sum(world.silent.values())
    print(f"  {len(runs)} runs, {len(attempts)} attempts; the provider counted {asked}, and {silent} that it cut before a word")
    assert asked <= len(attempts) <= asked + silent + len(world.lost), (asked, silent, len(attempts), len(world.lost))


@case
def test_memory(folder):
    whole_life(folder, World(1), "memory", lambda world, s, keys: [lambda: keys.rotate("acme"), lambda: s.signal(signal.SIGHUP), lambda: keys.rotate("globex")])


@case
def test_sqlite(folder):
    world = World(2)
    whole_life(folder, world, "kept", lambda world, s, keys: [lambda: reload(world, s), lambda: keys.rotate("acme"), lambda: reload(world, s, True),
                                                                   lambda: reload(world, s), lambda: keys.rotate("globex")])
    check_ledger(folder, world)


if __name__ == "__main__":
    main()
