"""A temporary PostgreSQL with pgvector, pgTAP where it is installed, and PgBouncer in transaction mode, on random ports of
127.0.0.1, for as long as a command runs:

    python3 tests/postgres/cluster.py [OPTIONS] -- COMMAND ARGUMENT...
    python3 tests/postgres/cluster.py                      without a command: a shell, to try things by hand

    --schema NAME    schema for aiorch's objects (default: aiorch)
    --empty          leave the database empty: no pgvector, no migration, no login but owner and postgres
    --no-bouncer     without PgBouncer
    --tls            with a certificate for localhost of an authority of its own ($AIORCH_TEST_POSTGRES_CA)
    --set NAME=VALUE a setting of the server; may be given several times
    --disk MB        with its data on a file system of its own that has this size (as root)
    --durable        with fsync, as in production; without it a test's server forgets at the crash of the machine only

The command sees, and the shell says:

    AIORCH_TEST_POSTGRES            URL of a login that may do what aiorch_app may, and nothing else
    AIORCH_TEST_POSTGRES_PGBOUNCER  the same through PgBouncer
    AIORCH_TEST_POSTGRES_BYPASS     URL of a login that is also exempt from row-level security
    AIORCH_TEST_POSTGRES_READER     URL of a login of aiorch_reader
    AIORCH_TEST_POSTGRES_OWNER      URL of a login that owns the database, may create roles and is no superuser: who migrates
    AIORCH_TEST_POSTGRES_ADMIN      URL of the superuser
    AIORCH_TEST_POSTGRES_DATA       data folder (postmaster.pid is in it)
    AIORCH_TEST_POSTGRES_BIN        folder of pg_ctl; AIORCH_TEST_POSTGRES_USER: who runs the server, for signals
    AIORCH_TEST_POSTGRES_SCHEMA     the schema

Exits with the command's code, with 77 and a line "SKIP: reason" when PostgreSQL or pgvector is not to be had. All is taken down and
removed however the command ends. Several can run at once.
"""
import argparse
import glob
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LEAST_VERSION = 15
READY_SECONDS = 60
LOGINS = ("app", "bypass", "reader", "owner")


class Skip(Exception):
    pass


def find_binaries():
    """The newest version that is installed: (major, folder of its programs)."""
    found = []
    for path in glob.glob("/usr/lib/postgresql/*/bin/postgres") + glob.glob("/usr/local/pgsql/bin/postgres"):
        version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
        found.append((int(re.search(r"(\d+)", version).group(1)), os.path.dirname(path)))
    found = [one for one in found if one[0] >= LEAST_VERSION]
    if not found:
        raise Skip(f"no PostgreSQL {LEAST_VERSION} or newer here (scripts/install-deps.sh --tests)")
    return max(found)


def find_pgvector(binaries):
    done = subprocess.run(["sh", os.path.join(ROOT, "scripts", "get-pgvector.sh")], capture_output=True, text=True,
                          env={**os.environ, "PG_CONFIG": os.path.join(binaries, "pg_config")})
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        raise Skip("pgvector could not be had (scripts/get-pgvector.sh)")
    return done.stdout.strip()


def find_user():
    """Who runs the server: it refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise Skip("root may not run PostgreSQL, and there is no user postgres")


def reserve_port():
    """A port that is given to nobody else for as long as this is open: who binds it by its number, with SO_REUSEADDR as servers do, may
    listen at it, again and again; until then connections to it are refused."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0))
    return s


class Cluster:
    def __init__(self, options):
        self.options = options
        self.major, self.system_bin = find_binaries()
        self.pgvector = find_pgvector(self.system_bin)
        self.user = find_user()
        if not options.no_bouncer and shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
            raise Skip("no pgbouncer here (scripts/install-deps.sh --tests)")
        self.folder = tempfile.mkdtemp(prefix="aiorch-postgres.", dir="/tmp")
        self.data = os.path.join(self.folder, "data")
        self.bin = os.path.join(self.folder, "server" + self.system_bin)
        self.children, self.reserved = [], []
        self.port = self.bouncer_port = None

    def path(self, *names):
        return os.path.join(self.folder, *names)

    # -- a server that finds pgvector beside what the distribution has: folders are found from where its program lies --------

    def link_all(self, source, target, but=()):
        os.makedirs(target, exist_ok=True)
        for name in os.listdir(source):
            if name not in but:
                os.symlink(os.path.join(source, name), os.path.join(target, name))

    def make_server(self):
        os.makedirs(self.bin)
        for name in ("postgres", "initdb", "pg_ctl"):
            shutil.copy(os.path.join(self.system_bin, name), self.bin)
        self.link_all(self.system_bin, self.bin, but=("postgres", "initdb", "pg_ctl", "postmaster"))
        ask = lambda what: subprocess.run([os.path.join(self.system_bin, "pg_config"), what], capture_output=True,
                                          text=True, check=True).stdout.strip()
        share, library = ask("--sharedir"), ask("--pkglibdir")
        ours = self.path("server") + share
        self.link_all(share, ours, but=("extension",))
        self.link_all(os.path.join(share, "extension"), os.path.join(ours, "extension"),
                      but=os.listdir(self.pgvector))
        self.link_all(library, self.path("server") + library, but=("vector.so",))
        for name in os.listdir(self.pgvector):
            folder = self.path("server") + library if name.endswith(".so") else os.path.join(ours, "extension")
            shutil.copy(os.path.join(self.pgvector, name), folder)

    def give_away(self):
        os.chmod(self.folder, 0o755)
        if self.user is None:
            return
        os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        for name in ("tls", "bouncer"):
            for path, _, files in os.walk(self.path(name)):
                for one in [path] + [os.path.join(path, file) for file in files]:
                    os.chown(one, self.user.pw_uid, self.user.pw_gid)

    def as_user(self, **more):
        more["cwd"] = self.folder
        if self.user is not None:
            more.update(user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[])
        return more

    def reserve(self):
        self.reserved.append(reserve_port())
        return self.reserved[-1].getsockname()[1]

    # -- starting --------------------------------------------------------------------------------------------------------

    def make_certificate(self):
        folder = self.path("tls")
        os.makedirs(folder)
        run = lambda *words: subprocess.run(("openssl",) + words, cwd=folder, check=True, capture_output=True)
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=aiorch test authority",
            "-keyout", "ca.key", "-out", "ca.crt")
        run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
        with open(os.path.join(folder, "names"), "w", encoding="ascii") as file:
            file.write("subjectAltName=DNS:localhost\n")
        run("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "server.crt")
        os.chmod(os.path.join(folder, "server.key"), 0o600)

    def settings(self):
        out = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder, "max_connections": "100",
               "shared_buffers": "128MB", "log_destination": "stderr", "log_line_prefix": "%m [%p] %q%u@%d ",
               "timezone": "UTC", "autovacuum_naptime": "5s", "fsync": "on" if self.options.durable else "off"}
        if self.options.tls:
            out.update(ssl="on", ssl_cert_file=self.path("tls", "server.crt"), ssl_key_file=self.path("tls", "server.key"))
        for pair in self.options.set:
            name, _, value = pair.partition("=")
            out[name] = value
        return out

    def mount_disk(self):
        os.mkdir(self.data)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm" % self.options.disk, "aiorch-test", self.data], check=True)
        if self.user is not None:
            os.chown(self.data, self.user.pw_uid, self.user.pw_gid)

    def start_server(self):
        if self.options.disk:
            self.mount_disk()
        subprocess.run([os.path.join(self.bin, "initdb"), "--pgdata", self.data, "--username=postgres", "--auth=trust",
                        "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
                       check=True, stdout=subprocess.DEVNULL, **self.as_user())
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a", encoding="utf-8") as file:
            for name, value in self.settings().items():
                file.write("%s = '%s'\n" % (name, value.replace("'", "''")))
        self.port = self.reserve()
        if not self.start(os.path.join(self.bin, "postgres"), "-D", self.data, "-p", str(self.port), log="server.log"):
            self.fail("the server does not start", "server.log")

    def start_bouncer(self):
        os.makedirs(self.path("bouncer"), exist_ok=True)
        users = self.path("bouncer", "users.txt")
        with open(users, "w", encoding="utf-8") as file:
            file.writelines('"%s" ""\n' % name for name in LOGINS + ("postgres",))
        self.bouncer_port = self.reserve()
        with open(self.path("bouncer", "bouncer.ini"), "w", encoding="utf-8") as file:
            file.write("[databases]\n* = host=127.0.0.1 port=%d\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                       "listen_port = %d\nunix_socket_dir =\nauth_type = trust\nauth_file = %s\n"
                       "pool_mode = transaction\nmax_client_conn = 500\ndefault_pool_size = 4\n"
                       "ignore_startup_parameters = extra_float_digits\n" % (self.port, self.bouncer_port, users))
        self.give_away()
        program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not self.start(program, self.path("bouncer", "bouncer.ini"), log="bouncer.log", port=self.bouncer_port):
            self.fail("PgBouncer does not start", "bouncer.log")

    def start(self, *command, log, port=None):
        """Starts a program and waits until it answers. False: it ended."""
        with open(self.path(log), "ab") as file:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
                                     **self.as_user())
        self.children.append(child)
        ready = [os.path.join(self.system_bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port or self.port), "-d", "postgres"]
        give_up = time.monotonic() + READY_SECONDS
        while child.poll() is None:
            if subprocess.run(ready).returncode == 0:
                return True
            if time.monotonic() > give_up:
                self.fail("does not answer within %d s: %s" % (READY_SECONDS, command[0]), log)
            time.sleep(0.02)
        self.children.remove(child)
        return False

    def fail(self, message, log):
        with open(self.path(log), encoding="utf-8", errors="replace") as file:
            sys.stderr.write(file.read()[-4000:])
        raise SystemExit("cluster.py: " + message)

    # -- what is in it ---------------------------------------------------------------------------------------------------

    def url(self, login, port=None):
        return "postgresql://%s@127.0.0.1:%d/aiorch" % (login, port or self.port)

    def psql(self, login, *arguments, text=None, quiet=True):
        done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "schema=" + self.options.schema,
                               "-d", self.url(login)] + list(arguments), input=text, text=True, capture_output=True,
                              env={**os.environ, "PGOPTIONS": "-c client_min_messages=warning"})
        if done.returncode != 0 or (done.stderr and not quiet):
            sys.stderr.write(done.stdout + done.stderr)
        if done.returncode != 0:
            raise SystemExit("cluster.py: psql failed: " + " ".join(arguments))
        return done.stdout

    def fill(self):
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d",
                        "postgresql://postgres@127.0.0.1:%d/postgres" % self.port],
                       input="CREATE ROLE owner LOGIN CREATEROLE; CREATE DATABASE aiorch OWNER owner;", text=True, check=True)
        if self.options.empty:
            return
        self.psql("postgres", text="CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO PUBLIC;"
                              " CREATE EXTENSION vector SCHEMA extensions;")
        self.psql("owner", "-f", os.path.join(ROOT, "sql", "postgres", "all.psql"), quiet=False)
        self.psql("postgres", text="""
            CREATE ROLE app LOGIN IN ROLE aiorch_app;
            CREATE ROLE bypass LOGIN BYPASSRLS IN ROLE aiorch_app;
            CREATE ROLE reader LOGIN IN ROLE aiorch_reader;""")

    def environment(self):
        out = {"AIORCH_TEST_POSTGRES": self.url("app"), "AIORCH_TEST_POSTGRES_BYPASS": self.url("bypass"),
               "AIORCH_TEST_POSTGRES_READER": self.url("reader"), "AIORCH_TEST_POSTGRES_OWNER": self.url("owner"),
               "AIORCH_TEST_POSTGRES_ADMIN": self.url("postgres"), "AIORCH_TEST_POSTGRES_DATA": self.data,
               "AIORCH_TEST_POSTGRES_BIN": self.bin, "AIORCH_TEST_POSTGRES_SCHEMA": self.options.schema,
               "AIORCH_TEST_POSTGRES_USER": self.user.pw_name if self.user else pwd.getpwuid(os.getuid()).pw_name}
        if self.bouncer_port:
            out["AIORCH_TEST_POSTGRES_PGBOUNCER"] = self.url("app", self.bouncer_port)
        if self.options.tls:
            out["AIORCH_TEST_POSTGRES_CA"] = self.path("tls", "ca.crt")
        return out

    def up(self):
        self.make_server()
        if self.options.tls:
            self.make_certificate()
        self.give_away()
        self.start_server()
        self.fill()
        if not self.options.no_bouncer:
            self.start_bouncer()

    def down(self):
        for child in reversed(self.children):
            # Also what a test has stopped or started anew: the session is ours.
            for sign in (signal.SIGCONT, signal.SIGQUIT):
                try:
                    os.killpg(child.pid, sign)
                except ProcessLookupError:
                    pass
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self.stop_restarted()
        if self.options.disk:
            subprocess.run(["umount", "--lazy", self.data], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop_restarted(self):
        """A test may have stopped the server and started another on the same folder, or one on a copy beside it."""
        for name in glob.glob(self.data + "*/postmaster.pid"):
            try:
                with open(name, encoding="ascii", errors="replace") as file:
                    pid = int(file.readline())
                with open("/proc/%d/cmdline" % pid, "rb") as file:
                    if self.data.encode() in file.read():
                        os.kill(pid, signal.SIGQUIT)
            except (OSError, ValueError):
                pass


def ended(number, _):
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schema", default="aiorch")
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--no-bouncer", action="store_true")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--durable", action="store_true")
    parser.add_argument("--disk", type=int, default=0, metavar="MB")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ended)
    try:
        cluster = Cluster(options)
    except Skip as reason:
        print("SKIP: %s" % reason)
        return 77
    child = None
    try:
        cluster.up()
        environment = cluster.environment()
        if not command:
            for name, value in environment.items():
                print("%s=%s" % (name, value))
            sys.stdout.flush()
        child = subprocess.Popen(command or [os.environ.get("SHELL", "/bin/sh")], env={**os.environ, **environment})
        return child.wait()
    finally:
        if child is not None and child.poll() is None:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
        cluster.down()


if __name__ == "__main__":
    sys.exit(main())
