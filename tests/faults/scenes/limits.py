"""What the system allows a process: locked memory, descriptors, threads."""

import os

from faults import CONFINE, Connection, Failure, Skipped, Stream, check, closing, scene

NOBODY = 65534


def as_nobody(world, *options):
    if os.geteuid() != 0:
        raise Skipped("only root can become somebody whom limits bind")
    path = world.path
    while path != "/":
        if os.stat(path).st_mode & 0o005 == 0:
            raise Skipped(f"an ordinary user cannot reach {path}")
        path = os.path.dirname(path)
    return (*CONFINE, "--user", str(NOBODY), *options, "--")


@scene("limits: 64 KiB of locked memory, as an ordinary user")
def locked_memory(world):
    served = []
    for kibibytes in (8192, 64, 0):
        prefix = as_nobody(world, "--limit", f"memlock={kibibytes * 1024}")
        try:
            server = world.serve(prefix=prefix, owner=NOBODY)
        except Failure as failure:
            check("ulimit -l" in str(failure), f"{kibibytes} KiB: {failure}")
            continue
        served.append(f"{kibibytes} KiB")
        streams = [Stream(server.port, f"locked.{n}") for n in range(20)]
        with closing(*streams):
            for stream in streams:
                stream.exchange()
        server.stop()
    return f"served with {', '.join(served) or 'none'}, else refused in one sentence"


@scene("limits: 64 descriptors, and a hundred newcomers")
def few_descriptors(world):
    server = world.serve(prefix=(*CONFINE, "--limit", "nofile=64", "--"))
    stream = Stream(server.port, "inside")
    stream.exchange()
    newcomers = [Connection(server.port) for _ in range(100)]  # The kernel's queue takes them all.
    server.expect_log("accept: Too many open files; trying again in 10 ms")
    server.expect_log("accept: Too many open files; trying again in 640 ms")
    stream.exchange(1000)
    lines = sum("accept:" in line for line in server.log_lines)
    check(lines < 20, f"{lines} lines of log for one lack")
    for newcomer in newcomers[:50]:
        newcomer.close()
    for newcomer in newcomers[50:]:
        newcomer.read_info()
        newcomer.send(b"CONNECT {\"verbose\":false}\r\n")
        newcomer.fence()
    stream.exchange()
    with closing(stream, *newcomers[50:]):
        pass
    server.stop()


def start_with(world, count, *flags):
    """A server, or None when it has said that so few descriptors are too few."""
    try:
        return world.serve(*flags, prefix=(*CONFINE, "--limit", f"nofile={count}", "--"))
    except Failure as failure:
        check("Too many open files" in str(failure) or "descriptor" in str(failure) or
              "shared" in str(failure), f"{count} descriptors: {failure}")
        return None


@scene("limits: too few descriptors to start with")
def no_descriptors(world):
    served = 0
    limits = range(3, 30, 1 if world.long else 3)
    for count in limits:
        server = start_with(world, count)
        if server:
            served += 1
            server.stop()
    check(served > 0, f"{limits[-1]} descriptors are too few")
    return f"{len(limits) - served} of {len(limits)} limits refused"


@scene("limits: descriptors for all but the monitoring")
def no_descriptor_for_monitoring(world):
    """Its lack ended the server as if that were a bug."""
    for count in range(3, 30):
        server = start_with(world, count, "--stats_interval", "1s")
        if server:
            server.stop()
            without = any("the server runs without it" in line for line in server.log_lines)
            check(without, f"with {count} descriptors there is monitoring, with fewer no server")
            return
    raise Failure("30 descriptors are too few")


@scene("limits: no more threads for this user")
def no_threads(world):
    prefix = as_nobody(world, "--limit", "nproc=1")
    world.expect_refusal("thread", prefix=prefix)
    return None
