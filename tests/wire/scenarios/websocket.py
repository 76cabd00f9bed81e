"""WebSocket, seen from a raw socket: upgrades and frames, good and bad, and what goes over them.

Runs against nats-server too; its answers to bad frames are left open there, since whether its close
frame gets out before the end is chance.
"""

import base64
import contextlib
import hashlib
import json
import os
import struct
import time
import urllib.request
import zlib

from scenarios.scene import check, scenario, wait_for
from scenarios.tls import certificates, context
from wire import PATIENCE_S, Connection, Server

KEY = base64.b64encode(b"a nonce of 16 by").decode()
ACCEPT = base64.b64encode(hashlib.sha1(
    (KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
CONNECT = b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nPING\r\n'
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@contextlib.contextmanager
def websocket_server(scene, settings="", more="", tls=False):
    folder = certificates() if tls else ""
    secured = (f'tls {{ cert_file: "{folder}/server.pem", key_file: "{folder}/server.key" }}'
               if tls else "no_tls: true")
    config = f'websocket {{ listen: "127.0.0.1:-1", {secured}\n{settings} }}\n{more}'
    server = Server(scene.server.command[0], config, scene.server.command[9:])
    try:
        line = next(line for line in server.log_lines if "for websocket clients on" in line)
        server.websocket_port = int(line.rsplit(":", 1)[1])
        yield server
        server.stop()
    finally:
        server.kill()


def request(method="GET", path="/", without=(), more=None, end="\r\n"):
    headers = {"Host": "localhost:80", "Upgrade": "websocket", "Connection": "Upgrade",
               "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}
    headers.update(more or {})
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name not in without]
    return (end.join(lines) + end + end).encode()


def frame(opcode, payload=b"", final=True, masked=True, bits=0, length=None):
    size = len(payload) if length is None else length
    head = bytes([final << 7 | bits << 4 | opcode])
    mask = 0x80 if masked else 0
    if size < 126:
        head += bytes([mask | size])
    elif size < 65536:
        head += struct.pack("!BH", mask | 126, size)
    else:
        head += struct.pack("!BQ", mask | 127, size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    keys = key * (len(payload) // 4 + 1)
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(keys[:len(payload)], "big")
    return head + key + mixed.to_bytes(len(payload), "big")


def deflated(data):
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


class WebSocket:
    """A client: frames on `connection`, of which the text is in `plain`."""

    def __init__(self, server, more=None, tls=None, receive_bytes=None):
        self.connection = Connection(server.websocket_port, receive_bytes)
        if tls:
            self.connection.socket = tls.wrap_socket(self.connection.socket,
                                                     server_hostname="server.local")
        self.connection.send(request(more=more))
        self.answer = self.connection.read_line()
        check(self.answer == b"HTTP/1.1 101 Switching Protocols\r\n", f"{self.answer}")
        self.headers = {}
        while (line := self.connection.read_line()) != b"\r\n":
            name, value = line.decode().rstrip("\r\n").split(": ", 1)
            self.headers[name.lower()] = value
        check(self.headers["sec-websocket-accept"] == ACCEPT, f"{self.headers}")
        self.plain = b""
        self.controls = []
        self.compressed = 0
        info = self.read_line()
        self.info = json.loads(info[5:])

    def read_frame(self):
        head = self.connection.read_bytes(2)
        size = head[1]
        check(head[0] & 0x80 and size < 128, f"a frame in parts, or masked: {head}")
        if size == 126:
            size = struct.unpack("!H", self.connection.read_bytes(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self.connection.read_bytes(8))[0]
        payload = self.connection.read_bytes(size)
        opcode = head[0] & 15
        if opcode == BINARY:
            if head[0] & 0x40:
                self.compressed += 1
                payload = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
            self.plain += payload
        else:
            self.controls.append((opcode, payload))

    def read_bytes(self, count):
        while len(self.plain) < count:
            self.read_frame()
        taken, self.plain = self.plain[:count], self.plain[count:]
        return taken

    def read_line(self):
        while b"\n" not in self.plain:
            self.read_frame()
        return self.read_bytes(self.plain.index(b"\n") + 1)

    def send(self, text, opcode=BINARY):
        self.connection.send(frame(opcode, text))

    def expect(self, text):
        while self.plain.startswith(b"PING\r\n") and not text.startswith(b"PING"):
            self.read_bytes(6)
        seen = self.read_bytes(len(text))
        check(seen == text, f"expected {text[:200]}, seen {seen[:200]}")

    def fence(self):
        self.send(b"PING\r\n")
        self.expect(b"PONG\r\n")

    def connected(self):
        self.send(CONNECT)
        self.expect(b"PONG\r\n")
        return self

    def expect_control(self, opcode, payload):
        while not self.controls:
            self.read_frame()
        seen = self.controls.pop(0)
        check(seen == (opcode, payload), f"expected {(opcode, payload)}, seen {seen}")

    def expect_close(self, code, text=None):
        while not any(opcode == CLOSE for opcode, _ in self.controls):
            self.read_frame()
        opcode, payload = self.controls.pop()
        seen = struct.unpack("!H", payload[:2])[0]
        check(seen == code and text in (None, payload[2:]), f"expected {code} {text}, seen {payload}")
        self.connection.expect_eof()


def status_of(server, data):
    connection = Connection(server.websocket_port)
    connection.send(data)
    line = connection.read_line()
    connection.close()
    return int(line.split()[1])


@scenario("websocket: upgrades that are taken, and those that are not", tags=["websocket"])
def upgrades(scene):
    origins = 'allowed_origins: ["http://a.example", "https://b.example:8443"]'
    with websocket_server(scene, f"{origins}, headers {{ X-One: 1a }}") as server:
        client = WebSocket(server)
        check(client.headers["x-one"] == "1a", f"{client.headers}")
        check("sec-websocket-extensions" not in client.headers, "compression nobody asked for")
        check(client.info["port"] == server.websocket_port, f"{client.info}")
        for status, data in [
                (101, request(path="/some/where")),
                (101, request(more={"Upgrade": "x, WebSocket", "Connection": "keep-alive, upgrade"})),
                (101, request(end="\n")),
                (101, request(more={"X-Long": "a" * 20000})),
                (405, request("POST")), (405, request("HEAD")),
                (400, request(without=("Host",))),
                (400, request(without=("Upgrade",))), (400, request(more={"Upgrade": "h2c"})),
                (400, request(without=("Connection",))),
                (400, request(more={"Connection": "keep-alive"})),
                (400, request(without=("Sec-WebSocket-Key",))),
                (400, request(more={"Sec-WebSocket-Key": "c2hvcnQ="})),
                (400, request(without=("Sec-WebSocket-Version",))),
                (400, request(more={"Sec-WebSocket-Version": "12"})),
                (400, b"CONNECT {}\r\n\r\n"), (400, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
                (404, request(path="/mqtt")),
                (101, request(more={"Sec-WebSocket-Key": KEY + " \t"})),
                (101, request(more={"Origin": "http://a.example"})),
                (101, request(more={"Origin": "http://a.example "})),
                (101, request(more={"Origin": "HTTP://A.example:80"})),
                (101, request(more={"Origin": "https://b.example:8443"})),
                (403, request(more={"Origin": "https://a.example"})),
                (403, request(more={"Origin": "https://b.example"})),
                (403, request(more={"Origin": "http://a.example.evil"})),
                (403, request(more={"Origin": "null"}))]:
            seen = status_of(server, data)
            check(seen == status, f"{data[:300]}: expected {status}, seen {seen}")


@scenario("websocket: a request that is too long is refused, however it comes",
          tags=["websocket", "peal"])
def long_requests(scene):
    with websocket_server(scene) as server:
        long = request(more={"X-Long": "a" * 33_000})
        check(status_of(server, long) == 431, "in one piece")
        connection = Connection(server.websocket_port)
        for begin in range(0, len(long), 1000):
            connection.send(long[begin:begin + 1000])
        check(connection.read_line().split()[1] == b"431", "in many")


@scenario("websocket: offers of compression that are taken, and those that are not",
          tags=["websocket", "peal"])
def offers(scene):
    usual = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    with websocket_server(scene, "compression: true") as server:
        for offer, expected in [
                ("permessage-deflate", usual),
                ("permessage-deflate; client_max_window_bits=8", usual),
                ('permessage-deflate; server_max_window_bits="15"',
                 usual + "; server_max_window_bits=15"),
                ("permessage-deflate; server_max_window_bits=10, permessage-deflate", usual),
                ("permessage-deflate; server_max_window_bits=10", None),
                ("permessage-deflate; server_max_window_bits", None),
                ("permessage-deflate; client_max_window_bits=16", None),
                ("permessage-deflate; server_no_context_takeover=1", None),
                ("permessage-deflate; client_no_context_takeover; client_no_context_takeover", None),
                ("permessage-deflate; unheard_of", None), ("x-other", None)]:
            client = WebSocket(server, {"Sec-WebSocket-Extensions": offer})
            seen = client.headers.get("sec-websocket-extensions")
            check(seen == expected, f"{offer}: {seen}")


@scenario("websocket: whom a proxy came for is named in the log", tags=["websocket"])
def forwarded_for(scene):
    with websocket_server(scene, more="debug: true") as server:
        for says, label in [("9.9.9.9", r"9\.9\.9\.9/127\.0\.0\.1:\d+ - wid:"),
                            ("2001:db8::1", r"\[2001:db8::1\]/127\.0\.0\.1:\d+ - wid:"),
                            ("7.7.7.7, 8.8.8.8", r"\] 127\.0\.0\.1:\d+ - wid:"),
                            ("a" * 600, r"\] 127\.0\.0\.1:\d+ - wid:")]:
            client = WebSocket(server, {"X-Forwarded-For": says}).connected()
            client.connection.close()
            server.expect_log(label)
        check(not any("7.7.7.7" in line for line in server.log_lines), "a list is no address")


@scenario("websocket: only pages of the same host and port", tags=["websocket"])
def same_origin(scene):
    with websocket_server(scene, "same_origin: true") as server:
        check(status_of(server, request(more={"Origin": "http://localhost"})) == 101, "same")
        for origin in ("http://localhost:81", "https://localhost", "http://other"):
            check(status_of(server, request(more={"Origin": origin})) == 403, origin)
        check(status_of(server, request()) == 101, "no page at all")


@scenario("websocket: what a stranger sends before the upgrade is not kept", alone=True,
          tags=["websocket", "peal"])
def stranger(scene):
    with websocket_server(scene, 'handshake_timeout: "30s"') as server:
        for data in (request()[:-2] + b"X: " + b"a" * 40000, b"GET /" + b"a" * 40000,
                     request(more={"Origin": "http://" + "a" * 600})):
            check(status_of(server, data) == 431, f"{data[:40]}")
        early = Connection(server.websocket_port)
        early.send(request() + frame(BINARY, CONNECT))
        check(early.read_line().split()[1] == b"400", "bytes behind the request")


@scenario("websocket: an upgrade that does not come", slow=True, tags=["websocket"])
def late(scene):
    with websocket_server(scene, 'handshake_timeout: "1s"') as server:
        halting = Connection(server.websocket_port)
        halting.send(b"GET / HTTP/1.1\r\nHost: ")
        end = time.monotonic() + PATIENCE_S
        while halting.receive(end):
            pass
        check(halting.ended, "it was not closed")


@scenario("websocket: commands and messages, however they are framed", tags=["websocket"])
def framing(scene):
    with websocket_server(scene) as server:
        text = Connection.connected(server.port)
        client = WebSocket(server).connected()
        client.send(b"SUB foo 1\r\n", TEXT)
        client.fence()
        text.send(b"SUB bar 2\r\n")
        text.fence()
        text.send(b"PUB foo 5\r\nhello\r\n")
        client.expect(b"MSG foo 1 5\r\nhello\r\n")
        for size in (0, 1, 60_000, 900_000):
            payload = os.urandom(size)
            client.send(b"PUB bar %d\r\n" % size + payload + b"\r\n")
            text.expect(b"MSG bar 2 %d\r\n" % size + payload + b"\r\n")
            text.send(b"PUB foo %d\r\n" % size + payload + b"\r\n")
            client.expect(b"MSG foo 1 %d\r\n" % size + payload + b"\r\n")
        # A frame for each byte; parts of a message, with others between.
        command = b"PUB bar 3\r\none\r\nPUB bar 3\r\ntwo\r\n"
        client.connection.send(b"".join(frame(BINARY, bytes([byte])) for byte in command))
        text.expect(b"MSG bar 2 3\r\none\r\nMSG bar 2 3\r\ntwo\r\n")
        client.connection.send(frame(BINARY, command[:7], final=False) + frame(PING, b"a") +
                               frame(0, b"", final=False) + frame(PONG, b"unasked") +
                               frame(0, command[7:]) + frame(BINARY) + frame(PING, b""))
        text.expect(b"MSG bar 2 3\r\none\r\nMSG bar 2 3\r\ntwo\r\n")
        client.expect_control(PONG, b"a")
        client.expect_control(PONG, b"")
        for at in range(10):  # Autobahn 2.10
            client.connection.send(frame(PING, b"payload-%d" % at))
        for at in range(10):
            client.expect_control(PONG, b"payload-%d" % at)
        client.fence()


@scenario("websocket: an upgrade and a session, cut at each byte", tags=["websocket"])
def cuts(scene):
    with websocket_server(scene) as server:
        session = frame(BINARY, CONNECT[:20], final=False) + frame(PING, b"x") + \
            frame(0, CONNECT[20:]) + frame(BINARY, b"SUB foo 1\r\nPUB foo 2\r\nok\r\n")
        for at in range(1, len(session)):
            client = WebSocket(server)
            client.connection.send(session[:at])
            client.connection.send(session[at:])
            client.expect(b"PONG\r\nMSG foo 1 2\r\nok\r\n")
            client.expect_control(PONG, b"x")
            client.connection.reset()
        data = request()
        for at in range(1, len(data), 7):
            connection = Connection(server.websocket_port)
            connection.send(data[:at])
            connection.send(data[at:])
            check(connection.read_line().split()[1] == b"101", f"cut at {at}")
            connection.reset()


@scenario("websocket: frames that are not allowed", tags=["websocket"])
def bad_frames(scene):
    with websocket_server(scene) as server:
        line = b"PING\r\n"
        for code, bad in [
                (1002, frame(BINARY, line, masked=False)),
                (1002, frame(BINARY, line, bits=4)), (1002, frame(BINARY, line, bits=2)),
                (1002, frame(BINARY, line, bits=1)), (1002, frame(3, line)), (1002, frame(11)),
                (1002, frame(PING, b"x" * 126)), (1002, frame(PING, b"x", final=False)),
                (1002, frame(CLOSE, b"", final=False)), (1002, frame(PING, b"x", bits=4)),
                (1002, frame(0, line)),
                (1002, frame(BINARY, b"P", final=False) + frame(BINARY, line)),
                (1002, frame(BINARY, length=1 << 63)),
                (1002, frame(CLOSE, b"\x03")), (1002, frame(CLOSE, b"\x03\xec")),
                (1002, frame(CLOSE, b"\x13\x88")), (1007, frame(CLOSE, b"\x03\xe8\xff"))]:
            client = WebSocket(server).connected()
            # What came before still counts.
            client.connection.send(frame(BINARY, b"SUB foo 1\r\nPUB foo 0\r\n\r\n") + bad)
            if scene.kind == "nats":
                client.connection.close()
                continue
            client.expect(b"MSG foo 1 0\r\n\r\n")
            client.expect_close(code)


@scenario("websocket: closing, with a reason, from either side", tags=["websocket"])
def closing(scene):
    with websocket_server(scene, more="max_payload: 100") as server:
        for payload in (b"", b"\x03\xe8", b"\x03\xe9going", b"\x0f\xa0"):
            client = WebSocket(server).connected()
            client.connection.send(frame(CLOSE, payload) + frame(BINARY, b"PING\r\n"))
            client.expect_control(CLOSE, payload)
            client.connection.expect_eof()
        client = WebSocket(server).connected()
        client.send(b"PUB foo 101\r\n")
        client.expect(b"-ERR 'Maximum Payload Violation'\r\n")
        client.expect_close(1009, b"Maximum Message Payload Exceeded")
        client = WebSocket(server).connected()
        client.send(b"PUB " + b"a" * 5000)
        client.expect(b"-ERR 'maximum control line exceeded'\r\n")
        client.expect_close(1008, b"Maximum Control Line Exceeded")
        if scene.kind == "peal":
            client = WebSocket(server).connected()
            client.send(b"BOGUS\r\n")
            client.expect(b"-ERR 'Unknown Protocol Operation'\r\n")
            client.expect_close(1002)
            leaving = WebSocket(server).connected()
            server.signal("TERM")
            leaving.expect_close(1001, b"Server Shutdown")
            server.expect_exit(0)


@scenario("websocket: compressed messages, both ways", tags=["websocket"])
def compression(scene):
    with websocket_server(scene, "compression: true") as server:
        client = WebSocket(server, OFFER)
        check(client.headers["sec-websocket-extensions"] ==
              "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
              f"{client.headers}")
        check(client.compressed == 1, "INFO is not compressed")
        packed = deflated(CONNECT)
        client.connection.send(frame(BINARY, packed[:5], final=False, bits=4) + frame(PING, b"p") +
                               frame(0, packed[5:]))
        client.expect(b"PONG\r\n")
        client.expect_control(PONG, b"p")
        client.send(b"SUB foo 1\r\n")
        before = client.compressed
        for size in (10, 64, 1000, 100_000, 1_000_000):
            payload = (b"%d words " % size * size)[:size]
            command = b"PUB foo %d\r\n" % size + payload + b"\r\n"
            client.connection.send(frame(BINARY, deflated(command), bits=4))
            client.expect(b"MSG foo 1 %d\r\n" % size + payload + b"\r\n")
        check(client.compressed > before, "nothing was compressed")
        plain = WebSocket(server).connected()
        plain.send(b"PUB foo 2\r\nhi\r\n")
        client.expect(b"MSG foo 1 2\r\nhi\r\n")
        many = b"".join(frame(BINARY, deflated(b"PUB foo 1\r\n%d\r\n" % (at % 10)), bits=4)
                        for at in range(500))
        client.connection.send(many)
        client.expect(b"".join(b"MSG foo 1 1\r\n%d\r\n" % (at % 10) for at in range(500)))
        if scene.kind == "peal":
            client.connection.send(frame(BINARY, b"\xff\xff\xff", bits=4))
            client.expect_close(1007)
            other = WebSocket(server, {"Sec-WebSocket-Extensions": "permessage-deflate; "
                                       "server_max_window_bits=10"})
            check("sec-websocket-extensions" not in other.headers, "a window that we cannot keep")


@scenario("websocket: a small frame does not inflate without end", alone=True,
          tags=["websocket", "peal"])
def bombs(scene):
    with websocket_server(scene, "compression: true", "max_payload: 1MB") as server:
        other = Connection.connected(server.port)
        client = WebSocket(server, OFFER).connected()
        # As much as one message may have, and its neighbour is served meanwhile.
        most = b"+OK\r\n" * (8 * 1024 * 1024 // 5)
        client.connection.send(frame(BINARY, deflated(most), bits=4) + frame(BINARY, b"PING\r\n"))
        other.fence()
        client.expect(b"PONG\r\n")
        client.connection.send(frame(BINARY, deflated(most * 2), bits=4))
        client.expect_close(1009)
        # A stranger gets less.
    with websocket_server(scene, "compression: true, authorization { user: a, password: b }"
                          ) as server:
        client = WebSocket(server, OFFER)
        client.connection.send(frame(BINARY, deflated(b"CONNECT {" + b" " * (4 << 20)), bits=4))
        client.expect(b"-ERR 'maximum control line exceeded'\r\n")
        client = WebSocket(server, OFFER)
        client.connection.send(frame(BINARY, deflated(os.urandom(8000)), final=False, bits=4))
        client.expect(b"-ERR 'maximum control line exceeded'\r\n")
        client = WebSocket(server, OFFER)
        packed = deflated(b'CONNECT {"user":"a","pass":"b","verbose":false}\r\nPING\r\n')
        for at in range(len(packed)):
            client.connection.send(frame(BINARY if at == 0 else 0, packed[at:at + 1],
                                         final=at + 1 == len(packed), bits=4 if at == 0 else 0))
        client.expect(b"PONG\r\n")


@scenario("websocket: through TLS, compressed and not", tags=["websocket", "tls"])
def through_tls(scene):
    with websocket_server(scene, "compression: true", tls=True) as server:
        check(any("on wss://" in line for line in server.log_lines), "no wss in the log")
        for more in (None, OFFER):
            client = WebSocket(server, more, tls=context()).connected()
            client.send(b"SUB foo 1\r\n")
            for size in (0, 5, 70_000, 700_000):
                payload = b"x" * size
                client.send(b"PUB foo %d\r\n" % size + payload + b"\r\n")
                client.expect(b"MSG foo 1 %d\r\n" % size + payload + b"\r\n")
            client.send(b"UNSUB 1\r\n")
            client.connection.send(frame(PING, b"p") + frame(CLOSE, b"\x03\xe8"))
            client.expect_control(PONG, b"p")
            client.expect_control(CLOSE, b"\x03\xe8")
            client.connection.expect_eof()
        clear = Connection(server.websocket_port)
        clear.send(request())
        end = time.monotonic() + PATIENCE_S
        while clear.receive(end):
            pass
        check(clear.ended and b" 101 " not in clear.seen, f"{clear.seen}")


@scenario("websocket: who may come in, by its own rules", tags=["websocket", "auth"])
def authorization(scene):
    with websocket_server(scene, "authorization { user: a, password: b, timeout: 1 }") as server:
        Connection.connected(server.port)  # Elsewhere nobody is asked.
        good = WebSocket(server)
        check(good.info.get("auth_required") is True, f"{good.info}")
        good.send(b'CONNECT {"user":"a","pass":"b","verbose":false}\r\nPING\r\n')
        good.expect(b"PONG\r\n")
        for credentials in (b'{"user":"a","pass":"c"}', b"{}"):
            bad = WebSocket(server)
            bad.send(b"CONNECT " + credentials + b"\r\n")
            bad.expect(b"-ERR 'Authorization Violation'\r\n")
            bad.expect_close(1008, b"Authentication Failure")
        silent = WebSocket(server)
        silent.expect(b"-ERR 'Authentication Timeout'\r\n")
        silent.expect_close(1008, b"Authentication Timeout")
    users = """authorization { users = [ { user: t, password: p, allowed_connection_types: STANDARD },
      { user: w, password: p, allowed_connection_types: [WEBSOCKET] }, { user: x, password: p } ] }"""
    with websocket_server(scene, "no_auth_user: w", users) as server:
        WebSocket(server).connected()
        for name, text, web in (("t", True, False), ("w", False, True), ("x", True, True)):
            connect = b'CONNECT {"user":"%s","pass":"p","verbose":false}\r\nPING\r\n' % name.encode()
            plain = Connection.with_info(server.port)
            plain.send(connect)
            plain.expect(b"PONG\r\n" if text else b"-ERR 'Authorization Violation'\r\n")
            client = WebSocket(server)
            client.send(connect)
            client.expect(b"PONG\r\n" if web else b"-ERR 'Authorization Violation'\r\n")


@scenario("websocket: whom certificates name elsewhere is nobody here without a password",
          tags=["websocket", "auth", "tls"])
def mapped_elsewhere(scene):
    folder = certificates()
    users = f"""tls {{ cert_file: "{folder}/server.pem", key_file: "{folder}/server.key",
      ca_file: "{folder}/ca.pem", verify_and_map: true }}
    authorization {{ users = [ {{ user: a }}, {{ user: b, password: p }} ] }}"""
    with websocket_server(scene, more=users) as server:
        client = WebSocket(server)
        client.send(b'CONNECT {"user":"a","verbose":false}\r\n')
        client.expect(b"-ERR 'Authorization Violation'\r\n")
        client = WebSocket(server)
        client.send(b'CONNECT {"user":"b","pass":"p","verbose":false}\r\nPING\r\n')
        client.expect(b"PONG\r\n")


@scenario("websocket: what comes in one piece with CONNECT waits for the hash", tags=["websocket", "auth"])
def much_behind_connect(scene):
    users = """authorization { users = [
      { user: h, password: "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" } ] }"""
    with websocket_server(scene, "compression: true", users) as server:
        said = (b'CONNECT {"user":"h","pass":"U*U","verbose":false}\r\n' +
                b"PUB foo 1000\r\n%s\r\n" % bytes(1000) * 400 + b"PING\r\n")
        client = WebSocket(server)
        client.send(said)
        client.expect(b"PONG\r\n")
        client = WebSocket(server, OFFER)
        client.connection.send(frame(BINARY, deflated(said), bits=4))
        client.expect(b"PONG\r\n")


@scenario("websocket: one connection too many is told so", tags=["websocket"])
def surplus(scene):
    with websocket_server(scene, more="max_connections: 1") as server:
        first = WebSocket(server).connected()
        second = WebSocket(server)
        second.expect(b"-ERR 'maximum connections exceeded'\r\n")
        second.expect_close(1008, b"Maximum Connections Exceeded")
        first.fence()


@scenario("websocket: who is one too many, and says nothing, keeps out nobody",
          tags=["websocket", "peal"])
def silent_surplus(scene):
    with websocket_server(scene, more="max_connections: 2\ndebug: true") as server:
        first, second = Connection.connected(server.port), Connection.connected(server.port)
        silent = [Connection(server.websocket_port) for _ in range(5)]
        server.expect_log(f"wid:{2 + len(silent)} - Client connection created")
        second.shut()
        second.expect_eof()
        Connection.connected(server.port).fence()
        server.rewrite(open(server.config_path, encoding="utf-8").read() + "max_payload: 1000")
        server.signal("HUP")
        server.expect_log("Reloaded server configuration")
        first.fence()
        for connection in silent:
            connection.close()


@scenario("websocket: a slow consumer is cut off, and its neighbours are served",
          slow=True, tags=["websocket"])
def slow_consumer(scene):
    for settings, more in (("", None), ("compression: true", OFFER)):
        with websocket_server(scene, settings, "max_pending: 4MB") as server:
            slow = WebSocket(server, more, receive_bytes=4096).connected()
            slow.send(b"SUB foo 1\r\n")
            slow.fence()
            good = WebSocket(server, more).connected()
            good.send(b"SUB foo 1\r\n")
            good.fence()
            publisher = Connection.connected(server.port)
            payload = os.urandom(100_000)
            for _ in range(200):
                publisher.send(b"PUB foo 100000\r\n" + payload + b"\r\n")
                good.expect(b"MSG foo 1 100000\r\n" + payload + b"\r\n")
            publisher.fence()
            server.expect_log("Slow Consumer")


@scenario("websocket: lame duck mode is told", slow=True, tags=["websocket", "peal"])
def lame_duck(scene):
    with websocket_server(scene, more='lame_duck_duration: "1s", lame_duck_grace_period: "100ms"'
                          ) as server:
        client = WebSocket(server)
        client.send(b'CONNECT {"verbose":false,"protocol":1}\r\nPING\r\n')
        client.expect(b"PONG\r\n")
        server.signal("USR2")
        while '"ldm":true' not in (line := client.read_line().decode()):
            check(line.startswith("INFO") or line == "PING\r\n", line)
        client.expect_close(1001, b"Server Shutdown")
        server.expect_exit(0)


@scenario("websocket: a reload changes rules for newcomers, and refuses another port", alone=True,
          tags=["websocket", "peal"])
def reload(scene):
    with websocket_server(scene) as server:
        client = WebSocket(server).connected()
        config = 'websocket { listen: "127.0.0.1:-1", no_tls: true, same_origin: true }'
        server.rewrite(config)
        server.signal("HUP")
        server.expect_log("Reloaded server configuration")
        check(status_of(server, request(more={"Origin": "http://evil"})) == 403, "after the reload")
        client.fence()
        server.rewrite('websocket { listen: "127.0.0.1:1", no_tls: true }')
        server.signal("HUP")
        server.expect_log("websocket.listen cannot change")
        client.fence()


@scenario("websocket: TLS taken away by a reload in the middle of a handshake", alone=True,
          tags=["tls", "peal"])
def reload_in_handshake(scene):
    """The bug this keeps out: a session made of the newest certificates, of which there were none."""
    folder = certificates()
    server = Server(scene.server.command[0],
                    f'tls {{ cert_file: "{folder}/server.pem", key_file: "{folder}/server.key" }}')
    try:
        waiting = Connection.with_info(server.port)
        server.rewrite("")
        server.signal("HUP")
        server.expect_log("Reloaded server configuration")
        waiting.socket = context().wrap_socket(waiting.socket, server_hostname="server.local")
        waiting.send(CONNECT)
        waiting.expect(b"PONG\r\n")
        server.stop()
    finally:
        server.kill()


@scenario("websocket: a reader that takes little at a time gets all, with pings between",
          tags=["websocket"])
def little_at_a_time(scene):
    for settings, more in (("", None), ("compression: true", OFFER)):
        with websocket_server(scene, settings) as server:
            client = WebSocket(server, more, receive_bytes=4096).connected()
            client.send(b"SUB foo 1\r\n")
            client.fence()
            publisher = Connection.connected(server.port)
            payloads = [os.urandom(size) for size in (1, 100, 20_000, 70_000, 300) * 12]
            publisher.send(b"".join(b"PUB foo %d\r\n" % len(payload) + payload + b"\r\n"
                                    for payload in payloads))
            publisher.fence()
            client.connection.send(frame(PING, b"between"))
            for payload in payloads:
                client.expect(b"MSG foo 1 %d\r\n" % len(payload) + payload + b"\r\n")
            client.expect_control(PONG, b"between")


@scenario("websocket: monitoring and the ports file tell of it", tags=["websocket"])
def shown(scene):
    with websocket_server(scene, "same_origin: true, compression: true",
                          'http: "127.0.0.1:-1"') as server:
        client = WebSocket(server).connected()
        text = Connection.connected(server.port)
        line = next(line for line in server.log_lines if "http monitor on" in line)
        monitor = f"http://127.0.0.1:{line.rsplit(':', 1)[1]}"

        def ask(path):
            with urllib.request.urlopen(f"{monitor}{path}", timeout=PATIENCE_S) as answer:
                return json.load(answer)

        kinds = sorted((each["kind"], each["type"]) for each in ask("/connz")["connections"])
        check(kinds == [("Client", "nats"), ("Client", "websocket")], f"{kinds}")
        block = ask("/varz")["websocket"]
        wanted = {"host": "127.0.0.1", "port": server.websocket_port, "no_tls": True,
                  "same_origin": True, "compression": True}
        check(wanted.items() <= block.items(), f"{block}")
        def ports_files():
            return [name for name in os.listdir(server.directory) if name.endswith(".ports")]
        wait_for(ports_files, "the ports file")
        [name] = ports_files()
        with open(os.path.join(server.directory, name), encoding="utf-8") as file:
            ports = json.load(file)
        text.fence()
        check(ports["websocket"] == [f"ws://127.0.0.1:{server.websocket_port}"], f"{ports}")
        client.fence()
