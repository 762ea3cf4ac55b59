"""What is chosen for a de-identification, what that needs, and why some of it cannot be chosen. No Qt in here."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slicermedai.app.deid_state import Asked, DeidState
from slicermedai.app.deid_words import lacking_text, option_texts, preset_text
from slicermedai.app.presenter import Presenter
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate
from slicermedai.deid.presets import PRESETS, Preset, save_preset
from slicermedai.deid.profile import STEPS, Option
from slicermedai.deid.request import Choice, choice_of, wants_passphrase
from slicermedai.domain import settings
from slicermedai.errors import MedAIError
from slicermedai.jobs.places import unfinished
from slicermedai.jobs.specs import DeidJob

READER, SEALER = "rapidocr-onnxruntime", "cryptography"
"""Optional packages: what reads burned-in text, and what seals keys and tables."""
_DATES = frozenset({Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES})
_TEXT, _FACES = Option.CLEAN_PIXEL_DATA, Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES
_OWN = ("output", "source")


class Choosing(Presenter):
    """The half of the presenter that holds what is chosen; see :class:`slicermedai.app.deid_run.DeidRun`."""

    def __init__(
        self, *, missing: Callable[[], Sequence[str]], has_brain_model: Callable[[], bool], translate: Translate
    ) -> None:
        super().__init__(translate=translate)
        self._find_missing, self._find_brain = missing, has_brain_model
        self.missing: tuple[str, ...] = ()
        """Optional packages that are not installed, as requirements."""
        self.has_brain_model = False
        self.source: Any = None
        """A folder as text, or a list of files."""
        self._key_set = settings.value("project_key")
        self.state: DeidState = DeidState(asked=Asked(key=self._key_set))
        self.choice: Choice = choice_of(self.job(Path()))

    # --- choosing ----------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look again which optional parts are installed, and which key is set, unless another one was chosen."""
        before, self._key_set = self._key_set, settings.value("project_key")
        if self._key_set != before == self.state.asked.key and not self.busy:
            self._ask(key=self._key_set)
        self.missing, self.has_brain_model = tuple(self._find_missing()), self._find_brain()
        self.explain()
        self.changed.emit(self.state)

    def choose_source(self, source: Any, name: str) -> None:
        """A folder (text), or a list of files; None or an empty list chooses nothing."""
        self.source = source or None
        self._set(source_name=name if source else "", preview=None)
        self.explain()

    def choose_preset(self, preset: str) -> None:
        """By name, or by the path of a site's own; its options are then as it says."""
        self._ask(preset=preset, further=frozenset(), ocr=None, deface=None)

    def choose_options(self, ticked: frozenset[Option]) -> None:
        """Exactly these options, as far as the preset and each other allow."""
        own = self.choice.preset.options
        steps = {
            name: None if (step in ticked) == (step in own) else step in ticked
            for name, step in (("ocr", _TEXT), ("deface", _FACES))
        }
        further = frozenset(option.value for option in ticked - own - STEPS)
        self._ask(further=further, ocr=steps["ocr"], deface=steps["deface"])

    def choose(self, **values: Any) -> None:
        """Fields of :class:`Asked` that are no options: files, folder, ``into_database``, ``has_passphrase``."""
        self._ask(**values)

    def save_preset(self, path: Path) -> None:
        """Save what is chosen now as a site's own preset; whatever keeps that from happening becomes the message."""
        name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "own"
        titles = ", ".join(option.code.meaning for option in sorted(self.choice.profile.options))
        told = self.translate("Basic profile with: {options}.").format(options=titles or self.translate("no option"))
        try:
            made = Preset(
                name=name,
                title=path.stem,
                explanation=(told,),
                options=self.choice.profile.options,
                dates=self.choice.dates,
                ages=self.choice.preset.ages,
                text=self.choice.preset.text,
            )
            save_preset(path, made)
        except MedAIError as error:
            self._set(message=str(error))
            return
        self.choose_preset(str(path))

    # --- what follows from it ----------------------------------------------------------------------------------------

    @property
    def presets(self) -> list[tuple[str, str]]:
        """(name, title) of the built-in presets, and of the chosen one where that is a file."""
        found = [(name, preset.title) for name, preset in PRESETS.items()]
        own = self.state.asked.preset
        return found if own in PRESETS else [*found, (own, self.choice.preset.title)]

    @property
    def explanation(self) -> str:
        """What the chosen preset does."""
        return preset_text(self.choice.preset, self.translate)

    @property
    def options(self) -> list[tuple[Option, str, str]]:
        """All options of the Basic profile, each with a title and a sentence."""
        return [(option, *option_texts(option, self.translate)) for option in Option]

    @property
    def ticked(self) -> frozenset[Option]:
        """The options that are chosen."""
        return self.choice.profile.options

    def held(self, option: Option) -> str:
        """Why ``option`` cannot be changed now; "" where it can."""
        tr = self.translate
        if option in self.choice.preset.options - STEPS:
            return tr("Part of the preset.")
        if option in _DATES and self.ticked & (_DATES - {option}):
            return tr("Dates are kept in another way already.")
        if option is _TEXT and option not in self.ticked and self._lacks(READER):
            return tr("The text reader is not installed.")
        if option is _FACES and option not in self.ticked and not self.has_brain_model:
            return tr("The brain model is not installed: the module MedAI installs it.")
        return ""

    @property
    def lacking(self) -> list[str]:
        """Requirements that the choice needs and that are not installed."""
        needed = {READER} if _TEXT in self.ticked else set()
        if self.needs_passphrase:
            needed.add(SEALER)
        return [one for one in self.missing if _name(one) in needed]

    @property
    def needs_passphrase(self) -> bool:
        """True where a table or a sealed key was chosen; a key that cannot be read is refused by the job itself."""
        try:
            return wants_passphrase(self.job(Path()))
        except MedAIError:
            return bool(self.state.asked.table)

    @property
    def can_preview(self) -> bool:
        """True where there is something to look at."""
        return self.source is not None and not self.busy and (self.state.asked.has_passphrase or not self._is_sealed)

    @property
    def can_run(self) -> bool:
        """True where nothing stands in the way."""
        return not self.busy and not self.obstacle()

    def obstacle(self) -> str:
        """What stands in the way of a run, for people; "" where nothing does."""
        tr, asked = self.translate, self.state.asked
        if self.source is None:
            return tr("Choose patients, studies or series, or a folder.")
        if self.lacking:
            return lacking_text(self.lacking, tr)
        if self.needs_passphrase and not asked.has_passphrase:
            return tr("Type the passphrase of the key or the table.")
        if asked.into_database and Option.RETAIN_UIDS in self.ticked:
            return tr(
                "Copies that keep the original UIDs (113110) cannot go into the DICOM database: it would take them "
                "for the originals. Choose one of the two."
            )
        return ""

    def explain(self) -> None:
        """Say what a person should do next."""
        if self.busy:
            return
        notes = [self.obstacle() or self.translate("Ready.")]
        if _FACES in self.ticked and not self.has_brain_model:
            notes.append(self.translate("Faces stay, since the brain model is not installed."))
        if self.state.asked.output and unfinished(Path(self.state.asked.output)):
            notes.append(self.translate("An earlier run into this folder was stopped: the same choice goes on there."))
        self._set(message=" ".join(notes), phase=Phase.IDLE)

    def job(self, output: Path, *, review: Path | None = None) -> DeidJob:
        """The job of what is chosen."""
        asked = self.state.asked
        return DeidJob(
            source=self.source if isinstance(self.source, str) else "",
            output=str(output),
            preset=asked.preset,
            options=tuple(sorted(asked.further)),
            key=asked.key,
            table=asked.table,
            exclude=asked.exclude,
            ocr=asked.ocr,
            deface=asked.deface,
            names="tree" if asked.tree else "number",
            review=str(review) if review else "",
        )

    @staticmethod
    def options_of(job: DeidJob) -> dict[str, Any]:
        """The fields of ``job`` that are neither source nor output."""
        return {one.name: getattr(job, one.name) for one in dataclasses.fields(job) if one.name not in _OWN}

    @property
    def _is_sealed(self) -> bool:
        """True where the key itself needs the passphrase, and not the table alone."""
        try:
            return wants_passphrase(replace(self.job(Path()), table=""))
        except MedAIError:
            return False

    def _lacks(self, package: str) -> bool:
        return package in map(_name, self.missing)

    def _ask(self, **values: Any) -> None:
        before, asked = self.state, replace(self.state.asked, **values)
        if asked == before.asked:
            return
        self.state = replace(before, asked=asked)
        try:
            self.choice = choice_of(self.job(Path()))
        except MedAIError as error:
            self.state = before
            self._set(message=str(error))
            self.changed.emit(self.state)  # what was typed or ticked is shown as it was
            return
        self.state = before
        self._set(asked=asked, preview=None if asked != _but_passphrase(before.asked, asked) else before.preview)
        self.explain()


def _but_passphrase(before: Asked, after: Asked) -> Asked:
    return replace(before, has_passphrase=after.has_passphrase)


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
