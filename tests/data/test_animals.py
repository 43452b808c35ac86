from pathlib import Path

import numpy as np
import pytest

import dlcourse.data
from dlcourse.data import animals


@pytest.fixture(scope="module")
def drawings():
    return animals.load()


def test_cats_and_dogs_of_every_designer(drawings):
    assert drawings.images.shape == (131, 64, 64, 4)
    assert (len(drawings), int(drawings.is_dog.sum())) == (131, 36)
    assert set(drawings.set_name) == set(animals.DESIGNERS)
    for designer in set(animals.DESIGNERS.values()):
        assert set(drawings.is_dog[drawings.designer == designer]) == {False, True}


def test_names_and_labels_agree(drawings):
    dogs = [any(word in name for word in ("dog", "poodle")) for name in drawings.name]
    assert drawings.is_dog.tolist() == dogs
    named_heads = np.array(["face" in name or "smil" in name for name in drawings.name])
    assert drawings.head_only[named_heads].all()
    assert not drawings.head_only[drawings.name == "poodle"].any()


def test_most_cats_are_heads_and_most_dogs_are_not(drawings):
    kinds = [(drawings.head_only & drawings.is_dog).sum(), (~drawings.head_only & drawings.is_dog).sum()]
    kinds += [(drawings.head_only & ~drawings.is_dog).sum(), (~drawings.head_only & ~drawings.is_dog).sum()]
    assert [int(n) for n in kinds] == [9, 27, 81, 14]


@pytest.mark.parametrize("side", [64, 32, 16, 1])
def test_grey_is_ink_on_paper(drawings, side):
    grey = drawings.grey(side)
    assert grey.shape == (131, side, side)
    assert grey.min() >= 0
    assert grey.max() <= 1
    np.testing.assert_allclose(grey.mean(axis=(1, 2)), drawings.grey(64).mean(axis=(1, 2)))


def test_where_nothing_is_drawn_is_paper(drawings):
    assert (drawings.grey(64)[drawings.images[..., 3] == 0] == 0).all()


@pytest.mark.parametrize("side", [0, -32, 20])
def test_grey_says_which_sides_there_are(drawings, side):
    with pytest.raises(ValueError, match=rf"a side that divides 64, such as 32 or 16, got {side}"):
        drawings.grey(side)


def test_drawings_can_be_chosen_and_not_changed(drawings):
    dogs = drawings.take(drawings.is_dog)
    assert len(dogs) == 36
    assert dogs.is_dog.all()
    for chosen in (dogs, drawings):
        with pytest.raises(ValueError, match="read-only"):
            chosen.images[0] = 1


def test_every_set_has_its_licence():
    notice = (Path(dlcourse.data.__file__).parent / "NOTICE.md").read_text(encoding="utf-8")
    section = notice.split("\n## animals.npz\n")[1].split("\n## ")[0]
    assert [name for name in animals.DESIGNERS if f"`{name}`" not in section] == []
