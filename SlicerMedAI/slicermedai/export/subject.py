"""What of a result goes into DICOM objects: the findings in one order, and the algorithm in words.

The order of findings here is the order of segments and of measurement groups: readers match them by it.
"""

from __future__ import annotations

from slicermedai.domain.codes import NO_UNITS, Code
from slicermedai.domain.decisions import is_edited
from slicermedai.domain.finding import ConfidenceState, Finding, Mask, Measurement, PackedMask, numbers
from slicermedai.domain.geometry import Geometry
from slicermedai.domain.result import AnalysisResult, Status
from slicermedai.errors import FormatError
from slicermedai.export.codes import (
    NONE_SUCCEEDED,
    PROBABILITY,
    SUCCEEDED_WITH_FINDINGS,
    SUCCEEDED_WITHOUT_FINDINGS,
)
from slicermedai.export.uids import is_uid

MEASURED_AFTER_EDIT = "region: drawn or edited by a person, measured after that"
_MAX_SEGMENTS = 65535
_SUMMARIES = {
    Status.COMPLETE: SUCCEEDED_WITH_FINDINGS,
    Status.NO_FINDING: SUCCEEDED_WITHOUT_FINDINGS,
    Status.FAILED: NONE_SUCCEEDED,
}


def segmented(result: AnalysisResult) -> tuple[Finding, ...]:
    """The findings, each with voxels, on one grid, in the order of segments; empty where nothing was found.

    Raises
    ------
    FormatError
        A finding without voxels, two grids, or a tracking UID that is none or is there twice.
    """
    for finding in result.findings:
        if not isinstance(finding.region, (Mask, PackedMask)):
            raise FormatError(f"finding {finding.label.name!r} has no voxels", attribute="region")
        if not region(finding).geometry.same_grid(result.volume_geometry):
            raise FormatError(
                f"finding {finding.label.name!r} lies on another grid than the image that was analysed",
                attribute="region",
            )
    if len(result.findings) > _MAX_SEGMENTS:
        raise FormatError(f"more than {_MAX_SEGMENTS} findings", attribute="SegmentNumber")
    return tracked(result)


def tracked(result: AnalysisResult) -> tuple[Finding, ...]:
    """The findings; raises :class:`FormatError` unless each has a tracking UID of its own."""
    for finding in result.findings:
        if not is_uid(finding.tracking_uid):
            raise FormatError(f"finding {finding.label.name!r} has no valid UID", attribute="tracking_uid")
    if len({finding.tracking_uid for finding in result.findings}) != len(result.findings):
        raise FormatError("two findings have one UID", attribute="tracking_uid")
    return result.findings


def region(finding: Finding) -> Mask | PackedMask:
    """The voxels of a finding that :func:`segmented` has let pass."""
    if isinstance(finding.region, (Mask, PackedMask)):
        return finding.region
    raise FormatError(f"finding {finding.label.name!r} has no voxels", attribute="region")


def grid(result: AnalysisResult) -> Geometry:
    """The grid that all findings lie on."""
    return result.volume_geometry


def line(text: str) -> str:
    """``text`` as one value of VR LO: one line, 64 characters, no backslash (PS3.5 6.2)."""
    return " ".join(text.replace("\\", "/").split())[:64].strip()


def tracking_id(result: AnalysisResult, number: int) -> str:
    """What people read beside the tracking UID of the ``number``-th finding, the same in SEG and SR (VR LO).

    Its number stays when others are rejected, and over time points.
    """
    found = result.findings[number - 1]
    name = line(f"{result.provenance.bundle} {found.label.name}")
    return f"{name[:58].strip()} {numbers(result.findings)[number - 1]}"


def summary(result: AnalysisResult) -> Code:
    """What the algorithm came to (CID 6047). Findings that people rejected were its findings nevertheless."""
    return _SUMMARIES[result.status]


def algorithm_name(result: AnalysisResult) -> str:
    """The model, as VR LO has room for it."""
    return line(result.provenance.bundle)


def algorithm_version(result: AnalysisResult) -> str:
    """Its version, as VR LO has room for it."""
    return line(result.provenance.bundle_version)


def algorithm_parameters(result: AnalysisResult) -> tuple[str, ...]:
    """``name: value`` of what determines the algorithm's output."""
    made = result.provenance
    others = [one for one in made.weights if one.sha256 != made.weights_sha256]
    return (
        f"weights sha256: {made.weights_sha256}",
        *(f"weights sha256 of {one.file}: {one.sha256}" for one in others),
        f"device: {made.device}",
        f"precision: {made.precision}",
        f"seed: {made.seed}",
        *([f"trust record sha256: {made.trust_record.sha256}"] if made.trust_record else []),
    )


def algorithm(result: AnalysisResult) -> tuple[str, ...]:
    """All that tells one algorithm from another."""
    made = result.provenance
    return (made.bundle, made.bundle_version, *algorithm_parameters(result))


def warnings(result: AnalysisResult) -> tuple[str, ...]:
    """What must be read before the numbers, in full, each as VR UT and LT have room for it."""
    return tuple(f"Warning: {text}"[:1024] for text in result.provenance.warnings)


def probability(result: AnalysisResult, finding: Finding) -> tuple[Measurement, ...]:
    """The calibrated probability of ``finding`` as a number; nothing unless every finding of the result has one.

    Readers take columns by position, and some take no column without a number: so all findings have it, or none.
    """
    sure = finding.confidence
    if sure.probability is None or any(one.confidence.probability is None for one in result.findings):
        return ()
    return (Measurement(name=PROBABILITY, value=sure.probability, unit=NO_UNITS, interval=sure.interval),)


def explains_findings(result: AnalysisResult) -> bool:
    """True where a map of ``result`` explains one of its findings."""
    found = explainable(result)
    return any(uid in found for one in result.maps for uid in one.explains)


def explainable(result: AnalysisResult) -> set[str]:
    """The findings that a map may explain: a network's answer, and not what a person drew in its place."""
    return {one.tracking_uid for one in result.findings if not is_edited(result, one)}


def measured_of(result: AnalysisResult, finding: Finding) -> tuple[str, ...]:
    """What must be said beside a number of ``finding`` that was not measured of the voxels that the model found."""
    return (MEASURED_AFTER_EDIT,) if is_edited(result, finding) else ()


def calibration(finding: Finding) -> str:
    """How the confidence of ``finding`` was calibrated; "none" is said, never left out."""
    if finding.confidence.state is ConfidenceState.CALIBRATED:
        return f"calibration: {finding.confidence.calibration}"
    return f"calibration: none ({finding.confidence.state.value})"
