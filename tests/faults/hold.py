"""Holds single threads of a process, as a debugger does. Knows ptrace; nothing of the process."""

import contextlib
import ctypes
import os

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
ALL_CHILDREN = 0x40000000  # __WALL: threads, too.

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request, thread):
    if _libc.ptrace(request, thread, None, None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"ptrace: {os.strerror(error)}")


def threads(process):
    """Thread ids by name."""
    found = {}
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/comm", encoding="ascii") as file:
            found[file.read().strip()] = int(thread)
    return found


@contextlib.contextmanager
def held(thread):
    """Must be left by the thread of ours that entered it."""
    _ptrace(SEIZE, thread)
    try:
        _ptrace(INTERRUPT, thread)
        os.waitpid(thread, ALL_CHILDREN)
        yield
    finally:
        with contextlib.suppress(OSError):
            _ptrace(DETACH, thread)
