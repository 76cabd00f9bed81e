"""A browser without a window, spoken to over two pipes in its DevTools protocol: JSON documents, each
closed by a NUL. It knows pages, keys and pictures; what a page should show is for its caller."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from wire import Failure

PATIENCE_S = 60
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-extensions", "--disable-background-networking",
             "--disable-component-update", "--remote-debugging-pipe"]


class Browser:
    def __init__(self, binary):
        self.profile = tempfile.mkdtemp(prefix="monitoring-browser-")
        theirs_in, self.writing = os.pipe()
        self.reading, theirs_out = os.pipe()
        # The protocol wants the descriptors 3 and 4; whatever is there now is out of the way first.
        shell = f"exec {binary} \"$@\" 3<&{theirs_in} 4>&{theirs_out}"
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "browser", *ARGUMENTS, "--user-data-dir=" + self.profile],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(theirs_in)
        os.close(theirs_out)
        self.numbers = itertools.count(1)
        self.unread = b""
        self.pages = {}

    def call(self, method, session=None, **parameters):
        """What the browser answers."""
        number = next(self.numbers)
        request = {"id": number, "method": method, "params": parameters}
        if session:
            request["sessionId"] = session
        os.write(self.writing, json.dumps(request).encode() + b"\0")
        end = time.monotonic() + PATIENCE_S
        while True:
            message = self._next(end)
            if message.get("id") == number:
                if "error" in message:
                    raise Failure(f"browser: {method}: {message['error']}")
                return message["result"]
            page = self.pages.get(message.get("sessionId"))
            if page:
                page.hear(message)

    def _next(self, end):
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.reading], [], [], max(0, end - time.monotonic()))
            more = os.read(self.reading, 1 << 16) if ready else b""
            if not more:
                raise Failure("browser: no answer")
            self.unread += more
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)

    def page(self, width, height, scheme):
        return Page(self, width, height, scheme)

    def close(self):
        os.close(self.writing)
        os.close(self.reading)
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    def __init__(self, browser, width, height, scheme):
        self.browser, self.width = browser, width
        self.requests, self.errors = [], []
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser.pages[self.session] = self
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(domain + ".enable")
        self.resize(height)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def resize(self, height):
        self.call("Emulation.setDeviceMetricsOverride", width=self.width, height=height,
                  deviceScaleFactor=1, mobile=self.width < 600)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def hear(self, message):
        about = message["params"]
        if message["method"] == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif message["method"] == "Runtime.exceptionThrown":
            self.errors.append(about["exceptionDetails"]["text"])
        elif message["method"] == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.errors.append(about["entry"]["text"])

    def open(self, url):
        self.call("Page.navigate", url=url)

    def value(self, expression):
        """Of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def wait_for(self, expression):
        end = time.monotonic() + PATIENCE_S
        while not self.value(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise Failure(f"the page never came to {expression}")
            time.sleep(0.05)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def press(self, key):
        code = {"Tab": 9, "Enter": 13}[key]
        for kind in ("rawKeyDown", "char", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "char" else {}
            if kind == "char" and not text:
                continue
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode=code, **text)

    def screenshot(self, path):
        """Of the whole page, as high as it is."""
        height = self.call("Page.getLayoutMetrics")["cssContentSize"]["height"]
        self.resize(int(height))
        picture = self.call("Page.captureScreenshot")
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))
