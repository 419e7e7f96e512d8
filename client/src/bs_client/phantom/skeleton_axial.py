"""Head, spine and thoracic cage as tables (coordinates and units: see `shapes`).

Lengths were set by eye to adult proportions, activities until the count ratios between spine, ribs,
skull and limbs looked as in real whole-body scans.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bs_client.phantom.shapes import (
    Ellipsoid,
    Plate,
    Shape,
    SkullCap,
    Tube,
    VertebralBody,
    left_and_right,
    symmetric,
)

SKULL: tuple[Shape, ...] = (
    SkullCap("skull", (0, -12, 1648), (72, 92, 94), activity=620, points=8000),
    Ellipsoid("skull", (0, -15, 1600), (50, 62, 20), activity=75, points=1200),  # base
)

FACE: tuple[Shape, ...] = (
    Ellipsoid("face", (0, 72, 1590), (12, 12, 28), activity=70),  # nose
    *symmetric(
        (
            Ellipsoid("face", (27, 62, 1574), (22, 16, 22), activity=50),  # maxilla
            Tube(  # orbit
                "face",
                ((18, 78, 1610), (45, 66, 1618), (62, 40, 1600), (40, 60, 1588), (20, 74, 1590)),
                activity_per_mm=0.26,
                thickness_mm=9,
            ),
            Tube(  # mandible
                "face",
                ((54, 5, 1585), (50, 15, 1552), (32, 55, 1534), (0, 76, 1527)),
                activity_per_mm=0.46,
                thickness_mm=12,
            ),
            Ellipsoid("face", (20, 66, 1552), (24, 12, 14), activity=34),  # teeth
        )
    ),
)


@dataclass(frozen=True, slots=True)
class Vertebra:
    """Place (mm), size (mm) and activity of a vertebral body."""

    name: str
    z: float
    y: float
    half_width: float
    half_height: float
    activity: float


VERTEBRAE = (
    Vertebra("C1", 1546.0, -22.0, 11.0, 5.6, 15.0),
    Vertebra("C2", 1532.0, -25.7, 11.0, 5.6, 15.0),
    Vertebra("C3", 1518.0, -29.3, 11.0, 5.6, 15.0),
    Vertebra("C4", 1504.0, -33.0, 11.0, 5.6, 15.0),
    Vertebra("C5", 1490.0, -37.2, 11.0, 5.6, 15.0),
    Vertebra("C6", 1476.0, -41.7, 11.0, 5.6, 15.0),
    Vertebra("C7", 1462.0, -46.2, 11.0, 5.6, 15.0),
    Vertebra("T1", 1444.0, -52.0, 15.5, 9.4, 68.0),
    Vertebra("T2", 1419.3, -56.3, 15.9, 9.4, 71.4),
    Vertebra("T3", 1394.5, -60.7, 16.3, 9.4, 74.8),
    Vertebra("T4", 1369.8, -65.0, 16.7, 9.4, 78.2),
    Vertebra("T5", 1345.1, -69.4, 17.1, 9.4, 81.6),
    Vertebra("T6", 1320.4, -69.9, 17.5, 9.4, 85.0),
    Vertebra("T7", 1295.6, -64.6, 17.9, 9.4, 88.4),
    Vertebra("T8", 1270.9, -59.3, 18.3, 9.4, 91.8),
    Vertebra("T9", 1246.2, -54.0, 18.7, 9.4, 95.2),
    Vertebra("T10", 1221.5, -48.6, 19.1, 9.4, 98.6),
    Vertebra("T11", 1196.7, -43.3, 19.5, 9.4, 102.0),
    Vertebra("T12", 1172.0, -38.0, 19.9, 9.4, 105.4),
    Vertebra("L1", 1142.0, -32.8, 24.0, 12.5, 118.0),
    Vertebra("L2", 1107.5, -26.8, 24.0, 12.5, 118.0),
    Vertebra("L3", 1073.0, -23.5, 24.0, 12.5, 118.0),
    Vertebra("L4", 1038.5, -30.7, 24.0, 12.5, 118.0),
    Vertebra("L5", 1004.0, -38.0, 24.0, 12.5, 118.0),
)
VERTEBRA_HALF_DEPTH_MM = 14.0
SPINOUS_PROCESS_SHARE = 0.34  # of the body's activity
FACET_SHARE = 0.18  # of the body's activity, each side


@dataclass(frozen=True, slots=True)
class Rib:
    """Height at the spine, half width, depth and drop to the front (mm), and where its bone ends.

    end : radians around the chest from the spine; beyond is cartilage, which takes up no tracer.
    """

    name: str
    z: float
    half_width: float
    depth: float
    drop: float
    end: float


RIBS = (
    Rib("rib1", 1450.0, 62, 52, 26, 2.45),
    Rib("rib2", 1425.3, 84, 70, 44, 2.52),
    Rib("rib3", 1400.5, 101, 84, 58, 2.56),
    Rib("rib4", 1375.8, 113, 93, 70, 2.58),
    Rib("rib5", 1351.1, 122, 98, 80, 2.56),
    Rib("rib6", 1326.4, 129, 101, 88, 2.50),
    Rib("rib7", 1301.6, 133, 102, 93, 2.42),
    Rib("rib8", 1276.9, 135, 101, 95, 2.28),
    Rib("rib9", 1252.2, 134, 98, 92, 2.12),
    Rib("rib10", 1227.5, 128, 92, 84, 1.95),
    Rib("rib11", 1202.7, 116, 84, 62, 1.35),
    Rib("rib12", 1178.0, 92, 60, 36, 0.85),
)
RIB_ACTIVITY_PER_MM = 0.39
RIB_THICKNESS_MM = 10.0
RIB_START_ANGLE = 0.20  # radians: the costovertebral joint

STERNUM: tuple[Shape, ...] = (
    Tube("sternum", ((0, 84, 1428), (0, 90, 1392)), (1.9, 1.5), (36, 30)),  # manubrium
    Tube("sternum", ((0, 92, 1386), (0, 104, 1296)), (1.25, 0.95), (24, 26)),  # body
    Ellipsoid("sternum", (0, 91, 1389), (17, 5, 4), activity=26, points=240),  # angle
)

SACRUM: tuple[Shape, ...] = (
    Plate("sacrum", ((46, -66, 984), (-46, -66, 984), (0, -84, 868)), 150, 2600, thickness_mm=14),
    Tube("sacrum", ((0, -92, 975), (0, -102, 890)), 0.5, 10),  # median crest
)


def axial_skeleton() -> tuple[Shape, ...]:
    """Give the shapes of head, spine, ribs, sternum and sacrum."""
    spine = tuple(shape for row in VERTEBRAE for shape in _vertebra(row))
    ribs = left_and_right(_rib(row) for row in RIBS)
    return (*SKULL, *FACE, *spine, *ribs, *STERNUM, *SACRUM)


def _vertebra(row: Vertebra) -> tuple[Shape, ...]:
    name, y, z = row.name, row.y, row.z
    size = (row.half_width, VERTEBRA_HALF_DEPTH_MM, row.half_height)
    spinous, facet = SPINOUS_PROCESS_SHARE * row.activity, FACET_SHARE * row.activity
    return (
        VertebralBody(name, (0, y, z), size, row.activity),
        Ellipsoid(name, (0, y - 42, z - 6), (8, 13, 14), spinous, points=200),
        *symmetric(
            [Ellipsoid(name, (row.half_width + 2, y - 26, z), (11, 10, 13), facet, points=160)]
        ),
    )


def _rib(rib: Rib) -> Tube:
    """Bend a rib around the chest; it is brightest at its angle and its cartilage joint."""
    angle = np.linspace(RIB_START_ANGLE, rib.end, 26)  # radians from the spine
    x = rib.half_width * np.sin(angle) ** 0.9
    y = -14 - rib.depth * np.cos(angle) * np.where(angle < np.pi / 2, 0.95, 1.05)
    height = rib.z - rib.drop * ((angle - RIB_START_ANGLE) / 2.2) ** 1.25
    bend = 0.45 * np.exp(-(((angle - 0.35) / 0.18) ** 2))
    joint = 0.25 * np.exp(-(((angle - rib.end) / 0.12) ** 2))
    return Tube(
        rib.name,
        tuple(zip(x.tolist(), y.tolist(), height.tolist(), strict=True)),
        activity_per_mm=tuple((RIB_ACTIVITY_PER_MM * (1 + bend + joint)).tolist()),
        thickness_mm=RIB_THICKNESS_MM,
    )
