"""Simulated data: small brains with known effects, each in the form of a data set that people use."""

from brainsieve.datasets.simulated.bids import simulate_bids
from brainsieve.datasets.simulated.brain import simulate_template
from brainsieve.datasets.simulated.categories import simulate_decoding
from brainsieve.datasets.simulated.contrasts import simulate_contrasts
from brainsieve.datasets.simulated.regions import simulate_atlas
from brainsieve.datasets.simulated.rest import simulate_rest
from brainsieve.datasets.simulated.task import simulate_task
from brainsieve.datasets.simulated.vision import simulate_visual

__all__ = [
    "simulate_atlas",
    "simulate_bids",
    "simulate_contrasts",
    "simulate_decoding",
    "simulate_rest",
    "simulate_task",
    "simulate_template",
    "simulate_visual",
]
