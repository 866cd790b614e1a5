"""What the readers of requests take, what docs/server-api.md says of it, and what openapi.json says: all three from the tables in the source."""

import json
import os
import re
import sys

ROOT = os.environ.get("AIORCH_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORDS = {"TAKEN": "taken", "PASSED": "passed on", "IGNORED": "ignored", "REFUSED": "refused"}
PAGES = {"POST /v1/chat/completions": "openai_chat_request.c", "POST /v1/messages": "anthropic_messages_request.c"}
# A schema of openapi.json, and members of it, beside the tables that read it.
SCHEMAS = [
    ("Ask", "wire_ask.c MEMBERS"),
    ("ChatRequest", "openai_chat_request.c MEMBERS"),
    ("ChatRequest stream_options", "openai_chat_request.c STREAM_OPTIONS"),
    ("ChatRequest response_format", "openai_chat_request.c FORMAT"),
    ("ChatRequest response_format json_schema", "openai_chat_request.c SCHEMA"),
    ("ChatTool", "openai_chat_request.c TOOL"),
    ("ChatTool function", "openai_chat_request.c FUNCTION"),
    ("ChatMessage", "openai_chat_messages.c MESSAGE ASSISTANT RESULT"),
    ("ChatPart", "openai_chat_messages.c PART"),
    ("ImageUrl", "openai_chat_messages.c IMAGE"),
    ("ChatToolCall", "openai_chat_messages.c CALL"),
    ("ChatToolCall function", "openai_chat_messages.c FUNCTION"),
    ("MessageRequest", "anthropic_messages_request.c MEMBERS"),
    ("CountRequest", "anthropic_messages_request.c MEMBERS"),
    ("MessageRequest messages", "anthropic_conversation.c MESSAGE"),
    ("MessageRequest tools", "anthropic_messages_request.c TOOL"),
    ("MessageRequest tool_choice", "anthropic_messages_request.c CHOICE"),
    ("MessageRequest thinking", "anthropic_messages_request.c THINKING"),
    ("MessageRequest output_config", "anthropic_messages_request.c OUTPUT"),
    ("MessageRequest output_format", "anthropic_messages_request.c FORMAT"),
    ("MessageBlock", "anthropic_conversation.c BLOCK"),
    ("MessageBlock source", "anthropic_conversation.c SOURCE"),
    ("CacheControl", "run_making.c CACHE_CONTROL"),
    ("EmbeddingRequest", "embeddings_page.c MEMBERS"),
    ("AiorchOptions", "own_options.c MEMBERS"),
    ("AiorchOptions cache", "own_options.c CACHE"),
    ("AiorchOptions retrieve", "own_options.c RETRIEVE"),
    ("DocumentNew", "endpoint_documents.c members"),
    ("SearchRequest", "endpoint_search.c members"),
]


def read(*place):
    with open(os.path.join(ROOT, *place), encoding="utf-8") as f:
        return f.read()


def rows(file, table):
    """[(name, rule, neutral)] of a table; one without rules takes all."""
    body = re.search(r"\b" + table + r"\[\w*\] = \{(.*?)\};", read("examples", "server", file), re.S).group(1)
    specs = re.findall(r'\{"(\w+)", MEMBER_(\w+), BODY_\w+, (NULL|"(?:[^"\\]|\\.)*")', body)
    return specs or [(name, "TAKEN", "NULL") for name in re.findall(r'(?:\{|^|, )"(\w+)"', body)]


def properties(document, place):
    """The members of a schema, through references, lists and alternatives."""
    found = []

    def walk(schema, rest):
        if "$ref" in schema:
            walk(document["components"]["schemas"][schema["$ref"].split("/")[-1]], rest)
        for one in [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
            walk(one, rest)
        if rest and rest[0] in schema.get("properties", {}):
            walk(schema["properties"][rest[0]], rest[1:])
        elif not rest:
            found.extend(schema.get("properties", {}))

    words = place.split()
    walk(document["components"]["schemas"][words[0]], words[1:])
    return set(found)


def check_page(complain):
    page = read("docs", "server-api.md")
    for title, file in PAGES.items():
        want = [(name, WORDS[rule]) for name, rule, _ in rows(file, "MEMBERS")]
        section = page.split(f"\n## {title}\n", 1)[1].lstrip().split("\n\n", 1)[0]
        got = re.findall(r"^\| `(\w+)` \| ([a-z ]+) \|", section, re.M)
        for row in [r for r in want if r not in got]:
            complain(f"{title}: {row} is not in docs/server-api.md")
        for row in [r for r in got if r not in want]:
            complain(f"{title}: {row} is in docs/server-api.md alone")
        if len(want) < 15:
            complain(f"{title}: only {len(want)} members were found in {file}")


def check_openapi(complain):
    document = json.loads(read("examples", "server", "openapi.json"))
    for place, source in SCHEMAS:
        file, *tables = source.split()
        known = [row for table in tables for row in rows(file, table)]
        want = {name for name, rule, neutral in known if rule != "REFUSED" or neutral != "NULL"}
        got = properties(document, place)
        if not want:
            complain(f"{source}: no member was found")
        for name in sorted(want - got):
            complain(f"{place}: {name}, which {file} reads, is not in openapi.json")
        for name in sorted(got - want):
            complain(f"{place}: {name} of openapi.json is not read by {file}")


def main():
    bad = []
    check_page(bad.append)
    check_openapi(bad.append)
    print("\n".join(bad) or "all alike")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
