"""Results of runs as they come in: shown in a scene in short moments, and what takes long is left to others."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import slicer

from slicermedai.domain.decisions import decided
from slicermedai.domain.result import AnalysisResult
from slicermedai.domain.volume import Volume
from slicermedai.errors import GeometryError
from slicermedai.scene import identity
from slicermedai.scene.comparing import Comparing, Hashes
from slicermedai.scene.preparing import LATER, Prepared, preparing
from slicermedai.scene.show import Shown, check_node, lay_out, names_series, show_volume
from slicermedai.scene.surfaces import Awaited, await_surfaces
from slicermedai.scene.volumes import image_data, volume_as_shown, voxels_of


class Arrivals:
    """Shows results in the MRML scene ``scene``, which is handed in; surfaces are made elsewhere (:class:`Awaited`)."""

    def __init__(self, scene: Any) -> None:
        self.scene = scene
        self._hashes = Hashes()

    def comparing(self, result: AnalysisResult, node: Any) -> Comparing | None:
        """Work that compares the image of ``node`` with the one that was analysed, to be done before :meth:`show`;
        None where there is nothing to compare, or it is done at once.
        """
        read = result.provenance.input
        if read is None or not read.image or names_series(result, node):
            return None
        return self._hashes.comparing(node)

    def copying(self, node: Any) -> Generator[None, None, tuple[Volume, str]]:
        """The voxels of a node as a volume that names nobody, for a pseudonymous result, and their hash where it was
        taken; in pieces.

        Raises
        ------
        UnsupportedImageError, GeometryError
            As :func:`slicermedai.scene.volumes.volume_from_node` does.
        """
        seen = volume_as_shown(node)
        copy = voxels_of((yield from image_data(seen.array)))
        return replace(seen, array=copy).voxels_alone(), self._hashes.of(node)

    def preparing(
        self, result: AnalysisResult, image: Volume | Any | None, *, known: str = ""
    ) -> Generator[None, None, Prepared]:
        """What is large of ``result`` and of ``image``, where that is a volume, for :meth:`show`; in pieces.

        ``known`` is the hash of a volume, where it was taken. Nothing of it is in the scene.
        """
        return preparing(decided(result), image if isinstance(image, Volume) else None, known=known)

    def show(
        self, result: AnalysisResult, image: Volume | Any | None, *, prepared: Prepared = LATER, turn: bool = True
    ) -> Shown:
        """Show ``result`` on ``image``, a volume, the node of one, or None for none; without surfaces.

        ``turn`` brings the slice views to the image.

        Raises
        ------
        GeometryError, InputError, IdentityError, UnsupportedImageError
            As :func:`slicermedai.scene.show.show` does.
        """
        if isinstance(image, Volume):
            shown = show_volume(result, self.scene, image, prepared=prepared)
        elif image is not None:
            shown = self._on_node(result, image, prepared)
        else:
            shown = lay_out(decided(result), self.scene, self.image_node(result), prepared=prepared)
        if turn and shown.volume_node is not None:
            slicer.util.setSliceViewerLayers(background=shown.volume_node, fit=True)
        return shown

    def image_node(self, result: AnalysisResult) -> Any | None:
        """The node that was made of the image of ``result``; None where the scene has none."""
        found = identity.marked_nodes(self.scene, identity.result_key(result), identity.VOLUME)
        return found[0] if found else None

    def awaited(self, shown: Shown) -> Awaited:
        """The segments that have no surface yet, but for small ones."""
        return await_surfaces(shown.segmentation_node)

    def _on_node(self, result: AnalysisResult, node: Any, prepared: Prepared) -> Shown:
        if not self.scene.IsNodePresent(node):
            raise GeometryError(
                "the volume that was analysed is not in the scene any more",
                attribute="volume_node",
                advice="Open its result with MedAI Review.",
            )
        now = decided(result)
        remark = check_node(now, node, known=self._hashes.of(node))
        return lay_out(now, self.scene, node, prepared=prepared, remark=remark)
