"""A process beside a server under test: a load that counts, or one that harms. Knows how it ends, and
what a soak of peal-bench says of faults.
"""

import subprocess

from faults import Failure, check


class Party:
    """A process beside the server, and what it has to say at its end."""

    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, start_new_session=True)

    def result(self, patience_s):
        try:
            out, err = self.process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self.name}: did not end") from None
        last = (err.strip() or out.strip() or "nothing").splitlines()[-1]
        check(self.process.returncode == 0,
              f"{self.name}: status {self.process.returncode}, {last}")
        return out

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def faults_of(run):
    counts = run["faults"]
    check(not any(counts.values()), f"faults: {counts}")
    check(run["received"]["messages"] > 0, "nothing came")
    return f"{run['received']['messages']:,} messages, no fault"
