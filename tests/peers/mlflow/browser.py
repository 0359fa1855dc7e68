"""A headless Chromium, driven by its DevTools protocol over a pipe: no driver program, no WebSocket library."""

import base64
import fcntl
import io
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

from PIL import Image


# A busy machine without a graphics card needs its time for a page of charts.
SECONDS = 120


class PageGone(Exception):
    """The document was replaced while a script ran in it; ask the next one."""


class Browser:
    """One page. Use it in a with statement: it ends the browser."""

    def __init__(self, profile: Path, width: int = 1400, height: int = 900):
        commands_out, to_write = os.pipe()
        answers, answers_in = os.pipe()
        moved = (commands_out, answers_in)
        chromium = shutil.which("chromium")
        assert chromium, "no chromium: apt-get install chromium"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   "--disable-dev-shm-usage", f"--user-data-dir={profile}", f"--window-size={width},{height}",
                   "--remote-debugging-pipe", "about:blank"]
        # The browser reads commands from descriptor 3 and answers on 4; ours are moved out of their way.
        to_read, answers_in = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in moved)
        for fd in moved:
            os.close(fd)
        shell = f'exec "$@" 3<&{to_read} 4>&{answers_in} {to_read}<&- {answers_in}>&-'
        self.process = subprocess.Popen(["bash", "-c", shell, "chromium", chromium, *options],
                                        pass_fds=(to_read, answers_in), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(to_read)
        os.close(answers_in)
        self.commands, self.answers = to_write, answers
        self.buffer, self.number, self.session = b"", 0, None
        self.console: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Runtime.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.commands)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, 9)
        except ProcessLookupError:
            pass
        self.process.wait()

    def _message(self, deadline: float) -> dict:
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.answers], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self.answers, 1 << 20)
            assert data, "the browser has ended"
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method: str, seconds: float = SECONDS, **params) -> dict:
        self.number += 1
        command = {"id": self.number, "method": method, "params": params}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.commands, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + seconds
        while True:
            message = self._message(deadline)
            if message.get("id") == self.number:
                error = message.get("error", {}).get("message", "")
                if "context" in error or "navigated" in error:
                    raise PageGone(error)
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            if message.get("method") == "Runtime.exceptionThrown":
                self.console.append(json.dumps(message["params"])[:500])

    def evaluate(self, script: str):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{script}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def open(self, url: str) -> None:
        # The same page with another #part is no navigation to a browser; about:blank in between makes it one.
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)

    def text(self) -> str:
        try:
            return self.evaluate("document.body ? document.body.innerText : ''") or ""
        except PageGone:
            return ""

    def wait_for(self, *words: str, seconds: float = SECONDS) -> str:
        """Until the page shows all of them; returns its text."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.text()
            missing = [word for word in words if word not in text]
            if not missing:
                return text
            assert time.monotonic() < deadline, f"the page never showed {missing}; it says:\n{text[:3000]}"
            time.sleep(0.25)

    def wait_until(self, script: str, what: str, seconds: float = SECONDS):
        deadline = time.monotonic() + seconds
        while True:
            try:
                value = self.evaluate(script)
            except PageGone:
                value = None
            if value:
                return value
            assert time.monotonic() < deadline, f"{what}: never; the page says:\n{self.text()[:3000]}"
            time.sleep(0.25)

    def click(self, selector: str) -> None:
        """The first element that matches a CSS selector, once it is there."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.wait_until(f"!!{element}", f"an element {selector}")
        self.evaluate(f"{element}.click()")

    def type_into(self, selector: str, text: str) -> None:
        element = f"document.querySelector({json.dumps(selector)})"
        self.wait_until(f"!!{element}", f"an element {selector}")
        self.evaluate(f"{element}.focus()")
        self.call("Input.insertText", text=text)

    def screenshot(self, path: Path) -> None:
        """A PNG file of 96 colours: a third of the size, and good enough for pages."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        image = Image.open(io.BytesIO(data)).convert("RGB")
        image.quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)
