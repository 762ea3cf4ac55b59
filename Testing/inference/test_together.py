"""Images of one run are laid onto each other in one space, or refused: no channel is filled by a part of a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from slicermedai.bundles.registry import resolve
from slicermedai.domain.bundle import BundleRef
from slicermedai.domain.geometry import Geometry, Space
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from slicermedai.inference.task import predict
from slicermedai.inference.together import check_together
from Testing.inference.tiny_bundle import change_json
from Testing.inference.zoo import Draft, write_zoo_bundle

SIZE = (1, 100, 100)


def picture(space: Space, *, step: float = 1.0, shape: tuple[int, int, int] = SIZE) -> Volume:
    """Brighter from left to right, 0 to 1."""
    ramp = np.broadcast_to(np.linspace(0, 1, shape[2], dtype=np.float32), shape)
    geometry = replace(Geometry.from_axes(shape, spacing=(1.0, step, step)), space=space)
    return Volume(array=np.array(ramp), geometry=geometry, modality="MR")


def of_two(draft: Draft) -> None:
    """A classifier of two flat images: class k is found where the mean of image k is above 0.4."""
    draft.runs_code, draft.labels = True, 2
    draft.config["network_def"] = {"_target_": "scripts.flat.make"}
    draft.files |= {
        "scripts/__init__.py": "",
        "scripts/flat.py": "import torch\n\n\ndef make():\n    return torch.nn.Sequential("
        "torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(2, 2))\n",
    }
    draft.state = {"2.weight": torch.eye(2) * 50.0, "2.bias": torch.full((2,), -20.0)}
    channels: dict[str, Any] = {"num_channels": 2, "spatial_shape": [8, 8], "channel_def": {"0": "CC", "1": "MLO"}}
    draft.metadata["network_data_format"] = {"inputs": {"image": channels}}
    resized = {"_target_": "Resized", "keys": "image", "spatial_size": [8, 8], "mode": "area"}
    draft.config["preprocessing"]["transforms"] = [*draft.steps[:2], resized]
    draft.config["inferer"] = {"_target_": "SimpleInferer"}
    draft.config["postprocessing"]["transforms"] = [{"_target_": "Activationsd", "keys": "pred", "sigmoid": True}]


@pytest.fixture
def ref(tmp_path: Path) -> BundleRef:
    write_zoo_bundle(tmp_path / "two@0.1", "plain", of_two)
    change_json(tmp_path / "two@0.1" / "medai.json", task="classification")
    return resolve(str(tmp_path / "two@0.1"), consent="the test")


def test_a_network_of_two_pictures_sees_both_of_them_whole(ref: BundleRef) -> None:
    seen = picture(Space.PIXELS)
    assert {one.value for one in predict(ref, {"CC": seen, "MLO": seen}).regions} == {1, 2}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (picture(Space.PIXELS), "mm in the plane of the picture, those of the other pixels of the picture"),
        (picture(Space.PATIENT), "mm in the plane of the picture, those of the other LPS mm in the patient"),
        (picture(Space.PLANE, step=1.0), "different grids"),
        (picture(Space.PLANE, step=0.2, shape=(1, 100, 120)), "different grids"),
    ],
    ids=["of unknown size", "a slice", "of larger pixels", "of more columns"],
)
def test_pictures_that_nothing_lays_onto_each_other_are_refused_by_name(
    other: Volume, said: str, ref: BundleRef
) -> None:
    first = picture(Space.PLANE, step=0.2)
    for images in ({"CC": first, "MLO": other}, {"CC": other, "MLO": first}):
        with pytest.raises(InputError, match="'CC' and 'MLO'"):
            predict(ref, images)
    with pytest.raises(InputError, match=said):
        check_together({"CC": first, "MLO": other})


def test_single_slices_of_different_places_are_refused_too(ref: BundleRef) -> None:
    first = picture(Space.PATIENT)
    moved = Geometry.from_axes(SIZE, origin=(0.0, 0.0, 300.0))
    with pytest.raises(InputError, match="no place in common"):
        predict(ref, {"CC": first, "MLO": replace(first, geometry=moved)})
