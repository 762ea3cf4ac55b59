"""Settings from a console and from the command line: tried before they are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from slicermedai.bundles.registry import model_folders
from slicermedai.cli.main import main
from slicermedai.console.settings import get_setting, list_settings, problem_of, set_setting
from slicermedai.domain import settings
from slicermedai.domain.settings import Source
from slicermedai.errors import InputError
from slicermedai.pacs.peers import load_peers, peers_path

PEER = '[shelf]\nkind = "folder"\npath = "/data/shelf"\n'


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for one in settings.SETTINGS.values():
        monkeypatch.delenv(one.variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user" / "data"))
    (tmp_path / "user").mkdir()
    monkeypatch.setenv(settings.FILE_VARIABLE, str(tmp_path / "settings.toml"))
    return tmp_path / "settings.toml"


def test_every_default_works_on_a_fresh_computer() -> None:
    assert [one.problem for one in list_settings()] == [""] * len(settings.SETTINGS)


def test_a_folder_is_tried_also_one_that_is_not_there_yet(tmp_path: Path) -> None:
    shown = set_setting("home", tmp_path / "new" / "folder")
    assert (shown.value, shown.source, shown.problem) == (str(tmp_path / "new" / "folder"), Source.FILE, "")
    assert not (tmp_path / "new").exists()
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InputError, match=r"taken: is no folder"):
        set_setting("home", tmp_path / "taken")
    assert get_setting("home").value == str(tmp_path / "new" / "folder")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="absent: /proc")
def test_a_folder_of_the_system_that_takes_no_files_is_refused_even_from_root(file: Path) -> None:
    with pytest.raises(InputError, match=r"/proc.*cannot be written"):
        set_setting("scratch", "/proc/medai")
    assert not file.exists()


def test_a_destinations_file_is_read_before_it_counts(tmp_path: Path) -> None:
    good, bad = tmp_path / "peers.toml", tmp_path / "bad.toml"
    good.write_text(PEER)
    bad.write_text(PEER + "colour = 3\n")
    set_setting("peers", good)
    assert peers_path() == good
    assert list(load_peers()) == ["shelf"]
    with pytest.raises(InputError, match=r"shelf\.colour"):
        set_setting("peers", bad)
    assert problem_of("peers", str(tmp_path / "not yet.toml")) == ""
    bad.write_text("[[rule]]\nname = 3\n")
    assert "bad.toml" in problem_of("inbox", str(bad))


def test_a_default_file_with_a_mistake_in_it_is_told_too(tmp_path: Path) -> None:
    home = Path(get_setting("home").value)
    home.mkdir(parents=True)
    (home / "peers.toml").write_text("[shelf]\nkind = 'floppy'\n")
    found = get_setting("peers")
    assert found.source is Source.DEFAULT
    assert "shelf.kind" in found.problem


def test_a_key_is_looked_at_and_one_that_does_not_open_is_refused(tmp_path: Path) -> None:
    from slicermedai.deid.keystore import save_key
    from slicermedai.deid.pseudonym import ProjectKey
    from slicermedai.deid.sealed import Cost

    key = ProjectKey.generate()
    sealed = save_key(tmp_path / "sealed", key, "correct horse battery", cost=Cost(n=16, r=1, p=1))
    plain = key.save(tmp_path / "plain")
    (tmp_path / "no key").write_text("hello")
    assert [problem_of("project_key", str(path)) for path in (sealed, plain)] == ["", ""]
    assert "no key" in problem_of("project_key", str(tmp_path / "no key"))
    assert "cannot be read" in problem_of("project_key", str(tmp_path / "missing"))
    assert "is a folder" in problem_of("project_key", str(tmp_path))


def test_folders_that_are_read_must_be_there(tmp_path: Path) -> None:
    both = [tmp_path / "one", tmp_path / "two"]
    both[0].mkdir()
    text = os.pathsep.join(map(str, both))
    assert "two" in problem_of("models", text)
    both[1].mkdir()
    set_setting("models", text)
    assert model_folders()[:2] == both
    assert "nowhere" in problem_of("wheels", str(tmp_path / "nowhere"))


@pytest.mark.parametrize(("name", "right", "wrong"), [("device", "cuda:3", "gpu"), ("torch", "cu126", "cu999")])
def test_words_are_those_that_there_are(name: str, right: str, wrong: str) -> None:
    assert set_setting(name, right).value == right
    with pytest.raises(InputError, match=f"'{wrong}'"):
        set_setting(name, wrong)
    assert set_setting(name, "").source is Source.DEFAULT


def test_the_command_prints_sets_and_forgets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "device", "cpu"]) == 0
    assert main(["settings", "device"]) == 0
    assert capsys.readouterr().out.split() == ["device", "cpu", "(file)"] * 2
    assert main(["settings", "device", "--default"]) == 0
    assert capsys.readouterr().out.split() == ["device", "auto", "(default)"]
    assert main(["settings"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(settings.SETTINGS)


def test_the_command_says_what_is_wrong(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["settings", "devise", "cpu"]) == 1
    assert "Did you mean 'device'?" in capsys.readouterr().err
    file.write_text('devise = "cpu"\n')
    monkeypatch.setenv("SLICERMEDAI_PROJECT_KEY", str(tmp_path / "gone"))
    assert main(["settings"]) == 1
    told = capsys.readouterr()
    assert "(SLICERMEDAI_PROJECT_KEY)" in told.out
    assert "project_key" in told.err and "cannot be read" in told.err
    assert "devise is no setting. Did you mean 'device'?" in told.err
    file.write_text("device = ")
    assert main(["settings"]) == 1
    assert "settings.toml" in capsys.readouterr().err


def test_looking_at_settings_loads_nothing_heavy() -> None:
    import subprocess

    code = (
        "import sys; from slicermedai.cli.main import main; main(['settings']); "
        "print([n for n in ('pydicom', 'torch', 'monai', 'SimpleITK') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
