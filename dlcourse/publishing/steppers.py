"""The book's sliders as the page shows them before it runs: one figure, the others fetched when the slider is touched.

A saved stepper (`dlcourse.figures.stepper`) is a widget whose figures for all positions lie in the page, beside 250 kB of
widget code that shows one of them. Here it becomes a plain slider and the first figure, which also shows where scripts
do not run. Any other widget is left as it is.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VIEW = re.compile(r'<script type="application/vnd\.jupyter\.widget-view\+json">(.*?)</script>', re.DOTALL)
_MATHS = re.compile(r"\$(.+?)\$")

Models = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Frames:
    """The figures of one stepper, as a script that hands them to the page.

    Attributes:
        name: the file's name, relative to the site.
        content: the script. Not JSON, since pages opened from a disk may load scripts alone.
    """

    name: str
    content: str


def replace_steppers(body: str, page: str, models: Models, root: str) -> tuple[str, list[Frames]]:
    """Put sliders and first figures in the place of the steppers of a page.

    Args:
        body: the page's HTML.
        page: its name, ``book/neurons/neuron``.
        models: the state of its widgets, by id.
        root: how the page gets to the root of the site, ``../../``.

    Returns:
        The HTML and what else is to be written. Widgets that are no steppers are still there as scripts.
    """
    made: list[Frames] = []

    def replaced(view: re.Match[str]) -> str:
        """Write one stepper, or what was there."""
        box = models.get(json.loads(view[1])["model_id"], {}).get("state", {})
        if "dl-stepper" not in box.get("_dom_classes", ()):
            return view[0]
        slider, stack = (_child(models, reference) for reference in box["children"])
        figures = [_child(models, reference)["value"] for reference in stack["children"]]
        key = f"{page}-{len(made)}"
        content = f"showFrames({json.dumps(key)},{json.dumps(figures)})\n"
        made.append(Frames(f"_frames/{key}.js", content))
        version = hashlib.sha256(content.encode()).hexdigest()[:8]
        return _written(slider, figures[slider["index"]], key, f"{root}_frames/{key}.js?v={version}")

    return VIEW.sub(replaced, body), made


def _child(models: Models, reference: str) -> Mapping[str, Any]:
    """Look up the state that ``IPY_MODEL_<id>`` refers to."""
    state: Mapping[str, Any] = models[reference.removeprefix("IPY_MODEL_")]["state"]
    return state


def _written(slider: Mapping[str, Any], figure: str, key: str, address: str) -> str:
    """Write a slider over the positions, and the figure of the first one."""
    names, label, first = slider["_options_labels"], slider["description"], slider["index"]
    plain, id_ = html.escape(label.replace("$", "")), f"stepper-{key.replace('/', '-')}"
    shown = _MATHS.sub(r'<span class="math notranslate nohighlight">\\(\1\\)</span>', html.escape(label))
    values = html.escape(json.dumps(names, ensure_ascii=False))
    return (
        f'<div class="widget-subarea"><div class="dl-stepper" data-key="{key}" data-frames="{address}">'
        f'<div class="dl-stepper-slider pst-js-only"><label for="{id_}">{shown}</label>'
        f'<input type="range" id="{id_}" aria-label="{plain}" min="0" max="{len(names) - 1}" value="{first}"'
        f' aria-valuetext="{html.escape(names[first])}" data-values="{values}" autocomplete="off">'
        f'<span class="dl-stepper-value" aria-hidden="true">{html.escape(names[first])}</span></div>'
        f'<div class="dl-stepper-figure">{figure}</div></div></div>'
    )
