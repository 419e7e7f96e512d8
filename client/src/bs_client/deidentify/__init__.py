"""De-identified copies of bone scans that ingest reads as it reads the originals.

Read in this order: `pseudonyms`, `private_folder` (what stays at the site), `view_codes`, `profile`
(one object), `plan` (which files), `labels` (their table), `folder` (all of it).
"""

from bs_client.deidentify.folder import Deidentified, deidentify_folder, meaning

__all__ = ["Deidentified", "deidentify_folder", "meaning"]
