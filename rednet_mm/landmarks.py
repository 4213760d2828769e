"""Numbers of landmarks that several rooms speak of."""

# 7 of 68 (0-based, iBUG): eye corners, nose tip, mouth corners (section 4.2).
SEVEN_OF_68 = (36, 39, 42, 45, 30, 48, 54)

# The same seven of AFLW's 21 (0-based, in the order of its feature_id).
SEVEN_OF_21 = (6, 8, 9, 11, 14, 17, 19)
