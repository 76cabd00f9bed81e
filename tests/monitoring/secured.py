"""Monitoring of a server with users and TLS: what it tells of them, and HTTPS."""

import http.client
import os
import re
import shutil
import signal
import ssl
import subprocess

from scenarios import tls
from scenarios.reload import reload
from watched import PATIENCE_S, Connection, Failure, Watched, check, same
from wire import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))

USERS = """accounts {
  A { users: [ { user: ann, password: ann-s-secret, permissions: { publish: "open.>" } } ] }
  B { users: [ { user: bob, password: bob-s-secret } ] }
}
"""


def tls_block(settings=""):
    folder = tls.certificates()
    return (f'tls {{ cert_file: "{folder}/server.pem", key_file: "{folder}/server.key", '
            f'ca_file: "{folder}/ca.pem" {settings} }}\n')


def member(watched, name, certificate="alice"):
    connection = tls.secured(Connection.with_info(watched.server.port),
                             tls.context(certificate=certificate))
    tls.hello(connection, b', "user": "%s", "pass": "%s-s-secret", "name": "%s"' %
              ((name.encode(),) * 3))
    return connection


def metric(watched, name):
    """The sum over the shards."""
    found = re.findall(rf"^peal_{name}\{{[^}}]*\}} (\S+)$", watched.ask("/metrics")[2].decode(), re.M)
    check(found, f"no metric {name}")
    return sum(float(value) for value in found)


def case_late(options):
    """Who does not say in time who he is counts as one who could not."""
    watched = Watched(options, "authorization { user: u, password: p, timeout: 1 }")
    try:
        silent = Connection.with_info(watched.server.port)
        silent.expect(b"-ERR 'Authentication Timeout'\r\n")
        same(metric(watched, "auth_failures_total"), 1, "failures")
    finally:
        watched.server.stop()


def case_secured(options):
    """Who came in, by which cipher and certificate, and how often somebody did not; no secret."""
    watched = Watched(options, USERS + tls_block(", verify: true"))
    try:
        clear = watched.json("/varz")
        for name, value in (("auth_required", True), ("tls_required", True), ("tls_verify", True),
                            ("tls_timeout", 2)):
            same(clear.get(name), value, f"/varz {name}")
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", clear["tls_cert_not_after"]),
              "/varz tls_cert_not_after")
        ann, bob = member(watched, "ann"), member(watched, "bob")
        rows = {row["name"]: row for row in watched.json("/connz?auth=1")["connections"]}
        row = rows["ann"]
        same((row["tls_version"], row["authorized_user"], row["account"]), ("1.3", "ann", "A"),
             "ann's row")
        same(row["tls_cipher_suite"], "TLS_AES_128_GCM_SHA256", "her cipher")
        same(row["tls_peer_certs"][0]["subject"], "CN=alice,O=Peal", "her name")
        for field in ("spki_sha256", "cert_sha256"):
            check(re.fullmatch("[0-9a-f]{64}", row["tls_peer_certs"][0][field]), field)
        same([each["name"] for each in watched.json("/connz?acc=B")["connections"]], ["bob"],
             "those of B")
        same(watched.json("/connz?acc=B")["total"], 1, "how many of B")
        bob.send(b"SUB its.own 7\r\n")
        bob.fence()
        listed = watched.json("/subsz?subs=1&acc=B")
        same([(each["account"], each["subject"], each["sid"]) for each in listed["subscriptions_list"]],
             [("B", "its.own", "7")], "subscriptions of B")
        same((listed["total"], listed["num_subscriptions"]), (1, 1), "how many of B")
        same(watched.json("/subsz?subs=1&acc=A")["num_subscriptions"], 0, "how many of A")
        ann.send(b"PUB closed.x 0\r\n\r\nSUB y 1\r\n")
        ann.expect(b"-ERR 'Permissions Violation for Publish to \"closed.x\"'\r\n")
        # As in nats-server, what is kept out has come in all the same.
        counts = {row["name"]: row["in_msgs"] for row in watched.json("/connz")["connections"]}
        same(counts["ann"], 1, "what ann has sent")
        wrong = tls.secured(Connection.with_info(watched.server.port),
                            tls.context(certificate="alice"))
        wrong.send(b'CONNECT {"user":"ann","pass":"a-wrong-secret"}\r\n')
        wrong.expect(b"-ERR 'Authorization Violation'\r\n")
        watched.server.expect_log(r'authentication error - User "ann"')
        for name, least in (("auth_failures_total", 1), ("publishes_denied_total", 1),
                            ("tls_handshakes_total", 3)):
            check(metric(watched, name) >= least, f"{name} is {metric(watched, name)}")
        # A handshake that somebody has begun counts until it is done, or he has gone.
        begun = Connection.with_info(watched.server.port)
        begun.send(b"\x16\x03\x01\x02\x00\x01")
        pending = rb"^peal_tls_handshakes_pending 1$"
        wait_for(lambda: re.search(pending, watched.ask("/metrics")[2], re.M), "handshake")
        begun.close()
        pending = rb"^peal_tls_handshakes_pending 0$"
        wait_for(lambda: re.search(pending, watched.ask("/metrics")[2], re.M), "end of a handshake")
        for path in ("/varz", "/connz?auth=1&subs=detail", "/connz?state=closed&auth=1",
                     "/accountz?acc=A", "/accstatz?unused=1", "/pealz", "/metrics", "/subsz?subs=1"):
            body = watched.ask(path)[2]
            check(b"-s-secret" not in body and b"wrong-secret" not in body, f"{path} has a secret")
        ann.close()
        bob.close()
    finally:
        watched.server.stop()


def case_pinned(options):
    """Where certificates are pinned one has to be shown, and INFO and /varz both say so."""
    watched = Watched(options, tls_block(f', pinned_certs: ["{tls.pin_of("alice")}"]'))
    try:
        said = Connection.with_info(watched.server.port).info
        same((said.get("tls_verify"), watched.json("/varz").get("tls_verify")), (True, True),
             "tls_verify of INFO and /varz")
        tls.expect_no_way_in(watched.server, tls.context())
    finally:
        watched.server.stop()


def case_gone_account(options):
    """An account that a reload takes away is not shown any more, and who asks meanwhile is answered."""
    watched = Watched(options, USERS)
    try:
        same(watched.json("/accountz")["accounts"], ["$G", "A", "B"], "before")
        reload(watched.server, USERS.replace("B {", "C {"))
        same(watched.json("/accountz")["accounts"], ["$G", "A", "C"], "after")
        watched.refused("/accountz?acc=B", 400, "Account B does not exist")
    finally:
        watched.server.stop()


def case_lame_duck(options):
    """Who balances load by /healthz sends nobody here any more."""
    watched = Watched(options, "lame_duck_duration: 60s")
    try:
        client = watched.client("stays")
        same(watched.ask("/healthz")[0], 200, "before")
        watched.server.signal("USR2")
        watched.server.expect_log("Entering lame duck mode")
        wait_for(lambda: watched.ask("/healthz")[0] == 500, "the end of its health")
        client.close()
    finally:
        watched.server.stop()


def context():
    made = tls.context()
    made.check_hostname = False
    return made


def peer(watched):
    with http.client.socket.create_connection(("127.0.0.1", watched.port)) as raw:
        with context().wrap_socket(raw) as secured:
            return dict(field[0] for field in secured.getpeercert()["subject"])["commonName"]


def case_https(options):
    """The same answers over TLS, with the certificate of clients; a reload brings a new one."""
    folder = tls.certificates()
    for end in ("pem", "key"):
        shutil.copy(f"{folder}/server.{end}", f"{folder}/monitor.{end}")
    block = (f'tls {{ cert_file: "{folder}/monitor.pem", key_file: "{folder}/monitor.key", '
             f'ca_file: "{folder}/ca.pem", verify: true }}\nhttp_user: ada\nhttp_password: x\n')
    watched = Watched(options, block, flags=("-ms", "-1"), tls=context())
    ada = {"Authorization": "Basic YWRhOng="}
    try:
        same(watched.ask("/varz")[0], 401, "without a name")
        status, _, body = watched.ask("/varz", headers=ada)
        same(status, 200, "over TLS")
        check(f'"https_port": {watched.port}'.encode() in body, "https_port")
        check(b'"http_port": 0' in body, "http_port")
        try:
            same(Watched.ask(clear_of(watched), "/varz")[0], 400, "in clear")
        except (OSError, http.client.HTTPException):
            pass  # Or nothing at all.
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        try:
            with http.client.socket.create_connection(("127.0.0.1", watched.port)) as raw:
                old.wrap_socket(raw)
            raise Failure("TLS 1.1 was spoken")
        except (ssl.SSLError, OSError):
            pass
        top = os.path.join(HERE, "..", "..", "tools", "top", "peal-top")
        shown = subprocess.run(
            [top, "-m", str(watched.port), "--https", "--ca", f"{folder}/ca.pem", "--user", "ada",
             "--once"], env={**os.environ, "PEAL_TOP_PASSWORD": "x"}, capture_output=True, text=True,
            timeout=PATIENCE_S, check=False)
        check(shown.returncode == 0 and "connections" in shown.stdout, f"peal-top: {shown}")
        same(peer(watched), "server", "whose certificate")
        for end in ("pem", "key"):
            shutil.copy(f"{folder}/mallory.{end}", f"{folder}/monitor.{end}")
        watched.server.process.send_signal(signal.SIGHUP)
        watched.server.expect_log("Reloaded server configuration")
        same(watched.ask("/healthz", headers=ada)[0], 200, "after the reload")
        same(peer(watched), "mallory", "whose certificate, after the reload")
    finally:
        watched.server.stop()


def clear_of(watched):
    made = Watched.__new__(Watched)
    made.server, made.port, made.tls = watched.server, watched.port, None
    return made


def case_https_refused(options):
    """HTTPS without a certificate, or beside HTTP, is refused in a sentence."""
    for flags, config, sentence in (
            (["-ms", "-1"], "", "monitoring over https needs a certificate"),
            (["-ms", "-1", "-m", "-1"], tls_block(), "cannot both be there")):
        try:
            Watched(options, config, flags=flags)
            raise Failure(f"it started with {flags}")
        except Failure as failure:
            check(sentence in str(failure), f"no word of it: {failure}")


ALONE = [case_pinned, case_gone_account, case_lame_duck, case_late, case_secured, case_https,
         case_https_refused]
