"""aiorch spool: what waits for the store, and how it gets there."""

import os
import sqlite3

from _cli import case, main

QUESTION = "On which port does the server listen?"
# The store that every test has is never away; a lock in its ledger makes it so.
AWAY = ("--set", "spool.mode=on", "--set", "store.busy_ms=50", "--set", "rate_limit.on_store_down=open")


def filled(box):
    box.write("docs/ports.md", "# Ports\n\nThe server listens on TCP port 5432.\n")
    box.run("ingest", box.at("docs"))


class Away:
    """The ledger cannot be written."""

    def __init__(self, box):
        self.db = sqlite3.connect(os.path.join(box.store, "ledger.db"), isolation_level=None)

    def __enter__(self):
        self.db.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_):
        self.db.execute("ROLLBACK")
        self.db.close()


@case
def rows_wait_and_come_to_the_store(box):
    filled(box)
    with Away(box):
        run = box.json("ask", QUESTION, *AWAY)
        assert "5432" in run["answer"]
        assert {s["name"]: s["outcome"] for s in run["stages"]}["log_cost"] == "ok"
        listed = box.json("spool", "list")
        rows = listed["rows"]
        assert rows >= 1 and listed["poison"] == 0 and listed["bytes"] > 512
        assert all(not f["writing"] and f["state"] == "rows" for f in listed["files"])
        assert listed["path"] == os.path.join(box.env["XDG_DATA_HOME"], "aiorch-spool")
        assert {f["store"] for f in listed["files"]} == {box.store}
        assert f"{rows} waiting" in box.run("spool", "list").out
        error = box.error("spool", "replay", *AWAY, code=6, name="STORE_DOWN")
        assert "ledger.db" in error["message"], error
        assert box.json("spool", "list")["rows"] == rows
    assert box.json("costs")["runs"] == 0
    done = box.json("spool", "replay", *AWAY)
    # A process that opens the store begins by itself, so that there may be nothing left to count.
    assert done["replayed"] <= rows and done["poison"] == 0 and done["held"] == 0
    assert box.json("spool", "list")["rows"] == 0
    assert "0 B of rows that wait" in box.run("stats", *AWAY).out and "rows that wait" not in box.run("stats").out
    assert box.json("costs")["runs"] == 1
    assert box.json("spool", "replay", *AWAY)["replayed"] == 0
    assert box.json("costs")["runs"] == 1


@case
def rows_come_to_the_store_with_the_next_process(box):
    filled(box)
    with Away(box):
        box.json("ask", QUESTION, *AWAY)
    box.json("ask", QUESTION, *AWAY)
    box.json("spool", "replay", *AWAY)
    assert box.json("costs")["runs"] == 2


@case
def rows_of_another_store_stay(box):
    filled(box)
    with Away(box):
        box.json("ask", QUESTION, *AWAY)
    rows = box.json("spool", "list")["rows"]
    assert rows >= 1
    other = ("--store", box.at("other"))
    assert box.run("--json", *other, "spool", "replay", *AWAY, store=False).json["replayed"] == 0
    assert box.json("spool", "list")["rows"] == rows
    assert box.run("--json", *other, "spool", "replay", "--any-store", *AWAY, store=False).json["replayed"] == rows
    assert box.run("--json", *other, "costs", store=False).json["runs"] == 1


@case
def a_damaged_file_is_told(box):
    filled(box)
    with Away(box):
        box.json("ask", QUESTION, *AWAY)
    listed = box.json("spool", "list")
    path = os.path.join(listed["path"], listed["files"][0]["name"])
    with open(path, "r+b") as file:
        file.seek(600)
        file.write(b"\xff\xff")
    assert box.json("spool", "list")["files"][0]["damaged_bytes"] > 0
    assert "damaged" in box.run("spool", "list").out
    box.json("spool", "replay", *AWAY)
    files = box.json("spool", "list")["files"]
    assert [f["state"] for f in files] == ["damaged"], files


@case
def usage(box):
    box.error("spool", code=2, name="INVALID")
    box.error("spool", "empty", code=2, name="INVALID")
    error = box.error("spool", "replay", code=7, name="UNSUPPORTED")
    assert "spool.mode" in error["message"]
    assert box.json("spool", "list", "--set", "spool.path=" + box.at("none"))["files"] == []
    error = box.error("spool", "replay", "--set", "spool.mode=on", "--set", "spool.path=" + box.at("no/where"), code=6,
                      name="STORE")
    assert "spool.path" in error["message"]


@case
def a_terminal_shows_how_far_it_is(box):
    filled(box)
    with Away(box):
        for _ in range(4):
            box.json("ask", QUESTION, "--no-cache", *AWAY)
    code, seen = box.terminal("spool", "replay", *AWAY)
    assert code == 0 and "brought to the store" in seen, seen


if __name__ == "__main__":
    main()
