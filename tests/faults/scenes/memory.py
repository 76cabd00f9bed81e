"""The n-th allocation fails, large ones cannot be had, all of it is bounded from outside."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request

from faults import (CONFINE, Connection, Failure, Skipped, Stream, check, resident_bytes,
                    scene, wait_for)

SENTENCE = "(?i)memory|no thread left"  # One is the resolver's, which says Memory.


def numbers(world, count, samples):
    """So many from everywhere; with --long all of hundreds, and two thousand of more."""
    step = max(1, count // (2000 if world.long else samples))
    return range(1, count + 1, step)


def start_and_stop(world, sheet, fails):
    """Gives the allocations that it took, if it did not end for lack of one."""
    sheet.count_allocations(fails)
    process = subprocess.Popen(
        [world.path, "-a", "127.0.0.1", "-p", "-1", "-m", "-1", *world.flags],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **world.preload(sheet)})
    words = []
    # One that neither starts nor ends would have us read for ever.
    patience = threading.Timer(30, process.kill)
    patience.start()
    try:
        for line in process.stderr:
            words.append(line.strip())
            if "Server is ready" in line:
                process.send_signal(signal.SIGTERM)
        status = process.wait()
    finally:
        patience.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
    last = words[-1] if words else ""
    where = f"allocation {fails}: status {status}, last words {last!r}"
    check(status in (0, 1), where)
    # What the log's thread had in its hands already may come behind the sentence, and is not lost.
    if status == 1:
        check(any(re.search(SENTENCE, line) for line in words), where)
    return status


@scene("memory: any one allocation of a start that fails")
def starting(world):
    sheet = world.sheet()
    check(start_and_stop(world, sheet, 0) == 0, "it does not start at all")
    count = sheet.allocations()
    ended = 0
    # No wider apart than what OpenSSL takes when it is first used, some 50: without that it crashed.
    tried = numbers(world, count, 360)
    for fails in tried:
        ended += start_and_stop(world, sheet, fails)
    return f"{len(tried)} of {count} allocations failed, {ended} ended the start in one sentence"


def session(server, monitoring):
    """Something of everything that a client may ask for."""
    with contextlib.ExitStack() as stack:
        one = Connection.connected(server.port, {"name": "a name that is long enough to be kept"})
        stack.callback(one.close)
        two = Connection.connected(server.port)
        stack.callback(two.close)
        subjects = [b"session.%d.*" % n for n in range(40)] + [b"session.>", b"a.b.c"]
        one.send(b"".join(b"SUB %s %d\r\n" % (subject, sid)
                          for sid, subject in enumerate(subjects)))
        one.send(b"SUB work group 100\r\n")
        one.fence()
        payload = b"p" * 300_000
        two.send(b"PUB session.7.x %d\r\n%s\r\n" % (len(payload), payload))
        two.send(b"HPUB a.b.c 18 20\r\nNATS/1.0\r\nK: V\r\n\r\nhi\r\n")
        two.send(b"PUB work 2\r\nhi\r\n")
        two.fence()
        one.send(b"PING\r\n")
        while b"PONG\r\n" not in one.seen and one.receive(time.monotonic() + 5):
            pass
        for sid in range(0, 40, 2):
            one.send(b"UNSUB %d\r\n" % sid)
        one.seen = b""
        one.fence()
        with contextlib.suppress(OSError):
            for page in ("varz", "connz?subs=1", "subsz", "metrics"):
                urllib.request.urlopen(f"http://127.0.0.1:{monitoring}/{page}", timeout=5).read()


def monitoring_port(server):
    server.expect_log(r"Starting http monitor on \S+:\d+")
    line = next(each for each in server.log_lines if "Starting http monitor" in each)
    return int(line.rsplit(":", 1)[1])


@scene("memory: any one allocation under clients that fails")
def serving(world):
    sheet = world.sheet()

    def fresh():
        server = world.serve("-m", "-1", sheet=sheet)
        return server, monitoring_port(server)

    server, monitoring = fresh()
    session(server, monitoring)  # What is allocated but once.
    sheet.count_allocations()
    session(server, monitoring)
    count = sheet.allocations()
    ended = survived = 0
    for fails in numbers(world, count, 25):
        sheet.count_allocations(fails)
        with contextlib.suppress(Failure, OSError):
            session(server, monitoring)
        if server.process.poll() is None and not sheet.allocation_failed():
            continue  # This time it took fewer.
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(0.05)
        if server.process.poll() is None:
            survived += 1
            stream = Stream(server.port, "after")
            stream.exchange(20)
            stream.close()
            continue
        ended += 1
        status = server.process.wait()
        wait_for(lambda: server._log_ended, "end of the log")
        last = server.log_lines[-1] if server.log_lines else ""
        check(status == 1 and any(re.search(SENTENCE, line) for line in server.log_lines),
              f"allocation {fails}: status {status}, last words {last!r}")
        server, monitoring = fresh()
    sheet.stop_counting()
    server.stop()
    return f"{count} allocations a session; {ended} ended the server, {survived} did not"


@scene("memory: a large block that cannot be had costs one client its connection")
def large(world):
    sheet = world.sheet()
    server = world.serve(sheet=sheet)
    stream = Stream(server.port, "bystander")
    stream.exchange()
    for _ in range(5):
        publisher = Connection.connected(server.port)
        sheet.count_allocations(fails=1, bytes_min=200_000)
        publisher.send(b"PUB large 900000\r\n" + b"x" * 300_000)
        publisher.expect_eof()
        check(sheet.allocation_failed(), "no large block was asked for")
        publisher.close()
        stream.exchange()
    server.expect_log("(?i)out of memory")
    stream.close()
    server.stop()


GROUPS = "/sys/fs/cgroup"
FLOOR_BYTES = 64 * 1024 * 1024


@contextlib.contextmanager
def memory_group(limit_bytes):
    """A control group of version 2 or 1 with that limit, or Skipped."""
    name = f"peal-faults-{os.getpid()}"
    for root, file in ((GROUPS, "memory.max"), (f"{GROUPS}/unified", "memory.max"),
                       (f"{GROUPS}/memory", "memory.limit_in_bytes")):
        folder = os.path.join(root, name)
        try:
            os.mkdir(folder)
        except OSError:
            continue
        try:
            with open(os.path.join(folder, file), "r+", encoding="ascii") as limit:
                limit.write(str(limit_bytes))
        except OSError:
            os.rmdir(folder)
            continue
        try:
            yield folder
        finally:
            wait_for(lambda: not processes(folder), "end of the group's processes")
            os.rmdir(folder)
        return
    raise Skipped("no memory controller may be used here")


def processes(folder):
    with open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as file:
        return file.read().split()


def flood(server, rounds):
    """Readers that never read, payloads that never end, subscriptions without end, all at once."""
    clients = []
    for number in range(12):
        reader = Connection.connected(server.port, receive_bytes=4096)
        reader.send(b"SUB flood.> 1\r\n")
        clients.append(reader)
        half = Connection.connected(server.port)
        half.send(b"PUB flood.%d 1000000\r\n" % number + b"x" * 900_000)
        clients.append(half)
        many = Connection.connected(server.port)
        many.send(b"".join(b"SUB many.%d.%d 1\r\n" % (number, n) for n in range(5000)))
        clients.append(many)
    publisher = Connection.connected(server.port)
    message = b"PUB flood.a 100000\r\n" + b"y" * 100_000 + b"\r\n"
    for _ in range(rounds):
        publisher.send(message * 10)
    clients.append(publisher)
    return clients


@scene("memory: 64 MiB for all, and clients that want more")
def floor(world):
    with memory_group(FLOOR_BYTES) as folder:
        server = world.serve(config='write_deadline: "1s"',
                             prefix=(*CONFINE, "--group", folder, "--"))
        try:
            stream = Stream(server.port, "healthy")
            stream.exchange()
            for _ in range(3 if world.long else 1):
                clients = flood(server, 60)
                for client in clients:
                    client.close()
                server.check_alive()
                stream.exchange()
            resident = resident_bytes(server)
            stream.close()
            server.stop()
        finally:
            server.kill()
    return f"{resident >> 20} MiB resident after it"


@scene("memory: an address space too small to start in")
def address_space(world):
    ended = served = 0
    for mebibytes in (32, 64, 128, 192, 256, 512):
        prefix = (*CONFINE, "--limit", f"as={mebibytes << 20}", "--")
        try:
            server = world.serve(prefix=prefix)
        except Failure as failure:
            check("memory" in str(failure) or "thread" in str(failure),
                  f"{mebibytes} MiB: {failure}")
            ended += 1
            continue
        stream = Stream(server.port, "small")
        stream.exchange()
        stream.close()
        server.stop()
        served += 1
    return f"{ended} sizes refused in one sentence, {served} served"
