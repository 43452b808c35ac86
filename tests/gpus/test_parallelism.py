"""Counted arithmetic against a counting tool, and the two limits of a machine."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.gpus import _measured, parallelism
from dlcourse.gpus.parallelism import (
    PUBLISHED,
    Machine,
    amdahl,
    gpu_seconds,
    intensity,
    linear_bytes,
    linear_flops,
    mlp_flops,
    roofline,
    run_flops,
    smallest_batch,
    training_flops,
)

CORE = Machine("a core", peak=100e9, bandwidth=20e9)
counts = st.integers(1, 10_000)
speeds = st.floats(1e3, 1e18)
networks = st.lists(st.integers(1, 12), min_size=2, max_size=5)


@given(networks, st.integers(1, 9))
def test_the_counts_are_those_of_torchs_own_counter(sizes, batch):
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
    network = torch.nn.Sequential(*[part for layer in layers for part in (layer, torch.nn.ReLU())])
    with FlopCounterMode(display=False) as forward:
        answers = network(torch.ones(batch, sizes[0]))
    with FlopCounterMode(display=False) as backward:
        answers.sum().backward()
    assert mlp_flops(sizes, batch) == forward.get_total_flops()
    assert training_flops(sizes, batch) == forward.get_total_flops() + backward.get_total_flops()


@given(counts, counts, counts)
def test_a_layer_is_twice_its_sums_times_their_terms(batch, n_in, n_out):
    assert linear_flops(batch, n_in, n_out) == mlp_flops([n_in, n_out], batch) == 2 * batch * n_in * n_out
    assert linear_flops(batch, n_in, n_out) == linear_flops(n_out, batch, n_in)


@given(networks, st.integers(1, 9))
def test_a_step_is_six_operations_a_weight_and_sample_but_for_the_first_layers_inputs(sizes, batch):
    weights = sum(a * b for a, b in pairwise(sizes))
    assert training_flops(sizes, batch) == run_flops(weights, batch) - 2 * batch * sizes[0] * sizes[1]


def test_gpt_3_is_counted_as_its_authors_counted_it():
    """Brown et al. (2020), table D.1: 3.14e23 FLOP for 174.6e9 parameters and 300e9 tokens."""
    assert run_flops(174.6e9, 300e9) == pytest.approx(3.14e23, rel=2e-3)


@given(counts, counts, counts, st.sampled_from([2, 4, 8]))
def test_a_layer_moves_what_its_three_arrays_hold(batch, n_in, n_out, itemsize):
    dtype = {2: np.float16, 4: np.float32, 8: np.float64}[itemsize]
    shapes = [(batch, n_in), (n_in, n_out), (batch, n_out)]
    held = sum(np.broadcast_to(np.zeros((), dtype), shape).size * itemsize for shape in shapes)
    assert linear_bytes(batch, n_in, n_out, itemsize=itemsize) == held


def test_numbers_are_of_float32_unless_said_otherwise():
    assert linear_bytes(3, 5, 7) == 4 * (15 + 35 + 21)


@given(st.integers(1, 2000), st.integers(64, 4096))
def test_the_intensity_of_a_layer_grows_with_the_batch_and_ends_at_its_width(batch, n):
    found = [intensity(linear_flops(b, n, n), linear_bytes(b, n, n)) for b in (batch, batch + 1)]
    assert found[0] < found[1] < n / 4
    assert found[0] < batch / 2


def test_a_single_sample_does_half_an_operation_a_byte():
    assert intensity(linear_flops(1, 10**6, 10**6), linear_bytes(1, 10**6, 10**6)) == pytest.approx(
        0.5, rel=1e-5
    )


@given(st.floats(1e-6, 1e9), speeds, speeds)
def test_the_roof_has_a_slope_and_a_ceiling_that_meet_at_the_ridge(work, peak, bandwidth):
    bound = roofline(work, peak, bandwidth)
    assert bound <= peak
    assert bound <= work * bandwidth
    assert bound in (peak, work * bandwidth)
    machine = Machine("", peak, bandwidth)
    assert roofline(machine.ridge, peak, bandwidth) == pytest.approx(peak)


@given(st.integers(1, 3000), st.floats(1.0, 300.0), st.sampled_from([2, 4, 8]))
def test_the_smallest_batch_reaches_the_ridge_and_one_less_does_not(n, ridge, itemsize):
    def reached(batch):
        return intensity(linear_flops(batch, n, n), linear_bytes(batch, n, n, itemsize))

    found = smallest_batch(n, 1e9 * ridge, 1e9, itemsize)
    if found == np.inf:
        assert reached(10**12) <= ridge * (1 + 1e-6)
    else:
        assert reached(found) >= ridge * (1 - 1e-9)
        assert found == 1 or reached(found - 1) < ridge * (1 + 1e-9)


def test_an_h100_wants_hundreds_of_samples():
    h100 = PUBLISHED["H100"]
    assert smallest_batch(4096, h100.peak, h100.bandwidth, 2) == 345
    assert smallest_batch(512, h100.peak, h100.bandwidth, 2) == np.inf


def test_a_roof_can_be_drawn():
    bound = roofline(np.array([[0.5, 4.0], [5.0, 500.0]]), CORE.peak, CORE.bandwidth)
    np.testing.assert_array_equal(bound, [[10e9, 80e9], [100e9, 100e9]])
    assert isinstance(roofline(0.5, CORE.peak, CORE.bandwidth), float)


@given(st.integers(1, 10**15), st.integers(1, 10**12), speeds, speeds)
def test_the_least_time_is_the_work_at_the_speed_of_the_roof(flops, moved, peak, bandwidth):
    machine = Machine("", peak, bandwidth)
    bound = roofline(intensity(flops, moved), peak, bandwidth)
    assert machine.seconds(flops, moved) == pytest.approx(flops / bound)


def test_the_two_times_do_not_add_up():
    assert CORE.seconds(100e9, 10e9) == 1.0
    assert CORE.seconds(10e9, 20e9) == 1.0


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_more_cores_are_never_worse_and_never_better_than_the_rest_allows(parallel, cores):
    found = amdahl(parallel, cores)
    assert found * (1 + 1e-12) >= 1
    assert found <= cores * (1 + 1e-9)
    assert found <= amdahl(parallel, cores + 1) * (1 + 1e-12)
    if parallel < 1:
        assert found * (1 - parallel) <= 1 + 1e-9


def test_amdahl_at_its_ends():
    assert amdahl(0.0, 1000) == 1
    assert amdahl(1.0, 1000) == 1000
    assert amdahl(0.5, 2) == pytest.approx(4 / 3)
    np.testing.assert_allclose(amdahl(0.9, np.array([1.0, 9.0, 1e12])), [1, 5, 10])


def test_a_gpu_pays_for_the_start_and_for_the_way():
    gpu = PUBLISHED["H100"]
    work = gpu.seconds(1e12, 1e9)
    assert gpu_seconds(1e12, 1e9, gpu=gpu, launch=0.0) == work
    assert gpu_seconds(1e12, 1e9, gpu=gpu, launches=100, launch=5e-6) == pytest.approx(work + 5e-4)
    assert gpu_seconds(1e12, 1e9, gpu=gpu, carried=64e9, launch=0.0) == pytest.approx(work + 1)
    assert gpu_seconds(1e12, 1e9, gpu=gpu, carried=64e9, bus=32e9, launch=0.0) == pytest.approx(work + 2)


def test_a_gpu_loses_on_little_work_and_wins_on_much():
    def times(n):
        flops, moved = linear_flops(n, n, n), linear_bytes(n, n, n)
        return CORE.seconds(flops, moved), gpu_seconds(flops, moved, gpu=PUBLISHED["H100"], carried=moved)

    core, gpu = times(32)
    assert core < gpu
    core, gpu = times(4096)
    assert core > 100 * gpu


def test_published_figures_are_marked_and_ordered():
    assert not any(machine.measured for machine in PUBLISHED.values())
    assert PUBLISHED["H100"].ridge == pytest.approx(295, abs=1)
    assert PUBLISHED["A100"].ridge == pytest.approx(153, abs=1)
    for name in ("A100", "H100"):
        assert PUBLISHED[name].peak > PUBLISHED[f"{name} float32"].peak
        assert PUBLISHED[name].bandwidth == PUBLISHED[f"{name} float32"].bandwidth


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: linear_flops(0, 3, 4), "linear_flops expects batch to be a whole number from 1 on, got 0"),
        (lambda: linear_bytes(1, 3, -4), "linear_bytes expects n_out to be a whole number from 1 on"),
        (lambda: mlp_flops([784], 1), r"mlp_flops expects the inputs and at least one layer, .* got \[784\]"),
        (lambda: run_flops(0, 5), "run_flops expects parameters above 0"),
        (lambda: intensity(5, 0), "intensity expects moved above 0"),
        (lambda: roofline(1.0, 1e9, 0.0), "roofline expects bandwidth above 0"),
        (lambda: smallest_batch(0, 1e9, 1e9), "smallest_batch expects n to be a whole number from 1 on"),
        (lambda: smallest_batch(8, 1e9, 0.0), "smallest_batch expects bandwidth above 0"),
        (lambda: amdahl(95.0, 8), "divide by 100 what is in per cent"),
        (lambda: amdahl(0.95, 0), "expects at least 1 core"),
        (lambda: gpu_seconds(1, 1, gpu=CORE, bus=0.0), "gpu_seconds expects bus above 0"),
    ],
)
def test_errors_say_what_to_do(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_a_count_must_be_whole(no_shape_check):
    with pytest.raises(TypeError):
        linear_flops(1.5, 2, 3)


def small():
    """Measure little, with each library there is."""
    return [pytest.param(library, id=library.name.split(",")[0]) for library in _measured.libraries()[:2]]


@pytest.mark.parametrize("library", small())
def test_a_machine_is_measured(library):
    machine = parallelism.measure_machine(library, sizes=(32, 64), copied=2**16, at_most=0.01)
    assert machine.name == library.name
    assert machine.measured
    assert 1e6 < machine.peak < 1e15
    assert 1e6 < machine.bandwidth < 1e14
    speeds = parallelism.measure_layer(library, [1, 4], n=32, layers=3, at_most=0.01)
    assert len(speeds) == 2
    assert all(1e4 < speed < 1e15 for speed in speeds)
    assert 0 < parallelism.measure_call(library, at_most=0.01) < 0.1


@pytest.mark.parametrize("library", small())
def test_what_is_measured_is_what_is_said(library):
    a, b, out = library.ones((2, 3)), library.ones((3, 4)), library.ones((2, 4))
    library.product(a, b, out)
    np.testing.assert_array_equal(np.asarray(out), np.full((2, 4), 3.0))
    assert np.asarray(out).dtype == np.float32
    to = library.ones((2, 4))
    library.copy(to, out)
    np.testing.assert_array_equal(np.asarray(to), np.asarray(out))
    out -= 4
    library.relu(out, to)
    np.testing.assert_array_equal(np.asarray(to), np.zeros((2, 4)))


def test_without_torch_only_numpy_is_measured(monkeypatch):
    monkeypatch.setattr(_measured, "torch_missing", lambda: "not installed")
    assert [library.name.split(",")[0] for library in parallelism.libraries()] == ["NumPy"]


def test_a_gpu_is_measured_where_there_is_one(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda where: "NVIDIA H100 80GB HBM3")
    names = [(library.name, library.large) for library in parallelism.libraries()]
    assert names[2] == ("PyTorch, NVIDIA H100 80GB HBM3", True)
    assert not any(large for _, large in names[:2])
