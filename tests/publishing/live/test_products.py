"""Products of matrices in the browser: the loops by themselves, and NumPy with them."""

import base64
import json
import re
from pathlib import Path

import pytest
from in_browser import run_in_browser

from dlcourse.publishing.live.built import FILES

HERE = Path(__file__).parent
MODULE = re.compile(r"AGFzbQE[A-Za-z0-9+/]+=*")  # a WebAssembly module in base64
CASES = 400

IN_NUMPY = """
import time

import numpy as np

rng = np.random.default_rng(0)


def laid_out(x, how):
    wide = np.repeat(x, 2, axis=-1)
    return [x, np.asfortranarray(x), wide[..., ::2], x[..., ::-1], np.broadcast_to(x[..., :1], x.shape)][how]


for number in range(300):
    dtype = (np.float32, np.float64)[number % 2]
    n, k, m = rng.choice([0, 1, 2, 3, 4, 7, 8, 9, 33, 64, 70], 3, p=[0.04] + 10 * [0.096])
    a, b = [((n, k), (k, m)), ((k,), (k, m)), ((n, k), (k,)), ((2, 1, n, k), (3, k, m))][rng.integers(4)]
    a, b = (laid_out(rng.normal(size=shape).astype(dtype), rng.integers(5)) for shape in (a, b))
    # The loop for long double is NumPy's own.
    exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
    out = laid_out(np.empty(exact.shape, dtype), rng.integers(4)) if exact.ndim and rng.random() < 0.3 else None
    product = np.matmul(a, b, out=out)
    assert product.dtype == dtype and product.shape == exact.shape
    assert out is None or product is out
    most = np.abs(a).astype(np.longdouble) @ np.abs(b).astype(np.longdouble)
    assert (np.abs(product - exact) <= 30 * np.finfo(dtype).eps * most).all(), (a.shape, a.strides, b.shape, b.strides)

x = rng.normal(size=(20, 20))
expected = x.astype(np.longdouble) @ x.astype(np.longdouble)
assert np.allclose(np.matmul(x, x, out=x), expected.astype(float)), "onto its own operand"

x = np.ones((9, 9), np.float32)
x[2, 3], x[5, 1] = np.nan, np.inf
product = x @ x[::-1].T
assert np.isnan(product[2]).all() and np.isnan(product[:, 6]).all()
assert np.isinf(product[5, [0, 1, 2, 3, 4, 5, 7, 8]]).all() and np.isfinite(product[0, [0, 1]]).all()
assert ((np.ones((3, 4), np.float32) @ np.ones((4, 2))) == 4).all()
try:
    np.ones((2, 3)) @ np.ones((2, 3))
except ValueError as error:
    assert "mismatch in its core dimension" in str(error)


def fastest(dtype):
    a, b = np.ones((2, 128, 128), dtype)
    seconds = []
    for _ in range(20):
        before = time.perf_counter()
        for _ in range(10):  # a browser's clock is coarse
            a @ b
        seconds.append(time.perf_counter() - before)
    return min(seconds)


print(fastest(np.int32) / fastest(np.float32), fastest(np.int64) / fastest(np.float64))
"""


@pytest.fixture(scope="module")
def modules():
    """The loops as they are shipped: WebAssembly, with and without the instruction that multiplies and adds."""
    code = (FILES / "worker.js").read_text(encoding="utf-8")
    found = [module for module in MODULE.findall(code) if b"prepare" in base64.b64decode(module)]
    assert len(found) == 2
    return found


@pytest.mark.parametrize("number", [0, 1])
def test_loops_compute_products_of_any_layout(chromium, modules, number):
    page = chromium.new_page()
    loops = (HERE / "loops.js").read_text(encoding="utf-8")
    assert page.evaluate(loops, {"code": modules[number], "cases": CASES}) == []
    page.close()


def test_loops_bring_no_memory_of_their_own(modules):
    for module in modules:
        assert len(base64.b64decode(module)) < 8000


@pytest.mark.slow
def test_numpy_multiplies_right_and_faster(chromium, live_site):
    result = run_in_browser(chromium, live_site, IN_NUMPY)
    assert result["status"] == "ok", result["said"]
    # Ten to forty times on an idle machine; NumPy's loop for whole numbers is as fast as its own one for others.
    assert all(float(ratio) > 5 for ratio in result["said"].split()), json.dumps(result)
