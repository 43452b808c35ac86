import pytest

from dlcourse.publishing import vendor
from dlcourse.publishing.extension import MATHJAX, WIDGETS

COMPONENTS = vendor.manifest()


@pytest.mark.parametrize("name", sorted(COMPONENTS))
def test_files_are_those_of_the_manifest(name):
    component = COMPONENTS[name]
    assert vendor.sha256_by_file(vendor.FILES / name) == component["files"]
    assert component["licence_file"] in component["files"]
    assert component["version"]
    assert component["licence"]


def test_every_folder_is_in_the_manifest():
    assert sorted(path.name for path in vendor.FILES.iterdir()) == sorted(COMPONENTS)


@pytest.mark.parametrize("name", [MATHJAX, WIDGETS, "widgets/manager.js", "widgets/manager.css"])
def test_pages_ask_for_files_that_are_there(name):
    assert (vendor.FILES / name).is_file()


def test_no_file_is_larger_than_two_megabytes():
    assert max(path.stat().st_size for path in vendor.HERE.rglob("*") if path.is_file()) < 2_000_000


def test_lock_names_no_registry():
    lock = (vendor.HERE / "source" / "package-lock.json").read_text(encoding="utf-8")
    assert '"integrity"' in lock
    assert '"resolved"' not in lock


def test_every_bundled_package_comes_with_its_licence():
    text = (vendor.FILES / "widgets" / "LICENSES.txt").read_text(encoding="utf-8")
    for package in COMPONENTS["widgets"]["version"].split(", "):
        assert f"{package} (" in text
    assert "Redistribution and use in source and binary forms" in text
