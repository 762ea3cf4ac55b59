"""The images that Slicer has at hand: volumes of its scene, and series of its DICOM database. No Qt in here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from slicermedai.app.dicom_database import Node, image_branches, images_below
from slicermedai.app.run_inputs import Candidate
from slicermedai.app.series import (
    image_series,
    said_of_node,
    said_of_series,
    series_image,
    series_images,
    title_of_series,
    volume_image,
    volume_images,
)
from slicermedai.app.words import Translate, untranslated


class ImagesAtHand:
    """Asks anew each time: ``slicer`` (the module) has ``mrmlScene``, and ``dicomDatabase`` where there is one."""

    def __init__(self, slicer: Any, *, translate: Translate = untranslated) -> None:
        self._slicer, self._translate = slicer, translate

    def all(self) -> list[Candidate]:
        """Every one, for models that take several."""
        return [*volume_images(self._volumes()), *series_images(self._database(), self.files)]

    def series(self) -> list[tuple[str, str]]:
        """[(UID, text)] of the series of images."""
        return image_series(self._database())

    def branches(self) -> Iterator[Node]:
        """What several can be picked from: loaded volumes, and patients with their studies and series, one by one."""
        loaded = [Node(uid=one.key, text=one.text) for one in volume_images(self._volumes())]
        return image_branches(self._database(), loaded, self._translate("Loaded volumes"))

    def below(self, uids: Iterable[str]) -> tuple[str, ...]:
        """The series of images of patients, studies and series."""
        return images_below(self._database(), uids)

    def find(self, key: str) -> Candidate | None:
        """The volume with that node ID, or the series with that UID; None where it is gone."""
        node, database = self._scene().GetNodeByID(key), self._database()
        if node is not None:
            return volume_image(node)
        if database is None or not database.isOpen or not database.studyForSeries(key):
            return None
        return series_image(database, key, title_of_series(database, key), self.files)

    def files(self, series: str) -> list[Path]:
        """The files of one series."""
        return [Path(path) for path in self._database().filesForSeries(series)]

    def said_of_node(self, node: Any) -> dict[str, str]:
        """What a volume says of itself, see :func:`slicermedai.app.series.said_of_node`."""
        return said_of_node(node, self._database())

    def said_of_series(self, series: str) -> dict[str, str]:
        """What a series says of itself, see :func:`slicermedai.app.series.said_of_series`."""
        return said_of_series(self._database(), series)

    def _scene(self) -> Any:
        return self._slicer.mrmlScene

    def _database(self) -> Any:
        return getattr(self._slicer, "dicomDatabase", None)

    def _volumes(self) -> list[Any]:
        scene, kind = self._scene(), "vtkMRMLScalarVolumeNode"
        return [scene.GetNthNodeByClass(index, kind) for index in range(scene.GetNumberOfNodesByClass(kind))]
