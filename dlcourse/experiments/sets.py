"""The shipped data sets as tasks: how each one is divided, and what a network must do better than.

Days that follow each other and pixels that lie beside each other know of each other, and so do drawings by one designer
and words by one voice. Each set is therefore divided between days, strips, designers or voices, not between examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlcourse.data import animals, digits, microscopy, shuttle, spoken_digits, weather
from dlcourse.experiments.task import Task, of_classes, of_values
from dlcourse.neurons._arrays import Array
from dlcourse.training.evaluation import apart, balanced_accuracy, confusion_matrix, lagged_windows
from dlcourse.training.generalization import Parts

_PAST, _AHEAD = 24, 6  # hours
_SIDE, _STEP = 13, 3  # pixels: the window around each one that is asked about, and how far these lie apart


@dataclass(frozen=True)
class DataSet:
    """A shipped data set.

    Attributes:
        question: what is asked about an example.
        load: makes the task.
        defaults: settings with which a network does well, by name.
    """

    question: str
    load: Callable[[], Task]
    defaults: Mapping[str, Any] = field(default_factory=dict)


def of_digits() -> Task:
    """Which digit is written here? 3,500 to learn from, 500 to stop by, 1,000 to be judged by."""
    parts = digits.split()
    x, y = np.concatenate([parts.x_train, parts.x_test]), np.concatenate([parts.y_train, parts.y_test])
    rows = _in_order(len(parts.y_train) - 500, 500, len(parts.y_test))
    return of_classes(x, y, rows, classes=_numerals(), standardize=False)


def of_weather() -> Task:
    """How warm will tomorrow be? Each month's last week judges, and the days before it say when to stop."""
    pairs = weather.daily_pairs()
    train, test = weather.split_masks(pairs.dates)
    left = weather.days_left(pairs.dates)
    stopping = train & (left <= 15)
    rows = Parts(*map(np.flatnonzero, (train & (left > 17), stopping, test)))
    as_today = pairs.features[:, pairs.names.index("temperature [°C]")]
    return of_values(
        pairs.features,
        pairs.tomorrow[:, None],
        rows,
        unit="°C",
        baseline=("tomorrow as today", as_today[:, None]),
        notes=("One year at one airport.",),
    )


def of_forecast() -> Task:
    """How much warmer will it be in six hours? No hour that judges is in an example to learn from."""
    hours = weather.load()
    # Pressure is missing in every tenth hour: the last one known stands in. A later one would be a look ahead.
    known = np.maximum.accumulate(np.where(np.isfinite(hours.pressure), np.arange(len(hours.pressure)), 0))
    columns = [hours.temperature, hours.dew_point, hours.humidity, hours.wind_speed, hours.pressure[known]]
    windows = lagged_windows(np.stack(columns, axis=1), hours.temperature, past=_PAST, ahead=_AHEAD)
    now = windows.now
    angles = 2 * np.pi * np.stack([now / 24, now / (365 * 24)], axis=1)  # (n, 2) time of day, time of year
    x = np.concatenate([windows.x, np.sin(angles), np.cos(angles)], axis=1)  # (n, n_in)
    days = hours.time[now].astype("datetime64[D]")
    left = weather.days_left(days)
    test = weather.split_masks(days)[1]
    reach = _PAST + _AHEAD
    stopping = (left >= 11) & (left <= 15) & apart(now, now[test], reach)
    training = ~test & ~stopping & apart(now, now[test | stopping], reach)
    warmer = (windows.y - hours.temperature[now])[:, None]  # (n, 1)
    return of_values(
        x,
        warmer,
        Parts(*map(np.flatnonzero, (training, stopping, test))),
        unit="°C",
        baseline=("as warm as now", np.zeros_like(warmer)),
        notes=("One year at one airport.",),
    )


def of_shuttle() -> Task:
    """Do these sensors say that something is wrong? One reading in fourteen does."""
    readings = shuttle.split()
    x = np.concatenate([readings.x_train, readings.x_test])
    y = np.concatenate([readings.y_train, readings.y_test])
    rows = _in_order(len(readings.y_train) - 5_000, 5_000, len(readings.y_test))
    return of_classes(x, y, rows, classes=("usual", "anomaly"))


def of_speech() -> Task:
    """Which digit does this voice say? The voices that judge were never heard before."""
    sounds = spoken_digits.split()
    x, y = np.concatenate([sounds.x_train, sounds.x_test]), np.concatenate([sounds.y_train, sounds.y_test])
    rows = _in_order(len(sounds.y_train) - 50, 50, len(sounds.y_test))  # a voice says ten words
    notes = ("The voices are a program's, not people's.",)
    return of_classes(x, y, rows, classes=_numerals(), notes=notes)


def of_nuclei() -> Task:
    """Is the middle of this window in a cell nucleus? The right part of the picture judges what the left part taught."""
    picture = microscopy.load()
    views = np.lib.stride_tricks.sliding_window_view(picture.image, (_SIDE, _SIDE))[::_STEP, ::_STEP]
    high, wide = views.shape[:2]
    half = _SIDE // 2
    inside = (picture.nucleus > 0)[half:-half, half:-half][::_STEP, ::_STEP]  # (high, wide)
    column = np.tile(np.arange(wide) * _STEP, high)  # (n,) left edge of each window
    first, second = (int(picture.image.shape[1] * share) for share in (0.6, 0.8))
    rows = Parts(
        np.flatnonzero(column + _SIDE <= first),
        np.flatnonzero((column >= first) & (column + _SIDE <= second)),
        np.flatnonzero(column >= second),
    )
    y, x = inside.ravel(), views.reshape(high * wide, -1)  # (n,), (n, n_in)
    middle = x[:, x.shape[1] // 2]
    limit = _best_threshold(middle[rows.train], y[rows.train])
    baseline = (f"brighter than {limit}", (middle > limit).astype(np.int64))
    notes = ("One picture: this says nothing about other microscopes.",)
    return of_classes(x, y, rows, classes=("outside", "nucleus"), baseline=baseline, notes=notes)


def of_animals() -> Task:
    """Is this a cat or a dog? The designer of whom there are most drawings judges, and another one says when to stop."""
    drawings = animals.load()
    x = drawings.grey().reshape(len(drawings), -1)  # (n, side, side) -> (n, n_in)
    test, stopping = drawings.designer == "Microsoft", drawings.designer == "OpenMoji"
    rows = Parts(*map(np.flatnonzero, (~test & ~stopping, stopping, test)))
    notes = ("131 drawings are few: with another designer held out, the scores differ by tens of percent.",)
    return of_classes(x, drawings.is_dog, rows, classes=("cat", "dog"), notes=notes)


SETS: dict[str, DataSet] = {
    "digits": DataSet(
        "Which digit is written here?",
        of_digits,
        {"network": "dropout", "hidden": (512,), "epochs": 60},
    ),
    "weather": DataSet(
        "How warm will tomorrow be, after a day such as this?",
        of_weather,
        {"hidden": (16,), "batch": 16, "epochs": 300, "patience": 30, "weight_decay": 0.1},
    ),
    "forecast": DataSet(
        "How much warmer will it be in six hours, after a day such as this?",
        of_forecast,
        {"network": "dropout", "dropout": 0.2, "hidden": (64,), "epochs": 60},
    ),
    "shuttle": DataSet("Do these sensors say that something is wrong?", of_shuttle, {"hidden": (64, 32)}),
    "speech": DataSet(
        "Which digit does this voice say?", of_speech, {"hidden": (256,), "batch": 16, "epochs": 60}
    ),
    "nuclei": DataSet(
        "Is this pixel in a cell nucleus?", of_nuclei, {"hidden": (64,), "epochs": 40, "weight_decay": 0.3}
    ),
    "animals": DataSet(
        "Is this a cat or a dog?",
        of_animals,
        {
            "network": "dropout",
            "hidden": (64,),
            "batch": 16,
            "epochs": 40,
            "patience": 0,
            "weight_decay": 0.1,
        },
    ),
}
"""All of them, by the name under which they are trained on."""


def _in_order(*counts: int) -> Parts:
    ends = np.cumsum(counts)
    return Parts(*(np.arange(end - count, end) for count, end in zip(counts, ends, strict=True)))


def _numerals() -> tuple[str, ...]:
    return tuple(str(digit) for digit in range(10))


def _best_threshold(values: Array, y: Array) -> int:
    """Find the brightness above which a pixel is best called a nucleus."""
    return max(
        range(256),
        key=lambda limit: balanced_accuracy(confusion_matrix((values > limit).astype(int), y.astype(int), 2)),
    )
