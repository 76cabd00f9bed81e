#!/usr/bin/env python3
"""Kills real servers by fatal signals and reads what they say of it: crash_test.py SERVER"""

import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

SIGNALS = [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE]
LIBC = ctypes.CDLL(None)


def crash(server, number, thread, with_log):
    """The report of a server one of whose threads gets the signal; nothing is in it but what is said here."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, 'log')
        flags = ['-a', '127.0.0.1', '-p', '-1', '--threads', '2', '--ports_file_dir', folder]
        process = subprocess.Popen([server, *flags, *(['-l', log] if with_log else [])],
                                   stderr=subprocess.PIPE, text=True)
        if with_log:
            while not (os.path.exists(log) and 'Server is ready' in pathlib.Path(log).read_text()):
                assert process.poll() is None
        else:
            while 'Server is ready' not in process.stderr.readline():
                assert process.poll() is None
        threads = {pathlib.Path(path, 'comm').read_text().strip(): int(path.name)
                   for path in pathlib.Path(f'/proc/{process.pid}/task').iterdir()}
        assert LIBC.tgkill(process.pid, threads[thread], number) == 0
        said = process.communicate(timeout=30)[1]
        assert process.returncode == -number, process.returncode
        if with_log:
            logged = pathlib.Path(log).read_text()
            assert said in logged, 'the log has another report'
        return said


def check(said, number, thread):
    assert f'crashed: {number.name} from process {os.getpid()}, in thread {thread}' in said, said
    assert 'shard 0' in said and 'shard 1' in said, said
    if thread == 'peal-shard-1':
        assert 'shard 1, which crashed: turn ' in said, said
    assert 'peal-server(+0x' in said, said


def main():
    server = sys.argv[1]
    passed = failed = 0
    for number in SIGNALS:
        for thread, with_log in (('peal-shard-1', True), ('peal-server', False)):
            try:
                check(crash(server, number, thread, with_log), number, thread)
                passed += 1
            except (AssertionError, KeyError) as error:
                print(f'{number.name} to {thread}: {error!r}')
                failed += 1
    print(f'{passed} passed, {failed} failed')
    sys.exit(failed > 0)


main()
