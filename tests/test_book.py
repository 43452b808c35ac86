"""The whole book, built from scratch, and every page of it seen in a browser."""

import os
import re
import threading
from pathlib import Path

import everyone
import pytest
import weight

from dlcourse.publishing import pages
from dlcourse.publishing.build import site_folder
from dlcourse.publishing.live.packages import ROOMS
from dlcourse.publishing.serve import HOST, make_server

expect = pytest.importorskip("playwright.sync_api").expect

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SOURCES = {path.relative_to(ROOT).with_suffix("").as_posix(): path for path in pages.pages(ROOT)}
EXERCISES = [
    path.relative_to(ROOT).with_suffix("").as_posix()
    for path in sorted((ROOT / "exercises").glob("*/*.md"))
    if path.parent.name in ROOMS
]
STEPPERS = [name for name, path in SOURCES.items() if "stepper(" in path.read_text(encoding="utf-8")]
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
UNDRAWN = """[...document.querySelectorAll("article use")].map(use => use.getAttribute("href"))
  .filter(name => document.getElementById(name.slice(1)) === null)"""
"""Parts of figures that refer to what is not there."""


@pytest.fixture(scope="module")
def built(book):
    """A copy of the course in which the book was built with an empty cache."""
    assert book.status == 0, book.said
    return book


@pytest.fixture(scope="module")
def folder(request):
    """That copy; DLCOURSE_TEST_BOOK can name one that is there already."""
    chosen = os.environ.get("DLCOURSE_TEST_BOOK")
    return Path(chosen) if chosen else request.getfixturevalue("built").folder


@pytest.fixture(scope="module")
def address(folder):
    with make_server(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def visit(chromium, address):
    """Open a page, and note everything that went wrong on the way."""
    contexts = []

    def open_page(name):
        # What fades from light to dark would be looked at half way.
        context = chromium.new_context(
            viewport=SIZES["desktop"], color_scheme="light", reduced_motion="reduce"
        )
        contexts.append(context)
        page, wrong = context.new_page(), []
        page.asked = []
        page.on("request", lambda asked: page.asked.append(asked.url))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: wrong.append(asked.url) if is_foreign(asked.url, address) else None)
        page.on(
            "response",
            lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None,
        )
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        page.evaluate("async () => { await window.MathJax?.startup?.promise; await document.fonts.ready }")
        return page, wrong

    yield open_page
    for context in contexts:
        context.close()


def is_foreign(url, address):
    return not url.startswith((f"{address}/", "data:", "blob:"))


def test_everything_was_built_and_run(built):
    site, ran = site_folder(built.folder), len(pages.notebooks(built.folder))
    assert re.search(
        rf"Built {len(SOURCES)} pages in \d+ s; ran {ran} notebooks, 0 did not change", built.said
    )
    for name in SOURCES:
        assert (site / f"{name}.html").is_file()
    for notebook in pages.notebooks(built.folder):
        name = notebook.relative_to(built.folder).with_suffix(".ipynb")
        assert (site / "_sources" / name).is_file()


@pytest.mark.parametrize("name", [*SOURCES, *EXERCISES])
def test_page_is_whole(visit, address, folder, name):
    page, wrong = visit(name)
    found = weight.weights(page.asked, address, site_folder(folder))
    assert sum(found.values()) <= weight.MOST, sorted(found.items(), key=lambda each: each[1])[-8:]
    # Else they are shown when they come near.
    page.evaluate("window.dlcourseWidgets?.showAll()")

    nameless = """elements => elements.filter(element => !(
        element.getAttribute("alt") || element.getAttribute("aria-label") || element.closest("[aria-hidden=true]")
        || element.querySelector(":scope > title"))).map(element => element.outerHTML.slice(0, 200))"""
    assert page.locator("article img, article svg").evaluate_all(nameless) == []
    assert page.evaluate(UNDRAWN) == []

    raw = "elements => elements.filter(each => !each.querySelector('mjx-container')).map(each => each.textContent)"
    assert page.locator("article .math").evaluate_all(raw) == []
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0

    assert page.locator("script[type='application/vnd.jupyter.widget-view+json']").count() == 0
    if name in SOURCES:
        written = SOURCES[name].read_text(encoding="utf-8").count("\nstepper(")
        assert page.locator(".widget-subarea .dl-stepper").count() >= written

    root = page.locator("html")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(root).to_have_attribute("data-theme", theme)
        for size in SIZES.values():
            page.set_viewport_size(size)
            assert root.evaluate("html => html.scrollWidth - html.clientWidth") == 0
        page.set_viewport_size(SIZES["desktop"])
        # All but contrast is the same in both.
        assert everyone.findings(page, only=None if theme == "light" else ["color-contrast"]) == []
    assert wrong == []


@pytest.mark.parametrize("name", STEPPERS)
def test_slider_changes_the_figure(visit, name):
    page, wrong = visit(name)
    steppers = page.locator(".dl-stepper")
    assert steppers.count() > 0
    for stepper in steppers.all():
        shown = stepper.locator("svg[role=img]")
        before = shown.get_attribute("aria-label")
        handle = stepper.get_by_role("slider")
        assert handle.get_attribute("aria-label")
        said = handle.get_attribute("aria-valuetext")
        handle.focus()
        last = handle.get_attribute("max") == handle.get_attribute("value")
        handle.press("ArrowLeft" if last else "ArrowRight")
        expect(shown).not_to_have_attribute("aria-label", before)
        assert handle.get_attribute("aria-valuetext") != said
        assert shown.count() == 1
    assert page.evaluate(UNDRAWN) == []
    assert wrong == []


def test_search_finds_a_term(visit):
    page, wrong = visit("search")
    page.goto(f"{page.url}?q=neuron", wait_until="networkidle")
    page.locator("#search-results li").first.wait_for()
    assert wrong == []
