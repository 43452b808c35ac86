"""The whole book, built from scratch, and every page of it seen in a browser."""

import re
import threading
from pathlib import Path

import pytest

from dlcourse.publishing import pages
from dlcourse.publishing.build import site_folder
from dlcourse.publishing.serve import HOST, make_server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SOURCES = {path.relative_to(ROOT).with_suffix("").as_posix(): path for path in pages.pages(ROOT)}
STEPPERS = [name for name, path in SOURCES.items() if "stepper(" in path.read_text(encoding="utf-8")]
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def built(book):
    """A copy of the course in which the book was built with an empty cache."""
    assert book.status == 0, book.said
    return book


@pytest.fixture(scope="module")
def address(built):
    with make_server(built.folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def visit(chromium, address):
    """Open a page, and note everything that went wrong on the way."""
    contexts = []

    def open_page(name, size="desktop", theme="light"):
        context = chromium.new_context(viewport=SIZES[size], color_scheme=theme)
        contexts.append(context)
        page, wrong = context.new_page(), []
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: wrong.append(asked.url) if is_foreign(asked.url, address) else None)
        page.on(
            "response",
            lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None,
        )
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        # Else they are shown when they come near.
        page.evaluate("window.dlcourseWidgets?.showAll()")
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


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SOURCES)
def test_page_is_whole(visit, name, size, theme):
    page, wrong = visit(name, size, theme)
    assert wrong == []

    root = page.locator("html")
    assert root.get_attribute("data-theme") == theme
    assert root.evaluate("html => html.scrollWidth - html.clientWidth") == 0

    nameless = """elements => elements.filter(element => !(
        element.getAttribute("alt") || element.getAttribute("aria-label") || element.closest("[aria-hidden=true]")
        || element.querySelector(":scope > title"))).map(element => element.outerHTML.slice(0, 200))"""
    assert page.locator("article img, article svg").evaluate_all(nameless) == []

    raw = "elements => elements.filter(each => !each.querySelector('mjx-container')).map(each => each.textContent)"
    assert page.locator("article .math").evaluate_all(raw) == []
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0

    assert page.locator("script[type='application/vnd.jupyter.widget-view+json']").count() == 0
    written = SOURCES[name].read_text(encoding="utf-8").count("\nstepper(")
    assert page.locator(".widget-subarea .dl-stepper").count() >= written


@pytest.mark.parametrize("name", STEPPERS)
def test_slider_changes_the_figure(visit, name):
    page, wrong = visit(name)
    steppers = page.locator(".dl-stepper")
    assert steppers.count() > 0
    for stepper in steppers.all():
        shown = stepper.locator("svg[role=img]:visible")
        first = shown.element_handle()
        before = shown.get_attribute("aria-label")
        handle = stepper.get_by_role("slider")
        assert handle.get_attribute("aria-label")
        handle.focus()
        last = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
        handle.press("ArrowLeft" if last else "ArrowRight")
        page.wait_for_function("figure => !figure.checkVisibility()", arg=first)
        after = shown.get_attribute("aria-label")
        assert after
        assert after != before
    assert wrong == []


def test_search_finds_a_term(visit):
    page, wrong = visit("search")
    page.goto(f"{page.url}?q=neuron", wait_until="networkidle")
    page.locator("#search-results li").first.wait_for()
    assert wrong == []
