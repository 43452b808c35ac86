"""Hostile and odd zips: what is listed, what is refused and why, and that nothing but plain bytes comes out."""

import io
import os
import stat
import struct
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcourse.grading.collecting import archive
from dlcourse.grading.collecting.archive import Budget, LeftOutError, opened, opened_zip
from dlcourse.grading.collecting.chosen import choose
from dlcourse.grading.collecting.collect import collect
from dlcourse.grading.errors import GradingError


@pytest.fixture
def zipped(tmp_path):
    """Write a zip of entries: a name or a ZipInfo, and bytes."""

    def write(*entries, method=zipfile.ZIP_DEFLATED, name="inbox.zip"):
        with zipfile.ZipFile(tmp_path / name, "w", method) as file:
            for entry, content in entries:
                file.writestr(entry, content)
        return tmp_path / name

    return write


@pytest.fixture
def take_in(tmp_path):
    return lambda source: collect(source, "sums", ["adding"], tmp_path / "class" / "submitted")


def mode(name, kind):
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (kind | 0o644) << 16
    return entry


def troubles(path):
    with opened(path) as items:
        return {str(item.path): item.trouble for item in items}


def content(path, name):
    with opened(path) as items, io.BytesIO() as target:
        next(item for item in items if str(item.path) == name).copy(target, Budget())
        return target.getvalue()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/etc/passwd", "leads out of the zip"),
        ("../../ada/adding.ipynb", "leads out of the zip"),
        ("ada/../../adding.ipynb", "leads out of the zip"),
        ("..\\ada\\adding.ipynb", "leads out of the zip"),
        ("C:\\Users\\ada\\adding.ipynb", "leads out of the zip"),
        ("\\\\server\\share\\adding.ipynb", "leads out of the zip"),
        ("/".join("a" * 20), "cannot be used"),
        (mode("ada/adding.ipynb", stat.S_IFLNK), "a link to another place"),
        (mode("ada/adding.ipynb", stat.S_IFIFO), "not a plain file"),
        (mode("ada/adding.ipynb", stat.S_IFCHR), "not a plain file"),
        (mode("ada/adding.ipynb", stat.S_IFREG), ""),
        ("ada\\adding.ipynb", ""),
        ("./ada//adding.ipynb", ""),
    ],
)
def test_what_leads_elsewhere_is_listed_with_its_reason_and_never_read(
    zipped, name, words, take_in, tmp_path
):
    source = zipped((name, b"/etc/passwd"), ("bela/adding.ipynb", b"{}"))
    found = troubles(source)
    (trouble,) = (trouble for path, trouble in found.items() if not path.startswith("bela"))
    assert words in trouble
    assert bool(words) == bool(trouble)
    if not words:
        assert "ada/adding.ipynb" in found
    before = {path for path in tmp_path.rglob("*") if "class" not in path.parts}
    taken = take_in(source)
    assert taken.learners == (1 if words else 2)
    assert len(taken.left_out) == (1 if words else 0)
    assert {path for path in tmp_path.rglob("*") if "class" not in path.parts} == before
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_a_locked_entry_and_odd_packing_are_said(zipped):
    source = zipped(("ada/a.ipynb", b"{}"))
    raw = bytearray(source.read_bytes())
    directory = raw.index(b"PK\x01\x02")
    raw[directory + 8] |= 1
    source.write_bytes(raw)
    assert troubles(source) == {"ada/a.ipynb": "locked with a password; ask for it without one"}
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        (trouble,) = troubles(zipped(("ada/a.ipynb", b"{}"), method=method)).values()
        assert "ask for an ordinary zip" in trouble


def test_names_come_out_in_the_writers_letters(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("Zoë/neuron.ipynb", "{}")
    raw = (tmp_path / "a.zip").read_bytes()
    assert "Zoë/neuron.ipynb" in troubles(tmp_path / "a.zip")
    # UTF-8 whose flag is not set, as many programs write it; and true CP437.
    unsaid = raw.replace(b"\x00\x08\x00\x00", b"\x00\x00\x00\x00")
    (tmp_path / "b.zip").write_bytes(unsaid)
    assert "Zoë/neuron.ipynb" in troubles(tmp_path / "b.zip")
    (tmp_path / "c.zip").write_bytes(unsaid.replace("Zoë".encode(), b"Zoe\x89"))
    assert "Zoeë/neuron.ipynb" in troubles(tmp_path / "c.zip")


def test_what_computers_add_is_nobodys_work(zipped):
    added = ["__MACOSX/ada/._a.ipynb", "ada/._a.ipynb", "ada/.ipynb_checkpoints/a-checkpoint.ipynb", "ada/.DS_Store",
             "Thumbs.db", "ada/desktop.ini"]  # fmt: skip
    assert troubles(zipped(*((name, b"x") for name in added), ("ada/a.ipynb", b"{}"))) == {"ada/a.ipynb": ""}


def test_a_size_that_is_a_lie_does_not_help(zipped, monkeypatch):
    monkeypatch.setattr(archive, "FILE_LIMIT", 1000)
    source = zipped(("ada/a.ipynb", b"a" * 5000))
    assert "too large for a notebook" in troubles(source)["ada/a.ipynb"]
    raw = source.read_bytes().replace(struct.pack("<I", 5000), struct.pack("<I", 10))
    source.write_bytes(raw)
    assert troubles(source) == {"ada/a.ipynb": ""}
    with pytest.raises(LeftOutError, match="cannot be read"):
        content(source, "ada/a.ipynb")


def test_a_bomb_goes_off_outside(zipped, monkeypatch):
    source = zipped(("ada/a.ipynb", b"\0" * 20 * 2**20))
    with pytest.raises(LeftOutError, match="unpacks to far more than a notebook holds"):
        content(source, "ada/a.ipynb")
    monkeypatch.setattr(archive, "FILE_LIMIT", 2**20)
    plain = source.parent / "folder"
    plain.mkdir()
    (plain / "a.ipynb").write_bytes(b"a" * (2**20 + 1))
    with pytest.raises(LeftOutError, match="too large for a notebook"):
        content(plain, "a.ipynb")


def test_many_files_cost_one_learner_only_their_own_share(zipped):
    budget = Budget(15_000)
    with opened(zipped(("a.ipynb", os.urandom(10_000)), ("b.ipynb", os.urandom(10_000)))) as items:
        items[0].copy(io.BytesIO(), budget)
        with pytest.raises(LeftOutError, match="more than 300 MB of this learner"):
            items[1].copy(io.BytesIO(), budget)


def test_too_many_entries_are_not_listed(zipped, monkeypatch, tmp_path):
    monkeypatch.setattr(archive, "ENTRIES", 3)
    source = zipped(*((f"ada/{n}.ipynb", b"") for n in range(4)))
    with pytest.raises(LeftOutError, match="4 entries, more than 3"):
        troubles(source)
    for n in range(4):
        (tmp_path / "folder" / str(n)).mkdir(parents=True)
    with pytest.raises(LeftOutError, match="more than 3 files"):
        troubles(tmp_path / "folder")
    monkeypatch.setattr(archive, "_DIRECTORY", 50)
    with pytest.raises(LeftOutError, match="table of contents is too long"):
        troubles(source)


@pytest.mark.parametrize("damage", [lambda raw: b"", lambda raw: b"PK", lambda raw: raw[: len(raw) // 2],
                                    lambda raw: raw[:-30], lambda raw: b"<html>please log in</html>"])  # fmt: skip
def test_a_broken_zip_is_said(zipped, damage, take_in):
    source = zipped(("ada/adding.ipynb", os.urandom(1000)))
    source.write_bytes(damage(source.read_bytes()))
    with pytest.raises(GradingError, match="cannot be taken in: it is not a zip that can be opened"):
        take_in(source)


def test_a_damaged_entry_costs_that_entry_only(zipped, take_in, tmp_path):
    source = zipped(
        ("ada/adding.ipynb", b"first " * 100), ("bela/adding.ipynb", b"second"), method=zipfile.ZIP_STORED
    )
    source.write_bytes(source.read_bytes().replace(b"first first", b"first fIrst", 1))
    taken = take_in(source)
    assert taken.notebooks == 1
    assert taken.left_out[0].startswith("ada/adding.ipynb: cannot be read (Bad CRC-32")
    assert not (tmp_path / "class" / "submitted" / "ada").exists()
    assert [path.name for path in (tmp_path / "class" / "collected").iterdir()] == ["sums.json"]


def test_a_learners_own_zip_is_opened_once(zipped, take_in, tmp_path):
    deep = zipped(("adding.ipynb", b"{}"), name="deep.zip").read_bytes()
    inner = zipped(
        ("work/adding.ipynb", b"{}"), ("deep.zip", deep), ("../x", b""), name="inner.zip"
    ).read_bytes()
    taken = take_in(
        zipped(
            ("ada/work.zip", inner), ("bela/deep.zip", deep), ("carl/x.zip", b"no zip"), ("dora/e.zip", b"")
        )
    )
    assert (taken.notebooks, taken.learners) == (2, 2)
    assert (tmp_path / "class" / "submitted" / "ada" / "sums" / "adding.ipynb").read_bytes() == b"{}"
    lines = "\n".join(taken.left_out)
    assert "ada/work.zip/deep.zip: a zip in a zip" in lines
    assert "its path leads out of the zip" in lines
    assert "carl/x.zip: it is not a zip that can be opened" in lines
    assert "dora/e.zip: it is not a zip that can be opened" in lines


def test_the_same_name_twice_is_asked_about(zipped, take_in):
    with pytest.warns(UserWarning, match="Duplicate name"):
        source = zipped(("ada/adding.ipynb", b"{}"), ("ada/adding.ipynb", b"{ }"))
    taken = take_in(source)
    assert taken.notebooks == 0
    assert len(taken.left_out) == 2
    assert "there are 2 files that can be adding.ipynb" in taken.left_out[0]


def test_a_file_replaced_by_a_link_since_it_was_listed_is_not_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("mine")
    with opened(tmp_path / "folder") as (item,):
        item.origin.unlink()
        os.symlink("/etc/passwd", item.origin)
        with pytest.raises(LeftOutError, match="cannot be read"):
            item.copy(io.BytesIO(), Budget())


@pytest.fixture
def locked_folder():
    """A folder that nobody may read, seen by somebody who is not root: root may read anything."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        Path(folder, "ada").mkdir(mode=0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        yield Path(folder)
        os.seteuid(user)


def test_a_locked_folder_costs_that_folder_only(locked_folder):
    assert "cannot be read" in troubles(locked_folder)["ada"]


NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
) | st.sampled_from(
    [
        "..",
        "/",
        "ada/adding.ipynb",
        "Ada_1_assignsubmission_file_/adding.ipynb",
        "a_1_2_adding.ipynb",
        "a/../b",
        "con/x",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, st.binary(max_size=50)), max_size=6))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_name_in_a_zip_leads_out_of_the_class(tmp_path_factory, entries):
    folder = tmp_path_factory.mktemp("any")
    with zipfile.ZipFile(folder / "inbox.zip", "w") as file:
        for name, raw in entries:
            file.writestr(name, raw)
    with suppress(GradingError):
        collect(folder / "inbox.zip", "sums", ["adding"], folder / "class" / "submitted")
    files = [path.relative_to(folder).parts for path in folder.rglob("*") if path.is_file()]
    for parts in files:
        assert parts in (("inbox.zip",), ("class", "collected", "sums.json")) or (
            parts[:2] == ("class", "submitted") and parts[3:] == ("sums", "adding.ipynb")
        )


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 255))
def test_no_bytes_break_the_listing(noise, place, value):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("ada/adding.ipynb", noise)
    raw = bytearray(held.getvalue())
    raw[place % len(raw)] = value
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        with suppress(LeftOutError), opened_zip(file) as items:
            for item in choose(items, ["adding"], "sums").taken.values():
                copied = io.BytesIO()
                item.copy(copied, Budget())
                assert copied.getvalue() == noise


def test_nothing_else_is_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LeftOutError, match="neither a folder nor a file"), opened(tmp_path / "pipe"):
        pass
