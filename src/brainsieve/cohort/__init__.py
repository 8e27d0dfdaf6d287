"""Whole cohorts: a folder of preprocessed runs in, signals, matrices and quality figures of all of them out.

`plan` looks at names and headers and gives a table of what there is to do; `run` works it off, on one machine or many.
"""

from brainsieve.cohort.planning import plan
from brainsieve.cohort.running import run
from brainsieve.cohort.strategies import NAMED as STRATEGIES

__all__ = ["STRATEGIES", "plan", "run"]


def __dir__() -> list[str]:
    return __all__
