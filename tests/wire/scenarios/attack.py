"""Who sends anything at all, before he is let in and after: the server goes on, others notice nothing,
and no secret comes out. Seeded; PEAL_ATTACK_SEED plays one again."""

import os
import random
import socket

from scenarios.scene import check, scenario
from wire import Connection

ACCOUNTS = """accounts {
  A { users: [ { user: ann, password: "ann-s-secret", permissions: {
        publish: { allow: ["open.>", "_INBOX.>"], deny: ["open.no", "*.secret"] }
        subscribe: { allow: ["open.>", "_INBOX.>", "w.* q.*"], deny: "open.hidden.*" }
        allow_responses: { max: 2, expires: "1s" } } },
      { nkey: UBEPD4MIM5TUS6M7E34OFNHY5OLNGDHLY5PSAPJLLIE5N5P535VSLC5P } ]
      limits: { max_subscriptions: 50, max_payload: 1000 } }
  B { users: [ { user: bob, password: "bob-s-secret" } ] } }
"""
TOKENS = ("open", "no", "secret", "hidden", "*", ">", "w", "q", "_INBOX", "$SYS", "")
STREAMS = 150


def greeting(user=b"ann", more=b""):
    return b'CONNECT {"verbose":false,"user":"%s","pass":"%s-s-secret"%s}\r\n' % (user, user, more)


def spoilt(chance, data):
    data = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(data))
        if chance.randrange(2):
            data[at] = chance.randrange(256)
        else:
            data[at:at + chance.randrange(8)] = chance.randbytes(chance.randrange(8))
    return bytes(data)


def by_stranger(chance):
    return chance.choice((
        lambda: chance.randbytes(chance.randrange(1, 5000)),
        lambda: b"CONNECT " + b"{" * chance.randrange(1, 100_000),
        lambda: b"CONNECT {" + b'"a":[' * chance.randrange(1, 2000),
        lambda: b"C" * chance.randrange(1, 20_000),
        lambda: b'CONNECT {"nkey":"' + b"U" * chance.randrange(80) + b'","sig":"my-secret"}\r\n',
        lambda: b'CONNECT {"nkey":"UBEPD4MIM5TUS6M7E34OFNHY5OLNGDHLY5PSAPJLLIE5N5P535VSLC5P","sig":"' +
        b"A" * chance.choice((0, 1, 43, 85, 86, 87, 88, 1000)) + b'"}\r\n',
        lambda: greeting(b"nobody") + b"SUB > 1\r\n",
        lambda: b"SUB > 1\r\nPUB open.a 2\r\nhi\r\n",
        lambda: b"\x16\x03\x01\xff\xff" + chance.randbytes(chance.randrange(9000)),
        lambda: spoilt(chance, greeting()),
        lambda: b"PUB open.a 999999999\r\n",
    ))()


def by_user(chance):
    subject = ".".join(chance.choice(TOKENS) for _ in range(chance.randrange(1, 4))).encode()
    sid = chance.randrange(60)
    return chance.choice((
        lambda: b"SUB %s %d\r\n" % (subject, sid),
        lambda: b"SUB %s q.%d %d\r\n" % (subject, sid, sid),
        lambda: b"UNSUB %d %d\r\n" % (sid, chance.randrange(3)),
        lambda: b"PUB %s _INBOX.r 3\r\nabc\r\n" % subject,
        lambda: b"PUB %s 1001\r\n" % subject + b"x" * 1001 + b"\r\n",
        lambda: b"HPUB %s 12 14\r\nNATS/1.0\r\n\r\nhi\r\n" % subject,
        lambda: greeting(chance.choice((b"ann", b"bob")), b',"account":"B"'),
        lambda: spoilt(chance, b"PUB open.a 3\r\nabc\r\n"),
        lambda: b"PING\r\nPONG\r\n",
    ))()


@scenario("attack: whatever strangers and users send, others go on and hear nothing of it", alone=True,
          config=ACCOUNTS, flags=["-DV"], tags=["auth", "peal"])
def anything(scene):
    seed = int(os.environ.get("PEAL_ATTACK_SEED", random.SystemRandom().randrange(1 << 30)))
    chance = random.Random(seed)
    witness = Connection.with_info(scene.server.port)
    witness.send(greeting(b"bob") + b"SUB > 1\r\n")
    witness.fence()
    for number in range(STREAMS):
        attacker = Connection(scene.server.port)
        if number % 2:
            data = b"".join(by_stranger(chance) for _ in range(chance.randrange(1, 3)))
        else:
            data = greeting() + b"".join(by_user(chance) for _ in range(chance.randrange(1, 60)))
        attacker.send(data)
        if chance.randrange(3) == 0:
            attacker.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes((1,)) + bytes(7))
        attacker.close()
        if number % 25 == 0:
            witness.fence()
    witness.fence()  # It has heard nothing: all of that was in another account.
    scene.server.check_alive()
    for line in scene.server.log_lines:
        check("-secret" not in line, f"seed {seed}: the log has a secret: {line}")
