"""The tables of docs/server-api.md are those of the readers of requests: each member, and what becomes of it."""

import os
import re
import sys

ROOT = os.environ.get("AIORCH_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORDS = {"TAKEN": "taken", "PASSED": "passed on", "IGNORED": "ignored", "REFUSED": "refused"}
PAGES = {"POST /v1/chat/completions": "openai_chat_request.c", "POST /v1/messages": "anthropic_messages_request.c"}


def read(*place):
    with open(os.path.join(ROOT, *place), encoding="utf-8") as f:
        return f.read()


def main():
    page, bad = read("docs", "server-api.md"), 0
    for title, file in PAGES.items():
        source = read("examples", "server", file)
        want = [(name, WORDS[rule]) for name, rule in re.findall(r'\{"(\w+)", MEMBER_(\w+),', source)]
        section = page.split(f"\n## {title}\n", 1)[1].lstrip().split("\n\n", 1)[0]
        got = re.findall(r"^\| `(\w+)` \| ([a-z ]+) \|", section, re.M)
        for row in [r for r in want if r not in got]:
            print(f"{title}: {row} is not in docs/server-api.md")
            bad += 1
        for row in [r for r in got if r not in want]:
            print(f"{title}: {row} is in docs/server-api.md alone")
            bad += 1
        if len(want) < 15:
            print(f"{title}: only {len(want)} members were found in {file}")
            bad += 1
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
