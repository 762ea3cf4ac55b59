"""A bundle's configuration as parts that this engine runs; :class:`Ledger` holds what had to be done for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slicermedai.bundles.manifest import Manifest
from slicermedai.bundles.marks import DRAWING
from slicermedai.bundles.plans_windows import ScoresBack
from slicermedai.errors import BundleError
from slicermedai.inference.adapter.guidance import guidance_of, names_by_count
from slicermedai.inference.adapter.inferer import Inferer, read_inferer
from slicermedai.inference.adapter.inputs import InputFormat, output_channels
from slicermedai.inference.adapter.joining import Joining, learn
from slicermedai.inference.adapter.post import OPTIONS, Postprocessing, read_steps
from slicermedai.inference.adapter.report import Ledger
from slicermedai.inference.adapter.rewrite import rewritten
from slicermedai.inference.adapter.steps import FAILURES, Reader, Steps
from slicermedai.inference.parts import make_part, parser_of

NETWORK, INFERER, PREPROCESSING, POSTPROCESSING = "network_def", "inferer", "preprocessing", "postprocessing"
SCORES_BACK = "scores_back"


@dataclass(slots=True, eq=False)
class Adapted:
    """The parts of one bundle.

    ``manifest`` carries the rewritten configuration, ``format`` what the metadata says of the network's input, and
    ``dimensions`` how many axes the network sees at once. ``marked`` says that a person marked places.
    """

    manifest: Manifest
    parser: Any
    ledger: Ledger
    format: InputFormat
    dimensions: int
    marked: bool = False

    @property
    def file(self) -> str:
        """The bundle's folder, for messages."""
        return self.manifest.ref.path

    def make(self, name: str) -> Any:
        """The component under ``name``; raises :class:`BundleError` where it cannot be made."""
        return make_part(self.parser, name, file=self.file)

    def steps(self, part: str = PREPROCESSING, *, colour: bool = False) -> Steps:
        """The preprocessing, with the images that it wants; ``colour`` where the one image is a colour picture."""
        stacked = self.dimensions == 2 and self.manifest.ref.task != "classification"
        reader = Reader(self.parser, self.ledger, self.file, part, self.dimensions, stacked, self.marked)
        steps = self._guided(reader, reader.read(self.make))
        if len(steps.names) > 1 or steps.guidance is not None:
            return steps
        if self.format.parts and not any(rule.rule == "prompts" for rule in self.ledger.applied):
            self.ledger.did("several images", f"one channel each: {', '.join(self.format.parts)}")
            return replace(steps, names=self.format.parts, joined=True)
        return self._coloured(steps) if colour else self._filled(steps)

    def _guided(self, reader: Reader, steps: Steps) -> Steps:
        """With what the channels are for that a step draws marks into, where there is one and anything is marked."""
        if not self.marked and reader.drawing is not None:
            return replace(steps, zeros=len(reader.label_names))
        if reader.drawing is None:
            return steps
        guidance = guidance_of(
            next(number for number, (name, _) in enumerate(steps.rest) if DRAWING.match(name)),
            reader.drawing,
            names=reader.label_names or names_by_count(self.manifest.ref.labels, self.format.channels - 1),
            labels=self.manifest.ref.labels,
            file=self.file,
        )
        return replace(steps, guidance=guidance)

    def _coloured(self, steps: Steps) -> Steps:
        if self.format.channels == 3:
            self.ledger.did("colour", "red, green and blue are the three channels")
            return replace(steps, colour=True)
        self.ledger.did("colour", "the network takes grey: the picture's brightness (ITU-R BT.601)")
        return self._filled(steps)

    def _filled(self, steps: Steps) -> Steps:
        """One grey image for a network of several channels: repeated as colours, or with empty prompts behind it."""
        missing = steps.zeros or self.format.channels - 1
        if missing < 1:
            return steps
        if any(rule.rule == "prompts" for rule in self.ledger.applied):
            self.ledger.did("prompts", f"{missing} channels of prompts stay empty")
            return replace(steps, zeros=missing)
        self.ledger.did("grey for colour", f"the one channel is repeated {missing + 1} times")
        return replace(steps, repeat=missing + 1)

    def inferer(self) -> Inferer:
        """How the network goes over the image."""
        made = self.make(INFERER) if INFERER in self.manifest.config else None
        return read_inferer(made, dimensions=self.dimensions, ledger=self.ledger)

    def postprocessing(self) -> Postprocessing:
        """What becomes of the network's scores."""
        entry = self.manifest.config.get(POSTPROCESSING, [])
        steps = entry.get("transforms", []) if isinstance(entry, dict) else entry
        if not isinstance(steps, list):
            raise BundleError("must hold a list of transforms", file=self.file, attribute=POSTPROCESSING)
        place = f"{POSTPROCESSING}#transforms" if isinstance(entry, dict) else POSTPROCESSING
        back = ScoresBack.from_entry(self.manifest.config.get(SCORES_BACK), file=self.file)
        post = read_steps(
            [self._plain(step, f"{place}#{number}") for number, step in enumerate(steps)],
            file=self.file,
            ledger=self.ledger,
            outputs=self.manifest.outputs if self.manifest.outputs_stated else "",
            learn=lambda number: self._learnt(steps[number], f"{place}#{number}"),
        )
        return post.with_back(back)

    def _learnt(self, step: dict[str, Any], place: str) -> Joining:
        """What a step of the bundle's own makes of masks; raises :class:`BundleError` where it cannot be learnt."""
        name, keys = str(step["_target_"]).rpartition(".")[2], step["keys"]
        key = str(keys if isinstance(keys, str) else keys[0])
        outputs = output_channels(Path(self.manifest.ref.path))
        return learn(make_part(self.parser, place, file=self.file), name, key=key, outputs=outputs, file=self.file)

    def _plain(self, step: dict[str, Any], place: str) -> dict[str, Any]:
        """A step whose options have their values; what decides nothing stays as it is written."""
        return {name: self._value(value, f"{place}#{name}", name) for name, value in step.items()}

    def _value(self, value: Any, place: str, name: str) -> Any:
        if name not in OPTIONS or not re.search(r"[\"'][$@]", repr(value)):
            return value
        try:
            return self.parser.get_parsed_content(place, instantiate=True)
        except FAILURES as error:
            raise BundleError(
                f"cannot be read ({type(error).__name__}: {error})", file=self.file, attribute=place
            ) from error


def adapt(manifest: Manifest, ledger: Ledger, *, marked: bool = False) -> Adapted:
    """Apply the rules to the configuration; nothing is made yet. ``marked``: a person marked places for it."""
    config = rewritten(manifest.config, ledger)
    made = replace(manifest, config=config)
    return Adapted(
        manifest=made,
        parser=parser_of(made),
        ledger=ledger,
        format=InputFormat.of(Path(manifest.ref.path), names=manifest.inputs),
        dimensions=_dimensions(config, manifest),
        marked=marked,
    )


def _dimensions(config: dict[str, Any], manifest: Manifest) -> int:
    """2 where the network's definition, its inferer or the metadata say so, else 3."""
    network = config.get(NETWORK)
    stated = network.get("spatial_dims") if isinstance(network, dict) else None
    if isinstance(stated, str) and stated.startswith("@"):
        stated = config.get(stated[1:])
    inferer = config.get(INFERER)
    if isinstance(inferer, dict) and str(inferer.get("_target_", "")).endswith("SliceInferer"):
        return 2
    if isinstance(stated, int):
        return stated
    return 2 if len(InputFormat.of(Path(manifest.ref.path)).shape) == 2 else 3
