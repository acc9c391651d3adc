"""Which weights of the cache may serve: it belongs to a user, who may have several projects."""

from __future__ import annotations

from pathlib import Path

from fgkd.models.store import WeightStore
from fgkd.record import find_record


class WeightsAtHand:
    """The ids of the runs whose stored weights are of the images that the records tell of.

    Two projects may call other images by one name, such as ``folder:photos``; their runs have the same ids then, and
    the weights that one has trained last are not the other's.

    Args:
        store: of the cache.
        records: the folder of a suite's records.
    """

    def __init__(self, store: WeightStore, records: Path) -> None:
        self.store, self.records = store, records

    def __contains__(self, run_id: object) -> bool:
        if not isinstance(run_id, str) or run_id not in self.store:
            return False
        record = find_record(self.records, run_id)
        told = record.data.revision if record is not None and record.data is not None else None
        found = self.store.facts(run_id).get("revision")
        return told is None or found is None or told == found
