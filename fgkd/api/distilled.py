"""What `fgkd.distill` returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fgkd.errors import UserError
from fgkd.export.choice import Chosen
from fgkd.export.student import Prediction, Student
from fgkd.export.verify import open_test, verify
from fgkd.export.writing import export_run
from fgkd.models.store import WeightStore
from fgkd.record import RunRecord

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


@dataclass(frozen=True, repr=False)
class Distilled:
    """A trained student and the evidence of it.

    Attributes:
        student: in evaluation mode, on the CPU: normalised images -> logits; see `Student.transform`.
        record: of its run: metrics, costs, environment.
        teacher: of the teacher's run; None where nobody taught.
        folder: the records and the board, with all runs on the same images.
    """

    student: Student
    record: RunRecord
    teacher: RunRecord | None
    folder: Path
    _data_root: Path
    _cache: Path

    def __repr__(self) -> str:
        top1 = "" if self.top1 is None else f", top1={self.top1:.4f}"
        return f"Distilled({self.record.run_id}{top1}, folder={str(self.folder)!r})"

    @property
    def top1(self) -> float | None:
        """Accuracy on the test split, in [0, 1]; weights of the last epoch. None under retrieval protocols."""
        return self.record.metric("top1")

    def predict(self, image: str | Path | Image | np.ndarray) -> Prediction:
        """What a picture (file, PIL image or uint8 RGB array) shows."""
        return self.student.predict(image)

    def export(self, to: str | Path, *, onnx: bool = False, verify: bool = False) -> Path:
        """Write the student as a folder, as ``fgkd export`` does.

        Args:
            to: a new or empty folder, or an earlier export.
            onnx: whether to write ``model.onnx`` too.
            verify: whether to load the folder again and measure it on the test split.

        Raises:
            UserError: the folder is taken, ONNX cannot be written, or the export does not measure as recorded.
        """
        folder, chosen = Path(to).expanduser(), Chosen(self.record, self.folder / "records")
        export_run(chosen, folder, WeightStore(self._cache / "weights"), onnx=onnx)
        if verify:
            self._verify(folder)
        return folder

    def _verify(self, folder: Path) -> None:
        data = open_test(self.record, self._data_root, self._cache)
        for check in verify(folder, self.record, data):
            if not check.passed:
                raise UserError(f"{folder}: {check.loader} measures {check.top1!r}, recorded is {check.recorded!r}")
