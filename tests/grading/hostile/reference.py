"""The right answers of the exercise in `exercise.py`, which exist outside of the sandbox alone.

They are written differently from the solutions there: an answer with the reference's own text counts as pasted.
"""

import numpy as np


def add(a, b):
    """Return the sum; these words are a solution that no learner may see."""
    return a + b


class Tally:
    """Something that remembers."""

    def __init__(self, start):
        self.total = 0.0
        self.push(start)

    def push(self, amount):
        """Add an amount, and return what is there now."""
        self.total += amount
        return self.total


def double(x):
    """Double every number of an array in its place."""
    x *= 2
    return x


def countdown(n):
    """Yield n, n - 1, ... 1."""
    while n > 0:
        yield n
        n -= 1


def squash(x):
    """Return positive numbers whose sum is 1."""
    powers = np.exp(x - x.max())
    return powers / powers.sum()


def power(x, n):
    """Return x multiplied by itself n times; how long it takes depends on n."""
    product = 1.0
    while n > 0:
        product, n = product * x, n - 1
    return product


def cubes(a, b):
    """Return the sum of two cubes."""
    return add(power(a, 3), power(b, 3))
