"""What Scripts/demo does once it runs inside the environment."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from _data import fetch_brain, fetch_colin27, fetch_mrhead
from _demo_all import COHORT, INDEX, WITH_IDENTITY, add_all
from _demo_arguments import Wanted
from _demo_lesions import add_lesions
from _demo_objects import ALL, add_objects

from slicermedai.cli.commands import obey, understand
from slicermedai.dicom.inputs import open_source
from slicermedai.domain.volume import Volume
from slicermedai.errors import MedAIError
from slicermedai.jobs.folder import JobFolder, sweep
from slicermedai.jobs.interrupts import EXIT_CANCELLED, interruptible
from Testing.fixtures.identity import Identity, identity_tokens
from Testing.fixtures.leaks import leaks
from Testing.fixtures.phantoms import head_phantom
from Testing.fixtures.series_spec import SeriesSpec
from Testing.fixtures.series_writer import write_series


def run_privately(wanted: Wanted) -> int:
    """:func:`run_demo` with a temporary folder that is gone at any end; where this is killed, at the next start."""
    out = wanted.out
    before = out.exists()
    try:
        with interruptible():
            sweep()
            with JobFolder.create("demo") as folder:
                return run_demo(wanted, folder.inputs)
    except KeyboardInterrupt:
        left = f"the result was done, and lies in {out}" if out.exists() and not before else "nothing was left behind"
        _say(f"Scripts/demo: cancelled, {left}")
        return EXIT_CANCELLED
    except MedAIError as error:
        _say(str(error))
        return 1


def run_demo(wanted: Wanted, scratch: Path) -> int:
    """Prepare the study in ``scratch``, run the job into ``out``, look for leaks; the exit code.

    An interrupt raises KeyboardInterrupt; the job is stopped by then.
    """
    out, source = wanted.out, wanted.source
    try:
        if fetch_brain() is None:
            return 1
        tokens, remark = list[str](), ""
        if source is None:
            source, tokens, remark = _sample_study(scratch)
        job = ["run", str(source), "--bundle", "brain", "--output", str(out)]
        route = ["--identity", "deidentify", "--preset", "research"]
        formats = ["--formats", ",".join(ALL)] if wanted.source is None else []
        code = obey(understand([*job, *route, *formats, "--remark", remark, "--series", wanted.series]))
        if code == 0 and wanted.source is None:
            _say("A detector on a generated thorax: synthetic-trained, not for patients.")
            code = add_lesions(out, scratch)
        if code == 0:
            _say(add_objects(out))
        if code == 0 and wanted.everything:
            _say("A small cohort and a surgical plan, on generated data.")
            tokens += add_all(out, scratch)
    except MedAIError as error:
        print(error, file=sys.stderr)
        return 1
    if code == 0:
        code = _check_leaks(out, tokens)
    if code == 0:
        print(f"Report: {out / (INDEX if wanted.everything else 'report.html')}")
    return code


def _sample_study(scratch: Path) -> tuple[Path, list[str], str]:
    volume, name = _sample_head()
    _say(f"Image: {name}, written as a DICOM series with an invented identity.")
    spec = SeriesSpec(identity=Identity())
    write_series(volume, scratch / "study", spec=spec)
    remark = f"This is a demonstration: {name}. The identity that was removed was invented"
    return scratch / "study", identity_tokens(spec.identity), remark


def _sample_head() -> tuple[Volume, str]:
    """The best head there is here: Colin27, else Slicer's MRHead, else a generated phantom, which says what it is."""
    folder = fetch_colin27()
    if folder is not None:
        return _as_mr(folder / "ch2.nii.gz"), "a real whole-head T1 (Colin27, Debian mricron-data)"
    folder = fetch_mrhead()
    if folder is not None:
        return _as_mr(folder / "MRHead.nrrd"), "a real whole-head T1 (Slicer's sample MRHead)"
    volume, _ = head_phantom()
    return volume, "A GENERATED HEAD PHANTOM, since no real head could be fetched: its result says nothing about brains"


def _as_mr(path: Path) -> Volume:
    return replace(open_source(path).volume, modality="MR", name="T1")


def _check_leaks(out: Path, tokens: list[str]) -> int:
    """Look for the invented identity in all bytes that were written, also in zips; not in a cohort's queue."""
    known = {out / COHORT / name for name in WITH_IDENTITY}
    files = [path for path in sorted(out.rglob("*")) if path.is_file() and not {path, *path.parents} & known]
    found = leaks(files, tokens)
    for place in found:
        print(f"LEAK: a part of the invented identity is in {place.partition(':')[0]}", file=sys.stderr)
    if tokens and not found:
        _say(f"Checked {len(files)} files for {len(tokens)} parts of the invented identity: none found.")
    return 1 if found else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
