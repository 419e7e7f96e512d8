"""A study whose sites are function calls in this process: no socket, no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from bs_client.config import Policy
from bs_common.keys import public_pem
from bs_common.settings import Role, StudySettings
from bs_server.config import Deadlines, Quorum, ServerSettings, StudyFile, StudyFolder
from bs_server.federation.attendance import Told
from bs_server.federation.exchange import silent
from bs_server.results.summary import Summary
from bs_server.study import Study, run_study
from bs_server.trust.signed_register import Register, RegisteredSite
from support.fake_site import TIME, FakeLink, FakeWork, fake_app

SETTINGS = StudySettings(name="test", seed=3, backbone="random:1", trainable="head", rounds=2)
ROLES: dict[str, Role] = {"aachen": "train", "aalborg": "train", "bonn": "train"}
JUDGE: dict[str, Role] = {"namur": "evaluate"}
_KEY = public_pem(ec.generate_private_key(ec.SECP256R1()).public_key())


@dataclass
class FakeStudy:
    """A folder, three train sites and one that judges; run it as often as you like."""

    path: Path
    study: Study
    link: FakeLink
    works: dict[str, FakeWork]

    def run(self, told: Told = silent, **options: Any) -> Summary:
        return run_study(self.study, self.link, told, clock=lambda: TIME, **options)

    def with_file(self, **changes: object) -> FakeStudy:
        """Give the same study with other words in its study file."""
        file = self.study.file.model_copy(update=changes)
        return dataclasses.replace(self, study=dataclasses.replace(self.study, file=file))

    def sent(self, site: str) -> list[str]:
        """Message types sent to a site, in order."""
        return [kind for name, kind in self.link.sent if name == site]


def make_fake_study(
    path: Path,
    *,
    settings: StudySettings = SETTINGS,
    quorum: Quorum | None = None,
    seconds: float = 0.3,
    policies: Mapping[str, Policy] | None = None,
) -> FakeStudy:
    """Make it in `path`; every deadline is `seconds`, and a site's policy may be its own."""
    path.mkdir(exist_ok=True)
    roles = ROLES | JUDGE
    names = ("sites_s", "describe_s", "answer_s", "external_s", "local_s", "paused_s")
    file = StudyFile(
        study=settings,
        server=ServerSettings(address="localhost:1"),
        deadlines=Deadlines(**dict.fromkeys(names, seconds)),
        quorum=quorum or Quorum(),
    )
    sites = {name: RegisteredSite(role=role, public_key=_KEY) for name, role in roles.items()}
    study = Study(StudyFolder(path), file, Register(sites=sites))
    works = {
        name: FakeWork(name, settings, positives=10 * (k + 1), step=0.25 * (k + 1))
        for k, name in enumerate(roles)
    }
    own = policies or {}
    for name, policy in own.items():
        works[name].external_models = policy.external_models
    apps = {n: fake_app(works[n], role, path, policy=own.get(n)) for n, role in roles.items()}
    link = FakeLink(apps)
    return FakeStudy(path, study, link, works)


COMPARING = SETTINGS.model_copy(update={"compare_local": True, "threshold_rule": "youden"})
# Every train site lets its own model out, and the judging site judges them all.
OPEN = {
    **dict.fromkeys(ROLES, Policy(min_cell=1, release_local=True)),
    **dict.fromkeys(JUDGE, Policy(min_cell=1, external_models=4)),
}


def make_comparing_study(path: Path, **policies: Policy) -> FakeStudy:
    """Make one that compares with models of single sites, some sites with a policy of their own."""
    return make_fake_study(path, settings=COMPARING, policies=OPEN | policies)
