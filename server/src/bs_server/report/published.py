"""What the paper printed for its own external test, for a column beside a study's own figures.

The paper's Table 1 adds up; these rates do not quite: no whole number of its 411 scans gives
17.79 %, and none of its 587 gives 80.45 % or 19.55 %. Nearest are 73 (17.76 %), 472 (80.41 %) and
115 (19.59 %).
"""

from __future__ import annotations

from collections.abc import Mapping

# Rows of the rates table -> as printed. The paper gives no interval and no threshold.
PUBLISHED: Mapping[str, str] = {
    "auc": "0.897",
    "tpr": "82.2\N{NO-BREAK SPACE}%",
    "fnr": "17.79\N{NO-BREAK SPACE}%",
    "tnr": "80.45\N{NO-BREAK SPACE}%",
    "fpr": "19.55\N{NO-BREAK SPACE}%",
}
