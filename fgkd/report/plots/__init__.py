"""A board's charts as pictures for papers: PNG and SVG, readable at column width."""

from fgkd.report.plots.files import write_plots

__all__ = ["write_plots"]
