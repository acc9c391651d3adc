"""Suites: a YAML file, its checks, and the runs that it stands for."""

from fgkd.suite.reading import Filters, Suite, load_suite, suite_names, suite_path

__all__ = ["Filters", "Suite", "load_suite", "suite_names", "suite_path"]
