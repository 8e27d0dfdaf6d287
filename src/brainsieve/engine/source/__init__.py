"""Sources: what images are read from."""

from brainsieve.engine.source.base import Block, Source
from brainsieve.engine.source.opening import open_source
from brainsieve.engine.source.values import Values, read_all, read_sample, streamed, value_range

__all__ = ["Block", "Source", "Values", "open_source", "read_all", "read_sample", "streamed", "value_range"]
