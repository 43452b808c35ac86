"""What holds for the package as a whole."""

import importlib
import pkgutil
import subprocess
import sys
import textwrap

import pytest

import dlcourse

NUMPY_HALF = ("dlcourse", "dlcourse.checks", "dlcourse.data", "dlcourse.neurons")


def modules(package):
    found = importlib.import_module(package)
    yield package
    for module in pkgutil.iter_modules(found.__path__, f"{package}."):
        if package != "dlcourse":
            yield module.name


@pytest.mark.parametrize("package", NUMPY_HALF)
def test_the_numpy_half_works_where_only_numpy_is_installed(package):
    """A fresh interpreter in which every other library is missing imports each module."""
    names = list(modules(package))
    code = f"""
        import sys
        allowed = set(sys.stdlib_module_names) | {{"numpy", "jaxtyping", "wadler_lindig", "dlcourse"}}

        class Missing:
            def find_spec(self, name, path=None, target=None):
                root = name.split(".")[0]
                # Compiled helpers of NumPy and of the interpreter begin with an underscore.
                if root not in allowed and not root.startswith("_"):
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

        sys.meta_path.insert(0, Missing())
        import importlib
        for name in {names!r}:
            importlib.import_module(name)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["dlcourse.checks", "dlcourse.data", "dlcourse.figures"])
def test_all_names_what_can_be_imported(package):
    found = importlib.import_module(package)
    assert set(found.__all__) <= set(dir(found))
    assert len(found.__all__) == len(set(found.__all__))


def test_the_package_is_typed():
    assert (importlib.resources.files(dlcourse) / "py.typed").is_file()
