"""Pages that run are for everyone: what axe-core, a keyboard, a phone and a browser without scripts find.

Every page is looked at in test_book.py before anything is pressed; here are the states that come later.
"""

import everyone
import pytest

expect = pytest.importorskip("playwright.sync_api").expect

pytestmark = pytest.mark.slow

READY = 180_000  # ms; Python starts on a machine that other tests use too
CHAPTER = "book/neurons/neuron.html"
EXERCISE = "exercises/neurons/neuron.html"
STATUS = ".dl-live > [role=status]"
WRONG = "def weighted_sum(x, w, b):\n    return x @ w"
RIGHT = "def weighted_sum(x, w, b):\n    return x @ w + b"
FOCUSED = """() => {
  // The theme draws some things, and their ring, in a child that stands elsewhere.
  const family = [document.activeElement, ...document.activeElement.children];
  const marked = (each) => {
    const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(each);
    return (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
  };
  return {shown: family.some((each) => each.checkVisibility() && each.getBoundingClientRect().width > 0),
          marked: family.some(marked), what: document.activeElement.outerHTML.slice(0, 200)};
}"""
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def page(chromium):
    context = chromium.new_context(viewport=DESKTOP, color_scheme="light", reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(READY)
    yield page
    context.close()


def look(page):
    """Assert that axe-core finds nothing, in light and dark, and that nothing is wider than a phone."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        assert everyone.findings(page, only=None if theme == "light" else ["color-contrast"]) == []
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    assert page.locator("html").evaluate("html => html.scrollWidth - html.clientWidth") == 0
    page.set_viewport_size(DESKTOP)


def tab_to(page, wanted):
    """Press Tab until an element has the focus, and see that each stop on the way is visible."""
    for _ in range(120):
        page.keyboard.press("Tab")
        here = page.evaluate(FOCUSED)
        assert here["shown"], here["what"]
        assert here["marked"], here["what"]
        if page.locator(wanted).first.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {wanted}")


def test_chapter_by_keyboard_and_after_its_run(page, live_site):
    page.goto(f"{live_site}/{CHAPTER}", wait_until="networkidle")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.keyboard.press("Enter")
    tab_to(page, ".dl-live .dl-start")
    page.keyboard.press("Enter")
    expect(page.locator(STATUS)).to_contain_text("Running", timeout=READY)
    # Nothing moves for those who asked for that.
    assert (
        page.evaluate("document.getAnimations().map(each => each.animationName ?? each.transitionProperty)")
        == []
    )
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    expect(page.locator(STATUS)).to_contain_text("Done", timeout=READY)
    tab_to(page, "article [role=slider], article input[type=range]")
    look(page)


def test_exercise_after_checks(page, live_site):
    page.goto(f"{live_site}/{EXERCISE}", wait_until="networkidle")
    answer = page.locator('[data-role="answer"][data-grade-id="weighted_sum"]')
    tab_to(page, ".dl-live button")
    page.wait_for_selector("html[data-exercise=ready]")
    for code, state in ((WRONG, "notYet"), (RIGHT, "passed")):
        answer.evaluate(
            "(cell, code) => cell.dispatchEvent(new CustomEvent('dlcourse:set', {detail: code}))", code
        )
        button = answer.get_by_role("button", name="Check my answer")
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(f'.dl-report[data-grade-id="weighted_sum_check"][data-state="{state}"]')
        look(page)


@pytest.mark.parametrize("address", ["exercises/index.html", "search.html?q=neuron", "genindex.html"])
def test_other_kinds_of_pages(page, live_site, address):
    page.goto(f"{live_site}/{address}", wait_until="networkidle")
    if "search" in address:
        page.locator("#search-results li").first.wait_for()
    look(page)


def test_without_scripts_the_book_is_complete(chromium, live_site):
    context = chromium.new_context(viewport=DESKTOP, color_scheme="dark", java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_site}/{CHAPTER}")
    article = page.locator("article")
    expect(article).to_contain_text("What one neuron cannot do")
    assert article.locator("figure svg[role=img]:visible").count() >= 3
    expect(article.locator(".cell_output").first).to_be_visible()
    # The slider would not move; its first figure is there.
    expect(article.locator(".dl-stepper input")).to_be_hidden()
    expect(article.locator(".dl-stepper svg[role=img]")).to_be_visible()
    assert article.locator("button:visible").count() == 0
    ink, paper = (
        page.locator("body").evaluate(f"body => getComputedStyle(body).{name}")
        for name in ("color", "backgroundColor")
    )
    assert (ink, paper) == ("rgb(27, 31, 36)", "rgb(254, 254, 254)")
    menu = page.locator(".dropdown-download-buttons")
    menu.get_by_role("button").first.focus()
    with page.expect_download() as kept:
        menu.get_by_role("link", name=".ipynb").click()
    assert kept.value.suggested_filename.endswith("neuron.ipynb")
    context.close()
