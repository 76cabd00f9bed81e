"""Signals in each phase: starting, under load, reloading, leaving, stopping."""

import signal
import subprocess
import time

from faults import Connection, Failure, Stream, check, closing, scene

HARMLESS = ("HUP", "USR1", "PIPE", "WINCH", "URG", "CHLD")
ENDING = ("TERM", "INT")


def numbered(name):
    return getattr(signal, "SIG" + name)


def signals_as_usual():
    """Who is started in the background may have been told to ignore these."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@scene("signals: while it starts")
def starting(world):
    """Each a little later than the one before, so that some find it not yet listening."""
    seen = {}
    for name in ("TERM", "INT", "HUP", "USR1", "USR2", "PIPE"):
        for step in range(40 if world.long else 8):
            process = subprocess.Popen(
                [world.path, "-a", "127.0.0.1", "-p", "-1", *world.flags],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                preexec_fn=signals_as_usual)
            try:
                time.sleep(step * (0.0005 if world.long else 0.0025))
                process.send_signal(numbered(name))
                if name not in ENDING:
                    for line in process.stderr:
                        if "Server is ready" in line:
                            break
                    process.send_signal(signal.SIGINT)  # TERM does not hurry a lame duck.
                process.stderr.read()
                status = process.wait(20)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            # Before main has run, a signal does what it does to every process.
            check(status in (0, -numbered(name), -signal.SIGINT),
                  f"{name} after {step} steps: status {status}")
            seen[status] = seen.get(status, 0) + 1
    return f"{seen.get(0, 0)} of {sum(seen.values())} ended with status 0, the rest before main"


@scene("signals: under load, all that must not end it")
def loaded(world):
    server = world.serve()
    streams = [Stream(server.port, f"loaded.{n}") for n in range(6)]
    with closing(*streams):
        for turn in range(120 if world.long else 30):
            for stream in streams:
                stream.publish(100)
            for name in HARMLESS:
                server.signal(name)
            newcomer = Connection.connected(server.port)
            for stream in streams:
                stream.expect_all()
            newcomer.fence()
            newcomer.close()
        server.check_alive()
    server.stop()


@scene("signals: stopped and continued as a whole, under load")
def stopped(world):
    server = world.serve()
    streams = [Stream(server.port, f"stopped.{n}") for n in range(6)]
    with closing(*streams):
        for stream in streams:
            stream.publish(500)
        server.signal("STOP")
        time.sleep(5 if world.long else 1)
        for stream in streams:
            stream.publisher.socket.setblocking(True)
        server.signal("CONT")
        for stream in streams:
            stream.expect_all()
            stream.exchange()
    server.stop()


@scene("signals: once it is told to end, it ends, whatever else comes")
def ending(world):
    for name in ENDING:
        for other in (*HARMLESS, *ENDING):
            server = world.serve()
            with closing(*(Stream(server.port, f"ending.{n}") for n in range(4))) as streams:
                for stream in streams:
                    stream.exchange(20)
                    stream.publish(100)
                server.signal(name)
                for _ in range(5):
                    server.signal(other)
                server.expect_exit(0)


@scene("signals: during lame duck mode")
def leaving(world):
    config = 'lame_duck_duration: "30s"\nlame_duck_grace_period: "10s"'
    server = world.serve(config=config)
    with closing(*(Stream(server.port, f"leaving.{n}") for n in range(4))) as streams:
        for stream in streams:
            stream.exchange(20)
        server.signal("USR2")
        server.expect_log("Entering lame duck mode")
        for name in ("TERM", "USR2", *HARMLESS):
            server.signal(name)
            for stream in streams:
                try:
                    stream.exchange(20)
                except Failure as failure:
                    raise Failure(f"{name}: {failure}") from None
        server.signal("INT")
        server.expect_exit(0)
