"""Where the data of a run are: as they were named, seen from the run directory, or absolute; whichever is there.

So a run finds its data from any working directory, and after both were moved together. What is found is the right data
only if its hash is that of the run, which is checked where they are opened.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["found_again", "whereabouts"]


def whereabouts(source: str | None, run: Path) -> dict[str, Any] | None:
    """The place of a file or folder, for `config.json`; None for what is no path that is there.

    source: the data as they were named.
    run: the run directory.
    """
    if source is None or not Path(source).exists():
        return None
    place = os.path.abspath(source)
    size = {"bytes": os.stat(place).st_size} if Path(place).is_file() else {}
    return {"relative": os.path.relpath(place, os.path.abspath(run)), "absolute": place} | size


def found_again(source: str, places: Mapping[str, Any] | None, run: Path | None) -> str:
    """The place at which the data are now, of those that are known; the name as it was given where none is there.

    source: the data as they were named, seen from the working directory of that time.
    places: what `whereabouts` gave; None where nothing is recorded.
    run: the run directory; None for a run in memory.
    """
    known = places or {}
    inside = [] if run is None or "relative" not in known else [run / str(known["relative"])]
    absolute = [Path(str(known["absolute"]))] if "absolute" in known else []
    there = [place for place in (Path(source), *inside, *absolute) if place.exists()]
    of_size = [place for place in there if not place.is_file() or place.stat().st_size == known.get("bytes")]
    best = next(iter(of_size or there), None)
    return source if best is None or best == Path(source) else os.path.normpath(best)
