"""What a case in code gets, and the tools that such cases share. Knows the protocol as far as its
subjects; never how the run shares servers.
"""

from wire import Connection, check, wait_for  # noqa: F401

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
