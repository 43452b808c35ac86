"""The model of a training run against published runs, against played runs, and against itself."""

import re
import subprocess
import sys
from math import ceil, inf, log, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dlcourse.distributed.cost import (
    HOUR,
    RUNS,
    Cluster,
    bill,
    break_even,
    checkpoint_interval,
    energy_kwh,
    finish_time,
    ring_seconds,
    run_flops,
    run_seconds,
    simulate_runs,
    slowdown,
    slowest,
    step_seconds,
    token_flops,
    tree_seconds,
    utilisation,
)

ROOT = Path(__file__).parents[2]
counts = st.integers(1, 20_000)
shares = st.floats(0.01, 1)
sizes = st.floats(1e3, 1e12)
speeds = st.floats(1e6, 1e12)
run = {entry.name: entry for entry in RUNS}


def share_of(entry):
    return utilisation(entry.parameters, entry.tokens, entry.device_hours * HOUR, entry.peak)


def test_torch_is_not_needed():
    code = "import sys, dlcourse.distributed.cost; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_attention_of_gpt_2_is_counted_as_others_count_it():
    """nanoGPT's estimate_mfu counts 6N + 12LHQT with heads H of width Q, d = HQ."""
    assert token_flops(124e6, 12, 12 * 64, 1024) == 6 * 124e6 + 12 * 12 * 12 * 64 * 1024


@given(st.floats(1e6, 1e12), st.integers(1, 100), st.integers(1, 20_000))
def test_attention_is_small_beside_the_weights_until_the_context_is_long(parameters, layers, width):
    assert token_flops(parameters, layers, width, 1) == pytest.approx(6 * parameters + 12 * layers * width)
    more = token_flops(parameters, layers, width, 2048) - 6 * parameters
    assert more == pytest.approx(
        2 * (token_flops(parameters, layers, width, 1024) - 6 * parameters), rel=1e-6
    )


@given(st.floats(1e3, 1e12), st.floats(1e3, 1e14), counts, st.floats(1e9, 1e16), shares)
def test_the_share_is_what_makes_the_time_come_out(parameters, tokens, devices, peak, share):
    seconds = run_seconds(run_flops(parameters, tokens), devices, peak, share * 0.99)
    assert utilisation(parameters, tokens, devices * seconds, peak) == pytest.approx(share * 0.99)


@given(st.floats(1e9, 1e26), counts, st.floats(1e9, 1e16), shares)
def test_without_a_loss_the_hours_of_all_devices_do_not_depend_on_how_many_there_are(
    flops, devices, peak, share
):
    assert devices * run_seconds(flops, devices, peak, share) == pytest.approx(
        run_seconds(flops, 1, peak, share)
    )


def test_published_runs_reach_a_part_of_the_peak():
    shares = {name: share_of(entry) for name, entry in run.items()}
    assert all(0.1 < share < 0.5 for share in shares.values())
    assert shares["Llama 2 70B"] == pytest.approx(0.435, abs=1e-3)
    assert shares["GPT-3"] == pytest.approx(0.197, abs=1e-3)


def test_opt_computed_what_its_authors_measured():
    """The paper says 147 TFLOP/s for each A100; the log counts 4.3e23 FLOP, those done twice included."""
    entry = run["OPT-175B"]
    assert 4.30e23 / (entry.device_hours * HOUR) == pytest.approx(147e12, rel=0.01)
    assert run_flops(entry.parameters, entry.tokens) * 8 / 6 == pytest.approx(4.30e23, rel=0.03)


def test_the_authors_of_palm_counted_the_same_operations():
    """PaLM's paper says 2527.2 zettaFLOP."""
    assert run_flops(run["PaLM"].parameters, run["PaLM"].tokens) == pytest.approx(2527.2e21, rel=1e-3)


def test_stated_energy_is_hours_times_watts():
    for entry in RUNS:
        if entry.kwh:
            assert 300 < 1000 * entry.kwh / entry.device_hours < 450
    assert energy_kwh(run["BLOOM"].device_hours, 400) == run["BLOOM"].kwh


def test_each_published_run_names_a_source_that_the_bibliography_has():
    known = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "book/references.bib").read_text(), re.MULTILINE))
    assert {entry.source for entry in RUNS} <= known
    assert len(run) == len(RUNS)


@given(st.floats(1, 1e7), st.floats(1, 2000), st.floats(1, 3))
def test_the_building_draws_more_than_its_computers(hours, watts, pue):
    alone = energy_kwh(hours, watts)
    assert alone == pytest.approx(hours * watts / 1000)
    assert energy_kwh(hours, watts, pue) == pytest.approx(pue * alone)


@given(st.floats(1, 1e6), st.floats(0.1, 50), st.floats(0, 1))
def test_at_the_break_even_both_have_cost_the_same(purchase, price, part):
    running = part * price
    hours = break_even(purchase, price, running)
    if hours == inf:
        assert part == 1
    else:
        assert purchase + hours * running == pytest.approx(hours * price, rel=1e-6)


def test_a_device_that_costs_more_to_run_than_to_rent_never_pays():
    assert break_even(1000, 0.5, 0.5) == break_even(1000, 0.5, 0.7) == inf
    assert break_even(1000, 0.5, 0) == 2000


@given(st.floats(0.1, 300), st.floats(1e7, 1e9), st.integers(1, 1000), st.floats(0, 900), st.floats(0.3, 3))
def test_youngs_interval_loses_less_than_others(write, device_mtbf, devices, restart, factor):
    mtbf = device_mtbf / devices
    assume(write < mtbf / 200)
    best = checkpoint_interval(write, device_mtbf, devices)
    found, other = (slowdown(interval, write, restart, mtbf) for interval in (best, factor * best))
    assert found <= other * (1 + write / mtbf)


def test_more_devices_want_more_checkpoints():
    found = checkpoint_interval(60, 50_000 * HOUR, np.array([1, 4, 100, 10_000]))
    np.testing.assert_allclose(found, found[0] / np.array([1, 2, 10, 100]))
    assert checkpoint_interval(60, 50_000 * HOUR, 4) == pytest.approx(found[1])


@given(st.floats(100, 5000), st.floats(0, 100), st.floats(0, 600), st.floats(1e6, 1e9))
def test_rare_failures_cost_half_an_interval_and_a_restart_each(interval, write, restart, mtbf):
    first_order = (interval + write) / interval * (1 + (interval + write) / 2 / mtbf + restart / mtbf)
    assert slowdown(interval, write, restart, mtbf) == pytest.approx(first_order, rel=1e-4)


def test_an_interval_that_never_ends_well_takes_for_ever():
    assert slowdown(1e7, 60, 300, 3600) == inf


def test_a_run_without_failures_writes_its_checkpoints():
    assert finish_time(100, 40, 5, 10, [inf]) == 115
    assert finish_time(120, 40, 5, 10, [135]) == 135
    assert finish_time(30, 40, 5, 10, [1000]) == 35


def test_a_failure_costs_the_work_since_the_last_checkpoint_and_a_restart():
    assert finish_time(100, 40, 5, 10, [44, 1000]) == 44 + 10 + 115
    assert finish_time(100, 40, 5, 10, [46, 1000]) == 46 + 10 + 70
    assert finish_time(100, 40, 5, 10, [46, 9, 1000]) == 46 + 9 + 10 + 70
    assert finish_time(100, 40, 5, 10, [46, 56, 1000]) == 46 + 56 + 10 + 25


def played_second_by_second(work, interval, write, restart, lifetimes):
    """Play a run with whole seconds, one at a time: a slower and plainer way to the same end."""
    clock, kept = 0, 0
    for number, lifetime in enumerate(lifetimes):
        life, waiting, done, unsaved, writing = 0, restart if number else 0, kept, 0, 0
        while True:
            if waiting == 0 and writing == 0 and unsaved and (unsaved == interval or done == work):
                writing = write
                if write == 0:
                    kept, unsaved = done, 0
            if waiting == 0 and writing == 0 and kept == work:
                return clock
            if life == lifetime:
                break
            life, clock = life + 1, clock + 1
            if waiting:
                waiting -= 1
            elif writing:
                writing -= 1
                if writing == 0:
                    kept, unsaved = done, 0
            else:
                done, unsaved = done + 1, unsaved + 1
    return None


@settings(deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 20),
    st.integers(1, 4),
    st.integers(0, 6),
    st.lists(st.integers(1, 60), max_size=6),
)
def test_a_run_played_in_one_go_ends_when_one_played_by_the_second_does(
    work, interval, write, restart, failures
):
    lifetimes = [*failures, 1000]
    found = finish_time(work, interval, write, restart, lifetimes)
    assert found == played_second_by_second(work, interval, write, restart, lifetimes)
    assert found >= work + ceil(work / interval) * write


@pytest.mark.parametrize("interval", [300, 1200, 5000])
def test_the_formula_is_the_mean_of_played_runs(interval):
    work, write, restart, mtbf = 1_500_000, 60, 400, 3 * HOUR
    took = simulate_runs(work, interval, write, restart, mtbf, runs=120, rng=np.random.default_rng(1)) / work
    error = took.std(ddof=1) / sqrt(len(took))
    assert took.mean() == pytest.approx(slowdown(interval, write, restart, mtbf), abs=4 * error)
    assert error < 0.005


def test_the_same_generator_plays_the_same_runs():
    both = [
        simulate_runs(1e5, 1000, 10, 60, 5000, runs=3, rng=np.random.default_rng(7)).tolist()
        for _ in range(2)
    ]
    assert both[0] == both[1]
    assert len(set(both[0])) == 3


@given(sizes, counts, speeds, st.floats(0, 1e-2))
def test_a_ring_sends_in_two_rounds_of_pieces(size, devices, bandwidth, latency):
    hops = 2 * (devices - 1)
    assert ring_seconds(size, devices, bandwidth, latency) == pytest.approx(
        hops * latency + hops * size / devices / bandwidth
    )
    assert tree_seconds(size, devices, bandwidth, latency) == pytest.approx(
        0 if devices == 1 else 2 * ceil(log(devices, 2) - 1e-9) * latency + 2 * size / bandwidth
    )


def test_a_ring_is_never_slower_than_a_tree_but_for_its_hops():
    devices = np.array([1, 2, 8, 1000, 16384])
    assert (ring_seconds(1e9, devices, 1e9) <= tree_seconds(1e9, devices, 1e9)).all()
    assert ring_seconds(1e6, 16384, 50e9, 5e-6) > 100 * tree_seconds(1e6, 16384, 50e9, 5e-6)
    assert ring_seconds(1e9, 1, 1e9, 1.0) == tree_seconds(1e9, 1, 1e9, 1.0) == 0


@given(counts, st.floats(1e-6, 1e3), sizes, speeds, st.floats(0, 1))
def test_what_is_sent_while_computing_costs_nothing(devices, compute, size, bandwidth, overlap):
    sending = ring_seconds(size, devices, bandwidth)
    alone = step_seconds(devices, compute, size, bandwidth)
    found = step_seconds(devices, compute, size, bandwidth, overlap=overlap)
    assert alone == pytest.approx(compute + sending)
    assert max(compute, sending) * (1 - 1e-9) <= found <= alone * (1 + 1e-9)
    if overlap * compute >= sending:
        assert found == compute


def test_a_step_can_be_asked_for_many_sizes_and_with_a_tree():
    devices = np.array([1, 2, 64])
    compute = 8.0 / devices
    found = step_seconds(devices, compute, 1e9, 1e9, 0.1, overlap=0.5, all_reduce=tree_seconds)
    np.testing.assert_allclose(found, [8, 4 + 0.2, 0.125 + 3.2 - 0.0625])
    assert isinstance(step_seconds(2, 1.0, 1e9, 1e9), float)


def test_the_slowest_of_many_is_waited_for():
    rng = np.random.default_rng(3)
    found = [slowest(n, 0.02, steps=300, rng=rng) for n in (1, 8, 512, 8192)]
    assert found[0] == pytest.approx(1, abs=0.004)
    assert found == sorted(found)
    for n, factor in zip((8, 512, 8192), found[1:], strict=True):
        assert 1 < factor < 1 + 0.02 * sqrt(2 * log(n)) * 1.05
    assert slowest(100, 0, rng=rng) == 1


def test_the_bill_adds_up():
    cluster = Cluster(64, 1e15, share=0.5, efficiency=0.8, watts=500, pue=1.1, price=3.0)
    made = bill(6e22, cluster)
    assert made.hours == pytest.approx(6e22 / (64 * 1e15 * 0.4) / 3600)
    assert made.device_hours == pytest.approx(64 * made.hours)
    assert made.kwh == pytest.approx(made.device_hours * 0.55)
    assert made.money == pytest.approx(3 * made.device_hours)
    assert (made.interval, made.slowdown) == (inf, 1)


def test_failures_are_on_the_bill():
    sound = Cluster(16384, 989e12)
    frail = sound._replace(mtbf=50_000 * HOUR)
    flops = run_flops(405e9, 15.6e12)
    found = bill(flops, frail)
    assert found.interval == pytest.approx(checkpoint_interval(60, 50_000 * HOUR, 16384))
    assert found.slowdown == pytest.approx(slowdown(found.interval, 60, 300, 50_000 * HOUR / 16384))
    assert found.money == pytest.approx(found.slowdown * bill(flops, sound).money)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: utilisation(7e9, 1e12, 100, 1e12), "give the seconds of all devices together"),
        (lambda: utilisation(7e9, 1e12, 0, 1e12), "utilisation expects device_seconds above 0"),
        (lambda: run_seconds(1e20, 8, 1e12, 40), "divide by 100 what is in per cent"),
        (lambda: token_flops(1e6, 0, 5, 5), "token_flops expects layers to be a whole number"),
        (lambda: energy_kwh(10, 400, 0.9), "expects pue from 1 on, got 0.9"),
        (lambda: break_even(1000, 0, 0.1), "break_even expects price above 0"),
        (lambda: break_even(1000, 1, -0.1), "expects running costs from 0 on"),
        (lambda: checkpoint_interval(0, 1e6, 8), "checkpoint_interval expects write above 0"),
        (lambda: checkpoint_interval(5, 1e6, 0), "expects at least 1 device, got 0"),
        (lambda: slowdown(0, 5, 5, 100), "slowdown expects interval above 0"),
        (lambda: slowdown(10, -5, 5, 100), "slowdown expects write from 0 s on"),
        (lambda: finish_time(100, 40, 5, -1, [1000]), "finish_time expects restart from 0 s on"),
        (lambda: finish_time(100, 40, 5, 1, [50, 40]), "got 1 of 3 intervals: give more of them"),
        (lambda: ring_seconds(1e9, 0, 1e9), "ring_seconds expects at least 1 device"),
        (lambda: tree_seconds(1e9, 2, 0), "tree_seconds expects bandwidth above 0"),
        (lambda: step_seconds(2, 1.0, 1e9, 1e9, overlap=1.5), "step_seconds expects a share from 0 to 1"),
        (lambda: slowest(8, -0.1, rng=np.random.default_rng(0)), "expects a spread from 0 on"),
        (lambda: bill(1e20, Cluster(8, 1e15, efficiency=1.2)), "bill expects a share from 0 to 1"),
    ],
)
def test_errors_say_what_to_do(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_a_run_that_would_not_end_is_not_begun():
    with pytest.raises(ValueError, match="write checkpoints more often"):
        simulate_runs(1e6, 1e5, 60, 300, 3600, runs=1, rng=np.random.default_rng(0))
