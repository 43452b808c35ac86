import re
from pathlib import Path

import matplotlib as mpl

import dlcourse
from dlcourse.figures import style

SHEET = Path(dlcourse.__file__).parent / "publishing" / "assets" / "dlcourse.css"


def named_colours(block):
    return dict(re.findall(r"--dl-(\w+):\s*(#[0-9a-f]{6})", block))


def test_the_books_colours_are_these():
    """What a figure falls back to and what the page says must never differ."""
    blocks = re.findall(r"\{([^{}]*--dl-c0:[^{}]*)\}", SHEET.read_text(encoding="utf-8"))
    light, dark = (named_colours(block) for block in blocks)
    assert {name: light[name] for name in style.LIGHT} == style.LIGHT
    assert {name: dark[name] for name in style.DARK} == style.DARK


def test_apply_reaches_new_figures():
    with mpl.rc_context():
        style.apply()
        assert mpl.rcParams["text.color"] == style.INK
        assert [entry["color"] for entry in mpl.rcParams["axes.prop_cycle"]] == list(style.CATEGORIES)


def test_each_category_has_its_marker():
    assert len(set(style.MARKERS)) == len(style.CATEGORIES) == 8
