import numpy as np
import pytest

from dlcourse.figures.curves import training_curve
from dlcourse.training import History


def history(epochs=5, **more):
    falling = list(np.geomspace(2, 0.01, epochs))
    return History(steps=[1.0], loss=falling, **more)


def test_losses_accuracy_and_the_best_epoch_are_drawn():
    fig = training_curve(
        history(validation_loss=[1.0, 0.5, 0.4, 0.6, 0.7], accuracy=[0.5, 0.6, 0.7, 0.7, 0.6], best=3),
        title="t",
    )
    losses, accuracies = fig.axes
    assert losses.get_title() == "t"
    assert [line.get_label() for line in losses.lines if not line.get_label().startswith("_")] == [
        "training",
        "validation",
        "best epoch",
    ]
    np.testing.assert_allclose(losses.lines[0].get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_allclose(accuracies.lines[0].get_ydata(), [50, 60, 70, 70, 60])
    assert losses.get_yscale() == "log"
    assert accuracies.get_xlabel() == "epoch"


def test_one_epoch_without_validation_is_drawn_too(tmp_path):
    fig = training_curve(history(1))
    assert len(fig.axes) == 1
    assert fig.axes[0].get_yscale() == "linear"
    fig.savefig(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 1000
    loss_of_zero = History(loss=[1.0, 0.0])
    assert training_curve(loss_of_zero).axes[0].get_yscale() == "linear"


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="at least one whole epoch, got none"):
        training_curve(History())
