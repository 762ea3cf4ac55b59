"""What is chosen for a cohort: studies, series rules, model and settings, folder. No Qt and no MRML in here."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slicermedai.app.batch_ask import Plan, is_cohort
from slicermedai.app.batch_rule_choice import ChoosingRules
from slicermedai.app.batch_state import FIRST_RULE, FIRST_RULES, INSTALL, LOOK, Asked, BatchState, CohortShown
from slicermedai.app.batch_words import series_text
from slicermedai.app.guided_run import MODEL
from slicermedai.app.presenter import Ask
from slicermedai.app.state import Phase
from slicermedai.app.words import Translate, missing_text
from slicermedai.batch.rules import parse_rules
from slicermedai.batch.rules_text import rules_text
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.settings import present, value
from slicermedai.domain.study import Identity
from slicermedai.errors import MedAIError

SETTINGS = ("bundle", "identity", "project_key", "exclude", "tilt")
"""Fields of :class:`Asked` that a cohort keeps."""


class Choosing(ChoosingRules):
    """The half of the presenter that holds what is chosen; see :class:`slicermedai.app.batch_run.BatchRun`."""

    state: BatchState

    def __init__(
        self, *, bundles: Callable[[], list[BundleRef]], missing: Callable[[], Sequence[str]], translate: Translate
    ) -> None:
        super().__init__(missing=missing, translate=translate)
        self._list = bundles
        self.models: tuple[BundleRef, ...] = ()
        """The models at hand."""
        self.series: tuple[str, ...] = ()
        """UIDs of the series that are ticked in the database."""
        self.folder = ""
        """The folder that is read, where no series are ticked."""
        self._people = ""

    def refresh(self) -> None:
        """Look again what is installed, which models are there, and where the cases of the chosen cohort stand."""
        self._look_again()
        self.changed.emit(self.state)
        if self.busy:
            return
        if is_cohort(self.state.asked.output):
            self.look()
        else:
            self.explain()

    def _look_again(self) -> None:
        self._look_for_packages()
        self.models = tuple(self._list())
        if not self.state.asked.bundle and self.models and self.state.cohort is None and self._is_untouched:
            self.choose_model(self.models[0].title)
        self.explain()

    def ask_and_install(self, ask: Ask) -> None:
        """As :class:`Needing` does, told apart from a run."""
        self._ask_and_install(self.packages, model=self.fetches, ask=ask, activity=INSTALL)

    @property
    def fetches(self) -> str:
        """A model comes with the packages where there is none."""
        return "" if self.models else MODEL

    @property
    def editable(self) -> bool:
        """True where things may be chosen: also while a cohort is only looked at."""
        return not self.busy or self.state.activity == LOOK

    # --- studies -----------------------------------------------------------------------------------------------------

    def choose_series(self, uids: Sequence[str]) -> None:
        """Series of Slicer's DICOM database; none chooses nothing."""
        self.series, self.folder = tuple(uids), ""
        self._changed(source_name=series_text(len(uids), self.translate) if uids else "")

    def choose_folder(self, path: str) -> None:
        """A DICOM folder, or a table of studies; "" chooses nothing."""
        self.series, self.folder = (), path
        self._changed(source_name=Path(path).name if path else "")

    @property
    def has_source(self) -> bool:
        """Whether studies were chosen."""
        return bool(self.series or self.folder)

    # --- model and settings ------------------------------------------------------------------------------------------

    def choose_model(self, title: str) -> None:
        """By ``name@version``; "" where the rules name it. Rules that nobody touched ask for the model's modality."""
        model = next((one for one in self.models if one.title == title), None)
        rules = self.state.rules
        if model is not None and self._is_untouched:
            rule = replace(FIRST_RULE, modality="|".join(model.modality))
            rules = self._suggested = replace(FIRST_RULES, rules=(rule,))
        self._changed(asked=replace(self.state.asked, bundle=title), rules=rules)

    @property
    def model(self) -> BundleRef | None:
        """The chosen one; None where the rules name it, or it is not there any more."""
        return next((one for one in self.models if one.title == self.state.asked.bundle), None)

    def choose(self, **values: Any) -> None:
        """Fields of :class:`Asked` but ``bundle``, ``output``. A pseudonymous route begins with the key that is set."""
        self._people = values.get("exclude", self._people)
        asked = replace(self.state.asked, **values)
        if values.get("identity") == Identity.DEIDENTIFY and not asked.project_key:
            asked = replace(asked, project_key=value("project_key"))
        if asked == self.state.asked:
            return
        if any(getattr(asked, name) != getattr(self.state.asked, name) for name in SETTINGS):
            self._changed(asked=asked)
        else:
            self._set(asked=asked)
            self.explain()

    def choose_output(self, folder: str) -> None:
        """The cohort's folder; "" for a new one of our naming. A cohort's list of people goes to no other."""
        folder = str(Path(folder).expanduser().absolute()) if folder else ""
        if folder == self.state.asked.output or not self.editable:
            return
        self._look_no_more()
        if self.state.asked.exclude != self._people:
            self._set(studies=(), is_previewed=False)
        asked = replace(self.state.asked, output=folder, exclude=self._people)
        self._set(asked=asked, cohort=None, cases=(), is_planned=False)
        if is_cohort(folder):
            self.look()
        else:
            self.explain()

    @abstractmethod
    def look(self) -> None:
        """Look at the cohort in the chosen folder."""

    @abstractmethod
    def _look_no_more(self) -> None:
        """End a look at the cohort of another folder: nothing of it is shown under this one's name."""

    @property
    def can_list_people(self) -> bool:
        """True where there is no list yet of people who opted out, or no cohort: a first one may be given later."""
        return self.state.cohort is None or not self.state.cohort.settings.get("exclude")

    # --- what follows from it ----------------------------------------------------------------------------------------

    def obstacle(self) -> str:
        """What stands in the way of a run, for people; "" where nothing does."""
        tr, asked = self.translate, self.state.asked
        if self.packages:
            return missing_text(self.packages, tr)
        if not self.has_source and self.state.cohort is None:
            return tr("Choose patients, studies or series, or a folder; or the folder of a cohort to go on with.")
        if self.state.cohort is None and not self._names_models:
            return tr("Choose a model, or name one in each rule.")
        if asked.identity == Identity.DEIDENTIFY and not asked.project_key:
            return tr("Choose a project key: without one, studies of a patient get several pseudonyms.")
        return ""

    @property
    def _names_models(self) -> bool:
        return bool(self.state.asked.bundle) or all(rule.bundle for rule in self.state.rules.rules)

    @property
    def can_preview(self) -> bool:
        """True where there is something to look at."""
        return self.has_source and self._names_models and not self.busy

    @property
    def can_run(self) -> bool:
        """True where nothing stands in the way."""
        return not self.busy and not self.obstacle()

    def explain(self) -> None:
        """Say what a person should do next."""
        if not self.busy:
            self._set(message=self.obstacle() or self.translate("Ready."), phase=Phase.IDLE)

    def plan(self, files: Sequence[str] = ()) -> Plan:
        """What is chosen, for a child; ``files`` are those of the ticked series."""
        asked = self.state.asked
        settings = {**{name: getattr(asked, name) for name in SETTINGS}, "device": present("device")}
        return Plan(
            source=list(files) if self.series else self.folder, rules=rules_text(self.state.rules), settings=settings
        )

    def _take_cohort(self, cohort: CohortShown, rules: str) -> None:
        """What a cohort keeps is shown; rules that a person has edited stay, and hold for what is added."""
        known = {one.name for one in dataclasses.fields(Asked)}
        kept = {name: cohort.settings[name] for name in SETTINGS if name in known and name in cohort.settings}
        kept["exclude"] = kept.get("exclude") or self._people  # the first list of a cohort that has none
        self._set(cohort=cohort, asked=replace(self.state.asked, **kept))  # type: ignore[arg-type]  # texts, as they were
        if rules and self._is_untouched:
            try:
                self._suggested = parse_rules(rules)
                self._set(rules=self._suggested, rule=0)
            except MedAIError as error:
                self._set(message=str(error))

    def _changed(self, **values: Any) -> None:
        """Another choice: a preview of the one before is no longer shown, and a cohort does not know it yet."""
        self._set(**values, studies=(), is_previewed=False, is_planned=False)
        self.explain()
