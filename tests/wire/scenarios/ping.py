"""The server's own PINGs, in time."""

import time

from scenarios.scene import check, scenario
from wire import Connection, show


@scenario("ping: the first comes about two seconds after CONNECT", slow=True)
def first_ping(scene):
    connection = scene.connect()
    begin = time.monotonic()
    check(connection.read_line(6) == b"PING\r\n", "no PING")
    after_s = time.monotonic() - begin
    check(1.5 < after_s < 4.5, f"it came after {after_s:.1f} s")


@scenario("ping: who answers stays", slow=True, config='ping_interval: "1s"\nping_max: 2')
def ping_answered(scene):
    connection = scene.connect()
    begin = time.monotonic()
    while time.monotonic() - begin < 4.5:
        if connection.receive(begin + 4.5):
            pings = connection.seen.count(b"PING\r\n")
            check(connection.seen == b"PING\r\n" * pings, f"seen {show(connection.seen)}")
            connection.seen = b""
            connection.send(b"PONG\r\n" * pings)
    connection.fence()


@scenario("ping: who does not answer is told so, and closed, after the third interval", slow=True,
          config='ping_interval: "1s"\nping_max: 2')
def ping_unanswered(scene):
    connection = scene.connect()
    begin = time.monotonic()
    while connection.receive(begin + 10):
        pass
    after_s = time.monotonic() - begin
    expected = b"PING\r\nPING\r\n-ERR 'Stale Connection'\r\n"
    check(connection.ended and connection.seen == expected, f"seen {show(connection.seen)}")
    check(2.2 < after_s < 6, f"it took {after_s:.1f} s")


@scenario("ping: who talks is not asked, and not found stale for not answering", slow=True,
          config='ping_interval: "1s"\nping_max: 2')
def ping_talkative(scene):
    connection = scene.connect()
    begin = time.monotonic()
    while time.monotonic() - begin < 5 and not connection.ended:
        connection.send(b"PUB %s 0\r\n\r\n" % scene.subject)
        connection.receive(time.monotonic() + 0.2)
    check(not connection.ended, f"closed, seen {show(connection.seen)}")
    # One to measure the round trip; a second if this machine let us be silent for a second.
    pings = connection.seen.count(b"PING\r\n")
    check(pings <= 2, f"asked {pings} times")
    connection.seen = b""
    connection.fence()


@scenario("ping: who never sent CONNECT is asked, and found stale, as well", slow=True,
          config='ping_interval: "1s"\nping_max: 2')
def ping_bare(scene):
    connection = Connection.with_info(scene.server.port)
    while connection.receive(time.monotonic() + 10):
        pass
    expected = b"PING\r\nPING\r\n-ERR 'Stale Connection'\r\n"
    check(connection.ended and connection.seen == expected, f"seen {show(connection.seen)}")
