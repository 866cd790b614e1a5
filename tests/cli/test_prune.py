"""aiorch prune: what is old goes, of all tenants, and nothing else does."""

from _cli import POSTGRES, case, main

def with_rows(box):
    """Two tenants with a run, an admission and an answer each; of each kind some are old."""
    box.write("faq.md", "# Hours\n\nThe shop is open from eight to six.\n")
    for tenant in ("acme", "rival"):
        box.run("ingest", "--no-embed", "--tenant", tenant, box.at("faq.md"))
        for question in ("What is open?", "When is the shop open?"):
            box.run("ask", "--tenant", tenant, "--user", "ann", "--quiet", question)


def count(box, table):
    return box.ledger(f"SELECT count(*) FROM {table}")


@case
def nothing_is_old_of_what_was_just_done(box):
    with_rows(box)
    said = box.json("prune")
    assert said == {"dry_run": False, "admissions": 0, "answers": 0, "runs": 0}, said
    assert count(box, "ai_api_calls") == 4
    assert box.run("prune").out == "removed 0 admissions, 0 answers that expired\n"


@case
def runs_go_when_asked_for_and_their_cost_stays(box):
    with_rows(box)
    before = box.json("stats", "--tenant", "acme")
    box.change("ledger", "UPDATE ai_api_calls SET created_ms = 1000 WHERE CAST(id AS text) IN"
               " (SELECT min(CAST(id AS text)) FROM ai_api_calls GROUP BY tenant_id)")
    assert box.json("prune")["runs"] == 0 and count(box, "ai_api_calls") == 4
    dry = box.json("prune", "--runs-before", "2001-01-01", "--dry-run")
    assert dry["dry_run"] and dry["runs"] == 2 and count(box, "ai_api_calls") == 4
    said = box.run("prune", "--runs-before", "2001-01-01").out
    assert said.endswith(", 2 runs\n"), said
    assert count(box, "ai_api_calls") == 2
    assert box.ledger("SELECT count(*) FROM ai_attempts a WHERE NOT EXISTS (SELECT 1 FROM ai_api_calls c WHERE c.id = a.run_id)") == 0
    after = box.json("stats", "--tenant", "acme")
    assert after["runs"] == before["runs"] == 2 and after["cost_nano_usd"] == before["cost_nano_usd"]


@case
def more_than_a_part_holds(box):
    with_rows(box)
    many = 2500
    if POSTGRES:
        box.change("ledger", f"INSERT INTO admissions SELECT 'acme', 'k' || i, gen_random_uuid(), 1, 1, 0, 2 FROM generate_series(1, {many}) i")
    else:
        box.change("ledger", "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO admissions"
                   " (tenant_id, key, at_ms, amount, kind, run_id, expires_ms) SELECT 'acme', 'k' || i, 1, 1, 0, 'r' || i, 2 FROM n" % many)
    assert box.json("prune", "--dry-run")["admissions"] == many
    assert box.json("prune")["admissions"] == many
    assert count(box, "admissions") == 4
    assert box.json("prune")["admissions"] == 0


@case
def expired_answers_of_all_tenants(box):
    with_rows(box)
    box.change("knowledge", "UPDATE semantic_cache SET expires_ms = 1 WHERE tenant_id = 'acme'")
    assert box.json("prune", "--dry-run")["answers"] == 2
    assert box.json("prune")["answers"] == 2
    assert box.json("stats", "--tenant", "rival")["cache_entries"] == 2
    stats = box.json("stats", "--tenant", "acme")
    assert stats["cache_entries"] == 0 and stats["cache_bytes"] == 0


@case
def what_it_does_not_take(box):
    assert "is no moment" in box.run("prune", "--runs-before", "soon", code=2).err
    assert "takes no argument" in box.run("prune", "all", code=2).err
    assert "in memory keeps its runs" in box.run("prune", "--store", "memory", "--runs-before", "7d", store=False, code=7).err
    assert box.run("prune", "--store", "memory", "--json", store=False).json["admissions"] == 0


main()
