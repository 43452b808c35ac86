"""Data sets of the course: one loader a file, the small data shipped beside it.

``NOTICE.md`` in this folder states source, licence and changes of every file.
"""

from dlcourse.data import animals, digits, fields, microscopy, shuttle, spoken_digits, weather
from dlcourse.data.fetch import FetchError
from dlcourse.data.split import Split

__all__ = [
    "FetchError",
    "Split",
    "animals",
    "digits",
    "fields",
    "microscopy",
    "shuttle",
    "spoken_digits",
    "weather",
]
