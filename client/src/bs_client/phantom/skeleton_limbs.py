"""Shoulders, arms, pelvis and legs as tables of the left side, and the urinary tract.

Coordinates and units: see `shapes`; how the numbers were set: see `skeleton_axial`.
"""

from __future__ import annotations

import itertools
import math

from bs_client.phantom.shapes import Ellipsoid, Plate, Point, Shape, Tube, left_and_right

SHOULDER: tuple[Shape, ...] = (
    Ellipsoid("sternoclavicular", (25, 82, 1430), (12, 9, 11), 24, 280),
    Tube("clavicle", ((28, 80, 1432), (75, 62, 1440), (120, 14, 1452), (164, -12, 1452)), 0.50, 11),
    Plate("scapula", ((72, -96, 1428), (88, -112, 1282), (146, -52, 1398)), 92, 2500),
    Tube("scapula", ((88, -112, 1280), (146, -50, 1392)), 0.50, 11),  # lateral border
    Tube("scapula", ((72, -100, 1398), (130, -72, 1428), (176, -22, 1450)), 0.52, 12),  # spine
    Ellipsoid("scapula", (136, 22, 1424), (8, 14, 8), 24, 160),  # coracoid process
    Ellipsoid("acromioclavicular", (168, -12, 1450), (16, 14, 12), 30, 280),
)

ARM: tuple[Shape, ...] = (
    Ellipsoid("humeral_head", (174, -16, 1416), (27, 24, 30), 250, 1040),
    Tube(
        "humerus",
        ((178, -16, 1400), (204, -18, 1260), (222, -14, 1128)),
        (0.95, 0.50, 0.55),
        (30, 20, 24),
    ),
    Ellipsoid("elbow", (224, -12, 1112), (27, 16, 22), 60, 480),
    Tube("forearm", ((214, -8, 1100), (228, 6, 980), (242, 18, 868)), 0.25, 10),  # ulna
    Tube("forearm", ((236, -8, 1100), (254.4, 6, 980), (264, 18, 868)), 0.25, 10),  # radius
    Ellipsoid("wrist", (254, 20, 852), (24, 14, 22), 50, 480),
)

# sideways offset of each ray (mm) and height of its tip (mm)
FINGERS = ((-24, 752), (-12, 738), (0, 724), (12, 738), (23, 752))
TOES = (-16, -6, 5, 15)

ILIAC_CREST: tuple[Point, ...] = (
    (40, -88, 978),
    (62, -84, 1008),
    (100, -44, 1024),
    (132, 8, 1006),
    (134, 52, 962),
)
ABOVE_ACETABULUM: Point = (88, 4, 892)
ACETABULUM: Point = (90, 0, 874)
ACETABULUM_RADIUS_MM = 25.0

PELVIS: tuple[Shape, ...] = (
    Tube("ilium", ILIAC_CREST, (0.95, 0.85, 1.0, 1.0, 0.8), 15),
    *(
        Plate("ilium", (*edge, ABOVE_ACETABULUM), 34, 900, thickness_mm=8)
        for edge in itertools.pairwise(ILIAC_CREST)
    ),
    Tube("ilium", ((134, 52, 962), (118, 42, 922), (96, 22, 896)), 0.7, 15),  # anterior spines
    Tube("sacroiliac", ((41, -84, 978), (36, -72, 930), (30, -66, 898)), 1.7, 17),
    Tube(
        "acetabulum",
        tuple(
            (
                ACETABULUM[0] + ACETABULUM_RADIUS_MM * math.cos(2 * math.pi * step / 19),
                ACETABULUM[1],
                ACETABULUM[2] + ACETABULUM_RADIUS_MM * math.sin(2 * math.pi * step / 19),
            )
            for step in range(20)
        ),
        0.62,
        8,
    ),
    Tube(
        "pubis",
        (
            (72, 18, 862),
            (38, 48, 860),
            (9, 54, 846),
            (10, 50, 826),
            (34, 10, 806),
            (54, -40, 800),
        ),
        0.62,
        15,
    ),
    Tube("ischium", ((82, -22, 858), (66, -44, 822), (56, -46, 798)), 1.0, 22),
)

LEG: tuple[Shape, ...] = (
    Ellipsoid("femoral_head", (91, 0, 875), (22, 22, 22), 66),
    Tube(
        "proximal_femur",
        ((98, 0, 868), (124, -6, 846), (126, -6, 806)),
        (0.9, 1.25, 0.85),
        (18, 24, 20),
    ),
    Ellipsoid("proximal_femur", (136, -10, 856), (14, 15, 16), 44, 360),  # greater trochanter
    Tube("femur", ((126, -6, 806), (113, 6, 660), (96, 0, 510)), (0.85, 0.62, 0.9), (26, 24, 38)),
    Ellipsoid("knee", (92, -2, 486), (40, 28, 32), 200, 1040),  # femoral condyles
    Ellipsoid("knee", (90, -2, 448), (37, 25, 27), 165, 880),  # tibial plateau
    Ellipsoid("patella", (90, 42, 494), (22, 9, 24), 52, 360),
    Tube("tibia", ((88, 4, 436), (84, 8, 290), (82, 0, 108)), (0.9, 0.58, 0.62), (38, 22, 24)),
    Tube("tibia", ((116, -16, 430), (112, -14, 260), (101, -10, 92)), 0.13, 6),  # fibula
    Ellipsoid("ankle", (86, 0, 82), (26, 20, 27), 76),
    Ellipsoid("foot", (86, -28, 52), (22, 26, 22), 48, 360),  # heel
)

# Not bone: filling varies from patient to patient on its own.
URINARY_TRACT: tuple[Shape, ...] = (
    Ellipsoid("left_kidney", (62, -62, 1098), (25, 19, 48), 150, 1000),
    Ellipsoid("right_kidney", (-62, -62, 1086), (25, 19, 48), 150, 1000),
    Ellipsoid("bladder", (0, 34, 866), (36, 28, 27), 330, 1400),
)


def limbs() -> tuple[Shape, ...]:
    """Give the shapes of both shoulders, arms, hips and legs."""
    hand = tuple(_finger(offset, tip) for offset, tip in FINGERS)
    foot = tuple(_toe(offset) for offset in TOES)
    return left_and_right((*SHOULDER, *ARM, *hand, *PELVIS, *LEG, *foot))


def _finger(offset: float, tip: float) -> Tube:
    path = ((252 + offset * 0.6, 22, 842), (254 + offset, 28, 792), (252 + offset * 1.1, 34, tip))
    return Tube("hand", path, (0.25, 0.20, 0.12), 11)


def _toe(offset: float) -> Tube:
    path = ((90 + offset * 0.5, 16, 58), (102 + offset, 45, 12), (108 + offset * 1.3, 55, -34))
    return Tube("foot", path, (0.38, 0.27, 0.15), 13)
