#!/usr/bin/env python3
"""Writes docs/resilience.md to standard output from the table that the fault tests play (tests/fault/network_faults.json).

A test compares the two; after a change of the table: python3 scripts/gen_resilience_docs.py > docs/resilience.md"""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]

PROSE = """# Resilience: what goes wrong upstream, and what the caller sees

For whoever runs a service on libaiorch. This page is written by `scripts/gen_resilience_docs.py` from `tests/fault/network_faults.json`,
the table that `tests/fault/network` and `tests/fault/provider_faults` play against the library over real sockets, plain and over TLS:
what stands in the tables below has happened. Settings are in docs/configuration.md, the classes of errors in docs/providers.md.

## In short

- **The first text that is given out is the commit point**; a run of `aiorch_run_set_whole` gives none out
  before its end, and text that comes together with the failure behind it is not given out. Before it a failure is followed by another
  attempt, and the caller notices a `warning` event and some time. After it the run ends with the failure: what was given out stands, is a true begin of one provider's
  answer, and is never followed by another's.
- **Every attempt is on the run** (`aiorch_run_attempt`, `attempts` in its JSON, `attempts` of `aiorch costs`): who was asked, how it ended,
  how long it took, what it has cost. The run's error names the last one's words, without keys.
- **A stream without its last event is never a success**, nor is an answer without text.
- **What was given up is not free.** An attempt that was cancelled, ran out of time or broke off after its request was sent costs what its
  tokens cost: those that the service had counted until then, else an estimate of the prompt and of the text that had come. `estimated` marks
  such a usage, and with it the cost. The service may have gone on and ask for more; a budget therefore keeps at least what was reserved for the
  run, so that whoever cancels all calls spends no more than others.
- **A cost that nobody can know is null**, not 0: an attempt that broke off on its way after its request was sent, before anything had come.
  The budget keeps what was reserved. One that was never sent, and one that the service itself refused, has a known cost.
- **A deadline is kept**: `deadline_ms` bounds the run with all its waits; the tests allow 100 ms on top.

## Retries

An attempt that failed for a reason that time may mend (no connection, a busy or broken service, an answer that broke off or is none) is
made again, after a random wait of up to 0.5 s, then 1 s, and so on up to 8 s; a longer `Retry-After` takes its place, and one above 8 s is
waited out only when nobody else is left to ask and the deadline allows it. `generate.attempts` (3) bounds them at one provider.
`x-should-retry` is obeyed. A rate limit (429) is answered by the next key at once, then by the next provider; a refused key likewise; a
missing model by the next provider; a rejected request by nothing, for no other provider would do better; a prompt that is too long by the
next provider that is known to read more.

**The budget.** Each provider has `generate.retry_budget` (10) retries in hand; a retry takes one, a success gives a tenth back. In an outage
the attempts therefore come down to about one a run, and the service is not held down by those who ask it again.

## Breakers

A provider's key, address and model that fails `generate.breaker_failures` (5) times in a row is left alone for `generate.breaker_open_ms`
(30 s), or as long as its `Retry-After` says (at most ten minutes). Runs pass over it without an attempt and say so in a `warning` event. Then
one run's attempt, the probe, sees whether it is back: it closes the breaker, or opens it again; a probe that is never heard of again expires
after a minute. When all are left alone a run ends at once with `PROVIDERS_UNAVAILABLE` and the shortest wait as its `retry_after_ms`.
`aiorch_stats` and `aiorch_metrics_snapshot` have the state of each under `health`; the counters `retries`, `fallbacks`, `breakers_opened` and
`breakers_passed_over` say how often.

## Limits of time

| limit | of what | when it passes |
|---|---|---|
| `deadline_ms` | the whole run | `DEADLINE`, whatever was under way |
| `providers.NAME.connect_ms` | name, connection, TLS | an attempt that failed with `NETWORK`, as all below |
| `providers.NAME.first_byte_ms` | the head of the answer | |
| `providers.NAME.first_token_ms` | from there to the first token; of an answer that is not streamed, more time for its head | |
| `providers.NAME.idle_ms` | between two tokens | pings and comments do not count |

## Cancelling

`aiorch_cancel` from any thread, `aiorch_run_free`, and the end of the deadline close the connection within 50 ms. The run ends in one final
event with `CANCELLED`; its attempt is settled, and once the request was sent its cost is an estimate by the prompt and by what had come.
The run's row names who was asked. An attempt that goes on for others (single-flight) is settled with what it has cost in the end.

## Proxies

`https_proxy` or `HTTPS_PROXY`, `http_proxy`, and `all_proxy` or `ALL_PROXY` for both name a proxy, when the handle is opened
(`http://NAME:PASSWORD@HOST:PORT`); https goes through it by CONNECT. `no_proxy` or `NO_PROXY` lists who is reached without it: names with all
below them, addresses, `10.0.0.0/8`, or `*`. Whatever fails behind a proxy says so: its words end in "through the proxy
http://HOST:PORT (https_proxy)", with the variable that named it and without the login. That it wants another password (407), or makes no
connection to the host, is `NETWORK`; a limit of time that passes at the proxy is the limit that it is elsewhere. `tests/fault/proxy_faults`
plays it with tinyproxy.

## HTTP/2

Connections speak HTTP/1.1 unless `http.version` is "2". libcurl carries HTTP/2 with faults that nothing around it can mend; each shows in a loop
of curl_multi alone, against node's server, too:

| fault | in which libcurl it was seen | what comes of it |
|---|---|---|
| RST_STREAM with NO_ERROR in a body without content-length is taken for its end (curl issue 6015) | 7.88.1, 8.5.0, 8.14.1, 8.22 rc2; not 8.0.1 | such an answer is cut off; it lacks its last event, or its JSON does not end, which is a failure of the attempt |
| other resets and broken connections are taken for an end while many streams are out (curl pull request 10693) | 7.88.1, 8.0.1; from 8.5.0 on few, which may be the row above | the same |
| streams stand still when others are refused or dropped, or GOAWAY comes | 7.88.1, 8.0.1, 8.5.0, 8.14.1, 8.22 rc2, in some runs | a limit of time ends the attempt; another follows |
| a connection for each exchange above 100 (curl pull request 10456: CURLOPT_PIPEWAIT has no effect there before 8.0) | 7.88.1; without that option all | none: one exchange at a time goes first to a new connection |
| libcurl sends requests again by itself when their connection goes away: the server saw up to nearly as many more as were made | all five | it may charge a request twice; not one whose connection goes more than a second after it was sent: that ends the attempt, and what follows is a retry with a row of its own |

The last is so over HTTP/1.1 for connections that were kept from an exchange before, of which no byte of a reply has come.

With "2", one connection carries up to 100 exchanges (`AIO__HTTP_STREAMS_MAX`): worth it for hosts that allow few connections.

## What the tables say

**attempts**: at one provider that fails so every time, with two keys and `generate.attempts` = 2; then the status of each. **alone**: how the run
ends when there is no other provider. **with another**: who answers when a second provider that is well follows in the chain. **given out**: the
text that the caller has seen when the run fails. **cost**: known, an estimate that is marked so, or unknown (null). Where families or streams differ, the lines below a row say so.
"""

GROUPS = {"none": "Nothing wrong", "status": "Failed answers", "body": "Bodies", "stream": "Answers that break off", "connection": "Connections",
          "time": "Time", "TLS": "TLS", "head": "Heads", "redirect": "Redirects", "packing": "Packing", "HTTP/2": "HTTP/2"}
WITH = {"other": "the other", "self": "this one", "nobody": "nobody: the same end"}


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def line(*cells):
    return "| " + " | ".join(cell(one) for one in cells) + " |"


def of_answer(name, caller, expect):
    attempts, attempt = expect.get("attempts", 1), expect.get("attempt", "")
    ok = attempt == "OK"
    released = {"all": "all of it", "begin": "its begin", "nothing": "nothing"}.get(expect.get("released", "nothing"), "all of it")
    return line(name, caller, f"{attempts} × {attempt}", "OK" if ok else expect.get("run", "PROVIDERS_UNAVAILABLE"),
                WITH[expect.get("with", "other")], released, expect.get("cost", "known"))


def answers(rows):
    out = ["| fault | what happens | attempts | alone | with another | given out | cost |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        expect = {name: value for name, value in row["expect"].items() if name != "but"}
        out.append(of_answer(row["fault"], row["caller"], expect))
        for but in row["expect"].get("but", []):
            if set(but) - {"when", "http", "words"}:
                out.append(of_answer("… " + but["when"], "", {**expect, **but}))
    return out


def exchanges(rows):
    out = ["| fault | what the attempt sees | its status |", "|---|---|---|"]
    for row in rows:
        status = row.get("expect", {}).get("status", "OK").replace("|", " or ")
        http = row.get("expect", {}).get("http", 200)
        out.append(line(row["fault"], row["caller"], f"HTTP {http}" if status == "OK" and http >= 300 else status))
    return out


def main():
    with open(ROOT / "tests" / "fault" / "network_faults.json", encoding="utf-8") as table:
        rows = json.load(table)["rows"]
    out = [PROSE]
    for kind, title, write, intro in (
            (True, "Answers of providers", answers, "Each with Anthropic, OpenAI, Gemini and Ollama, whole and as a stream over TLS."),
            (False, "Transport", exchanges, "Once for all providers and embedders. `NETWORK`, `RESPONSE` and `TRUNCATED` are followed by "
             "another attempt before the commit point; `DEADLINE` ends the run.")):
        chosen = [row for row in rows if (row.get("play") == "answer") == kind]
        out += [f"## {title}", "", intro, ""]
        for group in dict.fromkeys(row["group"] for row in chosen):
            out += [f"### {GROUPS[group]}" + ("" if kind else " (transport)"), ""]
            out += write([row for row in chosen if row["group"] == group]) + [""]
    sys.stdout.write("\n".join(out).rstrip() + "\n")


if __name__ == "__main__":
    main()
