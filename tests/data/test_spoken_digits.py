import numpy as np
import pytest

from dlcourse.data import fields, spoken_digits


def test_each_voice_says_each_digit_once():
    sounds, labels, voices = spoken_digits.load()
    assert len(sounds) == len(labels) == len(voices) == 360
    for voice in set(voices):
        assert labels[voices == voice].tolist() == list(range(10))
    assert not sounds.flags.writeable


def test_the_word_of_the_opening_page_is_one_of_them():
    sounds, labels, voices = spoken_digits.load()
    same = (sounds == fields.spoken_digit()).all(axis=1)
    assert (labels[same].tolist(), voices[same].tolist()) == ([7], ["f2"])


def test_no_voice_is_on_both_sides_of_the_split():
    voices = spoken_digits.load().voices
    _, y_train, _, y_test = spoken_digits.split()
    assert not set(voices[: len(y_train)]) & set(voices[len(y_train) :])
    assert np.bincount(y_test).tolist() == [9] * 10


@pytest.mark.parametrize(("pitch", "others"), [(200, (1000, 3000)), (1000, (200, 3000)), (3000, (200, 1000))])
def test_a_tone_is_loud_in_its_own_band_and_rises_with_its_power(pitch, others):
    time = np.arange(8000) / spoken_digits.SAMPLES_PER_SECOND
    tones = np.stack([100 * np.sin(2 * np.pi * hertz * time) for hertz in (pitch, *others)])
    loudest = spoken_digits.bands(tones.astype(np.int8)).mean(axis=1).argmax(axis=1)
    assert len(set(loudest)) == 3
    assert (np.argsort(loudest) == np.argsort([pitch, *others])).all()
    quiet, loud = spoken_digits.bands(np.stack([tones[0] / 2, tones[0]]).astype(np.int8))
    assert np.isclose((loud - quiet)[:, loudest[0]].mean(), np.log(4), atol=0.05)


def test_speed_and_silence_around_a_word_change_little():
    sound = spoken_digits.load().sounds[7]
    word = sound[np.flatnonzero(sound)[0] :]
    later = np.concatenate([np.zeros(500, np.int8), word])[:8000]
    now, then = spoken_digits.bands(np.stack([sound, np.pad(later, (0, 8000 - len(later)))]))
    np.testing.assert_allclose(now, then, atol=0.05)


def test_a_silent_or_short_sound_is_refused():
    with pytest.raises(ValueError, match="silent: leave it out"):
        spoken_digits.bands(np.zeros((2, 8000), np.int8))
    with pytest.raises(ValueError, match="at least 256 samples, got 100"):
        spoken_digits.bands(np.ones((2, 100), np.int8))
