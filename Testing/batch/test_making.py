"""The making of a cohort is cut off at any moment, and settings are given that it does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slicermedai.batch import cohort as lib
from slicermedai.batch import making, planning
from slicermedai.batch.cohort import Cohort, Standing, State
from slicermedai.batch.making import add, make
from slicermedai.batch.planning import plan
from slicermedai.batch.rules import load_rules
from slicermedai.batch.settings import Settings
from slicermedai.batch.work import Worker
from slicermedai.cli.commands import understand
from slicermedai.console import cohorts
from slicermedai.domain import settings
from slicermedai.errors import InputError, MedAIError, OutputError, UnknownBundleError
from Testing.batch.conftest import drive
from Testing.batch.studies import write_study

WRITE = lib.write_text
MOST = 40


Act = Callable[[], object]
Cuts = Callable[[], Iterator[Callable[[Act], bool]]]


class Cut(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.fixture
def each_write(monkeypatch: pytest.MonkeyPatch) -> Cuts:
    """For each file that an action writes: does it, cut off before that file; False where it came to its end."""

    def points() -> Iterator[Callable[[Act], bool]]:
        for number in range(MOST):

            def cut(act: Act, number: int = number) -> bool:
                left = [number]

                def write(path: Path, text: str) -> Path:
                    left[0] -= 1
                    if left[0] < 0:
                        raise Cut
                    return WRITE(path, text)

                with monkeypatch.context() as patched:
                    for module in (lib, making, planning):
                        patched.setattr(module, "write_text", write)
                    try:
                        act()
                    except Cut:
                        return True
                return False

            yield cut

    return points


def test_a_cohort_whose_making_was_cut_off_is_never_run_as_if_it_were_whole(
    tmp_path: Path, three_studies: Path, rules: Path, tiny: Path, each_write: Cuts
) -> None:
    settings = Settings(bundle=str(tiny), device="cpu")
    preview = plan(three_studies, load_rules(rules), settings)
    cuts = 0
    for number, cut in enumerate(each_write()):
        folder = tmp_path / f"c{number}"
        was_cut = cut(lambda folder=folder: make(folder, preview, settings, rules_text=rules.read_text()))
        if not was_cut:
            break
        cuts += 1
        if (folder / "cohort.json").is_file():
            refuses_to_go_on(folder)
            add(Cohort(folder), preview, rules_text="x")
        else:
            make(folder, preview, settings, rules_text="x")
        whole(Cohort(folder), {"waiting": 3})
    assert cuts > 8
    whole(Cohort(folder), {"waiting": 3})


def refuses_to_go_on(folder: Path) -> None:
    acts: list[Callable[[Path], object]] = [
        lambda place: Worker(Cohort(place)),
        cohorts.run,
        cohorts.to_rows,
        cohorts.write_tables,
    ]
    for act in acts:
        with pytest.raises(OutputError, match="was cut off"):
            act(folder)


def whole(cohort: Cohort, counts: dict[str, int]) -> None:
    assert cohort.counts() == counts
    assert (cohort.folder / "preview.csv").is_file()
    assert (cohort.folder / "rules.toml").is_file()
    assert len(cohorts.to_rows(cohort.folder)) == sum(counts.values())


def test_a_study_that_grew_is_superseded_last(tmp_path: Path, rules: Path, tiny: Path, each_write: Cuts) -> None:
    """However its adding ends, one case of the study is not superseded."""
    files = write_study(tmp_path / "in", patient="ZZ-1", study="one")
    settings = Settings(bundle=str(tiny), device="cpu")
    first = plan(tmp_path / "in", load_rules(rules), settings)
    files["wanted"][-1].unlink()
    second = plan(tmp_path / "in", load_rules(rules), settings)
    cuts = 0
    for number, cut in enumerate(each_write()):
        made = make(tmp_path / f"c{number}", first, settings, rules_text="x")
        was_cut = cut(lambda made=made: add(made, second))
        states = [made.standing(name).state for name in Cohort(made.folder).names()]
        assert State.WAITING in states
        add(made, second)
        whole(made, {"waiting": 1, "superseded": 1})
        if not was_cut:
            break
        cuts += 1
    assert cuts >= 4


def test_a_plan_whose_model_is_not_there_leaves_the_cohort_as_it_was(
    tmp_path: Path, three_studies: Path, rules: Path, cohort: Cohort
) -> None:
    found = plan(three_studies, load_rules(rules), cohort.settings)
    another = replace(found, planned=tuple(replace(one, bundle="nobody") for one in found.planned))
    with pytest.raises(UnknownBundleError):
        add(cohort, another)
    whole(cohort, {"waiting": 3})


def test_a_cohort_keeps_its_settings_and_an_option_that_says_otherwise_is_refused_by_name(
    tmp_path: Path, three_studies: Path, rules: Path, cohort: Cohort
) -> None:
    key = tmp_path / "project.key"
    kept = (cohort.folder / "cohort.json").read_text()
    same = ("--bundle", cohort.settings.bundle, "--device", "cpu")
    command(three_studies, rules, cohort, *same)
    for other, name in [
        (("--identity", "deidentify", "--project-key", key), "identity, project_key"),
        (("--seed", 7, "--exclude", rules), "exclude, seed"),
        (("--report",), "report"),
        (("--formats", "seg"), "formats"),
    ]:
        with pytest.raises(InputError, match="has other settings") as refused:
            command(three_studies, rules, cohort, *same, *other)
        assert refused.value.attribute == name
    assert (cohort.folder / "cohort.json").read_text() == kept


def test_a_new_cohort_and_a_preview_have_a_runs_model_unless_one_is_named(
    tmp_path: Path, three_studies: Path, rules: Path
) -> None:
    """The model is not there: that it is asked for tells."""
    with pytest.raises(UnknownBundleError, match="brain"):
        command(three_studies, rules, tmp_path / "c")
    assert understand(["batch", "preview", str(three_studies), "--rules", str(rules)])() == 0


def test_a_cohort_made_in_the_console_has_the_device_that_is_set_and_keeps_it_when_another_is_set(
    tmp_path: Path, three_studies: Path, rules: Path, tiny: Path
) -> None:
    for device in ("cpu", "cuda:1"):
        settings.change("device", device)
        made = cohorts.make(tmp_path / "c", three_studies, rules, bundle=str(tiny))
        assert Cohort(made.folder).settings.device == "cpu"


def test_a_list_of_who_opted_out_is_given_to_a_cohort_later_and_another_one_is_refused(
    tmp_path: Path, three_studies: Path, rules: Path, cohort: Cohort
) -> None:
    """A worker that runs meanwhile knows it before its next case."""
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("ZZ-1\n")
    two.write_text("ZZ-2\n")
    with Worker(Cohort(cohort.folder)) as worker:
        command(three_studies, rules, cohort, "--exclude", one)
        assert Cohort(cohort.folder).counts() == {"waiting": 2, "excluded": 1}
        one.write_text("ZZ-0\nZZ-1\nZZ-2\n")
        drive(worker)
        assert worker.error is None
    assert Cohort(cohort.folder).counts() == {"excluded": 3}
    with pytest.raises(InputError, match="has other settings") as refused:
        command(three_studies, rules, cohort, "--exclude", two)
    assert refused.value.attribute == "exclude"
    assert "the list that the cohort has" in str(refused.value.advice)
    command(three_studies, rules, cohort)
    assert Cohort(cohort.folder).settings.exclude == str(one)


def test_a_cohort_whose_studies_are_gone_takes_a_first_list_too(
    tmp_path: Path, cohort: Cohort, capsys: pytest.CaptureFixture[str]
) -> None:
    people, another = tmp_path / "opted-out.txt", tmp_path / "another.txt"
    people.write_text("ZZ-1\n")
    another.write_text("ZZ-2\n")
    assert understand(["batch", "exclude", str(cohort.folder), str(people)])() == 0
    assert capsys.readouterr().out == "1 waiting cases are excluded\n"
    assert Cohort(cohort.folder).counts() == {"waiting": 2, "excluded": 1}
    assert Cohort(cohort.folder).settings.exclude == str(people)
    people.write_text("ZZ-1\nZZ-2\n")
    assert cohorts.exclude(cohort.folder, people) == ["0003"]
    with pytest.raises(InputError, match="has other settings"):
        cohorts.exclude(cohort.folder, another)
    assert Cohort(cohort.folder).counts() == {"waiting": 1, "excluded": 2}


class Overtaken(Cohort):
    """Another process supersedes its first case just before anything is made of that one."""

    def settle(self, name: str, standing: Standing) -> Standing:
        if name == "0001":
            Cohort(self.folder).write(name, Standing(state=State.SUPERSEDED))
        return super().settle(name, standing)


def test_a_case_that_another_process_settles_meanwhile_is_not_told_as_excluded(tmp_path: Path, cohort: Cohort) -> None:
    people = tmp_path / "opted-out.txt"
    people.write_text("ZZ-0\nZZ-1\nZZ-2\n")
    assert making.exclude(Overtaken(cohort.folder), people) == ["0002", "0003"]
    assert Cohort(cohort.folder).counts() == {"superseded": 1, "excluded": 2}


def test_a_list_that_cannot_be_read_is_not_kept(
    tmp_path: Path, three_studies: Path, rules: Path, cohort: Cohort
) -> None:
    with pytest.raises(MedAIError, match="cannot be read"):
        command(three_studies, rules, cohort, "--exclude", tmp_path / "nowhere.txt")
    assert Cohort(cohort.folder).settings.exclude == ""


def command(source: Path, rules: Path, cohort: Cohort | Path, *options: object) -> None:
    place = cohort.folder if isinstance(cohort, Cohort) else cohort
    words = ["batch", "make", source, "--rules", rules, "--output", place, *options]
    assert understand(list(map(str, words)))() == 0
