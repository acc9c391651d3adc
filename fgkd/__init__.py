"""fgkd: which distillation method, with which student, for fine-grained classification, and on what evidence.

    result = fgkd.distill("folder:PATH", teacher="resnet50.a1_in1k", student="resnet18.a1_in1k", method="kd")
    result.predict("picture.jpg").name
    result.export("my_student")

    student = fgkd.load("my_student")

Names are found on first use: importing the package imports nothing else.
"""

__version__ = "0.1.0"

# where the public names live; __init__.pyi tells the same to type checkers and editors
_HOMES = {
    "distill": "fgkd.api.distilling",
    "Distilled": "fgkd.api.distilled",
    "load": "fgkd.export",
    "Student": "fgkd.export",
    "Prediction": "fgkd.export",
    "RunRecord": "fgkd.record",
    "UserError": "fgkd.errors",
}
__all__ = ["Distilled", "Prediction", "RunRecord", "Student", "UserError", "distill", "load"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'fgkd' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
