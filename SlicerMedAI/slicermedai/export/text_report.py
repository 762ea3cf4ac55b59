"""The result in words as a Basic Text SR (PS3.3 A.35.1, PS3.16 TID 2000), which the oldest viewers show."""

from __future__ import annotations

from pathlib import Path

from highdicom.sr.enum import RelationshipTypeValues
from highdicom.sr.templates import DEFAULT_LANGUAGE, LanguageOfContentItemAndDescendants
from highdicom.sr.value_types import (
    CodeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    TextContentItem,
)
from pydicom.dataset import Dataset

from slicermedai.domain.codes import Code
from slicermedai.domain.result import AnalysisResult
from slicermedai.export import sr_tree, words
from slicermedai.export.codes import concept, procedure
from slicermedai.export.context import ExportContext
from slicermedai.export.finish import ObjectKind, finish, save
from slicermedai.export.sr import describe

KIND = ObjectKind(name="text", sop_class="1.2.840.10008.5.1.4.1.1.88.11", modality="SR", offset=7)
FILE_NAME = "text.dcm"
_TITLE = Code(value="18748-4", scheme="LN", meaning="Diagnostic Imaging Report")
_FINDINGS = Code(value="121070", scheme="DCM", meaning="Findings")
_FINDING = Code(value="121071", scheme="DCM", meaning="Finding")
_CONCLUSIONS = Code(value="121076", scheme="DCM", meaning="Conclusions")
_CONCLUSION = Code(value="121077", scheme="DCM", meaning="Conclusion")
_PROCEDURE_REPORTED = Code(value="121058", scheme="DCM", meaning="Procedure reported")
_CONTAINS = RelationshipTypeValues.CONTAINS


def write(result: AnalysisResult, folder: Path, *, context: ExportContext) -> list[Path]:
    """Write ``folder/text.dcm``: the outcome and every warning as conclusions, then each statement as a finding.

    Raises
    ------
    MissingContextError
        The source has no headers.
    """
    dataset = Dataset()
    for element in _tree(result, context):
        dataset.add(element)
    describe(dataset, result, context.header)
    return [save(finish(dataset, context, result=result, kind=KIND), folder / FILE_NAME)]


def _tree(result: AnalysisResult, context: ExportContext) -> ContainerContentItem:
    told = list(words.lines(result))
    reported = CodeContentItem(
        name=concept(_PROCEDURE_REPORTED),
        value=concept(procedure(str(context.header.get("Modality", "")))),
        relationship_type=RelationshipTypeValues.HAS_CONCEPT_MOD,
    )
    root = ContainerContentItem(name=concept(_TITLE), template_id="2000")
    root.ContentSequence = ContentSequence(
        [
            *LanguageOfContentItemAndDescendants(DEFAULT_LANGUAGE),
            reported,
            *sr_tree.observers(result),
            _section(_FINDINGS, _FINDING, told),
            _section(_CONCLUSIONS, _CONCLUSION, [words.outcome(result), words.RESEARCH]),
        ]
    )
    return root


def _section(title: Code, name: Code, texts: list[str]) -> ContainerContentItem:
    made = ContainerContentItem(name=concept(title), relationship_type=_CONTAINS)
    items: list[ContentItem] = [
        TextContentItem(name=concept(name), value=text.strip(), relationship_type=_CONTAINS) for text in texts
    ]
    made.ContentSequence = ContentSequence(items)
    return made
