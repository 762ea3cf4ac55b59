"""Detectors held against references: each scan's lesions, and the candidates that the model names.

References may be all that :mod:`.references` reads. Boxes and balls of markups are lesions as they are drawn; of masks
(label maps, segmentations, contours) each connected part is one, a ball of its volume around its centre. What a label
table calls "excluded", or what is called so itself, need be neither found nor left out. What it calls "no lesion", as
an organ, is passed over, and a candidate in it is judged as elsewhere. A name that no label matches
is refused: a lesion that was left out would make a false alarm of what finds it. The word "none" in place of a
reference says that a scan has no lesion.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from slicermedai.bundles.manifest import Manifest
from slicermedai.confidence.appearance import appearance
from slicermedai.confidence.calibrate import sketch_of_candidates
from slicermedai.confidence.sketch import CaseSketch, MarginSketch
from slicermedai.domain.finding import Box
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.observer import Progress
from slicermedai.errors import GeometryError, InputError
from slicermedai.inference.task import Prediction
from slicermedai.validate import markups
from slicermedai.validate.cases import EXCLUDED, NO_LESION, ListedCase, Match, match_labels
from slicermedai.validate.froc import Candidate, Lesion, Outcome, Scan, outcomes
from slicermedai.validate.references import drawn_beyond, is_markup, names_in, read_reference
from slicermedai.validate.running import DoneCase, ModelRun, groups_of

NONE = "none"
_NOT_COUNTED, _NO_LESION = 0, -1
"""The values that excluded lesions, and what is none, have among the matches; labels begin at 1."""
_TOUCHING = ndimage.generate_binary_structure(3, 3)


def run_scans(
    cases: Sequence[ListedCase], *, manifest: Manifest, labels: Path | None, run: ModelRun, progress: Progress
) -> tuple[tuple[DoneCase, ...], tuple[Match, ...]]:
    """Run a detector on each case; errors of reading and of the model stop all: no case is left out in silence.

    Names that no label matches are refused before the first case is run; errors as :func:`lesions_in`.
    """
    called = {case.reference: _names_in(case.reference) for case in cases}
    names = _without_numbers([name for own in called.values() for name in own])
    matches = match_labels(labels, manifest.ref.labels, names, further={EXCLUDED: _NOT_COUNTED, NO_LESION: _NO_LESION})
    for path, own in called.items():
        _values_of(own, matches, path)
    done = []
    for number, case in enumerate(cases):
        progress("detect", number / len(cases))
        done.append(_done(case, manifest, matches, run))
    progress("detect", 1.0)
    return tuple(done), matches


def lesion_names(path: Path) -> tuple[str, ...]:
    """What the lesions of a reference are called, without running numbers; errors as :func:`.references.names_in`."""
    return _without_numbers(_names_in(path))


def lesions_in(path: Path, matches: Sequence[Match], grid: Geometry) -> dict[int, tuple[Lesion, ...]]:
    """Label value -> the lesions of a reference, those that are excluded among those of every value.

    ``grid`` is that of the image: contours are drawn on it.

    Raises
    ------
    InputError, FormatError, GeometryError
        As :func:`.references.read_reference`; a lesion's centre lies beyond the image; no label matches its name.
    """
    values = {match.value for match in matches} - {_NOT_COUNTED, _NO_LESION}
    passed = {match.reference for match in matches if match.value == _NO_LESION}
    found = {} if has_none(path) else _by_name(path, grid, passed)
    by_value: dict[int, list[Lesion]] = {value: [] for value in (*values, _NOT_COUNTED)}
    for name, value in _values_of(found, matches, path).items():
        by_value[value] += found[name]
    excluded = [replace(one, excluded=True) for one in by_value[_NOT_COUNTED]]
    return {value: (*by_value[value], *excluded) for value in sorted(values)}


def cut_in(path: Path, matches: Sequence[Match], grid: Geometry) -> int:
    """How many voxels of lesions' contours lie beyond the image, so that the lesions count as smaller."""
    passed = {match.reference for match in matches if match.value == _NO_LESION}
    found = {} if has_none(path) else drawn_beyond(path, grid)
    return sum(count for name, count in found.items() if not _is_among(name, passed))


def cut_words(cases: Sequence[DoneCase]) -> str:
    """What people must know where contours of lesions are cut off; "" where none is."""
    cut = [case.cut for case in cases if case.cut]
    if not cut:
        return ""
    return (
        f"Contours of lesions reach beyond the image in {len(cut)} of {len(cases)} scans ({sum(cut)} voxels in all):"
        " what lies there is cut off, and the lesion counts as smaller."
    )


def has_none(path: Path) -> bool:
    """True for the word that stands for a scan without lesions, where there is no such file."""
    return path.name.casefold() == NONE and not path.exists()


def components(mask: NDArray[np.bool_], grid: Geometry) -> tuple[Lesion, ...]:
    """Each connected part of ``mask`` (slices, rows, columns) as a lesion: voxels that share a corner are connected."""
    parts, count = ndimage.label(mask, structure=_TOUCHING)
    numbers = np.arange(1, count + 1)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    centres = np.asarray(ndimage.center_of_mass(mask, parts, numbers)).reshape(-1, 3)
    return tuple(
        _ball(grid.to_lps(centre), size * grid.voxel_volume) for centre, size in zip(centres, sizes, strict=True)
    )


def candidates_of(found: Prediction) -> dict[int, tuple[Candidate, ...]]:
    """Label value -> the boxes that were found of it, by their middles (LPS mm) and scores."""
    made: dict[int, list[Candidate]] = {value: [] for value, _ in found.labels}
    for one in found.regions:
        if isinstance(one.region, Box) and one.raw_score is not None:
            left, posterior, superior = (float(part) for part in one.region.frame[0])
            made[one.value].append(Candidate(position=(left, posterior, superior), score=one.raw_score))
    return {value: tuple(candidates) for value, candidates in made.items()}


def sketch_of(scan: Scan) -> MarginSketch:
    """A scan's candidates for calibration: hits and false alarms, and no others, by the rules of LUNA16."""
    judged = [
        (np.float32(one.score), outcome is Outcome.HIT)
        for one, outcome in zip(scan.candidates, outcomes(scan), strict=True)
        if outcome in (Outcome.HIT, Outcome.FALSE_ALARM)
    ]
    scores = np.array([score for score, _ in judged], dtype=np.float32)
    return sketch_of_candidates(scores, np.array([hit for _, hit in judged], dtype=bool))


def _names_in(path: Path) -> tuple[str, ...]:
    return () if has_none(path) else names_in(path)


def _without_numbers(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(markups.without_number(name) for name in names))


def _values_of(names: Iterable[str], matches: Sequence[Match], path: Path) -> dict[str, int]:
    """What each name that a reference has is matched to, with its running number or without."""
    known = {match.reference: match.value for match in matches}
    found = {name: known.get(name, known.get(markups.without_number(name))) for name in names}
    for name, value in found.items():
        if value is None:
            raise InputError(
                f"no label of the model matches the lesions that are called {name!r}",
                file=path,
                attribute="reference",
                advice=f"Map the name in the label table, to a label, to {EXCLUDED!r} or to {NO_LESION!r}.",
            )
    return {name: value for name, value in found.items() if value is not None}


def _by_name(path: Path, grid: Geometry, passed: Collection[str]) -> dict[str, tuple[Lesion, ...]]:
    """The lesions of a reference by the names that it has for them, but for those that are ``passed`` over."""
    rough = [shape for shape in markups.read(path) if markups.is_rough(shape)] if is_markup(path) else []
    names = [name for name in dict.fromkeys(shape.name for shape in rough) if not _is_among(name, passed)]
    found = {name: markups.lesions(tuple(shape for shape in rough if shape.name == name)) for name in names}
    for name, mask, own in _drawn(path, grid):
        if _is_among(name, passed):
            continue
        found[name] = (*found.get(name, ()), *components(mask, own))
    for lesions in found.values():
        _refuse_beyond(lesions, grid, path)
    return found


def _is_among(name: str, names: Collection[str]) -> bool:
    """With its running number or without."""
    return name in names or markups.without_number(name) in names


def _drawn(path: Path, grid: Geometry) -> list[tuple[str, NDArray[np.bool_], Geometry]]:
    """What is outlined in a reference: names, masks and their grids."""
    if is_markup(path):
        curves = tuple(shape for shape in markups.read(path) if not markups.is_rough(shape))
        return [(name, mask, grid) for name, mask in markups.masks(curves, grid).items()]
    structures = read_reference(path, grid)
    return [(name, mask, structures.geometry) for name, mask in structures.masks.items()]


def _ball(centre: NDArray[np.float64], volume: float) -> Lesion:
    left, posterior, superior = (float(part) for part in centre)
    return Lesion(position=(left, posterior, superior), diameter=float((6 * volume / np.pi) ** (1 / 3)))


def _refuse_beyond(lesions: Sequence[Lesion], grid: Geometry, path: Path) -> None:
    if not lesions:
        return
    index = np.asarray(grid.to_index(np.array([one.position for one in lesions])))
    if not ((index > -0.5) & (index < np.array(grid.shape) - 0.5)).all():
        raise GeometryError(
            "the centre of a lesion lies beyond the image",
            file=path,
            attribute="reference",
            advice="Give the image that the reference was made on.",
        )


def _done(case: ListedCase, manifest: Manifest, matches: Sequence[Match], run: ModelRun) -> DoneCase:
    from slicermedai.dicom.inputs import open_source

    source = open_source(case.image)
    lesions = lesions_in(case.reference, matches, source.volume.geometry)
    candidates = candidates_of(run(source.volume, subject=case.subject))
    groups = groups_of(case, source)

    def scan(value: int) -> Scan:
        named: dict[str, Any] = {"subject": case.subject, "case": case.case, "groups": groups}
        return Scan(lesions=lesions[value], candidates=candidates.get(value, ()), **named)

    scans = {value: scan(value) for value in lesions}
    sketches = {value: sketch_of(one) for value, one in scans.items()}
    return DoneCase(
        subject=case.subject,
        scores={},
        sketch=CaseSketch(subject=case.subject, sketches=sketches, groups=tuple(groups.items())),
        blind={},
        looks=appearance(source.volume),
        groups=groups,
        scans=scans,
        cut=cut_in(case.reference, matches, source.volume.geometry),
    )
