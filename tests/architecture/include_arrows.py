#!/usr/bin/env python3
"""Reads every include of the tree, and fails on an arrow that the house does not have.

docs/architecture.md has the picture. In short: server may use protocol and core, which use neither
each other nor the server; each library that is not ours has the few files that may include it.
"""

import fnmatch
import os
import re
import sys

# Room -> rooms that it may include. tests and perf may include anything.
ARROWS = {
    "core": {"core"},
    "protocol": {"protocol"},
    "server": {"server", "protocol", "core"},
    "tools": {"tools", "protocol", "core"},
}
FREE_ROOMS = {"tests", "perf"}

# Library -> files that may include it, tests and perf apart.
LIBRARIES = {
    "liburing": ["core/ring.hpp", "core/ring.cpp"],
    "linux/io_uring": [],
    "rapidjson": ["protocol/json.hpp", "protocol/json.cpp", "protocol/connect.cpp"],
    "cxxopts": ["server/options.cpp", "tools/*"],
    "fmt": ["core/log.hpp", "core/*.cpp", "server/*", "tools/*"],  # No other header of core's.
    "openssl": ["server/secret.cpp", "server/nkey.cpp", "server/tls*.cpp", "tools/bench/tls.cpp",
                "server/websocket_upgrade.cpp", "server/monitor/http_connections.cpp"],
    "http_parser": ["server/websocket_upgrade.cpp"],
    "zlib": ["server/websocket_deflate.cpp", "tools/*"],
    "crypt": ["server/secret.cpp"],
    "seccomp": ["server/make_system_call_filter.cpp"],
    "event2": ["server/monitor/http_server.cpp", "server/monitor/http_connections.cpp"],
    "mimalloc": ["server/allocator.cpp"],  # It is linked, and nobody else knows.
    "doctest": [],
}

# What a room may not ask of the system: protocol is pure functions of bytes.
SYSTEM_DENIED = {
    "protocol": ["sys/*", "netinet/*", "arpa/*", "unistd.h", "fcntl.h", "poll.h", "pthread.h",
                 "mutex", "thread", "atomic", "chrono", "ctime", "time.h", "iostream", "fstream",
                 "cstdio", "stdio.h"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def sources(root):
    for room in sorted({*ARROWS, *FREE_ROOMS}):
        for folder, _, names in os.walk(os.path.join(root, room)):
            for name in sorted(names):
                if name.endswith((".hpp", ".cpp", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def library_of(included):
    for library in LIBRARIES:
        if included in (library + ".h", library + ".hpp") or included.startswith(library + "/"):
            return library
    return None


def faults_of(path, text, rooms):
    """What is wrong with the includes of one file, a sentence each."""
    room = path.split("/")[0]
    for match in INCLUDE.finditer(text):
        quoted, included = match.group(1) == '"', match.group(2)
        target = included.split("/")[0]
        if quoted and room in ARROWS and "/" not in included:
            yield f'{path}: "{included}" is no full path'
        if target in rooms:
            if room in ARROWS and target not in ARROWS[room]:
                yield f"{path}: {room} must not know {target} ({included})"
            continue
        if room in FREE_ROOMS:
            continue
        library = library_of(included)
        if library and not any(fnmatch.fnmatch(path, allowed) for allowed in LIBRARIES[library]):
            yield f"{path}: {library} is not for this file ({included})"
        if any(fnmatch.fnmatch(included, denied) for denied in SYSTEM_DENIED.get(room, [])):
            yield f"{path}: {room} must not ask the system ({included})"


def version_faults(root):
    def found(path, pattern):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            match = re.search(pattern, file.read())
        return match.group(1) if match else None

    build = found("meson.build", r"version: '([^']+)'")
    for path in ("server/version.hpp", "tools/bench/version.hpp"):
        header = found(path, r'\bversion = "([^"]+)"')
        if build != header:
            yield f"meson.build says version {build}, {path} says {header}"


def self_test():
    """The test must find what it is there for."""
    rooms = {*ARROWS, *FREE_ROOMS}
    wrong = [
        ("core/a.hpp", '#include "protocol/parser.hpp"'),
        ("core/a.hpp", '#include "server/shard.hpp"'),
        ("protocol/a.cpp", '#include "core/log.hpp"'),
        ("protocol/a.cpp", "#include <rapidjson/document.h>"),
        ("protocol/a.cpp", "#include <sys/socket.h>"),
        ("server/a.cpp", "#include <liburing.h>"),
        ("core/reactor_uring.cpp", "#  include <liburing.h>"),
        ("core/reactor_uring.cpp", "#include <linux/io_uring.h>"),
        ("server/main.cpp", "#include <cxxopts.hpp>"),
        ("core/mailbox.hpp", "#include <fmt/format.h>"),
        ("server/a.cpp", '#include "tests/support/x.hpp"'),
        ("server/a.cpp", '#include "shard.hpp"'),
    ]
    right = [
        ("core/ring.hpp", "#include <liburing.h>"),
        ("server/a.cpp", '#include "core/log.hpp"\n#include <fmt/format.h>'),
        ("protocol/json.cpp", "#include <rapidjson/reader.h>"),
        ("tests/core/a.cpp", '#include "server/shard.hpp"\n#include <doctest/doctest.h>'),
    ]
    for path, text in wrong:
        if not list(faults_of(path, text, rooms)):
            yield f"the test is blind: it lets {path} have {text}"
    for path, text in right:
        for fault in faults_of(path, text, rooms):
            yield f"the test is too strict: {fault}"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    faults = list(self_test())
    rooms = {*ARROWS, *FREE_ROOMS}
    files = 0
    for path in sources(root):
        files += 1
        with open(os.path.join(root, path), encoding="utf-8") as file:
            faults += faults_of(path, file.read(), rooms)
    faults += version_faults(root)
    for fault in faults:
        print(fault)
    print(f"{files} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
