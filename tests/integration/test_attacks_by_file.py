"""Attacks in files that travel between the parties or lie on their disks: each is refused."""

from __future__ import annotations

import datetime
import io
import json
import threading
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bs_client.config import DataSettings, Policy, SiteFolder
from bs_client.federation.session import take_part
from bs_common.audit import AuditLog, Passage, read_log
from bs_common.bundle import MEMBERS, pack_bundle, read_bundle
from bs_common.errors import BoneScanError, ConfigError, TrustError
from bs_common.joining import Invitation, certificate_sha256, make_enrolment, write_document
from bs_common.keys import public_pem, read_private_key
from bs_common.terms import terms_of
from bs_server.trust.authority import make_authority
from bs_server.trust.register import enrol
from bs_server.trust.signed_register import read_register
from support.attacked import ROLES, SETTINGS, attacked
from support.fake_site import TIME, FakeWork
from support.released import drawn_head, make_model
from support.study_maker import HOST, MadeStudy, approve, join_study, make_study

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SECRET = "root:x:0:0"


@pytest.fixture
def study(tmp_path: Path) -> MadeStudy:
    return make_study(tmp_path, SETTINGS, ROLES)


@pytest.fixture(scope="module")
def bundle() -> bytes:
    arrays = drawn_head()
    return pack_bundle(make_model(arrays), arrays, KEY)


def join(folder: Path, invitation: Path, study: MadeStudy) -> Path:
    data = study.sites["aachen"].read().data
    given = DataSettings(scans=data.scans, labels=data.labels)
    return join_study(SiteFolder(folder), invitation, data=given, policy=Policy()).enrolment


# --- invitations


@pytest.mark.parametrize("name", ["../../etc/cron.d/site", "/etc/site", "a/b", "..", "", "a\0b"])
def test_an_invitation_whose_site_is_a_path(study: MadeStudy, tmp_path: Path, name: str) -> None:
    content = json.loads((study.folder.invitations / "aachen.invite").read_text())
    path = tmp_path / "changed.invite"
    path.write_text(json.dumps(content | {"site": name}))

    with pytest.raises(ConfigError, match="site"):
        join(tmp_path / "new" / "site", path, study)
    assert not (tmp_path / "new").exists()


def test_an_invitation_that_is_a_link_to_another_file(study: MadeStudy, tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text(SECRET)
    link = tmp_path / "linked.invite"
    link.symlink_to(tmp_path / "passwd")

    with pytest.raises(ConfigError) as refused:
        join(tmp_path / "new", link, study)
    assert SECRET not in f"{refused.value} {refused.value.remedy}"


def test_a_link_in_the_site_s_folder_is_replaced_not_written_to(
    study: MadeStudy, tmp_path: Path
) -> None:
    invitation = study.folder.invitations / "aachen.invite"
    outside, folder = tmp_path / "outside", SiteFolder(tmp_path / "new")
    outside.write_bytes(invitation.read_bytes() + b"\n")  # as joining would not write it
    folder.path.mkdir(mode=0o700)
    folder.invitation.symlink_to(outside)

    join(folder.path, invitation, study)

    assert outside.read_bytes() == invitation.read_bytes() + b"\n"
    assert not folder.invitation.is_symlink()


def test_a_link_in_the_site_s_folder_to_another_file(study: MadeStudy, tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", SiteFolder(tmp_path / "new")
    outside.write_text(SECRET)
    folder.path.mkdir(mode=0o700)
    folder.invitation.symlink_to(outside)

    with pytest.raises(ConfigError) as refused:
        join(folder.path, study.folder.invitations / "aachen.invite", study)
    assert SECRET not in f"{refused.value} {refused.value.remedy}"
    assert outside.read_text() == SECRET


def test_an_invitation_of_a_gibibyte(study: MadeStudy, tmp_path: Path) -> None:
    path = tmp_path / "large.invite"
    with path.open("wb") as file:
        file.truncate(2**30)

    with pytest.raises(ConfigError, match="larger than"):
        join(tmp_path / "new", path, study)


def test_an_invitation_with_other_settings_enrols_nobody(study: MadeStudy, tmp_path: Path) -> None:
    content = json.loads((study.folder.invitations / "aachen.invite").read_text())
    content["settings"]["rounds"] = 300
    path = tmp_path / "changed.invite"
    path.write_text(json.dumps(content))

    with pytest.raises(TrustError, match="agreed to other settings"):
        enrol(study.folder, join(tmp_path / "new", path, study))


def test_an_invitation_with_another_authority_leads_nowhere(
    study: MadeStudy, tmp_path: Path
) -> None:
    """Whoever changes the pinned authority must also be the coordinator that is dialled."""
    now = datetime.datetime.now(datetime.UTC)
    other = make_authority(tmp_path / "other", study="attacked", names=[HOST], now=now)
    with attacked(tmp_path / "running") as under:
        folder = under.study.sites["aachen"]
        pem = other.ca_certificate.read_text()
        approve(
            folder,
            address=f"{HOST}:{under.link.port}",
            ca_certificate=pem,
            ca_sha256=certificate_sha256(pem),
        )

        with pytest.raises(TrustError, match="not accepted"):
            take_part(folder, FakeWork("aachen", SETTINGS), threading.Event())


# --- enrolment files


def changed_enrolment(study: MadeStudy, name: str, **changes: str) -> Path:
    path = study.sites[name].path / f"{name}.enrol"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def signed_enrolment(path: Path, invitation: Invitation, key: ec.EllipticCurvePrivateKey) -> Path:
    """Answer an invitation as joining does, with any key."""
    terms = terms_of(invitation).digest()
    write_document(path, make_enrolment(invitation, key, terms_sha256=terms, approved=TIME))
    return path


@pytest.mark.parametrize(
    "changes", [{"public_key": public_pem(new_key().public_key())}, {"site": "namur"}]
)
def test_an_enrolment_that_was_changed_on_its_way(
    study: MadeStudy, changes: dict[str, str]
) -> None:
    with pytest.raises(TrustError, match="was changed after it was written"):
        enrol(study.folder, changed_enrolment(study, "aachen", **changes))


def test_an_enrolment_with_somebody_else_s_key(study: MadeStudy, tmp_path: Path) -> None:
    invitation = study.sites["aachen"].read_invitation()

    with pytest.raises(TrustError, match="another key already"):
        enrol(study.folder, signed_enrolment(tmp_path / "x.enrol", invitation, new_key()))


def test_an_enrolment_that_takes_another_site_s_name(study: MadeStudy, tmp_path: Path) -> None:
    invitation = study.sites["namur"].read_invitation()
    key = read_private_key(study.sites["aachen"].key)

    with pytest.raises(TrustError, match="another key already"):
        enrol(study.folder, signed_enrolment(tmp_path / "x.enrol", invitation, key))


def test_an_enrolment_of_a_site_that_nobody_invited(study: MadeStudy, tmp_path: Path) -> None:
    invitation = study.sites["aachen"].read_invitation().model_copy(update={"site": "eve"})

    with pytest.raises(TrustError, match="was not invited"):
        enrol(study.folder, signed_enrolment(tmp_path / "x.enrol", invitation, new_key()))


@pytest.mark.parametrize("name", ["../namur", "/etc/passwd", "namur\n"])
def test_an_enrolment_whose_site_is_a_path(study: MadeStudy, name: str) -> None:
    with pytest.raises(ConfigError, match="site"):
        enrol(study.folder, changed_enrolment(study, "aachen", site=name))


def test_an_enrolment_that_chooses_its_role(study: MadeStudy) -> None:
    with pytest.raises(ConfigError, match="role"):
        enrol(study.folder, changed_enrolment(study, "namur", role="train"))


# --- the register of sites


def test_a_register_with_a_changed_byte_anywhere(study: MadeStudy) -> None:
    content = study.folder.register.read_bytes()
    before = read_register(study.folder)

    for at in range(0, len(content), 7):
        changed = bytearray(content)
        changed[at] ^= 1
        study.folder.register.write_bytes(bytes(changed))
        try:
            found = read_register(study.folder)
        except BoneScanError:
            continue
        assert found == before  # white space between entries says nothing


# --- released models


def test_a_bundle_with_a_changed_byte_anywhere(bundle: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.bsm"

    for at in (*range(0, 3000, 13), *range(3000, len(bundle), 40_009), len(bundle) - 1):
        changed = bytearray(bundle)
        changed[at] ^= 1
        path.write_bytes(bytes(changed))
        with pytest.raises(TrustError):
            read_bundle(path, KEY.public_key())


@pytest.mark.parametrize(
    "name", ["../manifest.json", "/etc/cron.d/job", "manifest.json/../x", "more.py"]
)
def test_a_bundle_with_a_member_outside(bundle: bytes, tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.bsm"
    path.write_bytes(rezipped(bundle, extra=(zipfile.ZipInfo(name), b"x")))

    with pytest.raises(TrustError, match="members"):
        read_bundle(path, KEY.public_key())
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_bundle_whose_member_is_a_link(bundle: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.bsm"
    path.write_bytes(rezipped(bundle, mode=0o120777))

    with pytest.raises(TrustError, match="archive"):
        read_bundle(path, KEY.public_key())


def test_a_bundle_that_unpacks_to_a_gibibyte(tmp_path: Path) -> None:
    path = tmp_path / "model.bsm"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in MEMBERS:
            archive.writestr(name, bytes(2**26))

    with pytest.raises(TrustError, match="not compressed"):
        read_bundle(path, KEY.public_key())


def rezipped(
    bundle: bytes, *, extra: tuple[zipfile.ZipInfo, bytes] | None = None, mode: int = 0o100644
) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as given, zipfile.ZipFile(content, "w") as made:
        for info in given.infolist():
            info.external_attr = mode << 16
            made.writestr(info, given.read(info.filename))
        if extra is not None:
            made.writestr(*extra)
    return content.getvalue()


# --- keys and audit logs on a disk


def test_a_site_whose_key_others_could_read_does_not_start(study: MadeStudy) -> None:
    folder = study.sites["aachen"]
    folder.key.chmod(0o644)

    with pytest.raises(TrustError, match="other users can read") as refused:
        take_part(folder, FakeWork("aachen", SETTINGS), threading.Event())
    assert "chmod 600" in refused.value.remedy


def test_a_site_with_a_tampered_log_does_not_start(study: MadeStudy) -> None:
    folder = study.sites["aachen"]
    log = AuditLog(folder.audit, lambda: TIME)
    for number in range(3):
        log.record(Passage("out", "train", number, ("arrays.w",), 10, "0" * 64, "passed"))
    folder.audit.write_text(
        folder.audit.read_text().replace('"size_bytes":10', '"size_bytes":9', 1)
    )

    with pytest.raises(TrustError, match="chain breaks before line 2") as refused:
        take_part(folder, FakeWork("aachen", SETTINGS), threading.Event())
    assert "evidence" in refused.value.remedy
    with pytest.raises(TrustError, match="line 2"):
        read_log(folder.audit)
