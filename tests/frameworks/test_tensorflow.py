"""The tests of the network in TensorFlow run in a process of their own: Triton and torch.compile abort beside it."""

import subprocess
import sys

import pytest

from dlcourse.frameworks import tensorflow
from dlcourse.frameworks._present import missing


def test_the_chapter_is_imported_without_tensorflow():
    code = "import sys, dlcourse.frameworks.tensorflow; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_without_tensorflow_the_chapter_says_so(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r'Keras is not installed here: pip install "dlcourse\[frameworks\]"'
    ):
        tensorflow.build([4, 3, 2])


@pytest.mark.slow
@pytest.mark.skipif(
    bool(missing("keras", "tensorflow")), reason="TensorFlow is missing"
)  # asked without importing it
def test_in_a_process_of_its_own(apart):
    apart("tests/frameworks/apart/in_tensorflow.py", "dlcourse/frameworks/tensorflow.py")
