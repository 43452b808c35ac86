import io
import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import distribution

import numpy as np
import pytest

from dlcourse.publishing.live import packages, trimming

ABSENT = ("IPython", "jax", "keras", "nbgrader", "rich", "scipy", "sphinx", "tensorflow", "torch", "typer")


@pytest.fixture(scope="module")
def course():
    return packages.course()


@pytest.fixture(scope="module")
def unpacked(course, tmp_path_factory):
    """A folder with all that the site ships beside Pyodide's own wheels."""
    folder = tmp_path_factory.mktemp("site-packages")
    for wheel in (*course.values(), *packages.libraries().values()):
        zipfile.ZipFile(io.BytesIO(wheel.content)).extractall(folder)
    return folder


def names(wheel):
    return zipfile.ZipFile(io.BytesIO(wheel.content)).namelist()


def run_apart(code, folder):
    """Run Python that finds the packages of a folder first, and none of those that a browser has not."""
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({ABSENT!r}))\n"
    environment = os.environ | {"PYTHONPATH": str(folder), "MPLBACKEND": "agg", "MPLCONFIGDIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", blocked + code],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_same_sources_give_the_same_bytes(course):
    packages._sources.cache_clear()
    assert packages.course() == course


def test_wheel_holds_the_numpy_half_alone(course):
    held = names(course["dlcourse"])
    rooms = {name.split("/")[1] for name in held if name.startswith("dlcourse/") and name.count("/") > 1}
    assert rooms == set(packages.ROOMS)
    assert "dlcourse/neurons/neuron.py" in held
    assert not [name for name in held if "__pycache__" in name]
    assert len(course["dlcourse"].content) < 300_000


def test_every_data_set_is_shipped_once(course):
    shipped = [
        name for wheel in course.values() for name in names(wheel) if name.startswith("dlcourse/data/")
    ]
    there = [f"dlcourse/data/{path.name}" for path in (packages.PACKAGE / "data").iterdir() if path.is_file()]
    assert sorted(shipped) == sorted(there)
    assert "dlcourse/data/digits.npz" in names(course["dlcourse_data_digits"])


@pytest.mark.slow
def test_every_module_works_by_itself(unpacked):
    # The figures ask ipywidgets for IPython, for which a stand-in is in the worker: tests of pages import them.
    alone = [name for name in packages.modules() if not name.startswith("dlcourse.figures")]
    code = "\n".join(f"import {name}" for name in alone)
    code += "\nfrom dlcourse.data import digits\ndigits.load()\nprint(dlcourse.__file__)"
    assert run_apart(code, unpacked).strip() == str(unpacked / "dlcourse" / "__init__.py")


def test_libraries_come_with_licences_and_without_tests():
    wheels = packages.libraries()
    held = names(wheels["libraries"])
    assert {"ipywidgets/__init__.py", "comm/__init__.py", "traitlets/__init__.py"} <= set(held)
    assert not [name for name in held if "/tests/" in name]
    assert {"ipywidgets", "comm", "traitlets"} <= set(wheels["libraries"].licences)
    assert "jaxtyping/__init__.py" in names(wheels["jaxtyping"])
    assert f"traitlets-{distribution('traitlets').version}.dist-info/METADATA" in held


def test_module_needs_what_it_reads_and_imports():
    needs = packages.needs()
    assert needs["dlcourse.data.digits"] == ["dlcourse_data_digits"]
    assert "dlcourse_data_shuttle" in needs["dlcourse.data.fields"]
    assert {"matplotlib", "pillow", "libraries"} <= set(needs["dlcourse.figures"])
    assert "matplotlib_fonts" in needs["dlcourse.figures.printed"]
    assert "matplotlib_fonts" not in needs["dlcourse.figures"]
    assert needs["tqdm"] == ["libraries"]
    assert "dlcourse.neurons.neuron" not in needs
    assert "dlcourse.data" not in needs


def test_imports_are_found_wherever_they_are():
    code = "import a.b\ndef f():\n    from c.d import e\n"
    assert list(packages.imported(code)) == ["a", "a.b", "c", "c.d", "c.d.e"]
    assert "p.q.r" in set(packages.imported("from .q import r", "p.m"))
    assert "p.m.q" in set(packages.imported("from . import q", "p.m", is_package=True))


def test_ballast_is_taken_out_and_licences_are_kept_beside():
    content = trimming.zipped(
        {
            "numpy/core.py": b"",
            "numpy/tests/test_core.py": b"",
            "numpy/f2py/__init__.py": b"",
            "numpy/core.pyi": b"",
            "numpy-1.dist-info/METADATA": b"",
            "numpy-1.dist-info/licenses/LICENSE.txt": b"As you like.",
        }
    )
    wheel = trimming.trimmed("numpy", "numpy-1.whl", content)["numpy"]
    assert names(wheel) == [
        "numpy-1.dist-info/METADATA",
        "numpy-1.dist-info/licenses/LICENSE.txt",
        "numpy/core.py",
    ]
    assert wheel.licences == {"numpy": "As you like."}


@pytest.mark.slow
def test_trimmed_libraries_still_draw_and_calculate(tmp_path):
    fonts = {
        "afmlist": [],
        "ttflist": [{"fname": f"fonts/ttf/{name}.ttf"} for name in ("DejaVuSans", "DejaVuSerif")],
    }
    for name in ("matplotlib", "numpy"):
        here = distribution(name)
        files = {
            file.as_posix(): here.locate_file(file).read_bytes()
            for file in here.files
            if not file.as_posix().startswith("..") and file.suffix != ".pyc"
        }
        if name == "matplotlib":
            files["matplotlib/fontlist.json"] = json.dumps(fonts).encode()
        made = trimming.trimmed(name, f"{name}-1-py3-none-any.whl", trimming.zipped(files))
        zipfile.ZipFile(io.BytesIO(made[name].content)).extractall(tmp_path)
    listed = json.loads((tmp_path / "matplotlib" / "fontlist.json").read_text())
    assert listed["ttflist"] == [{"fname": "fonts/ttf/DejaVuSans.ttf"}]
    code = r"""
import io, matplotlib, numpy, numpy.testing, numpy.ma, numpy.polynomial, numpy.random
import matplotlib.pyplot as plt
figure, axes = plt.subplots()
axes.plot(numpy.linalg.svd(numpy.eye(3))[1])
axes.set_title(r"$\frac{\partial L}{\partial w} \mathbf{x} \sum_{i=1}^{n} \sqrt{\alpha}$")
sizes = []
for kind in ("png", "svg"):
    file = io.BytesIO()
    figure.savefig(file, format=kind)
    sizes.append(file.tell())
print(matplotlib.__file__, numpy.__file__, *sizes)
"""
    plot, calculate, *sizes = run_apart(code, tmp_path).split()
    assert plot.startswith(str(tmp_path))
    assert calculate.startswith(str(tmp_path))
    assert np.all(np.array(sizes, dtype=int) > 5000)
