"""Windows for networks that were trained on images filled up to a whole window.

They are laid as MONAI's own are, and an image that is smaller is filled up to one. Elsewhere this library clamps
windows to a small image, which a network that takes mean and spread over its window (instance normalisation) answers
otherwise.
"""

from __future__ import annotations

from monai.inferers import SliceInferer, SlidingWindowInferer


class SlidingWindowInfererFilled(SlidingWindowInferer):
    """The entry ``inferer`` of networks of three dimensions that never saw less than a window."""


class SliceInfererFilled(SliceInferer):
    """The entry ``inferer`` of networks of two dimensions that never saw less than a window."""


FILLED = (SlidingWindowInfererFilled, SliceInfererFilled)
