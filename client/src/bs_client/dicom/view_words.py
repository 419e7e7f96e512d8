"""Tell a view from words: local codes, meanings and free text in several languages.

Only whole words count. In free text the short forms AP, PA, AN, PO and the like are words of many
other meanings, and POST is often "post injection", so these need their neighbours' consent.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


class View(StrEnum):
    """The two views of a whole-body bone scan."""

    ANTERIOR = "anterior"
    POSTERIOR = "posterior"

    @property
    def opposite(self) -> View:
        """Give the other view."""
        return View.POSTERIOR if self is View.ANTERIOR else View.ANTERIOR


def _word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# English, French, Italian, German, Danish, Swedish, Dutch and Chinese words, without accents.
ANTERIOR_WORDS = _word_set(
    "ANT ANTERIOR ANTERIORE ANTERIEUR ANTERIEURE VORNE VORN VENTRAL VENTRALE FORFRA FRAMIFRAN "
    "VOORZIJDE 前位 前面 正面"
)
POSTERIOR_WORDS = _word_set(
    "POSTERIOR POSTERIORE POSTERIEUR POSTERIEURE HINTEN DORSAL DORSALE BAGFRA BAKIFRAN "
    "ACHTERZIJDE 后位 後位 后面 後面 背面"
)
SHORT_ANTERIOR = _word_set("AN AP AVANT")
SHORT_POSTERIOR = _word_set("PO PA POS POST DOS RETRO ARRIERE")
# Words that say nothing about the view, so that a short form beside them does.
NEUTRAL_WORDS = _word_set(
    "WB WHOLE BODY WHOLEBODY BONE SCAN VIEW IMAGE STATIC EMISSION PROJECTION FACE VUE GK "
    "GANZKORPER GANZKOERPER KNOCHEN CORPS ENTIER TOTAL DET DETECTOR H1 H2 1 2 E F"
)
# An oblique or lateral view, or a part of the spine, whatever else is said.
OTHER_VIEW_WORDS = _word_set(
    "LAO RAO LPO RPO LAT LATERAL LATERALE OBL OBLIQUE SCHRAG SCHRAEG LL RL "
    "SPINE COLUMNA COLONNA RACHIS VERTEBRAL WIRBELSAULE WIRBELSAEULE BWS"
)
TIME_WORD = re.compile(r"\d*(H|HR|HRS|HOUR|HOURS|MIN|STD|D|DAY|DAYS|T|TAGE)")


def view_of_code(stated: str) -> View | None:
    """Tell the view from a coded field (code value, meaning, View Position), None if unclear."""
    words = _words(stated)
    anterior = any(word in ANTERIOR_WORDS | SHORT_ANTERIOR for word in words)
    posterior = any(word in POSTERIOR_WORDS | SHORT_POSTERIOR for word in words)
    return _decide(words, anterior=anterior, posterior=posterior)


def view_of_free_text(stated: str) -> View | None:
    """Tell the view from text that a person typed, None if unclear."""
    words = _words(stated)
    telling = [word for word in words if word not in NEUTRAL_WORDS]
    if len(telling) == 1:
        return view_of_code(telling[0])
    anterior = any(word in ANTERIOR_WORDS for word in words)
    posterior = any(
        word in POSTERIOR_WORDS or (word == "POST" and (anterior or _is_direction(words, place)))
        for place, word in enumerate(words)
    )
    return _decide(words, anterior=anterior, posterior=posterior)


def _words(stated: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", stated[:1024])
    plain = "".join(sign for sign in decomposed if not unicodedata.combining(sign)).upper()
    return [word for word in re.split(r"[\W_]+", plain) if word]


def _is_direction(words: list[str], place: int) -> bool:
    # "3H POST", "POST INJECTION" and "POST OP" speak of time, "WB POST" of the view.
    after_time = place > 0 and TIME_WORD.fullmatch(words[place - 1]) is not None
    last = place == len(words) - 1
    return not after_time and (last or words[place + 1] in NEUTRAL_WORDS)


def _decide(words: list[str], *, anterior: bool, posterior: bool) -> View | None:
    if anterior == posterior or OTHER_VIEW_WORDS.intersection(words):
        return None
    return View.ANTERIOR if anterior else View.POSTERIOR
