"""What holds for the package as a whole."""

import importlib.resources
import pkgutil
import subprocess
import sys
import textwrap

import pytest

import dlcourse

NUMPY_HALF = (
    "dlcourse",
    "dlcourse.checks",
    "dlcourse.data",
    "dlcourse.introduction",
    "dlcourse.learning",
    "dlcourse.neurons",
    "dlcourse.training",
)


def modules(package):
    found = importlib.import_module(package)
    yield package
    for module in pkgutil.iter_modules(found.__path__, f"{package}."):
        if package != "dlcourse":
            yield module.name


@pytest.mark.parametrize("package", NUMPY_HALF)
def test_the_numpy_half_works_where_only_numpy_is_installed(package):
    """A fresh interpreter imports each module, and then knows no other library."""
    code = f"""
        import importlib, sys
        for name in {list(modules(package))!r}:
            importlib.import_module(name)
        expected = set(sys.stdlib_module_names) | {{"numpy", "jaxtyping", "wadler_lindig", "dlcourse", "cython_runtime"}}
        others = {{name.split(".")[0] for name in sys.modules}} - expected
        # Compiled helpers and import hooks begin with an underscore.
        print(*sorted(name for name in others if not name.startswith("_")))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize("package", ["dlcourse.checks", "dlcourse.data", "dlcourse.figures"])
def test_all_names_what_can_be_imported(package):
    found = importlib.import_module(package)
    assert set(found.__all__) <= set(dir(found))
    assert len(found.__all__) == len(set(found.__all__))


def test_the_package_is_typed():
    assert (importlib.resources.files(dlcourse) / "py.typed").is_file()
