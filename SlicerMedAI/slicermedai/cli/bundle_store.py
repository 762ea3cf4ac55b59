"""``slicermedai bundle import|verify|pin|rollback|remove|consent|history``: models come, change and go."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_actions(actions: Any) -> None:
    """Add the parsers of these actions to those of ``bundle``."""
    _add_import(actions)
    verifying = actions.add_parser(
        "verify", help="whether all files are as they came", description="Hash all files of the models."
    )
    verifying.add_argument("names", nargs="*", metavar="NAME", help="name, name@version or folder; all without any")
    verifying.set_defaults(do=do_verify)
    for name, words, function in (
        ("pin", "let a name stand for one version", do_pin),
        ("remove", "remove a version", do_remove),
    ):
        parser = actions.add_parser(name, help=words, description=f"{words.capitalize()}.")
        parser.add_argument("title", metavar="NAME@VERSION", help="the version that is meant")
        parser.set_defaults(do=function)
    back = actions.add_parser(
        "rollback", help="go back to the version before", description="Let a name stand for the version before."
    )
    back.add_argument("name", metavar="NAME", help="the model")
    back.set_defaults(do=do_rollback)
    agreeing = actions.add_parser(
        "consent",
        help="agree that a model runs code of its own",
        description="Agree that a model runs code of its own, as its files are now. A changed file ends it.",
    )
    agreeing.add_argument("title", metavar="NAME@VERSION", help="the version that is meant")
    agreeing.add_argument("--word", required=True, metavar="TEXT", help="who agrees, and why the code is trusted")
    agreeing.set_defaults(do=do_consent)
    history = actions.add_parser("history", help="what changed, by whom", description="Print the record of changes.")
    history.set_defaults(do=do_history)


def _add_import(actions: Any) -> None:
    parser = actions.add_parser(
        "import",
        help="install a model from elsewhere",
        description="Install a MONAI bundle, an nnU-Net or Auto3DSeg model: a folder, a zip, a file with a card, or, "
        "with --online, a name in MONAI's Model Zoo.",
    )
    parser.add_argument("source", metavar="SOURCE", help="folder, zip, file of weights, or a name with --online")
    parser.add_argument("--online", action="store_true", help="SOURCE is a name in the Model Zoo: ask the network")
    parser.add_argument("--name", default="", help="what it shall be called here")
    parser.add_argument("--version", default="", dest="as_version", metavar="VERSION", help="its version here")
    parser.add_argument("--task", default="", help="segmentation, detection or classification, where it says none")
    parser.add_argument("--modality", default=[], nargs="+", metavar="CODE", help="DICOM modalities it is made for")
    parser.add_argument("--labels", type=Path, metavar="TABLE", help="the filled-in table of labels that was asked for")
    parser.add_argument("--outputs", choices=("logits", "probabilities"), default="", help="what its network gives")
    parser.add_argument("--card", type=Path, metavar="FILE", help="card of a file of weights, TOML or JSON")
    parser.add_argument("--configuration", default="", help="which one of several in an nnU-Net or Auto3DSeg folder")
    parser.add_argument(
        "--inputs", default=[], nargs="+", metavar="NAME", help="the images an Auto3DSeg network takes, by channel"
    )
    parser.add_argument("--no-mirror", action="store_true", help="no mirrored views: faster, not quite as trained")
    parser.add_argument("--code-licence", default="", metavar="LICENCE", help="licence of the code")
    parser.add_argument("--weights-licence", default="", metavar="LICENCE", help="licence of the weights")
    parser.set_defaults(do=do_import)


def do_import(given: argparse.Namespace) -> int:
    """Install, log and print what a person must know before a run."""
    from slicermedai.console import models

    ref = models.take_in(given.source, online=given.online, **_answers(given))
    print(f"{ref.title}  {ref.path}")
    for words in (f"licence: {ref.licence or 'not stated'}", f"intended use: {ref.intended_use or 'not stated'}"):
        print(f"  {words}")
    for value, label in ref.labels:
        print(f"  {value}: {label.name} = {label.type.scheme} {label.type.value} {label.type.meaning}")
    if ref.runs_code:
        print(f"  It runs code of its own. Read it, then: slicermedai bundle consent {ref.title} --word TEXT")
    return 0


def do_verify(given: argparse.Namespace) -> int:
    """Print one line for each model; 1 where a file is not as it came, or the record of changes was changed."""
    from slicermedai.console import models

    found = models.verify(given.names)
    for name, wrong in found.items():
        print(f"{name}  {wrong or 'as it came'}")
    return 1 if any(found.values()) else 0


def do_pin(given: argparse.Namespace) -> int:
    """Pin, log and print."""
    from slicermedai.console import models

    change = models.pin(given.title)
    print(f"{change.name} is {change.used} from now on")
    return 0


def do_rollback(given: argparse.Namespace) -> int:
    """Go back, log and print."""
    from slicermedai.console import models

    change = models.roll_back(given.name)
    print(f"{change.name} is {change.used} again")
    return 0


def do_remove(given: argparse.Namespace) -> int:
    """Remove, log and print."""
    from slicermedai.console import models

    models.remove(given.title)
    print(f"{given.title} is removed")
    return 0


def do_consent(given: argparse.Namespace) -> int:
    """Keep the word, log that it was given, and print."""
    from slicermedai.console import models

    models.agree(given.title, given.word)
    print(f"{given.title} may run its code, as long as its files stay as they are")
    return 0


def do_history(given: argparse.Namespace) -> int:
    """Print one line for each change, oldest first."""
    from slicermedai.console import models

    for change in models.history():
        print("  ".join((change.time, change.who, change.action, f"{change.name}@{change.version}", change.sha256)))
    return 0


def _answers(given: argparse.Namespace) -> dict[str, Any]:
    return {
        "name": given.name,
        "version": given.as_version,
        "task": given.task,
        "modality": tuple(given.modality),
        "labels": given.labels,
        "outputs": given.outputs,
        "card": given.card,
        "configuration": given.configuration,
        "inputs": tuple(given.inputs),
        "mirror": not given.no_mirror,
        "code_licence": given.code_licence,
        "weights_licence": given.weights_licence,
    }
