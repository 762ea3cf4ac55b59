"""The table of kinds of job: a new kind is a spec, an executor and one line, and all else follows."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from slicermedai.audit.log import log_path
from slicermedai.cli.commands import parser
from slicermedai.cli.execute import execute
from slicermedai.cli.options import job_from
from slicermedai.domain.observer import Progress
from slicermedai.domain.storage import atomic_folder
from slicermedai.errors import ProtocolError
from slicermedai.jobs.files import make_job, read_job, write_job
from slicermedai.jobs.kinds import KINDS, STAGES, Kind, stages_of
from slicermedai.jobs.specs import Job, RunJob


@dataclass(frozen=True, slots=True, kw_only=True)
class CountJob(Job):
    """Count to a number."""

    kind: ClassVar[str] = "count"

    source: str = field(metadata={"help": "what is counted"})
    number: int = field(default=3, metadata={"help": "how far"})


def count(job: CountJob, *, job_id: str, progress: Progress) -> Path:
    with atomic_folder(Path(job.output)) as partial:
        for step in range(job.number):
            progress("count", step / job.number)
        (partial / "count.txt").write_text(f"{job.source} {job.number}")
    return Path(job.output)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = Kind(spec=CountJob, executor=f"{__name__}:count", stages=lambda job: {"count": 1.0}, help="count")
    monkeypatch.setitem(sys.modules, __name__, inspect.getmodule(count))
    monkeypatch.setitem(KINDS, "count", kind)


@pytest.mark.usefixtures("counting")
def test_a_kind_in_the_table_is_a_command_a_file_and_a_job_that_is_done_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "home"))
    output = str(tmp_path / "out")
    job = job_from(CountJob, parser().parse_args(["count", "sheep", "--number", "7", "--output", output]))
    assert job == CountJob(source="sheep", number=7, output=output)
    assert read_job(write_job(job, tmp_path / "job.json", job_id="j")) == ("j", job)
    assert stages_of(job) == {"count": 1.0}
    assert execute(job, job_id="j") == Path(output)
    assert (tmp_path / "out" / "count.txt").read_text() == "sheep 7"
    told = log_path().read_text()
    assert '"count started"' in told
    assert '"count finished"' in told


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_an_executor_that_takes_a_job_and_says_what_it_is(name: str) -> None:
    kind = KINDS[name]
    assert kind.spec.kind == name
    assert kind.spec.__doc__
    assert all(spec.metadata["help"] for spec in dataclasses.fields(kind.spec))
    assert list(inspect.signature(kind.load()).parameters) == ["job", "job_id", "progress"]
    job = kind.spec(source="a", output="b")
    assert stages_of(job)
    assert set(stages_of(job)) <= set(STAGES)


def test_the_table_loads_no_executor() -> None:
    code = "import sys, slicermedai.jobs.kinds; print([n for n in sys.modules if n.startswith('slicermedai.cli')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", KINDS)
def test_every_field_of_every_kind_goes_through_the_file_to_the_worker(name: str, tmp_path: Path) -> None:
    job = KINDS[name].spec(source="a", output="b")
    assert read_job(write_job(job, tmp_path / "job.json", job_id="j")) == ("j", job)


def test_a_whole_number_is_a_decimal_one_and_no_text_is() -> None:
    assert make_job(RunJob, {"source": "a", "contour_level": 1}).contour_level == 1.0
    with pytest.raises(ProtocolError, match="contour_level"):
        make_job(RunJob, {"source": "a", "contour_level": "0.6"})
    with pytest.raises(ProtocolError, match="seed"):
        make_job(RunJob, {"source": "a", "seed": 0.5})
