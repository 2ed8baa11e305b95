from __future__ import annotations

from advlab.runs import jobs
from advlab.runs.config import DataConfig, RunConfig
from advlab.ui.compare.measure import Choice, _pair


def run(name: str, method: str, data: str = "reviews") -> str:
    config = RunConfig(name, data=DataConfig(data), method={"name": method})
    return jobs.open_here(config).id


def test_plain_training_on_the_same_data_comes_first() -> None:
    plain, other = run("plain", "plain"), run("other", "plain", "messages")
    fgm = run("fgm", "fgm")
    assert _pair([fgm, other, plain]) == [plain, fgm]
    assert _pair([plain, other, fgm]) == [plain, fgm]
    assert _pair([other, fgm, plain]) == [other]  # nothing else was trained on its data
    pgd = run("pgd", "pgd")
    assert _pair([pgd, fgm]) == [pgd, fgm]
    assert _pair(["local:a", "local:b", "local:c"]) == ["local:a", "local:b"]


def test_the_same_texts_are_drawn_each_time_and_all_have_labels() -> None:
    choice = Choice(("m",), {"m": "m"}, DataConfig("reviews"), 25, 0)
    data, first = choice.texts()
    assert first == choice.texts()[1]
    assert len(first) == 25
    assert {e.id for e in first} <= {e.id for e in data.test}
    assert all(e.answers for e in first)
    assert choice.key != Choice(("m",), {"m": "m"}, DataConfig("reviews"), 26, 0).key
