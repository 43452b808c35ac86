"""Wheels without ballast: what no page can use is taken out of Pyodide's packages before they are served.

The fonts that only some pages use become a wheel of their own.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

BALLAST = (
    "*/tests/*",
    "*/test/*",
    "*/__pycache__/*",
    "*.pyi",
    "*.pyc",
    "*.h",
    "*.pxd",
    "*/py.typed",
    "*.dist-info/RECORD",
)
"""What is in a wheel for others than its importers."""

_DROPPED: Mapping[str, str] = {
    "numpy": """
        numpy/_core/lib/* numpy/f2py/* numpy/doc/* numpy/_pyinstaller/* numpy/_build_utils/* numpy/conftest.py
        numpy/random/_examples/* numpy/random/lib/* numpy/linalg/lapack_lite.* numpy/_core/_simd.* *_tests.cpython-*.so
    """,
    "matplotlib": """
        matplotlib/mpl-data/sample_data/* matplotlib/mpl-data/images/* matplotlib/mpl-data/plot_directive/*
        matplotlib/mpl-data/fonts/afm/* matplotlib/mpl-data/fonts/pdfcorefonts/* matplotlib/sphinxext/*
        matplotlib/testing/* matplotlib/backends/web_backend/* matplotlib/backends/*gtk* matplotlib/backends/*qt*
        matplotlib/backends/*wx* matplotlib/backends/*_tk* matplotlib/backends/*macosx* matplotlib/backends/*nbagg*
        matplotlib/backends/*webagg* matplotlib/backends/*pdf* matplotlib/backends/*pgf* matplotlib/backends/*_ps.*
        matplotlib/backends/*cairo*
    """,
    # What it reads beside PNG, JPEG, GIF, BMP and PPM, and FreeType, which matplotlib has of its own.
    "pillow": """
        PIL/_webp.* PIL/_imagingtk.* PIL/_imagingcms.* PIL/_avif.* PIL/_imagingft.* PIL/AvifIm* PIL/BlpIm* PIL/BufrSt*
        PIL/CurIm* PIL/DcxIm* PIL/DdsIm* PIL/EpsIm* PIL/FitsIm* PIL/FliIm* PIL/FpxIm* PIL/FtexIm* PIL/GbrIm* PIL/GribSt*
        PIL/Hdf5St* PIL/IcnsIm* PIL/IcoIm* PIL/ImIm* PIL/ImtIm* PIL/IptcIm* PIL/Jpeg2KIm* PIL/McIdasIm* PIL/MicIm*
        PIL/MpegIm* PIL/MspIm* PIL/Palm* PIL/PcdIm* PIL/PcxIm* PIL/PdfIm* PIL/PdfParser.py PIL/PixarIm* PIL/PsdIm*
        PIL/QoiIm* PIL/SgiIm* PIL/SpiderIm* PIL/SunIm* PIL/TgaIm* PIL/WebPIm* PIL/WmfIm* PIL/XVThumbIm* PIL/XbmIm*
        PIL/XpmIm*
    """,
    "python-dateutil": "dateutil/zoneinfo/*.tar.gz",
    "contourpy": "contourpy/util/*",
    "pyparsing": "pyparsing/ai/* pyparsing/diagram/* pyparsing/tools/*",
}
_FONT_LIST = "matplotlib/fontlist.json"
_FONTS = "matplotlib/mpl-data/fonts/ttf/"
# The book is set in DejaVu Sans; for mathematics, matplotlib also looks up STIX and Computer Modern.
_FONTS_APART = ("DejaVuSans-BoldOblique.*", "DejaVuSansMono-*", "DejaVuSerif*", "STIXGeneral?*.ttf")


@dataclass(frozen=True)
class Wheel:
    """A wheel, ready to be served.

    Attributes:
        file: its file name.
        content: its bytes.
        licences: the licence texts of what is in it, each by the name of its work.
    """

    file: str
    content: bytes
    licences: Mapping[str, str]


def trimmed(name: str, file: str, content: bytes) -> dict[str, Wheel]:
    """Take out of one of Pyodide's wheels what no page can use: tests, headers, other backends, sample data.

    Args:
        name: the package.
        file: the wheel's file name.
        content: the wheel.

    Returns:
        The wheel; beside matplotlib, the fonts that only some pages use as ``matplotlib_fonts``.
    """
    entries = files_in(content)
    dropped = (*BALLAST, *_DROPPED.get(name, "").split())
    kept = {entry: data for entry, data in entries.items() if not matches(entry, dropped)}
    if name != "matplotlib":
        return {name: Wheel(file, zipped(kept), licences_in(name, entries))}
    fonts = {
        entry: kept.pop(entry)
        for entry in list(kept)
        if entry.startswith(_FONTS) and matches(entry.removeprefix(_FONTS), _FONTS_APART)
    }
    kept[_FONT_LIST] = _listed(kept[_FONT_LIST], kept)
    further = f"matplotlib_fonts-{file.split('-')[1]}-py3-none-any.whl"
    return {
        name: Wheel(file, zipped(kept), licences_in(name, entries)),
        "matplotlib_fonts": Wheel(further, zipped(fonts), {}),
    }


def _listed(fonts: bytes, there: Iterable[str]) -> bytes:
    """Take out of matplotlib's list of fonts, which saves it a search, those that are not there."""
    table = json.loads(fonts)
    names = set(there)
    for kind in ("afmlist", "ttflist"):
        table[kind] = [each for each in table[kind] if f"matplotlib/mpl-data/{each['fname']}" in names]
    return json.dumps(table).encode()


def files_in(content: bytes) -> dict[str, bytes]:
    """Read the files in a zip archive, by their names in it.

    Args:
        content: the archive.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Write a zip archive whose bytes depend on the files alone.

    Args:
        files: their contents, by their names in the archive.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)  # of 1980: the time of a file must not be in it
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # the same on every system
            entry.external_attr = 0o644 << 16
            target.writestr(entry, files[name], compresslevel=9)
    return archive.getvalue()


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether a name in an archive fits one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def licences_in(name: str, files: Mapping[str, bytes]) -> dict[str, str]:
    """Collect the licence texts that a wheel brings."""
    pattern = re.compile(
        r"\.dist-info/(?:licen[cs]es/.*|[^/]*(?:licen[cs]e|copying|notice)[^/]*)$", re.IGNORECASE
    )
    texts = [
        data.decode("utf-8", "replace").strip()
        for file, data in sorted(files.items())
        if pattern.search(file)
    ]
    return {name: "\n\n".join(texts)} if texts else {}
