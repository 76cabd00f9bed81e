"""One thread of the server stands still; the others go on, and afterwards nothing is lost."""

import time

import hold
from faults import Connection, Failure, Skipped, Stream, check, closing, scene


def who_answers(connections):
    """Those on shards that go on. The others have half a second, and owe a PONG from then on."""
    for connection in connections:
        connection.send(b"PING\r\n")
    end = time.monotonic() + 0.5
    alive = {}
    for connection in connections:
        connection.receive(max(end, time.monotonic() + 0.001))
        alive[connection] = connection.seen.startswith(b"PONG\r\n")
        connection.seen = connection.seen[6:] if alive[connection] else connection.seen
    return alive


@scene("threads: one shard is held, the others go on, and all is delivered")
def shard(world):
    if "--threads" in world.flags and world.flags[1] == "1":
        raise Skipped("there is but one shard")
    seconds = 10 if world.long else 2
    server = world.serve(config='write_deadline: "60s"')
    names = [name for name in hold.threads(server.process.pid) if name.startswith("peal-shard-")]
    streams = [Stream(server.port, f"held.{n}", beside=n % 2 == 1) for n in range(24)]
    notes = []
    with closing(*streams):
        for stream in streams:
            stream.exchange(20)
        for name in sorted(names):
            try:
                keeper = hold.held(hold.threads(server.process.pid)[name])
                with keeper:
                    begin = time.monotonic()
                    alive = who_answers([connection for stream in streams
                                         for connection in stream.connections()])
                    check(any(alive.values()), f"{name} is held, and nobody is served")
                    check(not all(alive.values()), f"{name} is held, and everybody is served")
                    whole = [each for each in streams if all(map(alive.get, each.connections()))]
                    check(whole, "no stream lies on the shards that go on")
                    towards = [each for each in streams if alive[each.publisher]
                               and not alive[each.subscriber]]
                    for stream in towards:
                        stream.publish(500, 256)  # Fills mailboxes, and then some.
                    messages = 0
                    while time.monotonic() - begin < seconds:
                        for stream in whole:
                            stream.exchange(50)
                            messages += 50
            except PermissionError:
                raise Skipped("this process may not trace another") from None
            settle(streams, alive)
            for stream in streams:
                stream.exchange(50)
            notes.append(f"{name} held for {seconds} s: {len(whole)} streams went on with "
                         f"{messages} messages, {len(towards)} caught up")
    server.stop()
    return "; ".join(notes)


def has_heard(connection, count):
    """The server asks after one that it has not heard for two seconds; that does not count."""
    connection.seen = connection.seen.replace(b"PING\r\n", b"")
    return len(connection.seen) >= count


def settle(streams, alive):
    """The PONGs that the held ones owe come now; before or behind the messages."""
    for stream in streams:
        if not alive[stream.publisher]:
            stream.publisher.expect(b"PONG\r\n")
        if alive[stream.subscriber]:
            continue
        subscriber = stream.subscriber
        missing = stream.sent - stream.received
        end = time.monotonic() + 10
        line = len(b"MSG %s 7 256\r\n" % stream.subject) + 256 + 2
        while not has_heard(subscriber, missing * line + 6) and subscriber.receive(end):
            pass
        at = subscriber.seen.find(b"PONG\r\n")
        check(at >= 0, "the PONG of a held connection never came")
        subscriber.seen = subscriber.seen[:at] + subscriber.seen[at + 6:]
        if missing:
            stream.expect_all()


@scene("threads: the threads beside the shards are held, and nobody notices")
def others(world):
    server = world.serve("-DV", "-m", "-1")
    pid = server.process.pid
    beside = {name: thread for name, thread in hold.threads(pid).items()
              if not name.startswith("peal-shard-")}
    with closing(Stream(server.port, "beside")) as (stream,):
        stream.exchange()
        for name, thread in sorted(beside.items()):
            try:
                with hold.held(thread):
                    for _ in range(200):
                        Connection.connected(server.port).close()
                    stream.exchange(500)
            except PermissionError:
                raise Skipped("this process may not trace another") from None
            except Failure as failure:
                raise Failure(f"{name} is held: {failure}") from None
        stream.exchange()
    server.stop()
    return ", ".join(sorted(beside))
