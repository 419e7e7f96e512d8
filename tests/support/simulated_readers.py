"""Readers with seeded behaviour: what each says of a case, knowing more or less of the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SKILLS = (1.2, 1.6, 1.9, 1.4, 2.3, 1.7)  # distance of the classes in the reader's mind


@dataclass(frozen=True)
class Said:
    score: int
    call: bool
    comment: str


def say(reader: str, code: str, label: bool) -> Said:
    """Give one reader's opinion; the same words give the same opinion."""
    number = int(reader[1:])
    # Cases are easy or hard for everybody; each reader adds an opinion of their own.
    shared = np.random.default_rng([7, int(code[1:])]).normal()
    own = np.random.default_rng([number, int(code[1:])]).normal()
    skill = SKILLS[(number - 1) % len(SKILLS)]
    evidence = skill * (1 if label else -1) / 2 + 0.7 * shared + 0.7 * own
    score = round(100 / (1 + np.exp(-1.7 * evidence)))
    return Said(score=score, call=score >= 50, comment=_comment(code))


def _comment(code: str) -> str:
    number = int(code[1:])
    if number % 5 == 0:
        return '=HYPERLINK("https://example.org","rib 7")'
    if number % 7 == 0:
        return "<script>alert(1)</script> +1 @x -2"
    return ""
