"""The log has nowhere to go: disk full, file too large, stderr closed, nobody reads the pipe."""

import contextlib
import os
import subprocess
import tempfile

from faults import (CONFINE, Connection, Skipped, Stream, check, closing, lies_at, scene,
                    wait_for)


def talk(server, newcomers=200):
    """Each newcomer is a line in a log with -D; and all is served."""
    with closing(Stream(server.port, "logged")) as (stream,):
        for _ in range(newcomers):
            Connection.connected(server.port).close()
        stream.exchange()


@scene("output: a device that is always full")
def full_device(world):
    server = world.serve_unheard("-DV", prefix=(*CONFINE, "--full", "2", "--"))
    talk(server)
    server.stop()


@scene("output: a log file that may not grow")
def file_size(world):
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        server = world.serve_unheard("-D", "-l", log,
                                     prefix=(*CONFINE, "--limit", "fsize=8192", "--"))
        talk(server)
        check(os.path.getsize(log) <= 8192, "it grew")
        server.signal("USR1")
        talk(server, 20)
        server.stop()


@contextlib.contextmanager
def small_disk(bytes_max):
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={bytes_max}", "none", folder],
                                 capture_output=True, check=False)
        if mounted.returncode != 0:
            raise Skipped("no file system may be mounted here")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


@scene("output: a disk that is full, and has room again")
def full_disk(world):
    with small_disk(64 * 1024) as folder:
        log = os.path.join(folder, "log")
        with open(os.path.join(folder, "filler"), "wb") as filler:
            filler.write(b"x" * 60 * 1024)
        server = world.serve_unheard("-D", "-l", log)
        talk(server)
        os.unlink(os.path.join(folder, "filler"))
        talk(server, 20)

        def told():
            with open(log, encoding="utf-8", errors="replace") as file:
                return "log lines lost" in file.read()
        wait_for(told, "the log saying how many lines were lost")
        server.stop()


@scene("output: started with standard input, output and error closed")
def closed(world):
    for close in (("2",), ("0", "1", "2")):
        options = [word for number in close for word in ("--close", number)]
        server = world.serve_unheard("-DV", prefix=(*CONFINE, *options, "--"))
        for descriptor in range(3):
            what = lies_at(server, descriptor)
            check(what == "/dev/null", f"descriptor {descriptor} is {what}")
        connections = [Connection.connected(server.port) for _ in range(8)]
        talk(server, 20)
        for connection in connections:
            connection.fence()  # And not a word of a log in between.
            connection.close()
        server.stop()


@scene("output: the reader of the log has gone")
def reader_gone(world):
    read, write = os.pipe()
    server = world.serve_unheard("-DV", stderr=write)
    os.close(write)
    os.close(read)
    talk(server)
    server.stop()


@scene("output: the reader of the log does not read")
def reader_stuck(world):
    read, write = os.pipe()
    server = world.serve_unheard("-DV", stderr=write)
    os.close(write)
    talk(server, 800)
    try:
        server.stop()
    finally:
        os.close(read)
