"""Landmark schemes as Python constants, whatever the working directory.

The 68 points are those of iBUG (Sagonas et al., 300 Faces in-the-Wild,
ICCV-W 2013), the 21 those of AFLW (Koestinger et al., ICCV-W 2011), and the
seven are those that are detected (section 4.2); all are counted from 0. Parts
are named by the person's sides: ``right_eye`` is on the left of the image.
"""

from collections.abc import Sequence

# Colours in RGB.
_OUTLINE = (255, 190, 80)
_BROW = (120, 220, 120)
_NOSE = (250, 120, 200)
_EYE = (80, 200, 255)
_MOUTH = (255, 90, 90)

# (name, first point, last point, closed, colour)
PARTS_68 = (
    ('jaw', 0, 16, False, _OUTLINE),
    ('right_brow', 17, 21, False, _BROW),
    ('left_brow', 22, 26, False, _BROW),
    ('nose_bridge', 27, 30, False, _NOSE),
    ('nose_base', 31, 35, False, _NOSE),
    ('right_eye', 36, 41, True, _EYE),
    ('left_eye', 42, 47, True, _EYE),
    ('outer_lip', 48, 59, True, _MOUTH),
    ('inner_lip', 60, 67, True, (255, 150, 150)),
)

PARTS_21 = (
    ('right_brow', 0, 2, False, _BROW),
    ('left_brow', 3, 5, False, _BROW),
    ('right_eye', 6, 8, False, _EYE),
    ('left_eye', 9, 11, False, _EYE),
    ('right_ear', 12, 12, False, _OUTLINE),
    ('nose', 13, 15, False, _NOSE),
    ('left_ear', 16, 16, False, _OUTLINE),
    ('mouth', 17, 19, False, _MOUTH),
    ('chin', 20, 20, False, _OUTLINE),
)
PARTS_7 = (
    ('right_eye', 0, 1, False, _EYE),
    ('left_eye', 2, 3, False, _EYE),
    ('nose', 4, 4, False, _NOSE),
    ('mouth', 5, 6, False, _MOUTH),
)

# Pairs of points that change places in a mirror; the rest stay.
FLIP_PAIRS_68 = (
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    *((31 + i, 35 - i) for i in range(2)),
    *((36 + i, 45 - i) for i in range(4)),
    (40, 47),
    (41, 46),
    *((48 + i, 54 - i) for i in range(3)),
    (59, 55),
    (58, 56),
    (60, 64),
    (61, 63),
    (67, 65),
)
FLIP_PAIRS_21 = (
    *((i, 5 - i) for i in range(3)),  # brows
    *((6 + i, 11 - i) for i in range(3)),  # eyes
    (12, 16),  # ears
    (13, 15),  # nostrils
    (17, 19),  # mouth
)
FLIP_PAIRS_7 = ((0, 3), (1, 2), (5, 6))

# AFLW's codes; L and R are the image's sides, so LELC is the left corner of
# the eye on the left. The seven have the same names.
NAMES_21 = (
    'LBLC', 'LBC', 'LBRC', 'RBLC', 'RBC', 'RBRC',
    'LELC', 'LEC', 'LERC', 'RELC', 'REC', 'RERC',
    'LE', 'LN', 'NC', 'RN', 'RE', 'MLC', 'MC', 'MRC', 'CC',
)  # fmt: skip
NAMES_7 = ('LELC', 'LERC', 'RELC', 'RERC', 'NC', 'MLC', 'MRC')


def point_name(index: int) -> str:
    """The name of one of 68, the same in our JSON files and MMPose's."""
    return f'kpt-{index}'


def skeleton(parts: tuple) -> list[tuple[int, int]]:
    """Lines between neighbouring points of a part, closed where it is."""
    links = []
    for _, first, last, closed, _ in parts:
        links += [(i, i + 1) for i in range(first, last)]
        if closed:
            links.append((last, first))
    return links


def skeleton_68() -> list[tuple[int, int]]:
    """Lines between the 68 points."""
    return skeleton(PARTS_68)


# By how much people differ on a point, in root areas of the face, for
# MMPose's object keypoint similarity: the sigmas of the 68 face points, in
# the same order, of coco_wholebody_face in MMPose (Jin et al., Whole-body
# human pose estimation in the wild, ECCV 2020).
_WHOLEBODY_SIGMAS = (
    0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023,
    0.029, 0.032, 0.037, 0.038, 0.043, 0.041, 0.045, 0.013, 0.012, 0.011,
    0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007,
    0.007, 0.012, 0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011,
    0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034, 0.008, 0.008,
    0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007,
    0.007, 0.008, 0.011, 0.008, 0.008, 0.008, 0.010, 0.008,
)  # fmt: skip

# The points of 68 that each of AFLW's 21 takes its sigma from, as a mean.
# Eye centres, ears and the mouth's centre have no partner among the 68: the
# outline of the eye, the end of the jaw, and the middle of the lips.
SIGMA_SOURCES_21 = (
    (17,), (19,), (21,), (22,), (24,), (26,),  # brows
    (36,), (36, 37, 38, 39, 40, 41), (39,),  # eye on the image's left
    (42,), (42, 43, 44, 45, 46, 47), (45,),  # eye on the image's right
    (0, 1), (31,), (30,), (35,), (15, 16),  # ear, nose, ear
    (48,), (51, 57, 62, 66), (54,), (8,),  # mouth, chin
)  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 5)


def _symmetric(sigmas: tuple, flip_pairs: tuple) -> tuple[float, ...]:
    """The mean of each pair, so that a mirror image scores the same."""
    even = list(sigmas)
    for a, b in flip_pairs:
        even[a] = even[b] = _mean((sigmas[a], sigmas[b]))
    return tuple(even)


SIGMAS_68 = _symmetric(_WHOLEBODY_SIGMAS, FLIP_PAIRS_68)
SIGMAS_21 = tuple(
    _mean([SIGMAS_68[i] for i in points]) for points in SIGMA_SOURCES_21
)
SIGMAS_7 = tuple(SIGMAS_21[NAMES_21.index(name)] for name in NAMES_7)


def _build(
    dataset_name: str,
    names: tuple,
    parts: tuple,
    flip_pairs: tuple,
    sigmas: tuple,
    paper_info: dict,
) -> dict:
    """MMPose's metainfo of a landmark scheme."""
    partner = {}
    for a, b in flip_pairs:
        partner[a], partner[b] = b, a
    colour_of = {}
    for _, first, last, _, colour in parts:
        for i in range(first, last + 1):
            colour_of[i] = colour
    keypoint_info = {
        i: dict(
            name=name,
            id=i,
            color=list(colour_of[i]),
            type='',
            swap=names[partner[i]] if i in partner else '',
        )
        for i, name in enumerate(names)
    }
    skeleton_info = {
        i: dict(link=(names[a], names[b]), id=i, color=list(colour_of[a]))
        for i, (a, b) in enumerate(skeleton(parts))
    }
    return dict(
        dataset_name=dataset_name,
        paper_info=paper_info,
        keypoint_info=keypoint_info,
        skeleton_info=skeleton_info,
        joint_weights=[1.0] * len(names),
        sigmas=list(sigmas),
    )


FACE_68 = _build(
    'face_68',
    tuple(point_name(i) for i in range(68)),
    PARTS_68,
    FLIP_PAIRS_68,
    SIGMAS_68,
    dict(
        author='Sagonas, Antonakos, Tzimiropoulos, Zafeiriou, Pantic',
        title='300 faces in-the-wild challenge: Database and results',
        container='Image and Vision Computing',
        year='2016',
        homepage='https://ibug.doc.ic.ac.uk/resources/300-VW/',
    ),
)

FACE_21 = _build(
    'face_21',
    NAMES_21,
    PARTS_21,
    FLIP_PAIRS_21,
    SIGMAS_21,
    dict(
        author='Koestinger, Wohlhart, Roth, Bischof',
        title='Annotated facial landmarks in the wild: A large-scale, '
        'real-world database for facial landmark localization',
        container='IEEE International Conference on Computer Vision Workshops',
        year='2011',
        homepage='https://www.tugraz.at/institute/icg/research/team-bischof/'
        'lrs/downloads/aflw/',
    ),
)

FACE_7 = _build(
    'face_7',
    NAMES_7,
    PARTS_7,
    FLIP_PAIRS_7,
    SIGMAS_7,
    dict(
        author='Peng, Feris, Wang, Metaxas',
        title='RED-Net: A recurrent encoder-decoder network for video-based '
        'face alignment',
        container='International Journal of Computer Vision',
        year='2018',
        homepage='https://doi.org/10.1007/s11263-018-1095-1',
    ),
)
