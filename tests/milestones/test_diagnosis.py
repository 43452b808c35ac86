"""A wrong piece is named by what it breaks: every sentence here comes from a measurement."""

import numpy as np
import pytest

from dlcourse.milestones import PARTS, milestone
from dlcourse.milestones.clock import Watch
from dlcourse.milestones.diagnosis import compared, said
from dlcourse.milestones.pieces import Quantity
from dlcourse.milestones.reading import WRONG
from dlcourse.milestones.run import look

from .outside import outside

CLASSIC = {
    ("learning", "two_layer_gradients", "wrong sign"): (
        "The loss on XOR (line by line) rises: your gradients of W1, b1, W2 and b2 point the wrong way."
    ),
    ("learning", "two_layer_gradients", "summed, not averaged"): (
        "It learns all the same, but your gradients of W1, b1, W2 and b2 are 7 times too long "
        "(you forgot 1/batch, with 7 samples in a batch here)."
    ),
    ("learning", "cross_entropy_op", "no 1/batch"): (
        "The loss on the digits does not fall: your gradients of W1, b1, W2 and b2 are 7 times too long "
        "(you forgot 1/batch, with 7 samples in a batch here)."
    ),
    ("learning", "cross_entropy", "sum"): (
        "It learns all the same, but your loss is 7 times too large "
        "(you forgot 1/batch, with 7 samples in a batch here)."
    ),
    (
        "learning",
        "one_step",
        "uphill",
    ): "The loss on XOR (line by line) rises: your step points the wrong way.",
    ("learning", "one_step", "no rate"): (
        "The loss on XOR (layer by layer) rises: your step is 20 times too long (you forgot the rate)."
    ),
    ("learning", "minibatches", "rest left out"): (
        "It learns all the same, but your minibatches show only 24 of 30 samples in an epoch."
    ),
    ("learning", "linear_op", "d_W transposed"): (
        "Training on XOR (layer by layer) stops: your gradient of W1 has the shape (6, 4) in place of (4, 6)."
    ),
    ("learning", "linear_op", "bias averaged"): (
        "It learns all the same, but your gradients of b1 and b2 are 7 times too short "
        "(you divided by the batch twice)."
    ),
    (
        "learning",
        "dense_op",
        "relu lets through at 0",
    ): "It learns all the same: on these data nothing suffers.",
    ("learning", "linear_op", "gradients in place of a pullback"): (
        "Training on XOR (layer by layer) stops: TypeError: 'tuple' object is not callable."
    ),
    ("neurons", "perceptron_update", "wrong direction"): (
        "The share of wrong answers on the cards (one by one) does not fall: your correction of w points the wrong way."
    ),
    ("neurons", "weighted_sum", "no bias"): (
        "It learns all the same, but your weighted sum is 0.5 too small everywhere."
    ),
    ("training", "sgd_step", "uphill"): (
        "The loss on the digits (momentum) rises: your step of momentum points the wrong way."
    ),
    ("training", "AdamW", "not in place"): (
        "The loss on the digits (batch norm) does not fall: "
        "your steps of AdamW and AdamW without a gradient are 0."
    ),
    ("training", "he", "zeros"): "The loss on the digits (momentum) does not fall: your he is 0.",
}


@pytest.mark.parametrize(
    ("part", "task", "name"),
    [pytest.param(*case, marks=() if case[0] == "neurons" else pytest.mark.slow) for case in CLASSIC],
)
def test_a_classic_mistake_is_named_by_what_it_breaks(part, task, name):
    [says] = [breaks for *which, _, _, breaks in outside("mistakes", part) if which == [task, name]]
    assert says == CLASSIC[part, task, name]


@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=() if part == "neurons" else pytest.mark.slow) for part in PARTS]
)
def test_every_mistake_of_the_exercises_is_found_and_gets_a_sentence(part):
    found = outside("mistakes", part)
    assert [(task, name) for task, name, state, _, _ in found if state != WRONG] == []
    assert [(task, name) for task, name, _, told, says in found if not (told and says.endswith("."))] == []
    assert [says for *_, says in found if "nan" in says] == []
    harmed = [says for *_, says in found if not says.startswith("It learns all the same")]
    assert len(harmed) > len(found) / 8


@pytest.mark.slow
def test_one_gradient_of_several_is_named(hand_in):
    code = (
        "def two_layer_gradients(x, labels, W1, b1, W2, b2):\n"
        "    Z1 = x @ W1 + b1\n    H = np.maximum(Z1, 0)\n    P = softmax(H @ W2 + b2)\n"
        "    loss = -np.log(P[np.arange(len(x)), labels]).mean()\n"
        "    P[np.arange(len(x)), labels] -= 1\n    d_Z2 = P / len(x)\n    d_Z1 = d_Z2 @ W2.T * (Z1 > 0)\n"
        "    return loss, (-x.T @ d_Z1, d_Z1.sum(axis=0), H.T @ d_Z2, d_Z2.sum(axis=0))\n"
    )
    wanted = milestone("learning")
    handed = hand_in("learning", "backpropagation", two_layer_gradients=code)
    [work] = handed.of(WRONG)
    assert look(wanted, handed, work, Watch(5)).endswith("your gradient of W1 points the wrong way.")


def test_a_loop_without_end_that_was_refused_unrun_is_ended(hand_in):
    wanted = milestone("learning")
    code = "def one_step(p, gradient, rate):\n    while True: pass\n"
    handed = hand_in("learning", "gradient_descent", one_step=code)
    [work] = handed.of(WRONG)
    assert "loops in Python" in work.told
    assert look(wanted, handed, work, Watch(0.2)) == (
        "Nothing can be trained with it: your one_step did not come back within 0.2 s: "
        "look for a loop that never ends."
    )


RIGHT = np.array([[1.0, 2.0], [-3.0, 0.5]])


@pytest.mark.parametrize(
    ("kind", "got", "sentence"),
    [
        ("gradient", RIGHT, None),
        ("gradient", -RIGHT, "your gradient of W points the wrong way"),
        ("gradient", 0 * RIGHT, "your gradient of W is 0"),
        ("gradient", 4 * RIGHT, "your gradient of W is 4 times too long (you forgot 1/batch)"),
        ("gradient", RIGHT / 3, "your gradient of W is 3 times too short"),
        ("gradient", RIGHT.T, "your gradient of W points away from the right direction"),
        ("gradient", abs(RIGHT), "your gradient of W points away from the right direction"),
        ("gradient", RIGHT * [1, 9], "your gradient of W is off the right direction by more than 45 degrees"),
        (
            "gradient",
            RIGHT * [1, 1.2],
            "your gradient of W is off the right direction by more than 2 degrees",
        ),
        ("gradient", RIGHT[0], "your gradient of W has the shape (2,) in place of (2, 2)"),
        ("gradient", RIGHT * np.nan, "your gradient of W is not a finite number"),
        ("gradient", "no", "your gradient of W is no array of numbers"),
        ("gradient", RIGHT + 1, "your gradient of W is 1 too large everywhere"),
        ("answer", -RIGHT, "your answer of W has the wrong sign"),
        ("answer", RIGHT[::-1], "your answer of W is off the right one by up to 4"),
        ("answer", 2 * RIGHT, "your answer of W is 2 times too large"),
    ],
)
def test_a_quantity_is_compared_with_the_right_one(kind, got, sentence):
    fault = compared(Quantity(kind, "W", got, RIGHT, {4.0: "you forgot 1/batch"}))
    assert (list(said([fault])) if fault else [None]) == [sentence]


def test_what_is_wrong_with_several_is_said_once_and_the_loss_comes_last():
    faults = [
        compared(Quantity(kind, of, -RIGHT, RIGHT))
        for kind, of in [("loss", ""), ("gradient", "W"), ("gradient", "b")]
    ]
    assert list(said(faults)) == [
        "your gradients of W and b point the wrong way",
        "your loss has the wrong sign",
    ]
