"""Wire cases as text: reads `cases/*.wire` and plays one case against a server.

Knows the script's words; README.md beside it tells them to whoever writes a case. Knows nothing of
when a case runs, or on which server: that is `run`'s.
"""

import re

from wire import PATIENCE_S, Connection, Failure

DEFAULT_CONNECT = b'CONNECT {"verbose":false,"headers":true,"no_responders":true,"echo":true}\r\n'
SUBJECT_WORD = re.compile(rb"\b(foo|bar|baz)\b")
REPEAT = re.compile(r"\{\{(.+?)\*(\d+)\}\}")
ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "s": " ", "\\": "\\"}
STEP = re.compile(r"([A-Z])(>|<~|<| )(?: ?)(.*)", re.DOTALL)
WORDS = {"fence", "shut", "close", "reset", "done", "EOF", "closed", "refused"}


class Step:
    def __init__(self, line_number, verb, connection="", data=b"", text=""):
        self.line_number = line_number
        self.verb = verb
        self.connection = connection
        self.data = data
        self.text = text


class Case:
    """One case as written. `steps` are those for the server at hand; see `for_server`."""

    def __init__(self, room, name, place):
        self.room, self.name, self.place = room, name, place
        self.config, self.flags, self.tags = [], [], set()
        self.alone = self.slow = False
        self.cuts = 0
        self.differs = ""
        self.lines = []  # (line number, "nats" or "peal" or "", text)

    @property
    def title(self):
        return f"{self.room}: {self.name}"

    def for_server(self, kind):
        """The steps for one kind of server, neighbouring lines of bytes joined into one step."""
        steps = []
        for number, only, text in self.lines:
            if only and only != kind:
                continue
            step = read_step(number, text, self.place)
            last = steps[-1] if steps else None
            if last and step.verb in ("send", "expect") and \
                    (last.verb, last.connection) == (step.verb, step.connection):
                last.data += step.data
            else:
                steps.append(step)
        return steps


def to_bytes(text):
    """A script's text as the bytes that it means. Latin-1 keeps \\xNN one byte."""
    text = REPEAT.sub(lambda m: m.group(1) * int(m.group(2)), text)

    def one(match):
        word = match.group(1)
        if word[0] == "x" and len(word) == 3:
            return chr(int(word[1:], 16))
        if word not in ESCAPES:
            raise ValueError(f"unknown escape \\{word}")
        return ESCAPES[word]
    return ESCAPE.sub(one, text).encode("latin-1")


def read_step(number, text, place):
    where = f"{place}:{number}"
    words = text.split(None, 2)
    if words[0] == "within":
        return Step(number, "within", text=words[1].rstrip("s"))
    if words[0] == "server":
        if words[1] not in ("signal", "exits", "logs"):
            raise ValueError(f"{where}: unknown step: {text}")
        return Step(number, "server " + words[1], text=words[2])
    match = STEP.fullmatch(text)
    if not match:
        raise ValueError(f"{where}: unknown step: {text}")
    connection, mark, rest = match.groups()
    if mark in (">", "<"):
        whole_line = not (rest.endswith("\\") and not rest.endswith("\\\\"))
        data = to_bytes(rest if whole_line else rest[:-1]) + (b"\r\n" if whole_line else b"")
        return Step(number, "send" if mark == ">" else "expect", connection, data)
    if mark == "<~":
        return Step(number, "match", connection, rest.encode("latin-1"))
    if rest.startswith("open"):
        return Step(number, "open", connection, text=rest[4:].strip())
    if rest in WORDS:
        return Step(number, rest, connection)
    raise ValueError(f"{where}: unknown step: {text}")


def read_file(path, room, place):
    cases = []
    with open(path, encoding="latin-1") as file:
        for number, raw in enumerate(file, 1):
            line = raw.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            word, _, rest = line.partition(" ")
            if word == "case":
                cases.append(Case(room, rest, place))
                continue
            if not cases:
                raise ValueError(f"{place}:{number}: a step before the first case")
            read_line(cases[-1], number, line, word, rest)
    for case in cases:
        for kind in ("nats", "peal"):
            case.for_server(kind)  # A slip of the pen shows now, and not in one run out of two.
        if any(only for _, only, _ in case.lines) and not case.differs:
            raise ValueError(f"{place}: {case.name}: servers differ, but it does not say why")
    return cases


def read_line(case, number, line, word, rest):
    if word == "config":
        case.config.append(rest)
    elif word == "flags":
        case.flags += rest.split()
    elif word == "tag":
        case.tags.update(rest.split())
    elif word == "differs":
        case.differs = rest
    elif word in ("alone", "slow"):
        setattr(case, word, True)
    elif line in ("every cut", "every two cuts"):
        case.cuts = 1 if line == "every cut" else 2
    elif word in ("[nats]", "[peal]"):
        case.lines.append((number, word[1:-1], rest))
    else:
        case.lines.append((number, "", line))


class Names:
    """Subjects of one playing of a case, so that many can share a server. Lengths stay the same."""

    def __init__(self, suffix):
        self.to = {b"foo": b"f" + suffix, b"bar": b"b" + suffix, b"baz": b"z" + suffix}
        self.back = re.compile(b"|".join(re.escape(name) for name in self.to.values()))
        self.was = {value: key for key, value in self.to.items()}

    def apply(self, data):
        return SUBJECT_WORD.sub(lambda m: self.to[m.group(1)], data)

    def undo(self, text):
        data = text.encode("latin-1", "replace")
        return self.back.sub(lambda m: self.was[m.group(0)], data).decode("latin-1")


class Player:
    """Plays one case once. Connections open at their first mention."""

    def __init__(self, server, names):
        self.server, self.names = server, names
        self.connections = {}
        self.over = set()  # Names of connections that nothing more is asked of.
        self.greeting = {}  # CONNECT lines that wait for the first bytes, to go with them.
        self.patience_s = PATIENCE_S

    def play(self, steps):
        step = None
        try:
            for step in steps:
                self.do(step)
            step = None
            for name in self.connections:
                if name not in self.over:
                    self.connections[name].fence(self.patience_s)
            if not self.server.stopped:
                self.server.check_alive()
        except Failure as failure:
            where = f"line {step.line_number}: " if step else "at the end: "
            raise Failure(where + self.names.undo(str(failure))) from None
        finally:
            for connection in self.connections.values():
                connection.close()

    def connection(self, name):
        if name not in self.connections:
            self.open(name, "")
        return self.connections[name]

    def open(self, name, how):
        if how == "raw":
            self.connections[name] = Connection(self.server.port)
            return
        self.connections[name] = Connection.with_info(self.server.port)
        if how == "bare":
            return
        line = f"CONNECT {how}\r\n".encode("latin-1") if how else DEFAULT_CONNECT
        self.greeting[name] = line

    def do(self, step):
        if step.verb == "within":
            self.patience_s = float(step.text)
            return
        if step.verb.startswith("server"):
            return self.ask_server(step)
        if step.verb == "open":
            return self.open(step.connection, step.text)
        connection = self.connection(step.connection)
        greeting = self.greeting.pop(step.connection, b"")
        if step.verb == "send":
            connection.send(greeting + self.names.apply(step.data))
            return
        if greeting:
            connection.send(greeting)
        if step.verb == "expect":
            connection.expect(self.names.apply(step.data), self.patience_s)
        elif step.verb == "match":
            connection.expect_line(self.names.apply(step.data), self.patience_s)
        elif step.verb == "fence":
            connection.fence(self.patience_s)
        else:
            self.finish(step, connection)

    def finish(self, step, connection):
        if step.verb == "EOF":
            connection.expect_eof(self.patience_s)
        elif step.verb == "closed":
            connection.expect_closed(self.patience_s)
        elif step.verb == "refused":
            connection.expect_refused(self.patience_s)
        elif step.verb == "close":
            connection.close()
        elif step.verb == "reset":
            connection.reset()
        elif step.verb == "shut":
            connection.shut()
            return
        self.over.add(step.connection)

    def ask_server(self, step):
        if step.verb == "server signal":
            self.server.signal(step.text)
        elif step.verb == "server logs":
            self.server.expect_log(step.text, self.patience_s)
        else:
            self.server.expect_exit(int(step.text))
