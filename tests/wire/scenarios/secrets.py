"""What a server must not say, and must not keep, of those who try to come in."""

import select
import time

from scenarios.scene import check, scenario
from wire import PATIENCE_S, Connection

HANS = '{ user: "hans", password: "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" }'
# Whose hash takes a part of a second.
SLOW = '{ user: "slow", password: "$2a$12$8n8wW3.iG9K2m7cJ7bPq2uYcWQ4cF7Hq4cN1g3yQdV0S0rX6k2a2G" }'
USERS = f"""authorization {{ users = [
  {{ user: "ulrike", password: "open-sesame" }}, {HANS} ] }}"""


@scenario("auth: no secret reaches the log, however much is logged", alone=True, config=USERS,
          flags=["-DV"], tags=["auth"])
def nothing_in_the_log(scene):
    secrets = ["open-sesame", "wrong-sesame", "my-token", "my-sig", "$2a$05$"]
    if scene.kind == "peal":
        secrets.append("my-jwt")  # nats-server shows it.
    right = Connection.with_info(scene.server.port)
    right.send(b'CONNECT {"user":"ulrike","pass":"open-sesame","verbose":false}\r\nPING\r\n')
    right.expect(b"PONG\r\n")
    for fields in (b'"user":"ulrike","pass":"wrong-sesame"', b'"auth_token":"my-token"',
                   b'"jwt":"my-jwt","sig":"my-sig"', b'"user":"hans","pass":"wrong-sesame"'):
        wrong = Connection.with_info(scene.server.port)
        wrong.send(b"CONNECT {" + fields + b"}\r\n")
        wrong.expect(b"-ERR 'Authorization Violation'\r\n")
        wrong.expect_eof()
    scene.server.expect_log(r"authentication error")
    for line in scene.server.log_lines:
        for secret in secrets:
            check(secret not in line, f"the log has {secret}: {line}")


@scenario("auth: what comes in one piece with CONNECT waits for the hash, however much", config=USERS,
          tags=["auth"])
def much_behind_connect(scene):
    for fields in (b'"user":"ulrike","pass":"open-sesame"', b'"user":"hans","pass":"U*U"'):
        for messages in (10, 40, 4000):
            one = Connection.with_info(scene.server.port)
            one.send(b'CONNECT {"verbose":false,' + fields + b"}\r\nSUB %s 1\r\n" % scene.subject +
                     b"PUB %s 100\r\n%s\r\n" % (scene.subject, b"x" * 100) * messages + b"PING\r\n")
            for _ in range(messages):
                one.expect(b"MSG %s 1 100\r\n%s\r\n" % (scene.subject, b"x" * 100))
            one.expect(b"PONG\r\n")


@scenario("auth: not every stranger has room for what comes with his CONNECT", alone=True,
          tags=["auth", "peal"],
          config=f"authorization {{ timeout: 60, users = [ {SLOW} ] }}")
def room_behind_connect(scene):
    # Each hash takes a part of a second, so the 256 who have such room have it for long.
    strangers = [Connection.with_info(scene.server.port) for _ in range(400)]
    for each in strangers:
        each.send(b'CONNECT {"user":"slow","pass":"x"}\r\n' + b"SUB foo 1\r\n" * 1000)
    end = time.monotonic() + PATIENCE_S
    short = b"-ERR 'maximum control line exceeded'\r\n"
    while not any(each.seen == short for each in strangers):
        check(time.monotonic() < end, "all of them had room")
        waiting = {each.socket: each for each in strangers if not each.ended}
        for ready in select.select(list(waiting), [], [], PATIENCE_S)[0]:
            waiting[ready].receive(end)


@scenario("auth: who tries passwords does not fill the log", alone=True, config=USERS,
          tags=["auth", "peal"])
def bounded_log(scene):
    for _ in range(60):
        wrong = Connection.with_info(scene.server.port)
        wrong.send(b'CONNECT {"user":"ulrike","pass":"x"}\r\n')
        wrong.expect(b"-ERR 'Authorization Violation'\r\n")
        wrong.close()
    said = [line for line in scene.server.log_lines if "authentication error" in line]
    check(said, "nothing was logged")
    check(len(said) < 60, f"{len(said)} lines for 60 attempts")


@scenario("auth: who has left keeps no helper from others", alone=True, tags=["auth"],
          config=f"authorization {{ users = [ {HANS}, {SLOW} ] }}")
def left_behind(scene):
    # Their hashes take many times what anybody has to say who he is.
    for _ in range(60):
        gone = Connection.with_info(scene.server.port)
        gone.send(b'CONNECT {"user":"slow","pass":"no"}\r\n')
        gone.close()
    one = Connection.with_info(scene.server.port)
    one.send(b'CONNECT {"user":"hans","pass":"U*U","verbose":false}\r\nPING\r\n')
    one.expect(b"PONG\r\n")


@scenario("auth: hashes are looked at beside the traffic, not in its way", alone=True, tags=["auth"],
          config="""authorization { users = [
  { user: "u", password: "p" },
  { user: "slow", password: "$2a$11$8n8wW3.iG9K2m7cJ7bPq2uYcWQ4cF7Hq4cN1g3yQdV0S0rX6k2a2G" } ] }""")
def hashes_beside(scene):
    talker = Connection.with_info(scene.server.port)
    talker.send(b'CONNECT {"user":"u","pass":"p","verbose":false}\r\nPING\r\n')
    talker.expect(b"PONG\r\n")
    waiting = [Connection.with_info(scene.server.port) for _ in range(3)]
    for each in waiting:
        each.send(b'CONNECT {"user":"slow","pass":"no"}\r\n')
    # Were a hash in the way, one of these would come after it.
    for _ in range(50):
        talker.fence()
    check(not all(each.seen for each in waiting), "nobody waited")
    for each in waiting:
        each.expect(b"-ERR 'Authorization Violation'\r\n")
        each.expect_eof()
