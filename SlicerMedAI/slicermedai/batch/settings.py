"""What holds for a whole cohort: model, identity route, key, list of people who opted out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicermedai.bundles.registry import resolve
from slicermedai.bundles.verify import content_sha256
from slicermedai.deid.exclusion import ExclusionList
from slicermedai.deid.keystore import load_key, needs_passphrase
from slicermedai.domain.study import Identity
from slicermedai.errors import BundleError, IdentityError, InputError
from slicermedai.jobs.specs import RunJob

JOB_SETTINGS = (
    *("identity", "project_key", "device", "precision", "formats", "tilt", "preset", "folds", "body_part"),
    *("uncertainty", "stability", "report", "seed"),
)
"""Settings that are options of :class:`~slicermedai.jobs.specs.RunJob` by the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One choice for all cases; names and meanings are those of :class:`~slicermedai.jobs.specs.RunJob`.

    ``exclude`` is a list of people who opted out, read again before each case. ``tries`` is how often a case whose
    worker died is begun; ``minutes`` how long one may take.
    """

    bundle: str = ""
    identity: str = "keep"
    project_key: str = ""
    exclude: str = ""
    device: str = "auto"
    precision: str = "float32"
    formats: tuple[str, ...] = ()
    tilt: str = "refuse"
    preset: str = "basic"
    folds: str = ""
    body_part: str = ""
    uncertainty: str = "none"
    stability: int = 0
    report: bool = False
    seed: int = 0
    tries: int = 2
    minutes: float = 120.0

    def __post_init__(self) -> None:
        """Refuse values that no job takes, and a pseudonymous cohort without one key: its patients would not match."""
        by_name = {field.name: field for field in dataclasses.fields(RunJob)}
        for name in ("identity", "precision", "tilt", "uncertainty"):
            choices = by_name[name].metadata["choices"]
            if getattr(self, name) not in choices:
                raise InputError(f"must be one of {', '.join(choices)}", attribute=name)
        for name in ("tries", "minutes"):
            if not getattr(self, name) > 0:
                raise InputError("must be more than 0", attribute=name)
        if self.identity == Identity.DEIDENTIFY and not self.project_key:
            raise IdentityError(
                "a pseudonymous cohort needs one project key, or studies of one patient get different pseudonyms",
                attribute="project_key",
                advice="Make one with: slicermedai deid-key FILE",
            )

    def absolute(self) -> Settings:
        """With paths that hold wherever a worker is started."""
        return dataclasses.replace(self, project_key=_absolute(self.project_key), exclude=_absolute(self.exclude))

    @property
    def needs_passphrase(self) -> bool:
        """Whether the project key is sealed; raises :class:`IdentityError` where it cannot be read."""
        return bool(self.project_key) and needs_passphrase(Path(self.project_key))

    def check_key(self, passphrase: str | None) -> None:
        """Open the project key once, before hours of work; raises :class:`IdentityError` where that does not go."""
        if self.project_key:
            load_key(Path(self.project_key), passphrase)

    def exclusions(self) -> ExclusionList | None:
        """The list as it is now; errors are those of :class:`~slicermedai.deid.exclusion.ExclusionList`."""
        return ExclusionList.from_file(Path(self.exclude)) if self.exclude else None

    @staticmethod
    def of(values: dict[str, Any]) -> Settings:
        """From JSON values."""
        read: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return Settings(**read)

    def of_jobs(self) -> dict[str, Any]:
        """Those that every job of the cohort has too, by name."""
        return {name: getattr(self, name) for name in JOB_SETTINGS}


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute()) if path else ""


def models_of(names: tuple[str, ...]) -> dict[str, str]:
    """Model -> hash of all its files, so that a cohort is never run by two versions of one name.

    Raises
    ------
    UnknownBundleError, BundleError, ConsentError
        A model is not there, or cannot be used.
    """
    return {name: content_sha256(Path(resolve(name).path)) for name in names}


def check_models(known: dict[str, str], *, file: Path) -> None:
    """Raise :class:`BundleError` where a model is another one than when the cohort was made."""
    for name, digest in known.items():
        if content_sha256(Path(resolve(name).path)) != digest:
            raise BundleError(
                f"the model {name} was changed since this cohort was made",
                file=file,
                attribute="bundle",
                advice="Put the model back, or make a new cohort.",
            )
