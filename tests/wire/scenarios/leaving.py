"""How connections come and go, and how the server itself does."""

import socket
import threading
import time

from scenarios.scene import check, scenario, wait_for
from wire import PATIENCE_S, Connection, Failure


@scenario("leaving: what was sent before the end is acted upon")
def leaving_after_publish(scene):
    subject, count = scene.subject, 200
    subscriber = scene.connect()
    subscriber.send(b"SUB %s 1\r\n" % subject)
    subscriber.fence()
    for _ in range(count):
        publisher = Connection.with_info(scene.server.port)
        publisher.send(b'CONNECT {"verbose":false}\r\nPUB %s 1\r\nx\r\n' % subject)
        publisher.close()
    subscriber.expect(b"MSG %s 1 1\r\nx\r\n" % subject * count)


@scenario("leaving: an urgent byte is no byte of the stream")
def urgent_byte(scene):
    connection = scene.connect()
    connection.send(b"PIN")
    connection.socket.send(b"!", socket.MSG_OOB)
    connection.send(b"G\r\n")
    connection.expect(b"PONG\r\n")
    connection.fence()


@scenario("leaving: who ends his side is let go")
def leaving_half(scene):
    connection = scene.connect()
    connection.send(b"SUB %s 1\r\n" % scene.subject)
    connection.fence()
    connection.shut()
    connection.expect_eof()


@scenario("leaving: connections that come and go disturb nobody")
def leaving_in_masses(scene):
    bystander = scene.connect()
    for at in range(300):
        connection = Connection(scene.server.port)
        if at % 3 == 1:
            connection.send(b"CONNECT {}\r\nSUB a 1\r\nPING\r\n")
        if at % 2:
            connection.reset()
        else:
            connection.close()
        if at % 10 == 0:
            bystander.fence()
    bystander.fence()


@scenario("leaving: it makes room under max_connections", alone=True, config="max_connections: 2")
def leaving_makes_room(scene):
    first, second = scene.connect(), scene.connect()
    third = Connection.with_info(scene.server.port)
    third.expect(b"-ERR 'maximum connections exceeded'\r\n")
    third.expect_eof()
    second.shut()
    second.expect_eof()

    def there_is_room():
        connection = Connection.with_info(scene.server.port)
        connection.send(b'CONNECT {"verbose":false}\r\nPING\r\n')
        return connection.read_line() == b"PONG\r\n"
    wait_for(there_is_room, "room for another connection")
    first.fence()


@scenario("leaving: who is refused for max_connections, and stays, keeps out nobody", alone=True,
          config="max_connections: 2")
def refused_keep_out_nobody(scene):
    first, second = scene.connect(), scene.connect()
    refused = [Connection.with_info(scene.server.port) for _ in range(20)]
    for connection in refused:
        connection.expect(b"-ERR 'maximum connections exceeded'\r\n")
    second.shut()
    second.expect_eof()
    third = scene.connect()
    first.fence()
    third.fence()


@scenario("shutdown: the lame duck takes no new connections", alone=True, slow=True,
          config='lame_duck_duration: "30s"\nlame_duck_grace_period: "2s"')
def lame_duck_is_closed(scene):
    connection = scene.connect(protocol=1)
    connection.read_info()
    scene.server.signal("USR2")
    check(connection.read_info().get("ldm") is True, "INFO does not say ldm")

    def nobody_answers():
        try:
            other = Connection(scene.server.port)
        except Failure:
            return True
        return not other.receive(time.monotonic() + 0.2) and other.ended
    wait_for(nobody_answers, "the end of new connections")
    connection.fence()
    subject = scene.subject
    connection.send(b"SUB %s 1\r\nPUB %s 1\r\nx\r\n" % (subject, subject))
    connection.expect(b"MSG %s 1 1\r\nx\r\n" % subject)
    connection.expect_eof(30)
    scene.server.expect_exit(0)


@scenario("shutdown: a lame duck that nobody listens to leaves at once", alone=True,
          config='lame_duck_duration: "10m"\nlame_duck_grace_period: "5m"')
def lame_duck_alone(scene):
    scene.server.signal("USR2")
    scene.server.expect_exit(0)


# A client that came back at once used to be taken by the server that had just let it go.
@scenario("shutdown: who was let go finds nobody at the port", alone=True)
def shutdown_takes_nobody(scene):
    client = scene.connect()
    client.fence()
    scene.server.signal("TERM")
    client.expect_eof()
    try:
        Connection(scene.server.port)
        taken = True
    except Failure:
        taken = False
    check(not taken, "a server that stops has taken a newcomer")
    scene.server.expect_exit(0)


@scenario("shutdown: SIGTERM under load ends with status 0", alone=True)
def shutdown_under_load(scene):
    subject = scene.subject
    subscriber, publisher = scene.connect(), scene.connect()
    subscriber.send(b"SUB %s 1\r\n" % subject)
    subscriber.fence()
    ending = threading.Event()

    def publish():
        while not ending.is_set():
            publisher.send(b"PUB %s 5\r\nhello\r\n" % subject * 500)
            if publisher.socket.fileno() < 0:
                return
    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    subscriber.read_bytes(100_000)
    scene.server.signal("TERM")
    try:
        while subscriber.receive(time.monotonic() + PATIENCE_S):
            subscriber.seen = b""
        check(subscriber.ended, "the subscriber was not closed")
        scene.server.expect_exit(0)
    finally:
        ending.set()
        thread.join(PATIENCE_S)
