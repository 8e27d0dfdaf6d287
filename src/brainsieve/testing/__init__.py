"""Contracts as test classes: what every operator, source, domain and atlas keeps.

A new kind joins by a subclass with one factory and, where its values have one, a dense meaning; pytest then runs what
the class holds::

    class TestMyOperator(OperatorContract):
        def make(self):
            return MyOperator(...)

        def meaning(self, block):
            return block @ the_matrix_written_plainly.T

Only numpy is needed; any runner that calls methods named ``test_…`` will do.
"""

from brainsieve.testing.atlases import AtlasContract
from brainsieve.testing.domains import DomainContract
from brainsieve.testing.operators import OperatorContract, check_operator
from brainsieve.testing.sources import SourceContract

__all__ = ["AtlasContract", "DomainContract", "OperatorContract", "SourceContract", "check_operator"]


def __dir__() -> list[str]:
    return __all__
