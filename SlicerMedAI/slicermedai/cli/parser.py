"""An argument parser that says what a mistyped word may have meant, and what there is to choose from."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from slicermedai.domain.suggest import did_you_mean


class Parser(argparse.ArgumentParser):
    """As :class:`argparse.ArgumentParser`, with "Did you mean ...?" for options, commands and values.

    ``catalogue`` makes the text that the help ends with, when the help is asked for.
    """

    catalogue: Callable[[], str] | None = None

    def format_help(self) -> str:
        """The help, with the catalogue at its end."""
        text = super().format_help()
        return f"{text}\n{self.catalogue()}" if self.catalogue else text

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As the base class; what a command does not know is refused by the command itself, with its own usage."""
        given, rest = super().parse_known_args(args, namespace)
        if rest:
            self._refuse(rest)
        return given, rest

    def _refuse(self, words: Sequence[str]) -> NoReturn:
        name = words[0].partition("=")[0]
        known = [option for option in self._option_string_actions if option.startswith("--")]
        hint = did_you_mean(name, known) if name.startswith("-") else None
        self.error(" ".join(filter(None, [f"unrecognized arguments: {' '.join(words)}.", hint])))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            hint = did_you_mean(str(value), [str(choice) for choice in action.choices or ()])
            raise argparse.ArgumentError(action, f"{error.message}. {hint}" if hint else error.message) from error
