"""One server, one scenario, one run: a fresh process, a load, and the figures of it."""

import json
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
START_SECONDS_MAX = 10
RUN_SECONDS_MAX = 120
# A subscriber that is a whole run behind is not what these scenarios ask about.
PENDING_BYTES_MAX = 1 << 30


class Failed(Exception):
    """A run that gave no figure, and why."""


@dataclass(frozen=True)
class Peer:
    """A server to be measured: what to call it, and how to start it."""
    name: str
    kind: str       # nats or redis: what it speaks, and which flags it takes.
    command: tuple  # Without port and address.

    def command_line(self, port, folder):
        if self.kind == "redis":
            return [*self.command, "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                    "--appendonly", "no", "--dir", folder,
                    "--client-output-buffer-limit", "pubsub 0 0 0"]
        config = os.path.join(folder, "server.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"max_pending: {PENDING_BYTES_MAX}\nmax_payload: 8388608\n")
        return [*self.command, "-a", "127.0.0.1", "-p", str(port), "-c", config]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A server process; ended with the block that it was started for."""

    def __init__(self, peer):
        self.peer = peer
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="peal-perf-")
        self.log = open(os.path.join(self.folder.name, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(peer.command_line(self.port, self.folder.name),
                                        stdout=self.log, stderr=self.log)

    def __enter__(self):
        try:
            self.wait_until_it_answers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        self.folder.cleanup()

    def wait_until_it_answers(self):
        until = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < until:
            if self.process.poll() is not None:
                self.log.seek(0)
                raise Failed(f"{self.peer.name} ended at once: {self.log.read().strip()[-300:]}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    if self.peer.kind == "redis":
                        probe.sendall(b"PING\r\n")
                    probe.settimeout(1)
                    if probe.recv(1):
                        return
            except OSError:
                time.sleep(0.02)
        raise Failed(f"{self.peer.name} does not answer on port {self.port}")


def load(command):
    """Runs a load generator and returns what it says of itself."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=RUN_SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end after {RUN_SECONDS_MAX} s: {shlex.join(command)}") from None
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Failed(f"{''.join(last)} ({os.path.basename(command[0])} status {done.returncode})")
    return json.loads(done.stdout)


def figures_of(report, beside):
    """The figures that a report holds, by the names that scenarios use."""
    found = {"seconds": report["seconds"]}
    use, options = report.get("server_use"), report["options"]
    if report["command"] == "connections":
        count = report["connections"]["opened"]
        found["connections_per_s"] = report["connections"]["per_s"]
        if use:
            grown = use["resident_after_bytes"] - use["resident_before_bytes"]
            found["bytes_per_connection"] = grown / count
            found["bytes_per_subscription"] = grown / count / options["subscriptions"]
    else:
        found["messages_per_s"] = report["published"]["messages_per_s"]
        if use:
            found["cpu_ns_per_message"] = use["ns_per_message"]
    times = (beside or report).get("latency_us")
    if times and (beside or report["command"] != "connections"):
        found.update(p50_us=times["p50"], p99_us=times["p99"], p99_9_us=times["p99_9"],
                     max_us=times["max"])
    return found


def run(scenario, peer, tools, seconds, rate=None):
    """Figures and the generator's report. `tools` is the folder of peal-bench and redis_load."""
    with Running(peer) as server:
        if peer.kind == "redis":
            report = load([os.path.join(tools, "perf", "redis_load"), "--port", str(server.port),
                           "--seconds", str(seconds), "--pid", str(server.process.pid),
                           *shlex.split(scenario.redis)])
            return figures_of(report, None), report
        bench = os.path.join(tools, "tools", "peal-bench")
        common = ["--server", f"127.0.0.1:{server.port}", "--quiet", "--json", "-"]
        arguments = shlex.split(scenario.arguments.format(seconds=seconds, rate=int(rate or 0)))
        beside = None
        if scenario.beside:
            beside = subprocess.Popen([bench, *shlex.split(scenario.beside), *common],
                                      stdout=subprocess.PIPE, text=True)
            time.sleep(0.5)  # It is in its stride when the other begins.
        try:
            report = load([bench, *arguments, *common, "--pid", str(server.process.pid)])
        finally:
            others = beside.communicate()[0] if beside else ""
        return figures_of(report, json.loads(others) if beside else None), report
