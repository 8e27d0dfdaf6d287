"""Published coordinates of regions, as seeds for sphere maskers."""

from __future__ import annotations

import csv
from typing import Any

from brainsieve.datasets.files import bundled


def fetch_coords_dosenbach_2010(ordered_regions: bool = True) -> Any:
    """Coordinates of 160 regions in MNI space, in six networks [1]_. They come with the package.

    Parameters
    ----------
    ordered_regions : bool, default=True
        Whether regions are sorted by network, name, and from the back of the head to its front; else
        they are in the order of the publication.

    Returns
    -------
    sklearn.utils.Bunch
        ``rois``, data frame of x, y and z in mm; ``labels``, list of str, name and number of each region;
        ``networks``, series of str, the network of each; ``description``, str.

    References
    ----------
    .. [1] Dosenbach, N. U. F. et al. (2010). Prediction of individual brain maturity using fMRI.
       Science 329, 1358-1361.
    """
    import pandas as pd
    from sklearn.utils import Bunch

    with open(bundled("coordinates", "dosenbach_2010.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = pd.DataFrame(rows).astype({"number": int, "x": int, "y": int, "z": int})
    if ordered_regions:
        table = table.sort_values(["network", "name", "y"], kind="stable")
    return Bunch(
        rois=table[["x", "y", "z"]],
        labels=[f"{name} {number}" for name, number in zip(table["name"], table["number"], strict=True)],
        networks=table["network"],
        description=(
            "Dosenbach et al. 2010: 160 regions of interest from meta-analyses of task and rest, "
            "in MNI space, with their networks."
        ),
    )
