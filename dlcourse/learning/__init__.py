"""The second part: what an error is, and how a network learns from it."""
