"""Temporal operators: from samples to samples (contract; see DESIGN)."""
