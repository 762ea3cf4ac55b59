"""The one door for models: a folder, a zip, a file with a card, or a name in the Model Zoo becomes an installed bundle.

Nothing of a source is run here. Weights are judged by their bytes (:mod:`slicermedai.bundles.weights`), code waits for
consent, and labels without a code are asked for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from slicermedai.bundles import zoo
from slicermedai.bundles.auto3dseg import is_auto3dseg, read_auto3dseg
from slicermedai.bundles.card import read_card, with_licences
from slicermedai.bundles.draft import Answers, Draft, install
from slicermedai.bundles.monai_source import is_bundle, read_bundle_source
from slicermedai.bundles.nnunet import find_results, is_results, read_results
from slicermedai.bundles.registry import resolve
from slicermedai.bundles.store import Change, models
from slicermedai.bundles.unpack import unpack_zip
from slicermedai.bundles.verify import content_sha256, sha256_of
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.observer import Progress, silent
from slicermedai.errors import BundleError, UnknownBundleError

_ZIP = b"PK\x03\x04"
_NO_ANSWERS = Answers()


def import_bundle(source: str | Path, answers: Answers = _NO_ANSWERS, *, progress: Progress = silent) -> BundleRef:
    """Install a folder, a zip or a file of weights with a card; no network is used.

    Raises
    ------
    BundleError
        It is nothing that is known here, or unsafe, by name; nothing is installed.
    CodeError
        A label has no code; a table to fill in was written, and is named.
    """
    path = Path(source).expanduser()
    if not path.exists():
        raise UnknownBundleError(
            "there is no such file or folder",
            file=path,
            advice="For a name in MONAI's Model Zoo, say so: --online.",
        )
    with tempfile.TemporaryDirectory(prefix="medai-import-") as scratch:
        progress("read model", 0.1)
        return _installed(_draft_of(path, Path(scratch), answers), answers, progress)


def import_from_zoo(
    name: str, answers: Answers = _NO_ANSWERS, *, transport: zoo.Transport = zoo.https, progress: Progress = silent
) -> BundleRef:
    """Install ``name`` or ``name@version`` from MONAI's Model Zoo: this asks the network.

    Raises
    ------
    UnknownBundleError
        The zoo has none of that name.
    BundleError
        It cannot be had, is not what the zoo's list says, or is unsafe; nothing is installed.
    CodeError
        As :func:`import_bundle`.
    """
    release = zoo.find(name, transport=transport)
    with tempfile.TemporaryDirectory(prefix="medai-import-") as scratch:
        archive = Path(scratch) / f"{release.name}.zip"
        digest = zoo.download(release, archive, transport=transport, progress=progress)
        folder = unpack_zip(archive, Path(scratch) / "unpacked")
        origin = f"{release.address} sha256:{digest}"
        return _installed(_of_folder(folder, answers, release.name, origin), answers, progress)


def _installed(draft: Draft, answers: Answers, progress: Progress) -> BundleRef:
    progress("install model", 0.9)
    change: Change = install(draft, with_licences(answers))
    progress("install model", 1.0)
    return resolve(str(models() / f"{change.name}@{change.version}"))


def _draft_of(path: Path, scratch: Path, answers: Answers) -> Draft:
    if path.is_dir():
        return _of_folder(path, answers, path.resolve().name.partition("@")[0], f"sha256:{content_sha256(path)}")
    origin = f"sha256:{sha256_of(path)}"
    if answers.card is not None:
        return read_card(path, answers, origin=origin)
    if path.suffix.lower() != ".zip" or not _starts_with_zip(path):
        raise BundleError(
            "a file of weights alone does not say what its network is or what its outputs mean",
            file=path,
            attribute="card",
            advice="Write a small card (labels, modality, spacing, the network), and hand it in: --card.",
        )
    return _of_folder(unpack_zip(path, scratch), answers, path.stem, origin)


def _of_folder(folder: Path, answers: Answers, name: str, origin: str) -> Draft:
    known: list[tuple[Callable[[Path], bool], Callable[[], Draft]]] = [
        (is_bundle, lambda: read_bundle_source(folder, answers, name=name, origin=origin)),
        (is_results, lambda: read_results(find_results(folder, answers), answers, name=name, origin=origin)),
        (is_auto3dseg, lambda: read_auto3dseg(folder, answers, name=name, origin=origin)),
    ]
    for fits, read in known:
        if fits(folder):
            return read()
    raise BundleError(
        "is no MONAI bundle, nnU-Net results folder or Auto3DSeg model",
        file=folder,
        attribute="bundle",
        advice="Hand in the folder that holds configs/metadata.json, plans.json, model.pt, or Auto3DSeg's members.",
    )


def _starts_with_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == _ZIP
