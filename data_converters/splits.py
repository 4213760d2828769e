"""The 300-VW video lists and the two protocols made of them.

The ids are those of the published preprocessing lists for MMPose's 300-VW
data set (preprocess_300vw.py); the generator of the SRT project
(GEN_300VW.py) has the same split. Category 1 is well lit, 2 has
unconstrained lighting, 3 is arbitrary (occlusions, poses, make-up).
"""

from __future__ import annotations


def _ids(text: str) -> tuple[str, ...]:
    return tuple(text.split())


OFFICIAL_TRAIN = _ids(
    """
    001 002 003 004 007 009 010 011 013 015 016 017 018 019 020
    022 025 027 028 029 031 033 034 035 037 039 041 043 044 046
    047 048 049 053 057 059 112 113 115 119 120 123 138 143 144
    160 204 205 223 225
    """
)

# Official test videos by category.
TEST_CATEGORIES: dict[int, tuple[str, ...]] = {
    1: _ids(
        """
        114 124 125 126 150 158 401 402 505 506 507 508 509 510 511
        514 515 518 519 520 521 522 524 525 537 538 540 541 546 547
        548
        """
    ),
    2: _ids(
        """
        203 208 211 212 213 214 218 224 403 404 405 406 407 408 409
        412 550 551 553
        """
    ),
    3: _ids(
        """
        410 411 516 517 526 528 529 530 531 533 557 558 559 562
        """
    ),
}

OFFICIAL_TEST = tuple(
    sorted(name for names in TEST_CATEGORIES.values() for name in names)
)

ALL_VIDEOS = tuple(sorted(OFFICIAL_TRAIN + OFFICIAL_TEST))

# RED-Net (IJCV 2018, section 5) tests on 24 videos, 9 common and 15
# challenging, and trains on the other 90, but does not list them. Rule of
# this list: from the n sorted official test ids of a category take m at
# evenly spaced places, floor((i + 0.5) * n / m) for i in 0..m-1.
REDNET_COMMON = (
    '124', '158', '505', '509', '514', '519', '524', '538', '547',
)  # fmt: skip
REDNET_CHALLENGING = (
    '208', '212', '214', '403', '405', '408', '412', '551',  # category 2
    '411', '517', '528', '530', '533', '558', '562',  # category 3
)  # fmt: skip

REDNET_TEST = tuple(sorted(REDNET_COMMON + REDNET_CHALLENGING))

REDNET_TRAIN = tuple(name for name in ALL_VIDEOS if name not in REDNET_TEST)

# Video ids of each split by protocol.
PROTOCOLS: dict[str, dict[str, tuple[str, ...]]] = {
    'official': {'train': OFFICIAL_TRAIN, 'test': OFFICIAL_TEST},
    'rednet': {'train': REDNET_TRAIN, 'test': REDNET_TEST},
}


def category_of(name: str) -> int | None:
    """300-VW's test category of a video, None for any other video."""
    for category, names in TEST_CATEGORIES.items():
        if name in names:
            return category
    return None
