"""The three hospitals' scanners: matrix, counts, sharpness, and how their files are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from bs_client.phantom.laws import Uniform

SiteName = Literal["aachen", "aalborg", "namur"]
Vendor = Literal["siemens", "ge", "philips"]


@dataclass(frozen=True, slots=True)
class SiteStyle:
    """What differs between hospitals.

    letter : stands for the site in synthetic patient identifiers.
    rows, columns : stored matrix of one view; `spacing_mm` of its square pixels.
    counts : of the anterior view of a body without lesions.
    fwhm_mm : camera resolution for activity at the skin and 220 mm below it (full width at half
        maximum); low-energy high-resolution collimators at 10-20 cm give 7-14 mm.
    soft_tissue_share : part of the counts that comes from soft tissue, not bone.
    table_transmission : part of the posterior counts that passes the table.
    injection_share : part of the patients with visible tracer at the injection site.
    scan_velocity_mm_s : 8-15 cm a minute are customary; the GE value is that of the NEMA WG04
        whole-body sample.
    injected_mbq : within 300-740 MBq of the EANM practice guideline for bone scintigraphy (2016).
    """

    name: SiteName
    letter: str
    rows: int
    columns: int
    spacing_mm: float
    counts: Uniform
    fwhm_mm: tuple[float, float]
    soft_tissue_share: Uniform
    table_transmission: float
    injection_share: float
    vendor: Vendor
    manufacturer: str
    model: str
    scan_velocity_mm_s: float
    injected_mbq: float


# Matrices and spacings of A and B are those of real files of the two vendors; counts per view of
# real scans lie between 1.4 and 3.6 million. C is made the hardest: fewer counts, wider blur, more
# soft tissue and more injection spots, as the held-out hospital should differ.
STYLES: Mapping[SiteName, SiteStyle] = MappingProxyType(
    {
        "aachen": SiteStyle(
            name="aachen",
            letter="A",
            rows=1024,
            columns=256,
            spacing_mm=2.3976,
            counts=Uniform(1.3e6, 2.2e6),
            fwhm_mm=(9.0, 14.0),
            soft_tissue_share=Uniform(0.40, 0.52),
            table_transmission=0.93,
            injection_share=0.22,
            vendor="siemens",
            manufacturer="SIEMENS NM",
            model="Encore2",
            scan_velocity_mm_s=2.0,
            injected_mbq=600,
        ),
        "aalborg": SiteStyle(
            name="aalborg",
            letter="B",
            rows=1024,
            columns=256,
            spacing_mm=2.26,
            counts=Uniform(2.4e6, 3.8e6),
            fwhm_mm=(8.2, 12.5),
            soft_tissue_share=Uniform(0.36, 0.48),
            table_transmission=0.90,
            injection_share=0.22,
            vendor="ge",
            manufacturer="GE MEDICAL SYSTEMS",
            model="INFINIA",
            scan_velocity_mm_s=1.671598,
            injected_mbq=700,
        ),
        "namur": SiteStyle(
            name="namur",
            letter="C",
            rows=1024,
            columns=512,
            spacing_mm=1.95,
            counts=Uniform(0.9e6, 1.6e6),
            fwhm_mm=(10.5, 16.5),
            soft_tissue_share=Uniform(0.44, 0.58),
            table_transmission=0.95,
            injection_share=0.40,
            vendor="philips",
            manufacturer="Philips Medical Systems",
            model="BrightView",
            scan_velocity_mm_s=2.5,
            injected_mbq=550,
        ),
    }
)
