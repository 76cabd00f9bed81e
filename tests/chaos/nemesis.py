"""Clients that nobody wants, one kind after the other, for some seconds: nemesis.py PORT SECONDS SEED.

Knows what hurts a server; it must never know whether it did: who counts is beside it.
"""

import contextlib
import random
import socket
import struct
import sys
import time

HELD_MAX = 250  # Of each kind that stays for a while.
FLOOD_BYTES = 100_000
PAUSE_S = 0.005
FIRST = b"CONNECT {\"verbose\":false}\r\n"


def dial(port, receive_bytes=None):
    client = socket.socket()
    if receive_bytes:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.settimeout(2)
    client.connect(("127.0.0.1", port))
    return client


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


class Nemesis:
    def __init__(self, port, chance):
        self.port, self.chance = port, chance
        self.held = []
        self.counts = {}

    def hold(self, client):
        self.held.append(client)
        if len(self.held) > HELD_MAX:
            victim = self.held.pop(self.chance.randrange(len(self.held)))
            reset(victim) if self.chance.random() < 0.5 else victim.close()

    def flooded(self):
        """One of a few subjects: a flood that all of them hear would be an overload, and no chaos."""
        return b"chaos.flood.%d" % self.chance.randrange(20)

    def reset_early(self):
        client = dial(self.port)
        if self.chance.random() < 0.5:
            client.send(FIRST[:self.chance.randrange(len(FIRST))])
        reset(client)

    def reset_in_payload(self):
        client = dial(self.port)
        client.send(FIRST + b"SUB chaos.> 1\r\nPUB chaos.x 5000\r\n" + b"x" * 2000)
        reset(client)

    def reset_with_subscriptions(self):
        client = dial(self.port)
        client.send(FIRST + b"".join(b"SUB chaos.%d.* %d\r\n" % (n, n) for n in range(300)))
        reset(client)

    def half_open(self):
        """Says half a line, and then nothing for ever."""
        client = dial(self.port)
        client.send(self.chance.choice((b"", b"CONN", FIRST, FIRST + b"PUB chaos.half 100\r\nabc")))
        self.hold(client)

    def half_closed(self):
        client = dial(self.port)
        client.send(FIRST + b"SUB %s 1\r\nPING\r\n" % self.flooded())
        client.shutdown(socket.SHUT_WR)
        self.hold(client)

    def stuck_reader(self):
        client = dial(self.port, receive_bytes=2048)
        client.send(FIRST + b"SUB %s 1\r\n" % self.flooded())
        self.hold(client)

    def slow_reader(self):
        client = dial(self.port, receive_bytes=4096)
        client.send(FIRST + b"SUB %s 1\r\n" % self.flooded())
        client.setblocking(False)
        self.hold(client)
        with contextlib.suppress(OSError, ValueError):
            for each in self.held[-40:]:
                each.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    each.recv(500)

    def flood(self):
        client = dial(self.port)
        payload = b"f" * self.chance.choice((10, 1000, 50_000))
        message = b"PUB %s %d\r\n%s\r\n" % (self.flooded(), len(payload), payload)
        client.send(FIRST)
        with contextlib.suppress(OSError):
            client.sendall(message * (FLOOD_BYTES // len(message) + 1))
        client.close()

    def ping_flood(self):
        client = dial(self.port, receive_bytes=2048)
        with contextlib.suppress(OSError):
            client.sendall(FIRST + b"PING\r\n" * 20_000)
        self.hold(client)

    def noise(self):
        client = dial(self.port)
        with contextlib.suppress(OSError):
            client.send(self.chance.randbytes(self.chance.randrange(1, 3000)))
        self.hold(client)

    def run(self, seconds):
        kinds = [self.reset_early, self.reset_in_payload, self.reset_with_subscriptions,
                 self.half_open, self.half_closed, self.stuck_reader, self.slow_reader,
                 self.flood, self.ping_flood, self.noise]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            kind = self.chance.choice(kinds)
            with contextlib.suppress(OSError):  # The server may refuse us; that is its right.
                kind()
                self.counts[kind.__name__] = self.counts.get(kind.__name__, 0) + 1
            time.sleep(PAUSE_S)
        for client in self.held:
            client.close()
        print(", ".join(f"{count} {name}" for name, count in sorted(self.counts.items())))


def main():
    port, seconds, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    Nemesis(port, random.Random(seed)).run(seconds)


if __name__ == "__main__":
    main()
