"""Drawing of faces, heatmaps and contact sheets."""

from .drawing import (
    FrameSample,
    Trajectories,
    contact_sheet,
    draw_face,
    draw_keypoints,
    draw_maps,
)

__all__ = [
    'FrameSample',
    'Trajectories',
    'contact_sheet',
    'draw_face',
    'draw_keypoints',
    'draw_maps',
]
