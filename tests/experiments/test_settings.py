from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dlcourse.experiments import settings
from dlcourse.experiments.errors import ExperimentError
from dlcourse.experiments.networks import OPTIMIZERS
from dlcourse.experiments.settings import Settings, choose, go_on


def test_what_is_not_asked_for_is_chosen():
    assert choose("digits", {}) == Settings("digits")
    for name, method in OPTIMIZERS.items():
        assert choose("digits", {"optimizer": name}).rate == method.rate
    assert choose("digits", {"optimizer": "adam"}, {"weight_decay": 0.1}).weight_decay == 0
    assert choose("digits", {"optimizer": "adam", "weight_decay": 0.2}).weight_decay == 0.2
    assert choose("digits", {"network": "dropout"}).dropout == 0.5
    assert choose("digits", {"network": "plain"}, {"network": "dropout", "dropout": 0.2}).dropout == 0
    assert choose("digits", {"network": "linear"}, {"hidden": (5,)}).hidden == ()
    assert choose("digits", {"device": "cpu"}, {"network": "dropout", "dropout": 0.2}) == Settings(
        "digits", network="torch", device="cpu"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"network": "fused", "dropout": 0.3}, "fused drops no units; add --network dropout"),
        ({"network": "linear", "hidden": (3,)}, "linear has no hidden layer; leave out --hidden"),
        ({"network": "linear", "activation": "tanh"}, "leave out --activation"),
        ({"hidden": ()}, "for none choose --network linear"),
        ({"activation": "gelu"}, "fused has no activation gelu; choose relu, tanh, sigmoid"),
        (
            {"network": "plain", "device": "cpu"},
            "plain computes with NumPy, on the CPU; choose --network torch",
        ),
        ({"rate": float("nan")}, "--rate is nan; give a finite number"),
        ({"weight_decay": float("inf")}, "--weight-decay is inf; give a finite number"),
    ],
)
def test_what_does_not_go_together_is_refused(given, said):
    with pytest.raises(ExperimentError, match=said):
        choose("digits", given)


def test_a_run_goes_on_with_what_it_had_and_more_epochs_only():
    before = Settings("digits", epochs=10)
    assert go_on(before, "digits", {}, 4) == before
    assert go_on(before, "digits", {"seed": 0, "hidden": (128,), "epochs": 20}, 10) == replace(
        before, epochs=20
    )
    assert go_on(before, "digits", {"epochs": 5}, 5).epochs == 5
    for name, value, was in (("seed", 1, "0"), ("hidden", (3, 4), "128"), ("optimizer", "sgd", "adamw")):
        with pytest.raises(ExperimentError) as error:
            go_on(before, "digits", {name: value}, 4)
        assert f"had {was} as --{name}" in str(error.value)
    with pytest.raises(ExperimentError, match="had digits as the data, not weather"):
        go_on(before, "weather", {}, 4)
    with pytest.raises(ExperimentError, match="has 4 epochs behind it; ask for as many or more, not for 3"):
        go_on(before, "digits", {"epochs": 3}, 4)
    falling = replace(before, schedule="cosine")
    assert go_on(falling, "digits", {}, 4) == falling
    with pytest.raises(ExperimentError, match="cosine was laid out for 10 epochs; leave --epochs at that"):
        go_on(falling, "digits", {"epochs": 11}, 4)


def test_a_run_goes_on_on_another_device():
    before = Settings("digits", network="torch", device="cuda")
    assert go_on(before, "digits", {"device": "cpu"}, 4).device == "cpu"
    assert go_on(before, "digits", {}, 4).device == "cuda"
    with pytest.raises(ExperimentError, match="has the network fused, which computes with NumPy"):
        go_on(Settings("digits"), "digits", {"device": "cpu"}, 4)


def test_settings_are_written_and_read():
    some = Settings("digits", hidden=(3, 4), dropout=0.1)
    assert settings.read(asdict(some)) == some
    for broken in ({}, asdict(some) | {"colour": 1}, asdict(some) | {"network": "vast"}):
        with pytest.raises(ValueError, match=r"settings other|does not exist"):
            settings.read(broken)


def test_the_command_names_everything():
    words = Settings("my file.npz", hidden=(3, 4)).command(Path("some where"))
    assert words.startswith("dlcourse train 'my file.npz' --network fused --hidden 3,4 --activation relu")
    assert words.endswith("--seed 0 --out 'some where'")
    assert "--device" not in words
    assert "--network torch" in Settings("digits", network="torch").command()
    assert "--device auto" in Settings("digits", network="torch").command()
    assert "--hidden" not in Settings("digits", network="linear", hidden=()).command()
