from dataclasses import fields
from itertools import combinations

import numpy as np
import pytest

from dlcourse.data import animals, spoken_digits, weather
from dlcourse.experiments.run import prepare, train
from dlcourse.experiments.sets import SETS
from dlcourse.experiments.settings import Settings, choose
from dlcourse.experiments.task import ERROR
from dlcourse.neurons.network import accuracy


@pytest.fixture(scope="module")
def tasks():
    return {name: shipped.load() for name, shipped in SETS.items()}


@pytest.mark.parametrize("name", SETS)
def test_a_task_is_complete(name, tasks):
    task = tasks[name]
    for part in task.parts.values():
        assert len(part.x) == len(part.y) >= 18
        assert part.x.dtype == np.float32
        assert part.x.shape[1] == task.n_in
        assert np.isfinite(part.x).all()
        assert np.abs(part.x).max() < 500
        if task.classes:
            assert set(np.unique(part.y)) == set(range(len(task.classes)))
        else:
            assert part.y.dtype == np.float32
            assert part.y.shape[1:] == (1,)
    assert len(task.baseline.answers) == len(task.test.y)
    assert SETS[name].question.endswith("?")


@pytest.mark.parametrize("name", SETS)
def test_no_example_is_in_two_parts(name, tasks):
    parts = [{row.tobytes() for row in part.x} for part in tasks[name].parts.values()]
    for one, other in combinations(parts, 2):
        assert not one & other


@pytest.mark.parametrize("name", SETS)
def test_defaults_are_settings_that_go_together(name):
    assert set(SETS[name].defaults) <= {field.name for field in fields(Settings)}
    choose(name, {}, SETS[name].defaults)
    choose(name, {"network": "linear"}, SETS[name].defaults)
    choose(name, {"network": "plain", "optimizer": "sgd"}, SETS[name].defaults)


@pytest.mark.parametrize("name", ["weather", "forecast", "shuttle", "speech", "nuclei", "animals"])
def test_inputs_are_scaled_by_the_training_part_alone(name, tasks):
    x = tasks[name].training.x.astype(np.float64)
    changing = x.std(axis=0) > 0
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(x.std(axis=0)[changing], 1, atol=1e-3)
    assert np.abs(tasks[name].test.x.mean(axis=0)).max() > 0.01


def test_the_baselines_are_what_they_say(tasks):
    """Persistence is computed once more, from the hours themselves."""
    hours = weather.load().temperature
    error = tasks["forecast"].scores(tasks["forecast"].baseline.answers, tasks["forecast"].test)[ERROR]
    assert np.isclose(error, np.nanmean(np.abs(hours[6:] - hours[:-6])), rtol=0.1)
    _, tomorrow, _ = weather.daily_pairs()
    days = tasks["weather"]
    values = days.test.y * days.spread + days.mean  # (n, 1)
    assert (np.abs(values - tomorrow).min(axis=1) < 1e-5).all()
    for name in ("digits", "speech"):
        assert accuracy(tasks[name].baseline.answers, tasks[name].test.y) == 0.1
    nuclei = tasks["nuclei"]
    assert nuclei.scores(nuclei.baseline.answers, nuclei.test)["balanced accuracy"] > 0.9


def test_voices_and_designers_are_in_one_part_only(tasks):
    counts = [len(part.y) for part in tasks["speech"].parts.values()]
    voices = spoken_digits.load().voices
    groups = [set(group) for group in np.split(voices, np.cumsum(counts)[:-1])]
    assert sum(map(len, groups)) == len(set(voices))
    drawings = animals.load()
    assert len(tasks["animals"].test.y) == (drawings.designer == "Microsoft").sum()


def test_no_hour_that_is_judged_by_is_in_an_example_to_learn_from(monkeypatch):
    """Each hour is marked by its number: the marks that an example holds are the hours that it knows."""
    hours = weather.load()
    marks = np.arange(len(hours.time), dtype=float)
    kept = {}

    def keep(x, y, rows, **_):
        kept.update(x=x, y=y, rows=rows)

    monkeypatch.setattr("dlcourse.experiments.sets.of_values", keep)
    columns = dict.fromkeys(("temperature", "dew_point", "humidity", "wind_speed", "pressure"), marks)
    monkeypatch.setattr(weather, "load", lambda: weather.Weather(**(vars(hours) | columns)))
    SETS["forecast"].load()
    known = kept["x"][:, :120].astype(int)
    target = known.max(axis=1) + 6
    np.testing.assert_array_equal(kept["y"][:, 0], 6)
    assert (np.diff(known[:, ::5]) == 1).all()
    used = [set(known[rows].ravel()) | set(target[rows]) for rows in kept["rows"]]
    for one, other in combinations(used, 2):
        assert not one & other
    assert len({hours.time[hour].astype("datetime64[M]") for hour in used[2]}) == 12


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_a_network_with_the_defaults_is_better_than_the_baseline(name, tmp_path):
    outcome = train(prepare(name, {}, tmp_path / "run"))
    score = next(iter(outcome.scores["test"]))
    ours, theirs = outcome.scores["test"][score], outcome.scores["baseline"][score]
    assert ours < 0.9 * theirs if score == ERROR else ours > theirs + 0.005
    if name == "digits":
        assert ours > 0.94
    if name == "shuttle":
        assert outcome.scores["test"]["recall of anomaly"] > 0.97
