"""The same state has the same word and the same colour wherever people meet it."""

from __future__ import annotations

import ast
import colorsys
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slicermedai.app import review_words, words
from slicermedai.batch.cohort import State
from slicermedai.confidence.light import Light
from slicermedai.domain.finding import ConfidenceState
from slicermedai.domain.result import Decision
from slicermedai.report import page

APP = Path(words.__file__).parent
ICONS = APP.parents[1] / "Resources" / "Icons"
STYLE = Path(page.__file__).with_name("style.css")
OF_OTHER_THINGS = {
    "read": {"deid_words.py", "report_words.py", "review_words.py", "words.py"},  # files, a result, an image
    "database": {"batch_words.py", "deid_words.py", "report_words.py"},  # results, copies, objects
    "export": {"report_words.py", "words.py"},  # any format, DICOM alone
    "verify": {"deid_words.py", "models_words.py"},  # copies, a model's files
    "failed": {"report_words.py", "words.py"},  # an object in the outbox is set aside, as the outbox itself says
    "import": {"models_words.py"},  # what goes on, and what was done
    "fetch": {"models_words.py"},
    "remove": {"models_words.py"},
    "": {"deid_words.py", "dicom_results.py"},
    "1": {"report_words.py", "review_words.py"},  # a count, a rating
}
"""One key for different things, by the files that say so."""
HUES = {"green": (100, 170), "amber": (28, 60), "red": (340, 370)}
"""Degrees; red lies on both sides of 360."""


def named(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(key, English word) of every table of words: a dict whose values go through the translation."""
    for table in (node for node in ast.walk(tree) if isinstance(node, ast.Dict)):
        for key, value in zip(table.keys, table.values, strict=True):
            if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "tr":
                word = value.args[0]
                name = key.value if isinstance(key, ast.Constant) else getattr(key, "attr", None)
                if isinstance(word, ast.Constant) and name is not None:
                    yield str(name).lower().replace("_", " "), str(word.value)


def told(folder: Path) -> dict[str, dict[str, set[str]]]:
    """Key -> word -> the files that say it."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in sorted(folder.glob("*.py")):
        for key, word in named(ast.parse(path.read_text(encoding="utf-8"))):
            found[key][word.lower()].add(path.name)
    return found


def differing(found: dict[str, dict[str, set[str]]]) -> dict[str, dict[str, set[str]]]:
    """Keys that different files call differently, without those of different things."""
    many = {key: said for key, said in found.items() if len(said) > 1}
    return {key: said for key, said in many.items() if set().union(*said.values()) != OF_OTHER_THINGS.get(key)}


def test_one_key_has_one_word_in_all_modules() -> None:
    found = told(APP)
    assert len(found) > 60
    assert {key: dict(said) for key, said in differing(found).items()} == {}
    assert [key for key in OF_OTHER_THINGS if len(found[key]) < 2] == [], "these are said alike by now"


def test_a_state_that_two_files_call_differently_is_found(tmp_path: Path) -> None:
    for name, word in (("one_words.py", "waiting"), ("other_words.py", "queued")):
        (tmp_path / name).write_text(f'def text(state, tr):\n    return {{"waiting": tr("{word}")}}[state]\n')
    assert set(differing(told(tmp_path))["waiting"]) == {"waiting", "queued"}


def test_states_are_called_in_the_modules_as_in_reports_tables_and_files() -> None:
    assert [words.confidence_text(one) for one in ConfidenceState] == [one.value for one in ConfidenceState]
    assert [words.kept_state_text(one.value) for one in ConfidenceState] == [one.value for one in ConfidenceState]
    assert [words.decision_text(one) for one in Decision] == [one.value for one in Decision]
    assert [words.state_text(one.value) for one in State] == [one.value for one in State]
    assert [review_words.light_text(one.value) for one in Light] == [one.value for one in Light]


def test_each_state_goes_through_the_translation() -> None:
    for say, states in (
        (words.state_text, [one.value for one in State]),
        (words.kept_state_text, [one.value for one in ConfidenceState]),
        (review_words.light_text, [one.value for one in Light]),
    ):
        assert [say(one, str.upper) for one in states] == [one.upper() for one in states]


def hue(red: float, green: float, blue: float) -> tuple[float, float]:
    """Degrees and saturation of a colour from 0 to 1."""
    turn, saturation, _ = colorsys.rgb_to_hsv(red, green, blue)
    return (turn * 360 if turn * 360 > 20 else turn * 360 + 360), saturation


def main_color(icon: Path) -> tuple[float, float, float]:
    """The colour that most of a picture's opaque pixels are near."""
    with Image.open(icon) as picture:
        pixels = np.asarray(picture.convert("RGBA"), dtype=np.float64).reshape(-1, 4) / 255
    opaque = pixels[pixels[:, 3] > 0.9][:, :3]
    strong = opaque[np.ptp(opaque, axis=1) >= np.median(np.ptp(opaque, axis=1))]
    red, green, blue = np.median(strong, axis=0)
    return float(red), float(green), float(blue)


def page_color(light: str) -> tuple[float, float, float]:
    """The ink of a light in the report, on a light page."""
    style = STYLE.read_text(encoding="utf-8")
    (ink,) = re.findall(rf"\.light\.{light} \{{[^}}]*?[ ;]color: var\(--([\w-]+)\)", style)
    value = re.findall(rf"--{ink}: #([0-9a-f]{{6}})", style)[0]
    red, green, blue = (int(value[start : start + 2], 16) / 255 for start in (0, 2, 4))
    return red, green, blue


@pytest.mark.parametrize("light", list(HUES))
def test_a_light_has_one_hue_in_module_and_report(light: str) -> None:
    low, high = HUES[light]
    for color in (main_color(ICONS / f"Light-{light}.png"), page_color(light)):
        degrees, saturation = hue(*color)
        assert low <= degrees <= high, color
        assert saturation > 0.4


def test_every_light_has_a_picture_and_the_neutral_one_no_hue() -> None:
    assert [one.value for one in Light if one is not Light.NONE] == list(review_words.LIGHTS)
    assert {path.stem for path in ICONS.glob("Light-*.png")} == {
        f"Light-{one}" for one in (*review_words.LIGHTS, "none")
    }
    assert hue(*main_color(ICONS / "Light-none.png"))[1] < 0.25


STATES = [one.value for one in State]
WHITE = (1.0, 1.0, 1.0)


def contrast(first: tuple[float, float, float], second: tuple[float, float, float]) -> float:
    """Of two colours, as WCAG 2.2 reckons it."""

    def luminance(color: tuple[float, float, float]) -> float:
        linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in color]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    low, high = sorted(map(luminance, (first, second)))
    return (high + 0.05) / (low + 0.05)


def shape_of(icon: Path) -> np.ndarray:
    """Where a state's picture is white: its sign, without its colour."""
    with Image.open(icon) as picture:
        pixels = np.asarray(picture.convert("RGBA"), dtype=np.float64) / 255
    return (pixels[..., :3].min(axis=2) > 0.8) & (pixels[..., 3] > 0.5)


def test_every_state_has_one_picture_in_queue_preview_cohort_and_outbox() -> None:
    from slicermedai.app import batch_words, report_words, run_words
    from slicermedai.app.batch_state import CaseShown, StudyShown
    from slicermedai.app.report_state import DeliveryShown
    from slicermedai.app.state import QueueRow

    assert {path.stem for path in ICONS.glob("State-*.png")} == {f"State-{one}" for one in (*STATES, "cancelled")}
    for state in STATES:
        (run,) = run_words.queue_rows([QueueRow(number=1, image="a", title="b", state=state)])
        (study,) = batch_words.study_rows([StudyShown(number=1, patient="a", date="", state=state, reason="")])
        (case,) = batch_words.case_rows([CaseShown(name="0001", patient="a", date="", state=state)])
        assert {(cell, cell.mark) for cell in (run[2], study[3], case[3])} == {
            (words.state_text(state), f"State-{state}")
        }
    sent = {
        state: report_words.outbox_rows([DeliveryShown(uid="1", state=state, object="", destination="", tries=1)])[0][0]
        for state in ("queued", "sending", "sent", "proved", "refused", "failed")
    }
    assert {state: cell.mark[6:] for state, cell in sent.items()} == {
        **{"queued": "waiting", "sending": "running", "sent": "running", "proved": "done"},
        **{"refused": "refused", "failed": "failed"},
    }


def test_pictures_of_states_differ_without_colour_and_are_seen_on_light_and_dark() -> None:
    paths = sorted(ICONS.glob("State-*.png"))
    shapes = [shape_of(path) for path in paths]
    for index, one in enumerate(shapes):
        assert all((one ^ other).sum() > 30 for other in shapes[:index]), paths[index].name
        assert contrast(main_color(paths[index]), WHITE) > 4.5
        assert one[1, 4:-4].mean() > 0.5, "a light rim, for dark ground"
