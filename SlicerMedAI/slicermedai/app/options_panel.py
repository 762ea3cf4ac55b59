"""The options of a run in the module MedAI: what a person sees and sets there; device and place are remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slicermedai.app import run_words
from slicermedai.app.guided_run import GuidedRun
from slicermedai.app.run_options import SAMPLES
from slicermedai.app.state import RunOptions, RunState
from slicermedai.deid.presets import PRESETS

DEVICE, PARENT = "device", "results"
"""Names of settings, as Slicer's page of them and the command line know them."""
_WIDGETS = ("deviceSelector", "samplesSelector", "stabilitySpinBox", "parentSelector", "overTimeCheckBox")


class OptionsPanel:
    """Shows the options of ``presenter`` in ``ui``, and takes what is set there.

    ``recall`` and ``remember`` read and write settings, as :mod:`slicermedai.app.kept` does.
    """

    def __init__(
        self, ui: Any, presenter: GuidedRun, *, recall: Callable[[str], str], remember: Callable[[str, str], None]
    ) -> None:
        self.ui, self.presenter, self._recall, self._remember = ui, presenter, recall, remember
        self._recalled: tuple[str, str] | None = None
        for name, preset in PRESETS.items():
            ui.presetSelector.addItem(presenter.translate(preset.title), name)
        self._connect()
        self.recall()

    def _connect(self) -> None:
        ui, presenter = self.ui, self.presenter
        ui.deviceSelector.connect("activated(int)", self.onDevice)
        ui.presetSelector.connect("activated(int)", self.onPreset)
        ui.samplesSelector.connect("activated(int)", self.onSamples)
        ui.stabilitySpinBox.connect("valueChanged(int)", lambda count: presenter.choose_options(stability=count))
        ui.overTimeCheckBox.connect("toggled(bool)", lambda on: presenter.choose_options(over_time=bool(on)))
        ui.parentSelector.connect("currentPathChanged(QString)", self.onParent)

    def recall(self) -> None:
        """Take device and place from the settings, where these were changed since they were looked at last."""
        now = self._recall(DEVICE), self._recall(PARENT)
        if now != self._recalled and self.presenter.editable:
            self._recalled = now
            self.presenter.choose_options(device=now[0] or RunOptions().device, parent=now[1])

    def show_devices(self, devices: Sequence[tuple[str, str]]) -> None:
        """Offer these; one that was chosen and is not there stays chosen, and the run will say that it is missing."""
        box, chosen = self.ui.deviceSelector, self.presenter.state.options.device
        looked = len(devices) > 1
        missing = self.presenter.translate("{name}: not found here").format(name=chosen) if looked else chosen
        rest = [] if chosen in dict(devices) else [(chosen, missing)]
        blocked = box.blockSignals(True)
        box.clear()
        for name, text in [*devices, *rest]:
            box.addItem(text, name)
        box.setCurrentIndex(box.findData(chosen))
        box.blockSignals(blocked)

    def show(self, state: RunState) -> None:
        """Show what was asked for, without telling that anything was."""
        ui, asked, editable = self.ui, state.options, self.presenter.editable
        for name in _WIDGETS:
            getattr(ui, name).enabled = editable
        ui.presetSelector.enabled = editable and state.identity == "deidentify"
        ui.presetSelector.setCurrentIndex(max(ui.presetSelector.findData(asked.preset), 0))
        self._show_samples(state)
        self._quietly(ui.stabilitySpinBox, "value", asked.stability)
        self._quietly(ui.overTimeCheckBox, "checked", asked.over_time)
        if ui.parentSelector.currentPath != asked.parent:
            blocked = ui.parentSelector.blockSignals(True)
            ui.parentSelector.setCurrentPath(asked.parent)
            ui.parentSelector.blockSignals(blocked)

    def _show_samples(self, state: RunState) -> None:
        """Offer the ways that the model can be asked in; the chosen one stays, and below stands why others are not."""
        tr, box, ways = self.presenter.translate, self.ui.samplesSelector, self.presenter.ways
        chosen, offered = state.options.samples, ways.offered(state.title)
        listed = [way for way in SAMPLES if way in (*offered, chosen)]
        self._refill(box, [(way, run_words.samples_text(way, tr)) for way in listed], chosen)
        self.ui.samplesLabel.text = run_words.not_offered_text(state.title, ways, tr)
        self.ui.samplesLabel.visible = bool(self.ui.samplesLabel.text)

    def _refill(self, box: Any, items: Sequence[tuple[str, str]], chosen: str) -> None:
        blocked = box.blockSignals(True)
        if [box.itemData(row) for row in range(box.count)] != [data for data, _ in items]:
            box.clear()
            for data, text in items:
                box.addItem(text, data)
        box.setCurrentIndex(box.findData(chosen))
        box.blockSignals(blocked)

    def onSamples(self, index: int) -> None:
        """How further answers are asked for."""
        self.presenter.choose_options(samples=str(self.ui.samplesSelector.itemData(index)))

    def _quietly(self, widget: Any, name: str, value: Any) -> None:
        blocked = widget.blockSignals(True)
        setattr(widget, name, value)
        widget.blockSignals(blocked)

    def onDevice(self, index: int) -> None:
        """A device was chosen; it is remembered."""
        name = str(self.ui.deviceSelector.itemData(index))
        self.presenter.choose_options(device=name)
        self._keep(DEVICE, name)

    def onPreset(self, index: int) -> None:
        """How an image is de-identified."""
        self.presenter.choose_options(preset=str(self.ui.presetSelector.itemData(index)))

    def onParent(self, path: str) -> None:
        """Where runs make their folders; one that is there is remembered."""
        self.presenter.choose_options(parent=path)
        if not path or Path(path).is_dir():
            self._keep(PARENT, path)

    def _keep(self, name: str, text: str) -> None:
        self._remember(name, text)
        self._recalled = self._recall(DEVICE), self._recall(PARENT)
