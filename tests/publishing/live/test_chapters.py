"""Every chapter of the NumPy half runs in a browser, with the results of the build."""

import json
import math
import os
import re
from pathlib import Path

import pytest

from dlcourse.publishing import pages

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
# Those that take longest come first, so that all workers are done at the same time.
CHAPTERS = (
    "training/evaluation",
    "training/regularization",
    "training/generalization",
    "introduction/features",
    "training/optimizers",
    "training/initialization",
    "training/normalization",
    "learning/backpropagation",
    "learning/loss",
    "learning/gradient_descent",
    "learning/autodiff",
    "neurons/activation",
    "neurons/network",
    "neurons/neuron",
)
HEAVY = ("training/evaluation", "training/regularization", "training/generalization")
"""Those whose networks train for minutes in a browser: they run where `DLCOURSE_CHAPTERS` is `all`."""
RUN = [name for name in CHAPTERS if os.environ.get("DLCOURSE_CHAPTERS") == "all" or name not in HEAVY]
MINUTES = 25

TOLERANCE = 1e-3
"""By how much a number may differ from that of the build, relative to its size."""
LOOSER = {
    "training/generalization": 2e-2,
    # Rates at which the networks only just hold together: another order of a sum, another network.
    "training/normalization": 1e-1,
    "training/initialization": 1e-2,
    "training/regularization": 1e-2,
    "training/optimizers": 3e-2,
    "training/evaluation": 5e-2,
}
"""For chapters whose networks are trained: sums in another order lead to slightly different weights."""

VARYING = {
    "training/normalization": r"normalization-(count|rates-figure)",
    "learning/autodiff": r"autodiff-(microseconds|value-seconds|train-seconds|single|recorded|fast)|Tensor|by hand",
    # With these rates each step makes the last one's rounding errors grow.
    "learning/backpropagation": r"backpropagation-(ratio|hours|seconds)|rate [12]\.0",
    # A rate that does not fall: the steps around the lowest point never settle.
    "training/optimizers": r"constant  |optimizers-constant-loss",
    # A handful of pictures that a network got wrong or doubted: after 2,000 steps another one of them comes in.
    "training/evaluation": r"evaluation-(seconds|worst-p|worst-figure|reader-calibration|passed|passed-wrong):",
}
"""Lines, and names for glue, that no two runs have in common: measured times, and trainings that go astray."""
TIME = re.compile(r"\d ?(?:s|ms|µs)\b")

NUMBER = re.compile(r"(?<![\w.])[-−+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?")
WIDGET = "application/vnd.jupyter.widget-view+json"
IMAGE = re.compile(r"image/|text/html")

# Listens to what the page and its worker say, and lets `glue` keep what it is given.
LISTEN = """
  window.said = { runs: {}, outputs: {}, done: {}, failed: [], changed: 0, own: {} };
  const glued = `
import sys
from dlcourse_live import formats
sys.modules["myst_nb"].kept = {}
def glue(name, value, display=True):
    sys.modules["myst_nb"].kept[name] = formats.bundle_of(value)[0]["text/plain"]
sys.modules["myst_nb"].glue = glue`;
  window.Worker = class extends Worker {
    constructor(...how) {
      super(...how);
      this.addEventListener('message', (event) => {
        const { data } = event;
        if (data.id < 0) {
          event.stopImmediatePropagation();
          if (data.type === 'stream') said.own[data.id] = (said.own[data.id] ?? '') + data.text;
          if (data.type === 'done') said.done[data.id] = data;
          return;
        }
        if (data.type === 'failed') said.failed.push(data);
        if (data.type === 'done') said.done[data.id] = data;
        if (data.type === 'comm' && JSON.stringify(data.data ?? {}).includes('<svg')) said.changed += 1;
        if ('id' in data && data.type !== 'done') (said.outputs[data.id] ??= []).push(data);
      });
      window.python = this;
    }
    postMessage(message, ...rest) {
      if (message.type === 'run' && Object.keys(said.runs).length === 0) {
        super.postMessage({ type: 'run', id: -1, code: glued, name: 'test' });
      }
      if (message.type === 'run') said.runs[message.id] = message.code;
      super.postMessage(message, ...rest);
    }
  };
"""
ALL_DONE = """(count) => {
  const done = Object.entries(said.done).filter(([id]) => id > 0);
  return said.failed.length > 0 || done.length >= count || done.some(([, { status }]) => status === 'error');
}"""
FAILED = (
    "() => said.failed.concat(Object.values(said.outputs).flat().filter((each) => each.type === 'error'))"
)
ASK = """async (code) => {
  python.postMessage({ type: 'run', id: -2, code, name: 'test' });
  while (said.done[-2] === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
  return JSON.parse(said.own[-2]);
}"""
KEPT = "import json, sys; print(json.dumps(sys.modules['myst_nb'].kept))"


def test_every_chapter_of_the_numpy_half_is_here(live_folder):
    parts = {name.partition("/")[0] for name in CHAPTERS}
    names = {path.relative_to(ROOT / "book").with_suffix("").as_posix() for path in pages.notebooks(ROOT)}
    pages_with_cells = set()
    for name in (name for name in names if name.partition("/")[0] in parts):
        about = json.loads((live_folder / "_live" / "book" / f"{name}.json").read_text(encoding="utf-8"))
        assert about["runs"], about["why"]
        if any(cell["shown"] for cell in about["cells"]):
            pages_with_cells.add(name)
    assert pages_with_cells == set(CHAPTERS)


@pytest.mark.parametrize("name", RUN)
def test_results_are_those_of_the_build(chromium, live_site, live_folder, name):
    notebook = json.loads((live_folder / "_sources" / "book" / f"{name}.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    built = [from_notebook(cell["outputs"]) for cell in cells]
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.set_default_timeout(60_000)
    page.add_init_script(LISTEN)
    page.goto(f"{live_site}/book/{name}.html")
    page.get_by_role("button", name="Run this page").click()
    page.wait_for_function(ALL_DONE, arg=len(cells), timeout=MINUTES * 60_000, polling=500)
    assert page.evaluate(FAILED) == []

    runs, outputs = page.evaluate("() => [said.runs, said.outputs]")
    number = {code: identity for identity, code in runs.items()}
    differences = []
    for cell, (expected, _) in zip(cells, built, strict=True):
        source = "".join(cell["source"])
        first = next(filter(None, source.splitlines()), "")
        live = from_page(outputs.get(number[source], []))
        differences += [f"{first}: {said}" for said in compared(name, expected, live)]
    glued = {key: text for _, given in built for key, text in given.items()}
    kept = page.evaluate(ASK, KEPT)
    assert kept.keys() == glued.keys()
    for key, text in glued.items():
        differences += different(name, f"{key}: {text}", f"{key}: {kept[key]}")
    assert not differences, "\n".join(differences)

    steppers = page.locator(".dl-live-output .dl-stepper")
    assert steppers.count() == sum(kind == WIDGET for expected, _ in built for kind, _ in expected)
    for place in range(steppers.count()):
        move(page, steppers.nth(place))
    assert page.evaluate(FAILED) == []
    assert wrong == []
    context.close()


def move(page, stepper):
    """Move a slider by the keyboard and see Python draw another figure."""
    before, drawn = stepper.locator("svg").first.get_attribute("aria-label"), page.evaluate("said.changed")
    handle = stepper.get_by_role("slider")
    handle.scroll_into_view_if_needed()
    handle.focus()
    least = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    page.keyboard.press("ArrowLeft" if least else "ArrowRight")
    page.wait_for_function("(drawn) => said.changed > drawn", arg=drawn)
    page.wait_for_function(
        "([stepper, before]) => stepper.querySelector('svg').getAttribute('aria-label') !== before",
        arg=[stepper.element_handle(), before],
    )


def from_notebook(outputs):
    """Return the outputs of an executed cell as (kind, text), and what it gave to glue."""
    shown, glued = [], {}
    for output in outputs:
        if output["output_type"] == "stream":
            shown.append((output["name"], "".join(output["text"])))
        elif name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
            data = output["data"]
            glued[name] = "".join(data.get("application/papermill.record/text/plain", data.get("text/plain")))
        else:
            shown.append(kind_and_text(output["data"]))
    return joined(shown), glued


def from_page(messages):
    """Return the same of what the worker told the page."""
    shown = []
    for message in messages:
        if message["type"] == "stream":
            shown.append((message["name"], message["text"]))
        elif message["type"] == "display":
            shown.append(kind_and_text(message["data"]))
    return joined(shown)


def kind_and_text(data):
    """Say what an output is: a widget, a figure, or text; of a figure, its description is compared."""
    kind = next((kind for kind in data if kind == WIDGET or IMAGE.match(kind)), "text")
    return kind, "" if kind == WIDGET else "".join(data.get("text/plain", ""))


def joined(outputs):
    """Put together what was printed in one go, however many messages it took."""
    whole = []
    for kind, text in outputs:
        if whole and whole[-1][0] == kind and kind in ("stdout", "stderr"):
            whole[-1] = (kind, whole[-1][1] + text)
        else:
            whole.append((kind, text))
    return whole


def compared(name, expected, live):
    """Tell how a cell's outputs differ from those of the build."""
    if [kind for kind, _ in expected] != [kind for kind, _ in live]:
        return [f"the build shows {expected}, the page {live}"]
    return [
        said
        for (_, one), (_, other) in zip(expected, live, strict=True)
        for said in different(name, one, other)
    ]


def different(name, expected, live):
    """Tell in which lines texts differ: in words, or in a number by more than the chapter's tolerance."""
    one, other = expected.splitlines(), live.splitlines()
    if len(one) != len(other):
        return [f"the build says {expected!r}, the page {live!r}"]
    return [
        f"the build says {a!r}, the page {b!r}"
        for a, b in zip(one, other, strict=True)
        if not (
            TIME.search(a) or re.match(VARYING.get(name, "$^"), a) or equal(a, b, LOOSER.get(name, TOLERANCE))
        )
    ]


def equal(one, other, tolerance):
    """Compare two lines: the same words, and numbers that are close; what is smaller than 1e-9 is noise."""
    # A whole number has 32 bits in a browser.
    one, other = (line.replace("int32", "int64") for line in (one, other))
    words = [" ".join(NUMBER.sub("#", line).split()) for line in (one, other)]
    numbers = [
        [float(re.sub("[,+]", "", n).replace("−", "-")) for n in NUMBER.findall(line)]
        for line in (one, other)
    ]
    return words[0] == words[1] and all(
        math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-9) for a, b in zip(*numbers, strict=True)
    )


def test_comparison_sees_what_differs():
    assert different("", "loss 0.2500, 1,000 rows, int64", "loss  0.2501, 1,000 rows, int32") == []
    assert different("", "loss 0.25", "loss 0.26")
    assert different("", "loss 0.25", "cost 0.25")
    assert different("", "1e-5 and −3", "1e-4 and −3")
    assert different("", "1 nan", "1 2")
    assert compared("", [("stdout", "a")], [("text", "a")])
