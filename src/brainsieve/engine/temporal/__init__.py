"""Temporal operators: from samples to samples. The contract and the planner are in `operator`."""
