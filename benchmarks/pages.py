"""How long does a reader wait for a page that runs, and how much is downloaded, beside the same page by JupyterLite?

    python benchmarks/pages.py [--quick] [--json] [--site FOLDER]

In headless Chromium, in turn: a reader with a new profile opens a page and presses its button; a program imports the
course, prints, and shows a slider with a figure that Python draws; the slider is moved; then the browser is closed, and
the reader comes back. The peer is the same program on a page of jupyterlite-sphinx, with the button that runs it at once
and the same release of Pyodide. Both are served from this machine, gzipped; a browser has to ask whether what it keeps
is still right; no other host can be reached. Equal results are asserted before anything is timed. Then a chapter of the
book: its weight and first paint before anything is pressed, the run of all its cells, and its slider.

The site is the one that `dlcourse build` made. The peer's is built the first time, into the user's cache.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import html
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import _pages_peer
from playwright.sync_api import BrowserContext, Frame, Page, Playwright, sync_playwright
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
CHAPTER = "book/neurons/neuron.html"
CODE = """\
import ipywidgets
import numpy as np
from matplotlib import pyplot as plt

from dlcourse.neurons.neuron import GATE_INPUTS, GATES, train_perceptron

w, b, mistakes = train_perceptron(GATE_INPUTS, GATES["OR"], passes=20)
print("weights", w, "bias", b)


@ipywidgets.interact(slope=(-3.0, 3.0, 0.5))
def draw(slope=1.0):
    x = np.linspace(-1, 1, 50)
    plt.plot(x, slope * x)
    plt.show()"""
SAID = "weights [2. 2.] bias -1.0"
WAIT = 120_000  # ms
MOVES = 3
PACKED = {".woff2", ".woff", ".whl", ".zip", ".png", ".gz"}
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
# Moves the slider once, and returns the seconds until another figure is there.
MOVE = """async (image) => {
  const before = document.querySelector(image).src;
  const handle = document.querySelector('.noUi-handle');
  const began = performance.now();
  handle.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
  for (;;) {
    const now = document.querySelector(image);
    if (now !== null && now.src !== before && now.complete) return (performance.now() - began) / 1000;
    await new Promise((done) => requestAnimationFrame(done));
  }
}"""

# The same on a chapter, whose figures are drawings.
STEP = """async () => {
  const stepper = document.querySelector('.dl-live-output .dl-stepper');
  const label = () => stepper.querySelector('svg').getAttribute('aria-label');
  const before = label();
  const handle = stepper.querySelector('[role=slider]');
  const began = performance.now();
  handle.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
  while (label() === before) await new Promise((done) => requestAnimationFrame(done));
  return (performance.now() - began) / 1000;
}"""

OURS = "dlcourse"
FIRST, SLIDER, SENT = "button to first result", "slider to new figure", "sent on the first visit"
SECOND, SENT_AGAIN = "second visit: button to first result", "sent on the second visit"
PAINT, WEIGHT = "a chapter: first paint", "a chapter: weight before anything is pressed"
CHAPTER_RUN, CHAPTER_SLIDER = "a chapter: button to all cells run", "a chapter: slider to new figure"


class Goal(NamedTuple):
    """The unit of a case, and what it may be at most: as it stands, or as a share of the peer's."""

    unit: str
    most: float | None = None
    share: float | None = None


CASES = {
    FIRST: Goal("s", share=1 / 3),
    SLIDER: Goal("s", 0.3),
    SENT: Goal("B", 20e6),
    SECOND: Goal("s"),
    SENT_AGAIN: Goal("B", 0),
    PAINT: Goal("s", 1.0),
    WEIGHT: Goal("B", 400e3),
    CHAPTER_RUN: Goal("s"),
    CHAPTER_SLIDER: Goal("s", 0.3),
}


class Host(SimpleHTTPRequestHandler):
    """A static host with gzip, that counts the bytes of what it sends."""

    protocol_version = "HTTP/1.1"
    sent = 0

    def do_GET(self) -> None:
        """Send a file, or say that it has not changed."""
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        if not path.is_file():
            self.send_error(404)
            return
        body, tag, packed = _packed(path)
        same = self.headers.get("If-None-Match") == tag
        self.send_response(304 if same else 200)
        self.send_header("ETag", tag)
        self.send_header("Cache-Control", "no-cache")
        if not same:
            self.send_header("Content-Type", self.guess_type(path))
            self.send_header("Content-Length", str(len(body)))
            if packed:
                self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if not same:
            Host.sent += len(body)
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@cache
def _packed(path: Path) -> tuple[bytes, str, bool]:
    """Return what is sent of a file, its tag, and whether it is gzipped."""
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    if path.suffix in PACKED:
        return content, tag, False
    return gzip.compress(content, 6), tag, True


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder, and yield its address without a slash at the end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def our_site(site: Path, folder: Path) -> Path:
    """Make a site that shares all with the book's but has one page more: the program as its only cell."""
    (folder / "_live").mkdir()
    for path in (*site.iterdir(), *(site / "_live").iterdir()):
        if path.name != "_live":
            (folder / path.relative_to(site)).symlink_to(path)
    about = {
        "page": "program",
        "title": "Program",
        "runs": True,
        "why": "",
        "notebook": "",
        "digest": "0" * 16,
    }
    cell = {"n": 0, "source": CODE, "tags": [], "shown": True, "kind": "code"}
    (folder / "_live" / "program.json").write_text(json.dumps({**about, "cells": [cell]}))
    styles = "".join(
        f'<link rel="stylesheet" href="_static/{name}">'
        for name in ("styles/pydata-sphinx-theme.css", "dlcourse.css", "live/live.css")
    )
    (folder / "program.html").write_text(
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>Program</title>{styles}'
        '<script defer src="_static/live/live.js"></script></head><body><article class="bd-article"><h1>Program</h1>'
        '<div class="cell docutils container" data-cell="0"><div class="cell_input docutils container">'
        '<div class="highlight-ipython3 notranslate"><div class="highlight"><pre>'
        f"{html.escape(CODE)}</pre></div></div></div></div></article></body></html>"
    )
    return folder


def our_frame(page: Page) -> Frame:
    """Return where results of our page appear: where the cells stand."""
    return page.main_frame


def their_frame(page: Page) -> Frame:
    """Return where results of the peer's page appear."""
    page.wait_for_function("document.querySelector('iframe') !== null", timeout=WAIT)
    frame = page.locator("iframe").element_handle().content_frame()
    assert frame is not None, "the peer's button shows no frame"
    return frame


class Way(NamedTuple):
    """How a program is run on a page: the page, its button, and where results appear."""

    address: str
    button: str
    frame: Callable[[Page], Frame]
    output: str
    image: str


WAYS = {
    OURS: Way("program.html", ".dl-live .dl-start", our_frame, ".dl-live-output", ".dl-live-output img"),
    "JupyterLite": Way(
        "index.html",
        ".jupyterlite_sphinx_try_it_button",
        their_frame,
        ".jp-OutputArea-output",
        ".jp-OutputArea img",
    ),
}


def visit(page: Page, way: Way, address: str) -> tuple[float, float]:
    """Visit a page, and return the seconds to the first result, and from the slider to a new figure."""
    page.goto(f"{address}/{way.address}", wait_until="networkidle")
    button = page.locator(way.button)
    button.wait_for(timeout=WAIT)
    began = time.perf_counter()
    button.click()
    frame = way.frame(page)
    frame.locator(way.output).get_by_text(SAID).first.wait_for(timeout=WAIT)
    seconds = time.perf_counter() - began
    frame.locator(way.image).first.wait_for(timeout=WAIT)
    page.wait_for_timeout(500)  # what still goes on after the first figure is not the slider's
    moves = [float(frame.evaluate(MOVE, way.image)) for _ in range(MOVES)]
    return seconds, statistics.median(moves)


@contextmanager
def browser(playwright: Playwright, profile: str) -> Iterator[BrowserContext]:
    """Start a browser that keeps what it knows in a folder, as a reader's does."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=executable, args=FLAGS, viewport={"width": 1280, "height": 1000}
    )
    try:
        yield context
    finally:
        context.close()


def reader(playwright: Playwright, way: Way, address: str) -> dict[str, float]:
    """Let somebody come for the first time, and again on another day."""
    with tempfile.TemporaryDirectory() as profile:
        Host.sent = 0
        with browser(playwright, profile) as context:
            first, slider = visit(context.new_page(), way, address)
        sent, Host.sent = Host.sent, 0
        with browser(playwright, profile) as context:
            second, _ = visit(context.new_page(), way, address)
        return {FIRST: first, SLIDER: slider, SENT: sent, SECOND: second, SENT_AGAIN: Host.sent}


def chapter(playwright: Playwright, address: str) -> dict[str, float]:
    """Let somebody read a chapter, then run it, then move its slider."""
    with tempfile.TemporaryDirectory() as profile, browser(playwright, profile) as context:
        Host.sent = 0
        page = context.new_page()
        page.goto(f"{address}/{CHAPTER}", wait_until="networkidle")
        page.evaluate("async () => { await MathJax.startup.promise; await document.fonts.ready }")
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        weight = Host.sent
        began = time.perf_counter()
        page.locator(".dl-live .dl-start").click()
        page.locator(".dl-live > [role=status]").get_by_text("Done").wait_for(timeout=WAIT)
        seconds = time.perf_counter() - began
        moves = [float(page.evaluate(STEP)) for _ in range(MOVES)]
    return {
        PAINT: paint / 1000,
        WEIGHT: weight,
        CHAPTER_RUN: seconds,
        CHAPTER_SLIDER: statistics.median(moves),
    }


def measure(site: Path, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Measure all cases, in alternating rounds, by way and case."""
    times: dict[str, dict[str, list[float]]] = {name: {} for name in WAYS}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        ours, peer = our_site(site, Path(folder)), _pages_peer.site(CODE)
        with served(ours) as our_address, served(peer) as peer_address:
            addresses = dict(zip(WAYS, (our_address, peer_address), strict=True))
            for name, address in addresses.items():  # packs what is sent, and asserts equal results
                reader(playwright, WAYS[name], address)
            for _ in range(rounds):
                for name, address in addresses.items():
                    found = reader(playwright, WAYS[name], address)
                    if name == OURS:
                        found |= chapter(playwright, address)
                    for case, value in found.items():
                        times[name].setdefault(case, []).append(value)
    return times


def rows_of(times: dict[str, dict[str, list[float]]]) -> list[dict[str, Any]]:
    """Make a row of each case and way."""
    rows = []
    for case, (unit, _, _) in CASES.items():
        ours = times[OURS][case]
        for way, cases in times.items():
            if case not in cases:
                continue
            ratios = [theirs / own for theirs, own in zip(cases[case], ours, strict=True) if own]
            key = "seconds" if unit == "s" else "bytes"
            ratio = statistics.median(ratios) if ratios else None
            rows.append({"case": case, "peer": way, key: statistics.median(cases[case]), "ratio": ratio})
    return rows


def shown(value: float | None, unit: str) -> str:
    """Write a value with its unit."""
    if value is None:
        return ""
    if unit == "s":
        return f"{value:.2f} s"
    return f"{value / 1e6:.1f} MB" if value >= 1e6 else f"{value / 1e3:.0f} kB"


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three rounds instead of nine")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--site", type=Path, default=ROOT / "build" / "book" / "html", help="a built site")
    options = parser.parse_args()
    if not (options.site / CHAPTER).is_file():
        sys.exit(f"There is no site in {options.site}: run `dlcourse build` first.")
    rounds = 3 if options.quick else 9
    rows = rows_of(measure(options.site.resolve(), rounds))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    if options.json:
        json.dump({"machine": machine, "rows": rows}, sys.stdout)
        return
    table = Table(title=f"a page that runs ({machine}; medians of {rounds} alternating rounds)")
    for name in ("case", "way", "median", "value / ours", "goal"):
        table.add_column(name, justify="left" if name in ("case", "way") else "right")
    for row in rows:
        unit, goal, share = CASES[row["case"]]
        own = row["peer"] == OURS
        wanted = f"≤ {shown(goal, unit)}" if own and goal is not None else ""
        table.add_row(
            row["case"] if own else "",
            row["peer"],
            shown(row.get("seconds", row.get("bytes")), unit),
            "" if row["ratio"] is None else f"{row['ratio']:.2f}",
            f"≥ {1 / share:.0f}" if share and not own else wanted,
        )
    Console(width=110).print(table)


main()
