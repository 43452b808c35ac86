"""A page runs in Firefox too."""

import os

import pytest

pytest.importorskip("websocket")

from firefox import Firefox, find

pytestmark = pytest.mark.slow

READY = 180  # s; Python starts on a machine that other tests use too
BUTTON = "document.querySelector('.dl-live .dl-start')"
STATUS = "document.querySelector('.dl-live > [role=status]').textContent"
LABEL = "document.querySelector('.dl-stepper [role=img]')?.getAttribute('aria-label')"
FETCHED = """performance.getEntriesByType('resource').filter(each => /live.(pyodide|python)/.test(each.name)
  && each.transferSize > 0).length"""


@pytest.fixture(scope="module")
def firefox():
    if (program := find()) is None:
        reason = "Firefox was not found: install it"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with Firefox(program) as firefox:
        yield firefox


def run(firefox, address):
    firefox.open(address)
    firefox.wait(f"{BUTTON} !== null", READY)
    firefox.evaluate(f"{BUTTON}.click()")
    return firefox.wait(f"{STATUS}.match(/^(Done|Failed).*/)?.[0]", READY)


def test_page_runs_twice(firefox, live_site):
    address = f"{live_site}/book/neurons/neuron.html"
    assert run(firefox, address) == "Done: 6 cells ran without an error."
    before = firefox.evaluate(LABEL)
    assert before
    firefox.evaluate("document.querySelector('.dl-stepper [role=slider]').focus()")
    firefox.press("\ue014")  # arrow to the right
    firefox.wait(f"{LABEL} !== {before!r}", READY)
    assert run(firefox, address) == "Done: 6 cells ran without an error."
    assert firefox.evaluate(FETCHED) == 0
    assert firefox.errors == []
