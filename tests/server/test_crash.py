"""kill -9 of `aiorch serve` under load, again and again: each call that the provider counted has exactly one row in the ledger."""

import contextlib
import http.client
import http.server
import json
import os
import random
import signal
import sqlite3
import threading
import time

from _serve import KEY, Server, case, main, until

ROUNDS, CLIENTS, LOAD_S = 5, 12, 1.2


class Provider(http.server.BaseHTTPRequestHandler):
    """Counts whoever asks, before anything is answered, and takes its time."""
    protocol_version = "HTTP/1.1"
    ids, lock = [], threading.Lock()

    def do_POST(self):  # pylint: disable=invalid-name
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with Provider.lock:
            number = len(Provider.ids)
            Provider.ids.append(f"chat-{number}")
        time.sleep(random.uniform(0.0, 0.05))
        answer = {"id": f"chat-{number}", "model": body["model"], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
                  "choices": [{"index": 0, "message": {"role": "assistant", "content": f"Answer {number}."}, "finish_reason": "stop"}]}
        text = json.dumps(answer).encode()
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        pass


class ProviderServer(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128

    def handle_error(self, *_):  # those who asked were killed
        pass


class Clients:
    """Threads that ask, each question another, until they are told to stop; the ids of runs that were answered."""

    def __init__(self, port):
        self.port, self.stop, self.answered, self.failed = port, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.ask, args=(i,), daemon=True) for i in range(CLIENTS)]
        for t in self.threads:
            t.start()

    def ask(self, who):
        n = 0
        while not self.stop.is_set():
            n += 1
            try:
                with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as c:
                    c.request("POST", "/ask", json.dumps({"message": f"Question {who} {n} {random.random()}?"}))
                    answer = c.getresponse()
                    body = answer.read()
                    if answer.status == 200:
                        assert json.loads(body)["provider"] == "fake"
                        self.answered.append(answer.getheader("x-aiorch-run-id"))
            except (OSError, http.client.HTTPException):
                self.failed += 1
                time.sleep(0.02)

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(60)


def rows(folder, sql):
    with contextlib.closing(sqlite3.connect(os.path.join(folder, "store", "ledger.db"))) as db:
        return db.execute(sql).fetchall()


@case
def test_kill_9_under_load(folder):
    provider = ProviderServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    config = {"providers.fake.api": "openai", "providers.fake.base_url": f"http://127.0.0.1:{provider.server_address[1]}/v1", "providers.fake.model": "tiny-1",
              "providers.fake.key": KEY, "providers.fake.stream": False, "retrieve.enabled": False, "cache.mode": "off"}
    answered = []
    for round_ in range(ROUNDS):
        last = round_ + 1 == ROUNDS
        s = Server(folder, config=config, store="store").start()
        clients = Clients(s.port)
        before = len(Provider.ids)
        until(lambda: len(Provider.ids) > before + 3 * CLIENTS, "some load")
        time.sleep(random.uniform(0.1, LOAD_S))
        if last:
            clients.end()
            s.__exit__(None)
        else:
            s.signal(signal.SIGKILL)
            s.process.wait()
            clients.end()
        answered += clients.answered
    counted = set(Provider.ids)
    provider.shutdown()
    attempts = rows(folder, "SELECT run_id, id, state, request_id FROM ai_attempts")
    told = [r[3] for r in attempts if r[3]]
    open_rows = [r for r in attempts if not r[3]]
    runs = {r[0].replace("-", "") for r in attempts if r[2] == 1}
    lost = counted - set(told)
    print(f"  {ROUNDS - 1} kills: the provider counted {len(counted)} calls; {len(told)} rows name one, {len(open_rows)} are open (pending or unknown) for the other {len(lost)}")
    assert len(told) == len(set(told)), "a call has two rows"
    assert set(told) <= counted, "a row names a call that never was"
    assert len(lost) <= len(open_rows) <= len(lost) + (ROUNDS - 1) * CLIENTS, (len(lost), len(open_rows))
    assert all(r[2] in (0, 2) for r in open_rows), [r for r in open_rows if r[2] not in (0, 2)][:5]
    missing = [r for r in answered if r.replace("-", "") not in runs]
    assert not missing, f"{len(missing)} of {len(answered)} answered runs have no settled row: {missing[:3]}"


main()
