"""Response maps."""

from .response_map import ResponseMap

__all__ = ['ResponseMap']
