"""Bodies that were made to do harm, at every endpoint that reads one: each is refused with its place or answered, and the server goes on."""

import collections
import json
import resource
import threading

from _serve import Server, case, main, memory_mib, with_sanitizer
from _fake_llm import FakeLlm

HELLO = [{"role": "user", "content": "Hello?"}]
GOOD = {"/v1/chat/completions": {"model": "aiorch", "messages": HELLO}, "/v1/messages": {"model": "aiorch", "max_tokens": 9, "messages": HELLO},
        "/v1/messages/count_tokens": {"model": "aiorch", "messages": HELLO}, "/ask": {"message": "Hello?"}, "/v1/search": {"query": "x"},
        "/v1/documents": {"uri": "a", "text": "One."}, "/v1/embeddings": {"model": "aiorch", "input": "x"}}
FAMILIES = ("/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens")
MOST_MIB = 400


def at_once(folder, **more):
    return Server(folder, {"anonymous_documents": True, **more}, {"rate_limit.requests": 0, "rate_limit.refused": 0}, store="data")


def refused(s, path, body, *statuses):
    answer = s.request("POST", path, body)
    assert answer.status in (statuses or (400,)), (path, body[:80] if isinstance(body, bytes) else str(body)[:80], answer.status, answer.text[:300])
    error = answer.json["error"]
    assert error["message"] and error["type"], answer.text
    return error


@case
def test_bodies_that_are_no_json(folder):
    texts = [b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"{\"a\": 01}", b"{\"a\": NaN}", b"{\"a\": 1e}", b"{'a': 1}", b"{} {}", b"{\"a\":\"\x01\"}",
             b"{\"a\":\"\xc0\xaf\"}", b"{\"a\":\"\xed\xa0\x80\"}", b"{\"a\":\"\xf5\x80\x80\x80\"}", b"[" * 100000, b"{\"a\":" * 100000, b"[]", b"7", b"null",
             b"\"x\"", b"", b" " * 100000]
    with at_once(folder) as s:
        for path in GOOD:
            for text in texts:
                refused(s, path, text)


@case
def test_bodies_that_want_memory(folder):
    """16 MiB of the smallest values become at most some 20 MiB of ours, one request at a time."""
    million = b"[" + b"1," * (8 << 20)
    with at_once(folder, body_max_bytes=20 << 20) as s:
        for path, good in GOOD.items():
            for name in good:
                others = json.dumps({k: v for k, v in good.items() if k != name})[1:-1].encode()
                for huge in (million + b"1]", b"[" + b"{}," * 199990 + b"{}]", b"{" + b"\"a\":1," * 199990 + b"\"a\":1}"):
                    answer = s.request("POST", path, b"{" + others + (b"," if others else b"") + json.dumps(name).encode() + b":" + huge + b"}")
                    assert 400 <= answer.status < 500, (path, name, answer.status, answer.text[:200])
            many = b"{" + b",".join(b"\"x%d\":1" % i for i in range(190000)) + b"}"
            answer = s.request("POST", path, many)
            assert answer.status == 400, (path, answer.text[:200])
        peak = memory_mib(s, "VmHWM")
        print(f"  resident at most {peak} MiB")
        assert peak < MOST_MIB or with_sanitizer(), peak


@case
def test_bodies_beyond_memory(folder):
    """Where the system gives no more, bodies are refused; the process, and who is on it, goes on."""
    if with_sanitizer():
        return  # theirs ends the program itself
    picture = "data:image/png;base64," + "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ" + "A" * (10 << 20)
    body = json.dumps({"model": "aiorch", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": picture}}]}]}).encode()
    with FakeLlm() as llm, Server(folder, llm=llm) as s:
        assert s.ask().status == 200
        most = int(memory_mib(s, "VmSize") + 100) << 20
        resource.prlimit(s.process.pid, resource.RLIMIT_AS, (most, most))
        seen = collections.Counter()

        def send():
            answer = s.request("POST", "/v1/chat/completions", body)
            seen[answer.status, answer.json.get("error", {}).get("message")] += 1
        threads = [threading.Thread(target=send) for _ in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sum(seen.values()) == 12, "a connection broke: " + s.err
        assert seen[503, "no memory is left for the body; try again in a moment"] > 0, seen
        assert s.request("GET", "/healthz").status == 200 and s.process.poll() is None


@case
def test_pages_from_many_at_once(folder):
    """The first page that is read makes ready what reads pages: of two at once one does (the thread sanitizer looks at this)."""
    page = "<html><body><main><h1>Ports</h1>" + "<p>The port is 8484.</p>" * 200 + "</main></body></html>"
    with at_once(folder) as s:
        start, seen = threading.Barrier(8), []

        def send(number):
            start.wait()
            seen.append(s.request("POST", "/v1/documents", {"uri": f"page-{number}", "html": page}).status)
        threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert seen == [201] * 8, seen


@case
def test_texts_with_nul_and_half_characters(folder):
    with FakeLlm() as llm, Server(folder, {"anonymous_documents": True}, llm=llm) as s:
        for path in FAMILIES:
            good = GOOD[path]
            for text in ("a\u0000b", "\u0000"):
                refused(s, path, {**good, "messages": [{"role": "user", "content": text}]})
            refused(s, path, {**good, "model": "aiorch\u0000x"}, 404)
            refused(s, path, {**good, "aiorch": {"filters": {"lang\u0000": "en\u0000"}}})
            refused(s, path, {**good, "aiorch": {"provider": "fake\u0000x"}})
            stops = {"stop": ["a\u0000"]} if "chat" in path else {"stop_sequences": ["a\u0000"]}
            refused(s, path, {**good, **stops})
            tool = {"type": "function", "function": {"name": "f\u0000"}} if "chat" in path else {"name": "f\u0000", "input_schema": {}}
            refused(s, path, {**good, "tools": [tool]})
        refused(s, "/ask", {"message": "a\u0000b"})
        for path, good in GOOD.items():
            error = refused(s, path, {**good, "a\u0000": 1})
            assert "NUL" in error["message"], error
        for body in ({"uri": "a\u0000b", "text": "x"}, {"uri": "a", "text": "x", "title": "\u0000"}, {"uri": "a", "text": "x", "metadata": {"k": "\u0000"}},
                     {"uri": "a", "text": "x", "metadata": {"k\u0000": "v"}}, {"uri": "a", "text": "x\u0000"}):
            refused(s, "/v1/documents", body, 400, 422)
        for body in ({"query": "a\u0000b"}, {"query": "x", "filters": {"a\u0000": "b"}}, {"query": "x", "filters": {"a": {"from": "\u0000"}}}):
            refused(s, "/v1/search", body)
        half = s.request("POST", "/v1/chat/completions", b'{"model":"aiorch","messages":[{"role":"user","content":"\\ud83d and \\ude00"}]}')
        assert half.status == 200 and llm.requests[-1]["messages"][-1]["content"] == "\ufffd and \ufffd", llm.requests[-1]
        escaped = s.request("POST", "/v1/chat/completions", b'{"mod\\u0065l":"aiorch","model":"fake","messages":[{"role":"user","content":"x"}]}')
        assert escaped.status == 400 and escaped.json["error"]["param"] == "model", escaped.text


@case
def test_numbers_out_of_range(folder):
    with at_once(folder) as s:
        for path in FAMILIES:
            for name, wrong in (("max_tokens", ("1e999", "-1", "0", "1.5", "99999999999999999999", "-0", "1e400", "\"1\"")),
                                ("temperature", ("1e999", "-1", "2.1", "true", "99999999999999999999999999"))):
                for value in wrong:
                    body = json.dumps({k: v for k, v in GOOD[path].items() if k != name})[:-1] + f', "{name}": {value}}}'
                    error = refused(s, path, body.encode())
                    assert name in error["message"] or name in str(error.get("param")), error
        for value in ("1e999", "-1", "1.5", "101", "\"5\"", "99999999999999999999"):
            refused(s, "/v1/search", b'{"query": "x", "limit": ' + value.encode() + b"}")
            refused(s, "/v1/embeddings", b'{"model": "aiorch", "input": "x", "dimensions": ' + value.encode() + b"}", 400, 404)


@case
def test_a_body_that_names_somebody_else(folder):
    """Tenant and user are those of the key: what a body says of them is refused, or told to have no effect."""
    with FakeLlm() as llm, at_once(folder) as s:
        for path in GOOD:
            for name in ("tenant", "tenant_id", "aiorch_tenant", "user_id", "__proto__"):
                answer = s.request("POST", path, {**GOOD[path], name: "other"})
                if path == "/ask":
                    assert answer.status == 200 and answer.json["aiorch"]["warnings"] == [f'"{name}" has no effect here'], answer.text
                else:
                    assert answer.status == 400 and name in answer.text, (path, name, answer.text)
            if path in FAMILIES + ("/ask",):
                assert s.request("POST", path, {**GOOD[path], "aiorch": {"tenant": "other"}}).status == 400
        headers = {"x-tenant": "other", "x-tenant-id": "other", "x-user-id": "other", "x-aiorch-tenant": "other"}
        s.request("POST", "/v1/documents", {"uri": "mine", "text": "Mine."}, headers)
        assert [d["uri"] for d in s.request("GET", "/v1/documents?tenant=other").json["data"]] == ["mine"]
        assert not llm.requests


if __name__ == "__main__":
    main()
