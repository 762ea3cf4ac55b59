"""Binds a parameter to a widget: which widget can show which type, and how it is read, written and watched."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from Testing.Harness.pythonqt.objects import PythonQtObject, wrapper_class

PARAMETER_PROPERTY = "SlicerParameterName"


@dataclass(frozen=True, slots=True)
class Binding:
    """How one widget class shows a value: signal, getter, setter."""

    signal: str
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], None]


def _attribute(name: str, signal: str) -> Binding:
    return Binding(signal, lambda widget: getattr(widget, name), lambda widget, value: setattr(widget, name, value))


NUMBER_BOXES = (
    "QDoubleSpinBox",
    "ctkSliderWidget",
    "qMRMLSliderWidget",
    "ctkDoubleSlider",
    "ctkDoubleSpinBox",
    "qMRMLSpinBox",
)
MUST_BE_BOUNDED = ("QSlider", "ctkSliderWidget", "qMRMLSliderWidget")
COMBO_BOXES = ("QComboBox", "ctkComboBox")
INDEX = _attribute("currentIndex", "currentIndexChanged(int)")
BINDINGS: dict[tuple[type, str], Binding] = {
    (bool, "QCheckBox"): _attribute("checked", "toggled(bool)"),
    (bool, "ctkCheckBox"): _attribute("checked", "toggled(bool)"),
    (bool, "QPushButton"): _attribute("checked", "toggled(bool)"),
    (bool, "ctkCheckablePushButton"): _attribute("checked", "toggled(bool)"),
    (int, "QSpinBox"): _attribute("value", "valueChanged(int)"),
    (int, "QSlider"): _attribute("value", "valueChanged(int)"),
    (str, "QLineEdit"): _attribute("text", "textChanged(QString)"),
    (str, "QLabel"): _attribute("text", ""),
    (str, "QTextEdit"): _attribute("plainText", "textChanged()"),
    **{(kind, name): _attribute("value", "valueChanged(double)") for kind in (int, float) for name in NUMBER_BOXES},
}
"""(type of the parameter, class of the widget) -> how they are bound. Slicer takes no class derived from these."""
NODE = Binding(
    "currentNodeChanged(vtkMRMLNode*)",
    lambda widget: widget.currentNode(),
    lambda widget, node: widget.setCurrentNode(node),
)


@dataclass(slots=True)
class Connector:
    """One bound widget."""

    widget: Any
    binding: Binding
    to_value: Callable[[Any], Any]
    to_widget: Callable[[Any], Any]
    _callback: Callable[[], None] | None = field(default=None)

    def read(self) -> Any:
        """The widget's value, in the parameter's type."""
        return self.to_value(self.binding.read(self.widget))

    def write(self, value: Any) -> None:
        """Shows the value if it is another one than shown."""
        shown = self.to_widget(value)
        if self.binding.read(self.widget) != shown:
            self.binding.write(self.widget, shown)

    def on_changed(self, callback: Callable[[], None]) -> None:
        """Calls back on every change by the user."""
        self._callback = callback
        if self.binding.signal:
            self.widget.connect(self.binding.signal, callback)

    def disconnect(self) -> None:
        """Stops calling back."""
        if self._callback is not None and self.binding.signal and self.widget:
            self.widget.disconnect(self.binding.signal, self._callback)
        self._callback = None


def bound_widgets(gui: Any) -> dict[str, Any]:
    """Parameter name -> widget, for a widget's children or for the object of ``childWidgetVariables``."""
    if isinstance(gui, PythonQtObject):
        widgets = gui.findChildren(wrapper_class("QWidget"))
    else:
        widgets = [w for w in vars(gui).values() if isinstance(w, PythonQtObject)]
    return {w.property(PARAMETER_PROPERTY): w for w in widgets if w.property(PARAMETER_PROPERTY)}


def connector(widget: Any, parameter: Any) -> Connector:
    """The connector for a widget and a parameter; it also hands the widget the parameter's limits and choices.

    :raises RuntimeError: if Slicer cannot bind this type to this widget
    """
    kind, name = parameter.type, type(widget).pythonqt_name
    if hasattr(kind, "SafeDownCast") and name == "qMRMLNodeComboBox":
        return Connector(widget, NODE, lambda v: v, lambda v: v)
    if name in COMBO_BOXES:
        return _choice_connector(widget, parameter)
    if (kind, name) not in BINDINGS:
        raise RuntimeError(f"Unable to create GUI connector from datatype '{kind}' to widget type '{name}'")
    _apply_limits(widget, parameter)
    return Connector(widget, BINDINGS[kind, name], kind, lambda v: v)


def _choice_connector(widget: Any, parameter: Any) -> Connector:
    """A combo box shows the members of an Enum by their label, else name; other types need a Choice."""
    if isinstance(parameter.type, type) and issubclass(parameter.type, Enum):
        choices = list(parameter.type)
        label = getattr(parameter.type, "label", lambda member: member.name)
    else:
        choices = next((list(rule.choices) for rule in parameter.annotations if hasattr(rule, "choices")), [])
        label = str
    if not choices:
        raise RuntimeError(f"{parameter.name}: a combo box requires an Enum or the Choice annotation")
    widget.clear()
    for choice in choices:
        widget.addItem(label(choice))
    return Connector(widget, INDEX, choices.__getitem__, choices.index)


def _apply_limits(widget: Any, parameter: Any) -> None:
    """The parameter's limits replace the form's; without any, the widget takes every number."""
    name = type(widget).pythonqt_name
    if parameter.type not in (int, float):
        return
    limits = {k: getattr(r, k) for r in parameter.annotations for k in ("minimum", "maximum") if hasattr(r, k)}
    if name in MUST_BE_BOUNDED and len(limits) < 2:
        raise RuntimeError(f"{parameter.name}: cannot have a connection to {name} where the number is unbounded")
    extremes = (-(2**31), 2**31 - 1) if name in ("QSpinBox", "QSlider") else (float("-inf"), float("inf"))
    if parameter.type is int and name in NUMBER_BOXES and name != "ctkDoubleSlider":
        widget.decimals = 0
    widget.minimum = limits.get("minimum", extremes[0])
    widget.maximum = limits.get("maximum", extremes[1])
