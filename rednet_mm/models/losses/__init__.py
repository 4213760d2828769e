"""Losses of equations 6 and 8."""

from .response_map_losses import ResponseMapBCELoss, ResponseMapL2Loss

__all__ = ['ResponseMapBCELoss', 'ResponseMapL2Loss']
