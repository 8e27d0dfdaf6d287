"""The contract of domains."""

from __future__ import annotations

import pickle
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from brainsieve.engine.domain import Domain


class DomainContract(ABC):
    """What every `Domain` keeps. Subclasses say how one is made, and which others are the same or not."""

    @abstractmethod
    def make(self) -> Domain:
        """A domain: at each call a new object for the same points."""

    def same(self) -> Sequence[Domain]:
        """Others that have the same points, though they are written otherwise."""
        return ()

    @abstractmethod
    def different(self) -> Sequence[Domain]:
        """Others, each of which differs in one respect."""

    def test_it_counts_its_points(self) -> None:
        assert isinstance(self.make().n_points, int)
        assert self.make().n_points > 0

    def test_the_same_points_are_equal_and_hash_alike(self) -> None:
        domain = self.make()
        for other in (domain, self.make(), *self.same()):
            assert domain == other and other == domain
            assert not domain != other
            assert hash(domain) == hash(other)
            assert domain.n_points == other.n_points

    def test_other_points_differ(self) -> None:
        domain = self.make()
        for other in self.different():
            assert domain != other and other != domain
            assert domain.fingerprint != other.fingerprint

    def test_nothing_but_a_domain_is_equal(self) -> None:
        for other in (None, 3, "voxels", np.eye(4), object()):
            assert (self.make() == other) is False

    def test_the_fingerprint_is_that_of_the_points_alone(self) -> None:
        domain = self.make()
        assert isinstance(domain.fingerprint, str) and len(domain.fingerprint) >= 16
        assert self.make().fingerprint == domain.fingerprint

    def test_the_fingerprint_is_stable_between_processes(self) -> None:
        code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).fingerprint)"
        sent = pickle.dumps(self.make())
        done = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=True)
        assert done.stdout.decode().strip() == self.make().fingerprint

    def test_it_survives_pickling(self) -> None:
        domain = self.make()
        assert pickle.loads(pickle.dumps(domain)) == domain

    def test_it_names_itself_in_one_line(self) -> None:
        text = self.make().describe()
        assert text and "\n" not in text and len(text) < 300

    def test_it_cannot_be_changed(self) -> None:
        domain = self.make()
        try:
            domain.n_points = 3  # type: ignore[misc]
        except AttributeError:
            pass
        else:
            raise AssertionError("n_points could be set")
        for name, value in vars(domain).items():
            assert not isinstance(value, np.ndarray) or not value.flags.writeable, name
