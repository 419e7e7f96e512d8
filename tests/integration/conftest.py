from __future__ import annotations

import pytest

from support.finished_readers import read_to_the_end
from support.real_study import (
    HeadStudy,
    ask_readers,
    make_cohorts,
    make_head_study,
    run_real_study,
)
from support.study_maker import free_port
from support.tls_proxy import TlsProxy


@pytest.fixture(scope="session")
def head_study(tmp_path_factory: pytest.TempPathFactory) -> HeadStudy:
    """Give a finished study of three real sites whose every byte was read on the way.

    Physicians have read scans of one of them after its end, and the coordinator has asked for that.
    """
    root = tmp_path_factory.mktemp("head-study")
    data = make_cohorts(root / "data")
    port = free_port()
    study = make_head_study(root / "study", data, dialled_port=port)
    with TlsProxy(study, port) as proxy:
        run_real_study(study, seconds=300)
        read_to_the_end(study.sites["namur"], root / "readers")
        ask_readers(study, "namur", seconds=120)
    return HeadStudy(study, data, proxy.exchanged(), proxy.upward(), root / "readers")
