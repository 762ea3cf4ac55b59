"""The models of this installation from the console: take in, check, pin, agree, go back, remove; each change is logged.

>>> from slicermedai.console import models
>>> ref = models.take_in("Downloads/spleen_ct.zip")
>>> models.check(ref.title).runs
>>> for model in models.catalogue(): print(model.title, model.calibration)

What stands here is what ``slicermedai bundle`` and the module MedAI Models do. Nothing asks the network but
``take_in(..., online=True)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.observer import Progress, silent
from slicermedai.errors import BundleError, MedAIError

if TYPE_CHECKING:
    from slicermedai.bundles.store import Change, Title
    from slicermedai.confidence.record import TrustRecord
    from slicermedai.inference.check import Checked

NOT_CALIBRATED = "not calibrated"
GENERATED = "calibrated on generated data: never applies to a real image"
UNREADABLE = "its trust record cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """One installed version, as it is told to people.

    ``in_use`` is True where the name alone stands for this version, ``own`` where this installation may change it (a
    model of a shared folder is not), ``size`` is in bytes, ``calibration`` says in words whether a trust record applies
    and ``record`` what is in it, a line each; ``labels`` are "name = scheme code meaning".
    """

    title: str
    name: str
    version: str
    task: str
    modality: tuple[str, ...]
    folder: str
    size: int
    in_use: bool
    own: bool
    licence: str
    intended_use: str
    runs_code: bool
    consent: str
    demonstration: bool
    weights_sha256: str
    calibration: str
    labels: tuple[str, ...] = ()
    record: tuple[str, ...] = ()


def catalogue() -> list[ModelFacts]:
    """All installed models that can be read, by name and version; nothing is hashed (see :func:`verify`)."""
    from slicermedai.bundles.registry import list_bundles

    return [_facts(ref) for ref in list_bundles()]


def take_in(source: str | Path, *, online: bool = False, progress: Progress = silent, **answers: Any) -> BundleRef:
    """Install a folder, a zip, a file with a ``card``, or with ``online`` a name in MONAI's Model Zoo.

    ``answers`` are the fields of :class:`slicermedai.bundles.draft.Answers`: what the source does not say itself.

    Raises
    ------
    BundleError, UnknownBundleError, CodeError
        As :func:`slicermedai.bundles.importing.import_bundle` and ``import_from_zoo``; nothing is installed.
    """
    from slicermedai.bundles.draft import Answers
    from slicermedai.bundles.importing import import_bundle, import_from_zoo

    said = Answers(**answers)
    if online:
        ref = import_from_zoo(str(source), said, progress=progress)
    else:
        ref = import_bundle(source, said, progress=progress)
    _log("model imported", ref.title)
    return ref


def check(name: str, *, consent: str = "") -> Checked:
    """Run a model on its own sample, else on generated images of its modality, on the CPU; what stops it is told."""
    from slicermedai.bundles.registry import resolve
    from slicermedai.inference.check import check_bundle

    return check_bundle(resolve(name, consent=consent))


def verify(names: Iterable[str] = ()) -> dict[str, str]:
    """Model -> what is wrong with its files, "" where all are as they came; all installed ones without ``names``.

    Raises
    ------
    BundleError
        The record of changes was changed.
    """
    from slicermedai.bundles.registry import list_bundles, resolve
    from slicermedai.bundles.store import changes

    found: dict[str, str] = {}
    for name in list(names) or [ref.path for ref in list_bundles()]:
        try:
            found[resolve(name).title] = ""
        except MedAIError as error:
            found[Path(name).name] = str(error)
    changes()
    return found


def pin(title: str) -> Change:
    """From now on the name alone stands for this version (``name@version``)."""
    from slicermedai.bundles import store

    change = store.pin(_title(title))
    _log("model pinned", title)
    return change


def roll_back(name: str) -> Change:
    """Go back to the version that ``name`` stood for before; raises UnknownBundleError where there is none."""
    from slicermedai.bundles import store

    change = store.rollback(name)
    _log("model rolled back", f"{change.name}@{change.version}")
    return change


def remove(title: str) -> Change:
    """Take a version away; raises UnknownBundleError where it is not installed here."""
    from slicermedai.bundles import store

    change = store.remove(_title(title))
    _log("model removed", title, sha256=change.sha256)
    return change


def agree(title: str, word: str) -> Change:
    """Keep a person's ``word`` (who, and why this code is trusted): it counts for exactly the files as they are now.

    Raises
    ------
    ConsentError
        An empty word.
    """
    from slicermedai.bundles import consent
    from slicermedai.bundles.registry import resolve

    change = consent.agree(_title(title), word, Path(resolve(title).path))
    _log("consent given", title, sha256=change.sha256)
    return change


def history() -> tuple[Change, ...]:
    """All changes, oldest first; raises BundleError where the record was changed."""
    from slicermedai.bundles import store

    return store.changes()


def record_lines(record: TrustRecord) -> list[str]:
    """A trust record in words, a line each."""
    made, scope = record.provenance, record.scope
    parts = (*scope.modalities, *scope.manufacturers, *scope.sites, *scope.protocols)
    said = [
        record.name,
        f"made {made.date} by slicermedai {made.software} from {made.images} images of {made.patients} patients",
        f"for {', '.join(parts) or 'whatever scanner and site: none was recorded'}",
    ]
    said += [f"the {name} of {count} images is not known" for name, count in scope.unknown.items()]
    if made.generated:
        said.append("fitted on GENERATED data: it never applies to a real image")
    said += [line for structure in record.structures for line in _structure_lines(structure)]
    return said + [f"maps by {one.method}: {one.in_words}" for one in record.saliency]


def _structure_lines(known: Any) -> list[str]:
    said = [f"{known.name}: {known.patients} patients"]
    said += [f"  {_frequency(known)}"] if known.of_image else []
    if known.is_calibrated and known.before and known.after:
        scaling = known.scaling
        said.append(f"  {scaling.method} scaling: slope {scaling.slope:.4g}, offset {scaling.offset:.4g}")
        of = "of the candidates" if known.lesions else "of the images" if known.of_image else "around the prediction"
        said.append(f"  ECE {of} {known.before.ece:.4f} before, {known.after.ece:.4f} after")
    else:
        said.append("  not calibrated")
    said.append(f"  green from a predicted Dice of {known.rule.threshold:.2f}" if known.rule else "  never green")
    if known.sampled is not None:
        rule = known.sampled.rule
        said.append(
            f"  with {known.sampled.method}: "
            + (f"green from a predicted Dice of {rule.threshold:.2f}" if rule else "never green")
        )
    return said + [f"  {reason}" for reason in known.doubts]


def _frequency(known: Any) -> str:
    """How many images have a label: a probability holds where it is as frequent."""
    from slicermedai.confidence.record import sketch_of_text

    without, having = (int(count) for count in sketch_of_text(known.sketch).counts.sum(axis=1))
    return f"{having} of {having + without} images have it; its probability holds where it is as frequent"


def _facts(ref: BundleRef) -> ModelFacts:
    from slicermedai.bundles import store
    from slicermedai.bundles.consent import word_for

    folder = Path(ref.path)
    calibration, record = _calibration(ref)
    consent = ref.consent or (word_for(folder) if ref.runs_code else "")
    return ModelFacts(
        title=ref.title,
        name=ref.name,
        version=ref.version,
        task=ref.task,
        modality=ref.modality,
        folder=ref.path,
        size=store.disk_use(folder),
        in_use=store.version_used(ref.name) in ("", ref.version),
        own=folder.parent == store.models(),
        licence=ref.licence,
        intended_use=ref.intended_use,
        runs_code=ref.runs_code,
        consent=consent,
        demonstration=ref.demonstration,
        weights_sha256=ref.weights_sha256,
        calibration=calibration,
        labels=tuple(_label_words(value, label) for value, label in ref.labels),
        record=record,
    )


def _label_words(value: int, label: Any) -> str:
    side = f", {label.modifier.meaning}" if label.modifier else ""
    return f"{value}: {label.name} = {label.type.scheme} {label.type.value} {label.type.meaning}{side}"


def _calibration(ref: BundleRef) -> tuple[str, tuple[str, ...]]:
    from slicermedai.confidence.models import manifest_of, record_of

    try:
        record = record_of(manifest_of(ref))
    except MedAIError as error:
        return UNREADABLE, (str(error),)
    if record is None:
        return NOT_CALIBRATED, ()
    known = [structure for structure in record.structures if structure.is_calibrated]
    if not known:
        words = NOT_CALIBRATED
    elif record.provenance.generated:
        words = GENERATED
    else:
        words = f"calibrated on {record.provenance.patients} patients: {', '.join(one.name for one in known)}"
    return words, tuple(record_lines(record))


def _title(text: str) -> Title:
    from slicermedai.bundles.store import Title

    name, _, version = text.partition("@")
    if not version:
        raise BundleError(f"needs a version, as {name}@1.0", attribute="bundle", advice="See: slicermedai bundle list")
    return Title(name=name, version=version)


def _log(action: str, title: str, *, sha256: str = "") -> None:
    """One entry in the audit log, with the hash of all files of the model as they are now."""
    from slicermedai.audit.log import append
    from slicermedai.bundles.store import models
    from slicermedai.bundles.verify import content_sha256

    append(action, job_id="", bundle=title, files_sha256=sha256 or content_sha256(models() / title))
