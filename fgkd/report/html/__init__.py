"""A board as one HTML page that needs nothing but a browser."""

from fgkd.report.html.page import report_page
from fgkd.report.html.payload import Beside

__all__ = ["Beside", "report_page"]
