"""What a job is: one small frozen dataclass per kind. :mod:`slicermedai.jobs.kinds` says how a new kind is added.

The fields' metadata is the one source of the command line's options, of the GUI's defaults and of the reference:
``help`` (a sentence), ``choices`` where the values are few, ``aliases``, other names of the option, and ``setting``,
the name of what a person may have set in place of the default; ``where`` says with which value of another field only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar


def _option(text: str, **rest: Any) -> dict[str, Any]:
    return {"help": text, **rest}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What all kinds of job have: a name of the kind, and one folder that is made."""

    kind: ClassVar[str] = ""

    output: str = field(
        default="medai-result", metadata=_option("folder to make; it must not exist", setting="results")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob(Job):
    """Read a study, de-identify it where asked, run a model, and leave a result folder."""

    kind: ClassVar[str] = "run"

    source: str = field(metadata=_option("DICOM folder or file, NIfTI or NRRD file, or a saved volume folder"))
    bundle: str = field(default="brain", metadata=_option("model, as name or name@version"))
    series: str = field(default="", metadata=_option("series (UID, or UID#stack), where the source holds several"))
    inputs: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            "further images of a model that takes several, comma-separated: NAME=PATH or NAME=PATH::SERIES, as in "
            "FLAIR=study::1.2.3"
        ),
    )
    shows: str = field(
        default="", metadata=_option("what SOURCE shows, where a model takes several images and it does not say (T1)")
    )
    over_time: bool = field(
        default=False,
        metadata=_option(
            "the series shows one body several times (cine MR, dynamic CT or PET, a NIfTI file of four dimensions): "
            "every frame is analysed, and each structure's volume told over time"
        ),
    )
    other_frames: bool = field(
        default=False,
        metadata=_option(
            "the images of a model that takes several are registered, though their frames of reference differ"
        ),
    )
    identity: str = field(
        default="keep",
        metadata=_option(
            "keep: results carry the patient; deidentify: all output is pseudonymous",
            choices=("keep", "deidentify"),
        ),
    )
    device: str = field(
        default="auto", metadata=_option("auto, cpu, cuda, cuda:N or mps; never changed silently", setting="device")
    )
    precision: str = field(
        default="float32",
        metadata=_option(
            "float32; auto: bfloat16 where the device has it and the labels stay the same; bfloat16 in any case",
            choices=("float32", "auto", "bfloat16"),
        ),
    )
    folds: str = field(
        default="",
        metadata=_option(
            "which networks answer of a model that has several: names, comma-separated, as in 0,2; all: the mean of "
            "every one; default: the first alone"
        ),
    )
    prompts: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            "what a person marked for a model that takes points and boxes, comma-separated, LPS mm: LABEL=x y z for a "
            "point in a structure, LABEL!=x y z for one outside of it, LABEL=x y z to x y z for a box that holds it"
        ),
    )
    body_part: str = field(
        default="",
        metadata=_option(
            "part of the body that the images show (CHEST), where their headers are silent or wrong; any: it is not "
            "held against the model's"
        ),
    )
    previous: str = field(
        default="",
        metadata=_option(
            "result folder of an earlier study of the patient: the same structures keep its tracking UIDs, and the "
            "report says how their volumes changed"
        ),
    )
    matches: str = field(
        default="",
        metadata=_option(
            "with an earlier study's result: table (CSV) of which finding is which, columns finding and earlier"
        ),
    )
    pixel_values: str = field(
        default="model",
        metadata=_option(
            "what the model takes of X-ray pictures and photographs; model: as it says itself; display: as they are "
            "shown, 0 to 255; modality: their values, before VOI LUT and window",
            choices=("model", "display", "modality"),
        ),
    )
    formats: tuple[str, ...] = field(
        default=(), metadata=_option("output formats, comma-separated; default: seg,sr, or nifti,csv without patient")
    )
    tilt: str = field(
        default="refuse",
        metadata=_option("what the gate does with a tilted gantry", choices=("refuse", "resample")),
    )
    preset: str = field(
        default="basic",
        metadata=_option(
            "how a study is de-identified: basic, research, hipaa-safe-harbor, or the file of a site's own preset"
        ),
    )
    ocr: bool | None = field(
        default=None,
        metadata=_option("with identity deidentify, search the pixels for burned-in text; default: as the preset says"),
    )
    deface: bool | None = field(
        default=None,
        metadata=_option("with identity deidentify, remove faces from head CT and MR; default: as the preset says"),
    )
    project_key: str = field(
        default="",
        metadata=_option(
            "file with the project key of the pseudonyms; without it a key for this job alone",
            setting="project_key",
            where=("identity", "deidentify"),
        ),
    )
    uncertainty: str = field(
        default="none",
        metadata=_option(
            "ask the model again where it found something, and report how its answers vary: flips, about mirror "
            "images; folds, each network of a model that ships several; dropout, with the network's own dropout left "
            "on",
            choices=("none", "flips", "folds", "dropout"),
        ),
    )
    contour_level: float = field(
        default=0.9,
        metadata=_option(
            "the share of the samples that agree within the inner contour of a structure, and outside of its outer "
            "one: above 0.5 and below 1"
        ),
    )
    saliency: str = field(
        default="",
        metadata=_option(
            "method of a map of what in the image spoke for the answer; gradient and occlusion for TorchScript",
            choices=("", "hirescam", "gradcam", "gradient", "occlusion"),
        ),
    )
    saliency_target: str = field(
        default="",
        metadata=_option(
            "what the map is of: a label, with its side where several have one name, or LABEL#2 for its second largest "
            "part or second surest box; default: the largest structure, the surest box or the likeliest label"
        ),
    )
    stability: int = field(
        default=0,
        metadata=_option(
            "how many times the image is changed within scanner noise (noise, a shift of a quarter voxel, gain of MR) "
            "and analysed again, to report how the result moves; each costs a whole run of the model; 0: never"
        ),
    )
    stability_noise: str = field(
        default="measured",
        metadata=_option("standard deviation of the noise that is added, in the image's unit; measured: in the image"),
    )
    report: bool = field(default=True, metadata=_option("leave a report, pictures and a Slicer scene"))
    thumbnail: bool = field(
        default=False, metadata=_option("leave a small picture of what was found, made without scene and report")
    )
    remark: str = field(
        default="", metadata=_option("what every reader must know of this input; stands first in the report")
    )
    seed: int = field(default=0, metadata=_option("seed of everything random"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob(Job):
    """Write a saved result in other formats."""

    kind: ClassVar[str] = "export"

    source: str = field(metadata=_option("result folder of an earlier run"))
    output: str = field(
        default="medai-export", metadata=_option("folder to make; it must not exist", aliases=("--out",))
    )
    formats: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            "output formats, comma-separated, beside those of the profile; default: seg,sr", aliases=("--to",)
        ),
    )
    profile: str = field(
        default="none",
        metadata=_option(
            "formats together: archive (seg, sr, pmap), viewer (seg, sr-plain, sr-lengths), "
            "legacy (rtstruct, text, capture)",
            choices=("none", "archive", "viewer", "legacy"),
        ),
    )
    earlier: str = field(
        default="",
        metadata=_option(
            "result folder of an earlier study of the patient: findings keep its tracking UIDs, as tracking.csv tells"
        ),
    )
    matches: str = field(
        default="",
        metadata=_option("with an earlier result: table (CSV) of which finding is which, columns finding and earlier"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidJob(Job):
    """Write de-identified copies of DICOM files, and a report of what was done. Nothing leaves this computer."""

    kind: ClassVar[str] = "deid"

    source: str = field(metadata=_option("DICOM folder, file, zip file or DICOMDIR folder"))
    output: str = field(metadata=_option("folder to make; it must not exist"))
    preset: str = field(
        default="basic", metadata=_option("basic, research, hipaa-safe-harbor, or the file of a site's own preset")
    )
    options: tuple[str, ...] = field(
        default=(),
        metadata=_option("options of the Basic profile beside the preset's, by code (113101 to 113112)"),
    )
    key: str = field(
        default="",
        metadata=_option(
            "file with the project key of the pseudonyms; without it a key for this job alone, not kept",
            setting="project_key",
        ),
    )
    table: str = field(default="", metadata=_option("encrypted file that collects who is who; made where missing"))
    exclude: str = field(default="", metadata=_option("list of patients who opted out: their files are left out"))
    ocr: bool | None = field(
        default=None,
        metadata=_option("search the pixels for burned-in text and remove it (113101); default: as the preset says"),
    )
    deface: bool | None = field(
        default=None, metadata=_option("remove faces from head CT and MR (113102); default: as the preset says")
    )
    processes: int = field(default=0, metadata=_option("how many processes work at once; 0: by the size of the job"))
    names: str = field(
        default="number",
        metadata=_option(
            "number: 00001.dcm and so on; tree: PATIENT/STUDY/SERIES/INSTANCE.dcm of pseudonyms",
            choices=("number", "tree"),
        ),
    )
    review: str = field(
        default="",
        metadata=_option("folder for what people must look at (patient data): doubtful text, names of refused files"),
    )
    decisions: str = field(
        default="",
        metadata=_option(
            "decisions.json of an earlier folder for review: picture -> keep or remove, applied to the pixels"
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateJob(Job):
    """Run a model on cases with references that it was not trained on, and leave its trust record."""

    kind: ClassVar[str] = "calibrate"

    source: str = field(metadata=_option("table (CSV: case, image, reference, subject) or folder of cases"))
    output: str = field(default="medai-calibration", metadata=_option("folder to make; it must not exist"))
    bundle: str = field(default="brain", metadata=_option("model, as name or name@version"))
    trained_on: str = field(
        default="",
        metadata=_option(
            "file with the patients that the model was trained on, one a line; none: it saw none of these"
        ),
    )
    labels: str = field(
        default="", metadata=_option("table (CSV: reference, label) of what is which; default: equal numbers and names")
    )
    generated: bool = field(default=False, metadata=_option("the images are phantoms or simulated, all or some"))
    uncertainty: str = field(
        default="none",
        metadata=_option(
            "fit the expected Dice to how samples agree too, for runs that take the same: flips, up to eight sweeps a "
            "case; folds, one for each; dropout, eight",
            choices=("none", "flips", "folds", "dropout"),
        ),
    )
    saliency: str = field(
        default="",
        metadata=_option(
            "check saliency maps of this method too, on a case of each of the first ten patients: takes some hundred "
            "sweeps a patient, and thousands for occlusion",
            choices=("", "hirescam", "gradcam", "gradient", "occlusion"),
        ),
    )
    device: str = field(
        default="auto", metadata=_option("auto, cpu, cuda, cuda:N or mps; never changed silently", setting="device")
    )
    seed: int = field(default=0, metadata=_option("seed of everything random"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateJob(Job):
    """Run a model on cases with references, and leave a report of how well it does, and for whom."""

    kind: ClassVar[str] = "validate"

    source: str = field(metadata=_option("table (CSV: case, image, reference, subject) or folder of cases"))
    output: str = field(default="medai-validation", metadata=_option("folder to make; it must not exist"))
    bundle: str = field(default="brain", metadata=_option("model, as name or name@version"))
    labels: str = field(
        default="", metadata=_option("table (CSV: reference, label) of what is which; default: equal numbers and names")
    )
    generated: bool = field(default=False, metadata=_option("the images are phantoms or simulated, all or some"))
    device: str = field(
        default="auto", metadata=_option("auto, cpu, cuda, cuda:N or mps; never changed silently", setting="device")
    )
    seed: int = field(default=0, metadata=_option("seed of everything random"))
