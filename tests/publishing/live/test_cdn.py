"""A site without Pyodide: its pages take it from the official distribution, whose part a folder plays here."""

import shutil
import threading

import pytest

from dlcourse.publishing.build import site_folder
from dlcourse.publishing.live import distribution, shipping
from dlcourse.publishing.serve import HOST, make_server

expect = pytest.importorskip("playwright.sync_api").expect

pytestmark = pytest.mark.slow

READY = 180_000  # ms; Python starts on a machine that other tests use too
CHAPTER = "book/neurons/neuron.html"
STATUS = ".dl-live > [role=status]"
TYPES = {".wasm": "application/wasm", ".mjs": "text/javascript"}


@pytest.fixture(scope="module")
def site(live_folder, tmp_path_factory):
    """The address of the site as it is where Pyodide could not be had."""
    course = tmp_path_factory.mktemp("course")
    folder = site_folder(course)
    shutil.copytree(live_folder, folder)
    shutil.rmtree(folder / shipping.LIVE / "pyodide")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(distribution.SETTING, distribution.CDN)
        assert shipping.ship(folder)
    with make_server(course, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def open_chapter(chromium, site, answer):
    """Open a chapter, press its button, and return the page with what it asked of others and complained of."""
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(READY)
    page.asked, page.wrong = [], []
    page.on("console", lambda said: page.wrong.append(said.text) if said.type == "error" else None)

    def other(route):
        page.asked.append(route.request.url)
        answer(route)

    context.route(lambda address: not address.startswith((site, "blob:", "data:")), other)
    page.goto(f"{site}/{CHAPTER}")
    page.get_by_role("button", name="Run this page").click()
    return page


def test_page_runs_with_the_official_distribution(chromium, site):
    def answer(route):
        name = route.request.url.removeprefix(distribution.release().address)
        path = distribution.obtain() / name
        headers = {"access-control-allow-origin": "*", "content-type": TYPES.get(path.suffix, "text/plain")}
        route.fulfill(body=path.read_bytes(), headers=headers)

    page = open_chapter(chromium, site, answer)
    expect(page.locator(STATUS)).to_contain_text("Done", timeout=READY)
    assert page.locator(".dl-live-output svg").count() > 0
    assert page.wrong == []
    assert all(address.startswith(distribution.release().address) for address in page.asked)
    assert distribution.release().address + "pyodide.asm.wasm" in page.asked
    page.context.close()


def test_page_says_so_when_the_distribution_does_not_answer(chromium, site):
    page = open_chapter(chromium, site, lambda route: route.abort())
    expect(page.locator(STATUS)).to_contain_text("could not be loaded: try again")
    page.context.close()
