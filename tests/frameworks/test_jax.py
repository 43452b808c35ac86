"""The tests of the network in JAX run in a process of their own: JAX starts threads, and other tests fork."""

import pytest

from dlcourse.frameworks._present import missing


@pytest.mark.slow
@pytest.mark.skipif(bool(missing("jax")), reason="JAX is missing")
def test_in_a_process_of_its_own(apart):
    apart("tests/frameworks/apart/in_jax.py", "dlcourse/frameworks/jax.py")
