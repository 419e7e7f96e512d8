"""The study's standing as a small page that only this machine can open."""

from bs_server.oversight.status_page.page import StatusPage

__all__ = ["StatusPage"]
