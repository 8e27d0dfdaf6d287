"""The engine: domains, sources, spatial and temporal operators, and the one loop that joins them.

No estimator lives here and no file format but through `Source`. Imports numpy, scipy and nibabel only.
"""
