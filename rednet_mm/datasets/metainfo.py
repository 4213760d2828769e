"""Landmark schemes as Python constants, whatever the working directory.

The 68 points are those of iBUG (Sagonas et al., 300 Faces in-the-Wild,
ICCV-W 2013), counted from 0; left and right are the image's.
"""

# (name, first point, last point, closed, colour in RGB)
PARTS_68 = (
    ('jaw', 0, 16, False, (255, 190, 80)),
    ('right_brow', 17, 21, False, (120, 220, 120)),
    ('left_brow', 22, 26, False, (120, 220, 120)),
    ('nose_bridge', 27, 30, False, (250, 120, 200)),
    ('nose_base', 31, 35, False, (250, 120, 200)),
    ('right_eye', 36, 41, True, (80, 200, 255)),
    ('left_eye', 42, 47, True, (80, 200, 255)),
    ('outer_lip', 48, 59, True, (255, 90, 90)),
    ('inner_lip', 60, 67, True, (255, 150, 150)),
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


def point_name(index: int) -> str:
    """The name of a landmark, the same in our JSON files and MMPose's."""
    return f'kpt-{index}'


def skeleton_68() -> list[tuple[int, int]]:
    """Lines between neighbouring points of a part, closed where it is."""
    links = []
    for _, first, last, closed, _ in PARTS_68:
        links += [(i, i + 1) for i in range(first, last)]
        if closed:
            links.append((last, first))
    return links


def _build_face_68() -> dict:
    partner = {}
    for a, b in FLIP_PAIRS_68:
        partner[a], partner[b] = b, a
    part_of = {}
    for name, first, last, _, colour in PARTS_68:
        for i in range(first, last + 1):
            part_of[i] = (name, colour)
    keypoint_info = {
        i: dict(
            name=point_name(i),
            id=i,
            color=list(part_of[i][1]),
            type='',
            swap=point_name(partner[i]) if i in partner else '',
        )
        for i in range(68)
    }
    skeleton_info = {
        i: dict(
            link=(point_name(a), point_name(b)),
            id=i,
            color=list(part_of[a][1]),
        )
        for i, (a, b) in enumerate(skeleton_68())
    }
    return dict(
        dataset_name='face_68',
        paper_info=dict(
            author='Sagonas, Antonakos, Tzimiropoulos, Zafeiriou, Pantic',
            title='300 faces in-the-wild challenge: Database and results',
            container='Image and Vision Computing',
            year='2016',
            homepage='https://ibug.doc.ic.ac.uk/resources/300-VW/',
        ),
        keypoint_info=keypoint_info,
        skeleton_info=skeleton_info,
        joint_weights=[1.0] * 68,
        sigmas=[],
    )


FACE_68 = _build_face_68()
