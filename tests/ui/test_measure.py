from __future__ import annotations

from pathlib import Path

from advlab.runs import jobs
from advlab.runs.config import DataConfig, RunConfig
from advlab.ui.compare.measure import Choice
from advlab.ui.models import fitting_pair


def run(name: str, method: str, data: str = "reviews") -> str:
    config = RunConfig(name, data=DataConfig(data), method={"name": method})
    return jobs.open_here(config).id


def test_plain_training_on_the_same_data_comes_first() -> None:
    plain, other = run("plain", "plain"), run("other", "plain", "messages")
    fgm = run("fgm", "fgm")
    assert fitting_pair([fgm, other, plain]) == [plain, fgm]
    assert fitting_pair([plain, other, fgm]) == [plain, fgm]
    assert fitting_pair([other, fgm, plain]) == [plain, fgm]  # nothing else has the data of `other`
    assert fitting_pair([other]) == [other]
    pgd = run("pgd", "pgd")
    assert fitting_pair([pgd, fgm]) == [pgd, fgm]
    assert fitting_pair(["local:a", "local:b", "local:c"]) == ["local:a", "local:b"]


def test_the_same_texts_are_drawn_each_time_and_all_have_labels() -> None:
    choice = Choice(("m",), {"m": "m"}, DataConfig("reviews"), 25, 0)
    data, first = choice.texts()
    assert first == choice.texts()[1]
    assert len(first) == 25
    assert {e.id for e in first} <= {e.id for e in data.test}
    assert all(e.answers for e in first)
    assert choice.key != Choice(("m",), {"m": "m"}, DataConfig("reviews"), 26, 0).key


def test_it_is_told_which_texts_are_used_and_what_each_run_knows_of_them(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(100)))
    seeds = [RunConfig(f"seed {seed}", data=DataConfig(str(path), seed=seed)) for seed in (0, 1)]
    first, other = (jobs.open_here(config).id for config in seeds)
    titles = {first: "first", other: "other"}
    told = Choice((first, other), titles, seeds[0].data, 400, 0).told()
    assert told[0] == (
        "Texts: the held-out 18 % of own.csv, 18 of 100 texts; first was trained on the rest."
    )
    assert told[1] == "None of these texts stands in the training texts of first."
    assert "of these 18 texts stand in the training texts of other." in told[2]


ALARMS = """
from advlab.records.measured import Alarm
from advlab.ui.compare.measure import tell

few = "with 40 texts an interval is wide"
tell([
    Alarm("too few texts", "plain", few, "Use more texts."),
    Alarm("no gradient", "plain", "9 of 40 texts", "Attack the margin."),
    Alarm("too few texts", "fgm", few, "Use more texts."),
    Alarm("no gradient", "fgm", "11 of 40 texts", "Attack the margin."),
])
"""


def test_an_alarm_of_several_models_is_told_once_with_their_names() -> None:
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_string(ALARMS).run()
    assert [w.value.replace("\\", "") for w in app.warning] == [
        "**too few texts (plain, fgm)**: with 40 texts an interval is wide. Use more texts.",
        "**no gradient**: plain: 9 of 40 texts; fgm: 11 of 40 texts. Attack the margin.",
    ]
