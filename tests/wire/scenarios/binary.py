"""The framing binary/1, by a client that was written from its document."""

import os
import random
import re

import frames
from frames import FrameConnection, frame, pub, pub_batch, sub, unsub, with_number
from scenarios.noise import spoil
from scenarios.scene import check, scenario
from scenarios.tls import context, secured, tls_server
from wire import Connection, Failure

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docs",
                        "binary-protocol.md")
BIG = 0xFFFFFFFF


def binary(title, **options):
    """A case for servers that speak frames; others have nothing to show."""
    options.setdefault("tags", []).append("peal")

    def add(function):
        def run(scene):
            if scene.kind == "peal":
                function(scene)
        return scenario("binary: " + title, **options)(run)
    return add


def dial(scene, **fields):
    return FrameConnection.connected(scene.server.port, fields)


def example_blocks():
    """The frames of the document's example, in the order in which they stand there."""
    with open(DOCUMENT, encoding="utf-8") as file:
        example = file.read().split("## Example")[1].split("\n## ")[0]
    lines = re.findall(r"^    ((?:[0-9a-f]{2} +)+[0-9a-f]{2})$", example, re.M)
    return [bytes.fromhex(line) for line in lines]


@binary("the document's example is what happens", alone=True)
def example(scene):
    said = example_blocks()
    check(len(said) == 10, f"the example has {len(said)} frames")
    subscribe, publish, heard, pong = said[:2], said[2:5], said[5:9], said[9]
    wire = Connection.with_info(scene.server.port)
    check("binary/1" in wire.info["framings"] and wire.info["subject_aliases"] == 256,
          f"INFO offers {wire.info}")
    connection = FrameConnection(
        wire, b'CONNECT {"verbose":false,"headers":true,"framing":"binary/1"}\r\n')
    connection.send(b"".join(subscribe) + b"".join(publish))
    seen = {9: [], 10: []}
    while sum(map(len, seen.values())) < 6:
        message = connection.message()
        seen[message[0]].append(message)
    expected = {9: [], 10: []}
    for data in heard:
        head = frames.HEAD.unpack(data[:16])
        check(head[0] == len(data) - 16, "the example's lengths are wrong")
        expected[head[4]] += frames.messages_of(head, data[16:])
    check(seen == expected, f"expected {expected}, seen {seen}")
    connection.wire.expect(pong)
    # And by our own encoder.
    check(b"".join(subscribe) == sub(b"time.*", 9) + sub(b"time.us", 10), "SUB is encoded so")
    check(publish[0] == pub(b"ok", b"time.us", 1, b"r"), "PUB is encoded so")
    check(publish[1] == pub_batch([b"aaa", b"bbb"], alias=1), "PUB_BATCH is encoded so")


@binary("lines and frames reach each other, with reply and headers, and a 503")
def both_ways(scene):
    subject = scene.subject
    framed, lined = dial(scene), scene.connect()
    framed.send(sub(subject + b".>", 1) + sub(subject + b".a", 4000000000))
    framed.fence()
    lined.send(b"SUB %s.* x1\r\n" % subject)
    lined.fence()
    lined.send(b"PUB %s.a r.1 2\r\nhi\r\nHPUB %s.a 12 14\r\nNATS/1.0\r\n\r\nyo\r\nPUB %s.b 0\r\n\r\n"
               % (subject, subject, subject))
    lined.expect(b"MSG %s.a x1 r.1 2\r\nhi\r\nHMSG %s.a x1 12 14\r\nNATS/1.0\r\n\r\nyo\r\n"
                 b"MSG %s.b x1 0\r\n\r\n" % (subject, subject, subject))
    wide, narrow = [], []
    for _ in range(5):
        message = framed.message()
        (wide if message[0] == 1 else narrow).append(message[1:])
    block = b"NATS/1.0\r\n\r\n"
    check(wide == [(subject + b".a", b"r.1", b"", b"hi"), (subject + b".a", b"", block, b"yo"),
                   (subject + b".b", b"", b"", b"")], f"seen {wide}")
    check(narrow == [(b"", b"r.1", b"", b"hi"), (b"", b"", block, b"yo")], f"seen {narrow}")
    framed.send(pub(b"one", subject + b".c", 7, b"r.2", b"NATS/1.0\r\nA: b\r\n\r\n")
                + pub_batch([b"two", b"six"], alias=7) + pub(b"", alias=7)
                + pub_batch([b"x"], subject + b".d") + pub(b"y", subject + b".d", long=True))
    c, d = subject + b".c", subject + b".d"
    lined.expect(b"HMSG %s x1 r.2 18 21\r\nNATS/1.0\r\nA: b\r\n\r\none\r\n" % c
                 + b"MSG %s x1 3\r\ntwo\r\nMSG %s x1 3\r\nsix\r\nMSG %s x1 0\r\n\r\n" % (c, c, c)
                 + b"MSG %s x1 1\r\nx\r\nMSG %s x1 1\r\ny\r\n" % (d, d))
    for payload in (b"one", b"two", b"six", b""):
        framed.expect(1, payload, c, b"r.2" if payload == b"one" else b"",
                      b"NATS/1.0\r\nA: b\r\n\r\n" if payload == b"one" else b"")
    framed.expect(1, b"x", d)
    framed.expect(1, b"y", d)
    framed.send(sub(subject + b".inbox", 3) + unsub(1)
                + pub(b"?", subject + b".nobody.here", reply=subject + b".inbox"))
    framed.expect(3, b"", headers=b"NATS/1.0 503\r\nNats-Subject: %s.nobody.here\r\n\r\n" % subject)
    framed.fence()


@binary("a long run of either framing is whole and in order on every kind of subscription")
def runs(scene):
    subject, count, size = scene.subject, 20_000, 16
    framed, lined, wide = dial(scene), scene.connect(), dial(scene)
    framed.send(sub(subject, 1))
    framed.fence()
    wide.send(sub(subject + b".>", 9) + sub(subject, 1))
    wide.fence()
    lined.send(b"SUB %s 1\r\n" % subject)
    lined.fence()
    payloads = [b"%016d" % at for at in range(count)]
    for publisher in ("lines", "frames"):
        if publisher == "lines":
            source = scene.connect()
            source.send(b"".join(b"PUB %s %d\r\n%s\r\n" % (subject, size, p) for p in payloads))
        else:
            source = dial(scene)
            source.send(pub(payloads[0], subject, 3) + pub_batch(payloads[1:9000], alias=3)
                        + pub(payloads[9000], alias=3) + pub_batch(payloads[9001:], subject))
        source.fence()
        lined.expect(b"".join(b"MSG %s 1 %d\r\n%s\r\n" % (subject, size, p) for p in payloads))
        for reader in (framed, wide):
            for payload in payloads:
                reader.expect(1, payload)
            reader.fence()
        source.close()


@binary("however a stream of frames is cut, it means the same")
def cuts(scene):
    subject = scene.subject
    reader = scene.connect()
    reader.send(b"SUB %s.* 1\r\n" % subject)
    reader.fence()
    stream = (pub(b"alpha", subject + b".a", 1, b"r") + pub_batch([b"be", b"ta"], alias=1)
              + sub(subject + b".q", 5, b"group") + unsub(5, 3)
              + pub(b"gamma", subject + b".b", long=True) + frames.ping())
    expected = (b"MSG %s.a 1 r 5\r\nalpha\r\nMSG %s.a 1 2\r\nbe\r\nMSG %s.a 1 2\r\nta\r\n"
                b"MSG %s.b 1 5\r\ngamma\r\n" % ((subject,) * 4))
    for step in (1, 2, 3, 7, 15, 16, 17, 40):
        publisher = dial(scene)
        for at in range(0, len(stream), step):
            publisher.send(stream[at:at + step])
        publisher.expect_bare(frames.PONG)
        reader.expect(expected)
        publisher.close()
    # Behind the CONNECT line without waiting, and the line itself in two.
    line = b'CONNECT {"verbose":false,"pedantic":false,"framing":"binary/1"}\r\n'
    for cut in (0, 10, len(line), len(line) + 5, len(line) + 20):
        wire = Connection.with_info(scene.server.port)
        wire.send((line + stream)[:cut])
        wire.send((line + stream)[cut:])
        wire.expect_line(r"\+OK")
        wire.expect(frames.frame(frames.PONG))
        reader.expect(expected)
        wire.close()


@binary("a batch for a group and one for plain subscribers behind it are not taken for each other")
def batches_in_turn(scene):
    group, plain = scene.subject + b".group", scene.subject + b".plain"
    readers = [dial(scene) for _ in range(2)]
    for reader in readers:
        reader.send(sub(group, 1, b"g") + sub(plain, 2))
        reader.fence()
    publisher = dial(scene)
    for _ in range(4):
        publisher.send(pub_batch([b"g"] * 100, group) + pub_batch([b"p"] * 100, plain))
        publisher.fence()
    counts = {1: 0, 2: 0}
    for reader in readers:
        own = {1: 0, 2: 0}
        reader.send(frames.ping())
        while (message := reader.message_or_pong()) is not None:
            own[message[0]] += 1
        check(own[2] == 400, f"{own[2]} of 400 plain messages came")
        counts[1] += own[1]
    check(counts[1] == 400, f"{counts[1]} of 400 messages came to the group")


@binary("a large message crosses, in any direction")
def large(scene):
    subject, payload = scene.subject, os.urandom(300_000)
    framed, lined = dial(scene), scene.connect()
    framed.send(sub(subject, 1))
    framed.fence()
    lined.send(b"SUB %s 1\r\n" % subject)
    lined.fence()
    framed.send(pub(payload, subject) + pub_batch([payload, payload], subject))
    for _ in range(3):
        framed.expect(1, payload)
        lined.expect(b"MSG %s 1 300000\r\n%s\r\n" % (subject, payload))
    headers = b"NATS/1.0\r\nA: " + b"x" * 70_000 + b"\r\n\r\n"
    lined.send(b"PUB %s 300000\r\n%s\r\n" % (subject, payload)
               + b"HPUB %s %d %d\r\n%s\r\n" % (subject, len(headers), len(headers), headers))
    framed.expect(1, payload)
    framed.expect(1, b"", headers=headers)
    lined.expect(b"MSG %s 1 300000\r\n%s\r\n" % (subject, payload)
                 + b"HMSG %s 1 %d %d\r\n%s\r\n" % (subject, len(headers), len(headers), headers))
    framed.send(pub(b"", subject, headers=headers))
    framed.expect(1, b"", headers=headers)


@binary("verbose, pedantic and no echo mean what they mean in lines")
def wishes(scene):
    subject = scene.subject
    loud = dial(scene, verbose=True, pedantic=True, echo=False)
    loud.send(sub(subject, 1))
    loud.expect_bare(frames.OK)
    loud.send(pub_batch([b"a", b"b"], subject) + pub(b"c", subject + b".*"))
    for _ in range(2):
        loud.expect_bare(frames.OK)
    loud.expect_error(b"Invalid Publish Subject")
    loud.expect_bare(frames.OK)
    loud.send(frame(frames.CONNECT, b'{"verbose":false,"echo":true}'))
    loud.send(pub(b"x", subject))
    loud.expect(1, b"x")
    loud.send(unsub(1, 3) + pub_batch([b"1", b"2", b"3", b"4"], subject))
    for payload in (b"1", b"2"):
        loud.expect(1, payload)
    loud.fence()
    loud.send(sub(b"a..b", 2))
    loud.expect_error(b"Invalid Subject")
    loud.fence()


@binary("what servers keep for themselves is denied as it is in lines")
def reserved(scene):
    subject = scene.subject
    connection = dial(scene)
    connection.send(sub(subject, 1) + sub(b"$GR.>", 2))
    connection.send(pub_batch([b"a", b"b"], b"$GR.x", 1) + pub(b"c", alias=1)
                    + pub(b"d", subject, reply=b"_R_.x") + pub_batch([b"e", b"f"], subject))
    for _ in range(3):
        connection.expect_error(b'Permissions Violation for Publish to "$GR.x"')
    connection.expect_error(b'Permissions Violation for Publish with Reply of "_R_.x"')
    for payload in (b"e", b"f"):
        connection.expect(1, payload)
    connection.fence()


@binary("aliases are named, used, named anew, and have a limit")
def aliases(scene):
    subject = scene.subject
    reader, publisher = scene.connect(), dial(scene)
    reader.send(b"SUB %s.* 1\r\n" % subject)
    reader.fence()
    for at in range(1, 257):
        publisher.send(pub(b"n", b"%s.%d" % (subject, at), at))
    for at in range(1, 257):
        reader.expect(b"MSG %s.%d 1 1\r\nn\r\n" % (subject, at))
    publisher.send(b"".join(pub(b"u", alias=at) for at in (256, 1, 256)))
    for at in (256, 1, 256):
        reader.expect(b"MSG %s.%d 1 1\r\nu\r\n" % (subject, at))
    publisher.send(pub_batch([b"a", b"b"], subject + b".new", 1) + pub_batch([b"c", b"d"], alias=1))
    for payload in b"abcd":
        reader.expect(b"MSG %s.new 1 1\r\n%c\r\n" % (subject, payload))
    publisher.send(pub(b"x", subject + b".y", 257))
    publisher.expect_closed(b"maximum subject aliases exceeded")
    for wrong, text in (
            (pub(b"x", alias=1), b"Unknown Subject Alias"),
            (pub_batch([b"x"], alias=256), b"Unknown Subject Alias"),
            (pub(b"x", alias=257), b"maximum subject aliases exceeded"),
            (pub(b"x", alias=BIG), b"maximum subject aliases exceeded"),
            (b"".join(pub(b"", b"s" * 4000, at) for at in range(1, 18)),
             b"maximum subject aliases exceeded")):
        connection = dial(scene)
        connection.send(wrong)
        connection.expect_closed(text)


INVALID = [
    # Lengths that do not fit.
    frame(frames.PUB, length=0, id=0),
    frame(frames.PUB, subject=5, length=4),
    frame(frames.PUB, subject=5, length=0),
    frame(frames.PUB, subject=0xFFFF, reply=0xFFFF, headers=0xFFFF, length=0x2FFFC),
    frame(frames.PUB, b"abc", subject=1, reply=1, headers=2),
    frame(frames.PUB, flags=1, length=11, id=1),
    frame(frames.PUB, frames.LENGTHS.pack(BIG, BIG, BIG), 1),
    frame(frames.PUB, frames.LENGTHS.pack(1, BIG, 0) + b"a", 1, length=100),
    frame(frames.PUB, frames.LENGTHS.pack(1, 0, 0) + b"a", 1, subject=1),
    frame(frames.SUB, length=0),
    frame(frames.SUB, b"ab", subject=1),
    frame(frames.SUB, b"a", subject=1, reply=1),
    frame(frames.SUB, b"abc", subject=1, reply=1, headers=1),
    frame(frames.SUB, length=BIG, subject=1),
    # Batches.
    with_number(frames.PUB_BATCH, b"aabb", 1, 0, 2),
    with_number(frames.PUB_BATCH, b"a", 1, 0, 1),
    with_number(frames.PUB_BATCH, b"abb", 1, 0, 0),
    with_number(frames.PUB_BATCH, b"bb", 0, 0, 1),
    with_number(frames.PUB_BATCH, b"abc", 1, 0, BIG),
    with_number(frames.PUB_BATCH, length=1, subject=2, number=1),
    with_number(frames.PUB_BATCH, length=BIG, subject=0xFFFF, number=0xFFFFFFF1),
    frame(frames.PUB_BATCH, b"abb", 1, 1, 0, 1),
    # What is reserved, or has no meaning there.
    *(frame(frames.PUB, b"a", 1 << bit, 1) for bit in range(1, 8)),
    frame(frames.PING, flags=1), frame(frames.PING, id=1), frame(frames.PING, subject=1),
    frame(frames.PING, headers=1), frame(frames.PING, b"x"), frame(frames.PONG, length=BIG),
    frame(frames.UNSUB, flags=1, id=1), frame(frames.UNSUB, b"x", id=1),
    frame(frames.UNSUB, id=1, subject=1), frame(frames.CONNECT, b"{}", id=1),
    # Names that would be something else in a line.
    *(pub(b"", b"a" + bytes([byte]) + b"b") for byte in range(0x21)),
    pub(b"", b"a", reply=b"b\r\nPUB c 0"), pub_batch([b"x"], b"a b"), sub(b"a\n", 1),
    sub(b"a", 1, b"q\r"), pub(b"", b"a" * 64 + b"\n"), pub(b"", b"\r" + b"a" * 200),
]


@binary("frames that are wrong are refused with a word, and harm nobody")
def invalid(scene):
    bystander = dial(scene)
    for wrong in INVALID:
        connection = dial(scene)
        connection.send(frames.ping() + wrong)
        connection.expect_bare(frames.PONG)
        try:
            connection.expect_closed(b"Invalid Frame")
        except Failure as failure:
            raise Failure(f"{wrong[:40].hex(' ')}: {failure}") from None
        connection.close()
    for operation in (0, 8, 15, 16, 17, 18, 19, 20, 21, 127, 255):
        connection = dial(scene)
        connection.send(frame(operation, length=BIG))
        connection.expect_closed(b"Unknown Protocol Operation")
    bystander.fence()


@binary("spoilt frames never harm the server or a bystander")
def noise(scene):
    seed = int(os.environ.get("WIRE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    chance = random.Random(seed)
    subject = scene.subject
    good = (sub(subject + b".*", 1, b"q") + pub(b"hello", subject + b".a", 1, b"r")
            + pub_batch([b"one", b"two", b"six"], alias=1) + pub(b"x", alias=1, long=True)
            + pub(b"y", subject + b".b", headers=b"NATS/1.0\r\n\r\n") + unsub(1, 5)
            + frames.ping()) * 3
    bystander = dial(scene)
    try:
        for _ in range(300):
            data = bytearray(good)
            for _ in range(chance.randrange(1, 4)):
                spoil(data, chance)
            connection = dial(scene)
            connection.send(bytes(data))
            if chance.random() < 0.5:
                connection.wire.reset()
            else:
                try:
                    connection.wire.shut()
                except OSError:
                    pass  # The server was faster, and closed.
                connection.drain_until_closed()
                connection.close()
            bystander.fence()
            scene.server.check_alive()
    except Failure as failure:
        raise Failure(f"WIRE_SEED={seed}: {failure}") from None


@binary("limits are seen before the bytes are waited for", config="max_payload: 1000",
        alone=True)
def limits(scene):
    for wrong, text in (
            (frame(frames.PUB, length=BIG, subject=1), b"Maximum Payload Violation"),
            (frame(frames.PUB, length=1002, subject=1), b"Maximum Payload Violation"),
            (frame(frames.PUB, length=1003, subject=1, headers=10), b"Maximum Payload Violation"),
            (with_number(frames.PUB_BATCH, length=1 + 2 * 1001, subject=1, number=1001),
             b"Maximum Payload Violation"),
            (frame(frames.PUB, length=5000, subject=4097), b"maximum control line exceeded"),
            (frame(frames.PUB, length=5000, subject=4000, reply=97),
             b"maximum control line exceeded"),
            (frame(frames.PUB, frames.LENGTHS.pack(0x70000000, 0x70000000, 0), 1, length=BIG),
             b"maximum control line exceeded"),
            (frame(frames.SUB, length=4097, subject=4097), b"maximum control line exceeded"),
            (with_number(frames.PUB_BATCH, length=9000, subject=4100, number=1),
             b"maximum control line exceeded"),
            (frame(frames.CONNECT, length=4097), b"maximum control line exceeded")):
        connection = dial(scene)
        connection.send(wrong)
        connection.expect_closed(text)
    connection = dial(scene)
    connection.send(sub(b"s" * 4096, 1) + pub(b"x" * 1000, b"s" * 4096)
                    + pub_batch([b"y" * 1000] * 3, b"s" * 4096))
    connection.expect(1, b"x" * 1000)
    for _ in range(3):
        connection.expect(1, b"y" * 1000)
    connection.fence()
    silent = dial(scene, headers=False, no_responders=False)
    silent.send(pub(b"x", b"a", headers=b"NATS/1.0\r\n\r\n"))
    silent.expect_eof()
    # A batch as long as its length can say is read as it comes.
    endless = dial(scene)
    endless.send(sub(b"e", 1) + with_number(frames.PUB_BATCH, b"e" + b"z" * 500, 1, 0, 500,
                                            1 + BIG // 500 * 500 - 500))
    endless.expect(1, b"z" * 500)
    endless.close()


@binary("a framing is asked for once, by a name that there is")
def asking(scene):
    port = scene.server.port

    def refused(before, line, text):
        wire = Connection.with_info(port)
        wire.send(before + line)
        wire.expect(text)
        wire.expect_eof()

    no = b"-ERR 'Unsupported Framing'\r\n"
    fixed = b"-ERR 'Framing Cannot Change'\r\n"
    plain = b'CONNECT {"verbose":false}\r\n'
    want = b'CONNECT {"verbose":false,"framing":"binary/1"}\r\n'
    for name in (b"binary/2", b"binary", b"Binary/1", b"binary/1 ", b"websocket"):
        refused(b"", b'CONNECT {"verbose":false,"framing":"%s"}\r\n' % name, no)
    refused(plain, want, fixed)
    refused(b"SUB a abc\r\n", want, b"+OK\r\n" + fixed)
    # Frames before CONNECT are no lines.
    for early in (sub(b"a", 1), pub(b"", b"a"), frames.ping()):
        refused(b"", early + want, b"-ERR 'Unknown Protocol Operation'\r\n")
    # Text by name is text, and lines in frames are no frames.
    wire = Connection.with_info(port)
    wire.send(b'CONNECT {"verbose":false,"framing":"text"}\r\nPING\r\n')
    wire.expect(b"PONG\r\n")
    connection = dial(scene)
    connection.send(frame(frames.CONNECT, b'{"framing":"binary/1"}') + frames.ping())
    connection.expect_bare(frames.PONG)
    connection.send(frame(frames.CONNECT, b'{"framing":"text"}'))
    connection.expect_closed(b"Framing Cannot Change")
    connection = dial(scene)
    connection.send(b"PUB a 1\r\nx\r\nPING\r\n")
    connection.expect_closed(b"Unknown Protocol Operation")


USERS = """authorization { users = [ { user: u, password: p, permissions: {
  publish: { allow: ["ok.>"] }, subscribe: { deny: ["secret.>"] } } } ] }"""


@binary("users and permissions are those of lines", config=USERS, alone=True, tags=["auth"])
def permissions(scene):
    wire = Connection.with_info(scene.server.port)
    wire.send(b'CONNECT {"framing":"binary/1"}\r\n')
    wire.expect(b"-ERR 'Authorization Violation'\r\n")
    wire.expect_eof()
    connection = dial(scene, user="u", **{"pass": "p"})
    connection.send(sub(b"ok.a", 1) + sub(b"secret.x", 2))
    connection.expect_error(b'Permissions Violation for Subscription to "secret.x"')
    connection.send(pub_batch([b"a", b"b"], b"no.a", 1) + pub(b"c", alias=1)
                    + pub_batch([b"d", b"e", b"f"], b"ok.a", 2))
    for _ in range(3):
        connection.expect_error(b'Permissions Violation for Publish to "no.a"')
    for payload in (b"d", b"e", b"f"):
        connection.expect(1, payload)
    connection.fence()
    # What was allowed is asked again after a reload, of the aliases too.
    connection.send(pub_batch([b"g", b"h"], alias=2))
    for payload in (b"g", b"h"):
        connection.expect(1, payload)
    scene.server.rewrite(USERS.replace("ok.>", "other.>"))
    scene.server.signal("HUP")
    scene.server.expect_log(r"Reloaded")
    connection.fence()
    connection.send(pub_batch([b"i", b"j"], alias=2))
    for _ in range(2):
        connection.expect_error(b'Permissions Violation for Publish to "ok.a"')
    connection.fence()


@binary("through TLS", tags=["tls"])
def through_tls(scene):
    with tls_server(scene) as server:
        connection = FrameConnection.connected(
            server.port, make=lambda port: secured(Connection.with_info(port), context()))
        connection.send(sub(b"a.*", 1) + pub_batch([b"x%07d" % at for at in range(5000)], b"a.b"))
        for at in range(5000):
            connection.expect(1, b"x%07d" % at, b"a.b")
        connection.fence()
        connection.close()


@binary("the trace shows frames as the lines that they stand for", flags=["-DV"], alone=True)
def trace(scene):
    connection = dial(scene)
    connection.send(sub(b"t.*", 77) + pub_batch([b"pay1", b"pay2"], b"t.x", 5)
                    + pub(b"pay3", alias=5, reply=b"r"))
    for _ in range(3):
        connection.message()
    connection.fence()
    for line in (r"<<- \[SUB t\.\* 77\]", r"<<- \[PUB t\.x 4\]", r'MSG_PAYLOAD: \["pay2"\]',
                 r"<<- \[PUB t\.x r 4\]", r"->> \[MSG t\.x 77 4\]", r"->> \[MSG t\.x 77 r 4\]",
                 r"->> \[PONG\]"):
        scene.server.expect_log(line)


@binary("who does not read is cut off", config="max_pending: 100000\nmax_payload: 100000", alone=True)
def slow(scene):
    reader = FrameConnection.connected(scene.server.port,
                                       make=lambda port: Connection.with_info(port, 4096))
    reader.send(sub(b"flood", 1))
    reader.fence()
    publisher = dial(scene)
    batch = pub_batch([b"x" * 100] * 300, b"flood", 1)
    for _ in range(400):
        publisher.send(batch)
    scene.server.expect_log(r"Slow Consumer")
    publisher.fence()
    reader.drain_until_closed()
