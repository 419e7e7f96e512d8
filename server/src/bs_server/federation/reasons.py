"""What the coordinator can do about the code with which a site refused a request."""

from __future__ import annotations

from collections.abc import Collection

LOOK_THERE = "Look into these sites' logs, mend the cause, then run again."

_APPROVE = (
    "The site approved other settings or another contract than it was asked under: take the change "
    "back, or invite it again (bs-server invite), let it join again and enrol its answer."
)
_POLICY = (
    "The site's own policy does not allow this request: ask the site, whose [policy] in site.toml "
    "only it can change, or change the study and invite again."
)
_REMEDIES = {
    "settings_changed": _APPROVE,
    "contract_version": _APPROVE,
    "policy_message": _POLICY,
    "policy_scope": _POLICY,
    "policy_rounds": _POLICY,
    "policy_local": _POLICY,
    "policy_models": "An evaluate site's policy lets fewer sets of weights be judged than it said "
    "before: ask the site to put external_models in site.toml back.",
    "not_agreed": _APPROVE,
    "too_many_messages": "The site was asked too often, or again with other weights. Do not start "
    "a study over in an empty folder; a second model is judged where the site's policy allows it.",
    "too_large": "The site takes no message of this size: check that this is the release it has.",
    "readers_not_finished": "The site's readers have not all finished, or their answers are not "
    "analysed yet: ask again when the site says so (there: bs-client reader-study analyse).",
    "external_first": "The site has not made the external evaluation: bs-server run comes first.",
    "small_cell": "The site has fewer scans of a class than it may show (min_cell). It needs more "
    "patients in that split.",
}


def remedy_for(reasons: Collection[str], *, otherwise: str) -> str:
    """Give what to do about the sites' reasons; `otherwise` where none of them is known here."""
    known = [_REMEDIES[reason] for reason in sorted(set(reasons)) if reason in _REMEDIES]
    return " ".join(dict.fromkeys(known)) or otherwise
