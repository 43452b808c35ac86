"""The book's stepper where there is Python behind the page: each figure is drawn when it is asked for.

``dlcourse.figures.stepper`` draws all figures beforehand, for a page without Python. Here the slider calls ``draw``,
so a cell is done after one figure, and the figures follow what the reader has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from .imports import after_import


def install() -> None:
    """Put the live stepper in the place of the other, once the book's figures are imported."""
    after_import("dlcourse.figures.stepper", _replace)


def _replace(module: ModuleType) -> None:
    """Give the module a ``stepper`` with the same face."""
    saved = module.stepper

    def stepper(
        label: str,
        values: Sequence[Any],
        draw: Callable[[Any], Any],
        *,
        alt: str | Callable[[Any], str],
        start: Any = None,
    ) -> Any:
        values = list(values)
        if not 2 <= len(values) <= module.MOST_FRAMES:
            raise ValueError(
                f"stepper expects 2 to {module.MOST_FRAMES} values, got {len(values)}: take fewer, further apart."
            )
        names = module._distinct_names(values)
        plain = label.replace("$", "")

        def frame(index: int) -> str:
            said = module.checked_alt(alt(values[index]) if callable(alt) else alt)
            figure = draw(values[index])
            markup: str = module.to_svg(
                figure, alt=f"{said} ({plain}: {names[index]})", salt=f"{label}={names[index]}"
            )
            module.close(figure)
            return markup

        slider = module.widgets.SelectionSlider(
            options=list(zip(names, range(len(names)), strict=True)),
            index=0 if start is None else module._position(values, start),
            description=label,
            continuous_update=True,
            style={"description_width": "initial"},
            layout=module.widgets.Layout(width="100%", max_width="560px"),
        )
        slider.add_class("dl-stepper-slider")
        picture = module.widgets.HTML(frame(slider.index))
        box = module.widgets.VBox([slider, picture])
        box.add_class("dl-stepper")

        def move(change: dict[str, Any]) -> None:
            picture.value = frame(change["new"])

        slider.observe(move, "index")
        return box

    stepper.__doc__ = saved.__doc__
    module.stepper = stepper  # type: ignore[attr-defined]
