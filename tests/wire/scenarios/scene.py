"""What a case in code gets, and the tools that such cases share. Knows the protocol as far as its
subjects; never how the run shares servers.
"""

import time

from wire import PATIENCE_S, Connection, Failure

all_scenarios = []


class Scene:
    """What a case gets: a server, its kind ("nats" or "peal"), and a subject of its own."""

    def __init__(self, server, kind, subject):
        self.server, self.kind, self.subject = server, kind, subject

    def connect(self, **fields):
        return Connection.connected(self.server.port, fields)


class Scenario:
    def __init__(self, title, function, options):
        self.title, self.function = title, function
        self.config = options.pop("config", "")
        self.flags = options.pop("flags", [])
        self.alone = options.pop("alone", False)
        self.slow = options.pop("slow", False)
        self.tags = options.pop("tags", [])
        assert not options, options


def scenario(title, **options):
    def add(function):
        all_scenarios.append(Scenario(title, function, options))
        return function
    return add


def check(claim, text):
    if not claim:
        raise Failure(text)


def wait_for(is_true, what, patience_s=PATIENCE_S):
    """For what has no event: looks again and again, for a bounded time."""
    end = time.monotonic() + patience_s
    while not is_true():
        check(time.monotonic() < end, f"{what} did not come")
        time.sleep(0.005)
