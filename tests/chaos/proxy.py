"""A bad network in user space: a TCP proxy that delays, splits, throttles and resets.

Knows bytes and time; nothing of what is said. Runs as a process of its own:
proxy.py PORT-OF-THE-SERVER SECONDS SEED [--no-resets] prints its own port, and ends early by TERM.
"""

import argparse
import heapq
import itertools
import random
import selectors
import signal
import socket
import struct
import sys
import time

READ_BYTES = 64 * 1024
PENDING_MAX = 256 * 1024  # Then one side is read no more, as a network would.


class Way:
    """One direction of one connection."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.pending = bytearray()
        self.wakes_at = 0.0
        self.ended = False


class Proxy:
    def __init__(self, server_port, chance, resets):
        self.server_port, self.chance, self.resets = server_port, chance, resets
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.timers, self.order = [], itertools.count()
        self.stopped = False
        self.ended = set()  # Sources that have said all; their sockets are still written to.
        self.connections = self.reset_count = 0

    def accept(self):
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        server = socket.socket()
        server.connect(("127.0.0.1", self.server_port))
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for way in (Way(client, server), Way(server, client)):
            self.selector.register(way.source, selectors.EVENT_READ, way)
        self.connections += 1
        if self.resets and self.chance.random() < 0.3:
            self.later(self.chance.uniform(0, 3), lambda: self.reset(client, server))

    def later(self, seconds, what):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), what))

    def reset(self, *ends):
        self.reset_count += 1
        for end in ends:
            if end.fileno() >= 0:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.drop(*ends)

    def drop(self, *ends):
        for end in ends:
            if end.fileno() >= 0:
                if end not in self.ended:
                    self.selector.unregister(end)
                self.ended.discard(end)
                end.close()

    def read(self, way):
        try:
            data = way.source.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            return self.reset(way.source, way.target)
        if not data:
            way.ended = True
            self.selector.unregister(way.source)
            self.ended.add(way.source)
        way.pending += data
        # A tenth waits for some milliseconds, as if a packet had been lost.
        delay = self.chance.uniform(0.005, 0.08) if self.chance.random() < 0.1 else 0
        way.wakes_at = max(way.wakes_at, time.monotonic() + delay)
        self.push(way)

    def push(self, way):
        if way.target.fileno() < 0:
            return
        now = time.monotonic()
        if now < way.wakes_at:
            return self.later(way.wakes_at - now, lambda: self.push(way))
        while way.pending:
            # Pieces from a byte to a packet's worth, some of them throttled.
            piece = self.chance.choice((1, 7, 100, 1400, 9000, 65536, 65536))
            try:
                sent = way.target.send(way.pending[:piece])
            except BlockingIOError:
                return self.later(0.002, lambda: self.push(way))
            except OSError:
                return self.reset(way.source, way.target)
            del way.pending[:sent]
            if piece < 1400 and way.pending:
                return self.later(0.0005, lambda: self.push(way))
        if way.ended:
            if way.target in self.ended:
                return self.drop(way.source, way.target)
            try:
                way.target.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.stopped:
            timeout = 0.05
            if self.timers:
                timeout = min(timeout, max(0, self.timers[0][0] - time.monotonic()))
            for key, _ in self.selector.select(timeout):
                if key.data is None:
                    self.accept()
                elif key.data.source.fileno() < 0:
                    continue
                elif len(key.data.pending) < PENDING_MAX:
                    self.read(key.data)
                else:
                    time.sleep(0.0002)  # It is full, and so stays readable.
            now = time.monotonic()
            while self.timers and self.timers[0][0] <= now:
                heapq.heappop(self.timers)[2]()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server_port", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("seed", type=int)
    parser.add_argument("--no-resets", action="store_true")
    arguments = parser.parse_args()
    proxy = Proxy(arguments.server_port, random.Random(arguments.seed), not arguments.no_resets)
    signal.signal(signal.SIGTERM, lambda *_: setattr(proxy, "stopped", True))
    print(proxy.listener.getsockname()[1], flush=True)
    proxy.run(arguments.seconds)
    print(f"{proxy.connections} connections, {proxy.reset_count} reset", flush=True)


if __name__ == "__main__":
    sys.exit(main())
