"""A picture that is no slice: a projection (X-ray, mammogram) or a photograph (retina)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from slicermedai.domain.codes import Code
from slicermedai.domain.words import Words

WHITE = 255.0
"""Full brightness of :attr:`Flat.display`; 0 is black."""

_SIDES = {
    "L": Code(value="7771000", scheme="SCT", meaning="Left"),
    "R": Code(value="24028007", scheme="SCT", meaning="Right"),
    "B": Code(value="51440002", scheme="SCT", meaning="Bilateral"),
}


class PixelValues(Words):
    """What a model of pictures takes: that is the model's own word, or a person's, and never guessed.

    DISPLAY is what a viewer shows: modality and VOI transformation, black is 0 and white 255. MODALITY is the values
    that stand in the file after Modality LUT or rescale, turned so that bright is high, in the picture's own range.
    """

    DISPLAY = "display"
    MODALITY = "modality"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Flat:
    """What one picture has beside its values.

    Parameters
    ----------
    display:
        (1, rows, columns) float32 as a viewer shows it, 0 (black) to 255 (white); of a colour picture its brightness.
    colours:
        (3, 1, rows, columns) float32: red, green and blue from 0 to 255, or None for a grey picture.
    laterality:
        The side of the body part: "L", "R", "B" (both), or "" where it has none or the header does not say it.
    view:
        DICOM View Position (0018,5101): "PA", "MLO" ..., or "".
    towards:
        Patient Orientation (0020,0020): where rows run to, and columns ("L", "F"); () where it is not stated.
    shown:
        Why ``display`` is not what the maker meant to be shown, as of raw detector values; "" where it is.
    steps:
        How ``display`` was made, and the values, in words.
    """

    display: NDArray[Any]
    colours: NDArray[Any] | None = None
    laterality: str = ""
    view: str = ""
    towards: tuple[str, ...] = ()
    shown: str = ""
    steps: tuple[str, ...] = ()

    @property
    def side(self) -> Code | None:
        """The coded side (CID 244), or None."""
        return _SIDES.get(self.laterality)

    @property
    def in_words(self) -> str:
        """Side and view, as "left MLO"; "" where neither is known."""
        return " ".join(filter(None, (self.side.meaning.lower() if self.side else "", self.view)))
