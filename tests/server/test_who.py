"""Who is calling `aiorch serve`: keys, two tenants over every endpoint, documents, pages of other places, callers without a name."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

from _serve import CLI, WAIT_S, Server, case, main, read_all, until

CANARIES = {"acme": "CANARY-ACME-7731", "globex": "CANARY-GLOBEX-4402"}


def keys(server, *args, code=0):
    done = subprocess.run([CLI, "keys", *args, "--config", server.config_path, "--json"], env=server.env, capture_output=True, timeout=60, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout)


def new_key(server, tenant, user="u", *more):
    return keys(server, "create", "--tenant", tenant, "--user", user, *more)


def bearer(key):
    return {"Authorization": "Bearer " + (key["key"] if isinstance(key, dict) else key)}


def code_of(answer):
    return answer.json["error"]["code"]


def two_tenants(s):
    """A document with a canary each; their keys."""
    both = {}
    for tenant, canary in CANARIES.items():
        both[tenant] = bearer(new_key(s, tenant))
    until(lambda: all(s.request("GET", "/v1/documents", headers=h).status == 200 for h in both.values()), "the keys")
    for tenant, canary in CANARIES.items():
        added = s.request("POST", "/v1/documents", {"uri": "secret.md", "text": f"# Parcels\n\nThe secret word of parcels is {canary}."}, both[tenant])
        assert added.status == 201 and added.json["status"] == "added", added.text
    return both


def every_request(document):
    """What a tenant may send, with the id of a document."""
    question = "What is the secret word of parcels?"
    chat = {"model": "aiorch", "messages": [{"role": "user", "content": question}]}
    quoted = urllib.parse.quote(document, safe="")
    return [
        ("POST", "/ask", {"message": question}),
        ("POST", "/ask", {"message": question, "stream": True}),
        ("POST", "/v1/chat/completions", chat),
        ("POST", "/v1/chat/completions", {**chat, "stream": True}),
        ("POST", "/v1/messages", {**chat, "max_tokens": 100}),
        ("POST", "/v1/messages", {**chat, "max_tokens": 100, "stream": True}),
        ("POST", "/v1/search", {"query": question}),
        ("GET", "/v1/documents", None),
        ("GET", "/v1/documents?limit=1000", None),
        ("GET", "/v1/documents?uri=secret.md", None),
        ("GET", "/v1/documents/" + quoted, None),
        ("GET", "/v1/models", None),
        ("GET", "/metrics", None),
    ]


@case
def test_two_tenants_on_every_endpoint(folder):
    with Server(folder, anonymous=False, store="store") as s:
        both = two_tenants(s)
        ids = {t: s.request("GET", "/v1/documents", headers=h).json["data"][0]["id"] for t, h in both.items()}
        told = {t: 0 for t in both}
        for round_ in range(2):  # the second time from the cache
            for tenant, other in (("acme", "globex"), ("globex", "acme")):
                smuggled = {"x-tenant": other, "x-tenant-id": other, "x-user": "root", "tenant": other, "openai-organization": other}
                for headers in (both[tenant], {**both[tenant], **smuggled}):
                    for document in (ids[tenant], ids[other], "secret.md"):
                        for method, path, body in every_request(document):
                            answer = s.request(method, path, {**body, "aiorch": {"tenant": other}} if body and round_ and "/v1/chat" in path else body, headers)
                            assert CANARIES[other] not in answer.text, (tenant, method, path, answer.text[:500])
                            told[tenant] += CANARIES[tenant] in answer.text
                assert s.request("GET", "/v1/documents/" + ids[other], headers=both[tenant]).status == 404
                assert s.request("DELETE", "/v1/documents/" + ids[other], headers=both[tenant]).status == 404
        assert all(n > 20 for n in told.values()), told
        assert s.request("DELETE", "/v1/documents?uri=secret.md", headers=both["acme"]).json["deleted"] is True
        left = s.request("GET", "/v1/documents/secret.md", headers=both["globex"])
        assert left.status == 200 and CANARIES["globex"] in left.text, left.text


@case
def test_body_names_no_tenant(folder):
    with Server(folder, anonymous=False, store="store") as s:
        both = two_tenants(s)
        for extra in ({"tenant": "globex"}, {"tenant_id": "globex"}, {"user": "root"}):
            answer = s.request("POST", "/v1/documents", {"uri": "x", "text": "x", **extra}, both["acme"])
            assert answer.status == 400 and code_of(answer) == "unknown_parameter", answer.text
            answer = s.request("POST", "/ask", {"message": "What is the secret word of parcels?", **extra}, both["acme"])
            assert CANARIES["globex"] not in answer.text, answer.text


@case
def test_without_a_key(folder):
    with Server(folder, anonymous=False, store="store") as s:
        for method, path, body in every_request("x"):
            answer = s.request(method, path, body)
            assert answer.status == 401 and answer.headers["www-authenticate"] == "Bearer", (path, answer.status, answer.text)
            assert "no key was sent" in answer.json["error"]["message"]
            answer = s.request(method, path, body, bearer("aik_" + "0" * 38))
            assert answer.status == 401, (path, answer.text)
        for path in ("/healthz", "/readyz", "/openapi.json"):
            assert s.request("GET", path).status == 200, path


@case
def test_a_new_key_is_good_at_once(folder):
    with Server(folder, anonymous=False, store="store") as s:
        for i in range(10):
            key = new_key(s, "acme", f"user-{i}")
            first = s.request("GET", "/v1/documents", headers=bearer(key))
            assert first.status == 200, (i, first.text)
            keys(s, "revoke", key["id"])  # rotated: the new one, too, is good at once
            rotated = new_key(s, "acme", f"user-{i}")
            answer = s.request("POST", "/ask", {"message": "Hello? " * 1000}, bearer(rotated))
            assert answer.status == 200, (i, answer.text)
            piped = s.raw(b"".join(b"GET /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n" % (key.encode(), end) for key, end in
                                   ((rotated["key"], b""), (new_key(s, "acme")["key"], b"Connection: close\r\n"))))
            assert read_all(piped).count(b"HTTP/1.1 200") == 2
        unknown = s.request("GET", "/v1/documents", headers=bearer(never_made()))
        assert unknown.status == 401 and "not known" in unknown.json["error"]["message"], unknown.text


def never_made():
    """A key that is well written and in no table."""
    folder = tempfile.mkdtemp()
    try:
        elsewhere = Server(folder, anonymous=False, store="store")
        return new_key(elsewhere, "nobody")["key"]
    finally:
        shutil.rmtree(folder)


@case
def test_unknown_keys__many_wait_and_some_go(folder):
    with Server(folder, anonymous=False, store="store") as s:
        key, good = never_made().encode(), new_key(s, "acme")
        body = b"POST /ask HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100000\r\n\r\n%s" % (key, b"x" * 100000)
        many = [s.raw(body) for _ in range(300)]
        for c in many[::3]:
            c.close()
        for c in many:
            if c.fileno() >= 0:
                got = read_all(c)
                assert got[:13] in (b"HTTP/1.1 401 ", b"HTTP/1.1 503 ", b""), got[:200]  # nothing: it was not read within the time that is waited
                c.close()
        assert s.request("GET", "/v1/documents", headers=bearer(good)).status == 200


@case
def test_unknown_keys__leave_room_for_known_ones(folder):
    with Server(folder, {"calls_max": 8}, anonymous=False, store="store") as s:
        unknown, good = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % never_made().encode(), new_key(s, "acme")
        until(lambda: s.request("GET", "/v1/models", headers=bearer(good)).status == 200, "the key")
        for _ in range(20):
            many = [s.raw(unknown) for _ in range(16)]
            assert s.request("GET", "/v1/models", headers=bearer(good)).status == 200
            for c in many:
                c.close()


@case
def test_a_revoked_key_stops_within_a_second(folder):
    with Server(folder, anonymous=False, store="store") as s:
        key = new_key(s, "acme")
        until(lambda: s.request("GET", "/v1/documents", headers=bearer(key)).status == 200, "the key")
        assert s.request("GET", "/v1/documents", headers={"x-api-key": key["key"]}).status == 200
        keys(s, "revoke", key["id"])
        begun = time.monotonic()
        until(lambda: s.request("GET", "/v1/documents", headers=bearer(key)).status == 401, "the refusal")
        print(f"  revoked keys are refused after {time.monotonic() - begun:.2f} s")
        assert "revoked" in s.request("GET", "/v1/documents", headers=bearer(key)).json["error"]["message"]
        listed = keys(s, "list")["keys"]
        assert [(k["id"], k["state"], k["last4"]) for k in listed] == [(key["id"], "revoked", key["key"][-4:])], listed
        assert key["key"] not in json.dumps(listed)


def takes_up_and_says_nothing():
    """A PostgreSQL that lets everybody in and then goes without a word: its port, and its socket."""
    listener = socket.create_server(("127.0.0.1", 0))
    held = []

    def let_in():
        with contextlib.suppress(OSError):
            while True:
                c, _ = listener.accept()
                c.recv(4096)
                c.sendall(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")
                held.append(c)
    threading.Thread(target=let_in, daemon=True).start()
    return listener.getsockname()[1], listener


@case
def test_keys__postgresql_goes_without_a_word(folder):
    port, listener = takes_up_and_says_nothing()
    with listener:
        s = Server(folder, {"keys": f"postgresql://u@127.0.0.1:{port}/d?sslmode=disable&gssencmode=disable"}, anonymous=False)
        done = subprocess.run(s.command, env=s.env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "does not answer" in done.stderr or "this build keeps none" in done.stderr, done.stderr


@case
def test_keys_command(folder):
    s = Server(folder, anonymous=False, store="store")
    keys(s, "create", "--tenant", "acme", code=2)  # for whom?
    keys(s, "create", "--tenant", "acme", "--user", "u", "--expires", "yesterday", code=2)
    keys(s, "revoke", "key_nothing", code=9)
    keys(s, "revoke", code=2)
    key = new_key(s, "acme", "ü", "--name", "front end", "--expires", "90d")
    assert 89 * 86400000 < key["expires_ms"] - key["created_ms"] <= 90 * 86400000
    with s:
        until(lambda: s.request("GET", "/v1/documents", headers=bearer(key)).status == 200, "the key")


@case
def test_two_keys_at_once(folder):
    with Server(folder, anonymous=False, store="store") as s:
        a, b = new_key(s, "acme"), new_key(s, "globex")
        until(lambda: s.request("GET", "/v1/documents", headers=bearer(b)).status == 200, "the keys")
        assert s.request("GET", "/v1/documents", headers={**bearer(a), "x-api-key": b["key"]}).status == 401
        assert s.request("GET", "/v1/documents", headers={**bearer(a), "x-api-key": a["key"]}).status == 200
        for name in ("x-api-key: ", "Authorization: Bearer "):
            twice = read_all(s.raw(f"GET /v1/documents HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{name}{a['key']}\r\n{name}{b['key']}\r\n\r\n".encode()))
            assert twice.startswith(b"HTTP/1.1 400"), twice[:200]
        twice = read_all(s.raw(f"GET /v1/documents HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {a['key']}\r\n"
                               f"Authorization: Bearer {b['key']}\r\n\r\n".encode()))
        assert twice.startswith(b"HTTP/1.1 400"), twice[:200]


@case
def test_documents(folder):
    with Server(folder, {"body_max_bytes": 65536}, store="store", config={"embedder": "none"}) as s:
        refused = s.request("POST", "/v1/documents", {"uri": "a", "text": "b"})
        assert refused.status == 403 and code_of(refused) == "permission_denied", refused.text
    with Server(folder, {"body_max_bytes": 65536, "anonymous_documents": True}, store="store") as s:
        html = "<html><title>Ports</title><h1 id=p>Ports</h1><p>The server listens on port 5432.</p><script>evil()</script>"
        added = s.request("POST", "/v1/documents", {"uri": "https://x.example/a?b=c", "html": html, "metadata": {"year": 2024, "draft": False}})
        assert added.status == 201 and added.json["title"] == "Ports" and added.json["embedded"] is None, added.text
        same = s.request("POST", "/v1/documents", {"uri": "https://x.example/a?b=c", "html": html, "metadata": {"year": 2024, "draft": False}})
        assert same.status == 200 and same.json["status"] == "unchanged", same.text
        by_id = s.request("GET", "/v1/documents/" + added.json["id"]).json
        by_uri = s.request("GET", "/v1/documents/" + urllib.parse.quote("https://x.example/a?b=c", safe="")).json
        assert by_id == by_uri and "5432" in by_id["text"] and "evil" not in by_id["text"], by_id
        for i in range(5):
            s.request("POST", "/v1/documents", {"uri": f"n{i}", "text": f"Note {i} about ports.", "title": f"N{i}"})
        seen, after = [], ""
        while after is not None:
            page = s.request("GET", "/v1/documents?limit=2" + (f"&after={urllib.parse.quote(after, safe='')}" if after else "")).json
            seen += [d["uri"] for d in page["data"]]
            assert page["has_more"] == (page["next_after"] is not None) and len(page["data"]) <= 2
            after = page["next_after"]
        assert seen == ["https://x.example/a?b=c", "n0", "n1", "n2", "n3", "n4"], seen
        found = s.request("POST", "/v1/search", {"query": "port", "limit": 2, "filters": {"year": {"from": "2020"}}}).json["data"]
        assert [h["uri"].split("#")[0] for h in found] == ["https://x.example/a?b=c"], found
        for body, param in (({"text": "x"}, "uri"), ({"uri": "x"}, "text"), ({"uri": "x", "text": "x", "html": "x"}, "text"), ({"uri": "x", "text": 1}, "text"),
                            ({"uri": "x", "text": "x", "format": "pdf"}, "format"), ({"uri": "x", "text": "x", "metadata": {"a": [1]}}, "metadata"),
                            ({"uri": "x" * 5000, "text": "x"}, "uri"), ({"uri": "x", "text": "x", "metadata": {"a" * 99: "b"}}, "metadata")):
            answer = s.request("POST", "/v1/documents", body)
            assert answer.status == 400 and answer.json["error"]["param"] == param, (body, answer.text)
        for path in ("/v1/documents?limit=0", "/v1/documents?limit=x", "/v1/documents?limit=1001"):
            assert s.request("GET", path).status == 400, path
        assert s.request("POST", "/v1/documents", b"{nonsense").status == 400
        assert s.request("POST", "/v1/search", {"query": ""}).status == 400
        assert s.request("POST", "/v1/search", {"query": "x", "limit": 101}).status == 400
        assert s.request("DELETE", "/v1/documents").status == 400
        assert s.request("DELETE", "/v1/documents/n0").status == 200 and s.request("DELETE", "/v1/documents/n0").status == 404


@case
def test_pages_of_other_places(folder):
    origins = {"cors": {"origins": "https://app.example"}}
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os"}
    with Server(folder, origins) as s:
        good = s.request("OPTIONS", "/ask", headers={"Origin": "https://app.example", **ask})
        assert good.status == 204 and good.headers["access-control-allow-origin"] == "https://app.example", good.headers
        assert "x-stainless-os" in good.headers["access-control-allow-headers"] and "POST" in good.headers["access-control-allow-methods"]
        bad = s.request("OPTIONS", "/ask", headers={"Origin": "https://evil.example", **ask})
        assert "access-control-allow-origin" not in bad.headers, bad.headers
        for stream in (False, True):
            answer = s.request("POST", "/ask", {"message": "Hello?", "stream": stream}, {"Origin": "https://app.example"})
            assert answer.status == 200 and answer.headers["access-control-allow-origin"] == "https://app.example" and answer.headers["vary"] == "Origin"
            assert "x-aiorch-run-id" in answer.headers["access-control-expose-headers"]
        refused = s.request("POST", "/ask", {"message": "Hello?"}, {"Origin": "https://evil.example", "Content-Type": "text/plain"})
        assert refused.status == 403 and code_of(refused) == "origin_not_allowed", refused.text
        problem = s.request("POST", "/ask", b"{", {"Origin": "https://app.example"})
        assert problem.status == 400 and problem.headers["access-control-allow-origin"] == "https://app.example"
        lost = s.request("GET", "/nowhere", headers={"Origin": "https://app.example"})
        assert lost.status == 404 and lost.headers["access-control-allow-origin"] == "https://app.example"


@case
def test_pages_that_borrow_a_name(folder):
    """DNS rebinding: a page whose own name resolves to this machine is of the same origin to its browser, and has no key."""
    page = {"Host": "evil.example:8484", "Origin": "http://evil.example:8484", "Content-Type": "application/json", "X-Forwarded-Host": "localhost"}
    with Server(folder, {"anonymous_documents": True, "metrics_open": True, "trusted_proxies": "127.0.0.1"}) as s:
        for method, path, body in (("POST", "/ask", {"message": "Hello?"}), ("POST", "/v1/search", {"query": "x"}), ("GET", "/v1/documents", None),
                                   ("DELETE", "/v1/documents?uri=a", None), ("GET", "/metrics", None), ("GET", "/v1/models", None)):
            refused = s.request(method, path, body, page)
            assert refused.status == 403 and code_of(refused) == "host_not_allowed" and "server.hosts" in refused.json["error"]["message"], (path, refused.text)
        refused = s.request("POST", "/v1/messages", {"model": "aiorch", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}, page)
        assert refused.status == 403 and refused.json["type"] == "error" and "server.hosts" in refused.json["error"]["message"], refused.text
        for host in ("127.0.0.1", "localhost:1", "app.localhost", "[::1]:8484"):
            assert s.request("POST", "/ask", {"message": "Hello?"}, {"Host": host}).status == 200, host
        assert s.request("GET", "/healthz", headers=page).status == 200  # whoever watches it names it as they like
        assert read_all(s.raw(b"GET /v1/models HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")  # no browser's


@case
def test_names_of_the_server(folder):
    named = {"Host": "ai.example.org"}
    with Server(folder, anonymous=True, store="store") as s:
        assert s.request("GET", "/v1/models", headers=named).status == 403
        who = bearer(new_key(s, "acme"))
        until(lambda: s.request("GET", "/v1/models", headers={**named, **who}).status == 200, "the key")  # who has a key is no page's guest
        s.settings["server"]["hosts"] = "ai.example.org, *.ts.example"
        s.write_config(s.settings)
        s.signal(signal.SIGHUP)
        until(lambda: s.request("GET", "/v1/models", headers=named).status == 200, "the new configuration")
        assert s.request("GET", "/v1/models", headers={"Host": "box.ts.example:8484"}).status == 200
        assert s.request("GET", "/v1/models", headers=who).status == 200
        refused = s.request("GET", "/v1/models", headers={"Host": "evil.example", **who})
        assert refused.status == 403 and code_of(refused) == "host_not_allowed", refused.text  # then it holds for all


@case
def test_limits_and_their_headers(folder):
    with Server(folder, anonymous=False, store="store", config={"rate_limit.requests": 2}) as s:
        who = bearer(new_key(s, "acme"))
        until(lambda: s.request("GET", "/v1/documents", headers=who).status == 200, "the key")
        for left in ("1", "0"):
            answer = s.request("POST", "/ask", {"message": "Hello?", "stream": left == "0"}, who)
            assert answer.status == 200 and answer.headers["x-ratelimit-limit-requests"] == "2", answer.headers
            assert answer.headers["x-ratelimit-remaining-requests"] == left and answer.headers["x-ratelimit-reset-requests"] == "1h0m0s"
        refused = s.request("POST", "/ask", {"message": "Hello?"}, who)
        assert refused.status == 429 and 1 <= int(refused.headers["retry-after"]) <= 3600, refused.headers
        assert refused.headers["x-ratelimit-remaining-requests"] == "0" and refused.json["error"]["type"] == "rate_limit_error", refused.text


@case
def test_callers_without_a_name(folder):
    with Server(folder, {"anonymous_per_minute": 3, "trusted_proxies": "127.0.0.1"}) as s:
        def ask(address):
            return s.request("POST", "/ask", {"message": "Hello?"}, {"X-Forwarded-For": address})
        for last in range(1, 10):  # who stands still for 20 s has one more: then as somebody else
            address, begun = f"198.51.100.{last}", time.monotonic()
            line = f"GET /v1/documents HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: {address}\r\n\r\n"
            first, more, refused = ask(address), (ask(address), ask("6.6.6.6, " + address)), ask(address)
            told = read_all(s.raw(line.encode()))
            if time.monotonic() < begun + 15:
                break
        assert first.status == 200 and first.headers["x-ratelimit-limit-requests"] == "3", first.headers
        assert [a.status for a in more] == [200, 200]
        assert refused.status == 429 and 1 <= int(refused.headers["retry-after"]) <= 20, refused.headers
        assert ask("198.51.100.200").status == 200
        assert told.startswith(b"HTTP/1.1 429")  # a proxy that adds a line of its own is the one that is believed
    with Server(folder, {"anonymous_per_minute": 1}) as s:  # nobody is trusted: what a client writes changes nothing
        assert s.request("POST", "/ask", {"message": "Hello?"}, {"X-Forwarded-For": "198.51.100.1"}).status == 200
        assert s.request("POST", "/ask", {"message": "Hello?"}, {"X-Forwarded-For": "198.51.100.2"}).status == 429


@case
def test_a_place_of_keys_that_is_none(folder):
    """Keys that were read go on for a minute, and stderr says what is wrong, once."""
    with Server(folder, store="store", anonymous=False) as s:
        who, place = bearer(new_key(s, "acme")), os.path.join(folder, "store", "server.db")
        assert s.request("GET", "/v1/models", headers=who).status == 200
        with open(place + ".none", "wb") as f:
            f.write(b"this is none" * 1000)
        os.link(place, place + ".away")
        os.replace(place + ".none", place)
        until(lambda: "callers are checked by what was read before" in s.err and place in s.err, "a word of it")
        assert s.request("GET", "/v1/models", headers=who).status == 200
        os.replace(place + ".away", place)
        until(lambda: "callers are checked by what is read now again" in s.err, "the end of it")
        assert s.err.count("read before") == 1 and s.request("GET", "/v1/models", headers=who).status == 200, s.err


@case
def test_figures_are_not_for_everybody(folder):
    with Server(folder, {"metrics_open": False}, store="store") as s:
        assert s.ask().status == 200
        tenant, operator = bearer(new_key(s, "acme")), bearer(new_key(s, "operators"))
        for who in ({}, tenant, operator):
            refused = s.request("GET", "/metrics", headers=who)
            assert (refused.status, refused.json["error"]["code"]) == (403, "permission_denied"), refused.text
        assert s.request("GET", "/metrics", headers=bearer(new_key(s, "default"))).status == 200
        s.write_config({**s.settings, "server": {**s.settings["server"], "metrics_tenant": "operators"}})
        s.signal(signal.SIGHUP)
        until(lambda: s.request("GET", "/metrics", headers=operator).status == 200, "the new configuration")
        assert s.request("GET", "/metrics", headers=operator).text.startswith("# HELP aiorch_build_info")
        assert [s.request("GET", "/metrics", headers=who).status for who in ({}, tenant)] == [403, 403]
    with Server(folder, {"metrics_open": False}) as s:
        assert s.request("GET", "/metrics").status == 403, "who has no key is no operator, whatever tenant they ask for"


@case
def test_one_tenant_does_not_shut_out_others(folder):
    """A tenant's requests that promise a body and do not send it, until it is told that they are too many."""
    for limits, length in (({"bodies_max_bytes": 4 << 20, "body_max_bytes": 1 << 20}, 1 << 20), ({"calls_max": 4}, 100000)):
        with contextlib.ExitStack() as held, Server(folder, limits, anonymous=False, store="store") as s:
            acme, globex = new_key(s, "acme")["key"], bearer(new_key(s, "globex"))
            until(lambda who=globex: s.request("GET", "/v1/documents", headers=who).status == 200, "the key")
            promise, conns = f"POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme}\r\nContent-Length: {length}\r\n\r\n".encode(), []
            for wait_s in (0.5, 0.5, 0.5, 0.5, WAIT_S):  # the last of them is one too many at any rate
                conns.append(held.enter_context(s.raw(promise)))
                told, _, _ = select.select(conns, [], [], wait_s)
                if told:
                    break
            said = told[0].recv(65536) if told else b""
            assert said.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 1" in said and b'"overloaded"' in said, said
            added = s.request("POST", "/v1/documents", {"uri": "a.md", "text": "# Ports"}, globex)
            assert added.status in (200, 201), (limits, added.text)


@case
def test_who_is_refused_holds_no_place(folder):
    """Without a key, and the body that was promised does not come: the answer waits for it, other callers do not."""
    with contextlib.ExitStack() as held, Server(folder, {"calls_max": 4}, anonymous=False, store="store") as s:
        globex = bearer(new_key(s, "globex"))
        until(lambda: s.request("GET", "/v1/documents", headers=globex).status == 200, "the key")
        for _ in range(6):
            held.enter_context(s.raw(b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"))
            answer = s.request("GET", "/v1/documents", headers=globex)
            assert answer.status == 200, answer.text


@case
def test_a_body_of_100_mb(folder):
    with Server(folder, anonymous=False, store="store") as s:
        who = bearer(new_key(s, "acme"))
        until(lambda: s.request("GET", "/v1/documents", headers=who).status == 200, "the key")
        for headers, status in ((who, b"413"), ({}, b"401")):
            head = "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857600\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
            sent, c = 0, s.raw(head.encode() + b"\r\n")
            answer = c.recv(65536)  # before any of it was sent
            assert answer.split(b" ")[1] == status, answer[:200]
            try:
                while sent < 104857600:
                    c.sendall(b"x" * 65536)
                    sent += 65536
            except OSError:
                pass
            c.close()
        with open(f"/proc/{s.process.pid}/status", encoding="ascii") as f:
            peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
        print(f"  resident at most {peak // 1024} MiB")
        assert peak < 100 << 10 or "asan" in CLI or "tsan" in CLI, peak
        assert s.request("GET", "/v1/documents", headers=who).status == 200


@case
def test_openapi_names_what_is_served(folder):
    with Server(folder) as s:
        document = s.request("GET", "/openapi.json").json
        assert document["openapi"] == "3.1.0"
        for path, methods in document["paths"].items():
            for method in methods:
                answer = s.request(method.upper(), path.replace("{id}", "none").replace("{provider}", "p").replace("{name}", "n"), b"{}" if method == "post" else None)
                assert answer.status not in (405,), (method, path, answer.text)
                assert answer.status != 404 or code_of(answer) in ("not_found", "model_not_found") and "nothing is served" not in answer.text, (path, answer.text)


main()
