"""The Python that runs in a browser's worker, here in an ordinary one: cells in, messages out."""

import json
import subprocess
import sys

import pytest

from dlcourse.publishing.live.built import HERE

PROGRAM = """
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])
out = sys.stdout
from dlcourse_live import boot
messages = []
boot.start(lambda message: messages.append(message))
async def main():
    told = {}
    for number, (name, code) in enumerate(json.load(sys.stdin).items(), 1):
        messages.clear()
        status = await boot.run_cell(number, code, name)
        told[name] = {"status": status, "messages": list(messages)}
    print(json.dumps(told), file=out)
asyncio.run(main())
"""

CELLS = {
    "values": "x = 3\n7\nx + 1",
    "underscore": "_ + 1",
    "silent": "x;  # no value",
    "none": "None",
    "main": "__name__ == '__main__'",
    "await": "import asyncio\nawait asyncio.sleep(0, 'awaited')",
    "future": "from __future__ import annotations\ndef f(a: unknown): ...\n",
    "annotations": "def g(a: unknown): ...\ng.__annotations__",
    "streams": "import sys\nprint('a')\nprint('b', file=sys.stderr)\nprint('c', end='')",
    "many lines": "for i in range(500): print(i)",
    "flood": "for i in range(30): print('x' * 99_999)",
    "after flood": "print('next')",
    "error": "def broken(n):\n    return 1 / n\n\nbroken(0)",
    "syntax": "y = (",
    "library": "import json\njson.loads('{')",
    "cause": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('second') from error",
    "deep": "def deep(): deep()\ndeep()",
    "exit": "raise SystemExit('enough')",
    "input": "input('name?')",
    "source": "import inspect\ninspect.getsource(broken)",
    "warning": "import warnings\nwarnings.warn('careful')",
    "numpy": "import numpy as np\nnp.arange(3)",
    "containers": "[list(range(40)), {'b': 1, 'a': (1,)}]",
    "empty containers": "[(), {}, set(), frozenset({2, 1}), {3, 1}]",
    "class": "class Shape:\n    def __init__(self, a): ...\nShape",
    "function": "broken",
    "html": "from IPython.display import HTML\nHTML('<b>bold</b>')",
    "bundle": """
class Both:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": "<i>own</i>"}, {"text/html": {"isolated": True}}
    def _repr_html_(self):
        return "<i>other</i>"
    def __repr__(self):
        return "plain"
Both()""",
    "own display": """
class Own:
    def _ipython_display_(self):
        print("shown by itself")
Own()""",
    "broken display": """
class Broken:
    def _repr_html_(self):
        raise KeyError("no")
    def __repr__(self):
        return "still here"
Broken()""",
    "handle": "handle = display('a', display_id='one')\nhandle.update('b')",
    "clear": "print('gone')\nfrom IPython.display import clear_output\nclear_output(wait=True)\nprint('stays')",
    "glue": "from myst_nb import glue\nglue('name', 3)",
    "figure": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint('drawn');",
    "figure value": "from matplotlib.figure import Figure\nf = Figure()\nf.subplots()\nf",
    "figures cut out": """
import io
import numpy as np
from dlcourse_live import formats


def outside():
    plt.plot([1, 2, 3], label="a")
    plt.legend(bbox_to_anchor=(1.05, 1))


def far():
    plt.text(1.2, 1.1, "far away")


def image():
    plt.imshow(np.eye(5))
    plt.colorbar()


def turned():
    plt.xticks([0, 1], ["a long label", "another long one"], rotation=45)


def grid():
    plt.subplots(2, 2, layout="constrained")


for draw in (outside, far, image, turned, grid):
    plt.close("all")
    draw()
    shown = formats._figure(plt.gcf())
    plt.close("all")
    draw()
    expected = io.BytesIO()
    plt.savefig(expected, bbox_inches="tight", dpi="figure")
    assert shown == expected.getvalue(), draw
plt.close("all")""",
    "displays": "for i in range(3000): display(i)",
    "capture": """
from dlcourse_live import boot
kept = []
print("before")
with boot.captured(kept.append):
    print("inside")
print("after", [each["text"] for each in kept])""",
    "empty": "# nothing",
}


@pytest.fixture(scope="module")
def told():
    command = [sys.executable, "-W", "ignore::EncodingWarning", "-c", PROGRAM, str(HERE / "python")]
    ran = subprocess.run(command, input=json.dumps(CELLS), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def messages(told):
    return {name: each["messages"] for name, each in told.items()}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("values", "4"),
        ("underscore", "5"),
        ("main", "True"),
        ("await", "'awaited'"),
        ("annotations", "{'a': 'unknown'}"),
        ("source", "'def broken(n):\\n    return 1 / n\\n'"),
        ("numpy", "array([0, 1, 2])"),
        ("empty containers", "[(), {}, set(), frozenset({1, 2}), {1, 3}]"),
        ("class", "__main__.Shape"),
        ("function", "<function __main__.broken(n)>"),
    ],
)
def test_the_last_value_is_shown(messages, name, text):
    (message,) = messages[name]
    assert message["type"] == "display"
    assert message["data"] == {"text/plain": text}


@pytest.mark.parametrize("name", ["silent", "none", "future", "glue", "empty"])
def test_nothing_to_show(told, name):
    assert told[name] == {"status": "ok", "messages": []}


def test_long_containers_have_one_item_a_line(messages):
    lines = messages["containers"][0]["data"]["text/plain"].split("\n")
    assert lines[:2] == ["[[0,", "  1,"]
    assert lines[-1] == " {'b': 1, 'a': (1,)}]"


def test_streams_keep_their_order(messages):
    assert [(m["name"], m["text"]) for m in messages["streams"]] == [
        ("stdout", "a\n"),
        ("stderr", "b\n"),
        ("stdout", "c"),
    ]
    assert all(m["id"] == list(CELLS).index("streams") + 1 for m in messages["streams"])


def test_many_lines_are_few_messages(messages):
    assert "".join(m["text"] for m in messages["many lines"]) == "".join(f"{i}\n" for i in range(500))
    assert len(messages["many lines"]) < 100


def test_a_flood_is_cut_off(messages):
    assert sum(len(m["text"]) for m in messages["flood"]) == 1_000_000
    assert [m.get("cut") for m in messages["flood"]][-1] == 1_000_000
    assert [m["text"] for m in messages["after flood"]] == ["next\n"]
    assert len(messages["displays"]) == 2000


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "error",
            [
                "error, line 4",
                "  broken(0)",
                "error, line 2, in broken",
                "  return 1 / n",
                "ZeroDivisionError",
            ],
        ),
        ("syntax", ["syntax, line 1", "  y = (", "SyntaxError: '(' was never closed"]),
        ("library", ["library, line 2", "json/decoder.py, line", "JSONDecodeError"]),
        (
            "cause",
            ["cause, line 2", "ZeroDivisionError", "direct cause", "cause, line 4", "ValueError: second"],
        ),
        ("deep", ["deep, line 2", "Previous line repeated", "RecursionError"]),
        ("exit", ["SystemExit: enough", "keeps its definitions"]),
        ("input", ["input, line 1", "write the value into the cell"]),
    ],
)
def test_errors_point_into_the_cell(told, name, lines):
    assert told[name]["status"] == "error"
    message = told[name]["messages"][-1]
    text = "\n".join(message["traceback"])
    places = [text.find(line) for line in lines]
    assert -1 not in places, text
    assert places == sorted(places)
    assert "dlcourse_live" not in text
    assert len(message["traceback"]) < 25


def test_warnings_name_the_cell(messages):
    (message,) = messages["warning"]
    assert message["name"] == "stderr"
    assert message["text"].startswith("warning, line 2: UserWarning: careful\n  warnings.warn(")


def test_bundles(messages):
    assert messages["html"][0]["data"]["text/html"] == "<b>bold</b>"
    both = messages["bundle"][0]
    assert both["data"] == {"text/html": "<i>own</i>", "text/plain": "plain"}
    assert both["metadata"] == {"text/html": {"isolated": True}}
    assert [m["text"] for m in messages["own display"]] == ["shown by itself\n"]
    *error, shown = messages["broken display"]
    assert "KeyError" in "".join(m["text"] for m in error)
    assert shown["data"] == {"text/plain": "still here"}


def test_displays_are_replaced_and_cleared(messages):
    first, second = messages["handle"]
    assert (first["display_id"], first["update"]) == ("one", False)
    assert (second["display_id"], second["update"]) == ("one", True)
    assert [m.get("text", m["type"]) for m in messages["clear"]] == ["gone\n", "clear", "stays\n"]


def test_figures(messages):
    printed, figure = messages["figure"]
    assert printed["text"] == "drawn\n"
    for message in (figure, *messages["figure value"]):
        assert message["data"]["image/png"].startswith("iVBOR")


def test_figures_are_cut_out_as_in_a_notebook(told):
    assert told["figures cut out"]["status"] == "ok", told["figures cut out"]["messages"]


def test_outputs_can_be_captured(messages):
    assert [m["text"] for m in messages["capture"]] == ["before\n", "after ['inside\\n']\n"]
