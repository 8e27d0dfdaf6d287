"""Sources: what images are read from."""

from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.source.opening import open_source, read_all, read_sample

__all__ = ["Block", "Source", "open_source", "read_all", "read_sample"]
