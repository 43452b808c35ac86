"""The grader's room: exercises become notebooks, notebooks become grades, on nbgrader.

`notebooks` turns an exercise's text into notebooks; `course` keeps a class's folder and does what an instructor does
with it, through `stock`, today's engine; `collect` and `intake` take in what learners hand in, whatever it is; `proof`
runs one notebook and reads what its checks say; `sample` makes a class to try all of it on.
"""
