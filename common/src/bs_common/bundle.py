"""A released model as one signed file, made the same way to the byte each time.

The file is a zip archive without compression of exactly three members in this order: the manifest,
its signature, the weights. Nothing of it is believed before the signature and every digest fit,
and nothing in it is ever executed or unpacked to disk.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bs_common.architecture import NamedArrays, array_shapes
from bs_common.errors import TrustError
from bs_common.released_model import Manifest, ReleasedModel
from bs_common.signing import SIGNATURE_BYTES, sign, verify
from bs_common.weights import digest

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
WEIGHTS = "weights.safetensors"
# member: most bytes; the largest scope has 59.9 MB of weights.
MEMBERS: Mapping[str, int] = {
    MANIFEST: 2**20,
    SIGNATURE: SIGNATURE_BYTES,
    WEIGHTS: 64 * 2**20,
}
_MAX_BYTES = sum(MEMBERS.values()) + 2**12
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip archive can state
_UNIX = 3

_FETCH_AGAIN = "Do not use this model. Fetch it again from the coordinator."


@dataclass(frozen=True, slots=True, eq=False)
class ModelBundle:
    """A model whose signature and digests were found to fit.

    arrays : the weights that travelled, in the contract's order.
    manifest_sha256 : names this release; it stands in every result made with it.
    """

    model: ReleasedModel
    arrays: NamedArrays
    manifest_sha256: str


def pack_bundle(model: ReleasedModel, arrays: NamedArrays, key: Ed25519PrivateKey) -> bytes:
    """Give the bytes of the signed file; the same model and key give the same bytes.

    Raises TrustError if the arrays are not those that the model describes.
    """
    _check_arrays(arrays, model)
    weights = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    manifest = Manifest(members={WEIGHTS: _sha256(weights)}, model=model).to_bytes()
    return _archive({MANIFEST: manifest, SIGNATURE: sign(manifest, key), WEIGHTS: weights})


def read_bundle(path: Path, key: Ed25519PublicKey) -> ModelBundle:
    """Read a released model that the owner of `key` signed.

    Raises
    ------
    TrustError
        The file is absent, too large or not such an archive; a member's name, order, size or
        form is another; any byte was changed; another key signed it; the weights do not fit.
    """
    content = _read(path)
    members = _members(content)
    verify(members[MANIFEST], members[SIGNATURE], key)
    manifest = _manifest(members[MANIFEST])
    if dict(manifest.members) != {WEIGHTS: _sha256(members[WEIGHTS])}:
        raise TrustError("the weights are not those that were signed", remedy=_FETCH_AGAIN)
    # What no digest covers (times, modes, comments, bytes between members) has one allowed form.
    if _archive(members) != content:
        raise TrustError("the archive around the members was changed", remedy=_FETCH_AGAIN)
    arrays = _arrays(members[WEIGHTS], manifest.model)
    return ModelBundle(manifest.model, arrays, _sha256(members[MANIFEST]))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise TrustError(f"{path.name}: larger than any model, {_MAX_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise TrustError(
            f"{path.name}: cannot be read ({type(error).__name__})",
            remedy=f"Check that {path} exists and is readable for this user.",
        ) from error


def _members(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            # The names are compared as a whole: an absolute path, a step upwards, a second
            # member of one name or one more of any name ends here.
            if [info.orig_filename for info in infos] != list(MEMBERS):
                raise TrustError(
                    f"{len(infos)} members, expected exactly {', '.join(MEMBERS)}",
                    remedy=_FETCH_AGAIN,
                )
            for info in infos:
                _check_member(info)
            return {info.filename: archive.read(info) for info in infos}
    # NotImplementedError (a RuntimeError): an unknown kind of compression or version.
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError) as error:
        raise TrustError(
            f"not a readable model file ({type(error).__name__})", remedy=_FETCH_AGAIN
        ) from error


def _check_member(info: zipfile.ZipInfo) -> None:
    stored = info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
    if not stored or info.file_size > MEMBERS[info.filename]:
        raise TrustError(
            f"{info.filename}: {info.file_size} bytes, expected at most "
            f"{MEMBERS[info.filename]}, not compressed",
            remedy=_FETCH_AGAIN,
        )


def _manifest(content: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise TrustError(
            f"{MANIFEST}: {error.error_count()} entries are not as expected in format 1",
            remedy="Use the release of the software that this model was made with.",
        ) from error


def _arrays(content: bytes, model: ReleasedModel) -> NamedArrays:
    try:
        found = load(content)
    except SafetensorError as error:
        raise TrustError(f"{WEIGHTS}: not readable ({error})", remedy=_FETCH_AGAIN) from error
    names = array_shapes(model.settings.trainable)
    if set(found) != set(names):
        raise TrustError(f"{WEIGHTS}: {len(found)} arrays, expected {len(names)}")
    arrays = {name: found[name] for name in names}
    _check_arrays(arrays, model)
    return arrays


def _check_arrays(arrays: NamedArrays, model: ReleasedModel) -> None:
    shapes = array_shapes(model.settings.trainable)
    fits = {name: array.shape for name, array in arrays.items()} == shapes and all(
        array.dtype == np.float32 and np.isfinite(array).all() for array in arrays.values()
    )
    if not fits or digest(arrays) != model.weights_sha256:
        raise TrustError(f"the arrays are not the {len(shapes)} that the model describes")


def _archive(members: Mapping[str, bytes]) -> bytes:
    """Write the members in the one allowed form."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name in MEMBERS:
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = _UNIX  # else it is this machine's
            info.external_attr = 0o100644 << 16  # a plain file
            archive.writestr(info, members[name])
    return content.getvalue()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
