"""A server that is watched, and what asks it."""

import http.client
import json
import re
import shlex

from wire import Connection, Failure, Server, Skipped, check  # noqa: F401

MONITORING = re.compile(r"Starting https? monitor on \S*?:(\d+)")
PATIENCE_S = 10


def same(seen, expected, what):
    check(seen == expected, f"{what}: expected {expected!r}, seen {seen!r}")


class Watched:
    """A server and its monitoring port."""

    def __init__(self, options, config="", flags=("-m", "-1"), tls=None):
        """`tls` is how HTTPS is spoken to it; None: HTTP."""
        self.tls = tls
        self.server = Server(options.server, config, [*flags, *shlex.split(options.flags)])
        self.server.expect_log(MONITORING.pattern)
        line = next(line for line in self.server.log_lines if MONITORING.search(line))
        self.port = int(MONITORING.search(line).group(1))

    def ask(self, path, method="GET", headers=None):
        """Status, headers and body."""
        if self.tls:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE_S,
                                                     context=self.tls)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def json(self, path):
        status, headers, body = self.ask(path)
        same(status, 200, path)
        same(headers["Content-Type"], "application/json", path)
        return json.loads(body)

    def refused(self, path, status, text):
        seen, headers, body = self.ask(path)
        same(seen, status, path)
        same(body.decode().strip(), text, path)

    def client(self, name, lines=b""):
        connection = Connection.connected(self.server.port,
                                          {"name": name, "lang": "py", "version": "1"})
        if lines:
            connection.send(lines)
            connection.fence()
        return connection

    def closed(self, name):
        """Asks until it has closed, and gives its row: an end is heard a moment after it has come."""
        for _ in range(10_000):
            for row in self.json("/connz?state=closed")["connections"]:
                if row.get("name") == name:
                    return row
        raise Failure(f"/connz?state=closed never showed {name}")
