"""One file of settings for all processes: what counts, where it comes from, and what a broken file does."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicermedai.domain import scratch, settings
from slicermedai.domain.scratch import ScratchFolder, sweep_scratch, temp_root
from slicermedai.domain.settings import Source
from slicermedai.errors import InputError, OutputError, UnreadableFileError
from slicermedai.jobs import interpreter
from slicermedai.jobs.folder import JobFolder, sweep
from slicermedai.jobs.home import home


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings' file of this test, and no variable that says otherwise."""
    for one in settings.SETTINGS.values():
        monkeypatch.delenv(one.variable, raising=False)
    path = tmp_path / "settings.toml"
    monkeypatch.setenv(settings.FILE_VARIABLE, str(path))
    return path


def test_without_a_file_each_setting_has_a_default_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    (tmp_path / "Documents").mkdir()
    assert all(settings.found(name).source is Source.DEFAULT for name in settings.SETTINGS)
    assert home() == settings.platform_home()
    assert settings.present("results") == str(tmp_path / "Documents")
    assert settings.present("device") == "auto"
    assert settings.present("peers") == str(home() / "peers.toml")
    assert [settings.value(name) for name in settings.SETTINGS] == [""] * len(settings.SETTINGS)
    settings.check()


def test_the_environment_counts_more_than_the_file_and_the_file_more_than_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.change("home", str(tmp_path / "set"))
    assert settings.found("home") == settings.Found(text=str(tmp_path / "set"), source=Source.FILE)
    assert home() == tmp_path / "set"
    assert settings.present("inbox") == str(tmp_path / "set" / "inbox.toml")
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "variable"))
    assert settings.found("home") == settings.Found(text=str(tmp_path / "variable"), source=Source.ENVIRONMENT)
    assert settings.in_file("home") == str(tmp_path / "set")


def test_the_file_lies_in_the_home_of_the_environment_and_never_in_the_one_it_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(settings.FILE_VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "platform", "linux")
    at_first = settings.settings_file()
    assert at_first == tmp_path / "data" / "SlicerMedAI" / "settings.toml"
    settings.change("home", str(tmp_path / "big disk"))
    assert settings.settings_file() == at_first
    assert home() == tmp_path / "big disk"
    monkeypatch.setenv("SLICERMEDAI_HOME", str(tmp_path / "own"))
    assert settings.settings_file() == tmp_path / "own" / "settings.toml"


def test_paths_are_full_and_folders_of_models_are_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    settings.change("results", "~/studies")
    settings.change("models", os.pathsep.join(["~/one", " ~/two "]))
    assert settings.present("results") == str(tmp_path / "studies")
    assert settings.present("models").split(os.pathsep) == [str(tmp_path / "one"), str(tmp_path / "two")]


def test_what_is_relative_in_the_file_is_so_to_its_folder_and_in_the_environment_to_the_working_folder(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings.change("results", "out")
    settings.change("models", os.pathsep.join(["one", "../two", str(tmp_path / "three")]))
    settings.change("device", "cpu")
    models = [tmp_path / "one", tmp_path / ".." / "two", tmp_path / "three"]
    assert settings.present("results") == str(tmp_path / "out")
    assert settings.present("models") == os.pathsep.join(map(str, models))
    assert (settings.present("device"), settings.in_file("results")) == ("cpu", "out")
    monkeypatch.setenv(settings.FILE_VARIABLE, str(Path("..") / "settings.toml"))
    assert settings.present("results") == str(tmp_path / "elsewhere" / ".." / "out")
    monkeypatch.setenv("SLICERMEDAI_RESULTS", "other")
    assert settings.present("results") == "other"


def test_a_person_s_own_lines_stay_and_a_default_leaves_none(file: Path) -> None:
    file.write_text('# mine\ndevice = "cpu"  # slow\n\n[notes]\nwhy = "because"\n', encoding="utf-8")
    settings.change("device", "cuda:1")
    settings.change("torch", "cu126")
    assert file.read_text(encoding="utf-8") == (
        '# mine\ndevice = "cuda:1"\n\ntorch = "cu126"\n[notes]\nwhy = "because"\n'
    )
    settings.change("device", "")
    settings.change("torch", "")
    assert file.read_text(encoding="utf-8") == '# mine\n\n[notes]\nwhy = "because"\n'
    assert settings.unknown() == ["notes is no setting."]


@given(text=st.text(alphabet=string.printable.replace("\x0b", "") + "äß\u2028\U0001f9e0\\\"'#=[]", max_size=60))
def test_whatever_a_path_is_called_it_comes_back_as_it_was(text: str) -> None:
    plain = "".join(one for one in text if one not in "\t\n\r\x0c")
    path = settings.change("project_key", plain)
    assert settings.in_file("project_key") == plain
    assert tomllib.loads(path.read_text(encoding="utf-8")).get("project_key", "") == plain


@pytest.mark.parametrize("text", ["a\nb", "tab\t", "\x00", "\udcff"])
def test_characters_that_no_path_has_are_refused(text: str, file: Path) -> None:
    with pytest.raises(InputError, match="home"):
        settings.change("home", text)
    assert not file.exists()


def test_a_name_that_is_none_is_answered_with_what_may_be_meant() -> None:
    with pytest.raises(InputError, match="Did you mean 'device'"):
        settings.change("devise", "cpu")


@pytest.mark.parametrize(
    ("text", "named"), [("device = cpu", "TOML"), ("device = 3", "device"), (b"\xff\xfe", "Unicode")]
)
def test_a_damaged_file_counts_as_empty_is_refused_by_whoever_must_know_and_never_overwritten(
    text: str | bytes, named: str, file: Path
) -> None:
    body = text if isinstance(text, bytes) else text.encode()
    file.write_bytes(body)
    assert settings.present("device") == "auto"
    with pytest.raises(UnreadableFileError, match=named):
        settings.check()
    with pytest.raises(UnreadableFileError):
        settings.change("device", "cpu")
    assert file.read_bytes() == body


def test_a_value_over_several_lines_is_left_to_the_person_who_wrote_it(file: Path) -> None:
    text = 'device = """\ncpu"""\n'
    file.write_text(text, encoding="utf-8")
    assert settings.present("device") == "cpu"
    with pytest.raises(InputError, match="only a person can change"):
        settings.change("device", "cuda")
    assert file.read_text(encoding="utf-8") == text


def test_a_file_that_another_process_changed_is_read_again(file: Path) -> None:
    settings.change("device", "cpu")
    assert settings.present("device") == "cpu"
    code = "from slicermedai.domain import settings; settings.change('device', 'cuda:1')"
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ), timeout=60)
    assert settings.present("device") == "cuda:1"


def test_a_change_to_something_as_long_in_the_same_moment_is_seen(file: Path) -> None:
    for word in ("cpu", "mps", "cpu"):
        settings.change("device", word)
        os.utime(file, ns=(1, 1))
        assert settings.present("device") == word


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv(settings.FILE_VARIABLE, str(tmp_path / "taken" / "settings.toml"))
    with pytest.raises(OutputError, match="taken"):
        settings.change("device", "cpu")


# --- what follows from them ------------------------------------------------------------------------------------------


def test_jobs_keep_their_temporary_files_where_it_is_set(tmp_path: Path) -> None:
    settings.change("scratch", str(tmp_path / "fast" / "disk"))
    with JobFolder.create() as folder:
        assert folder.path.is_relative_to(tmp_path / "fast" / "disk")
        assert temp_root().stat().st_mode & 0o777 == 0o700 or os.name == "nt"
    assert list(temp_root().iterdir()) == []


def test_a_temporary_folder_that_cannot_be_made_is_named_by_its_setting(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    settings.change("scratch", str(tmp_path / "taken"))
    with pytest.raises(OutputError, match=r"taken.*the setting scratch"):
        ScratchFolder.create("job")


@pytest.mark.parametrize("swept", [sweep, lambda: sweep_scratch("job")], ids=["of jobs", "of one kind"])
def test_what_was_left_on_a_temporary_folder_that_cannot_be_reached_is_refused_by_its_setting(
    swept: Callable[[], list[Path]], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    settings.change("scratch", str(tmp_path / "taken" / "unmounted"))
    with pytest.raises(OutputError, match=r"taken.*the setting scratch"):
        swept()


def test_what_a_killed_process_left_in_the_place_before_is_swept_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    (tmp_path / "system").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "system"))
    code = (
        "import os; from slicermedai.jobs.folder import JobFolder; f = JobFolder.create(); "
        "print(f.path, flush=True); os._exit(0)"
    )
    variables = {**os.environ, "TMPDIR": str(tmp_path / "system"), "TEMP": str(tmp_path / "system")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables, timeout=60)
    left = Path(done.stdout.strip())
    assert left.is_relative_to(tmp_path / "system") and left.exists()
    settings.change("scratch", str(tmp_path / "other"))
    assert left in sweep()
    assert not left.exists()


def test_what_a_killed_process_left_under_an_earlier_setting_is_swept_too(tmp_path: Path) -> None:
    code = (
        "import os; from slicermedai.jobs.folder import JobFolder; f = JobFolder.create(); "
        "print(f.path, flush=True); os._exit(0)"
    )
    left = list[Path]()
    for place in ("first", "second"):
        settings.change("scratch", str(tmp_path / place))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        left.append(Path(done.stdout.strip()))
    assert [one.relative_to(tmp_path).parts[0] for one in left] == ["first", "second"]
    settings.change("scratch", "")
    assert set(left) <= set(sweep())
    assert not any(one.exists() for one in left)
    names = [path.name for path in tmp_path.iterdir() if path.is_file()]
    assert sorted(names) == ["scratch-places.txt", "settings.toml"]
    assert len((tmp_path / "scratch-places.txt").read_text().split()) == 2, "each place once"


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few people make links")
def test_a_link_at_the_place_of_an_earlier_setting_is_not_followed(tmp_path: Path) -> None:
    settings.change("scratch", str(tmp_path / "first"))
    root = temp_root()
    root.rmdir()
    (tmp_path / "elsewhere").mkdir()
    left = tmp_path / "elsewhere" / f"job-{scratch._HOST}-{2**22 + 5}-00000000"
    left.mkdir()
    root.symlink_to(left.parent)
    settings.change("scratch", "")
    assert left not in sweep()
    assert left.is_dir()


def test_a_child_works_with_this_process_s_settings_and_keeps_its_temporary_files_with_the_job(tmp_path: Path) -> None:
    settings.change("home", str(tmp_path / "set"))
    settings.change("scratch", str(tmp_path / "disk"))
    code = (
        "import json; from slicermedai.domain import settings; from slicermedai.domain.scratch import temp_root; "
        "print(json.dumps([settings.present('home'), str(settings.settings_file()), str(temp_root())]))"
    )
    variables = interpreter.environment(tmp_path / "job")
    settings.change("home", str(tmp_path / "changed meanwhile"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables, timeout=60)
    at, file, scratch = json.loads(done.stdout)
    assert at == str(tmp_path / "set")
    assert file == str(settings.settings_file())
    assert Path(scratch).is_relative_to(tmp_path / "job")
