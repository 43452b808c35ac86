import numpy as np

from dlcourse.data import weather


def vapour_pressure(celsius):
    """Magnus formula [hPa]."""
    return 6.112 * np.exp(17.62 * celsius / (243.12 + celsius))


def test_hours_are_complete_and_in_order():
    time = weather.load().time
    assert time[0] == np.datetime64("2013-01-01T00")
    assert time[-1] == np.datetime64("2013-12-30T23")
    assert (np.diff(time) == np.timedelta64(1, "h")).all()


def test_units_agree_with_physics():
    """Humidity follows from temperature and dew point only if both are in °C."""
    w = weather.load()
    humidity = 100 * vapour_pressure(w.dew_point) / vapour_pressure(w.temperature)
    assert np.nanmedian(abs(humidity - w.humidity)) < 0.1
    known = np.isfinite(w.temperature)
    assert (w.dew_point[known] <= w.temperature[known]).all()
    assert 980 < np.nanmin(w.pressure) < np.nanmax(w.pressure) < 1045


def test_the_record_of_the_year():
    """July was the warmest month; the station reported 36.7 °C at most."""
    w = weather.load()
    month = w.time.astype("datetime64[M]").astype(int) % 12
    means = [np.nanmean(w.temperature[month == m]) for m in range(12)]
    assert np.argmax(means) == 6
    assert np.nanmax(w.temperature) == 36.7
    assert np.nanmin(w.temperature) == -11.1
    hour = w.time.astype(int) % 24
    by_hour = [np.nanmean(w.temperature[hour == h]) for h in range(24)]
    assert 12 <= np.argmax(by_hour) <= 15


def test_missing_is_nan_and_the_fault_is_left_out():
    w = weather.load()
    assert np.isnan(w.precipitation).sum() == 30
    assert np.isnan(w.pressure).sum() == 861
    at = w.time == np.datetime64("2013-05-08T21")
    assert np.isnan(w.temperature[at])
    assert np.isfinite(w.pressure[at] + w.precipitation[at])
    assert np.isnan(w.temperature).sum() == 31
    assert np.nanmax(abs(np.diff(w.temperature))) < 9


def test_columns_cannot_be_changed():
    w = weather.load()
    assert not any(getattr(w, name).flags.writeable for name in w.__dataclass_fields__)


def test_pairs_are_one_day_and_the_next():
    pairs = weather.daily_pairs()
    features, tomorrow, names = pairs
    assert features.shape == (len(tomorrow), len(names)) == (358, 10)
    assert np.isfinite(features).all()
    assert np.isfinite(tomorrow).all()
    w = weather.load()
    day = w.time.astype("datetime64[D]")
    for i in (0, 100, 357):
        today, next_day = pairs.dates[i], pairs.dates[i] + 1
        assert np.isclose(features[i, 0], np.nanmean(w.temperature[day == today]))
        assert np.isclose(tomorrow[i], np.nanmean(w.temperature[day == next_day]))


def test_days_with_long_gaps_are_in_no_pair():
    dates = weather.daily_pairs().dates
    for gap in ("2013-10-25", "2013-11-02", "2013-12-30"):
        assert np.datetime64(gap) not in dates
        assert np.datetime64(gap) - 1 not in dates


def test_wind_points_where_it_comes_from():
    features, _, names = weather.daily_pairs()
    north = features[:, names.index("wind from north [m/s]")]
    temperature = features[:, 0]
    season = features[:, -2:]
    rest = temperature - season @ np.linalg.lstsq(season, temperature - temperature.mean())[0]
    assert np.corrcoef(north, rest)[0, 1] < -0.3


def test_no_day_is_on_both_sides_of_the_split():
    dates = weather.daily_pairs().dates
    train, test = weather.split_masks(dates)
    assert not (train & test).any()
    days = [set(dates[mask]) | set(dates[mask] + 1) for mask in (train, test)]
    assert not days[0] & days[1]
    assert len(set(dates[test].astype("datetime64[M]"))) == 12
    x_train, y_train, x_test, y_test = weather.split()
    assert len(x_train) == len(y_train) == train.sum()
    assert len(x_test) == len(y_test) == test.sum()


def test_tomorrow_can_be_learnt_from_today():
    x_train, y_train, x_test, y_test = weather.split()
    mean, scale = x_train.mean(axis=0), x_train.std(axis=0)
    a, b = (np.c_[(x - mean) / scale, np.ones(len(x))] for x in (x_train, x_test))
    error = np.abs(b @ np.linalg.lstsq(a, y_train)[0] - y_test).mean()
    as_today = np.abs(x_test[:, 0] - y_test).mean()
    assert error < as_today < 3
