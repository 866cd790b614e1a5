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

const server = http2.createSecureServer({ key: readFileSync(key), cert: readFileSync(ca) });
server.on("session", (session) => {
  seen.connections++;
  session.on("error", () => {});
});
server.on("sessionError", () => {});
server.on("stream", (stream, headers) => {
  const [, what, size] = headers[":path"].split("/");
  const n = Number(size), body = bytes(n), half = body.subarray(0, n >> 1);
  seen.requests++;
  stream.on("error", () => {});
  stream.on("aborted", () => seen.dropped++);
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
