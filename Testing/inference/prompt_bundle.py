"""Bundles that go by what a person marks, with networks that answer a ball around it: any error is the engine's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from Testing.inference.tiny_bundle import INSIDE, change_json, digest_of, pinned
from Testing.inference.zoo import Draft, write_zoo_bundle

RADIUS = 5.0
"""Of a ball, in voxels of the network."""
NAMES = ("Body", "Other")
AT_PLACES = '''
import torch


class Head(torch.nn.Module):
    last_supported = LAST


class Balls(torch.nn.Module):
    """Balls around places, called as MONAI's VISTA3D is; of a class alone what is brighter than a class has it."""

    asked = []

    def __init__(self):
        super().__init__()
        self.radius = torch.nn.Parameter(torch.zeros(1))
        self.point_head = Head()

    def forward(
        self, input_images, patch_coords=None, point_coords=None, point_labels=None, class_vector=None,
        prompt_class=None, transpose=False,
    ):
        Balls.asked.append(("class" if point_coords is None else "places", tuple(input_images.shape[2:])))
        if class_vector is not None:
            found = torch.cat([20 * input_images - 10 - 4 * (value - 1) for value in class_vector[:, 0]])
            return found.transpose(1, 0) if transpose else found
        start = torch.tensor([part.start for part in patch_coords[0][-3:]])
        end = torch.tensor([part.stop for part in patch_coords[0][-3:]])
        seen = ((point_coords[0] > start) & (point_coords[0] < end)).all(dim=1)
        assert seen.all() and seen.any(), "MONAI's network loses such a place"
        index = torch.stack(torch.meshgrid(*(torch.arange(n) for n in input_images.shape[2:]), indexing="ij"), dim=-1)
        distance = (index[..., None, :] - (point_coords[0] - start)).norm(dim=-1)
        inside = point_labels[0] % 2 == 1
        found = torch.full(distance.shape[:-1], -self.radius.item())
        if inside.any():
            found = self.radius - distance[..., inside].amin(dim=-1)
        if (~inside).any():
            found = torch.minimum(found, distance[..., ~inside].amin(dim=-1) - self.radius)
        return found[None, None]


class Inferer:
    """As bundles have it: windows and what is handed on to the network."""

    def __init__(self, roi_size, overlap, sw_batch_size=1):
        self.roi_size, self.overlap, self.sw_batch_size = roi_size, overlap, sw_batch_size

    def __call__(self, inputs, network, point_coords, point_labels, class_vector):
        raise AssertionError("the engine lays the windows")
'''


def at_places(draft: Draft) -> None:
    """A network that is called with places, and has learned no class; its windows are smaller than the image."""
    draft.runs_code, draft.labels = True, 2
    draft.files |= {"scripts/__init__.py": "", "scripts/own.py": AT_PLACES.replace("LAST", "0")}
    draft.state = {"radius": torch.full((1,), RADIUS)}
    draft.config["network_def"] = {"_target_": "scripts.own.Balls"}
    draft.config["inferer"] = {"_target_": "scripts.own.Inferer", "roi_size": [32, 32, 32], "overlap": 0.3}
    draft.config["postprocessing"]["transforms"] = [
        {"_target_": "monai.apps.vista3d.transforms.VistaPostTransformd", "keys": "pred"},
        {"_target_": "SaveImaged", "keys": "pred"},
    ]


def with_classes(draft: Draft) -> None:
    """Three classes that were learned, the fourth stands for others; a run without marks asks for two."""
    at_places(draft)
    draft.files["scripts/own.py"] = AT_PLACES.replace("LAST", "3")
    draft.labels = 5
    draft.config["everything_labels"] = [1, 3]
    step = {"_target_": "monai.apps.vista3d.transforms.VistaPreTransformd", "keys": "image"}
    draft.steps.append({**step, "special_index": [2], "subclass": {"4": [1, 2]}})


def by_channels(draft: Draft) -> None:
    """One channel of clicks for each label and one for the background, as DeepEdit has them."""
    draft.runs_code, draft.labels = True, 2
    names = {"other": 2, "body": 1, "background": 0}
    draft.config["label_names"] = names
    draft.steps.extend(
        [
            {"_target_": "AddGuidanceFromPointsDeepEditd", "ref_image": "image", "label_names": "@label_names"},
            {"_target_": "ResizeGuidanceMultipleLabelDeepEditd", "guidance": "guidance", "ref_image": "image"},
            {
                "_target_": "AddGuidanceSignalDeepEditd",
                "keys": "image",
                "guidance": "guidance",
                "number_intensity_ch": 1,
            },
            {"_target_": "EnsureTyped", "keys": "image"},
        ]
    )
    weight = torch.zeros(3, 4, 1, 1, 1)
    weight[2, 1] = weight[1, 2] = weight[0, 3] = 40.0  # as the channels are named, in their order
    draft.config["network_def"] = {"_target_": "torch.nn.Conv3d", "in_channels": 4, "out_channels": 3, "kernel_size": 1}
    draft.state = {"weight": weight, "bias": torch.tensor([10.0, 0.0, 0.0])}
    draft.config["inferer"] = {"_target_": "SimpleInferer"}
    draft.config["postprocessing"]["transforms"] = [
        {"_target_": "Activationsd", "keys": "pred", "softmax": True},
        {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
    ]


def by_two_lists(draft: Draft) -> None:
    """Clicks inside and outside as two channels, as DeepGrow has them: such a network answers nothing without any."""
    draft.runs_code = True
    draft.steps.append({"_target_": "monai.apps.deepgrow.transforms.AddGuidanceSignald", "sigma": 3})
    weight = torch.zeros(2, 3, 1, 1, 1)
    weight[1, 1], weight[0, 2] = 40.0, 40.0
    draft.config["network_def"] = {"_target_": "torch.nn.Conv3d", "in_channels": 3, "out_channels": 2, "kernel_size": 1}
    draft.state = {"weight": weight, "bias": torch.tensor([10.0, 0.0])}


PATTERNS = {one.__name__: one for one in (at_places, with_classes, by_channels, by_two_lists)}


def write_prompt_bundle(folder: Path, pattern: str) -> Path:
    """Write the bundle of ``pattern`` into ``folder``, which is made."""
    draft = write_zoo_bundle(folder, "plain", PATTERNS[pattern])
    labels = [{**INSIDE, "value": n + 1, "name": name_of(n)} for n in range(draft.labels)]
    change_json(folder / "medai.json", name=folder.name.partition("@")[0], labels=labels)
    return folder


def name_of(number: int) -> str:
    """The name of the label at ``number``, from 0."""
    return NAMES[number] if number < len(NAMES) else f"Part {number + 1}"


def write_vista_bundle(folder: Path, *, roi: int = 16) -> Any:
    """A small VISTA3D of MONAI with random weights in a bundle as it comes; returns the network."""
    write_prompt_bundle(folder, "at_places")
    nets = "monai.networks.nets.vista3d"
    encoder = {
        "_target_": "SegResNetDS2",
        "in_channels": 1,
        "blocks_down": [1, 1],
        "norm": "instance",
        "out_channels": 8,
        "init_filters": 8,
        "dsdepth": 1,
    }
    definition = {
        "_target_": "VISTA3D",
        "image_encoder": encoder,
        "class_head": {"_target_": f"{nets}.ClassMappingClassify", "n_classes": 8, "feature_size": 8},
        "point_head": {"_target_": f"{nets}.PointMappingSAM", "feature_size": 8, "n_classes": 8, "last_supported": 3},
    }
    network = small_vista()
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    change_json(folder / "medai.json", weights=pinned(folder, "models/model.pt"))
    windows = {"_target_": "scripts.own.Inferer", "roi_size": [roi] * 3, "overlap": 0.3}
    change_json(folder / "configs" / "inference.json", network_def=definition, inferer=windows)
    assert digest_of(folder / "models" / "model.pt")
    return network


def small_vista(seed: int = 7) -> Any:
    """The network alone."""
    from monai.networks.nets.segresnet_ds import SegResNetDS2
    from monai.networks.nets.vista3d import VISTA3D, ClassMappingClassify, PointMappingSAM

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = SegResNetDS2(
            in_channels=1, blocks_down=(1, 1), norm="instance", out_channels=8, init_filters=8, dsdepth=1
        )
        head = ClassMappingClassify(n_classes=8, feature_size=8)
        points = PointMappingSAM(feature_size=8, n_classes=8, last_supported=3)
        return VISTA3D(image_encoder=encoder, class_head=head, point_head=points).eval()
