"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real data that does not travel with the project."""
    folder = os.environ.get("BRAINSIEVE_TEST_DATA")
    if not folder:
        pytest.skip("BRAINSIEVE_TEST_DATA is not set: the real data of this test live outside the project")
    return Path(folder)
