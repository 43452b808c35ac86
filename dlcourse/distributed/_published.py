"""What others have told about their training runs. Nothing here was measured by the course."""

from __future__ import annotations

from typing import NamedTuple

A100 = 312e12
H100 = 989e12
V100 = 125e12
TPU_V4 = 275e12


class Published(NamedTuple):
    """One training run, as its authors describe it.

    Args:
        name: what was trained.
        parameters: how many weights it has.
        tokens: how many tokens it was trained on.
        device_hours: devices, times the hours that they were busy.
        peak: what one device can compute at most, in the format that was used [FLOP/s].
        device: what to call such a device.
        source: key of the bibliography.
        kwh: the energy that is stated, or 0.
        note: what the hours contain, or leave out.
    """

    name: str
    parameters: float
    tokens: float
    device_hours: float
    peak: float
    device: str
    source: str
    kwh: float = 0.0
    note: str = ""


RUNS = (
    Published("GPT-2 124M (nanoGPT)", 124e6, 600_000 * 491_520, 8 * 4 * 24, A100, "A100", "karpathy2022nanogpt",
              note="about 4 days on 8 devices"),
    Published("GPT-2 124M (llm.c)", 124e6, 10e9, 8 * 0.75, H100, "H100", "jordan2024modded",
              note="45 minutes on 8 devices"),
    Published("GPT-3", 175e9, 300e9, 10_000 * 14.8 * 24, V100, "V100", "patterson2021carbon", kwh=1_287_000,
              note="14.8 days on 10,000 devices, an estimate"),
    Published("OPT-175B", 175e9, 300e9, 1024 * 33 * 24, A100, "A100", "zhang2022opt",
              note="33 days on 1,024 devices, if nothing fails"),
    Published("BLOOM", 176e9, 366e9, 1_082_990, A100, "A100", "luccioni2023estimating", kwh=433_196),
    Published("PaLM", 540e9, 780e9, 6144 * 1200 + 3072 * 336, TPU_V4, "TPU v4", "chowdhery2023palm",
              note="with some downtime and repeated steps"),
    Published("Llama 2 7B", 7e9, 2e12, 184_320, A100, "A100", "touvron2023llama"),
    Published("Llama 2 13B", 13e9, 2e12, 368_640, A100, "A100", "touvron2023llama"),
    Published("Llama 2 70B", 70e9, 2e12, 1_720_320, A100, "A100", "touvron2023llama"),
    Published("Llama 3.1 8B", 8e9, 15e12, 1.46e6, H100, "H100", "grattafiori2024llama", note="all of its training"),
    Published("Llama 3.1 70B", 70e9, 15e12, 7.0e6, H100, "H100", "grattafiori2024llama", note="all of its training"),
    Published("Llama 3.1 405B", 405e9, 15.6e12, 30.84e6, H100, "H100", "grattafiori2024llama",
              note="all of its training"),
)  # fmt: skip
"""Runs of which the weights, the tokens and the hours are public. Looked up in November 2026."""
