"""The built files of the pages that run are those of the sources, small, and ask no other host."""

import gzip
import json
import re

import pytest

from dlcourse.publishing.live import built

LIMITS = {"live.js": 12_000, "live.css": 12_000, "worker.js": 30_000, "run.js": 250_000}
"""What a page transfers, gzipped [bytes]: the first two on every page, the others when it runs."""

SCRIPTS = sorted(path.relative_to(built.FILES).as_posix() for path in built.FILES.rglob("*.js"))
# Names of XML's and HTML's languages, documentation in messages: nothing that is asked for.
NAMES = ("http://www.w3.org/",)


def test_files_are_those_of_the_sources():
    built_from = built.manifest()
    advice = "run `python -m dlcourse.publishing.live` and commit what it builds"
    assert built.sha256_of_source() == built_from["source"], advice
    assert built.sha256_of_files() == built_from["files"], advice


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_files_are_small(name):
    assert len(gzip.compress((built.FILES / name).read_bytes(), mtime=0)) < LIMITS[name]


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_name_no_other_host(name):
    text = (built.FILES / name).read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s\"'`\\)<>]+", text))
    assert {each for each in addresses if not each.startswith(NAMES)} == set()


def test_every_bundled_package_comes_with_its_licence():
    text = (built.FILES / "LICENSES.txt").read_text(encoding="utf-8")
    asked = json.loads((built.SOURCE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    for name, version in asked.items():
        if name.startswith(("@codemirror/", "@lezer/", "dompurify")):
            assert f"{name} {version} (" in text
    assert "Redistribution and use in source and binary forms" in text


def test_versions_are_pinned_and_the_lock_names_no_registry():
    asked = json.loads((built.SOURCE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert all(re.fullmatch(r"[\d.]+", version) for version in asked.values())
    lock = (built.SOURCE / "package-lock.json").read_text(encoding="utf-8")
    assert '"integrity"' in lock
    assert '"resolved"' not in lock
