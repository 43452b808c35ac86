"""Widgets that call Python: one page made for it, with nearly every kind of widget, seen in a browser."""

import functools
import html
import json
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import ipywidgets
import pytest
from ipywidgets.embed import embed_data

from dlcourse.publishing.extension import ASSETS, MATHJAX
from dlcourse.publishing.live import distribution, shipping
from dlcourse.publishing.vendor import FILES

pytestmark = pytest.mark.slow

CELLS = {
    "controls": """
import ipywidgets as w
from IPython.display import display, clear_output, HTML, update_display

said = w.Output()
changed = {}
def tell(name):
    def told(change):
        changed[name] = change["new"]
        said.clear_output(wait=True)
        with said:
            print(name, "is", repr(change["new"]))
    return told
controls = {
    "float": w.FloatSlider(description="float", min=0, max=1, step=0.25),
    "text": w.Text(description="text"),
    "choice": w.Dropdown(description="choice", options=["a", "b", "c"]),
    "check": w.Checkbox(description="check"),
    "toggle": w.ToggleButtons(description="toggle", options=["x", "<i>y</i>"]),
    "range": w.IntRangeSlider(description="range", min=0, max=10, value=(2, 5)),
}
for name, control in controls.items():
    control.observe(tell(name), "value")
w.VBox([*controls.values(), said], layout=w.Layout(border="2px solid rgb(1, 2, 3)"))
""",
    "interact": """
import matplotlib.pyplot as plt
@w.interact(power=(1, 5), title="line")
def draw(power, title):
    if power == 5:
        raise ValueError("five is too much")
    print("power", power)
    plt.figure(figsize=(2, 1))
    plt.plot([x ** power for x in range(9)])
    plt.title(title)
""",
    "output of a function": """
a, b = w.IntSlider(description="a", value=2), w.IntSlider(description="b", value=3)
product = w.interactive_output(lambda a, b: print("product", a * b), {"a": a, "b": b})
w.link((a, "value"), (c := w.IntText(description="linked"), "value"))
display(w.HBox([a, b, c]), product)
""",
    "links": """
left, right = w.IntSlider(description="left"), w.IntProgress(description="right")
one, two = w.IntSlider(description="one"), w.IntSlider(description="two")
kept = [w.jslink((left, "value"), (right, "value")), w.jsdlink((one, "value"), (two, "value"))]
w.VBox([left, right, one, two])
""",
    "button": """
press = w.Button(description="Press", tooltip="does it", style={"button_color": "rgb(0, 90, 0)"})
presses = []
def pressed(_):
    presses.append(1)
    print("pressed", len(presses))
    if len(presses) == 2:
        1 / 0
    while len(presses) == 3:
        pass
press.on_click(pressed)
press
""",
    "capture": """
area = w.Output()
display(area)
with area:
    print("inside")
    display(HTML("<b id='bold'>bold</b><img src='x' onerror='window.harmed = 1'>"), display_id="kept")
    display(w.IntSlider(description="within"))
print("outside")
update_display(HTML("<b>bolder</b>"), display_id="kept")
with area:
    raise KeyError("caught")
""",
    "clear": """
area2, again = w.Output(), w.Button(description="Again")
def once_more(_):
    with area2:
        clear_output(wait=True)
        for number in range(300):
            print("line", number)
again.on_click(once_more)
w.VBox([again, area2])
""",
    "containers": """
tabs = w.Tab([w.Label("first page"), w.Label("second page")], titles=["One", "Two"])
tabs.observe(lambda change: print("tab", change["new"]), "selected_index")
folds = w.Accordion([w.Label("folded")], titles=["Fold"])
stack = w.Stack([w.Label("bottom"), w.Label("top")], selected_index=1)
grid = w.GridBox([w.Label(str(n)) for n in range(4)], layout=w.Layout(grid_template_columns="auto auto"))
w.VBox([tabs, folds, stack, grid])
""",
    "play": """
play, beat = w.Play(max=3, interval=60), w.Label("0")
play.observe(lambda change: setattr(beat, "value", f"beat {change['new']}"), "value")
w.HBox([play, beat])
""",
    "markup": r"""
import base64, io
import numpy as np
drawn = io.BytesIO()
plt.imsave(drawn, np.zeros((2, 3)), format="png")
image = w.Image(value=drawn.getvalue(), width=30)
mark = w.HTML("<u>under</u><script>window.harmed = 2</script><img src='x' onerror='window.harmed = 3'>")
formula = w.HTMLMath(r"the bias $b^2$")
named = w.HTML(description="<b onmouseover='window.harmed = 4'>named</b>", description_allow_html=True)
w.VBox([image, mark, formula, named])
""",
    "stepper": """
from matplotlib.figure import Figure
from dlcourse.figures import stepper, style

slope = 1
drawn = []
def draw_line(x):
    drawn.append(x)
    with style.context():
        figure = Figure(figsize=(5, 3))
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, slope * x])
        axes.set_xlabel("input")
    return figure

box = stepper("rise $r$", [0.0, 0.5, 1.0, 2.0], draw_line, alt=lambda x: f"A line that rises by {slope * x}.", start=0.5)
box
""",
    "drawn": "slope = 10; drawn",
}


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Say nothing."""


def saved_widgets():
    """The markup of a slider that nothing follows, and of one that is linked, as the build leaves them."""
    alone = ipywidgets.IntSlider(description="alone")
    source, target = ipywidgets.IntSlider(description="source"), ipywidgets.IntProgress()
    box = ipywidgets.VBox([source, target])
    box.link = ipywidgets.jslink((source, "value"), (target, "value"))
    data = embed_data(views=[alone, box])
    state = json.dumps(data["manager_state"]).replace("</", "<\\/")
    views = "".join(
        f'<script type="application/vnd.jupyter.widget-view+json">{json.dumps(view)}</script>'
        for view in data["view_specs"]
    )
    return f'<div id="saved">{views}</div><script type="application/vnd.jupyter.widget-state+json">{state}</script>'


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A site of one page, served."""
    site = tmp_path_factory.mktemp("site")
    try:
        distribution.obtain()
    except distribution.OutOfReachError as error:
        pytest.skip(str(error))
    shipping.add_scripts(site)
    shipping.ship(site)
    for folder in (ASSETS, FILES):
        shutil.copytree(folder, site / "_static", dirs_exist_ok=True)
    cells = [
        {"n": n, "source": source.strip(), "tags": [], "shown": True, "kind": "code"}
        for n, source in enumerate(CELLS.values())
    ]
    about = {
        "page": "page",
        "title": "",
        "runs": True,
        "why": "",
        "notebook": "",
        "digest": "0",
        "cells": cells,
    }
    (site / "_live").mkdir()
    (site / "_live" / "page.json").write_text(json.dumps(about))
    code = "".join(
        f'<div class="cell" data-cell="{cell["n"]}"><div class="cell_input"><pre>{html.escape(cell["source"])}</pre>'
        "</div></div>"
        for cell in cells
    )
    (site / "page.html").write_text(
        f"""<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><title>Widgets</title>
        <link rel="stylesheet" href="_static/dlcourse.css"><link rel="stylesheet" href="_static/live/live.css">
        <script>window.MathJax = {{tex: {{inlineMath: [["$", "$"]]}}}}</script>
        <script defer src="_static/{MATHJAX}"></script>
        <script defer src="_static/widgets/widgets.js"></script>
        <script defer src="_static/live/live.js"></script>
        <article class="bd-article"><h1>Widgets</h1><div style="height: 400vh"></div>{saved_widgets()}{code}</article>"""
    )
    handler = functools.partial(Silent, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        # A worker that is ended leaves off in the middle of a download.
        server.handle_error = lambda *arguments: None
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def page(chromium, address):
    """The page, running, with the saved widgets looked at first."""
    page = chromium.new_page()
    page.asked, page.wrong = [], []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url.removeprefix(address)))
    page.goto(f"{address}/page.html")
    page.get_by_role("button", name="Run this page").wait_for()
    yield page
    page.close()


@pytest.fixture(scope="module")
def running(page):
    page.get_by_role("button", name="Run this page").click()
    cells = {
        name: page.locator(f'[data-cell="{n}"] .dl-bar ~ .dl-live-output') for n, name in enumerate(CELLS)
    }
    page.wait_for_function(
        "document.querySelectorAll('[data-cell][data-state=done]').length === " + str(len(CELLS)),
        timeout=240_000,
    )
    return cells


def slide(cell, label, key="ArrowRight"):
    handle = cell.get_by_role("slider", name=label)
    handle.focus()
    handle.press(key)
    return handle


def test_saved_widgets(page):
    """They are drawn when they come near, and say what they lack."""
    assert not any("manager" in url for url in page.asked)
    page.locator("#saved").scroll_into_view_if_needed()
    page.get_by_role("slider", name="alone").wait_for()
    assert any("manager.js" in url for url in page.asked)
    note = page.get_by_text("run the page and it calls Python")
    note.wait_for()
    assert note.count() == 1
    slide(page.locator("#saved"), "source")
    page.locator("#saved .progress-bar[style*='width: 1%']").wait_for(state="attached")
    assert page.wrong == []


def test_every_cell_runs(page, running):
    assert page.wrong == []
    assert sum("manager.js" in url for url in page.asked) == 1


def test_controls_call_python(page, running):
    cell = running["controls"]
    handle = slide(cell, "float")
    cell.get_by_text("float is 0.25").wait_for()
    assert handle.get_attribute("aria-valuetext") == "0.25"
    cell.get_by_label("text").fill("héllo")
    cell.get_by_text("text is 'héllo'").wait_for()
    cell.get_by_label("choice").select_option("b")
    cell.get_by_text("choice is 'b'").wait_for()
    cell.get_by_label("check").check()
    cell.get_by_text("check is True").wait_for()
    cell.get_by_role("button", name="<i>y</i>").click()
    cell.get_by_text("toggle is '<i>y</i>'").wait_for()
    handles = cell.get_by_role("slider", name="range")
    handles.first.focus()
    handles.first.press("ArrowRight")
    cell.get_by_text("range is (3, 5)").wait_for()
    box = cell.locator(".widget-vbox").first
    assert box.evaluate("box => getComputedStyle(box).borderTopColor") == "rgb(1, 2, 3)"


def test_interact(running):
    cell = running["interact"]
    assert cell.locator("img").count() == 1
    before = cell.locator("img").get_attribute("src")
    slide(cell, "power")
    cell.get_by_text("power 4").wait_for()
    cell.page.wait_for_function(
        "before => document.querySelector('[data-cell=\"1\"] img')?.src !== before", arg=before
    )
    cell.locator("img").wait_for()
    assert cell.locator("img").count() == 1
    slide(cell, "power", "End")
    cell.get_by_text("five is too much").first.wait_for()
    slide(cell, "power", "Home")
    cell.get_by_text("power 1").wait_for()
    assert cell.get_by_text("five is too much").count() == 0


def test_interactive_output_and_link(running):
    cell = running["output of a function"]
    cell.get_by_text("product 6").wait_for()
    slide(cell, "a")
    cell.get_by_text("product 9").wait_for()
    assert cell.get_by_label("linked").input_value() == "3"


def test_links_of_the_browser(page, running):
    cell = running["links"]
    slide(cell, "left", "End")
    cell.locator(".progress-bar[style*='width: 100%']").wait_for(state="attached")
    slide(cell, "one")
    page.wait_for_function(
        "() => document.querySelector('[data-cell=\"3\"] [aria-label=two]').ariaValueNow === '1.0'"
    )


def test_button_and_error_of_its_callback(running):
    cell = running["button"]
    button = cell.get_by_role("button", name="Press", exact=True)
    assert button.evaluate("button => getComputedStyle(button).backgroundColor") == "rgb(0, 90, 0)"
    button.click()
    cell.get_by_text("pressed 1").wait_for()
    button.click()
    cell.locator(".dl-error", has_text="ZeroDivisionError").wait_for()


def test_output_areas_capture(page, running):
    cell = running["capture"]
    area = cell.locator(".widget-output").first
    for text in ("inside", "bolder", "caught"):
        area.get_by_text(text).first.wait_for()
    area.get_by_role("slider", name="within").wait_for()
    assert area.get_by_text("outside").count() == 0
    assert cell.get_by_text("outside").count() == 1
    assert cell.get_by_text("cannot show").count() == 0
    assert page.evaluate("window.harmed") is None


def test_clear_output(running):
    cell = running["clear"]
    for _ in range(2):
        cell.get_by_role("button", name="Again").click()
        cell.get_by_text("line 299").wait_for()
    assert cell.locator(".widget-output").inner_text().count("line 299") == 1


def test_containers(running):
    cell = running["containers"]
    assert cell.get_by_text("first page").is_visible()
    cell.get_by_role("tab", name="Two").click()
    cell.get_by_text("second page").wait_for()
    cell.get_by_text("tab 1").wait_for()
    assert not cell.get_by_text("folded").is_visible()
    cell.get_by_text("Fold", exact=True).click()
    cell.get_by_text("folded").wait_for()
    assert cell.get_by_text("top").is_visible()
    assert cell.get_by_text("bottom").count() == 0 or not cell.get_by_text("bottom").is_visible()


def test_play(running):
    cell = running["play"]
    cell.locator(".jupyter-button").first.click()
    cell.get_by_text("beat 3").wait_for()


def test_markup_is_harmless(page, running):
    cell = running["markup"]
    cell.locator("u", has_text="under").wait_for()
    assert cell.locator(".widget-image").evaluate("image => image.naturalWidth") == 3
    cell.locator(".widget-htmlmath mjx-container").wait_for()
    cell.locator("b", has_text="named").hover()
    assert page.evaluate("window.harmed") is None


def test_stepper_draws_when_asked(page, running):
    """One figure when the cell runs, then one a move, by what the reader has defined since."""
    cell = running["stepper"]
    assert running["drawn"].get_by_text("[0.5]").count() == 1
    figure = cell.locator("svg[role=img]")
    assert figure.get_attribute("aria-label") == "A line that rises by 0.5. (rise r: 0.5)"
    handle = slide(cell, "rise")
    assert handle.get_attribute("aria-valuetext") == "1"
    cell.locator("svg[aria-label='A line that rises by 10.0. (rise r: 1)']").wait_for()
    handle.press("ArrowLeft")
    cell.locator("svg[aria-label='A line that rises by 5.0. (rise r: 0.5)']").wait_for()


def test_stop_leaves_widgets_still(page, running):
    """An endless callback can be stopped. Widgets show what they showed, and cannot be moved as if somebody answered."""
    assert page.locator(".widget-subarea[inert]").count() == 0
    running["button"].get_by_role("button", name="Press", exact=True).click()
    page.get_by_role("region", name="Run this page").get_by_role("button", name="Stop").click()
    running["stepper"].locator(".widget-subarea[inert]").wait_for()
    assert running["stepper"].locator("svg[role=img]").is_visible()
    assert page.wrong == []
