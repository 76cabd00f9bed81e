"""Clients that do not read, or announce what they do not send: what that costs the server."""

import re
import time

import split
from scenarios.scene import check, scenario, wait_for
from wire import PATIENCE_S, Connection

RECEIVE_BYTES = 8192
FLOOD_S = 8.0
SMALL_AND_SOON = 'max_pending: 2MB\nwrite_deadline: "1s"'


def resident_mib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) / 1024


def flood(connection, data):
    """Sends the same again and again, until the server stops reading or closes. True: it did."""
    end = time.monotonic() + FLOOD_S
    connection.socket.settimeout(1.0)
    try:
        while time.monotonic() < end:
            connection.socket.send(data)
    except (TimeoutError, BrokenPipeError, ConnectionResetError):
        return True
    return False


def read_to_end(connection, patience_s=PATIENCE_S):
    """How many bytes were still to be had, and whether the connection ended."""
    count = len(connection.seen)
    connection.seen = b""
    end = time.monotonic() + patience_s
    while connection.receive(end):
        count += len(connection.seen)
        connection.seen = b""
    return count, connection.ended


@scenario("not reading: max_pending cuts a subscriber off, and nobody else", alone=True, slow=True,
          config="max_pending: 2MB\nmax_payload: 64KB")
def slow_by_bytes(scene):
    subject, count = scene.subject, 800
    stuck = Connection.connected(scene.server.port, receive_bytes=RECEIVE_BYTES)
    reader = scene.connect()
    for connection in (stuck, reader):
        connection.send(b"SUB %s 1\r\n" % subject)
        connection.fence()
    message = b"PUB %s 60000\r\n%s\r\n" % (subject, b"x" * 60000)
    delivery = b"MSG %s 1 60000\r\n%s\r\n" % (subject, b"x" * 60000)
    publisher = scene.connect()
    # No faster than the reader reads, or it would be as slow a consumer as the other.
    for _ in range(count // 10):
        publisher.send(message * 10)
        publisher.fence()
        reader.expect(delivery * 10)
    seen, ended = read_to_end(stuck)
    check(ended, "the subscriber that does not read was not closed")
    check(seen < len(delivery) * count / 2, f"it was given {seen} bytes")
    reader.fence()


@scenario("not reading: write_deadline cuts a subscriber off before max_pending", alone=True,
          slow=True, config='write_deadline: "1s"\nmax_pending: 64MB')
def slow_by_time(scene):
    subject, count = scene.subject, 300
    stuck = Connection.connected(scene.server.port, receive_bytes=RECEIVE_BYTES)
    reader = scene.connect()
    for connection in (stuck, reader):
        connection.send(b"SUB %s 1\r\n" % subject)
        connection.fence()
    publisher = scene.connect()
    publisher.send(b"PUB %s 60000\r\n%s\r\n" % (subject, b"x" * 60000) * count)
    publisher.fence()
    delivery = b"MSG %s 1 60000\r\n%s\r\n" % (subject, b"x" * 60000)
    for _ in range(count // 10):
        reader.expect(delivery * 10)
    # It is closed although nothing more is published. Only a reader would see the end of what the
    # kernel holds for it, so it is the server's side that is looked at.
    queues = split.ReceiveQueues()
    client_port = stuck.socket.getsockname()[1]
    try:
        wait_for(lambda: queues.unread_bytes(scene.server.port, client_port) is None,
                 "the end of the subscriber that does not read", 8)
    finally:
        queues.netlink.close()
    seen, _ = read_to_end(stuck)
    check(seen < len(delivery) * count, f"it was given all {seen} bytes")
    reader.fence()


@scenario("not reading: PINGs without end cost a bounded amount of memory", alone=True, slow=True,
          config=SMALL_AND_SOON)
def unread_pongs(scene):
    bystander = scene.connect()
    before_mib = resident_mib(scene.server)
    greedy = Connection.connected(scene.server.port, receive_bytes=RECEIVE_BYTES)
    was_stopped = flood(greedy, b"PING\r\n" * 10_000)
    grown_mib = resident_mib(scene.server) - before_mib
    check(was_stopped, "the server reads on, without end")
    check(grown_mib < 40, f"the server grew by {grown_mib:.0f} MiB")
    bystander.fence()


@scenario("not reading: +OKs without end cost a bounded amount of memory", alone=True, slow=True,
          config=SMALL_AND_SOON)
def unread_oks(scene):
    bystander = scene.connect()
    before_mib = resident_mib(scene.server)
    greedy = Connection.connected(scene.server.port, {"verbose": True},
                                  receive_bytes=RECEIVE_BYTES)
    was_stopped = flood(greedy, b"PUB a 0\r\n\r\n" * 5000)
    grown_mib = resident_mib(scene.server) - before_mib
    check(was_stopped, "the server reads on, without end")
    check(grown_mib < 40, f"the server grew by {grown_mib:.0f} MiB")
    bystander.fence()


@scenario("not reading: -ERRs without end cost a bounded amount of memory", alone=True, slow=True,
          config=SMALL_AND_SOON)
def unread_errors(scene):
    bystander = scene.connect()
    before_mib = resident_mib(scene.server)
    greedy = Connection.connected(scene.server.port, receive_bytes=RECEIVE_BYTES)
    was_stopped = flood(greedy, b"SUB .a 1\r\n" * 5000)
    grown_mib = resident_mib(scene.server) - before_mib
    check(was_stopped, "the server reads on, without end")
    check(grown_mib < 40, f"the server grew by {grown_mib:.0f} MiB")
    bystander.fence()


@scenario("not reading: before CONNECT it is no different", alone=True, slow=True,
          config=SMALL_AND_SOON)
def unread_bare(scene):
    before_mib = resident_mib(scene.server)
    greedy = Connection.with_info(scene.server.port, receive_bytes=RECEIVE_BYTES)
    was_stopped = flood(greedy, b"PING\r\n" * 10_000)
    grown_mib = resident_mib(scene.server) - before_mib
    check(was_stopped, "the server reads on, without end")
    check(grown_mib < 40, f"the server grew by {grown_mib:.0f} MiB")
    scene.connect().fence()


@scenario("memory: a payload that is announced and does not come costs nothing", alone=True)
def announced_payloads(scene):
    connections = [scene.connect() for _ in range(200)]
    before_mib = resident_mib(scene.server)
    for connection in connections:
        connection.send(b"PUB a 1000000\r\nx")
    queues = split.ReceiveQueues()
    try:
        split.wait_until_read(queues, scene.server.port,
                              [c.socket.getsockname()[1] for c in connections])
    finally:
        queues.netlink.close()
    grown_mib = resident_mib(scene.server) - before_mib
    # nats-server sets the whole payload aside at once; what it does not touch is not resident.
    check(grown_mib < 64, f"the server grew by {grown_mib:.0f} MiB")
