#!/usr/bin/env python3
"""Runs the tests of a build and counts the cases inside them, which meson does not.

A doctest program counts its own cases, other programs may end with "N passed, N failed", and what
does neither is one test. The last line is the sum.
"""

import argparse
import json
import os
import re
import subprocess
import sys

DOCTEST = re.compile(r"^\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed", re.M)
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed", re.M)


def counted(test):
    """Passed and failed cases of one entry of meson's log."""
    output = test.get("stdout", "") + test.get("stderr", "")
    succeeded = test["result"] in ("OK", "EXPECTEDFAIL")
    counts = DOCTEST.findall(output) or PLAIN.findall(output)[-1:]
    passed = sum(int(count[0]) for count in counts)
    failed = sum(int(count[1]) for count in counts)
    if not counts:
        passed, failed = int(succeeded), int(not succeeded)
    # A sanitizer or a crash may end a program whose cases all passed.
    return passed, failed if succeeded else max(failed, 1)


def in_suite(test, suite):
    return suite is None or any(name.split(":")[-1] == suite for name in test["suite"])


def print_targets(build, suite):
    """The programs of a suite, or of all tests, as ninja calls them."""
    tests = json.loads(subprocess.check_output(["meson", "introspect", build, "--tests"]))
    programs = {test["cmd"][0] for test in tests if in_suite(test, suite)}
    for program in sorted(programs):
        if program.startswith(os.path.abspath(build)):
            print(os.path.relpath(program, build))


def run(build, arguments):
    log = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    # TERM=dumb: one line a test, instead of one that is drawn again and again.
    status = subprocess.run(["meson", "test", "-C", build, "--print-errorlogs", *arguments],
                            env={**os.environ, "TERM": "dumb"}).returncode
    passed = failed = 0
    if os.path.exists(log):
        with open(log, encoding="utf-8") as lines:
            for line in lines:
                test = json.loads(line)
                if test["result"] == "SKIP":
                    print(f"skipped {test['name']}: {test.get('stdout', '').strip()}")
                    continue
                test_passed, test_failed = counted(test)
                passed += test_passed
                failed += test_failed
    if status != 0 and failed == 0:
        failed = 1
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--suite")
    parser.add_argument("--targets", action="store_true", help="only name the programs")
    arguments, more = parser.parse_known_args()
    if arguments.targets:
        return print_targets(arguments.build, arguments.suite)
    if arguments.suite:
        more += ["--suite", arguments.suite]
    return run(arguments.build, more)


if __name__ == "__main__":
    sys.exit(main())
