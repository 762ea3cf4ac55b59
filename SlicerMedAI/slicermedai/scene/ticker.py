"""Something that is called again and again while Slicer's event loop runs."""

from __future__ import annotations

from collections.abc import Callable


def every(milliseconds: int, callback: Callable[[], object]) -> Callable[[], None] | None:
    """Call ``callback`` every ``milliseconds`` from Qt's event loop; returns what stops that.

    None where there is no Qt (outside Slicer): the caller then drives itself. Python threads are no way to do this,
    since they stand still while Slicer's loop idles.
    """
    try:
        import qt
    except ImportError:
        return None

    timer = qt.QTimer()
    timer.setInterval(milliseconds)
    timer.connect("timeout()", callback)
    timer.start()

    def stop() -> None:
        timer.stop()
        timer.disconnect("timeout()", callback)

    return stop
