"""A server of files over https on this machine, whose certificate is made here, and which can fail in many ways."""

import http.server
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading


def make_certificate(folder, name="localhost"):
    """(certificate, key): signed by itself, for `name`. Skips the whole test where there is no openssl."""
    if not shutil.which("openssl"):
        print("SKIP: openssl is not there to make a certificate with")
        sys.exit(77)
    certificate, key = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", certificate, "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}"], check=True, capture_output=True)
    return certificate, key


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def do_GET(self):  # pylint: disable=invalid-name
        site = self.server.site
        name = self.path.lstrip("/")
        site.requests.append((name, self.headers.get("Range"), self.headers.get("If-Range")))
        behaviour = site.behaviours.pop(0) if site.behaviours else site.always
        content = site.files.get(name)
        if behaviour and behaviour[0] == "status":
            self.plain(behaviour[1], b"not now")
        elif behaviour and behaviour[0] == "redirect":
            self.send_response(302)
            self.send_header("Location", behaviour[1] + "/" + name)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif content is None:
            self.plain(404, b"no such file")
        else:
            self.give(site, name, content, behaviour)

    def plain(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def give(self, site, name, content, behaviour):
        etag = site.etags.get(name, f'"{len(content)}-{site.version}"')
        start, asked = 0, self.headers.get("Range")
        fresh = self.headers.get("If-Range") in (None, etag)
        if asked and fresh and site.ranges:
            start = int(asked.split("=")[1].rstrip("-"))
            if start >= len(content):
                self.plain(416, b"")
                return
        self.send_response(206 if start else 200)
        if etag:
            self.send_header("ETag", etag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content)
        if behaviour and behaviour[0] in ("cut", "stall"):
            end = min(end, start + behaviour[1])
        self.wfile.write(content[start:end])
        self.wfile.flush()
        if behaviour and behaviour[0] == "stall":
            site.stalled.set()
            site.go_on.wait(60)
        if end < len(content):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)


class Site:
    """behaviours: one for each coming request, then `always`: None, ("cut", bytes), ("stall", bytes), ("status", code),
    ("redirect", base)."""

    def __init__(self, folder, name="localhost"):
        self.ca, key = make_certificate(folder, name)
        self.files, self.etags, self.requests, self.behaviours = {}, {}, [], []
        self.always, self.ranges, self.version = None, True, 1
        self.stalled, self.go_on = threading.Event(), threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.site = self
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.handle_error = lambda *args: None
        self.url = f"https://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()
