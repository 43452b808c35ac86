"""The curves: as one line, and as a picture."""

import math

import pytest

from dlcourse.milestones import MilestoneError, milestone, run
from dlcourse.milestones.curves import draw, save, smoothed, spark


def test_a_curve_becomes_letters():
    assert spark([4.0, 2.0, 1.0, 0.0]) == "█▅▃▁"
    assert spark([1.0] * 3) == "▁▁▁"
    assert spark([]) == ""
    assert len(spark(range(1000), width=40)) == 40


def test_neighbours_are_averaged_and_what_is_no_number_is_left_out():
    assert smoothed([1.0, 3.0, 5.0, 7.0], points=2) == ([0.5, 2.5], [2.0, 6.0])
    assert smoothed([1.0, math.nan, 2.0], points=10) == ([0.0, 2.0], [1.0, 2.0])


def test_the_picture_has_one_curve_a_stage_and_can_be_saved(write, tmp_path):
    report = run(milestone("neurons"), write("neurons"))
    assert [ax.get_title().split("\n")[0] for ax in draw(report).axes] == [
        "the cards (one by one)",
        "the cards (pass after pass)",
    ]
    for name in ("curve.png", "curve.svg"):
        save(report, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    with pytest.raises(
        MilestoneError, match=r"curve\.doc is no picture that can be saved; let its name end in \.png"
    ):
        save(report, tmp_path / "curve.doc")
