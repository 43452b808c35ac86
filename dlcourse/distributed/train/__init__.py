"""Training on many processes that torchrun starts, on one machine or many; the script is ``__main__.py``."""
