"""Where a server listens: several addresses, a Unix domain socket, behind a load balancer."""

import json
import os
import re
import socket
import stat
import struct
import subprocess
import time

from scenarios.reload import reload
from scenarios.scene import check, scenario, wait_for
from wire import PATIENCE_S, Connection, Server

BINARY_MARK = b"\r\n\r\n\0\r\nQUIT\n"
HELLO = b'CONNECT {"verbose":false,"protocol":1}\r\nPING\r\n'


def over(made):
    """A connection over a socket that is connected already."""
    connection = Connection.__new__(Connection)
    connection.seen, connection.ended, connection.info = b"", False, {}
    connection.socket = made
    made.settimeout(PATIENCE_S)
    return connection


def unix(path):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.connect(path)
    return over(made)


@scenario("listeners: a Unix domain socket serves like any other, and goes with the server",
          alone=True, tags=["peal"],
          config='listen_unix: "{directory}/peal.sock"\nlisten_unix_mode: 600')
def listen_unix(scene):
    server, path = scene.server, f"{scene.server.directory}/peal.sock"
    check(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "the mode of the socket")
    inside, outside = unix(path), scene.connect()
    inside.read_info()
    check("client_ip" not in inside.info, "a Unix socket has no address")
    subject = scene.subject
    inside.send(b'CONNECT {"verbose":false}\r\nSUB %s 1\r\nPING\r\n' % subject)
    inside.expect(b"PONG\r\n")
    outside.send(b"PUB %s 2\r\nhi\r\n" % subject)
    inside.expect(b"MSG %s 1 2\r\nhi\r\n" % subject)
    server.signal("TERM")
    wait_for(lambda: not os.path.exists(path), "the socket's end")
    server.expect_exit(0)


@scenario("listeners: several addresses, all of them in the ports file", alone=True,
          tags=["peal"], config='listen: ["127.0.0.1:-1", "127.0.0.2:-1", "[::1]:-1"]')
def listen_several(scene):
    server = scene.server
    server.expect_log("Server is ready")  # The file is written between this and the first address.
    ports = [name for name in os.listdir(server.directory) if name.endswith(".ports")]
    with open(os.path.join(server.directory, ports[0]), encoding="utf-8") as file:
        urls = json.load(file)["nats"]
    check(len(urls) == 3, f"the ports file has {urls}")
    for url in urls:
        host, port = re.fullmatch(r"nats://\[?([^]]*?)\]?:(\d+)", url).groups()
        connection = over(socket.create_connection((host, int(port)), PATIENCE_S))
        info = connection.read_info()
        check(info["client_ip"] == ("::1" if host == "::1" else "127.0.0.1"), f"{info}")
        connection.send(HELLO)
        connection.expect(b"PONG\r\n")


# An address that is not known for what it is: nobody else reaches it.
ELSEWHERE = 'listen: ["127.0.0.1:-1", "[::ffff:127.0.0.1]:-1"]\n'


@scenario("listeners: one that lets in who says nothing is named, at the start and after a reload",
          alone=True, tags=["peal"], config=ELSEWHERE)
def open_listener(scene):
    server = scene.server
    users = "%sauthorization { users = [ { user: guest, password: p } ] }"

    def told(text):
        return sum(text in line for line in server.log_lines)

    server.expect_log("Server is ready")
    check(told("is open to whoever reaches it") == 1, "not once at the start")
    reload(server, ELSEWHERE + users % "")
    reload(server, ELSEWHERE + users % "no_auth_user: guest\n")
    wait_for(lambda: told('lets in whoever reaches it as "guest"') == 1, "a word of the guest")
    reload(server, ELSEWHERE + "max_payload: 100\n")
    wait_for(lambda: told("is open to whoever reaches it") == 2, "a word of the open listener")
    reload(server, ELSEWHERE + "max_payload: 200\n")
    reload(server, ELSEWHERE + "max_payload: 300\n")  # So that all of the other has been said.
    check(told("is open to whoever reaches it") == 2, "said again where nothing has changed")


def proxied(scene, *parts):
    connection = Connection(scene.server.port)
    info = connection.read_info()
    check("client_ip" not in info, "INFO tells an address before it can know it")
    for part in parts:
        connection.send(part)
        time.sleep(0)  # Parts may still arrive together; either is right.
    connection.expect(b"PONG\r\n")
    return connection.read_info().get("client_ip")


@scenario("proxy: whose a connection is, its header says", config="proxy_protocol: true")
def proxy_headers(scene):
    v4 = bytes([1, 2, 3, 4, 5, 6, 7, 8]) + struct.pack(">HH", 11, 22)
    headers = [
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 11 22\r\n", "1.2.3.4"),
        (b"PROXY TCP6 2001:db8::1 ::1 11 22\r\n", "2001:db8::1"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (BINARY_MARK + b"\x21\x11\x00\x0c" + v4, "1.2.3.4"),
        (BINARY_MARK + b"\x20\x00\x00\x00", "127.0.0.1"),
    ]
    for header, address in headers:
        for parts in ([header + HELLO], [header, HELLO], [header[:5], header[5:] + HELLO]):
            seen = proxied(scene, *parts)
            check(seen == address, f"{header!r}: client_ip is {seen}")
    check(proxied(scene, HELLO) == "127.0.0.1", "without a header")


@scenario("proxy: a header that breaks the rules closes", config="proxy_protocol: true")
def proxy_refused(scene):
    for header in (b"PROXY TCP4 1.2.3 5.6.7.8 11 22\r\n", BINARY_MARK + b"\x11\x11\x00\x00",
                   b"PROXY TCP4 " + b"1" * 200 + b"\r\n"):
        connection = Connection.with_info(scene.server.port)
        connection.send(header + HELLO)
        connection.expect_eof()


@scenario("proxy: without it the header is no command", config="port: -1")
def proxy_off(scene):
    connection = Connection.with_info(scene.server.port)
    connection.send(b"PROXY TCP4 1.2.3.4 5.6.7.8 11 22\r\n" + HELLO)
    connection.expect(b"-ERR 'Unknown Protocol Operation'\r\n")
    connection.expect_eof()


@scenario("listeners: the socket of a server that was killed is taken over, that of one alive is not",
          alone=True, tags=["peal"])
def unix_taken(scene):
    path = f"{scene.server.directory}/peal.sock"
    config = f'listen_unix: "{path}"'
    first = Server(scene.server.command[0], config)
    try:
        second = subprocess.run([scene.server.command[0], "-p", "-1", "--listen_unix", path],
                                capture_output=True, timeout=PATIENCE_S)
        check(second.returncode == 1 and b"a server has it" in second.stderr, f"{second}")
        unix(path).read_info()
    finally:
        first.kill()
    check(os.path.exists(path), "a killed server cannot have removed it")
    third = Server(scene.server.command[0], config)
    try:
        unix(path).read_info()
        third.stop()
    finally:
        third.kill()
