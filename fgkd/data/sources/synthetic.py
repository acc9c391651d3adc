"""Birds that are drawn, not photographed: no download, and every picture known in advance."""

from __future__ import annotations

import dataclasses

from fgkd.data.cache import written_once
from fgkd.data.seeds import mix
from fgkd.data.sources.base import Listing, Request, source
from fgkd.data.sources.own import read_imagefolder


def _check(request: Request) -> None:
    from fgkd.data.birds import describe_birds

    describe_birds(**request.options)


@source("synthetic_birds", slow=True, check=_check)
def read_synthetic_birds(request: Request) -> Listing:
    """Options: those of `fgkd.data.birds.write_birds`."""
    from fgkd.data import birds  # OpenCV drawing, wanted by this source alone

    drawing = ",".join(f"{key}={value}" for key, value in sorted(request.options.items()))
    name = f"synthetic_birds-{mix('birds', birds.DRAWING_VERSION, drawing):016x}"
    folder = written_once(request.cache / name, lambda draft: birds.write_birds(draft, **request.options))
    return read_imagefolder(dataclasses.replace(request, folder=folder, options={}))
