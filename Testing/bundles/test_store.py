"""Versions on disk: pinned, rolled back, removed; a record that is only added to; nothing half there."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slicermedai.bundles import deepbet, registry, store
from slicermedai.bundles.store import Title
from slicermedai.cli.main import main
from slicermedai.errors import BundleError, FolderBusyError, UnknownBundleError
from Testing.inference.tiny_bundle import change_json, write_tiny_bundle


def write(folder: Path, version: str) -> None:
    """Fill a folder that is there already."""
    made = write_tiny_bundle(folder / "made", version=version)
    for path in sorted(made.iterdir()):
        path.rename(folder / path.name)
    made.rmdir()


def install(version: str) -> Title:
    """The tiny bundle of that version."""
    title = Title(name="tiny", version=version)
    store.install(title, lambda folder: write(folder, version), origin="test")
    return title


def test_a_name_stands_for_the_newest_or_the_pinned_version(own_home: Path) -> None:
    for version in ("1.9", "1.10", "1.2"):
        install(version)
    assert registry.resolve("tiny").version == "1.10"
    store.pin(Title(name="tiny", version="1.2"))
    assert registry.resolve("tiny").version == "1.2"
    assert registry.resolve("tiny@1.9").version == "1.9"


def test_a_rollback_goes_to_what_was_used_before(own_home: Path) -> None:
    install("1")
    install("2")
    assert registry.resolve("tiny").version == "2"
    assert store.rollback("tiny").version == "1"
    assert registry.resolve("tiny").version == "1"
    install("3")
    assert registry.resolve("tiny").version == "1", "a pin stays when a newer version comes"


def test_without_an_earlier_version_there_is_no_rollback(own_home: Path) -> None:
    install("1")
    with pytest.raises(UnknownBundleError, match="no earlier version of 'tiny'"):
        store.rollback("tiny")
    for missing in (store.pin, store.remove):
        with pytest.raises(UnknownBundleError, match="is not installed here"):
            missing(Title(name="tiny", version="9"))


def test_a_removed_version_is_gone_and_its_pin_too(own_home: Path) -> None:
    install("1")
    store.pin(install("2"))
    store.remove(Title(name="tiny", version="2"))
    assert registry.resolve("tiny").version == "1"
    assert store.pins() == {}
    assert [path.name for path in (own_home / "models").glob("*tiny*")] == ["tiny@1"]


def test_every_change_is_recorded_with_who_when_and_hash(own_home: Path) -> None:
    title = install("1")
    store.pin(title)
    store.remove(title)
    record = store.changes()
    assert [(change.action, change.used) for change in record] == [("imported", "1"), ("pinned", "1"), ("removed", "")]
    assert len({change.sha256 for change in record}) == 1
    assert all(change.who and change.time and len(change.sha256) == 64 for change in record)


@pytest.mark.parametrize("line", [0, 1])
def test_a_changed_record_is_seen(own_home: Path, line: int) -> None:
    store.pin(install("1"))
    record = own_home / "models" / "changes.jsonl"
    lines = record.read_text().splitlines()
    lines[line] = lines[line].replace('"tiny"', '"tony"')
    record.write_text("\n".join(lines) + "\n")
    if line == 0:
        with pytest.raises(BundleError, match="line 2 is not as it was written"):
            store.changes()
    else:
        assert store.changes()[1].name == "tony", "only a later line proves the last one"
        with pytest.raises(BundleError, match="line 3"):
            record.write_text("\n".join([*lines, json.dumps({"x": 1})]))
            store.changes()


def test_a_model_that_a_killed_process_left_unrecorded_is_found(own_home: Path) -> None:
    write_tiny_bundle(own_home / "models" / "tiny@0.5", version="0.5")
    install("1")
    assert [(change.action, change.version) for change in store.changes()] == [("found", "0.5"), ("imported", "1")]


@pytest.mark.parametrize(
    ("name", "version"), [("../x", "1"), ("x", "../1"), ("", "1"), ("x", ""), (".x", "1"), ("a/b", "1")]
)
def test_titles_that_are_no_folder_names_are_refused(name: str, version: str) -> None:
    with pytest.raises(BundleError, match="letters, digits"):
        Title(name=name, version=version)


def test_disk_use_counts_all_files(own_home: Path) -> None:
    install("1")
    folder = own_home / "models" / "tiny@1"
    assert store.disk_use(folder) == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def installing(number: int) -> str:
    """In a process of its own: install the same version and pin it; "" or what went wrong."""
    try:
        install("1")
    except (BundleError, FolderBusyError) as error:
        return type(error).__name__
    for _ in range(5):
        store.pin(Title(name="tiny", version="1"))
    return ""


def test_of_several_imports_at_once_one_wins_and_the_record_stays_whole(own_home: Path) -> None:
    with multiprocessing.get_context("fork").Pool(3) as pool:
        said = pool.map(installing, range(3))
    assert sorted(said)[0] == ""
    assert set(said) <= {"", "BundleError", "FolderBusyError"}
    assert [change.action for change in store.changes()].count("imported") == said.count("")
    assert registry.resolve("tiny").version == "1"


@pytest.mark.skipif(os.name == "nt", reason="absent: signals that kill")
def test_a_killed_import_leaves_nothing_installed(own_home: Path) -> None:
    script = (
        "import time; from slicermedai.bundles import store\n"
        "def write(folder):\n"
        "    (folder / 'configs').mkdir(); print('half', flush=True); time.sleep(60)\n"
        "store.install(store.Title(name='tiny', version='1'), write, origin='test')"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "half"
        process.send_signal(signal.SIGKILL)
    assert list((own_home / "models").glob("tiny*")) == []
    deadline = time.monotonic() + 5
    install("1")
    assert time.monotonic() < deadline
    assert [path.name for path in (own_home / "models").glob("*tiny*")] == ["tiny@1"]


def test_what_an_older_program_wrote_about_a_model_is_renewed(own_home: Path, brain_wheel: Path) -> None:
    folder = Path(registry.fetch("brain", wheel=brain_wheel).path)
    assert not deepbet.renew(folder)
    weights = (folder / "models" / "model.ts").stat().st_mtime_ns
    change_json(folder / "medai.json", contrast=None)
    entry = json.loads((folder / "medai.json").read_text())
    del entry["labels"][0]["definition"]
    (folder / "medai.json").write_text(json.dumps(entry))
    ref = registry.fetch("brain")
    assert ref.labels[0][1].definition
    assert json.loads((folder / "medai.json").read_text())["contrast"] == "T1"
    assert (folder / "models" / "model.ts").stat().st_mtime_ns == weights


# On the command line.


def test_the_command_line_installs_pins_goes_back_and_removes(
    own_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tiny_bundle(tmp_path / "tiny")
    change_json(
        folder / "configs" / "metadata.json",
        task="segmentation",
        network_data_format={"outputs": {"pred": {"channel_def": {"0": "background", "1": "spleen"}}}},
    )
    for version in ("1", "2"):
        assert main(["bundle", "import", str(folder), "--version", version, "--weights-licence", "CC-BY-4.0"]) == 0
    for words in (["pin", "tiny@2"], ["rollback", "tiny"], ["verify"], ["list"], ["remove", "tiny@2"], ["history"]):
        assert main(["bundle", *words]) == 0, words
    said = capsys.readouterr().out
    for part in (
        "1: spleen = SCT 78961009 Spleen",
        "licence: CC-BY-4.0",
        "tiny is 1 again",
        "as it came",
        "not in use",
    ):
        assert part in said, part
    assert "rolled back" in said
    log = (own_home / "audit" / "audit.jsonl").read_text()
    assert log.count("model imported") == 2
    assert "model removed" in log


def test_the_command_line_says_what_is_wrong(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install("1")
    model = own_home / "models" / "tiny@1" / "models" / "model.pt"
    model.write_bytes(model.read_bytes() + b"x")
    assert main(["bundle", "verify"]) == 1
    assert "expected SHA-256" in capsys.readouterr().out
    assert main(["bundle", "pin", "tiny"]) == 1
    assert "needs a version" in capsys.readouterr().err
