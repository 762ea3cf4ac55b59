"""What a worker's exception is called: a missing package by its name, anything else by its place alone."""

from __future__ import annotations

import importlib

import pytest

from slicermedai.jobs.crash import from_exception


def lacking(name: str) -> str:
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(name)
    return str(from_exception(caught.value))


def test_a_package_that_is_not_there_is_named_with_what_to_do() -> None:
    wanted = "the package absent_network is not installed. Press Install in the module MedAI, or call: "
    assert lacking("absent_network.layers").startswith(wanted)


def test_a_part_of_this_library_that_is_not_there_is_a_mistake_to_report() -> None:
    told = lacking("slicermedai.absent_part")
    assert told.startswith("the worker failed with ModuleNotFoundError at ")
    assert "Please report" in told


def test_the_words_of_another_exception_are_not_repeated() -> None:
    assert "Quillfeather" not in str(from_exception(ValueError("Quillfeather^Ada")))


def test_a_library_that_memory_has_no_room_for_is_told_as_memory_and_not_as_a_mistake() -> None:
    error = ImportError("libtorch_cpu.so: failed to map segment from shared object")
    told = str(from_exception(error))
    assert told.startswith("memory ran out while a library was loaded (ImportError at ")
    assert told.endswith("use a machine with more memory.") and "Please report" not in told
    assert "Please report" in str(from_exception(ImportError("undefined symbol: medai")))
