"""Whether a site's own files are the owner's alone, before a study is run with them."""

from __future__ import annotations

import os
import stat

from bs_client.config import SiteFolder
from bs_client.federation.join import read_approved
from bs_common.errors import TrustError
from bs_common.keys import read_private_key


def check_own_files(folder: SiteFolder) -> None:
    """Raise unless the key is 0600, no other user can change anything here, and terms are approved.

    Raises TrustError for keys, modes and changed terms, ConfigError where nobody has joined.
    """
    folder.read()
    read_private_key(folder.key)
    others_write = stat.S_IWGRP | stat.S_IWOTH
    for path in (folder.path, folder.site_file, folder.invitation, folder.approval, folder.audit):
        if not path.exists():
            continue
        status = path.stat()
        if status.st_mode & others_write:
            raise TrustError(f"{path}: other users can change it.", remedy=f"chmod go-w {path}")
        if status.st_uid not in (os.getuid(), 0):
            raise TrustError(
                f"{path}: belongs to another user.", remedy=f"chown {os.getuid()} {path}"
            )
    read_approved(folder)
