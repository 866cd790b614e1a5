"""The schemas are good JSON Schema 2020-12, accept what the command line prints, and refuse what it never may."""

import copy
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from _cli import ROOT, case, main, validate  # noqa: E402 pylint: disable=wrong-import-position

try:
    import jsonschema
except ImportError:
    print("python3-jsonschema is needed", file=sys.stderr)
    sys.exit(77)


def refuses(value, name, part=None):
    try:
        validate(value, name, part)
    except AssertionError:
        return True
    return False


def runs(box):
    """A miss, a hit, a refusal and a run without sources."""
    box.write("d.md", "# Ports\n\nThe server listens on port 5432.\n")
    box.run("ingest", "d.md")
    found = [box.json("ask", "Which port?"), box.json("ask", "Which port?"), box.json("ask", "zebra zebra"),
             box.run("--json", "ask", " ", code=3).json]
    for run in found:
        validate(run, "run")
    return found


@case
def the_schemas_are_schemas(box):
    for name in ("run", "request", "event"):
        with open(os.path.join(ROOT, "schema", name + ".json"), encoding="utf-8") as file:
            jsonschema.Draft202012Validator.check_schema(json.load(file))


@case
def a_run_without_a_member_or_with_another_value_is_refused(box):
    for run in runs(box):
        for member in [m for m in run if m != "error"]:
            changed = copy.deepcopy(run)
            del changed[member]
            assert refuses(changed, "run"), member
        for member, value in (("finish_reason", "done"), ("cost_usd", 1), ("stages", run["stages"][:6]),
                              ("run_id", "7"), ("cache", {"outcome": "hit"}), ("answer", 1)):
            assert refuses({**run, member: value}, "run"), member
    failed = runs(box)[3]
    assert refuses({**failed, "error": {**failed["error"], "code": 0}}, "run")
    assert refuses({"error": {"code": -1}}, "run", "error_only")
    validate({"error": failed["error"]}, "run", "error_only")


@case
def events_are_of_one_kind_each(box):
    runs(box)
    events = box.run("--stream-json", "ask", "Which port is it?").lines
    for event in events:
        validate(event, "event")
        assert refuses({**event, "type": "other"}, "event")
        assert refuses({k: v for k, v in event.items() if k == "type"}, "event")


@case
def requests_are_what_the_library_takes(box):
    message = {"role": "user", "content": "Which port?"}
    good = [{"messages": [message]}, {"tenant": "t", "user": "u", "messages": [message], "options": {"cache.ttl_s": 60},
                                      "filters": {"a": "b", "c": ["d", "e"]}},
            {"messages": [message], "filters": {"p": {"prefix": "x"}, "r": {"from": "1", "to": "2"}, "o": {"to": "9"},
                                                "l": ["x", {"prefix": "y"}, {"from": "z"}]}},
            {"messages": [message], "options": {"cache": {"ttl_s": 60}}, "sources": [{"text": "x"}], "answer": "y",
             "usage": {"input": 1}, "provider": "p", "model": "m", "finish_reason": "stop"}]
    for request in good:
        validate(request, "request")
        validate(box.json("stage", "validate", stdin=json.dumps(request)), "run")
    bad = [{"messages": "x"}, {"messages": [{"role": "king", "content": "x"}]}, {"messages": [{"role": "user"}]},
           {"message": []}, {"messages": [message], "usage": {"inputs": 1}},
           {"messages": [message], "filters": {"a": []}}, {"messages": [message], "filters": {"a": {}}},
           {"messages": [message], "filters": {"a": {"prefix": "x", "to": "y"}}},
           {"messages": [message], "filters": {"a": {"from": 1}}},
           {"messages": [message], "filters": {"a": 1}}, {"messages": [message],
                                                          "finish_reason": "done", "answer": "x"},
           {"tenant": 1, "messages": [message]}]
    for request in bad:
        assert refuses(request, "request"), request
        box.run("--json", "stage", "validate", stdin=json.dumps(request), code=2)


main()
