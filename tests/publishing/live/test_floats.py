"""NumPy in the browser warns of what it warns of here, in the same words."""

import contextlib
import io

import pytest
from in_browser import run_in_browser

WARNED = """
import warnings

import numpy as np

zero, one, big, bad = np.zeros(3), np.ones(3), np.full(3, 1e308), np.array([np.inf, np.nan, 1.0])
single, square = np.float32(1e38), np.full((2, 2), 1e200)


def changed(x, how, y):
    x = x.copy()
    exec(f"x {how} y")
    return x


def into(x, y, step=1):
    # Quotients are written in the place of their divisors.
    y = np.repeat(y, step)[::step]
    np.divide(x, y, out=y)


many = np.ones(40)
many[20] = 0
for case in '''
np.exp(1e3 * one); np.exp(bad); np.exp(1e3); np.exp(np.float64(1e3)); np.exp(one.astype("f") * 100)
np.cosh(big)
np.exp(np.array([[1e3, 1], [1, 1e3]]).T); np.exp(np.arange(2000.0)[::-100]); np.expm1(big); np.square(big)
big**3.5
one / zero; zero / zero; bad / zero; one[:, None] / np.array([0.0, 1.0]); np.array([1, 2]) / 0
np.reciprocal(zero)
np.log(zero); np.log(-one); np.log(np.array([0.0, -1.0, 2.0])); np.log(0.0); np.log1p(-one); np.sqrt(-one)
np.sqrt(-1.0)
zero**-1.0; (-one) ** 0.5; big * big; big + big; bad - bad; zero * bad; np.sin(bad); one % 0.0; one // 0.0
np.divmod(one, 0.0)
np.array([1, 2]) // 0; np.array([1, 2]) % 0; np.hypot(big, big); np.max(bad); np.tanh(big)
np.logaddexp(-np.inf, -np.inf)
big.sum(); big.mean(); np.std(big); np.stack([big, big]).sum(0); np.stack([big, big]).sum(1); bad.sum()
np.mean([])
np.array([np.inf, -np.inf]).sum(); np.cumsum(big); np.cumprod(big); np.cumsum(bad)
np.multiply.outer(big, big)
changed(one, "/=", zero); changed(bad, "/=", zero); changed(bad, "-=", bad); changed(big, "*=", 10.0)
changed(zero, "**=", -1.0)
changed(bad, "*=", 2.0); np.divide(one, zero, out=one.copy(), where=zero > 0)
np.reciprocal(zero, out=zero.copy())
into(one, zero); into(one, one); into(one, bad); into(big, 1e-10 * one); into(1.0, many); into(1.0, many, 2)
into(many.astype("f"), many[::-1].astype("f")); into(1.0, many + 1, 2)
square @ square; square @ square[0]; np.inf * square @ one[:2]; np.full((2, 2), np.nan) @ square
np.full((2, 2), np.inf) @ np.zeros((2, 2))
np.float64(1) / 0; 1 / np.float64(0); np.float64(0) / 0.0; np.float64(1e308) * 10
np.float64(1e308) + np.float64(1e308)
single * single; single * 10.0; single * np.float64(10); np.float64(1e308) ** 2; np.float64(0) ** -1
np.float64(-1) ** 0.5
np.float64(1) // 0; np.float64(1) % 0; np.float64(np.inf) - np.float64(np.inf); np.float64(np.nan) / 0
np.float64(1) / 10**30
np.int64(1) / 0; np.int64(0) / np.int64(0); np.int64(1) // 0; np.sum(one == 2) / np.sum(one == 3)
np.var(np.ones((0, 3)), axis=0)
np.linalg.inv(np.zeros((2, 2))); np.linalg.solve(np.zeros((2, 2)), one[:2]); np.linalg.inv(np.eye(2))
np.linalg.cholesky(-np.eye(2))
exec("with np.errstate(all='raise'): one / zero")
exec("with np.errstate(over='raise'): np.float64(1e308) * 10")
exec("with np.errstate(all='ignore'): one / zero"); exec("with np.errstate(divide='ignore'): zero / zero")
'''.replace("\\n", "; ").split("; "):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):  # NumPy has a shorter way to call what it has called before
            try:
                case.strip() and eval(case)
                error = ""
            except (FloatingPointError, np.linalg.LinAlgError) as raised:
                error = repr(raised)
    print(case, error, *(warning.message for warning in told), sep=" | ")
"""


@pytest.mark.slow
def test_numpy_warns_as_it_does_here(chromium, live_site):
    here = io.StringIO()
    with contextlib.redirect_stdout(here):
        exec(WARNED, {})
    there = run_in_browser(chromium, live_site, WARNED)
    assert there["status"] == "ok", there["said"]
    assert there["said"].splitlines() == here.getvalue().splitlines()
    assert len(here.getvalue().splitlines()) > 90
