"""A client for the framing binary/1, written from docs/binary-protocol.md and nothing else.

Knows frames; never what a case is about. The socket and the waiting are wire.py's.
"""

import json
import struct
import time

from wire import PATIENCE_S, Connection, Failure, show

CONNECT, PUB, PUB_BATCH, SUB, UNSUB, PING, PONG = 1, 2, 3, 4, 5, 6, 7
INFO, MSG, MSG_BATCH, OK, ERR = 16, 17, 18, 19, 20
LONG_LENGTHS = 1
HEAD = struct.Struct("<IBBHIHH")
LENGTHS = struct.Struct("<III")


def frame(operation, body=b"", flags=0, subject=0, id=0, reply=0, headers=0, length=None):
    """Any frame, right or wrong."""
    return HEAD.pack(len(body) if length is None else length, operation, flags, subject, id, reply,
                     headers) + body


def with_number(operation, body=b"", subject=0, id=0, number=0, length=None):
    return frame(operation, body, 0, subject, id, number & 0xFFFF, number >> 16, length)


def pub(payload, subject=b"", alias=0, reply=b"", headers=b"", long=False):
    lengths = (len(subject), len(reply), len(headers))
    body = subject + reply + headers + payload
    if long or max(lengths) > 0xFFFF:
        return frame(PUB, LENGTHS.pack(*lengths) + body, LONG_LENGTHS, id=alias)
    return frame(PUB, body, 0, lengths[0], alias, lengths[1], lengths[2])


def pub_batch(messages, subject=b"", alias=0):
    return with_number(PUB_BATCH, subject + b"".join(messages), len(subject), alias,
                       len(messages[0]))


def sub(subject, sid, queue=b""):
    return frame(SUB, subject + queue, 0, len(subject), sid, len(queue))


def unsub(sid, maximum=0):
    return with_number(UNSUB, id=sid, number=maximum)


def ping():
    return frame(PING)


def messages_of(head, body):
    """What a MSG or MSG_BATCH says: (sid, subject, reply, headers, payload) for each message."""
    _, operation, flags, subject_bytes, sid, reply_bytes, header_bytes = head
    if operation == MSG_BATCH:
        size = reply_bytes | header_bytes << 16
        subject, rest = body[:subject_bytes], body[subject_bytes:]
        if flags or size == 0 or not rest or len(rest) % size:
            raise Failure(f"a batch that does not come out even: {head}")
        return [(sid, subject, b"", b"", rest[at:at + size]) for at in range(0, len(rest), size)]
    if flags == LONG_LENGTHS:
        subject_bytes, reply_bytes, header_bytes = LENGTHS.unpack(body[:LENGTHS.size])
        body = body[LENGTHS.size:]
    if flags > LONG_LENGTHS or subject_bytes + reply_bytes + header_bytes > len(body):
        raise Failure(f"a message that is longer than its frame: {head}")
    reply_at = subject_bytes
    headers_at = reply_at + reply_bytes
    payload_at = headers_at + header_bytes
    return [(sid, body[:reply_at], body[reply_at:headers_at], body[headers_at:payload_at],
             body[payload_at:])]


class FrameConnection:
    """A connection in frames. The server's PINGs are answered and not shown."""

    def __init__(self, wire, connect_line):
        self.wire = wire
        self.waiting = []  # Messages of a batch that were not asked for yet.
        wire.send(connect_line)
        wire.expect_line(r"\+OK")

    @staticmethod
    def connected(port, fields=None, make=Connection.with_info):
        said = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True,
                "framing": "binary/1"}
        said.update(fields or {})
        wire = make(port)
        return FrameConnection(wire, b"CONNECT " + json.dumps(said).encode() + b"\r\n")

    def send(self, data):
        self.wire.send(data)

    def read_frame(self, patience_s=PATIENCE_S):
        while True:
            head = HEAD.unpack(self.wire.read_bytes(HEAD.size, patience_s))
            body = self.wire.read_bytes(head[0], patience_s)
            if head[1] != PING:
                return head, body
            if head != (0, PING, 0, 0, 0, 0, 0):
                raise Failure(f"a PING with something in it: {head}")
            self.send(frame(PONG))

    def message(self):
        if not self.waiting:
            head, body = self.read_frame()
            if head[1] not in (MSG, MSG_BATCH):
                raise Failure(f"expected a message, seen {head} {show(body)}")
            self.waiting = messages_of(head, body)
        return self.waiting.pop(0)

    def message_or_pong(self):
        """None for a PONG."""
        if not self.waiting:
            head, body = self.read_frame()
            if head[1] == PONG:
                return None
            if head[1] not in (MSG, MSG_BATCH):
                raise Failure(f"expected a message or PONG, seen {head} {show(body)}")
            self.waiting = messages_of(head, body)
        return self.waiting.pop(0)

    def expect(self, sid, payload, subject=b"", reply=b"", headers=b""):
        seen, expected = self.message(), (sid, subject, reply, headers, payload)
        if seen != expected:
            raise Failure(f"expected {expected!r}, seen {seen!r}")

    def expect_bare(self, operation):
        if self.waiting:
            raise Failure(f"messages nobody asked for: {self.waiting!r}")
        head, body = self.read_frame()
        if head != (0, operation, 0, 0, 0, 0, 0):
            raise Failure(f"expected operation {operation}, seen {head} {show(body)}")

    def expect_error(self, text):
        head, body = self.read_frame()
        if head != (len(text), ERR, 0, 0, 0, 0, 0) or body != text:
            raise Failure(f"expected ERR {text!r}, seen {head} {show(body)}")

    def fence(self):
        self.send(ping())
        self.expect_bare(PONG)

    def expect_eof(self):
        self.wire.expect_eof()

    def expect_closed(self, text=None):
        if text is not None:
            self.expect_error(text)
        self.wire.expect_eof()

    def drain_until_closed(self, patience_s=PATIENCE_S):
        while self.wire.receive(time.monotonic() + patience_s):
            self.wire.seen = b""
        if not self.wire.ended:
            raise Failure("the connection was not closed")

    def close(self):
        self.wire.close()
