"""The fourth part: why deep learning wants a GPU, how one is used well, and what it costs in memory and in digits.

From here on the course computes with PyTorch. Without it this package can still be imported, and each chapter that needs
it says so in a sentence (:class:`TorchMissingError`). Where the work is done is chosen in one place,
:mod:`dlcourse.gpus._device`.
"""

from dlcourse.gpus._machine import TorchMissingError, torch_missing

__all__ = ["TorchMissingError", "torch_missing"]
