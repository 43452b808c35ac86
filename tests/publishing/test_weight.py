"""What makes pages lighter changes nothing that a reader sees."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from dlcourse.publishing.drawings import pack_pictures, share_glyphs
from dlcourse.publishing.steppers import VIEW, replace_steppers
from dlcourse.publishing.styles import without_unused


def glyph(name, outline):
    return f'<defs><path d="{outline}" transform="scale(0.015625)" id="{name}" /></defs>'


def test_letters_of_several_figures_are_kept_once():
    first = (
        f'<svg>{glyph("a-1", "M 1 1 z")}{glyph("a-2", "M 2 2 z")}<use href="#a-1" /><use href="#a-2" /></svg>'
    )
    second = f'<svg>{glyph("b-7", "M 1 1 z")}<use href="#b-7" x="3" /><use href="#b-9" /></svg>'
    body = share_glyphs(first + second)
    assert body.count("M 1 1 z") == body.count("M 2 2 z") == 1
    assert "<defs></defs>" not in body
    used, defined = re.findall(r'href="#([^"]*)"', body), re.findall(r'id="([^"]*)"', body)
    assert used[0] == used[2] != used[1] == "a-2"
    assert set(used) == {*defined, "b-9"}  # what was no letter is left alone


def picture(array):
    content = io.BytesIO()
    Image.fromarray(array).save(content, "PNG", compress_level=0)
    return f'<image href="data:image/png;base64,\n{base64.b64encode(content.getvalue()).decode()}" />'


def unpacked(markup):
    kind, content = re.search(r"data:image/(\w+);base64,([^\"]+)", markup).groups()
    return kind, np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGBA"))


def test_drawings_stay_as_they_are(rng):
    digit = np.repeat(rng.integers(0, 200, (28, 28, 1), dtype=np.uint8), 3, axis=2)
    kind, left = unpacked(pack_pictures(picture(digit)))
    assert kind == "webp"
    np.testing.assert_array_equal(left[:, :, :3], digit)


def test_photographs_stay_near(rng):
    waves = np.add.outer(np.linspace(0, 120, 140), np.linspace(0, 120, 140))
    photograph = np.stack([waves, waves[::-1], waves.T[:, ::-1]], axis=2).astype(np.uint8)
    markup = picture(photograph)
    packed = pack_pictures(markup)
    assert len(packed) < len(markup) / 5
    assert np.abs(unpacked(packed)[1][:, :, :3].astype(int) - photograph).mean() < 3


def test_rules_for_nothing_are_left_out():
    sheet = (
        ".a .b,.c>p{x:1}@media print{.c{x:2}.a{x:3}}@font-face{font-family:F}html:not(.c){x:4}.c:hover{x:5}"
    )
    assert (
        without_unused(sheet, {"a", "b"})
        == ".a .b{x:1}@media print{.a{x:3}}@font-face{font-family:F}html:not(.c){x:4}"
    )


@pytest.fixture
def stepper():
    def model(**state):
        return {"state": state}

    return {
        "box": model(_dom_classes=["dl-stepper"], children=["IPY_MODEL_slider", "IPY_MODEL_stack"]),
        "slider": model(_options_labels=["<1>", "2"], description="rate $\\eta$", index=1),
        "stack": model(children=["IPY_MODEL_f0", "IPY_MODEL_f1"]),
        "f0": model(value="<svg>zero</svg>"),
        "f1": model(value="<svg>one</svg>"),
        "other": model(_dom_classes=[]),
    }


def view(name):
    return f'<script type="application/vnd.jupyter.widget-view+json">{{"model_id": "{name}"}}</script>'


def test_stepper_shows_its_first_figure_and_hands_out_the_others(stepper):
    body, (frames,) = replace_steppers(view("box") + view("other"), "book/part/page", stepper, "../../")
    assert "<svg>one</svg>" in body
    assert "zero" not in body
    assert VIEW.findall(body) == ['{"model_id": "other"}']
    assert 'max="1" value="1" aria-valuetext="2"' in body
    assert 'aria-label="rate \\eta"' in body
    assert "&lt;1&gt;" in body
    assert f"../../{frames.name}?v=" in body
    key, figures = json.loads(f"[{frames.content.strip().removeprefix('showFrames(').removesuffix(')')}]")
    assert f'data-key="{key}"' in body
    assert figures == ["<svg>zero</svg>", "<svg>one</svg>"]
