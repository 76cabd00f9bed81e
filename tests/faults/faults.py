"""What a scene of faults gets: a server that ships, with a shim between it and the kernel, and
clients that count.

Knows the shim's file, how to start a server confined, and the wire as far as wire.py does. It must
never know what a scene is about.
"""

import contextlib
import errno
import mmap
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "wire"))

from wire import PATIENCE_S, Connection, Failure, Server, Skipped, check, wait_for  # noqa: E402,F401

CONFINE = (sys.executable, os.path.join(HERE, "confine"))
SHIM = os.path.join(ROOT, "build", "tests", "faults", "peal_faults.so")

BENCH = os.path.join(ROOT, "build", "tools", "peal-bench")

OPERATIONS = {name: number for number, name in enumerate(
    "none accept recv send cancel wake notify enter setup buffers ring_descriptor".split())}
ACTS = {"fail": 1, "shorten": 2, "one_shot": 3}
FOR_EVER = 0xFFFFFFFF

all_scenes = []


def scene(title, long=False):
    """`long` ones are left out of the fast cut."""
    def add(function):
        all_scenes.append((title, function, long))
        return function
    return add


class Sheet:
    """The shim's file: rules, and a count of allocations. See shim.cpp."""

    HEAD, RULE, RULES = 32, 32, 64

    def __init__(self):
        handle, self.path = tempfile.mkstemp(prefix="faults-")
        os.ftruncate(handle, self.HEAD + self.RULE * self.RULES)
        self.memory = mmap.mmap(handle, self.HEAD + self.RULE * self.RULES)
        os.close(handle)

    def close(self):
        self.memory.close()
        os.unlink(self.path)

    def put(self, index, value):
        struct.pack_into("I", self.memory, index * 4, value)

    def get(self, index):
        return struct.unpack_from("I", self.memory, index * 4)[0]

    def rule(self, operation, act, value=0, one_in=1, times=FOR_EVER, port=0, at=0):
        """`left` goes in last: from then on the rule holds."""
        begin = self.HEAD // 4 + at * self.RULE // 4
        self.put(begin + 4, 0)
        fields = (OPERATIONS[operation], ACTS[act], value, one_in)
        for index, field in enumerate(fields):
            self.put(begin + index, field)
        for index, field in ((5, port), (6, 0), (7, 0), (4, times)):
            self.put(begin + index, field)

    def end(self, at=0):
        self.put(self.HEAD // 4 + at * self.RULE // 4 + 4, 0)

    def end_all(self):
        for at in range(self.RULES):
            self.end(at)

    def done(self, at=0):
        return self.get(self.HEAD // 4 + at * self.RULE // 4 + 7)

    def wait_done(self, times=1, at=0):
        wait_for(lambda: self.done(at) >= times, f"rule {at} acting {times} times")

    def count_allocations(self, fails=0, bytes_min=0):
        self.put(0, 0)
        self.put(1, 0)
        self.put(2, fails)
        self.put(3, 0)
        self.put(4, bytes_min)
        self.put(0, 1)

    def stop_counting(self):
        self.put(0, 0)

    def allocations(self):
        return self.get(1)

    def allocation_failed(self):
        return self.get(3) != 0


class Stream:
    """A publisher and a subscriber that say at once when a message is lost, doubled, late or
    damaged. With several of them connections lie on all shards."""

    def __init__(self, port, subject, beside=False):
        """Newcomers go to each shard in turn: with one between them, both ends lie on the same of
        two."""
        self.subject = subject.encode()
        self.subscriber = Connection.connected(port)
        self.subscriber.send(b"SUB %s 7\r\n" % self.subject)
        self.subscriber.fence()
        self.between = Connection.connected(port) if beside else None
        self.publisher = Connection.connected(port)
        self.sent = self.received = 0

    def connections(self):
        return (self.subscriber, self.publisher)

    def publish(self, count, payload_bytes=16):
        lines = []
        for number in range(self.sent, self.sent + count):
            payload = b"%0*d" % (payload_bytes, number)
            lines.append(b"PUB %s %d\r\n%s\r\n" % (self.subject, len(payload), payload))
        self.sent += count
        self.payload_bytes = payload_bytes
        self.publisher.send(b"".join(lines))

    def expect_all(self, patience_s=PATIENCE_S):
        expected = []
        for number in range(self.received, self.sent):
            payload = b"%0*d" % (self.payload_bytes, number)
            expected.append(b"MSG %s 7 %d\r\n%s\r\n" % (self.subject, len(payload), payload))
        self.subscriber.expect(b"".join(expected), patience_s)
        self.received = self.sent

    def exchange(self, count=200, payload_bytes=16, patience_s=PATIENCE_S):
        self.publish(count, payload_bytes)
        self.expect_all(patience_s)
        self.publisher.fence(patience_s)
        self.subscriber.fence(patience_s)

    def close(self):
        for connection in (*self.connections(), self.between):
            if connection is not None:
                connection.close()


class Unheard:
    """A server process that logs where nobody of us listens."""

    def __init__(self, path, flags, prefix, streams):
        self.directory = tempfile.mkdtemp(prefix="faults-")
        self.process = subprocess.Popen(
            [*prefix, path, "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", self.directory,
             *flags], stdin=subprocess.DEVNULL, cwd=self.directory, start_new_session=True,
            **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **streams})
        try:
            wait_for(lambda: self.ports_file() or self.process.poll() is not None, "ports file")
            self.check_alive()
            with open(self.ports_file(), encoding="ascii") as file:
                self.port = int(re.search(r'nats://[^"]*:(\d+)"', file.read()).group(1))
        except Failure:
            self.kill()
            raise

    def ports_file(self):
        names = [name for name in os.listdir(self.directory) if name.endswith(".ports")]
        return os.path.join(self.directory, names[0]) if names else None

    def check_alive(self):
        check(self.process.poll() is None, f"server: ended with status {self.process.poll()}")

    def signal(self, name):
        self.process.send_signal(getattr(signal, "SIG" + name))

    def stop(self, patience_s=15.0):
        self.check_alive()
        self.signal("TERM")
        try:
            status = self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise Failure(f"server: still runs {patience_s:.0f} s after TERM") from None
        check(status == 0, f"server: ended with status {status}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def local_port(connection):
    return connection.socket.getsockname()[1]


class World:
    """What a scene is given: servers of its own, which are gone when it ends."""

    def __init__(self, path, flags, long):
        self.path, self.flags, self.long = path, list(flags), long
        self.servers, self.sheets = [], []

    def sheet(self):
        self.sheets.append(Sheet())
        return self.sheets[-1]

    def preload(self, sheet):
        if not os.path.exists(SHIM):
            raise Skipped(f"{SHIM} is not built")
        return {"LD_PRELOAD": SHIM, "PEAL_FAULTS": sheet.path}

    def serve(self, *flags, config="", sheet=None, prefix=(), owner=None):
        self.servers.append(Server(self.path, config, [*self.flags, *flags], prefix=prefix,
                                   environment=self.preload(sheet) if sheet else None,
                                   owner=owner))
        return self.servers[-1]

    def serve_unheard(self, *flags, prefix=(), **streams):
        """One whose log is not ours to read: its port is in its ports file."""
        self.servers.append(Unheard(self.path, [*self.flags, *flags], prefix, streams))
        return self.servers[-1]

    def expect_refusal(self, pattern, *flags, sheet=None, prefix=()):
        """A start that must end with status 1 and one clear sentence."""
        variables = {**os.environ, **(self.preload(sheet) if sheet else {})}
        done = subprocess.run([*prefix, self.path, "-a", "127.0.0.1", "-p", "-1", *self.flags,
                               *flags], env=variables, capture_output=True, text=True,
                              timeout=30, check=False)
        last = (done.stderr.strip().splitlines() or [""])[-1]
        check(done.returncode == 1, f"status {done.returncode}, not 1; last words: {last!r}")
        check(re.search(pattern, last), f"last words {last!r} are not like /{pattern}/")
        return done

    def close(self):
        for server in self.servers:
            server.kill()
        for sheet in self.sheets:
            sheet.close()


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def lies_at(server, descriptor):
    return os.readlink(f"/proc/{server.process.pid}/fd/{descriptor}")


def resident_bytes(server):
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def kernel_is(major, minor):
    found = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    return found >= (major, minor)


def need_nop_results():
    """The shim fails an entry with a no-op that completes as it is told to."""
    if not kernel_is(6, 10):
        raise Skipped(f"Linux 6.10 has no-ops with a result, this is {os.uname().release}")


@contextlib.contextmanager
def closing(*things):
    try:
        yield things
    finally:
        for thing in things:
            thing.close()


def errno_name(number):
    return errno.errorcode.get(number, str(number))
