"""The contract of atlases."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod

import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from brainsieve.atlas import Atlas
from brainsieve.engine.domain import Domain


class AtlasContract(ABC):
    """What every `Atlas` keeps. Subclasses say how one is made, where it is placed, and what its columns mean."""

    tolerance = 1e-9

    @abstractmethod
    def make(self) -> Atlas:
        """An atlas; an equal one at each call."""

    @abstractmethod
    def domain(self) -> Domain:
        """A domain that all of its columns have points on."""

    @abstractmethod
    def meaning(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """The columns of a block (n_samples, n_points) of the domain, written plainly."""

    def test_its_columns_are_what_they_mean(self) -> None:
        atlas, domain = self.make(), self.domain()
        block = np.random.default_rng(0).normal(10, 3, (3, domain.n_points))
        got = atlas.on(domain).operator().forward(block)
        assert got.shape == (3, atlas.n_features)
        assert_allclose(got, self.meaning(block), rtol=self.tolerance)

    def test_every_column_has_its_size_and_none_is_lost(self) -> None:
        placed = self.make().on(self.domain())
        assert len(placed.lost) == 0
        assert np.min(placed.sizes) > 0

    def test_its_names_are_as_many_as_its_columns(self) -> None:
        atlas = self.make()
        assert atlas.names is None or len(atlas.names) == atlas.n_features

    def test_its_key_is_that_of_its_content(self) -> None:
        atlas = self.make()
        assert atlas.key == self.make().key == pickle.loads(pickle.dumps(atlas)).key

    def test_an_image_with_data_everywhere_covers_it_and_one_without_does_not(self) -> None:
        atlas, domain = self.make(), self.domain()
        expected, found = atlas.coverage(domain, np.ones(domain.n_points, dtype=bool))
        assert_allclose(found, expected)
        assert not np.any(atlas.coverage(domain, np.zeros(domain.n_points, dtype=bool))[1])

    def test_signals_come_back_at_the_points_of_the_domain(self) -> None:
        atlas, domain = self.make(), self.domain()
        signals = np.random.default_rng(1).normal(size=(2, atlas.n_features))
        back = atlas.on(domain).back(signals, np.dtype(np.float64))
        assert back.shape == (2, domain.n_points)
        assert_allclose(atlas.on(domain).back(signals[0], np.dtype(np.float64)), back[0])
