"""A comparison as one page, and as pictures and tables for papers."""

from .write import write_report

__all__ = ['write_report']
