"""Every pattern that bundles come in runs, finds the body where it is, and says what was done for it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from slicermedai.bundles.registry import resolve
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.volume import Volume
from slicermedai.errors import InputError
from slicermedai.inference.task import Prediction, RunSettings, predict
from Testing.fixtures.grids import ORIENTATIONS, covering, grid, rotated, tilted
from Testing.inference.conftest import body_on, dice
from Testing.inference.zoo import ZOO, Draft, write_zoo_bundle

AXIAL = covering(spacing=(2.5, 2.5, 2.5), extent=(100.0, 126.0, 116.0))
SAYS = {
    "with_removed_arguments": "takes no img_size any more",
    "on_cuda_alone": "is made on the CPU",
    "with_evaluation_keys": "evaluation keys",
    "with_joined_lists": "put together from first, second",
    "with_windows_larger_than_the_image": "240x240x160 are clamped",
    "of_several_channels": "one channel each: T1c, T1, T2, FLAIR",
    "overlapping": "each channel stays a label of its own",
    "joined_by_own_code": "Firstd, learnt by trying all combinations: 4 channels, 3 of them labels",
    "one_channel_by_argmax": "argmax of one is empty: its label is where its probability is above 0.5",
    "inverted_between_numbers": "interpolate between the numbers of labels",
    "own_scripts": "numpy.product",
    "prompted": "2 channels of prompts stay empty",
    "grey_for_colour": "repeated 3 times",
    "flat_without_slices": "slice by slice",
}


def least(pattern: str) -> float:
    """Dice asked for: labels brought back by the nearest voxel, as that bundle has it, lose up to half a voxel."""
    return 0.97 if pattern == "inverted_as_labels" else 0.99


def run(folder: Path, draft: Draft, geometry: Geometry) -> tuple[Prediction, np.ndarray]:
    """The prediction for the body on ``geometry``, and its truth there."""
    volume, truth = body_on(geometry)
    ref = resolve(str(folder), consent="the test" if draft.runs_code else "")
    return predict(ref, {name: volume for name in draft.inputs}), truth


@pytest.mark.parametrize("pattern", list(ZOO))
def test_every_pattern_finds_the_body_where_it_is(pattern: str, tmp_path: Path) -> None:
    draft = write_zoo_bundle(tmp_path / "zoo@0.1", pattern)
    found, truth = run(tmp_path / "zoo@0.1", draft, AXIAL)
    mask = found.regions[0].region.to_array()
    assert dice(mask, truth) > least(pattern)
    assert found.regions[0].raw_score > 0.9
    assert SAYS.get(pattern, "") in found.compatibility.in_words
    assert not (tmp_path / "zoo@0.1" / "eval").exists(), "nothing of the bundle's own output is made"


def test_labels_that_overlap_stay_so(tmp_path: Path) -> None:
    draft = write_zoo_bundle(tmp_path / "zoo@0.1", "overlapping")
    found, _ = run(tmp_path / "zoo@0.1", draft, AXIAL)
    first, second, third = (one.region.to_array() for one in found.regions)
    assert np.array_equal(first, second)
    assert 0 < third.sum() < second.sum() and not (third & ~second).any()
    assert not found.label_map.array.any() and not found.is_empty


def test_a_second_bundle_with_scripts_is_not_taken_for_the_first(tmp_path: Path) -> None:
    for name in ("one@1", "two@1"):
        draft = write_zoo_bundle(tmp_path / name, "own_scripts")
    text = (tmp_path / "two@1" / "scripts" / "own.py").read_text()
    (tmp_path / "two@1" / "scripts" / "own.py").write_text(text.replace("make(inputs)", "make(inputs, much=2)"))
    before = list(sys.path)
    for name in ("one@1", "two@1"):
        run(tmp_path / name, draft, AXIAL)
    assert sys.path == before
    assert not [name for name in sys.modules if name.split(".")[0] == "scripts"]
    assert not hasattr(np, "product")


def test_images_of_other_grids_and_fields_of_view_come_together_in_space(tmp_path: Path) -> None:
    draft = write_zoo_bundle(tmp_path / "zoo@0.1", "of_several_files")
    grids = {
        "artery": AXIAL,
        "vein": covering("LIP", spacing=(3.0, 1.5, 1.5), extent=(140.0, 160.0, 150.0)),
        "excret": rotated(covering(spacing=(2.0, 2.0, 2.0), extent=(170.0, 190.0, 180.0)), (20, -10, 30)),
    }
    ref = resolve(str(tmp_path / "zoo@0.1"), consent="the test")
    found = predict(ref, {name: body_on(geometry)[0] for name, geometry in grids.items()})
    assert found.label_map.geometry == AXIAL
    assert dice(found.label_map.array == 1, body_on(AXIAL)[1]) > 0.99
    assert draft.inputs == tuple(grids)


def test_images_are_known_by_what_they_call_themselves(tmp_path: Path) -> None:
    draft = write_zoo_bundle(tmp_path / "zoo@0.1", "of_several_channels")
    small, _ = body_on(covering(spacing=(8.0, 8.0, 8.0), extent=(100.0, 126.0, 116.0)))

    def named(name: str) -> Volume:
        return Volume(array=small.array, geometry=small.geometry, modality="MR", name=name)

    series = {str(n): named(f"AX {name} TSE") for n, name in enumerate(reversed(draft.inputs))}
    assert not predict(resolve(str(tmp_path / "zoo@0.1")), series).is_empty
    series["0"] = named("T2 SPACE")
    with pytest.raises(InputError, match="'T2', and more than one of those given is it"):
        predict(resolve(str(tmp_path / "zoo@0.1")), series)
    with pytest.raises(InputError, match="'FLAIR', and none"):
        predict(resolve(str(tmp_path / "zoo@0.1")), {name: small for name in draft.inputs[:3]})


def placed(*, shift: float = 0.0, frame: str = "") -> Volume:
    """The body on AXIAL, moved by ``shift`` mm in a frame of reference."""
    volume, _ = body_on(AXIAL)
    affine = AXIAL.affine.copy()
    affine[0, 3] += shift
    geometry = Geometry(shape=AXIAL.shape, affine=affine, frame_of_reference_uid=frame)
    return Volume(array=volume.array, geometry=geometry, modality="MR")


def test_images_that_do_not_lie_in_one_space_are_refused_by_name(tmp_path: Path) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "of_several_files")
    ref = resolve(str(tmp_path / "zoo@0.1"), consent="the test")
    first = placed(frame="1.2.3")
    with pytest.raises(InputError, match="'artery' and 'excret' are of different frames of reference"):
        predict(ref, {"artery": first, "vein": placed(), "excret": placed(frame="1.2.4")})
    with pytest.raises(InputError, match="'artery' and 'vein' have no place in common"):
        predict(ref, {"artery": first, "vein": placed(shift=400, frame="1.2.3"), "excret": first})


def test_images_of_two_frames_run_where_somebody_says_that_they_are_registered(tmp_path: Path) -> None:
    write_zoo_bundle(tmp_path / "zoo@0.1", "of_several_files")
    ref = resolve(str(tmp_path / "zoo@0.1"), consent="the test")
    images = {"artery": placed(frame="1.2.3"), "vein": placed(frame="1.2.4"), "excret": placed(shift=90.0)}
    found = predict(ref, images, settings=RunSettings(other_frames=True))
    assert not found.is_empty
    assert any("'artery' and 'excret' cover each other by" in line for line in found.warnings)


# --- geometry: every orientation, whatever the pattern -------------------------------------------------------------

ROOM = (100.0, 126.0, 116.0)
ODD = {
    "oblique": rotated(covering(spacing=(2.2, 2.4, 2.6), extent=(150.0, 170.0, 160.0)), (20, -10, 30)),
    "anisotropic": covering("LIP", spacing=(5.0, 1.5, 1.5), extent=ROOM),
    "tilted": tilted(covering(spacing=(2.5, 2.5, 2.5), extent=(100.0, 170.0, 130.0)), 15.0),
    "off centre": AXIAL.cropped((-4, 10, 2), (40, 50, 36)),
    "left-handed": grid("SPR", shape=(47, 51, 41), spacing=(2.5, 2.5, 2.5), center=(6.0, -9.0, 14.0)),
}
PATTERNS = ("plain", "of_several_channels", "slice_by_slice", "overlapping", "inverted_as_labels", "cropped_and_padded")
GRIDS = {
    **{codes: covering(codes, spacing=(2.5, 2.5, 2.5), extent=(112.0, 140.0, 130.0)) for codes in ORIENTATIONS},
    **ODD,
}


@pytest.mark.parametrize("name", list(GRIDS))
def test_no_orientation_moves_a_voxel(name: str, tmp_path: Path) -> None:
    turns = list(GRIDS).index(name)
    for pattern in {PATTERNS[turns % len(PATTERNS)], *(PATTERNS if name in ODD else ())}:
        draft = write_zoo_bundle(tmp_path / f"{pattern}@0.1", pattern)
        found, truth = run(tmp_path / f"{pattern}@0.1", draft, GRIDS[name])
        assert dice(found.regions[0].region.to_array(), truth) > least(pattern), pattern
