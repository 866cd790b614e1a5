#!/usr/bin/env python3
"""Servers that go wrong as a script says, plain and over TLS, one port for each row of a table (network_faults.json).

  fault_server.py FOLDER TABLE...

Makes certificates with openssl in FOLDER, listens on random ports of 127.0.0.1, and prints one line of JSON:
{"ca": FILE, "rows": {NAME: {"port": N, "tls": bool}}, "answer": TEXT}. Then it answers lines on its standard input: "seen NAME" with
{"connections", "requests", "bytes", "text"}, what came in the clear (behind TLS), and ends with the input. "slower", which is not answered, has
each "wait" of an answer take twice as long from then on.

A row's "server" is a list of steps, played anew for each connection:

  ["tls", WHICH]          the handshake, with the certificate good, wrong_host, expired or unknown_ca
  ["tls_h2", WHICH]       the same, speaking HTTP/2
  ["read"]                one request, with its body
  ["send", TEXT]          as it is (ISO 8859-1)
  ["reply", STATUS, {HEADER: VALUE}, BODY]     a whole reply with its length
  ["head", STATUS, {HEADER: VALUE}]            the begin of one in chunks
  ["chunk", TEXT]  ["last_chunk"]
  ["gzip", TEXT]          packed, in a chunk;  ["bomb", MB]: zeros, packed, in chunks
  ["drip", TEXT, MS]      a byte each MS;  ["flood", TEXT]: again and again, until the other end has gone
  ["wait", MS]            unless the other end goes before;  ["hang"]: until it goes
  ["shut"]                closes cleanly;  ["reset"]: RST;  ["again"]: from the first step behind the handshake
  ["h2_request"]          reads until a request is whole
  ["h2_head", STATUS]  ["h2_data", TEXT, LAST]  ["h2_reset", CODE]  ["h2_goaway", CODE]
  ["h2_serve", KB]        answers every request with so much, many at once

A row with "play": "answer" speaks as a provider does, in the format of the family that asks, whole or as a stream (wire_formats.py).
It has two ports, the second ("NAME/tls") behind TLS, and begins again when its steps are done:

  ["ask"]                 one request; its key and its header X-Secret stand for {key} and {header} in texts
  ["fail", STATUS, {HEADER: VALUE}, WORDS]     a failed reply with a body as the family writes it
  ["begin"]               the head of an answer and what comes before its text
  ["part", N]  ["say", TEXT]                   some of its text
  ["error", STATUS, WORDS]                     an error inside the answer, which ends it
  ["named", TEXT]         says that the model and the request are called so
  ["unknown"]             events and members that nobody knows;  ["turned"]: members in the reverse order
  ["finish"]              the last event and the end;  ["leave_off"]: the end without the last event
  ["half_a_character"]    some text up to the first byte of a character;  ["in_pieces", TEXT]: text, a byte in each chunk

With "listen": "refused" nobody listens; with "full" the queue of connections is full, so that nobody is answered."""
import gzip
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import zlib

import wire_formats

SEEN_MAX = 1 << 20
PATIENCE_MAX = 32
DNS = {"good": "DNS:localhost,IP:127.0.0.1", "wrong_host": "DNS:elsewhere.test", "expired": "DNS:localhost,IP:127.0.0.1",
       "unknown_ca": "DNS:localhost,IP:127.0.0.1"}


def openssl(folder, *arguments, text=None):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, input=text, text=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make_certificates(folder):
    for ca in ("ca", "other_ca"):
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.pem")
    for name, names in DNS.items():
        ca = "other_ca" if name == "unknown_ca" else "ca"
        openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout",
                f"{name}.key", "-out", f"{name}.csr")
        with open(os.path.join(folder, f"{name}.ext"), "w", encoding="ascii") as out:
            out.write(f"subjectAltName={names}\n")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days",
                "-1" if name == "expired" else "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


class Gone(Exception):
    pass


class Http2:
    """As much of HTTP/2 as a server needs that says little: no header of a request is decoded."""

    def __init__(self, connection):
        self.c = connection
        self.stream = 0
        self.c.take(24)
        self.frame(4, 0, 0, b"")

    def frame(self, kind, flags, stream, payload):
        self.c.send(struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload)

    def request(self):
        while True:
            head = self.c.take(9)
            length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            stream = int.from_bytes(head[5:], "big")
            payload = self.c.take(length)
            if kind == 4 and not flags & 1:
                self.frame(4, 1, 0, b"")
            elif kind == 6 and not flags & 1:
                self.frame(6, 1, 0, payload)
            elif kind in (0, 1) and flags & 1:
                self.stream = stream
                self.c.row.requests += 1
                return

    def serve(self, size):
        """Answers what comes, with all streams side by side, each as far as its window goes."""
        initial, window, left, windows = 65535, 65535, {}, {}
        while True:
            busy = any(left[i] > 0 and min(window, windows[i]) > 0 for i in left)
            if len(self.c.have) < 9 and not self.c.readable(0 if busy else 60) and not busy:
                return
            while len(self.c.have) >= 9 and len(self.c.have) >= 9 + int.from_bytes(self.c.have[:3], "big"):
                head = self.c.take(9)
                length, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
                payload = self.c.take(length)
                if kind == 4 and not flags & 1:
                    for at in range(0, length, 6):
                        name, value = struct.unpack(">HI", payload[at:at + 6])
                        if name == 4:
                            windows = {i: w + value - initial for i, w in windows.items()}
                            initial = value
                    self.frame(4, 1, 0, b"")
                elif kind == 8:
                    if stream == 0:
                        window += int.from_bytes(payload, "big")
                    elif stream in windows:
                        windows[stream] += int.from_bytes(payload, "big")
                elif kind == 3:
                    left.pop(stream, None)
                elif kind == 6 and not flags & 1:
                    self.frame(6, 1, 0, payload)
                elif kind in (0, 1) and flags & 1:
                    self.stream = stream
                    self.c.row.requests += 1
                    self.head(200)
                    left[stream], windows[stream] = size, initial
            for i in list(left):
                n = min(left[i], 16384, window, windows[i])
                if n <= 0:
                    continue
                left[i] -= n
                window -= n
                windows[i] -= n
                self.frame(0, 0 if left[i] else 1, i, b"x" * n)
                if not left[i]:
                    del left[i]

    def head(self, status):
        text = str(status).encode()
        kind = b"text/plain"
        self.frame(1, 4, self.stream, b"\x08" + bytes((len(text),)) + text + b"\x0f\x10" + bytes((len(kind),)) + kind)

    def data(self, text, last):
        while len(text) > 16000:
            self.frame(0, 0, self.stream, text[:16000])
            text = text[16000:]
        self.frame(0, 1 if last else 0, self.stream, text)


class Answer:
    """One answer of a provider, on its way."""

    def __init__(self, connection, asked):
        self.c, self.asked = connection, asked
        self.format = wire_formats.FAMILIES[asked.family](asked.model)
        self.text, self.unknown, self.named = "", False, {}

    def put(self, text):
        data = text.encode()
        self.c.send(b"%x\r\n" % len(data) + data + b"\r\n")

    def step_fail(self, status, headers, words):
        body = self.format.json(self.format.failure(status, words)).encode()
        head = self.c.head(status, {"Content-Type": "application/json", **headers})
        self.c.send((head + f"Content-Length: {len(body)}\r\n\r\n").encode("latin-1") + body)

    def step_begin(self):
        if not self.asked.stream:
            return
        self.c.send((self.c.head(200, {"Content-Type": self.format.kind, **self.named}) + "Transfer-Encoding: chunked\r\n\r\n").encode())
        begin = self.format.begin()
        if begin:
            self.put(begin)

    def step_say(self, text):
        self.text += text
        if self.asked.stream:
            self.put(self.format.text(text))

    def step_part(self, number):
        self.step_say(wire_formats.PARTS[number - 1])

    def step_error(self, status, words):
        if self.asked.stream:
            self.put(self.format.error(status, words))
            self.c.send(b"0\r\n\r\n")
        else:
            self.whole_reply(self.format.json(self.format.failure(status, words)))

    def step_unknown(self):
        self.unknown = True
        if self.asked.stream:
            self.put(self.format.unknown())

    def step_named(self, name):
        self.format.model, self.named = name, {"x-request-id": name, "request-id": name}

    def step_turned(self):
        self.format.reverse = True

    def whole_reply(self, body):
        data = body.encode()
        head = self.c.head(200, {"Content-Type": "application/json", **self.named}) + f"Content-Length: {len(data)}\r\n\r\n"
        self.c.send(head.encode() + data)

    def step_finish(self):
        if self.asked.stream:
            self.put(self.format.end())
            self.c.send(b"0\r\n\r\n")
        else:
            self.whole_reply(self.format.whole(self.text, self.unknown))

    def step_leave_off(self):
        if self.asked.stream:
            self.c.send(b"0\r\n\r\n")
        else:
            body = self.format.whole(self.text, self.unknown)
            self.whole_reply(body[:len(body) // 2])

    def step_half_a_character(self):
        text = self.format.text("\u00fc") if self.asked.stream else self.format.whole(self.text + "\u00fc", False)
        data = text.encode()
        data = data[:data.rindex("\u00fc".encode()) + 1]
        if self.asked.stream:
            self.c.send(b"%x\r\n" % len(data) + data + b"\r\n")
        else:
            self.c.send((self.c.head(200, {"Content-Type": "application/json"}) + f"Content-Length: {len(data) + 100}\r\n\r\n").encode() + data)

    def step_in_pieces(self, text):
        self.text += text
        if self.asked.stream:
            for byte in self.format.text(text).encode():
                self.c.send(b"1\r\n" + bytes((byte,)) + b"\r\n")


def filled(value, asked):
    """{key} in texts is the key that came with the request, {header} its header X-Secret."""
    if isinstance(value, str):
        return value.replace("{key}", asked.key).replace("{header}", asked.header)
    if isinstance(value, dict):
        return {name: filled(one, asked) for name, one in value.items()}
    return value


class Connection:
    def __init__(self, row, sock):
        self.row, self.sock, self.have, self.h2, self.answer = row, sock, b"", None, None

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone from error

    def more(self):
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        self.row.note(data)
        self.have += data

    def take(self, n):
        while len(self.have) < n:
            self.more()
        data, self.have = self.have[:n], self.have[n:]
        return data

    def read(self):
        while b"\r\n\r\n" not in self.have:
            self.more()
        head, _, rest = self.have.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        self.have = rest
        body = self.take(length)
        self.row.requests += 1
        return head, body

    def wait(self, seconds):
        """True when the other end has gone."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return
            if self.poll(left):
                self.more()

    def poll(self, seconds):
        waiter = select.poll()  # select knows only the first 1,024 descriptors
        waiter.register(self.sock, select.POLLIN)
        return waiter.poll(seconds * 1000)

    def readable(self, seconds):
        if self.sock.pending() == 0 and not self.poll(seconds):
            return False
        self.more()
        return True

    def head(self, status, headers):
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {status} Words\r\n{lines}"

    def chunk(self, data):
        self.send(b"%x\r\n" % len(data) + data + b"\r\n")

    def play(self, steps):
        at = 0
        while at < len(steps):
            verb, *rest = steps[at]
            at += 1
            if verb in ("tls", "tls_h2"):
                self.sock.settimeout(30)
                self.sock = self.row.contexts[verb, rest[0]].wrap_socket(self.sock, server_side=True)
            elif verb == "again":
                at = sum(step[0].startswith("tls") for step in steps)
            elif verb == "reset":
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            elif verb == "shut":
                return
            else:
                if self.answer:
                    rest = [filled(one, self.answer.asked) for one in rest]
                speaker = self.answer if hasattr(Answer, "step_" + verb) else self
                getattr(speaker, "step_" + verb)(*rest)

    def step_ask(self):
        self.answer = Answer(self, wire_formats.Asked(*self.read()))

    def step_read(self):
        self.read()

    def step_send(self, text):
        self.send(text.encode("latin-1"))

    def step_reply(self, status, headers, body):
        data = body.encode("latin-1")
        self.send((self.head(status, headers) + f"Content-Length: {len(data)}\r\n\r\n").encode("latin-1") + data)

    def step_head(self, status, headers):
        self.send((self.head(status, headers) + "Transfer-Encoding: chunked\r\n\r\n").encode("latin-1"))

    def step_chunk(self, text):
        self.chunk(text.encode("latin-1"))

    def step_last_chunk(self):
        self.send(b"0\r\n\r\n")

    def step_gzip(self, text):
        self.chunk(gzip.compress(text.encode("latin-1")))

    def step_bomb(self, megabytes):
        """The same piece again and again: to pack it all takes a second of the processor, and on a busy machine longer than who asks waits."""
        piece, packer, crc = bytes(1 << 20), zlib.compressobj(9, zlib.DEFLATED, -15), 0
        packed = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
        for _ in range(megabytes):
            crc = zlib.crc32(piece, crc)
        head = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
        self.chunk(head + packed * megabytes + packer.flush() + struct.pack("<II", crc, megabytes << 20))

    def step_drip(self, text, ms):
        for byte in text.encode("latin-1"):
            self.send(bytes((byte,)))
            self.wait(ms / 1000)

    def step_flood(self, text):
        data = text.encode("latin-1") * (1 + 16384 // len(text))
        while True:
            self.send(data)

    def step_wait(self, ms):
        self.wait(ms / 1000 * (Row.patience if self.row.is_answer else 1))

    def step_hang(self):
        self.wait(60)

    def step_h2_request(self):
        self.h2 = self.h2 or Http2(self)
        self.h2.request()

    def step_h2_head(self, status):
        self.h2.head(status)

    def step_h2_data(self, text, last):
        self.h2.data(text.encode("latin-1"), last)

    def step_h2_reset(self, code):
        self.h2.frame(3, 0, self.h2.stream, struct.pack(">I", code))

    def step_h2_goaway(self, code):
        self.h2.frame(7, 0, 0, struct.pack(">II", 0, code))

    def step_h2_serve(self, kilobytes):
        Http2(self).serve(kilobytes << 10)


class Row:
    patience = 1  # of all

    def __init__(self, table_row, contexts):
        self.name, self.steps, self.contexts = table_row["name"], table_row.get("server", []), contexts
        self.is_answer = table_row.get("play") == "answer"
        self.connections = self.requests = self.bytes = 0
        self.text = b""
        self.lock = threading.Lock()
        self.kept = []
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        listen = table_row.get("listen", "")
        if listen == "refused":  # bound, so that nobody else gets the port
            return
        self.sock.listen(0 if listen == "full" else 256)
        if listen == "full":
            for _ in range(8):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", self.port))
                self.kept.append(one)
            time.sleep(0.1)
            return
        threading.Thread(target=self.accept, daemon=True).start()

    def note(self, data):
        with self.lock:
            self.bytes += len(data)
            if len(self.text) < SEEN_MAX:
                self.text += data

    def accept(self):
        while True:
            sock, _ = self.sock.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        connection = Connection(self, sock)
        try:
            connection.play(self.steps)
        except (Gone, OSError, ssl.SSLError):
            pass
        finally:
            try:
                connection.sock.close()
            except OSError:
                pass


def make_contexts(folder):
    contexts = {}
    for verb, protocols in (("tls", ["http/1.1"]), ("tls_h2", ["h2"])):
        for name in DNS:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(folder, f"{name}.pem"), os.path.join(folder, f"{name}.key"))
            context.set_alpn_protocols(protocols)
            contexts[verb, name] = context
    return contexts


class Pulse(threading.Thread):
    """Notes when this process last stood still for a moment."""
    BEAT_S, STILL_NS = 0.005, 50000000

    def __init__(self):
        super().__init__(daemon=True)
        self.beat = threading.Condition()
        self.still = 0

    def run(self):
        last = time.monotonic_ns()
        while True:
            time.sleep(self.BEAT_S)
            now = time.monotonic_ns()
            with self.beat:
                if now - last > self.STILL_NS:
                    self.still = now
                self.beat.notify_all()
            last = now

    def last(self):
        """As the next beat sees it: the one that stands still with the others comes late, too."""
        with self.beat:
            self.beat.wait()
            return self.still


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder = os.path.abspath(sys.argv[1])
    make_certificates(folder)
    contexts = make_contexts(folder)
    rows = {}
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as table:
            for row in json.load(table)["rows"]:
                if row.get("play") == "answer":
                    steps = row.get("server", []) + [["again"]]
                    rows[row["name"]] = Row({**row, "server": steps}, contexts)
                    rows[row["name"] + "/tls"] = Row({**row, "server": [["tls", "good"], *steps]}, contexts)
                else:
                    rows[row["name"]] = Row(row, contexts)
    places = {name: {"port": row.port, "tls": any(step[0].startswith("tls") for step in row.steps)} for name, row in rows.items()}
    print(json.dumps({"ca": os.path.join(folder, "ca.pem"), "rows": places, "answer": wire_formats.ANSWER}), flush=True)
    pulse = Pulse()
    pulse.start()
    for line in sys.stdin:
        if line.strip() == "slower":
            Row.patience = min(2 * Row.patience, PATIENCE_MAX)
            continue
        if line.strip() == "still":
            print(json.dumps({"still_ns": pulse.last()}), flush=True)
            continue
        row = rows[line.strip().removeprefix("seen ")]
        with row.lock:
            print(json.dumps({"connections": row.connections, "requests": row.requests, "bytes": row.bytes,
                              "text": row.text[:4096].decode("latin-1")}), flush=True)


if __name__ == "__main__":
    main()
