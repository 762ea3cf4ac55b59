"""A stand-in for the Python modules ``qt``, ``ctk`` and the Qt part of ``slicer``, over PySide6.

Real Qt objects do the work (``objects.py`` wraps them); the facts decide which of their names exist
(``Testing.Harness.facts``), so that a name PySide6 has and Slicer has not raises an AttributeError.
"""
