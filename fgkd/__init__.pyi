from fgkd.api.distilled import Distilled as Distilled
from fgkd.api.distilling import distill as distill
from fgkd.errors import UserError as UserError
from fgkd.export import Prediction as Prediction
from fgkd.export import Student as Student
from fgkd.export import load as load
from fgkd.record import RunRecord as RunRecord

__version__: str
__all__ = ["Distilled", "Prediction", "RunRecord", "Student", "UserError", "distill", "load"]
