"""A page that runs, in Chromium: a small page of its own, with the files and the Python of the real site."""

import json
import os
import re
import threading
from functools import partial
from html import escape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dlcourse.publishing.live import shipping

expect = pytest.importorskip("playwright.sync_api").expect

STYLE = Path(shipping.__file__).parents[1] / "assets" / "dlcourse.css"
CELLS = [
    ("import numpy as np", False),
    ("x = np.arange(3.0)\nprint('x is', x)", True),
    ("total = x.sum()\ntotal", True),
    ("print('the total is', total)", True),
    ("total + 1", True),
]
READY = 120_000  # ms; Python starts on a machine that other tests use too
STATUS = ".dl-live > [role=status]"

pytestmark = pytest.mark.slow


def document(depth):
    """Write the page as the build does: its code, and outputs that the build left."""
    cells = "".join(
        f'<div class="cell docutils container" data-cell="{n}">'
        f'<div class="cell_input docutils container"><div class="highlight-ipython3 notranslate">'
        f'<div class="highlight"><pre>{escape(source)}</pre></div></div></div>'
        '<div class="cell_output docutils container"><div class="output text_plain"><div class="highlight">'
        f"<pre>left by the build {n}</pre></div></div></div></div>"
        for n, (source, shown) in enumerate(CELLS)
        if shown
    )
    up = "../" * depth
    return (
        '<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>A page</title>'
        '<meta name="viewport" content="width=device-width">'
        f'<link rel="stylesheet" href="{up}_static/dlcourse.css">'
        f'<link rel="stylesheet" href="{up}_static/live/live.css">'
        f'<script defer src="{up}_static/live/live.js?v=1"></script></head>'
        f'<body><article class="bd-article"><h1>A page</h1>{cells}</article></body></html>'
    )


def about(page, **changes):
    """Describe the page to the browser."""
    cells = [
        {"n": n, "source": source, "tags": [], "shown": shown, "kind": "code"}
        for n, (source, shown) in enumerate(CELLS)
    ]
    whole = {"page": page, "title": "A page", "runs": True, "why": "", "notebook": f"_sources/{page}.ipynb"}
    return json.dumps({**whole, "digest": "0" * 16, "cells": cells, **changes})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of few pages, below a path of its own."""
    folder = tmp_path_factory.mktemp("host")
    site = folder / "course"
    pages = {"book/page": {}, "book/torch": {"runs": False, "why": "This page needs PyTorch."}}
    for page, changes in pages.items():
        html = site / f"{page}.html"
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(document(page.count("/")))
        told = site / "_live" / f"{page}.json"
        told.parent.mkdir(parents=True, exist_ok=True)
        told.write_text(about(page, **changes))
    (site / "_static").mkdir()
    (site / "_static" / "dlcourse.css").write_text(STYLE.read_text())
    shipping.add_scripts(site)
    if said := shipping.ship(site):
        pytest.fail(said) if os.environ.get("CI") == "true" else pytest.skip(said)
    return site


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        """Say nothing."""


@pytest.fixture(scope="module")
def address(site):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site.parent))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/course/"
        server.shutdown()


# What the status line has said, in order: screen readers hear it.
LISTEN = """
globalThis.heard = [];
new MutationObserver(() => {
  const line = document.querySelector('.dl-live > [role=status]');
  if (line !== null && heard.at(-1) !== line.textContent) heard.push(line.textContent);
}).observe(document, {childList: true, subtree: true, characterData: true});
"""


@pytest.fixture(scope="module")
def running(chromium, address):
    """The page after its button was pressed and all its cells have run; tests share it."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.errors, page.foreign = [], []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("request", lambda r: r.url.startswith((address, "data:", "blob:")) or page.foreign.append(r.url))
    page.add_init_script(LISTEN)
    page.goto(f"{address}book/page.html")
    page.get_by_role("button", name="Run this page").click()
    wait_for_status(page, "Done|Failed")
    yield page
    context.close()


def wait_for_status(page, pattern):
    """Wait until the status line says something; when it never does, what it said is shown."""
    expect(page.locator(STATUS)).to_have_text(re.compile(pattern), timeout=READY)
    return page.locator(STATUS).inner_text()


def cell(page, n):
    return page.locator(f'[data-cell="{n}"]')


def output(page, n):
    return cell(page, n).locator(".cell_output").inner_text().strip()


def write(page, n, source):
    editor = cell(page, n).locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(source)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def run(page, n, source=None):
    """Run a cell, after writing it, and wait for its end."""
    if source is not None:
        write(page, n, source)
    before = page.evaluate("heard.length")
    press(page, f"Run: cell {n}")
    page.wait_for_function(
        "n => heard.slice(n).some((line) => /^(Done|Failed)/.test(line))", arg=before, timeout=READY
    )


def reset(page, n):
    if cell(page, n).get_by_role("button", name="Reset").get_attribute("aria-disabled") != "true":
        press(page, f"Reset: cell {n}")


def test_button_runs_all_cells_and_says_what_goes_on(running):
    heard = running.evaluate("heard")
    assert any(line.startswith("Python starts in your browser") for line in heard)
    assert any(re.match(r"Python is loading: \d+(\.\d)? of \d+ MB", line) for line in heard), heard
    assert heard[-2:] == ["Running 4 cells", "Done: 4 cells ran without an error."]
    assert [output(running, n) for n in (1, 2, 3, 4)] == [
        "x is [0. 1. 2.]",
        "np.float64(3.0)",
        "the total is 3.0",
        "np.float64(4.0)",
    ]
    assert running.errors == []
    assert running.foreign == []


def test_cell_is_edited_run_and_reset(running):
    run(running, 2, "total = 40 + x[2]\ntotal")
    assert output(running, 2) == "np.float64(42.0)"
    assert output(running, 3) == "the total is 3.0"
    press(running, "Run all above: cell 4")
    wait_for_status(running, "Done: 3 cells")
    assert output(running, 3) == "the total is 42.0"
    press(running, "Reset: cell 2")
    assert cell(running, 2).locator(".cm-content").inner_text().split("\n") == CELLS[2][0].split("\n")
    run(running, 2)
    assert output(running, 2) == "np.float64(3.0)"


def test_error_is_short_and_points_into_the_cell(running):
    run(running, 3, "def f(y):\n    return 1 / y\n\nf(0)")
    shown = output(running, 3)
    assert shown.startswith("ZeroDivisionError: division by zero")
    assert "return 1 / y" in shown
    assert "cell 3" in shown
    assert "site-packages" not in shown
    assert "pyodide" not in shown.lower()
    assert running.locator(STATUS).inner_text() == "Failed: cell 3 ended with ZeroDivisionError."
    run(running, 3, "1 +")
    assert output(running, 3).startswith("SyntaxError")
    reset(running, 3)


HOSTILE = """
class Page:
    def _repr_html_(self):
        return '''<style>.bd-article h1 { display: none } em { color: rgb(1, 2, 3) }</style>
<script>window.harm = 1</script><img src=x onerror="window.harm = 2"><svg onload="window.harm = 3"></svg>
<a href="javascript:window.harm = 4">link</a><iframe srcdoc="<script>parent.harm = 5</script>"></iframe>
<form action="https://example.org"><input name="q"><button>send</button></form>
<img src="https://example.org/pixel.png"><div style="background: url(https://example.org/ground.png)">ground</div>
<svg width="20" height="20"><defs><path id="dot" d="M0 0h9v9z"/></defs><use href="#dot"/>
<use href="https://example.org/a.svg#b"/></svg><em>kept</em><table><tr><td>1</td></tr></table>'''
Page()
"""


def test_html_is_made_harmless(running):
    run(running, 4, HOSTILE)
    shown = cell(running, 4).locator(".cell_output")
    harmful = "script, iframe, form, input, button, [onerror], [onload], [href^=javascript], [src^=http], [style*=url]"
    assert shown.locator(harmful).count() == 0
    assert shown.locator("use").evaluate_all("all => all.map((each) => each.getAttribute('href'))") == [
        "#dot",
        None,
    ]
    assert shown.locator("td").inner_text() == "1"
    assert shown.locator("em").evaluate("e => getComputedStyle(e).color") == "rgb(1, 2, 3)"
    assert running.locator("h1").is_visible()
    assert running.evaluate("window.harm") is None
    assert running.foreign == []
    reset(running, 4)


def test_text_can_be_written_over_and_coloured(running):
    run(
        running,
        4,
        "import sys\nfor i in range(4):\n    sys.stderr.write(f'\\r{i} of 3')\n"
        "print('\\x1b[31mred\\x1b[0m <b>plain</b>')",
    )
    shown = cell(running, 4).locator(".cell_output")
    assert shown.locator(".stderr").inner_text().strip() == "3 of 3"
    assert shown.locator(".stream").inner_text().strip() == "red <b>plain</b>"
    assert shown.locator(".dl-ansi-red").inner_text() == "red"
    reset(running, 4)


def test_displays_are_updated_and_cleared(running):
    run(
        running,
        4,
        "from IPython.display import clear_output, display\nprint('gone')\nclear_output()\n"
        "handle = display('first', display_id=True)\nhandle.update('second')",
    )
    assert output(running, 4) == "'second'"
    run(running, 3, "handle.update('third')")
    assert output(running, 4) == "'third'"
    reset(running, 3)
    reset(running, 4)


def test_flood_is_cut_with_a_sentence(running):
    run(running, 4, "for i in range(100):\n    print('x' * 1_000_000)")
    shown = output(running, 4)
    assert len(shown) < 300_000
    assert re.search(r"The output is longer than [\d,]+ characters; the rest is not shown\.$", shown)
    run(running, 4, "print('still alive')")
    assert output(running, 4) == "still alive"
    reset(running, 4)


def test_too_large_an_array_is_an_error_like_others(running):
    run(running, 4, "[np.empty(10**8) for _ in range(9)]")
    assert "MemoryError" in output(running, 4)
    reset(running, 4)


def focused(page):
    return page.evaluate(
        "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
    )


def test_everything_is_reached_by_keyboard(running):
    running.locator("h1").evaluate("e => { e.tabIndex = -1; e.focus(); }")
    reached = []
    for _ in range(20):
        running.keyboard.press("Tab")
        if focused(running).startswith("Code of"):
            running.keyboard.press("Escape")
        if not reached or focused(running) != reached[-1]:
            reached.append(focused(running))
    assert reached[:2] == ["Run all", "Stop"] or reached[:3] == ["Run all", "Stop", "Clear saved"]
    assert {f"{name}: cell 1" for name in ("Run", "Run all above", "Reset")} <= set(reached)
    cell(running, 1).locator(".cm-content").focus()
    running.keyboard.press("Control+End")
    running.keyboard.press("Enter")
    running.keyboard.press("Tab")
    running.keyboard.type("if (x.any(")
    assert cell(running, 1).locator(".cm-content").inner_text().endswith("\n    if (x.any())")
    running.keyboard.press("Control+a")
    running.keyboard.insert_text("print('by keyboard')")
    before = running.evaluate("heard.length")
    running.keyboard.press("Shift+Enter")
    assert focused(running) == "Code of cell 2"
    running.wait_for_function("n => heard.slice(n).some((line) => line.startsWith('Done'))", arg=before)
    assert output(running, 1) == "by keyboard"
    description = cell(running, 1).locator(".cm-content").get_attribute("aria-describedby")
    assert "Escape, then Tab leaves" in running.locator(f"#{description}").inner_text()
    reset(running, 1)


def test_phone_has_no_sideways_scrolling_and_large_buttons(running):
    size = running.viewport_size
    running.set_viewport_size({"width": 390, "height": 800})
    assert running.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = running.locator("button:visible").evaluate_all(
        "all => all.map((each) => each.getBoundingClientRect()).map(({width, height}) => Math.min(width, height))"
    )
    assert min(boxes) >= 24
    running.set_viewport_size(size)


def test_endless_loop_is_stopped(running):
    write(running, 4, "while True:\n    pass")
    press(running, "Run: cell 4")
    wait_for_status(running, "Cell 4 has run for 10 seconds. Stop ends it.")
    press(running, "Stop: cell 4")
    wait_for_status(running, "Python was stopped and has started again. What the cells had defined is gone")
    assert focused(running) == "Run: cell 4"
    reset(running, 4)
    run(running, 3)
    assert output(running, 3).startswith("NameError")
    assert "Run all above may help" in cell(running, 3).inner_text()
    press(running, "Run all above: cell 4")
    wait_for_status(running, "Done: 3 cells")
    assert output(running, 3) == "the total is 3.0"


# --- pages of their own, without waiting for Python ---------------------------------------------------------


@pytest.fixture
def visit(chromium, address):
    """Open a page of the site as a new reader."""
    contexts = []

    def open_page(page="book/page", prepare=lambda page: None, context=None, **options):
        if context is None:
            context = chromium.new_context(**options)
            contexts.append(context)
        opened = context.new_page()
        opened.add_init_script(LISTEN)
        prepare(opened)
        opened.goto(page if "://" in page else f"{address}{page}.html")
        return opened

    yield open_page
    for context in contexts:
        context.close()


def begin(page):
    # What is looked at here needs no Python, which would take its seconds to start.
    page.route("**/worker.js*", lambda route: route.abort())
    page.get_by_role("button", name="Run this page").click()
    page.locator(".cm-content").first.wait_for()


def saved(page):
    page.wait_for_timeout(500)


def text(page, n):
    return cell(page, n).locator(".cm-content").inner_text()


def test_changes_survive_a_reload_and_two_tabs(visit, site):
    first = visit()
    begin(first)
    second = visit(context=first.context)
    begin(second)
    write(first, 1, "x = 'first'")
    saved(first)
    write(second, 2, "total = 'second'")
    saved(second)
    first.reload()
    begin(first)
    assert [text(first, n) for n in (1, 2)] == ["x = 'first'", "total = 'second'"]
    assert "Your changes to 2 cells are back." in first.locator(".dl-note").inner_text()

    told = site / "_live" / "book" / "page.json"
    before = told.read_text()
    told.write_text(about("book/page", digest="1" * 16))
    try:
        first.reload()
        begin(first)
        assert text(first, 1) == CELLS[1][0]
        assert "The book has changed this page" in first.locator(".dl-note").inner_text()
        press(first, "Use my changes")
        assert text(first, 1) == "x = 'first'"
        press(first, "Clear saved")
        press(first, "Forget my changes")
        assert text(first, 1) == CELLS[1][0]
        first.reload()
        begin(first)
        assert first.locator(".dl-note").count() == 0
    finally:
        told.write_text(before)


def test_page_that_cannot_run_says_why_and_offers_the_notebook(visit, address):
    page = visit("book/torch")
    link = page.get_by_role("link", name="Download the notebook")
    link.wait_for()
    assert "This page needs PyTorch." in page.locator(STATUS).inner_text()
    assert link.evaluate("e => e.href") == f"{address}_sources/book/torch.ipynb"
    assert page.get_by_role("button", name="Run this page").count() == 0


def test_file_says_how_to_serve(visit, site):
    page = visit((site / "book" / "page.html").as_uri())
    assert "dlcourse serve" in page.locator(STATUS).inner_text()
    assert page.get_by_role("button").count() == 0
    assert "left by the build 1" in output(page, 1)


def test_without_scripts_the_book_is_complete(visit):
    page = visit(java_script_enabled=False, prepare=lambda page: None)
    assert page.locator(".dl-live").count() == 0
    assert "left by the build 1" in output(page, 1)


FAILURES = {
    "WebAssembly": (
        lambda page: page.add_init_script("delete globalThis.WebAssembly"),
        "This browser has no WebAssembly.* use a current",
        False,
    ),
    "blocked worker": (
        lambda page: page.add_init_script(
            "globalThis.Worker = class { constructor() { throw Error('no') } }"
        ),
        "did not let Python start in the background: allow scripts and workers",
        True,
    ),
    "worker that is not served": (
        lambda page: page.route("**/worker.js*", lambda route: route.abort()),
        "did not let Python start in the background: allow scripts and workers",
        True,
    ),
    "damaged wheel": (
        lambda page: page.context.route("**/numpy*.whl", lambda route: route.fulfill(body=b"damaged")),
        "numpy.* arrived damaged and was not used: reload",
        True,
    ),
    "missing wheel": (
        lambda page: page.context.route("**/numpy*.whl", lambda route: route.fulfill(status=404)),
        "numpy.* could not be loaded: try again",
        True,
    ),
    "missing page": (
        lambda page: page.route("**/_live/**", lambda route: route.abort()),
        "The cells of this page could not be loaded: check the connection",
        True,
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failure_is_one_sentence_and_the_page_stays_usable(visit, name):
    prepare, sentence, pressed = FAILURES[name]
    page = visit(prepare=prepare)
    if pressed:
        page.get_by_role("button", name="Run this page").click()
    said = wait_for_status(page, sentence)
    assert ". " not in said.removesuffix("Download the notebook").strip(), "more than one sentence"
    assert page.locator("h1").is_visible()
    assert page.locator('[aria-busy="true"], [data-state="running"], [data-state="waiting"]').count() == 0
    assert "left by the build 1" in output(page, 1)
    if name not in ("WebAssembly", "missing page"):
        write(page, 1, "x = 1")
        assert page.get_by_role("button", name="Run all", exact=True).get_attribute("aria-disabled") is None


STORAGE = {
    "full": (
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }",
        "The browser has no room left to keep your changes",
    ),
    "forbidden": (
        "Object.defineProperty(globalThis, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})",
        "The browser keeps nothing for this site",
    ),
}


@pytest.mark.parametrize("name", STORAGE)
def test_storage_that_keeps_nothing_is_said_once(visit, name):
    script, sentence = STORAGE[name]
    page = visit(prepare=lambda page: page.add_init_script(script))
    begin(page)
    write(page, 1, "x = 1")
    saved(page)
    write(page, 2, "total = 1")
    saved(page)
    assert page.locator(".dl-note").count() == 1
    assert sentence in page.locator(".dl-note").inner_text()
    assert text(page, 2) == "total = 1"
