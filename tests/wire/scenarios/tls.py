"""TLS, seen from a client: versions, certificates, what comes before the handshake, and after."""

import atexit
import contextlib
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from scenarios.reload import reload
from scenarios.scene import check, scenario
from wire import PATIENCE_S, Connection, Failure, Server, Skipped, wait_for

FOLDER = None
MAKING = threading.Lock()


def run(*words):
    subprocess.run(["openssl", *words], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def certificates():
    """A folder with a CA and what it has signed: server, alice and mallory. Made once a run."""
    global FOLDER
    with MAKING:
        if not FOLDER:
            FOLDER = make_certificates()
        return FOLDER


def make_certificates():
    if not shutil.which("openssl"):
        raise Skipped("no openssl to make a certificate with")
    folder = tempfile.mkdtemp(prefix="wire-tls-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    def path(name):
        return os.path.join(folder, name)

    def key(name):
        run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path(name + ".key"))

    key("ca")
    run("req", "-x509", "-new", "-key", path("ca.key"), "-subj", "/CN=ca", "-days", "2",
        "-out", path("ca.pem"))
    with open(path("names"), "w", encoding="utf-8") as file:
        for name in ("server", "alice", "mallory"):
            file.write(f"[{name}]\nsubjectAltName=DNS:{name}.local,IP:127.0.0.1,"
                       f"email:{name}@example.com\n")
    for name in ("server", "alice", "mallory"):
        key(name)
        run("req", "-new", "-key", path(name + ".key"), "-subj", f"/O=Peal/CN={name}",
            "-out", path(name + ".csr"))
        run("x509", "-req", "-in", path(name + ".csr"), "-CA", path("ca.pem"), "-CAkey",
            path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", path("names"),
            "-extensions", name, "-out", path(name + ".pem"))
    return folder


def tls_config(settings="", more=""):
    folder = certificates()
    return (f'tls {{ cert_file: "{folder}/server.pem", key_file: "{folder}/server.key", '
            f'ca_file: "{folder}/ca.pem", {settings} }}\n{more}')


@contextlib.contextmanager
def tls_server(scene, settings="", more=""):
    server = Server(scene.server.command[0], tls_config(settings, more))
    try:
        yield server
        server.stop()
    finally:
        server.kill()


def context(version=None, certificate=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(os.path.join(certificates(), "ca.pem"))
    if version:
        made.minimum_version = made.maximum_version = version
    if certificate:
        made.load_cert_chain(os.path.join(certificates(), certificate + ".pem"),
                             os.path.join(certificates(), certificate + ".key"))
    return made


def secured(connection, using, session=None):
    connection.socket = using.wrap_socket(connection.socket, server_hostname="server.local",
                                          session=session)
    return connection


def hello(connection, fields=b""):
    connection.send(b'CONNECT {"verbose":false' + fields + b"}\r\nPING\r\n")
    connection.expect(b"PONG\r\n")


def expect_no_way_in(server, using, session=None):
    """The handshake fails, or is the last that is heard: a TLS 1.3 client learns it later."""
    connection = Connection.with_info(server.port)
    try:
        secured(connection, using, session)
        connection.socket.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
        seen = connection.socket.recv(1)
    except (ssl.SSLError, OSError):
        return
    check(not seen, f"it came in and heard {seen}")


@scenario("tls: both versions, small messages and large", tags=["tls"])
def versions(scene):
    with tls_server(scene) as server:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            connection = Connection.with_info(server.port)
            check(connection.info.get("tls_required") is True, "INFO does not say tls_required")
            secured(connection, context(version))
            check(connection.socket.version() == version.name.replace("_", "."),
                  f"it is {connection.socket.version()}")
            hello(connection)
            connection.send(b"SUB foo 1\r\n")
            for size in (0, 1, 16384, 300_000):
                payload = os.urandom(size)
                connection.send(b"PUB foo %d\r\n" % size + payload + b"\r\n")
                connection.expect(b"MSG foo 1 %d\r\n" % size + payload + b"\r\n")
            connection.send(b"BOGUS\r\n")
            connection.expect(b"-ERR 'Unknown Protocol Operation'\r\n")
            connection.expect_eof()  # With a proper end: Python raises an error for another.


@scenario("tls: CONNECT in clear to a server that wants TLS is closed, without a word", tags=["tls"])
def clear_to_tls(scene):
    with tls_server(scene) as server:
        connection = Connection.with_info(server.port)
        connection.send(b'CONNECT {"verbose":false}\r\nPING\r\n')
        while connection.receive(deadline()):
            pass
        check(connection.ended and b"PONG" not in connection.seen, f"seen {connection.seen}")


def deadline():
    return time.monotonic() + PATIENCE_S


@scenario("tls: what was said in clear before the handshake is not acted upon", tags=["tls"])
def pipelined_clear_text(scene):
    with tls_server(scene) as server:
        witness = secured(Connection.with_info(server.port), context())
        hello(witness)
        witness.send(b"SUB foo 1\r\n")
        witness.fence()
        connection = Connection.with_info(server.port)
        connection.send(b"PUB foo 1\r\nx\r\n")
        try:
            secured(connection, context())
            raise Failure("the handshake went on behind words in clear")
        except (ssl.SSLError, OSError):
            pass
        witness.fence()


@scenario("tls: a handshake byte by byte, with CONNECT right behind it", tags=["tls"])
def byte_by_byte(scene):
    with tls_server(scene) as server:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        peer = context().wrap_bio(incoming, outgoing, server_hostname="server.local")
        connection = Connection.with_info(server.port)

        def exchange(step, drip):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    data = outgoing.read()
                    for part in ([data[i:i + 1] for i in range(len(data))] if drip else [data]):
                        connection.socket.sendall(part)
                    incoming.write(connection.socket.recv(65536))

        exchange(peer.do_handshake, True)
        peer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
        answer = exchange(lambda: peer.read(6), False)
        check(answer == b"PONG\r\n", f"seen {answer}")


@scenario("tls: what comes in one piece with the end of the handshake waits, however much", tags=["tls"])
def much_behind_handshake(scene):
    with tls_server(scene) as server:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            peer = context(version).wrap_bio(incoming, outgoing, server_hostname="server.local")
            connection = Connection.with_info(server.port)
            while True:
                try:
                    peer.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    connection.socket.sendall(outgoing.read())
                    incoming.write(connection.socket.recv(65536))
            peer.write(b'CONNECT {"verbose":false}\r\n' + b"PUB foo 1000\r\n%s\r\n" % bytes(1000)
                       * 400 + b"PING\r\n")
            connection.socket.sendall(outgoing.read())  # With the client's last flight, in 1.3.
            answer = b""
            while not answer:
                received = connection.socket.recv(65536)
                check(received, f"{version.name}: closed")
                incoming.write(received)
                with contextlib.suppress(ssl.SSLWantReadError):
                    answer = peer.read(6)
            check(answer == b"PONG\r\n", f"seen {answer}")


@scenario("tls: who does not shake hands is closed after the timeout", slow=True, tags=["tls"])
def handshake_timeout(scene):
    with tls_server(scene, "timeout: 1") as server:
        silent = Connection.with_info(server.port)
        halting = Connection.with_info(server.port)
        halting.send(b"\x16\x03\x01\x02\x00\x01")
        silent.expect_eof()
        halting.expect_eof()
        if scene.kind == "peal":
            server.expect_log("TLS handshake error: it took too long")


@scenario("tls: a greeting without end is not kept", tags=["tls"])
def endless_greeting(scene):
    with tls_server(scene, 'timeout: "60s"') as server:
        connection = Connection.with_info(server.port)
        # Records of a ClientHello that says it has sixteen megabytes.
        connection.send(b"".join(b"\x16\x03\x01\x40\x00" + (b"\x01\xff\xff\xff" if i == 0 else b"")
                                 + bytes(0x4000 - (4 if i == 0 else 0)) for i in range(20)))
        while connection.receive(deadline()):
            pass
        check(connection.ended, "it was not closed")


def tickets_of(server, certificate=None):
    """One of each version: a context, and the session to come back with by it."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        using = context(version, certificate)
        first = secured(Connection.with_info(server.port), using)
        hello(first)
        session = first.socket.session
        first.close()
        yield using, session


@scenario("tls: a client comes back without a whole handshake", tags=["tls"])
def resumption(scene):
    with tls_server(scene) as server:
        for using, session in tickets_of(server):
            second = secured(Connection.with_info(server.port), using, session)
            hello(second)
            check(second.socket.session_reused, f"{second.socket.version()}: a whole handshake")


AUTHORITY = """[ca]
default_ca = wire
[wire]
database = {0}/brief.index
new_certs_dir = {0}
certificate = {0}/ca.pem
private_key = {0}/ca.key
rand_serial = yes
default_md = sha256
policy = names
[names]
commonName = supplied
"""


def certify_briefly(valid_s):
    """A certificate of our CA in brief.pem. Returns when it ends."""
    folder = certificates()
    with open(f"{folder}/brief.conf", "w", encoding="utf-8") as file:
        file.write(AUTHORITY.format(folder))
    with open(f"{folder}/brief.index", "w", encoding="utf-8"):
        pass
    run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{folder}/brief.key")
    run("req", "-new", "-key", f"{folder}/brief.key", "-subj", "/CN=brief", "-out",
        f"{folder}/brief.csr")
    ends = int(time.time()) + valid_s
    run("ca", "-batch", "-notext", "-config", f"{folder}/brief.conf", "-in", f"{folder}/brief.csr",
        "-out", f"{folder}/brief.pem", "-startdate", "20200101000000Z", "-enddate",
        time.strftime("%Y%m%d%H%M%SZ", time.gmtime(ends)))
    return ends


@scenario("tls: who comes back with a certificate that has ended is refused", slow=True, tags=["tls"])
def resumption_ended(scene):
    with tls_server(scene, "verify: true") as server:
        ends = certify_briefly(5)
        tickets = list(tickets_of(server, "brief"))
        wait_for(lambda: time.time() > ends + 1, "the end of the certificate")
        for using, ticket in tickets:
            expect_no_way_in(server, using, ticket)


@scenario("tls: after a reload with another CA no ticket is good any more", tags=["tls"])
def resumption_other_ca(scene):
    folder = certificates()
    with tls_server(scene, "verify: true") as server:
        tickets = list(tickets_of(server, "alice"))
        server.rewrite(f'tls {{ cert_file: "{folder}/server.pem", key_file: "{folder}/server.key", '
                       f'ca_file: "{folder}/mallory.pem", verify: true }}')
        server.signal("HUP")
        server.expect_log("Reloaded server configuration|Reloaded: tls")
        for using, ticket in tickets:
            expect_no_way_in(server, using, ticket)


@scenario("tls: a certificate that is asked for has to be there, and from our CA", tags=["tls"])
def verify(scene):
    with tls_server(scene, "verify: true") as server:
        connection = Connection.with_info(server.port)
        check(connection.info.get("tls_verify") is True, "INFO does not say tls_verify")
        hello(secured(connection, context(certificate="alice")))
        expect_no_way_in(server, context())
        expect_no_way_in(server, context(ssl.TLSVersion.TLSv1_2))


@scenario("tls: a handshake that fails is logged with its reason, but not without end", tags=["tls"])
def failures_logged(scene):
    with tls_server(scene, "verify: true") as server:
        expect_no_way_in(server, context())
        server.expect_log("TLS handshake error: .*certificate")
        for _ in range(60):
            stranger = Connection.with_info(server.port)
            stranger.send(b"CONNECT {}\r\n")
            while stranger.receive(deadline()):
                pass
        said = [line for line in server.log_lines if "TLS handshake error" in line]
        check(scene.kind == "nats" or len(said) < 60, f"{len(said)} lines for 61 failures")


@scenario("tls: a certificate says who one is", tags=["tls", "auth"])
def verify_and_map(scene):
    users = """authorization { users = [
      { user: "alice@example.com", permissions: { publish: "alice.>" } },
      { user: "server.local", permissions: { publish: "server.>" } } ] }"""
    with tls_server(scene, "verify_and_map: true", users) as server:
        for name in ("alice", "server"):
            connection = secured(Connection.with_info(server.port), context(certificate=name))
            hello(connection)
            connection.send(b"PUB other 0\r\n\r\nPUB %s.x 0\r\n\r\n" % name.encode())
            connection.expect(b"-ERR 'Permissions Violation for Publish to \"other\"'\r\n")
            connection.fence()
        stranger = secured(Connection.with_info(server.port), context(certificate="mallory"))
        stranger.send(b'CONNECT {"verbose":false,"user":"alice@example.com"}\r\n')
        stranger.expect(b"-ERR 'Authorization Violation'\r\n")
        stranger.expect_eof()


def named(subject):
    """What a client has who is called so in his certificate, and has no other name."""
    folder = certificates()
    path = os.path.join(folder, "subject-" + hashlib.sha256(subject.encode()).hexdigest()[:16])
    run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", path + ".key", "-utf8", "-subj", subject, "-out", path + ".csr")
    run("x509", "-req", "-in", path + ".csr", "-CA", f"{folder}/ca.pem", "-CAkey",
        f"{folder}/ca.key", "-set_serial", "7", "-days", "2", "-out", path + ".pem")
    return context(certificate=os.path.basename(path))


@scenario("tls: a certificate's subject is a user however he is spelled, and no other",
          tags=["tls", "auth"])
def subjects(scene):
    names = (r"cn=svc, OU=Dev, O=Acme\\, Inc, C=DE", "O=Acme,CN=J\u00fcrgen", "CN=a+O=b",
             "O=Turned,CN=x", "CN=x, O=Turned", r"CN=c\\2cO\\3dd")
    of_subject = {
        "/C=DE/O=Acme, Inc/OU=Dev/CN=svc": 0,
        "/OU=Dev/O=Acme, Inc/C=DE/CN=svc": 0,
        "/C=DE/O=Acme, Inc/OU=Dev/CN=Svc": None,
        "/C=DE/O=Acme, Inc/OU=Dev/OU=Dev/CN=svc": None,
        "/O=Acme/CN=J\u00fcrgen": 1,
        "/O=b+CN=a": 2,
        "/O=b/CN=a": None,
        "/CN=x/O=Turned": 3,
        "/O=Turned/CN=x": 4,
        "/CN=c,O=d": 5,
        "/O=d/CN=c": None,
        "/CN=a+O=b/emailAddress=a@b.c": None,
    }
    users = "".join(f'{{ user: "{name}", permissions: {{ publish: "{at}.>" }} }}\n'
                    for at, name in enumerate(names))
    with tls_server(scene, "verify_and_map: true",
                    f"authorization {{ users = [ {users} ] }}") as server:
        for subject, user in of_subject.items():
            connection = secured(Connection.with_info(server.port), named(subject))
            connection.send(b'CONNECT {"verbose":false}\r\n')
            if user is None:
                connection.expect(b"-ERR 'Authorization Violation'\r\n")
                connection.expect_eof()
                continue
            for other in range(len(names)):
                connection.send(b"PUB %d.x 0\r\n\r\n" % other)
                if other != user:
                    connection.expect(
                        b"-ERR 'Permissions Violation for Publish to \"%d.x\"'\r\n" % other)
            connection.fence()


@scenario("tls: who has a certificate and says nothing of himself is whom it names",
          tags=["tls", "auth"])
def map_without_connect(scene):
    users = """no_auth_user: anybody
    authorization { users = [ { user: anybody, password: p },
      { user: "alice@example.com", permissions: { publish: "alice.>" } } ] }"""
    with tls_server(scene, "verify_and_map: true", users) as server:
        alice = secured(Connection.with_info(server.port), context(certificate="alice"))
        alice.send(b"PUB other 0\r\n\r\n")
        alice.expect(b"-ERR 'Permissions Violation for Publish to \"other\"'\r\n")
        stranger = secured(Connection.with_info(server.port), context(certificate="mallory"))
        stranger.send(b"PING\r\n")
        stranger.expect(b"-ERR 'Authorization Violation'\r\n")
        stranger.expect_eof()


@scenario("tls: a certificate names whom it names when CONNECT comes, not before a reload",
          tags=["tls", "auth"])
def map_after_reload(scene):
    users = 'authorization { timeout: 60, users = [ { user: "%s@example.com"%s } ] }'
    with tls_server(scene, "verify_and_map: true", users % ("alice", "")) as server:
        alice = [secured(Connection.with_info(server.port), context(certificate="alice"))
                 for _ in range(2)]
        denied = ', permissions: { publish: { deny: ">" } }'
        reload(server, tls_config("verify_and_map: true", users % ("alice", denied)))
        hello(alice[0])
        alice[0].send(b"PUB x 0\r\n\r\n")
        alice[0].expect(b"-ERR 'Permissions Violation for Publish to \"x\"'\r\n")
        reload(server, tls_config("verify_and_map: true", users % ("bob", "")))
        alice[1].send(b'CONNECT {"verbose":false}\r\nPING\r\n')
        alice[1].expect_closed()


def pin_of(certificate):
    public = subprocess.run(["openssl", "pkey", "-in", f"{certificates()}/{certificate}.key",
                             "-pubout", "-outform", "DER"], check=True, stdout=subprocess.PIPE).stdout
    return hashlib.sha256(public).hexdigest()


@scenario("tls: of those whom the CA knows, only who is pinned", tags=["tls"])
def pinned(scene):
    with tls_server(scene, f'verify: true, pinned_certs: ["{pin_of("alice")}"]') as server:
        hello(secured(Connection.with_info(server.port), context(certificate="alice")))
        expect_no_way_in(server, context(certificate="mallory"))


@scenario("tls: who loses his pin is let go", tags=["tls"])
def unpinned(scene):
    with tls_server(scene, "verify: true") as server:
        people = {}
        for name in ("alice", "mallory"):
            people[name] = secured(Connection.with_info(server.port), context(certificate=name))
            hello(people[name])
        reload(server, tls_config(f'verify: true, pinned_certs: ["{pin_of("alice")}"]'))
        people["mallory"].expect_closed()
        hello(people["alice"])


@scenario("tls: handshake first", tags=["tls"])
def handshake_first(scene):
    with tls_server(scene, "handshake_first: true") as server:
        connection = secured(Connection(server.port), context())
        check(connection.read_info().get("tls_required") is True, "INFO does not say tls_required")
        hello(connection)


@scenario("tls: handshake first, for those who can", tags=["tls"])
def handshake_first_auto(scene):
    with tls_server(scene, "handshake_first: auto") as server:
        first = secured(Connection(server.port), context())
        first.read_info()
        hello(first)
        hello(secured(Connection.with_info(server.port), context()))


@scenario("tls: for those who want it", tags=["tls"])
def allow_non_tls(scene):
    with tls_server(scene, "", "allow_non_tls: true") as server:
        connection = Connection.with_info(server.port)
        check(connection.info.get("tls_available") is True, "INFO does not say tls_available")
        check("tls_required" not in connection.info, "INFO says tls_required")
        hello(connection)
        hello(secured(Connection.with_info(server.port), context()))


@scenario("tls: min_version", tags=["tls"])
def min_version(scene):
    with tls_server(scene, 'min_version: "1.3"') as server:
        hello(secured(Connection.with_info(server.port), context()))
        expect_no_way_in(server, context(ssl.TLSVersion.TLSv1_2))


@scenario("tls: so many newcomers a second", tags=["tls"])
def rate_limit(scene):
    with tls_server(scene, "connection_rate_limit: 2") as server:
        throttled = 0
        for _ in range(10):
            connection = Connection(server.port)
            connection.socket.settimeout(PATIENCE_S)
            connection.read_info()
            try:
                secured(connection, context())
            except (ssl.SSLError, OSError):
                throttled += 1
            connection.close()
        # Ten take less than four seconds on any machine, and so some of them are too many.
        check(throttled > 0, "nobody was told to come later")


@scenario("tls: who speaks in clear is none of so many newcomers a second", tags=["tls"])
def rate_limit_in_clear(scene):
    with tls_server(scene, "connection_rate_limit: 1", "allow_non_tls: true") as server:
        for _ in range(10):
            hello(Connection.with_info(server.port))


@scenario("tls: many at once, and some who leave in the middle", tags=["tls"])
def many(scene):
    with tls_server(scene) as server:
        using = context()
        connections = [Connection.with_info(server.port) for _ in range(40)]
        for at, connection in enumerate(connections):
            if at % 4 == 0:
                connection.send(b"\x16\x03\x01\x00\x05\x01")
                connection.reset()
            elif at % 4 == 1:
                connection.socket.shutdown(socket.SHUT_WR)
        for connection in connections[2::4] + connections[3::4]:
            hello(secured(connection, using))


@scenario("tls: a reload takes up a new certificate, and drops nobody", tags=["tls"])
def new_certificate(scene):
    folder = certificates()
    with tls_server(scene) as server:
        before = secured(Connection.with_info(server.port), context())
        hello(before)
        server.rewrite(f'tls {{ cert_file: "{folder}/alice.pem", key_file: "{folder}/alice.key" }}')
        server.signal("HUP")
        server.expect_log("Reloaded server configuration|Reloaded: tls")
        after = Connection.with_info(server.port)
        after.socket = context().wrap_socket(after.socket, server_hostname="alice.local")
        hello(after)
        hello(before)
