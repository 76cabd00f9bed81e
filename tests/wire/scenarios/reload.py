"""A reload: what changes for those who are connected, and that nothing else does."""

import os
import subprocess
import threading
import time

from scenarios.scene import check, scenario, wait_for
from wire import PATIENCE_S, Connection, Failure

RELOADED = r"Reloaded server configuration"
REFUSED = r"Failed to reload server configuration"


def reload(server, config, log=RELOADED):
    seen = sum(log in line for line in server.log_lines)
    server.rewrite(config)
    server.signal("HUP")
    wait_for(lambda: sum(log in line for line in server.log_lines) > seen, f"the log line {log!r}")


@scenario("reload: a smaller max_payload is told, and holds for a line that was said before",
          alone=True, config="max_payload: 100")
def reload_max_payload(scene):
    subject = scene.subject
    publisher = scene.connect(protocol=1)
    publisher.read_info()
    line = b"PUB %s 60\r\n" % subject + b"x" * 60 + b"\r\n"
    publisher.send(line * 3)
    publisher.fence()
    reload(scene.server, "max_payload: 50")
    if scene.kind == "peal":
        check(publisher.read_info()["max_payload"] == 50, "INFO does not say the new limit")
    check(Connection.with_info(scene.server.port).info["max_payload"] == 50, "a newcomer's limit")
    publisher.send(line)
    publisher.expect(b"-ERR 'Maximum Payload Violation'\r\n")
    publisher.expect_eof()


@scenario("reload: a larger max_payload holds at once", alone=True, config="max_payload: 50")
def reload_larger_payload(scene):
    subject = scene.subject
    connection = scene.connect()
    connection.send(b"SUB %s 1\r\n" % subject)
    connection.fence()
    reload(scene.server, "max_payload: 100")
    connection.send(b"PUB %s 60\r\n" % subject + b"x" * 60 + b"\r\n")
    connection.expect(b"MSG %s 1 60\r\n" % subject + b"x" * 60 + b"\r\n")


@scenario("reload: one key that cannot change leaves all as it was", alone=True,
          config="server_name: before\nmax_payload: 100")
def reload_rejected(scene):
    reload(scene.server, "server_name: after\nmax_payload: 50", REFUSED)
    info = Connection.with_info(scene.server.port).info
    check(info["server_name"] == "before", f"server_name became {info['server_name']}")
    check(info["max_payload"] == 100, f"max_payload became {info['max_payload']}")
    if scene.kind == "peal":
        scene.server.expect_log("server_name cannot change from 'before' to 'after'")


@scenario("reload: a file with a mistake leaves all as it was", alone=True,
          config="max_payload: 100")
def reload_mistake(scene):
    connection = scene.connect()
    reload(scene.server, "max_payload: 50\nmax_paylaod: 50", REFUSED)
    reload(scene.server, "max_payload: {", REFUSED)
    check(Connection.with_info(scene.server.port).info["max_payload"] == 100, "the limit changed")
    connection.fence()


@scenario("reload: who is too many is told and closed", alone=True, config="max_connections: 8")
def reload_max_connections(scene):
    connections = [scene.connect() for _ in range(8)]
    reload(scene.server, "max_connections: 3")
    closed = 0
    for connection in connections:
        try:
            connection.shut()
        except OSError:
            pass  # It is closed already.
        while connection.receive(PATIENCE_S + time.monotonic()):
            pass
        closed += b"-ERR 'maximum connections exceeded'" in connection.seen
    check(closed == 5, f"{closed} of 8 were closed, not 5")


@scenario("reload: who was refused before it costs nobody his connection", alone=True,
          config="max_connections: 3")
def reload_beside_refused(scene):
    connections = [scene.connect() for _ in range(3)]
    refused = [Connection.with_info(scene.server.port) for _ in range(20)]
    for connection in refused:
        connection.expect(b"-ERR 'maximum connections exceeded'\r\n")
    reload(scene.server, "max_connections: 3\nmax_payload: 1000")
    for connection in connections:
        connection.fence()


@scenario("reload: under load no message is lost, doubled or out of order", alone=True,
          config="max_payload: 1000")
def reload_under_load(scene):
    subject, blocks, block = scene.subject, 300, 1000
    subscribers = [scene.connect() for _ in range(3)]
    for subscriber in subscribers:
        subscriber.send(b"SUB %s 1\r\n" % subject)
        subscriber.fence()
    publisher = scene.connect()
    failures = []

    def messages_of(at):
        return [b"%08d" % message for message in range(at * block, (at + 1) * block)]

    def publish():
        for at in range(blocks):
            publisher.send(b"".join(b"PUB %s 8\r\n%s\r\n" % (subject, message)
                                    for message in messages_of(at)))

    def read(subscriber):
        try:
            for at in range(blocks):
                subscriber.expect(b"".join(b"MSG %s 1 8\r\n%s\r\n" % (subject, message)
                                           for message in messages_of(at)), 30)
        except Failure as failure:
            failures.append(str(failure))
    readers = [threading.Thread(target=read, args=[each], daemon=True) for each in subscribers]
    thread = threading.Thread(target=publish, daemon=True)
    for each in [*readers, thread]:
        each.start()
    reloads = 0
    while thread.is_alive() or reloads < 5:
        reloads += 1
        reload(scene.server, f"max_payload: {1000 + reloads % 7}\nping_interval: \"{reloads}m\"")
    for each in readers:
        each.join()
    check(not failures, "; ".join(failures))
    for subscriber in subscribers:
        subscriber.fence()  # A message too many would come before its PONG; a server's PING may.


@scenario("reload: a dry run prints what would change, and changes nothing", alone=True,
          tags=["peal"], config="max_payload: 100", flags=["--threads", "2"])
def reload_dry_run(scene):
    server = scene.server

    def dry_run():
        done = subprocess.run([server.command[0], "--signal", f"reload={server.process.pid}",
                               "--dry-run"], capture_output=True, timeout=PATIENCE_S, check=True)
        return done.stdout.decode()
    check(dry_run() == "nothing would change\n", "something would change")
    server.rewrite("max_payload: 50\nserver_name: other")
    said = dry_run()
    check("max_payload: '100' would become '50'\n" in said, said)
    check("the reload would be refused: server_name cannot change from '' to 'other'" in said, said)
    # What no comparison of options shows, but the running server knows.
    server.rewrite("max_payload: 100\nmax_control_line: 100KB")
    said = dry_run()
    check("refused: max_control_line cannot grow to 102400 without a restart" in said, said)
    check(Connection.with_info(server.port).info["max_payload"] == 100, "the limit changed")


@scenario("reload: the log moves to another file, and the pid file to another place", alone=True,
          config='pid_file: "{directory}/one.pid"')
def reload_files(scene):
    server, directory = scene.server, scene.server.directory
    wait_for(lambda: os.path.exists(f"{directory}/one.pid"), "the pid file")
    server.rewrite('pid_file: "{directory}/two.pid"\nlog_file: "{directory}/log"')
    server.signal("HUP")
    wait_for(lambda: os.path.exists(f"{directory}/two.pid"), "the other pid file")

    def log():
        with open(f"{directory}/log", encoding="utf-8") as file:
            return file.read()
    wait_for(lambda: os.path.exists(f"{directory}/log") and RELOADED in log(), "the new log")
    with open(f"{directory}/two.pid", encoding="utf-8") as file:
        check(int(file.read()) == server.process.pid, "the pid file names another process")


@scenario("trace: of a message as much as was asked for, switched on by a reload", alone=True,
          tags=["peal"])
def trace_extent(scene):
    server, connection = scene.server, scene.connect()
    message = b"HPUB a 22 33\r\nNATS/1.0\r\nabc: def\r\n\r\nhello world\r\nPUB a 11\r\nhello again\r\n"

    def traced(config):
        reload(server, f"trace: true\n{config}")
        before = len(server.log_lines)
        connection.send(message)
        connection.fence()
        connection.send(b"PUB the.end 0\r\n\r\n")
        wait_for(lambda: any("the.end" in line for line in server.log_lines[before:]), "the end")
        return [line.split("MSG_PAYLOAD: ")[1] for line in server.log_lines[before:]
                if "MSG_PAYLOAD" in line]
    headers = r'NATS/1.0\x0d\x0aabc: def'
    whole = [rf'["{headers}\x0d\x0a\x0d\x0ahello world"]', '["hello again"]']
    check(traced("")[:2] == whole, "the whole message")
    check(traced("max_traced_msg_len: 5")[:2] == ['["NATS/..."]', '["hello..."]'], "five bytes")
    check(traced("trace_headers: true") == [f'["{headers}"]'], "the headers alone")


USERS = """authorization { users = [
  { user: u, password: p, permissions: { publish: "%s", subscribe: ["a", "b %s"] } }%s ] }"""


@scenario("reload: who is gone is let go, and others lose what they may no longer hear", alone=True,
          config=USERS % ("x", "q", ", { user: v, password: q }"), tags=["auth", "permissions"])
def reload_users(scene):
    port = scene.server.port
    stays = scene.connect(user="u", **{"pass": "p"})
    goes = scene.connect(user="v", **{"pass": "q"})
    stays.send(b"SUB a 1\r\nSUB b q 2\r\nPUB x 1\r\n1\r\n")
    stays.fence()
    reload(scene.server, USERS % ("y", "r", ""))
    goes.expect_closed()
    stays.expect(b"-ERR 'Permissions Violation for Subscription to \"b\" using queue \"q\" "
                 b"(sid \"2\")'\r\n")
    stays.send(b"PUB x 1\r\n1\r\n")
    stays.expect(b"-ERR 'Permissions Violation for Publish to \"x\"'\r\n")
    stays.send(b"PUB y 1\r\n1\r\nSUB a 3\r\n")
    stays.fence()
    late = Connection.with_info(port)
    late.send(b'CONNECT {"user":"v","pass":"q"}\r\n')
    late.expect(b"-ERR 'Authorization Violation'\r\n")


DEFAULT_USER = "authorization { users = [ { user: u, password: p }, { user: v, password: q } ] }\n"


@scenario("reload: who is the default user is so for as long as there is one", alone=True,
          config="no_auth_user: u\n" + DEFAULT_USER, tags=["auth", "peal"])
def reload_default_user(scene):
    nameless, silent = scene.connect(), Connection.with_info(scene.server.port)
    named = scene.connect(user="u", **{"pass": "p"})
    nameless.fence()
    reload(scene.server, "max_payload: 100\nno_auth_user: u\n" + DEFAULT_USER)
    nameless.fence()
    reload(scene.server, DEFAULT_USER)
    nameless.expect_closed()
    named.fence()
    silent.send(b"PING\r\n")
    silent.expect(b"-ERR 'Authorization Violation'\r\n")
    silent.expect_eof()


@scenario("reload: asking for a password lets go who has none", alone=True, config="max_payload: 100",
          tags=["auth"])
def reload_to_passwords(scene):
    anybody = scene.connect()
    anybody.fence()
    reload(scene.server, "max_payload: 100\nauthorization { user: u, password: p }")
    anybody.expect_closed()
    somebody = scene.connect(user="u", **{"pass": "p"})
    somebody.fence()


@scenario("reload: who comes while passwords are given up is let in", alone=True,
          config="authorization { timeout: 60, user: u, password: p }", tags=["auth"])
def reload_from_passwords(scene):
    known = scene.connect(user="u", **{"pass": "p"})
    silent, late = (Connection.with_info(scene.server.port) for _ in range(2))
    reload(scene.server, "max_payload: 100")
    known.expect_closed()
    if scene.kind == "peal":  # nats-server goes on wanting CONNECT of him.
        silent.send(b"PING\r\n")
        silent.expect(b"PONG\r\n")
    late.send(b'CONNECT {"verbose":true,"user":"x","pass":"y"}\r\nPING\r\n')
    late.expect(b"+OK\r\nPONG\r\n")
