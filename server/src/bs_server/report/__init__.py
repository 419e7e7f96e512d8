"""The study report: one HTML file that needs nothing else, made from a summary."""

from bs_server.report.page import render_report

__all__ = ["render_report"]
