"""Synthetic whole-body bone scans as DICOM, for tests and demonstrations without patients.

Read in this order: `shapes`, `skeleton_axial`, `skeleton_limbs` (the body as tables), `cloud` (the
tables as points), `patient`, `findings` (what differs between patients), `window`, `soft_tissue`,
`camera`, `acquisition` (what the scanner sees), `site_style` (the scanners), `study` (all of it),
`vendor_layout`, `nm_object` (as DICOM), `cohort` (as a folder), `sheet` (as a picture).
"""

from bs_client.phantom.cohort import CohortCounts, write_cohort
from bs_client.phantom.findings import Finding, FindingKind, Preset
from bs_client.phantom.sheet import contact_sheet
from bs_client.phantom.site_style import STYLES, SiteName, SiteStyle
from bs_client.phantom.study import PhantomStudy, draw_study

__all__ = [
    "STYLES",
    "CohortCounts",
    "Finding",
    "FindingKind",
    "PhantomStudy",
    "Preset",
    "SiteName",
    "SiteStyle",
    "contact_sheet",
    "draw_study",
    "write_cohort",
]
