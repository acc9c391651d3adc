"""Distillation methods, one file per family. Importing this package fills `METHODS`."""

from __future__ import annotations

import importlib
import pkgutil

from fgkd.methods.base import METHODS, LossTerms, Method, Objective, Setting, cross_entropy

# Every module beside this one is a family: a new file needs no line here.
for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["METHODS", "LossTerms", "Method", "Objective", "Setting", "cross_entropy"]
