"""The site's own policy against what a study asks: allowed, or refused by a code."""

from __future__ import annotations

from dataclasses import dataclass

from bs_client.config import Policy
from bs_common.contract import MessageType, reply_shapes, request_shapes, requests_of
from bs_common.messages import Request
from bs_common.settings import Role, StudySettings

POLICY_MESSAGE = "policy_message"
POLICY_SCOPE = "policy_scope"
POLICY_ROUNDS = "policy_rounds"
POLICY_LOCAL = "policy_local"
POLICY_MODELS = "policy_models"


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing that a study asks and the site's policy does not allow."""

    code: str
    says: str


def smallest_count(policy: Policy, settings: StudySettings) -> int:
    """Give the smallest count that leaves: the study can raise the site's limit, not lower it."""
    return max(policy.min_cell, settings.min_cell)


def external_requests(policy: Policy, settings: StudySettings) -> int:
    """Give how many different external requests are let in.

    A study that compares models puts all of them into one: the table of calls of a second request
    would be exact, and could be subtracted from that of the first.
    """
    return 1 if settings.compare_local else policy.external_models


def find_refusal(policy: Policy, request: Request, settings: StudySettings) -> str | None:
    """Give the code with which the policy refuses a request, or None if it allows it.

    The goodbye is always allowed: it carries nothing, and without it a site would wait for ever.
    """
    kind = request.message_type
    if kind not in policy.messages and kind is not MessageType.FINISH:
        return POLICY_MESSAGE
    weights_travel = request_shapes(kind, settings) or reply_shapes(kind, settings)
    if weights_travel and settings.trainable not in policy.scopes:
        return POLICY_SCOPE
    # A model of this site alone has all rounds behind it.
    rounds = settings.rounds if kind is MessageType.LOCAL else request.round_number
    if rounds > policy.max_rounds:
        return POLICY_ROUNDS
    if kind is MessageType.LOCAL and not policy.release_local:
        return POLICY_LOCAL
    if kind is MessageType.EXTERNAL and request.models > policy.external_models:
        return POLICY_MODELS
    return None


def find_objections(policy: Policy, settings: StudySettings, role: Role) -> list[Objection]:
    """Name everything in a study's terms that the policy does not allow.

    A model of this site alone, or a reader study untold, is no objection: a study goes on without.
    """
    needed = [
        kind
        for kind in MessageType
        if kind in requests_of(role, settings) - {MessageType.LOCAL, MessageType.READERS}
        and (kind is not MessageType.INITIAL or reply_shapes(kind, settings))
    ]
    missing = [
        kind.value
        for kind in needed
        if find_refusal(policy, Request(kind, 0), settings) == POLICY_MESSAGE
    ]
    found = []
    if missing:
        says = f"the study asks for {', '.join(missing)}; messages does not list it"
        found.append(Objection(POLICY_MESSAGE, says))
    if settings.trainable not in policy.scopes:
        says = f"the study trains '{settings.trainable}'; scopes has {', '.join(policy.scopes)}"
        found.append(Objection(POLICY_SCOPE, says))
    if settings.rounds > policy.max_rounds:
        says = f"the study has {settings.rounds} rounds; max_rounds is {policy.max_rounds}"
        found.append(Objection(POLICY_ROUNDS, says))
    return found
