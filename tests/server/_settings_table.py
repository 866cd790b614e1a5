"""The table of settings in docs/server.md, from `aiorch serve --settings --json`: AIORCH_CLI=... python3 tests/server/_settings_table.py"""

import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLACE = os.path.join(ROOT, "docs", "server.md")
BEGIN, END = "<!-- settings: python3 tests/server/_settings_table.py writes this -->\n", "<!-- end of settings -->\n"


def table(cli):
    listed = json.loads(subprocess.run([cli, "serve", "--settings", "--json"], capture_output=True, check=True).stdout)
    lines = ["| Setting | Default | Range | What it is |\n", "|---|---|---|---|\n"]
    for row in listed:
        bounds = f"{row['min']} to {row['max']}" if "min" in row else "true or false" if row["type"] == "bool" else ""
        default = row["default"] or '""'
        lines.append(f"| `server.{row['key']}` | `{default}` | {bounds} | {row['help']} |\n")
    return "".join(lines)


def in_document():
    with open(PLACE, encoding="utf-8") as f:
        return re.search(re.escape(BEGIN) + "(.*?)" + re.escape(END), f.read(), re.S).group(1)


def main():
    cli = os.environ.get("AIORCH_CLI") or sys.argv[1]
    with open(PLACE, encoding="utf-8") as f:
        text = f.read()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    whole = before + BEGIN + table(cli) + END + after  # before the file is emptied: the program may not be there
    with open(PLACE, "w", encoding="utf-8") as f:
        f.write(whole)


if __name__ == "__main__":
    main()
