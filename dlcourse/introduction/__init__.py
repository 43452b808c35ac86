"""The opening part: what deep learning is, and what is new about it."""
