"""Plays one case at every way of cutting its bytes: what a server answers depends on the bytes
alone, never on how they came.

A cut is only real if the server reads the first part before the second is sent. The kernel tells:
the receive queue of the server's socket is empty then. Many connections are cut at a time, so that
the server reads one while we send on the next.
"""

import errno
import os
import socket
import struct
import time

from script import DEFAULT_CONNECT
from wire import PATIENCE_S, Connection, Failure

CONNECTIONS_MAX = 120


class ReceiveQueues:
    """Asks the kernel how many bytes a local TCP socket has not read yet: sock_diag, one socket at
    a time. The table in /proc would do, but costs milliseconds a look."""

    SOCK_DIAG = 4  # The netlink family.
    BY_FAMILY = 20  # The request's type, and its answer's.
    ERROR = 2
    ESTABLISHED = 1
    ANY_COOKIE = b"\xff" * 8

    def __init__(self):
        self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, self.SOCK_DIAG)
        self.netlink.settimeout(PATIENCE_S)

    def unread_bytes(self, local_port, remote_port):
        """None of a socket that is gone, or going: it reads no more."""
        loopback = socket.inet_aton("127.0.0.1") + bytes(12)
        request = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xffffffff)
        request += struct.pack("!HH", local_port, remote_port) + loopback + loopback
        request += struct.pack("=I", 0) + self.ANY_COOKIE
        self.netlink.send(struct.pack("=IHHII", 16 + len(request), self.BY_FAMILY, 1, 0, 0) +
                          request)
        answer = self.netlink.recv(4096)
        kind = struct.unpack_from("=H", answer, 4)[0]
        if kind == self.ERROR:
            error = -struct.unpack_from("=i", answer, 16)[0]
            if error == errno.ENOENT:
                return None
            raise Failure(f"sock_diag: {os.strerror(error)}")
        state = answer[17]
        return struct.unpack_from("=I", answer, 72)[0] if state == self.ESTABLISHED else None


def wait_until_read(queues, server_port, client_ports):
    """Returns when the server has read all that these connections sent."""
    end = time.monotonic() + PATIENCE_S
    for client_port in client_ports:
        while queues.unread_bytes(server_port, client_port):
            if time.monotonic() > end:
                raise Failure("the server leaves a connection unread")
            time.sleep(0.0002)  # The kernel has no event for this; the wait is bounded above.


def transcript(steps):
    """What a case sends and expects in all, and how it ends."""
    sent, expected, ending = DEFAULT_CONNECT, b"", ""
    for step in steps:
        if step.verb == "open":
            bare = step.text == "bare"
            sent = b"" if bare else f"CONNECT {step.text}\r\n".encode("latin-1")
        elif step.verb == "send":
            sent += step.data
        elif step.verb == "expect":
            expected += step.data
        elif step.verb in ("EOF", "closed"):
            ending = step.verb
        else:
            raise ValueError(f"line {step.line_number}: a case that is cut only sends and expects")
    return sent, expected, ending


def ways_to_cut(length, cuts):
    if cuts == 1:
        return [(at,) for at in range(1, length)]
    return [(a, b) for a in range(1, length) for b in range(a + 1, length)]


def play_cut(server, steps, cuts, borrow_names):
    """Every way in turn, and at last one byte at a time."""
    sent, expected, ending = transcript(steps)
    ways = ways_to_cut(len(sent), cuts)
    for begin in range(0, len(ways), CONNECTIONS_MAX):
        batch = ways[begin:begin + CONNECTIONS_MAX]
        with borrow_names(len(batch)) as names:
            play_batch(server, sent, expected, ending, batch, names)
    with borrow_names(1) as names:
        play_batch(server, sent, expected, ending, [tuple(range(1, len(sent)))], names)
    server.check_alive()


def play_batch(server, sent, expected, ending, ways, names):
    connections = []
    queues = ReceiveQueues()
    try:
        connections = [Connection.with_info(server.port) for _ in ways]
        ports = [connection.socket.getsockname()[1] for connection in connections]
        for part in range(len(ways[0]) + 1):
            for way, name, connection in zip(ways, names, connections):
                edges = (0, *way, len(sent))
                connection.send(name.apply(sent)[edges[part]:edges[part + 1]])
            wait_until_read(queues, server.port, ports)
        for way, name, connection in zip(ways, names, connections):
            try:
                connection.expect(name.apply(expected))
                if ending == "EOF":
                    connection.expect_eof()
                elif ending == "closed":
                    connection.expect_closed()
                else:
                    connection.fence()
            except Failure as failure:
                where = "a byte at a time" if len(way) > 2 else f"cut at {way}"
                raise Failure(f"{where}: {name.undo(str(failure))}") from None
    finally:
        queues.netlink.close()
        for connection in connections:
            connection.reset()  # A plain close would fill the kernel's table with what is no more.
