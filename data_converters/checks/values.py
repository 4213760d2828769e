"""Values of a JSON file that may be anything."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_converters.frames import split_frame_name


def listed(content: Mapping[str, Any], section: str) -> list:
    """A section's list, empty where there is none."""
    entries = content.get(section)
    return entries if isinstance(entries, list) else []


def is_text(value: Any) -> bool:
    """Whether it is a text that is not empty."""
    return isinstance(value, str) and bool(value)


def is_id(value: Any) -> bool:
    """Whether it can tell an entry of the file from the others."""
    # Numbers of hundreds of digits are no numbers to numpy.
    return isinstance(value, str) or (
        isinstance(value, int) and abs(value) < 1 << 63
    )


def is_number(value: Any) -> bool:
    """Whether it is a number of some size that pixels and degrees have."""
    return isinstance(value, (int, float)) and abs(value) < 1 << 31


def is_frame(image: Mapping[str, Any]) -> bool:
    """Whether an image is a frame of a video."""
    frame = image.get('frame_id')
    return is_id(image.get('video_id')) and is_id(frame) and not is_text(frame)


def as_numbers(value: Any) -> np.ndarray:
    """An array of floats, empty where there is no such thing."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)


def numbered(file_name: str) -> tuple[str, int]:
    """What stays of a frame's path, and the number at its stem's end."""
    stem = file_name
    if split_frame_name(file_name) is None:
        stem, _ = os.path.splitext(file_name)
    text = stem.rstrip('0123456789')
    number = stem[len(text) :]
    return (text, int(number)) if 0 < len(number) < 19 else (stem, -1)


def twice(values: Sequence[Any]) -> list[Any]:
    """What is there more than once, each once."""
    seen: set[Any] = set()
    again: dict[Any, None] = {}
    for value in values:
        if value in seen:
            again[value] = None
        seen.add(value)
    return list(again)


def video_name(videos: Mapping[Any, dict], video: Any) -> str:
    """What a video is called, for a person."""
    return str(videos[video]['name']) if video in videos else f'video {video}'
