"""Too much of something: subscriptions, payload, newcomers, answers that nobody reads."""

import json
import os
import resource
import selectors
import socket
import subprocess
import threading
import time
import urllib.request

from faults import (BENCH, Connection, Stream, check, closing, descriptors,
                    resident_bytes, scene, wait_for)
from scenes.memory import monitoring_port

MIB = 1 << 20


def bench(server, *flags):
    done = subprocess.run([BENCH, flags[0], "--server", f"127.0.0.1:{server.port}", "--quiet",
                           "--json", "-", *map(str, flags[1:])],
                          capture_output=True, text=True, timeout=900, check=False)
    last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
    check(done.returncode == 0, f"peal-bench {flags[0]}: status {done.returncode}, {last}")
    return json.loads(done.stdout)


def varz(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/varz", timeout=20) as page:
        return json.load(page)


def flood_unread(server, head, unit, bytes_max=64 * MIB):
    """Sends and never reads, until the server closes or reads no more. Gives the bytes taken."""
    client = Connection(server.port, receive_bytes=2048)
    client.socket.settimeout(1.0)
    block, taken = unit * (MIB // len(unit)), 0
    try:
        client.socket.sendall(head)
        while taken < bytes_max:
            client.socket.sendall(block)
            taken += len(block)
    except OSError:
        pass
    return client, taken


@scene("load: answers that nobody reads, before and after it is known who asks")
def unread_answers(world):
    known = b'CONNECT {"verbose":false}\r\n'
    floods = {
        "PONG": (known, b"PING\r\n"),
        "-ERR": (known, b"SUB a..b 1\r\n"),
        "+OK": (b'CONNECT {"verbose":true}\r\n', b"SUB ok 1\r\nUNSUB 1\r\n"),
    }
    notes = []
    server = world.serve(config='write_deadline: "1s"\nmax_pending: 16MB')
    with closing(Stream(server.port, "bystander")) as (stream,):
        stream.exchange()
        before = resident_bytes(server)
        for name, (head, unit) in floods.items():
            clients = [flood_unread(server, head, unit)[0] for _ in range(3)]
            stream.exchange(500)
            for client in clients:
                client.close()
            grown = resident_bytes(server) - before
            check(grown < 96 * MIB, f"{name}: {grown // MIB} MiB more than before")
            notes.append(f"{name} {max(grown, 0) // MIB} MiB")
    server.stop()
    strangers = {"PING": b"PING\r\n", "line": b"x", "CONNECT": b'CONNECT {"a":"' + b"y" * 5000,
                 "PUB": b"PUB a 1000000\r\n" + b"z" * 10_000, "SUB": b"SUB a.b.c 1\r\n"}
    server = world.serve(config='authorization { user: u, password: p, timeout: 2 }')
    before = resident_bytes(server)
    strangers_of_a_kind = 100 if world.long else 30
    for name, unit in strangers.items():
        clients = [flood_unread(server, b"", unit, MIB)[0] for _ in range(strangers_of_a_kind)]
        grown = resident_bytes(server) - before
        check(grown < 16 * MIB, f"{strangers_of_a_kind} strangers with {name}: {grown // MIB} MiB more")
        for client in clients:
            client.close()
    server.stop()
    return ", ".join(notes)


@scene("load: a million subscriptions vanish at once")
def subscriptions_vanish(world):
    each, owners = (100_000, 10) if world.long else (20_000, 5)
    server = world.serve("-m", "-1")
    monitoring = monitoring_port(server)
    with closing(Stream(server.port, "bystander")) as (stream,):
        stream.exchange()
        before = resident_bytes(server)
        clients = []
        for owner in range(owners):
            client = Connection.connected(server.port)
            for first in range(0, each, 10_000):
                client.send(b"".join(b"SUB v.%d.%d %d\r\n" % (owner, n, n)
                                     for n in range(first, first + 10_000)))
            clients.append(client)
        for client in clients:
            client.fence(60)
        check(varz(monitoring)["subscriptions"] >= each * owners, "not all were made")
        most = resident_bytes(server)
        for client in clients:
            client.reset()
        slowest = 0.0
        for _ in range(200):
            begin = time.monotonic()
            stream.exchange(20)
            slowest = max(slowest, time.monotonic() - begin)
        wait_for(lambda: varz(monitoring)["subscriptions"] <= 1, "their end", 60)
        stream.exchange(500)
        after = resident_bytes(server)
    server.stop()
    return (f"{each * owners:,}: resident {before // MIB} MiB, {most // MIB} with them, "
            f"{after // MIB} after; slowest exchange beside it {slowest * 1000:.0f} ms")


@scene("load: a publisher that nobody hears costs no memory")
def unheard(world):
    server = world.serve()
    before = resident_bytes(server)
    run = bench(server, "pub", "--msgs", 20_000_000 if world.long else 2_000_000, "--size", 512)
    grown = resident_bytes(server) - before
    check(grown < 16 * MIB, f"{grown // MIB} MiB more than before")
    server.stop()
    return f"{run['published']['messages']:,} messages, {max(grown, 0) // MIB} MiB"


@scene("load: max_connections is reached, and left again")
def connections_max(world):
    most = 200
    server = world.serve(config=f"max_connections: {most}")
    for _ in range(3):
        inside = [Connection.connected(server.port) for _ in range(most)]
        for _ in range(50):
            late = Connection(server.port)
            while late.receive(time.monotonic() + 5):
                pass
            check(b"-ERR 'maximum connections exceeded'" in late.seen and late.ended,
                  "one too many was not refused")
            late.close()
        for connection in inside:
            connection.fence()
            connection.close()
        wait_for(lambda: descriptors(server) < most, "descriptors given back")
    server.stop()


@scene("load: thousands of lines that grow by single bytes")
def growing_lines(world):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(10_000 if world.long else 2000, hard - 1000)
    server = world.serve()
    with closing(Stream(server.port, "bystander")) as (stream,):
        stream.exchange()
        before = resident_bytes(server)
        clients = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", server.port))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            clients.append(client)
        for letter in b"SUB a.long.subject":
            for client in clients:
                client.send(bytes((letter,)))
            stream.exchange(20)
        each = (resident_bytes(server) - before) // count
        check(each < 8192, f"{each} bytes for each")
        for client in clients:
            client.close()
        stream.exchange()
    server.stop()
    return f"{count:,} connections, {each:,} bytes resident for each"


@scene("load: payloads of 64 MiB")
def large_payloads(world):
    server = world.serve(config="max_payload: 64MB\nmax_pending: 256MB")
    payload = os.urandom(MIB) * 64
    subscriber = Connection.connected(server.port)
    subscriber.send(b"SUB large 1\r\n")
    subscriber.fence()
    publisher = Connection.connected(server.port)
    for _ in range(6 if world.long else 2):
        publisher.send(b"PUB large %d\r\n" % len(payload))
        publisher.socket.settimeout(60)
        publisher.socket.sendall(payload)
        publisher.send(b"\r\n")
        subscriber.expect(b"MSG large 1 %d\r\n" % len(payload), 60)
        parts, rest = [subscriber.seen], len(payload) + 2 - len(subscriber.seen)
        subscriber.seen = b""
        subscriber.socket.settimeout(60)
        while rest > 0:
            parts.append(subscriber.socket.recv(min(rest, MIB)))
            rest -= len(parts[-1])
        check(b"".join(parts) == payload + b"\r\n", "it was damaged")
    publisher.fence()
    with closing(subscriber, publisher):
        server.stop()


@scene("load: publishers that reset in the middle of a flood are noticed")
def resets(world):
    server = world.serve()
    with closing(Stream(server.port, "bystander")) as (stream,):
        stream.exchange()
        before = descriptors(server)
        for _ in range(3):
            for _ in range(60):
                client = Connection(server.port)  # What it does not read makes its end a reset.
                client.send(b"CONNECT {}\r\n" + b"PUB nobody 10\r\n0123456789\r\n" * 12_000)
                client.close()
            # The first PING, two seconds old, would find them out two seconds later.
            wait_for(lambda: descriptors(server) <= before, "descriptors of those who reset", 3)
            stream.exchange()
    server.stop()


@scene("load: hundreds publish to one that pauses, and it gets all")
def crowd_to_one(world):
    publishers, payload = (2000, b"x" * 128) if world.long else (400, b"x" * 128)
    messages = 4096
    server = world.serve()
    with closing(*(Connection.connected(server.port) for _ in range(publishers + 1))) as clients:
        subscriber, crowd = clients[0], clients[1:]
        subscriber.send(b"SUB crowd 1\r\n")
        subscriber.fence()
        expected = publishers * messages * len(b"MSG crowd 1 128\r\n" + payload + b"\r\n")
        got = []

        def read_with_pauses():
            buffer, left, to_pause = bytearray(MIB), expected, 0
            while left > 0:
                count = subscriber.socket.recv_into(buffer)
                if count == 0:
                    break
                left, to_pause = left - count, to_pause - count
                if to_pause <= 0:  # What it does is what is tested.
                    time.sleep(0.2)
                    to_pause = 16 * MIB
            got.append(expected - left)

        reader = threading.Thread(target=read_with_pauses)
        reader.start()
        block = memoryview((b"PUB crowd 128\r\n" + payload + b"\r\n") * messages)
        with selectors.DefaultSelector() as ready:
            for client in crowd:
                client.socket.setblocking(False)
                ready.register(client.socket, selectors.EVENT_WRITE, [0])
            while ready.get_map():
                for key, _ in ready.select(30):
                    sent = key.data
                    sent[0] += key.fileobj.send(block[sent[0]:])
                    if sent[0] == len(block):
                        ready.unregister(key.fileobj)
        reader.join()
        check(got[0] - expected in (0, len(b"PING\r\n")), f"{got[0]} of {expected} bytes came")
    server.stop()
    return f"{expected // MIB} MiB of {publishers} publishers"


@scene("load: a storm of requests")
def request_storm(world):
    server = world.serve()
    run = bench(server, "reqreply", "--pubs", 200, "--subs", 4, "--inflight", 50,
                "--duration", "20s" if world.long else "2s")
    server.stop()
    return f"{run['received']['messages']:,} answered"


@scene("load: reconnects without end")
def reconnects(world):
    server = world.serve()
    with closing(Stream(server.port, "bystander")) as (stream,):
        stream.exchange()
        for _ in range(2):  # Tables and pools grow in the first ones.
            bench(server, "connections", "--churn", 1000, "--duration", "1s")
        before = resident_bytes(server), descriptors(server)
        run = bench(server, "connections", "--churn", 4000 if world.long else 1000,
                    "--duration", "60s" if world.long else "2s")
        stream.exchange()
        wait_for(lambda: descriptors(server) <= before[1], "descriptors given back")
        grown = resident_bytes(server) - before[0]
        check(grown < 16 * MIB, f"{grown // MIB} MiB more than before")
    server.stop()
    return f"{run.get('connections', {}).get('opened', 'many')} came and went, {grown // 1024} KiB"


@scene("load: one of a thousand subscribers is stuck", long=True)
def one_stuck(world):
    """Timing, so by hand only: without and with one that never reads."""
    figures = []
    for stuck in (False, True):
        server = world.serve(config='write_deadline: "30s"\nmax_pending: 16MB')
        if stuck:
            client = Connection.connected(server.port, receive_bytes=2048)
            client.send(b"SUB > 1\r\n")
            client.fence()
        rate = bench(server, "pubsub", "--subs", 999, "--msgs", 60_000, "--size", 128)
        late = bench(server, "latency", "--subs", 999, "--rate", 20, "--duration", "10s")
        figures.append((rate["received"]["messages_per_s"], late["latency_us"]["p99"]))
        server.stop()
    (free, free_p99), (held, held_p99) = figures
    note = (f"{free:,.0f} and {held:,.0f} messages a second, p99 {free_p99:,.0f} and "
            f"{held_p99:,.0f} us")
    check(held >= 0.9 * free and held_p99 <= 2 * free_p99, note)
    return note
