"""Whose code is running: counted, quiet, and not for ever."""

import contextlib
import signal
import sys
import threading
import time

import numpy as np
import pytest

from dlcourse.milestones.clock import Clock, Interrupted, OvertimeError, Watch, quiet


def forever():
    while True:
        pass


def stubborn():
    for _ in range(2):
        with contextlib.suppress(KeyboardInterrupt):
            forever()
    forever()


@pytest.mark.parametrize("call", [forever, lambda: time.sleep(60), stubborn])
def test_what_never_ends_is_ended(call):
    with pytest.raises(OvertimeError, match=r"^your loop did not come back within 0\.1 s: look for a loop"):
        Watch(0.1).call("your loop", call)


def test_what_ends_in_time_is_left_alone_afterwards():
    watch = Watch(0.1)
    assert watch.call("it", lambda: 3) == 3
    time.sleep(0.3)


def test_ctrl_c_says_what_was_going_on():
    with pytest.raises(Interrupted, match="your dense_op"):
        Watch(5).call("your dense_op", lambda: signal.raise_signal(signal.SIGINT))


def test_outside_of_the_main_thread_there_is_no_limit():
    seen = []
    thread = threading.Thread(
        target=lambda: seen.append(Watch(0.01).call("it", lambda: time.sleep(0.1) or 4))
    )
    thread.start()
    thread.join()
    assert seen == [4]


def test_the_watching_thread_goes_when_nothing_is_watched():
    watch = Watch(1)
    watch.call("it", lambda: None)
    thread = watch._thread
    thread.join(5)
    assert not thread.is_alive()
    assert watch.call("it again", lambda: 5) == 5


def test_what_a_learner_prints_is_dropped_and_input_does_not_wait(capsys):
    with quiet():
        print("hello")
        print("hello", file=sys.stderr)
        with pytest.raises((EOFError, OSError)):
            input("?")
    assert capsys.readouterr() == ("", "")


def test_the_time_of_a_piece_is_without_the_pieces_that_it_calls():
    clock = Clock(Watch(5))
    inner = clock.timed("inner", lambda: time.sleep(0.05), guarded=False)
    outer = clock.timed("outer", inner, guarded=True)
    outer()
    inner()
    assert clock.calls == {"outer": 1, "inner": 2}
    assert clock.seconds["inner"] > 0.09
    assert clock.seconds["outer"] < 0.04


def test_pullbacks_generators_and_objects_are_observed():
    clock = Clock(Watch(0.2))

    class Layer:
        rate = 3

        def forward(self):
            time.sleep(0.02)

        def never(self):
            forever()

    def op():
        return np.ones(2), lambda d: time.sleep(0.02) or d

    value, pullback = clock.timed("op", op, guarded=True)()
    assert pullback(4) == 4
    assert (value == 1).all()
    assert clock.timed("batches", lambda: iter([1, 2]), guarded=True)() == [1, 2]
    layer = clock.timed("Layer", Layer, guarded=True)()
    layer.forward()
    assert layer.rate == 3
    assert clock.calls == {"op": 1, "batches": 1, "Layer": 1}
    assert min(clock.seconds["op"], clock.seconds["Layer"]) > 0.015
    with pytest.raises(OvertimeError, match="your Layer did not come back"):
        layer.never()


def test_a_generator_without_end_is_cut():
    def count():
        while True:
            yield 0

    assert len(Clock(Watch(5)).timed("batches", count, guarded=True)()) == 100_000
