"""What is wrong between JSON files, and what the paper counts."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from data_converters.checks.findings import Findings
from data_converters.checks.reading import DecodedImage, file_names
from data_converters.checks.values import listed

# What the paper counts (RED-Net, IJCV 2018, Table 4), by split; 300-VW's
# are of the protocol rednet.
TABLE_4: dict[str, dict[str, dict[str, int]]] = {
    'AFLW': {
        'train': {'images': 16864},
        'test': {'images': 4216},
        'all': {'images': 21080},
    },
    'LFW': {'all': {'images': 12007, 'subjects': 5371}},
    'Helen': {'all': {'images': 2330}},
    'LFPW': {'all': {'images': 1035}},
    'Talking Face': {'all': {'images': 500, 'videos': 5, 'subjects': 1}},
    'Face Movies': {'all': {'images': 2150, 'videos': 6, 'subjects': 6}},
    '300-VW': {
        'train': {'images': 90000, 'videos': 90},
        'test': {'images': 24000, 'videos': 24},
        'all': {'images': 114000, 'videos': 114, 'subjects': 105},
    },
}

# Words in protocol or source that tell a data set, where the converter
# takes many.
_WORDS = {
    'helen': 'Helen',
    'lfpw': 'LFPW',
    'talking': 'Talking Face',
    'tf': 'Talking Face',
    'movies': 'Face Movies',
    'fm': 'Face Movies',
}

_COUNTED = {
    'videos': 'videos',
    'images': 'images',
    'annotations': 'faces',
    'subjects': 'subjects',
}


@dataclass(frozen=True)
class Part:
    """What is compared of a file with others.

    Args:
        name: The JSON file.
        info: What it says of itself.
        files: Digest of each image by its real path, empty where it is not
            known.
        names: Names of its ``subjects`` and ``videos``.
        counts: How many videos, images, faces and subjects there are.
    """

    name: str
    info: Mapping[str, Any]
    files: Mapping[str, str]
    names: Mapping[str, frozenset[str]]
    counts: Mapping[str, int]


def make_part(
    path: Path,
    content: Mapping[str, Any],
    root: Path,
    pictures: Mapping[str, DecodedImage] | None = None,
) -> Part:
    """Take out of a data set what is compared with others.

    Args:
        path: The JSON file.
        content: What it holds.
        root: The folder that its images are in.
        images: As for :func:`check_content`.
    """
    info = content.get('info')
    names = {
        section: frozenset(
            str(entry['name'])
            for entry in listed(content, section)
            if isinstance(entry, dict) and 'name' in entry
        )
        for section in ('subjects', 'videos')
    }
    return Part(
        str(path),
        info if isinstance(info, dict) else {},
        {
            os.path.realpath(root / name): (
                pictures[name].digest if pictures else ''
            )
            for name in file_names(content)
        },
        names,
        {what: len(listed(content, key)) for key, what in _COUNTED.items()},
    )


def check_between(parts: Sequence[Part], keep: int = 3) -> Findings:
    """Find what is on both sides of a split.

    Image files are compared by where they really are and by their bytes,
    subjects and videos by name among the files of one converter. What is on
    the training's side and on another is an error; what two files beside
    the training share is a warning, for one may be a list of the other's,
    and so is what is shared with a file of no split (``all``). Files of the
    same split are on one side.

    Args:
        parts: One for each file.
        keep: How many examples of each kind are kept.
    """
    found = Findings(keep)
    for one, two in combinations(parts, 2):
        sides = [str(part.info.get('split', 'all')) for part in (one, two)]
        if sides[0] == sides[1] != 'all':
            continue
        trains = [side.startswith('train') for side in sides]
        spoils = any(trains) and not all(trains) and 'all' not in sides
        report = found.error if spoils else found.warning
        both = f'{Path(one.name).name} and {Path(two.name).name}'
        digests = set(two.files.values()) - {''}
        shared = {
            'image': {
                path
                for path, digest in one.files.items()
                if path in two.files or digest in digests
            }
        }
        if one.info.get('converter') == two.info.get('converter'):
            for section in ('subjects', 'videos'):
                same = one.names[section] & two.names[section]
                shared[section[:-1]] = set(same)
        for what, values in shared.items():
            for value in sorted(values):
                report(f'{what} in {both}', value)
    return found


def known_set(info: Mapping[str, Any]) -> str | None:
    """The data set of Table 4 that a file says to come from."""
    converter, protocol = info.get('converter'), info.get('protocol')
    if converter in ('convert_aflw', 'convert_lfw'):
        return {'convert_aflw': 'AFLW', 'convert_lfw': 'LFW'}[converter]
    if converter == 'convert_300vw':
        return '300-VW' if protocol in ('official', 'rednet') else None
    text = f'{protocol} {info.get("source")}'.lower()
    words = re.findall('[a-z]+', text)
    return next((_WORDS[word] for word in words if word in _WORDS), None)


def beside_paper(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Counts beside those of the paper's Table 4.

    Returns:
        One row for each count of a split, and for the sum where the paper
        does not split or several files of a data set are given: ``set``,
        ``split``, ``what``, ``found``, ``paper``.
    """
    sets = defaultdict(list)
    for part in parts:
        name = known_set(part.info)
        if name:
            sets[name].append(part)
    rows = []
    for name, members in sets.items():
        paper = TABLE_4[name]
        for part in members:
            split = str(part.info.get('split'))
            theirs = part.info.get('protocol') != 'official'
            if theirs and split != 'all':
                for what, number in paper.get(split, {}).items():
                    rows.append((name, split, what, part.counts[what], number))
        if len(members) == 1 and 'train' in paper and split != 'all':
            continue
        for what, number in paper['all'].items():
            if what == 'subjects':
                people = {n for part in members for n in part.names[what]}
                here = len(people)
            else:
                here = sum(part.counts[what] for part in members)
            rows.append((name, 'all', what, here, number))
    titles = ('set', 'split', 'what', 'found', 'paper')
    return [dict(zip(titles, row)) for row in rows]
