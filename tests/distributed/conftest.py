"""Forks are tested in a process of their own: in this one, libraries that other tests use may have threads."""

import os

# test__forked.py runs it, with this set.
collect_ignore = [] if os.environ.get("DLCOURSE_TEST_FORKS") == "1" else ["test__pipes.py"]
