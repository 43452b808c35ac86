"""Firefox, by WebDriver BiDi: the one of the system, which Playwright cannot drive."""

import itertools
import json
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import websocket

START = 60
"""Seconds in which Firefox must be there."""


def find():
    """Name the program, or return None."""
    return next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)


class Firefox:
    """A Firefox with one page; use it in a `with` block.

    Args:
        program: the file to start.
    """

    def __init__(self, program):
        self.program = program
        self.numbers = itertools.count(1)
        self.errors = []

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            [
                self.program,
                "--headless",
                "--no-remote",
                "--remote-debugging-port=0",
                "--profile",
                self.profile.name,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            address = self._address()
            self.socket = websocket.create_connection(
                f"{address}/session", timeout=START, suppress_origin=True
            )
            self.ask("session.new", capabilities={})
            self.ask("session.subscribe", events=["log.entryAdded"])
            self.page = self.ask("browsingContext.getTree")["contexts"][0]["context"]
            self.ask("browsingContext.activate", context=self.page)  # keys go to what has the focus
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *error):
        self.socket.close()
        self._end()

    def _address(self):
        """Read where it listens; what it says later is thrown away, so that it never waits to be read."""
        found = []
        there = threading.Event()

        def read():
            for line in self.process.stderr:
                if match := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                    found.append(match[1])
                    there.set()

        self.reader = threading.Thread(target=read, daemon=True)
        self.reader.start()
        assert there.wait(START), "Firefox did not start"
        return found[0]

    def _end(self):
        self.process.terminate()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        self.profile.cleanup()

    def ask(self, method, **params):
        """Send a command and return its answer."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            said = json.loads(self.socket.recv())
            if said.get("method") == "log.entryAdded" and said["params"]["level"] == "error":
                self.errors.append(said["params"]["text"])
            if said.get("id") == number:
                assert said["type"] == "success", said
                return said["result"]

    def open(self, address):
        """Open a page and wait until it is loaded."""
        self.ask("browsingContext.navigate", context=self.page, url=address, wait="complete")

    def evaluate(self, expression):
        """Return what an expression gives in the page: a text, a number or a truth value."""
        said = self.ask(
            "script.evaluate", expression=expression, target={"context": self.page}, awaitPromise=True
        )
        assert said["type"] == "success", said["exceptionDetails"]["text"]
        return said["result"].get("value")

    def wait(self, expression, seconds):
        """Ask until an expression is true, and return its value."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < end, f"still not: {expression}"
            time.sleep(0.1)
        return value

    def press(self, *keys):
        """Press keys, one after the other."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask(
            "input.performActions",
            context=self.page,
            actions=[{"type": "key", "id": "keyboard", "actions": actions}],
        )

    def picture(self, path):
        """Save what is seen."""
        import base64

        data = self.ask("browsingContext.captureScreenshot", context=self.page)["data"]
        Path(path).write_bytes(base64.b64decode(data))
