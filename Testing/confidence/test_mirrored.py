"""A classifier asked about mirror images: what does not depend on how the image lies does not vary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from slicermedai.bundles.coding import SIDES
from slicermedai.bundles.manifest import Manifest, read_manifest
from slicermedai.confidence.mirrored import MirroredScores, mirrored_scores
from slicermedai.domain.finding import Confidence, ConfidenceState, Finding, tracking_uid
from slicermedai.errors import InputError
from slicermedai.inference.adapter.post import Postprocessing
from Testing.inference.test_saliency_labels import LABELS, looked
from Testing.inference.tiny_bundle import write_tiny_bundle

FINDINGS = [
    (
        value,
        Finding(
            tracking_uid=tracking_uid("a", str(value)),
            label=label,
            region=None,
            confidence=Confidence(state=ConfidenceState.NOT_CALIBRATED, raw_score=0.5),
        ),
    )
    for value, label in LABELS
]


class Sides(torch.nn.Module):
    """Log-odds of the first label: the sum of one half of the last axis less that of the other; of the others 0."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        half = x.shape[-1] // 2
        score = x[..., :half].sum() - x[..., half:].sum()
        return torch.stack([score, 0 * score, 0 * score])[None]


@pytest.mark.parametrize(("shape", "samples"), [((6, 5, 4), 8), ((6, 4, 1), 4)])
def test_the_spread_is_that_of_all_mirror_images(shape: tuple[int, int, int], samples: int) -> None:
    """Of a flat image the last axis is none; the network looks along the last that there is."""
    image = np.zeros(shape, dtype=np.float32)
    side = (slice(None), slice(None), 0) if shape[2] > 1 else (slice(None), 0)
    image[side] = 1.5 / image[side].size
    given = looked(Sides(), image, Postprocessing(exclusive=False, threshold=0.6))
    heard = MirroredScores()
    heard.heard(given)
    found = heard.uncertainty(FINDINGS)
    assert found is not None and (found.samples, found.cost, found.structures) == (samples, samples, ())
    high = 1 / (1 + np.exp(-float(image.sum())))
    first, second, _, note = found.notes
    assert first == (
        f"Bright: score {high:.2f}; {1 - high:.2f} to {high:.2f} over the image and its {samples - 1} mirror images,"
        f" found in {samples // 2} of {samples}."
    )
    assert second.startswith("Dark: score 0.50; 0.50 to 0.50") and f"found in 0 of {samples}" in second
    assert "no probability" in note


def test_of_labels_that_exclude_each_other_the_likeliest_is_found() -> None:
    image = np.zeros((4, 4, 4), dtype=np.float32)
    image[..., 0] = 0.1
    heard = MirroredScores()
    heard.heard(looked(Sides(), image, Postprocessing(exclusive=True)))
    found = heard.uncertainty(FINDINGS[:1])
    assert found is not None and "found in 4 of 8" in found.notes[0]


def test_a_network_that_sees_no_sides_does_not_vary() -> None:
    class Even(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x.max(), x.min(), x.mean()])[None]

    rng, heard = np.random.default_rng(1), MirroredScores()
    given = looked(Even(), rng.standard_normal((5, 4, 3)).astype(np.float32), Postprocessing(exclusive=False))
    before = given.image.clone()
    heard.heard(given)
    found = heard.uncertainty(FINDINGS[:1])
    assert found is not None and torch.equal(before, given.image)
    low, high = found.notes[0].split("; ")[1].split(" over ")[0].split(" to ")
    assert low == high


def test_nothing_asked_is_nothing_told() -> None:
    heard = MirroredScores()
    heard.heard("something else")
    assert not heard.has_varied and heard.uncertainty(FINDINGS) is None


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return read_manifest(write_tiny_bundle(tmp_path / "tiny@0.1"))


def test_labels_with_a_side_and_other_samples_are_refused(manifest: Manifest) -> None:
    assert mirrored_scores("none", manifest) is None and mirrored_scores("flips", manifest) is not None
    ((value, label),) = manifest.ref.labels
    named = [replace(label, name=name) for name in ("Opacity, right zone", "Upper lobe opacity", "Pole (inferior)")]
    for sided in (replace(label, modifier=SIDES["left"]), *named):
        other = replace(manifest, ref=replace(manifest.ref, labels=((value, sided),)))
        with pytest.raises(InputError, match="have a side"):
            mirrored_scores("flips", other)
    for method in ("folds", "dropout"):
        with pytest.raises(InputError, match="other samples than mirror images"):
            mirrored_scores(method, manifest)
