"""From a recorded run to a folder that others use: plain timm where that is exact, ONNX beside it or instead."""

from fgkd.export.student import Prediction, Student
from fgkd.export.student import load_student as load
from fgkd.export.writing import Exported, export_run

__all__ = ["Exported", "Prediction", "Student", "export_run", "load"]
