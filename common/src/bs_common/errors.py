"""Every error this product raises on purpose, each with a remedy for the person who reads it.

The tree, one class per thing a caller can do something about::

    BoneScanError
    ├── ConfigError          a file or option written by a person is wrong
    ├── DataError            labels, scans or their combination cannot be used
    │   └── ScanRefused      one study cannot be used; it is counted and the work goes on
    ├── ContractError        a message is not what both sides agreed on
    │   ├── EgressRefused    a site stopped something on its way out
    │   └── ReplyRefused     the coordinator did not accept a site's reply
    ├── TrustError           a key, certificate, signature or digest does not fit
    ├── StudyStopped         the study cannot go on (quorum, deadline, changed terms)
    ├── FolderInUse          another process works in this folder
    ├── StorageFailed        a file could not be written (no space, quota, rights); an OSError too
    └── ConnectionLost       the other party cannot be reached now
"""

from __future__ import annotations


class BoneScanError(Exception):
    """Root of all intended errors.

    Parameters
    ----------
    message : what was expected, what was received and where, without any patient identifier.
    remedy : what the reader can do next; empty only where nothing can be done.
    """

    code = "error"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class ConfigError(BoneScanError):
    """A file or option written by a person is wrong."""

    code = "config"


class DataError(BoneScanError):
    """Labels, scans or their combination cannot be used."""

    code = "data"


class ScanRefused(DataError):
    """One study cannot be used.

    Parameters
    ----------
    refusal : the `E_...` code of the ingest rule that decided.
    """

    def __init__(self, refusal: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.refusal = refusal


class ContractError(BoneScanError):
    """A message is not what both sides agreed on.

    Parameters
    ----------
    reason : short code of the rule that was broken, for logs, replies and reports.
    """

    code = "contract"

    def __init__(self, reason: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


class EgressRefused(ContractError):
    """A site stopped something on its way out."""

    code = "egress_refused"


class ReplyRefused(ContractError):
    """The coordinator did not accept a site's reply."""

    code = "reply_refused"


class TrustError(BoneScanError):
    """A key, certificate, signature or digest does not fit."""

    code = "trust"


class StudyStopped(BoneScanError):
    """The study cannot go on (quorum, deadline, changed terms)."""

    code = "study_stopped"


class FolderInUse(BoneScanError):
    """Another process works in this folder."""

    code = "folder_in_use"


class StorageFailed(BoneScanError, OSError):
    """A file could not be written (no space, quota, rights); the one before it is as it was.

    Parameters
    ----------
    number : the system's number of the error, `errno.ENOSPC` and the like.
    """

    code = "storage"

    def __init__(self, message: str, *, remedy: str = "", number: int | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.errno = number


class ConnectionLost(BoneScanError):
    """The other party cannot be reached now."""

    code = "connection_lost"
