"""What others make of monitoring: promtool, a real Prometheus, and a browser. Each case is skipped, with
the reason, where the program is not there."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time

from browser import Browser
from watched import Connection, Failure, Skipped, Watched, check, same
from wire import wait_for

PATIENCE_S = 60
LISTENING = re.compile(r'msg="Listening on".* address=\S*?:(\d+)')
HERE = os.path.dirname(os.path.abspath(__file__))
UNPACKED = os.path.join(HERE, "..", "..", "build", "prometheus", "usr", "bin")


def program(*names):
    """Its path: installed, or as tools/setup has unpacked it."""
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=UNPACKED)
        if found:
            return found
    raise Skipped(f"no {names[0]} here; Debian's package {names[0].replace('promtool', 'prometheus')} "
                  "has it")


def case_promtool(options):
    """Prometheus's own tool finds nothing to say about the format or the names."""
    promtool = program("promtool")
    watched = Watched(options)
    try:
        client = watched.client("told", b"SUB b 1\r\nPUB a 1\r\nx\r\n")
        answer = subprocess.run([promtool, "check", "metrics"], input=watched.ask("/metrics")[2],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                timeout=PATIENCE_S, check=False)
        same((answer.returncode, answer.stdout.decode()), (0, ""), "promtool")
        client.close()
    finally:
        watched.server.stop()


class Prometheus:
    """It scrapes one server, and answers questions."""

    def __init__(self, port, more=""):
        binary = program("prometheus")
        self.folder = tempfile.mkdtemp(prefix="monitoring-")
        config = os.path.join(self.folder, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("global: { scrape_interval: 200ms, scrape_timeout: 200ms }\n"
                       "scrape_configs:\n- job_name: peal\n"
                       f"{more}  static_configs: [ targets: [ '127.0.0.1:{port}' ] ]\n")
        self.process = subprocess.Popen(
            [binary, "--config.file=" + config, "--storage.tsdb.path=" + self.folder + "/data",
             "--web.listen-address=127.0.0.1:0"], cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.lines, self.heard = [], threading.Event()
        self.port = None
        threading.Thread(target=self._read, daemon=True).start()
        if not self.heard.wait(PATIENCE_S) or self.port is None:
            self.stop()
            raise Failure(f"Prometheus does not listen: {self.lines[-3:]}")

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)
            found = LISTENING.search(line)
            if found and self.port is None:
                self.port = int(found.group(1))
                self.heard.set()
        self.heard.set()

    def value(self, query):
        """Of a query with one result; None while there is none."""
        asker = Watched.__new__(Watched)
        asker.port, asker.tls = self.port, None
        status, _, body = asker.ask("/api/v1/query?query=" + query)
        result = json.loads(body)["data"]["result"] if status == 200 else []
        return float(result[0]["value"][1]) if result else None

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def case_prometheus(options):
    """A real one scrapes, as somebody who may, and counts what was published."""
    program("prometheus")
    watched = Watched(options, "http_token: tok-en\n")
    prometheus = None
    try:
        prometheus = Prometheus(watched.port, "  authorization: { credentials: tok-en }\n")
        client = watched.client("scraped", b"SUB a 1\r\n")
        client.send(b"PUB a 1\r\nx\r\n" * 7)
        client.expect(b"MSG a 1 1\r\nx\r\n" * 7)
        wait_for(lambda: prometheus.value("up") == 1, "scrape that Prometheus took", PATIENCE_S)
        wait_for(lambda: prometheus.value("sum(peal_messages_sent_total)") == 7,
                 "seven messages in Prometheus", PATIENCE_S)
        for query in ("scrape_samples_scraped", "sum(peal_turn_seconds_count)",
                      "peal_build_info", "sum(peal_kernel_enters_total)"):
            check((prometheus.value(query) or 0) > 0, f"Prometheus has no {query}")
        client.close()
    finally:
        if prometheus:
            prometheus.stop()
        watched.server.stop()


SHOWN = "document.querySelectorAll('#rows tr').length"
WIDTHS = (320, 1400)


def case_browser(options):
    """The page in a browser under load, narrow and wide, light and dark, by keyboard. Screenshots go to
    the folder that PEAL_SCREENSHOTS names, if it is set."""
    binary = program("chromium", "chromium-browser", "google-chrome",
                     "chromium-headless-shell")
    watched = Watched(options, "max_pending: 2MB\nwrite_deadline: \"2m\"\n")
    folder = os.environ.get("PEAL_SCREENSHOTS")
    clients = [watched.client(f"reader-{i}", b"SUB orders.* 1\r\n") for i in range(12)]
    # One is behind with its reading: more than half of what it may be waits for it.
    slow = Connection.connected(watched.server.port, {"name": "slow-<b>one</b>"}, receive_bytes=4096)
    slow.send(b"SUB heavy 1\r\n")
    slow.fence()
    writer = watched.client("writer")
    while watched.json("/connz?sort=pending&limit=1")["connections"][0]["pending_bytes"] < 1_200_000:
        writer.send(b"PUB heavy 65536\r\n" + b"x" * 65536 + b"\r\n")
        writer.fence()
    stop = threading.Event()

    def load():
        while not stop.is_set():
            writer.send(b"PUB orders.eu 5\r\nhello\r\nPUB orders.us 5\r\nhello\r\n" * 200)
            writer.fence()
            for client in clients:
                client.receive(time.monotonic() + 0.005)
                client.seen = b""

    browser = None
    loader = threading.Thread(target=load, daemon=True)
    try:
        browser = Browser(binary)
        loader.start()
        for width in WIDTHS:
            for scheme in ("light", "dark"):
                page = browser.page(width, 900, scheme)
                page.open(f"http://127.0.0.1:{watched.port}/")
                page.wait_for(f"{SHOWN} >= 14 && document.querySelector('tr.slow') && document.querySelector('#numbers b')")
                page.wait_for("document.querySelector('#line-in').points.length > 2")
                wide = page.value("document.documentElement.scrollWidth")
                check(wide <= width, f"at {width} pixels it is {wide} wide")
                check(page.value("document.querySelectorAll('#rows b').length") == 0,
                      "a client's name was taken for HTML")
                if folder:
                    page.screenshot(os.path.join(folder, f"page-{width}-{scheme}.png"))
                same(page.errors, [], f"what the page complains of at {width}")
                same([url for url in page.requests
                      if not url.startswith((f"http://127.0.0.1:{watched.port}/", "data:"))], [],
                     "what it asks others for")
        page.value("document.getElementById('search').focus()")
        page.type("reader-7")
        page.wait_for(f"{SHOWN} === 1")
        page.value("document.getElementById('search').value = ''")
        seen = []
        for _ in range(20):  # The tab key goes through everything that can be used.
            page.press("Tab")
            seen.append(page.value("(document.activeElement.id || document.activeElement.textContent)"))
        for wanted in ("which", "limit", "cid", "subs"):
            check(any(each.startswith(wanted) for each in seen), f"the tab key misses {wanted}: {seen}")
        page.value("[...document.querySelectorAll('#heads button')]"
                   ".find((each) => each.textContent.startsWith('subs')).focus()")
        page.press("Enter")
        page.wait_for("document.querySelector('th[aria-sort]').textContent.startsWith('subs')")
    finally:
        stop.set()
        if loader.is_alive():
            loader.join()
        if browser:
            browser.close()
        watched.server.stop()
        for client in (*clients, slow, writer):
            client.close()


ALONE = [case_promtool, case_prometheus, case_browser]
