"""Which images a bundle wants, and which of those that are there is which."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicermedai.domain.volume import Volume
from slicermedai.errors import BundleError, InputError

if TYPE_CHECKING:
    from slicermedai.bundles.manifest import Manifest

LOADER = re.compile(r"^Load\w*$")
PROMPT = re.compile(r"Guidance|Prompt|Click")
_LABEL = re.compile(r"^(label|labels|seg|segmentation|mask|gt|ground_?truth)(_.*)?$", re.IGNORECASE)
_COLOURS = {"r", "g", "b", "red", "green", "blue"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFormat:
    """What ``network_data_format`` of the metadata says of the network's image.

    ``channels`` of its input; ``names`` of those channels; ``shape`` as written ("8*n", 96), () where unknown;
    ``colour`` where the channels are those of one colour picture.
    """

    channels: int = 1
    names: tuple[str, ...] = ()
    shape: tuple[int | str, ...] = ()
    colour: bool = False

    @classmethod
    def of(cls, folder: Path, *, names: tuple[str, ...] = ()) -> InputFormat:
        """From the bundle in ``folder``; what is not stated is left at its default.

        ``names`` are the channels that its manifest names: they count where the metadata says nothing of channels.
        """
        entry = _stated(folder, "inputs")
        if entry is None:
            return cls(channels=max(1, len(names)), names=names)
        return cls._from_entry(entry)

    @classmethod
    def _from_entry(cls, entry: dict[str, Any]) -> InputFormat:
        stated = entry.get("channel_def") or {}
        names = tuple(str(name) for name in stated.values()) if isinstance(stated, dict) else ()
        shape = entry.get("spatial_shape")
        return cls(
            channels=int(entry.get("num_channels") or 1),
            names=names,
            shape=tuple(shape) if isinstance(shape, list) else (),
            colour=str(entry.get("format", "")).upper() == "RGB" or {n.lower() for n in names} >= {"r", "g", "b"},
        )

    @property
    def divisor(self) -> int:
        """What every edge must be a multiple of, as the metadata has it ("16*n"); 1 where it does not say."""
        found = [re.fullmatch(r"(\d+)(\*\*p)?\s*\*\s*[a-z]", str(n).strip()) for n in self.shape]
        return max((int(match[1]) for match in found if match), default=1)

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the images that together are the network's channels; () where one image is all."""
        apart = self.channels > 1 and not self.colour and len(self.names) == self.channels
        return self.names if apart and not {n.lower() for n in self.names} <= _COLOURS else ()


def output_channels(folder: Path) -> int:
    """How many channels the metadata says that the network gives; 0 where it does not say."""
    stated = (_stated(folder, "outputs") or {}).get("num_channels")
    return stated if isinstance(stated, int) else 0


def _stated(folder: Path, side: str) -> dict[str, Any] | None:
    """The first entry of ``network_data_format``'s inputs or outputs; None where there is none."""
    try:
        stated = json.loads((folder / "configs" / "metadata.json").read_text("utf-8"))["network_data_format"]
        entry = next(iter(stated[side].values()))
    except (OSError, ValueError, KeyError, TypeError, StopIteration, AttributeError):
        return None
    return entry if isinstance(entry, dict) else {}


def matched(names: Sequence[str], given: Mapping[str, Volume]) -> dict[str, Volume]:
    """Each wanted name -> its image: by that name, else by what the images call themselves, else refused.

    One image for a bundle of one input needs no name.

    Raises
    ------
    InputError
        A wanted image is not there, or two could be it; the message names what is wanted.
    """
    if len(names) == 1 and len(given) == 1:
        return {names[0]: next(iter(given.values()))}
    plain = {_plain(name): volume for name, volume in given.items()}
    found = {name: plain[_plain(name)] for name in names if _plain(name) in plain}
    for name in (n for n in names if n not in found):
        found[name] = _by_description(name, given, taken=list(found.values()))
    return {name: found[name] for name in names}


def shows(name: str, text: str) -> bool:
    """Whether ``name``, a model's word for one of its images, stands as a word in what an image calls itself."""
    return re.search(rf"(?<![a-z0-9]){re.escape(name.lower())}(?![a-z0-9])", text.lower()) is not None


def names_wanted(manifest: Manifest) -> tuple[str, ...]:
    """What a model that takes several images calls them, the one that results refer to first; () for one image.

    Read from its files alone, without making anything: keys of what loads images, where they are written out or refer
    to what is; else the channels that metadata or manifest name.
    """
    steps = _listed_steps(manifest.config)
    keys = [key for step in steps if LOADER.match(_target(step)) for key in _keys(step, manifest.config)]
    loaded = tuple(dict.fromkeys(key for key in keys if not is_label(key)))
    if len(loaded) > 1:
        return loaded
    if any(PROMPT.search(_target(step)) for step in steps):
        return ()
    return InputFormat.of(Path(manifest.ref.path), names=manifest.inputs).parts


def is_label(key: str) -> bool:
    """True for a key of a reference that evaluation holds results against."""
    return _LABEL.match(key) is not None


def _listed_steps(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    entry = config.get("preprocessing")
    steps = entry.get("transforms") if isinstance(entry, dict) else entry
    return [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []


def _target(step: Mapping[str, Any]) -> str:
    return str(step.get("_target_", "")).rpartition(".")[2]


def _keys(step: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """The keys of a step; () where an expression makes them."""
    keys = step.get("keys", [])
    if isinstance(keys, str) and keys.startswith("@"):
        keys = config.get(keys[1:], [])
    found = keys if isinstance(keys, list) else [keys]
    resolved = [config.get(str(key)[1:], "") if str(key).startswith("@") else key for key in found]
    return [str(key) for key in resolved if key and not str(key).startswith("$")]


def _by_description(name: str, given: Mapping[str, Volume], *, taken: list[Volume]) -> Volume:
    fits = [
        volume
        for key, volume in given.items()
        if not any(volume is other for other in taken) and shows(name, f"{key} {volume.name}")
    ]
    if len(fits) != 1:
        raise InputError(
            f"the model needs the image {name!r}, and {'none' if not fits else 'more than one'} of those given is it",
            attribute="inputs",
            advice=f"Name the images, as in {name}=FILE.",
        )
    return fits[0]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def need_one(given: Mapping[str, Volume], *, title: str) -> Volume:
    """The only image; raises :class:`BundleError` where a bundle with a framing was given several."""
    if len(given) != 1:
        raise BundleError(f"{title} works on one image", attribute="inputs")
    return next(iter(given.values()))
