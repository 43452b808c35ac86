"""Whole training runs: data, a network and an optimizer, in a folder that can be gone back to.

`sets` and `own` turn data into a `task`, `networks` lists what can be trained, `settings` says with what, and `run` does
it.
"""
