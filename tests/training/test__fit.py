import json
import zipfile
from itertools import pairwise

import numpy as np
import pytest

from dlcourse.data import digits, weather
from dlcourse.learning._fused import FusedMLP
from dlcourse.learning.autodiff import TensorMLP
from dlcourse.learning.backpropagation import TrainableMLP
from dlcourse.learning.gradient_descent import DivergenceError
from dlcourse.neurons.network import MLP
from dlcourse.training import History, _checkpoint, fit
from dlcourse.training.initialization import initialize
from dlcourse.training.optimizers import SGD, Adam, AdamW, RMSProp, cosine

OPTIMIZERS = {
    "SGD": lambda p: SGD(p, rate=0.05, momentum=0.9, nesterov=True),
    "RMSProp": lambda p: RMSProp(p, rate=0.01),
    "Adam": lambda p: Adam(p, rate=cosine(0.01, steps=40)),
    "AdamW": lambda p: AdamW(p, rate=0.01),
}
GENERATORS = ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"]


def generator(name="PCG64", seed=3):
    return np.random.Generator(getattr(np.random, name)(seed))


def network(sizes=(6, 8, 3), output="class", seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    parameters = [p for n, m in pairwise(sizes) for p in (rng.standard_normal((n, m)), np.zeros(m))]
    return MLP(output, *(p.astype(dtype) for p in parameters))


def clouds(n=50, seed=1, n_in=6, classes=3, dtype=np.float64):
    """Draw samples around one centre a class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    x = 1.5 * np.eye(classes, n_in)[y] + rng.standard_normal((n, n_in))
    return x.astype(dtype), y


def run(epochs, *, kind=TrainableMLP, optimizer="Adam", rng=None, seed=0, dtype=np.float64, **more):
    """Train a small network, and return it with its history."""
    model = kind(network(seed=seed, dtype=dtype))
    more = {"validation": clouds(30, seed=2, dtype=dtype), "batch": 16} | more
    history = fit(
        model,
        *clouds(dtype=dtype),
        optimizer=OPTIMIZERS[optimizer](model.parameters),
        epochs=epochs,
        rng=rng or generator(),
        **more,
    )
    return model, history


def assert_same(one, other):
    (model, history), (peer, expected) = one, other
    assert history == expected
    for p, q in zip(model.parameters, peer.parameters, strict=True):
        np.testing.assert_array_equal(p, q)


@pytest.mark.usefixtures("many_steps")
@pytest.mark.parametrize("kind", [TrainableMLP, FusedMLP])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_run_ends_bit_for_bit_as_one_that_was_not_interrupted(tmp_path, kind, optimizer):
    path = tmp_path / "new" / "run.npz"
    settings = {"kind": kind, "optimizer": optimizer, "dtype": np.float32}
    whole = run(7, **settings)
    run(3, checkpoint=path, **settings)
    # Everything that is given anew is in another state: it must come from the file.
    resumed = run(7, checkpoint=path, resume=True, rng=generator(seed=99), seed=42, **settings)
    assert_same(resumed, whole)
    assert [p.name for p in path.parent.iterdir()] == ["run.npz"]


@pytest.mark.usefixtures("many_steps")
@pytest.mark.parametrize(
    "name", [GENERATORS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in GENERATORS[1:])]
)
def test_every_generator_of_numpy_is_resumed(tmp_path, name):
    whole = run(5, rng=generator(name))
    run(2, rng=generator(name), checkpoint=tmp_path / "run.npz")
    resumed = run(5, rng=generator(name, seed=99), checkpoint=tmp_path / "run.npz", resume=True)
    assert_same(resumed, whole)


class Interrupt:
    """Presses Ctrl-C after so many steps."""

    def __init__(self, steps):
        self.steps = steps

    def __call__(self, done, in_all, history):
        if done == self.steps:
            raise KeyboardInterrupt


def test_a_run_that_was_interrupted_goes_on_at_the_last_whole_epoch(tmp_path):
    path = tmp_path / "run.npz"
    whole = run(5)
    with pytest.raises(KeyboardInterrupt):
        run(5, checkpoint=path, progress=Interrupt(11))  # in the third epoch of four steps
    calls = []
    resumed = run(
        5, checkpoint=path, resume=True, progress=lambda done, in_all, _: calls.append((done, in_all))
    )
    assert_same(resumed, whole)
    assert calls == [(step, 20) for step in range(9, 21)]


@pytest.mark.slow
def test_early_stopping_is_resumed_too(tmp_path):
    path = tmp_path / "run.npz"
    settings = {"optimizer": "SGD", "patience": 4}
    whole = run(200, **settings)
    assert whole[1].stopped
    assert 2 < whole[1].best < whole[1].epochs < 200
    for epochs in (whole[1].best - 1, whole[1].best + 2, whole[1].epochs, 200):
        run(epochs, checkpoint=path, **settings)
        assert_same(run(200, checkpoint=path, resume=True, **settings), whole)
        assert_same(run(200, checkpoint=path, resume=True, **settings), whole)  # nothing is left to do


class Counting:
    """A stub whose validation losses are given, and whose one parameter counts the epochs."""

    def __init__(self, losses):
        self.parameters = (np.zeros(1),)
        self.losses = losses

    def loss_and_gradients(self, x, y):
        return 1.0, (np.array([-1.0]),)

    def loss(self, x, y):
        return self.losses[round(self.parameters[0][0]) - 1]

    def predict(self, x):
        return np.zeros(len(x), dtype=int)


class CountingAside(Counting):
    """The same, with a count beside the parameters, as batch norm has its running statistics."""

    seen = 0

    def loss_and_gradients(self, x, y):
        self.seen += 1
        return super().loss_and_gradients(x, y)

    def state(self):
        return {"seen": self.seen}

    def load(self, state):
        self.seen = state["seen"]


def count(losses, epochs=100, model=None, **more):
    model = model or Counting(losses)
    x, y = np.ones((4, 1)), np.array([0, 0, 0, 1])
    history = fit(
        model,
        x,
        y,
        optimizer=SGD(model.parameters, rate=1.0),
        epochs=epochs,
        batch=4,
        rng=generator(),
        validation=(x, y),
        **more,
    )
    return model.parameters[0][0], history


def test_early_stopping_returns_to_the_best_parameters():
    losses = [5.0, 3.0, 4.0, 2.0, 2.0, 2.5, 9.0]
    parameter, history = count(losses, patience=2)
    assert (parameter, history.best, history.epochs, history.stopped) == (4, 4, 6, True)
    assert history.validation_loss == losses[:6]
    assert history.accuracy == [0.75] * 6
    # One more epoch of patience brings one more epoch; without patience all are done and the last one stays.
    assert count(losses, patience=3)[1].epochs == 7
    parameter, history = count(losses, epochs=7)
    assert (parameter, history.best, history.epochs, history.stopped) == (7, 4, 7, False)
    # The best are returned to as well where the epochs end first.
    parameter, history = count(losses, epochs=5, patience=2)
    assert (parameter, history.best, history.epochs, history.stopped) == (4, 4, 5, False)


def test_history_is_what_happened():
    model = TrainableMLP(network())
    x, y = clouds()
    seen = []
    history = fit(
        model,
        x,
        y,
        optimizer=SGD(model.parameters, rate=0.1),
        epochs=2,
        batch=16,
        rng=generator(),
        progress=lambda done, in_all, so_far: seen.append((done, in_all, len(so_far.steps))),
    )
    assert seen == [(i, 8, i) for i in range(1, 9)]
    assert (history.epochs, history.best, history.stopped) == (2, 0, False)
    assert (history.validation_loss, history.accuracy) == ([], [])
    sizes = [16, 16, 16, 2]
    np.testing.assert_allclose(history.loss[1], np.average(history.steps[4:], weights=sizes), rtol=1e-12)
    assert history.loss[1] < history.loss[0]


def test_each_sample_is_seen_once_an_epoch():
    class Watching(Counting):
        def loss_and_gradients(self, x, y):
            seen.append(x[:, 0])
            return super().loss_and_gradients(x, y)

    seen = []
    model = Watching([])
    x = np.arange(10.0)[:, None]
    optimizer = SGD(model.parameters, rate=1.0)
    fit(model, x, x, optimizer=optimizer, epochs=2, batch=4, rng=generator())
    assert [len(part) for part in seen] == [4, 4, 2] * 2
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    np.testing.assert_array_equal(np.sort(first), x[:, 0])
    np.testing.assert_array_equal(np.sort(second), x[:, 0])
    assert not np.array_equal(first, second)


def test_values_have_no_accuracy():
    model = FusedMLP(network((2, 4, 1), "value"))
    x = np.random.default_rng(0).standard_normal((40, 2))
    y = x[:, :1] * x[:, 1:]
    optimizer = Adam(model.parameters, rate=0.02)
    history = fit(model, x, y, optimizer=optimizer, epochs=60, batch=8, rng=generator(), validation=(x, y))
    assert history.accuracy == []
    assert history.validation_loss[-1] < 0.2 * history.validation_loss[0]


@pytest.mark.usefixtures("many_steps")
def test_the_digits_are_learned():
    x, y, x_test, y_test = digits.split()
    model = FusedMLP(network((784, 32, 10), dtype=np.float32))
    for W in model.parameters[::2]:
        W *= np.sqrt(2 / len(W))
    optimizer = Adam(model.parameters, rate=3e-3)
    history = fit(
        model, x, y, optimizer=optimizer, epochs=4, batch=64, rng=generator(), validation=(x_test, y_test)
    )
    assert history.accuracy[-1] > 0.9


def test_early_stopping_returns_to_what_the_model_remembered_then():
    model = CountingAside([5.0, 3.0, 4.0, 4.0])
    parameter, history = count([], model=model, patience=2)
    assert (history.epochs, parameter, model.seen) == (4, 2, 2)


class Stateful(TrainableMLP):
    """A network with noise of its own, as dropout has."""

    def __init__(self, net, seed=0):
        super().__init__(net)
        self.rng = np.random.default_rng(seed)
        self.calls = 0

    def loss_and_gradients(self, x, y):
        self.calls += 1
        return super().loss_and_gradients(x + self.rng.standard_normal(x.shape) / self.calls, y)

    def state(self):
        return {"calls": self.calls, "rng": np.array(json.dumps(self.rng.bit_generator.state))}

    def load(self, state):
        self.calls = state["calls"]
        self.rng.bit_generator.state = json.loads(state["rng"])


def test_a_model_with_a_state_of_its_own_is_resumed(tmp_path):
    whole = run(5, kind=Stateful)
    run(2, kind=Stateful, checkpoint=tmp_path / "run.npz")
    resumed = run(5, kind=lambda net: Stateful(net, 99), checkpoint=tmp_path / "run.npz", resume=True)
    assert_same(resumed, whole)


@pytest.mark.parametrize("kind", [TrainableMLP, FusedMLP])
def test_a_loss_that_grows_out_of_range_is_told_with_its_place_and_remedy(kind):
    model = kind(network((6, 8, 3), "value"))
    x, _ = clouds()
    with pytest.raises(
        DivergenceError, match=r"epoch \d+, step \d: the losses before were .*lower the rate, which was 50"
    ):
        fit(
            model,
            x,
            x[:, :3],
            optimizer=SGD(model.parameters, rate=50.0),
            epochs=500,
            batch=16,
            rng=generator(),
        )


def test_a_network_that_is_wrong_from_the_start_is_told_so():
    model = FusedMLP(network())
    model.parameters[0][:] = np.nan
    with pytest.raises(
        DivergenceError, match="nan in epoch 1, step 1: the network is wrong before its first"
    ):
        fit(
            model,
            *clouds(),
            optimizer=OPTIMIZERS["SGD"](model.parameters),
            epochs=1,
            batch=50,
            rng=generator(),
        )


def test_a_step_that_breaks_the_parameters_is_told_though_no_loss_follows():
    class Breaking(Counting):
        def loss_and_gradients(self, x, y):
            return 1.0, (np.array([np.inf]),)

    model = Breaking([])
    optimizer = SGD(model.parameters, rate=1.0)
    x = np.ones((4, 1))
    with pytest.raises(
        DivergenceError, match=r"epoch 1, after its last step: .*lower the rate, which was 1 "
    ):
        fit(model, x, x, optimizer=optimizer, epochs=1, batch=4, rng=generator())


def test_a_validation_loss_that_is_not_finite_is_told():
    with pytest.raises(DivergenceError, match="validation loss is nan after epoch 2"):
        count([1.0, np.nan])


@pytest.mark.parametrize("kind", [TrainableMLP, FusedMLP])
def test_scores_that_grow_out_of_range_are_told_in_the_same_way(kind):
    model = kind(network())
    x, y = clouds()
    optimizer = SGD(model.parameters, rate=1e200)
    with pytest.raises(DivergenceError, match=r"epoch \d+, .*lower the rate, which was 1e\+200"):
        fit(model, x, y, optimizer=optimizer, epochs=3, batch=50, rng=generator())


def test_an_error_of_the_network_says_where_it_was():
    model = TrainableMLP(network())
    x, y = clouds()
    with pytest.raises(ValueError, match="labels from 0 to 2") as raised:
        fit(model, x, y + 1, optimizer=SGD(model.parameters, rate=0.1), epochs=1, batch=50, rng=generator())
    assert raised.value.__notes__ == ["This was in epoch 1, step 1; the losses before were none."]


def test_a_checkpoint_of_another_run_is_refused_and_nothing_is_changed(tmp_path):
    path = tmp_path / "run.npz"
    run(2, checkpoint=path)

    def refused(what, *, sizes=(6, 8, 3), optimizer="Adam", rng=None, data=None, dtype=np.float64, **more):
        model = TrainableMLP(network(sizes, dtype=dtype))
        before = [p.copy() for p in model.parameters]
        more = {"batch": 16, "validation": clouds(30, seed=2)} | more
        with pytest.raises(ValueError, match=rf"is of another run: its {what}"):
            fit(
                model,
                *(data or clouds()),
                optimizer=OPTIMIZERS[optimizer](model.parameters),
                epochs=4,
                rng=rng or generator(),
                checkpoint=path,
                resume=True,
                **more,
            )
        for p, q in zip(model.parameters, before, strict=True):
            np.testing.assert_array_equal(p, q)

    refused(r"network is float64 \(6, 8\), float64 \(8,\), .*, here it is float64 \(6, 9\)", sizes=(6, 9, 3))
    refused("network is float64 .*, here it is float32", dtype=np.float32)
    refused("optimizer is Adam, here it is AdamW", optimizer="AdamW")
    refused("generator is PCG64, here it is SFC64", rng=generator("SFC64"))
    refused("batch is 16, here it is 8", batch=8)
    refused("training set is 50 samples .*, here it is 49 samples", data=clouds(49))
    refused("training set is 50 samples", data=clouds(seed=7))
    refused("validation set is 30 samples .*, here it is none", validation=None)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint at .*without resume=True"):
        run(2, checkpoint=path, resume=True)
    run(2, checkpoint=path)
    right = path.read_bytes()
    stranger = tmp_path / "stranger.npz"
    np.savez(stranger, weights=np.ones(3))
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, about=np.array([{"a": 1}], dtype=object))
    for content in (b"", b"no zip", right[: len(right) // 2], stranger.read_bytes(), pickled.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is no checkpoint, or is damaged"):
            run(2, checkpoint=path, resume=True)
    _checkpoint.save(path, {}, {"kind": "of a later version"})
    with pytest.raises(ValueError, match="another version"):
        run(2, checkpoint=path, resume=True)
    with pytest.raises(ValueError, match="expects a checkpoint to resume from"):
        run(2, resume=True)


def test_a_checkpoint_is_plain_data_and_is_replaced_as_a_whole(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    run(2, checkpoint=path)
    with zipfile.ZipFile(path) as file:
        assert all(name.endswith(".npy") for name in file.namelist())
    before = path.read_bytes()
    with pytest.raises(TypeError, match="numbers only, got objects in 'a'"):
        _checkpoint.save(path, {"a": np.array([None])}, {})
    with pytest.raises(TypeError, match="cannot hold set"):
        _checkpoint.save(path, {}, {"a": {1}})

    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space"):
        run(2, checkpoint=path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.usefixtures("no_shape_check")
def test_errors_say_what_to_do():
    model = TrainableMLP(network())
    x, y = clouds()
    right = {"optimizer": OPTIMIZERS["SGD"](model.parameters), "epochs": 1, "batch": 16, "rng": generator()}
    moved = FusedMLP(network())
    other = {"optimizer": OPTIMIZERS["SGD"](network().parameters)}
    with pytest.raises(ValueError, match=r"make the model first, then the optimizer from model\.parameters"):
        fit(moved, x, y, **right | other)
    with pytest.raises(ValueError, match="batch of at least 1, got 0"):
        fit(model, x, y, **right | {"batch": 0})
    with pytest.raises(ValueError, match="patience of at least 1, got 0"):
        fit(model, x, y, **right, patience=0, validation=(x, y))
    with pytest.raises(ValueError, match=r"pass validation=\(x, y\)"):
        fit(model, x, y, **right, patience=3)
    with pytest.raises(ValueError, match=r"training set .* got 50 samples and 49 targets"):
        fit(model, x, y[1:], **right)
    with pytest.raises(ValueError, match=r"validation set .* got 0 samples"):
        fit(model, x, y, **right, validation=(x[:0], y[:0]))
    x = x.copy()
    x[3, 2] = np.nan
    with pytest.raises(ValueError, match="x of the training set holds NaN or inf"):
        fit(model, x, y, **right)
    assert History() == History()


@pytest.mark.usefixtures("many_steps")
@pytest.mark.parametrize("kind", [pytest.param(TrainableMLP, marks=pytest.mark.slow), FusedMLP, TensorMLP])
def test_the_same_lines_train_every_network_on_the_weather(kind):
    split = weather.split()
    mean, spread = split.x_train.mean(axis=0), split.x_train.std(axis=0)
    x, x_test = ((part - mean) / spread for part in (split.x_train, split.x_test))
    y, y_test = split.y_train[:, None], split.y_test[:, None]
    model = kind(initialize([10, 16, 1], "he", output="value", rng=generator()))
    shown = []
    history = fit(
        model,
        x,
        (y - y.mean()) / y.std(),
        optimizer=Adam(model.parameters, rate=0.01),
        epochs=40,
        batch=32,
        rng=generator(),
        validation=(x_test, (y_test - y.mean()) / y.std()),
        patience=15,
        progress=lambda done, in_all, so_far: shown.append((done / in_all, so_far.epochs)),
    )
    predicted = model.predict(x_test) * y.std() + y.mean()
    assert np.abs(predicted - y_test).mean() < np.abs(split.x_test[:, :1] - y_test).mean()  # persistence
    assert len(shown) == 8 * history.epochs
    assert shown[-1] == (8 * history.epochs / 320, history.epochs - 1)
