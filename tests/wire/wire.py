"""The two ends of a wire test: a server process, and a raw connection to it.

Knows how to start and stop a server, and how to send and expect bytes. Knows of the protocol only
the INFO line, PING and PONG. It must never know what a case is about.

Every wait has an end: `PATIENCE_S` unless a caller says otherwise. Nothing sleeps where an event
serves.
"""

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

# Generous, because tests share their machine: only a failing case ever waits this long.
PATIENCE_S = 10.0
STOP_PATIENCE_S = 15.0
LOG_LINES_MAX = 20_000
LISTENING = re.compile(r"Listening for client connections on \S*?:(\d+)\s*$")


class Failure(Exception):
    """A case did not go as it says. The text is one line."""


class Skipped(Exception):
    """A case cannot run here. The text is the reason."""


def check(claim, text):
    if not claim:
        raise Failure(text)


def wait_for(is_true, what, patience_s=PATIENCE_S):
    """For what has no event: looks again and again, for a bounded time."""
    end = time.monotonic() + patience_s
    while not is_true():
        check(time.monotonic() < end, f"{what}: not in {patience_s:.0f} s")
        time.sleep(0.005)


def show(data, around=None):
    """Bytes as a reader wants them: whole if short, else the stretch around the difference."""
    window = 160
    if len(data) <= 2 * window:
        return repr(data)[1:]
    at = len(data) if around is None else around
    begin = max(0, at - window // 2)
    end = min(len(data), begin + window)
    head = "..." if begin else ""
    tail = "..." if end < len(data) else ""
    return f"{head}{repr(data[begin:end])[1:]}{tail} ({len(data)} bytes)"


def first_difference(expected, seen):
    """Where they part; the shorter one's length if one is the front of the other."""
    low, high = 0, min(len(expected), len(seen))
    if expected[:high] == seen[:high]:
        return high
    while high - low > 1:  # Halving lets whole megabytes be compared at memory's speed.
        middle = (low + high) // 2
        low, high = (middle, high) if expected[low:middle] == seen[low:middle] else (low, middle)
    return low


class Server:
    """One server process on a port of the kernel's choice, with its own directory and log."""

    def __init__(self, path, config="", flags=(), port=-1, environment=None, prefix=(),
                 owner=None):
        """`prefix` is a command that becomes the one behind it, in the same process; `owner` is the
        number of the user that it becomes."""
        self.directory = tempfile.mkdtemp(prefix="wire-")
        if owner is not None:
            os.chown(self.directory, owner, owner)
        self.rewrite(config)
        self.command = [*prefix, path, "-a", "127.0.0.1", "-p", str(port), "-c", self.config_path,
                        "--ports_file_dir", self.directory, *flags]
        self.log_lines = []
        self.port = None
        self.stopped = False
        self._news = threading.Condition()
        self._log_ended = False
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, cwd=self.directory, start_new_session=True,
            env={**os.environ, **(environment or {})})
        threading.Thread(target=self._read_log, daemon=True).start()
        try:
            self._wait(lambda: self.port is not None, PATIENCE_S, "log line that says the port")
        except Failure:
            self.kill()
            raise

    @property
    def config_path(self):
        return os.path.join(self.directory, "server.conf")

    def rewrite(self, config):
        """Puts another configuration into the file; the server is not told."""
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(config.replace("{directory}", self.directory) + "\n")

    def _read_log(self):
        for raw in self.process.stderr:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            with self._news:
                if len(self.log_lines) < LOG_LINES_MAX:
                    self.log_lines.append(line)
                listening = LISTENING.search(line)
                if listening and self.port is None:
                    self.port = int(listening.group(1))
                self._news.notify_all()
        with self._news:
            self._log_ended = True
            self._news.notify_all()

    def _wait(self, is_true, patience_s, what):
        end = time.monotonic() + patience_s
        with self._news:
            while not is_true():
                rest = end - time.monotonic()
                if rest <= 0 or self._log_ended:
                    tail = " | ".join(self.log_lines[-3:])
                    raise Failure(f"server: no {what}; its last words: {tail}")
                self._news.wait(rest)

    def expect_log(self, pattern, patience_s=PATIENCE_S):
        regex = re.compile(pattern)
        self._wait(lambda: any(regex.search(line) for line in self.log_lines), patience_s,
                   f"log line like /{pattern}/")

    def signal(self, name):
        self.process.send_signal(getattr(signal, "SIG" + name))

    def check_alive(self):
        status = self.process.poll()
        if status is not None:
            tail = " | ".join(self.log_lines[-3:])
            raise Failure(f"server: died with status {status}; its last words: {tail}")

    def expect_exit(self, status, patience_s=STOP_PATIENCE_S):
        try:
            seen = self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise Failure(f"server: still runs {patience_s:.0f} s after it should end") from None
        self.stopped = True
        self.remove_directory()
        if seen != status:
            tail = " | ".join(self.log_lines[-3:])
            raise Failure(f"server: ended with status {seen}, not {status}; last words: {tail}")

    def stop(self):
        """Ends the server the polite way, and insists that this works."""
        if self.stopped:
            return
        try:
            self.check_alive()
            self.signal("TERM")
            self.expect_exit(0)
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.stopped = True
        self.remove_directory()

    def remove_directory(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class Connection:
    """A client's socket. What came and was not yet expected waits in `seen`."""

    def __init__(self, port, receive_bytes=None):
        self.seen = b""
        self.ended = False
        self.info_line = b""
        self.info = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(PATIENCE_S)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError as error:
            self.socket.close()
            raise Failure(f"cannot connect: {error}") from None

    @staticmethod
    def with_info(port, receive_bytes=None):
        connection = Connection(port, receive_bytes)
        connection.read_info()
        return connection

    @staticmethod
    def connected(port, connect=None, receive_bytes=None):
        """A connection that has sent CONNECT and knows that it was taken."""
        connection = Connection.with_info(port, receive_bytes)
        fields = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True}
        fields.update(connect or {})
        connection.send(b"CONNECT " + json.dumps(fields).encode() + b"\r\n")
        if not fields["verbose"]:
            connection.fence()
        return connection

    def read_info(self):
        while self._skip_server_ping() or (len(self.seen) < 6 and b"PING\r\n".startswith(self.seen)):
            if not self.receive(time.monotonic() + PATIENCE_S):
                break
        self.info_line = self.read_line()
        match = re.fullmatch(rb"INFO (\{.*\}) \r\n", self.info_line)
        if not match:
            raise Failure(f"expected an INFO line, seen {show(self.info_line)}")
        self.info = json.loads(match.group(1))
        return self.info

    def send(self, data):
        """Sends all, or as much as a server that closes on us takes."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        except TimeoutError:
            raise Failure(f"the server did not read {len(data)} bytes in time") from None

    def receive(self, end):
        """Waits for more bytes until `end`. False: time is up, or nothing will come."""
        if self.ended:
            return False
        rest = end - time.monotonic()
        if rest <= 0:
            return False
        self.socket.settimeout(rest)
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return False
        except ConnectionResetError:
            data = b""  # A server that closes with bytes of ours unread resets. That is an end too.
        finally:
            self.socket.settimeout(PATIENCE_S)
        if not data:
            self.ended = True
            return False
        self.seen += data
        return True

    def _take(self, count):
        taken, self.seen = self.seen[:count], self.seen[count:]
        return taken

    def _skip_server_ping(self, at=0):
        """A server asks after a connection two seconds old. On a busy machine any case may see it."""
        if self.seen[at:at + 6] == b"PING\r\n":
            self.seen = self.seen[:at] + self.seen[at + 6:]
            return True
        return False

    def expect(self, expected, patience_s=PATIENCE_S):
        end = time.monotonic() + patience_s
        while True:
            at = first_difference(expected, self.seen)
            if at == len(expected):
                return self._take(at)
            if at < len(self.seen):
                line_begins = expected.rfind(b"\n", 0, at) + 1
                if self._skip_server_ping(line_begins):
                    continue
                if not b"PING\r\n".startswith(self.seen[line_begins:]):
                    break
            if not self.receive(end):
                break
        self.receive(time.monotonic() + 0.05)  # What follows helps the reader of the report.
        at = first_difference(expected, self.seen)
        ending = " EOF" if self.ended else ""
        raise Failure(f"expected {show(expected, at)}, seen {show(self.seen, at)}{ending}")

    def read_line(self, patience_s=PATIENCE_S):
        end = time.monotonic() + patience_s
        while b"\n" not in self.seen:
            if not self.receive(end):
                ending = " EOF" if self.ended else ""
                raise Failure(f"expected a line, seen {show(self.seen)}{ending}")
        return self._take(self.seen.index(b"\n") + 1)

    def read_bytes(self, count, patience_s=PATIENCE_S):
        end = time.monotonic() + patience_s
        while len(self.seen) < count:
            if not self.receive(end):
                ending = " EOF" if self.ended else ""
                raise Failure(f"expected {count} bytes, seen {len(self.seen)}{ending}")
        return self._take(count)

    def expect_line(self, pattern, patience_s=PATIENCE_S):
        """One line, without its CRLF, that fits the pattern. Gives the match."""
        regex = pattern.encode() if isinstance(pattern, str) else pattern
        while True:
            line = self.read_line(patience_s)
            match = re.fullmatch(regex, line[:-2], re.DOTALL) if line.endswith(b"\r\n") else None
            if match:
                return match
            if line != b"PING\r\n":
                raise Failure(f"expected /{regex.decode()}/, seen {show(line + self.seen)}")

    def expect_eof(self, patience_s=PATIENCE_S):
        end = time.monotonic() + patience_s
        while True:
            while self._skip_server_ping():
                pass
            if self.seen and not b"PING\r\n".startswith(self.seen):
                break
            if not self.receive(end):
                break
        if self.seen or not self.ended:
            ending = " EOF" if self.ended else " and no EOF"
            raise Failure(f"expected EOF, seen {show(self.seen)}{ending}")

    def expect_closed(self, patience_s=PATIENCE_S):
        """The end, with an -ERR line before it or without."""
        while self.receive(time.monotonic() + patience_s):
            pass
        if not self.ended or not re.fullmatch(rb"(PING\r\n)*(-ERR '[^\r\n]*'\r\n)?", self.seen):
            ending = " EOF" if self.ended else " and no EOF"
            raise Failure(f"expected to be closed, seen {show(self.seen)}{ending}")

    def expect_refused(self, patience_s=PATIENCE_S):
        """An -ERR, or the end without one: the server said no."""
        while b"\n" not in self.seen and self.receive(time.monotonic() + patience_s):
            pass
        if not self.seen.startswith(b"-ERR '") and not (self.ended and not self.seen):
            raise Failure(f"expected an -ERR or the end, seen {show(self.seen)}")

    def fence(self, patience_s=PATIENCE_S):
        """A PING, and nothing but its PONG: whatever the server had to say is behind us."""
        self.send(b"PING\r\n")
        self.expect(b"PONG\r\n", patience_s)

    def shut(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
