"""Read weights from a file, answer samples with one framework, and write both on: run by test__weights.py."""

import sys

import numpy as np

from dlcourse.frameworks import _weights


def main(framework: str, weights: str, x: str, written: str, answers: str) -> None:
    net = _weights.load(weights)
    samples = np.load(x)
    if framework == "jax":
        from dlcourse.frameworks import jax as chapter

        carried = chapter.from_numpy(net)
        logits = chapter.forward(carried, samples)
    elif framework == "tensorflow":
        from dlcourse.frameworks import tensorflow as chapter

        carried = chapter.from_numpy(net)
        logits = carried(samples)
    else:
        import torch

        from dlcourse.frameworks import pytorch as chapter

        carried = chapter.from_numpy(net)
        logits = carried(torch.from_numpy(samples)).numpy(force=True)
    _weights.save(chapter.to_numpy(carried), written)
    np.save(answers, np.asarray(logits))


if __name__ == "__main__":
    main(*sys.argv[1:])
