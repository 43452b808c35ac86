"""Fetching is tried against a server on this machine; nothing leaves it."""

import gzip
import hashlib
import re
import socket
import struct
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from dlcourse.data import digits
from dlcourse.data.fetch import FetchError, cache_folder, fetch

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(SimpleHTTPRequestHandler):
    asked: list[str]

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()

    def copyfile(self, source, outputfile):
        # A folder named "broken" promises the whole file and hangs up half way.
        whole = source.read()
        outputfile.write(whole[: len(whole) // 2] if "/broken/" in self.path else whole)

    def log_message(self, *args):
        pass


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("DLCOURSE_CACHE", str(folder))
    return folder


@pytest.fixture
def server(tmp_path):
    root = tmp_path / "served"
    for name in ("good", "broken", "short", "long", "wrong"):
        (root / name).mkdir(parents=True)
    (root / "good" / "file").write_bytes(CONTENT)
    (root / "broken" / "file").write_bytes(CONTENT)
    (root / "short" / "file").write_bytes(CONTENT[:-1])
    (root / "long" / "file").write_bytes(CONTENT + b"x")
    (root / "wrong" / "file").write_bytes(CONTENT[::-1])
    handler = type("Recording", (Handler,), {"asked": []})
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root)))
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    httpd.url = f"http://127.0.0.1:{httpd.server_port}"
    httpd.root, httpd.asked = root, handler.asked
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def get(server, *folders, **options):
    mirrors = [f"{server.url}/{folder}/" for folder in folders]
    return fetch("file", mirrors=mirrors, sha256=SHA256, size=len(CONTENT), timeout=5, **options)


def test_brings_the_file_once(server, cache):
    path = get(server, "good")
    assert path == cache / "file"
    assert path.read_bytes() == CONTENT
    assert get(server, "good") == path
    assert server.asked == ["/good/file"]
    assert [p.name for p in cache.iterdir()] == ["file"]


def test_reports_progress(server, cache):
    calls = []
    get(server, "good", progress=lambda done, total: calls.append((done, total)))
    done = [d for d, _ in calls]
    assert done == sorted(done)
    assert len(calls) > 1
    assert calls[-1] == (len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("bad", ["broken", "short", "long", "wrong", "absent"])
def test_goes_on_to_the_next_mirror(server, cache, bad):
    assert get(server, bad, "good").read_bytes() == CONTENT
    assert [path.split("/")[1] for path in server.asked] == [bad, "good"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("broken", "128000 "),
        ("short", "broke off after 255999 of 256000 bytes"),
        ("long", "longer than the expected 256000 bytes"),
        ("wrong", "its SHA-256 is not the expected one"),
        ("absent", "404"),
    ],
)
def test_leaves_nothing_behind(server, cache, bad, said):
    with pytest.raises(FetchError, match=said):
        get(server, bad)
    assert list(cache.iterdir()) == []


def test_replaces_a_spoilt_copy(server, cache):
    cache.mkdir()
    (cache / "file").write_bytes(b"spoilt")
    assert get(server, "good").read_bytes() == CONTENT


def test_keeps_what_is_there_when_offline(server, cache):
    path = get(server, "good")
    assert fetch("file", mirrors=[closed()], sha256=SHA256, size=len(CONTENT)) == path


def test_an_interrupted_transfer_leaves_nothing(server, cache):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(server, "good", progress=interrupt)
    assert list(cache.iterdir()) == []


def test_says_which_folder_it_cannot_write(server, tmp_path, monkeypatch):
    (tmp_path / "a_file").write_text("")
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "a_file"))
    with pytest.raises(FetchError, match=r"cannot write to the folder .*set DLCOURSE_CACHE"):
        get(server, "good")


def closed():
    """Give an address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def test_full_digits_offline_in_one_sentence(cache, monkeypatch):
    monkeypatch.setattr(digits, "MIRRORS", (closed(),))
    with pytest.raises(FetchError) as caught:
        digits.load(full=True)
    said = str(caught.value)
    assert said.endswith("digits.load() without full=True gives 5,000 digits and needs no network.")
    assert "\n" not in said
    assert len(re.findall(r"\.(?=\s|$)", said)) == 1


def small_mnist(folder):
    """Write four files like MNIST's, with 6 and 2 pictures; give their sizes and sums."""
    rng = np.random.default_rng(0)
    files, arrays = {}, {}
    for part, n in (("train", 6), ("t10k", 2)):
        arrays[part] = rng.integers(0, 256, (n, 28, 28), np.uint8), rng.integers(0, 10, n, np.uint8)
        for kind, array in zip(("images-idx3", "labels-idx1"), arrays[part], strict=True):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            data = gzip.compress(header + array.tobytes(), mtime=0)
            name = f"{part}-{kind}-ubyte.gz"
            (folder / name).write_bytes(data)
            files[name] = len(data), hashlib.sha256(data).hexdigest()
    return files, arrays


def test_full_digits_are_training_then_test(server, cache, monkeypatch):
    files, arrays = small_mnist(server.root / "good")
    assert list(files) == list(digits.FILES)
    monkeypatch.setattr(digits, "FILES", files)
    monkeypatch.setattr(digits, "MIRRORS", (f"{server.url}/good/",))
    calls = []
    loaded = digits.load(full=True, progress=lambda done, total: calls.append((done, total)))
    for i, array in enumerate(loaded):
        np.testing.assert_array_equal(array, np.concatenate([arrays["train"][i], arrays["t10k"][i]]))
        assert not array.flags.writeable
    assert loaded.labels.dtype == np.int64
    total = sum(size for size, _ in files.values())
    assert calls[-1] == (total, total)
    assert calls == sorted(calls)
    monkeypatch.setattr(digits, "MIRRORS", (closed(),))
    assert len(digits.load(full=True).labels) == 8


def test_the_listed_files_are_those_of_mnist():
    assert {name: size for name, (size, _) in digits.FILES.items()} == {
        "train-images-idx3-ubyte.gz": 9912422,
        "train-labels-idx1-ubyte.gz": 28881,
        "t10k-images-idx3-ubyte.gz": 1648877,
        "t10k-labels-idx1-ubyte.gz": 4542,
    }
    sums = [sha256 for _, sha256 in digits.FILES.values()]
    assert all(re.fullmatch("[0-9a-f]{64}", s) for s in sums)
    assert len(set(sums)) == 4
    assert all(m.startswith("https://") and m.endswith("/") for m in digits.MIRRORS)


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.cache/dlcourse"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/dlcourse"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "home/.cache/dlcourse"),
        ("darwin", {}, "home/Library/Caches/dlcourse"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/dlcourse/Cache"),
        ("win32", {}, "home/AppData/Local/dlcourse/Cache"),
        ("win32", {"DLCOURSE_CACHE": "/mine"}, "/mine"),
        ("linux", {"DLCOURSE_CACHE": "~/mine"}, "home/mine"),
    ],
)
def test_cache_folder(platform, variables, expected, tmp_path, monkeypatch):
    home = tmp_path / "home"
    for name in ("DLCOURSE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == (tmp_path / expected if expected[0] == "h" else Path(expected))
