"""Numbers of landmarks that several rooms speak of."""

# 7 of 68 (0-based, iBUG): eye corners, nose tip, mouth corners (section 4.2).
SEVEN_OF_68 = (36, 39, 42, 45, 30, 48, 54)

# The same seven of AFLW's 21 (0-based, in the order of its feature_id).
SEVEN_OF_21 = (6, 8, 9, 11, 14, 17, 19)

# What papers measure of the 68: without the contour, and without the inner
# corners of the mouth as well (Sagonas et al., 300 Faces in-the-Wild).
INNER_51 = tuple(range(17, 68))
INNER_49 = tuple(point for point in INNER_51 if point not in (60, 64))

# Sets of the 68 by their names in protocols and on command lines.
POINT_SETS = {
    '68': tuple(range(68)),
    '51': INNER_51,
    '49': INNER_49,
    '7': SEVEN_OF_68,
}

# Figure 9's facial components as landmarks of 68; left and right are the
# image's.
COMPONENTS = {
    'contour': tuple(range(17)),
    'brows': tuple(range(17, 27)),
    'nose': tuple(range(27, 36)),
    'left_eye': tuple(range(36, 42)),
    'right_eye': tuple(range(42, 48)),
    'mouth': tuple(range(48, 68)),
}
