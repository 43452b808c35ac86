import io
import zipfile

import numpy as np
import pytest

from dlcourse.experiments import own
from dlcourse.experiments.errors import ExperimentError
from dlcourse.experiments.task import ERROR


def test_integers_are_classes(mine, clouds):
    task = own.load(mine)
    assert (task.output, task.n_in, task.n_out) == ("class", 4, 3)
    assert [len(part.y) for part in task.parts.values()] == [36, 12, 12]
    for part in task.parts.values():
        assert len(set(np.bincount(part.y))) == 1
    again = own.load(mine)
    np.testing.assert_array_equal(task.test.x, again.test.x)


def test_other_numbers_are_values_in_their_unit(saved, clouds):
    x, _, values = clouds
    task = own.load(saved(x=x.astype(np.float32), y=values))
    assert (task.output, task.n_out) == ("value", 2)
    answers = task.test.y * task.spread + task.mean
    assert task.scores(answers + 3, task.test) == {ERROR: pytest.approx(3, abs=1e-4)}
    assert np.abs(task.training.y.mean(axis=0)).max() < 1e-5
    flat = own.load(saved(x=x, y=values[:, 0]))
    assert flat.n_out == 1
    mean = flat.baseline.answers
    assert (mean == mean[0]).all()


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int32])
def test_pictures_and_yes_or_no(saved, kind, rng):
    y = (np.arange(40) % 2).astype(kind)
    task = own.load(saved(x=rng.integers(0, 255, (40, 8, 8)).astype(np.uint8), y=y[:, None]))
    assert (task.n_in, task.n_out) == (64, 2)


def test_few_examples_make_small_batches(saved, mine, rng):
    many = saved("many.npz", x=rng.standard_normal((4000, 2)), y=np.arange(4000) % 2)
    assert [own.suited(own.load(path))["batch"] for path in (mine, many)] == [16, 64]


def test_large_numbers_keep_their_digits(saved, clouds):
    x, classes, _ = clouds
    task = own.load(saved(x=x + 1e9, y=classes))
    plain = own.load(saved(x=x, y=classes))
    np.testing.assert_allclose(task.training.x, plain.training.x, atol=1e-5)


def test_whole_numbers_stored_as_floats_are_pointed_out(saved, clouds):
    x, classes, values = clouds
    assert "for classes save y.astype(int)" in " ".join(own.load(saved(x=x, y=classes.astype(float))).notes)
    assert "for classes" not in " ".join(own.load(saved(x=x, y=values)).notes)


def bad_files():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 3)), np.arange(40) % 2
    holes = x.copy()
    holes[[3, 7], 0] = np.nan, np.inf
    yield {"z": x}, "holds z, and not x and y; make it with np.savez"
    yield {"x": x}, "holds x, and not y"
    yield {"x": x, "y": y[:-1]}, "40 examples in x and 39 answers in y; save one answer for each"
    yield {"x": x[:10], "y": y[:10]}, "has 10 examples; 20 are the least"
    yield {"x": x[:, 0], "y": y}, r"shape (40,); save one example a row, such as x.reshape(-1, 1)"
    yield {"x": x[:0], "y": y[:0]}, "shape (0, 3); save one example a row"
    yield {"x": x[:, :0], "y": y}, "shape (40, 0); save one example a row"
    yield {"x": np.array(3.0), "y": y}, "shape (); save one example a row"
    yield {"x": x.astype(str), "y": y}, "is of type <U32; a network needs numbers"
    yield {"x": x + 1j, "y": y}, "complex128; a network needs numbers"
    yield {"x": x.astype(object), "y": y}, "holds Python objects, or is damaged"
    yield {"x": holes, "y": y}, "2 of 40 examples in mine.npz hold NaN or inf, the first is example 3; leave"
    yield {"x": 1e35 * x, "y": y}, "beyond 1e+30; use a larger unit"
    yield {"x": x, "y": 0 * y}, "are of class 0; there is nothing to tell apart: add others"
    yield {"x": x, "y": y + 1}, "go from 1 to 2, and 2 occur; number them from 0 without gaps"
    yield {"x": x, "y": y - 1}, "go from -1 to 0"
    yield {"x": x, "y": 7 * y}, "go from 0 to 7, and 2 occur"
    yield {"x": x, "y": (np.arange(40) == 0).astype(int)}, "Class 1 occurs 1 times in mine.npz; each needs 5"
    yield {"x": x, "y": np.eye(2, dtype=int)[y]}, "from one-hot rows with y.argmax(axis=1)"
    yield {"x": x, "y": np.array(["cat", "dog"])[y]}, "type <U3; save numbers: of names with np.unique"
    yield {"x": x, "y": holes[:, 0]}, "2 of 40 answers in mine.npz are NaN or inf, first that of example 3"
    yield {"x": x, "y": 1e35 * x}, "y in mine.npz holds numbers beyond"
    yield {"x": x, "y": np.ones(40)}, "All answers in mine.npz are the same"
    yield {"x": x, "y": np.ones((40, 2, 2))}, "shape (40, 2, 2); save one row of values an example"


@pytest.mark.parametrize(("arrays", "said"), list(bad_files()))
def test_what_is_wrong_is_said_in_one_sentence(arrays, said, saved):
    with pytest.raises(ExperimentError) as error:
        own.load(saved(**arrays))
    assert said in str(error.value)
    assert "mine.npz" in str(error.value)
    assert str(error.value).count(". ") == 0


def test_a_file_that_is_none_is_said(tmp_path, mine):
    with pytest.raises(ExperimentError, match=r"There is no file .*nowhere.npz; check the name"):
        own.load(tmp_path / "nowhere.npz")
    with pytest.raises(ExperimentError, match=r"is not a file; name an .npz file inside it"):
        own.load(tmp_path)
    text = tmp_path / "table.csv"
    text.write_text("1,2,3\n")
    one = tmp_path / "one.npy"
    np.save(one, np.ones(3))
    for path in (text, one):
        with pytest.raises(ExperimentError, match=f"{path.name} is not an .npz file; make one with"):
            own.load(path)
    whole = mine.read_bytes()
    mine.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ExperimentError, match="damaged"):
        own.load(mine)
    middle = bytearray(whole)
    middle[len(whole) // 4 : len(whole) // 2] = bytes(len(whole) // 2 - len(whole) // 4)
    mine.write_bytes(middle)
    with pytest.raises(ExperimentError, match="damaged"):
        own.load(mine)


def test_a_zip_of_other_things_is_said(tmp_path):
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "no array")
        archive.writestr("y", io.BytesIO(b"nor this").getvalue())
    with pytest.raises(ExperimentError, match=r"other.zip"):
        own.load(path)
