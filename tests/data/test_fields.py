from pathlib import Path

import numpy as np
import pytest

import dlcourse.data
from dlcourse.data import fields

FOLDER = Path(dlcourse.data.__file__).parent


def test_boxes_hold_their_nuclei():
    picture = fields.microscopy()
    assert picture.image.shape == picture.nucleus.shape == (160, 160)
    numbers = np.unique(picture.nucleus)
    assert numbers.tolist() == list(range(18))
    for number, (left, top, width, height) in enumerate(picture.boxes(), start=1):
        inside = picture.nucleus[top : top + height, left : left + width] == number
        assert inside.sum() == (picture.nucleus == number).sum()
        for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
            assert edge.any()


def test_nuclei_shine():
    picture = fields.microscopy()
    marked = picture.nucleus > 0
    assert picture.image[marked].mean() > 2 * picture.image[~marked].mean()


def test_white_matter_is_brighter_than_grey():
    brain = fields.brain()
    grey, white = (brain.image[brain.tissue == kind].mean() for kind in (1, 2))
    assert white > grey > brain.image[brain.tissue == 0].mean()


def test_animals_come_in_pairs():
    animals = fields.animals()
    assert animals.images.shape == (6, 64, 64, 4)
    assert animals.is_dog.tolist() == [False, True] * 3
    assert animals.set_name.tolist() == ["noto"] * 2 + ["twemoji"] * 2 + ["fluent-emoji"] * 2


def test_sound_begins_and_ends_in_silence():
    sound = fields.spoken_digit()
    assert sound.shape == (8000,)
    assert abs(sound[:500]).max() == 0
    assert abs(sound[-500:]).max() == 0
    assert abs(sound).max() > 50


def test_shuttle_has_few_anomalies():
    shuttle = fields.shuttle()
    assert shuttle.readings.shape == (3000, 9)
    assert 0.05 < shuttle.anomaly.mean() < 0.1


def test_driving_shows_grass_and_road():
    red, green, _ = fields.driving().transpose(2, 0, 1).astype(int)
    assert (green > red + 40).mean() > 0.3
    assert ((abs(red - green) < 5) & (red > 90) & (red < 120)).mean() > 0.2


def test_sentences_are_pairs():
    pairs = fields.sentence_pairs()
    assert len(pairs) == 4
    assert all(german and english and german != english for german, english in pairs)


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(FOLDER.iterdir()) if p.suffix in {".npz", ".tsv", ".csv", ".gz", ".json"}],
    ids=lambda path: path.name,
)
def test_every_file_has_a_notice_and_is_small(path):
    notice = (FOLDER / "NOTICE.md").read_text(encoding="utf-8")
    assert f"\n## {path.name}\n" in notice
    section = notice.split(f"\n## {path.name}\n")[1].split("\n## ")[0]
    for word in ("**What:**", "**Source", "icence", "**Changes:**"):
        assert word in section
    assert path.stat().st_size < 1_000_000


def test_loaders_give_arrays_that_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        fields.spoken_digit()[0] = 1
