"""Forks are tested in a process of their own: in this one, libraries that other tests use may have threads."""

import os

FORKED = os.environ.get("DLCOURSE_TEST_FORKS") == "1"  # as test__forked.py says

collect_ignore = [] if FORKED else ["test__pipes.py"]  # which needs forks
