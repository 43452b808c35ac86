import re
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from dlcourse.figures import show, style


class Elements(HTMLParser):
    """Every element of a piece of HTML, as (tag, attributes)."""

    def __init__(self, markup):
        super().__init__()
        self.found = []
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def elements(markup, tag=None):
    return [a for t, a in Elements(markup).found if tag is None or t == tag]


def drawn(scale=1.0, **colour):
    with style.context():
        fig = Figure(figsize=(4, 3))
        ax = fig.add_subplot()
        ax.plot([0, 1, 2], [0, scale, 0], **(colour or {"color": style.C0}))
        ax.set(xlabel="$x$", title="A line")
    return fig


def test_bundle_has_the_figure_and_its_description():
    shown = show(drawn(), alt="A line that rises\n  and falls.")
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"] == repr(shown) == "A line that rises and falls."
    (svg,) = elements(bundle["text/html"], "svg")
    assert svg["role"] == "img"
    assert svg["aria-label"] == "A line that rises and falls."


def test_description_may_hold_any_characters():
    alt = "x < 3 & \"y\" > 'z'"
    (svg,) = elements(show(drawn(), alt=alt).markup, "svg")
    assert svg["aria-label"] == alt


@pytest.mark.parametrize("alt", ["", "  \n", None, 3])
def test_description_is_needed(alt):
    with pytest.raises(ValueError, match="a figure needs a description"):
        show(drawn(), alt=alt)


def test_it_fits_any_page():
    (svg,) = elements(show(drawn(), alt="a").markup, "svg")
    assert svg["viewbox"] == "0 0 288 216"
    assert (svg["width"], svg["height"]) == ("384", "288")
    assert "max-width:100%" in svg["style"]
    assert "height:auto" in svg["style"]


def test_colours_are_the_pages():
    markup = show(drawn(), alt="a").markup
    assert "stroke:var(--dl-c0, #0072b2)" in markup
    assert "fill:var(--dl-ink, currentColor)" in markup
    for name in ("ink", "paper", "muted", "line"):
        assert f":{style.LIGHT[name]}" not in markup
    assert re.search(r"(fill|stroke):var\(--dl-line, #c9ced6\)", markup)


@pytest.mark.parametrize("colour", ["black", "white"])
def test_black_is_ink_and_white_is_paper(colour):
    markup = show(drawn(color=colour), alt="a").markup
    expected = {"black": "--dl-ink, currentColor", "white": "--dl-paper, "}[colour]
    assert f"stroke:var({expected}" in markup


def test_other_colours_stay():
    assert "stroke:#123456" in show(drawn(color="#123456"), alt="a").markup


def test_nothing_paints_the_background():
    markup = show(drawn(), alt="a").markup
    assert "--dl-paper" not in markup
    assert "#ffffff" not in markup


def test_no_rule_reaches_beyond_the_figure():
    markup = show(drawn(), alt="a").markup
    (sheet,) = re.findall("<style>(.*?)</style>", markup)
    assert re.fullmatch(r'\[data-jp-theme-light="false"\] \.dl-figure\{[^{}]*\}', sheet)
    assert "<?xml" not in markup
    assert "<!" not in markup
    assert "<metadata" not in markup


def ids(markup):
    return [a["id"] for a in elements(markup) if "id" in a]


def test_names_are_never_shared_and_always_found():
    one, two = (show(drawn(scale), alt="a").markup for scale in (1.0, 2.0))
    for markup in (one, two):
        mine = ids(markup)
        assert len(mine) == len(set(mine)) > 0
        asked = {a["href"][1:] for a in elements(markup) if a.get("href", "").startswith("#")}
        asked |= set(re.findall(r"url\(#([^)]+)\)", markup))
        assert asked == set(mine)
    assert not set(ids(one)) & set(ids(two))


def test_same_figure_same_text():
    assert show(drawn(), alt="a").markup == show(drawn(), alt="a").markup


def test_text_is_drawn():
    """A font that the reader lacks cannot shift anything."""
    markup = show(drawn(), alt="a").markup
    assert not elements(markup, "text")
    assert len(elements(markup, "use")) > 10


def test_small_pictures_stay_pixels():
    with style.context():
        fig = Figure(figsize=(2, 2))
        fig.add_subplot().imshow(np.eye(8))
    (image,) = elements(show(fig, alt="a").markup, "image")
    assert image["href"].startswith("data:image/png;base64,")
    assert len(image["href"]) < 400
    assert "image-rendering:pixelated" in image["style"]


def test_many_marks_stay_small():
    with style.context():
        fig = Figure(figsize=(3, 3))
        fig.add_subplot().scatter(*np.random.default_rng(0).random((2, 2000)), alpha=0.5)
    markup = show(fig, alt="a").markup
    assert len(elements(markup, "use")) > 2000
    assert len(markup) < 2000 * 90
    assert markup.count("fill-opacity:0.5") == 1


def test_pyplot_forgets_the_figure():
    plt = pytest.importorskip("matplotlib.pyplot")
    before = plt.get_fignums()
    fig, ax = plt.subplots()
    ax.plot([1, 2])
    show(fig, alt="a")
    assert plt.get_fignums() == before


def test_settings_are_put_back():
    before = dict(mpl.rcParams)
    drawn()
    show(drawn(), alt="a")
    assert dict(mpl.rcParams) == before


def luminance(colour):
    """Relative luminance as WCAG 2 defines it."""
    c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [style.LIGHT, style.DARK], ids=["light", "dark"])
def test_everything_stands_out_from_the_page(theme):
    assert contrast(theme["ink"], theme["paper"]) > 12
    assert contrast(theme["muted"], theme["paper"]) > 4.5
    for i in range(8):
        assert contrast(theme[f"c{i}"], theme["paper"]) > 2.5
    assert set(theme) == set(style.LIGHT)
    assert len(set(theme.values())) == len(theme)
