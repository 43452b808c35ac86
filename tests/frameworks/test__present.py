"""What is said where a framework is missing, and modules that are imported when they are used."""

import sys

import pytest

from dlcourse.frameworks._present import Lazy, MissingFrameworkError, missing, required, wanted


@pytest.fixture
def nothing_there(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_what_is_there_is_not_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert missing("jax", "tensorflow") == ""


@pytest.mark.usefixtures("nothing_there")
def test_what_is_missing_is_said_with_what_to_do():
    assert missing("jax") == 'JAX is not installed here: pip install "dlcourse[frameworks]"'
    assert missing("torch", "jax", "keras") == (
        'PyTorch, JAX and Keras are not installed here: pip install "dlcourse[torch,frameworks]"'
    )


@pytest.mark.usefixtures("nothing_there")
def test_an_import_becomes_a_sentence():
    with (
        pytest.raises(MissingFrameworkError, match="TensorFlow is not installed here") as told,
        wanted("tensorflow"),
    ):
        pytest.fail("the import was tried")
    assert told.value.name == "tensorflow"
    with pytest.raises(MissingFrameworkError, match="safetensors is not installed here"):
        required("safetensors.numpy")


def test_a_lazy_module_is_imported_when_it_is_used(monkeypatch):
    monkeypatch.setattr("dlcourse.frameworks._present.missing", lambda *modules: "")
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    called = []
    module = Lazy("colorsys", lambda: called.append(1))
    with pytest.raises(AttributeError):
        module.__wrapped__  # noqa: B018  # asked for as doctest does
    assert (called, "colorsys" in sys.modules) == ([], False)
    assert module.rgb_to_hsv(0.0, 0.0, 0.0) == (0.0, 0.0, 0.0)
    assert module.hsv_to_rgb
    assert called == [1]
