"""A readable font for offscreen screenshots: Qt's offscreen platform has none of its own."""

import importlib.util
from pathlib import Path

from PySide6 import QtGui

FAMILY = "DejaVu Sans"
SYSTEM_FOLDERS = (Path("/usr/share/fonts/truetype/dejavu"), Path("/usr/share/fonts/dejavu"))


def font_files() -> list[Path]:
    """DejaVu Sans from matplotlib's package, else from the system (Debian's fonts-dejavu-core); empty if neither."""
    spec = importlib.util.find_spec("matplotlib")
    packaged = [Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"] if spec and spec.origin else []
    for folder in (*packaged, *SYSTEM_FOLDERS):
        if (folder / "DejaVuSans.ttf").is_file():
            return [folder / "DejaVuSans.ttf", folder / "DejaVuSans-Bold.ttf"]
    return []


def use_readable_font(points: int = 10) -> bool:
    """Makes DejaVu Sans the application's font; False if it cannot be found."""
    for file in font_files():
        QtGui.QFontDatabase.addApplicationFont(str(file))
    if FAMILY not in QtGui.QFontDatabase.families():
        return False
    QtGui.QGuiApplication.setFont(QtGui.QFont(FAMILY, points))
    return True
