// HTTP/2 over TLS by node's own module, which is nghttp2: what it does is in the path of a request.
//
//   node http2_server.mjs FOLDER
//
// Makes a certificate for 127.0.0.1 with openssl in FOLDER, listens on a random port, and prints one line of JSON: {"port", "ca"}. Answers
// "seen" on its standard input with {"connections", "requests", "dropped"} in a line, and ends when that input does.
//
//   /whole/N     200 and N bytes at once              /paced/N    N bytes in 32 pieces, each when the one before has gone
//   /reset/N     half of N bytes, then RST_STREAM     /refused/N  RST_STREAM with REFUSED_STREAM, nothing before it
//   /goaway/N    GOAWAY, then N bytes: what is out is finished, what is new needs another connection
//   /broken/N    half of N bytes, then the connection breaks, with all that it carries
//
//
//   /ask/CUT/v1/chat/completions, /ask/CUT/v1/messages    an answer as OpenAI or Anthropic writes it, as a stream where the request wants one,
//   without a length. CUT: well: all of it             goaway: the same, after GOAWAY
//   ended    a part of it, up to the end of an event   middle    up to the middle of one; both end like a whole answer
//   calm     the same, then RST_STREAM with NO_ERROR   reset     with INTERNAL_ERROR    broken    then the connection breaks
//
// Bytes of a body depend on N and their place alone: see byte_of in http2_stress.c.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { join } from "node:path";
import { createInterface } from "node:readline";

const folder = process.argv[2];
const key = join(folder, "http2.key"), ca = join(folder, "http2.pem");
execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
  "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", ca], { stdio: "ignore" });

const seen = { connections: 0, requests: 0, dropped: 0 };

function bytes(n) {
  const out = Buffer.alloc(n);
  for (let i = 0; i < n; i++) out[i] = 97 + (n * 7 + i * 31 + (i >> 8)) % 26;
  return out;
}

function paced(stream, body) {
  const step = Math.ceil(body.length / 32);
  let at = 0;
  const next = () => {
    if (stream.destroyed) return;
    if (at >= body.length) return stream.end();
    const piece = body.subarray(at, at + step);
    at += piece.length;
    stream.write(piece, () => setImmediate(next));
  };
  next();
}

const words = Array.from({ length: 60 }, (_, i) => `${i}. A dump of table ${i} is made with pg_dump. `);
const event = (value, name) => (name ? `event: ${name}\n` : "") + `data: ${JSON.stringify(value)}\n\n`;

const formats = {
  completions: {
    whole: () => [JSON.stringify({ id: "c1", object: "chat.completion", created: 1, model: "m", choices: [{ index: 0, message: { role: "assistant",
      content: words.join("") }, finish_reason: "stop" }], usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } })],
    stream: () => {
      const chunk = (choices, more) => event({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices, ...more });
      return [...words.map((content) => chunk([{ index: 0, delta: { role: "assistant", content }, finish_reason: null }])),
        chunk([{ index: 0, delta: {}, finish_reason: "stop" }]),
        chunk([], { usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } }) + "data: [DONE]\n\n"];
    },
  },
  messages: {
    whole: () => [JSON.stringify({ id: "msg_1", type: "message", role: "assistant", model: "m", content: [{ type: "text", text: words.join("") }],
      stop_reason: "end_turn", stop_sequence: null, usage: { input_tokens: 11, output_tokens: 7 } })],
    stream: () => [
      event({ type: "message_start", message: { id: "msg_1", type: "message", role: "assistant", model: "m", content: [], stop_reason: null,
        usage: { input_tokens: 11, output_tokens: 1 } } }, "message_start") +
      event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }, "content_block_start"),
      ...words.map((text) => event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } }, "content_block_delta")),
      event({ type: "content_block_stop", index: 0 }, "content_block_stop") + event({ type: "message_delta", delta: { stop_reason: "end_turn",
        stop_sequence: null }, usage: { output_tokens: 7 } }, "message_delta") + event({ type: "message_stop" }, "message_stop")],
  },
};

// Of a stream half of the words, so that some have been seen; of an answer in one piece half of its bytes.
function answer(stream, cut, path, request) {
  const streams = request.stream === true;
  const pieces = formats[path.at(-1)][streams ? "stream" : "whole"]();
  let text = pieces.join("");
  if (cut !== "well" && cut !== "goaway") {
    const ended = pieces.slice(0, pieces.length >> 1).join("");
    text = streams && cut === "ended" ? ended : streams ? ended + pieces[pieces.length >> 1].slice(0, 20) : text.slice(0, text.length >> 1);
  }
  if (cut === "goaway") stream.session?.goaway(http2.constants.NGHTTP2_NO_ERROR);
  stream.respond({ ":status": 200, "content-type": streams ? "text/event-stream" : "application/json" }, { waitForTrailers: cut === "calm" || cut === "reset" });
  if (cut === "calm") return stream.write(text, () => stream.close(http2.constants.NGHTTP2_NO_ERROR));
  if (cut === "reset") return stream.write(text, () => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
  if (cut === "broken") return stream.write(text, () => stream.session?.destroy());
  stream.end(text);
}

function ask(stream, cut, path) {
  let body = "";
  stream.setEncoding("utf8");
  stream.on("data", (part) => { body += part; });
  stream.on("end", () => answer(stream, cut, path, JSON.parse(body)));
}

const server = http2.createSecureServer({ key: readFileSync(key), cert: readFileSync(ca) });
server.on("session", (session) => {
  seen.connections++;
  session.on("error", () => {});
});
server.on("sessionError", () => {});
server.on("stream", (stream, headers) => {
  const [, what, size] = headers[":path"].split("/");
  const n = Number(size) || 0, body = bytes(n), half = body.subarray(0, n >> 1);
  seen.requests++;
  stream.on("error", () => {});
  stream.on("aborted", () => seen.dropped++);
  if (what === "ask") return ask(stream, size, headers[":path"].split("/"));
  stream.resume();
  if (what === "refused") return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  if (what === "goaway") stream.session?.goaway(http2.constants.NGHTTP2_NO_ERROR);
  // A stream that waits for trailers is not ended by its close: a reset is all that comes.
  stream.respond({ ":status": 200, "content-type": "text/plain", "content-length": n }, { waitForTrailers: what === "reset" });
  if (what === "whole") return stream.end(body);
  if (what === "reset") return stream.write(half, () => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
  if (what === "broken") return stream.write(half, () => stream.session?.destroy());
  paced(stream, body);
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port, ca })));

createInterface({ input: process.stdin }).on("line", () => console.log(JSON.stringify(seen))).on("close", () => process.exit(0));
