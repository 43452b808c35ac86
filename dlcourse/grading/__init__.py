"""The grader's room: exercises become notebooks, notebooks become grades, on nbgrader.

`notebooks` turns an exercise's text into notebooks; `course` keeps a class's folder and does what an instructor does with
it: `release`; `collect` and `intake`, which take in whatever learners hand in; `grading`, which lets `execution` run and
judge it in the `sandbox` and `recording` enter it into nbgrader's books, with a receipt; `feedback` and `export`.
`preprocessors` and `config` make nbgrader's own commands do the same. `proof` runs one notebook and reads what its checks
say; `sample` makes a class to try all of it on.
"""
