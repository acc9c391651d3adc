"""A board as one HTML page that needs nothing but a browser."""

from fgkd.report.html.page import report_page

__all__ = ["report_page"]
