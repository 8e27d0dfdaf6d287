"""Spatial operators: from points to features. The contract is in `operator`, the planner in `plan`."""
