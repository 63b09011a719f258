"""Files of master keys: made once, never lost, and what is wrong with them in one line."""

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adapters.master_keys import add_master_key, ensure_master_key, read_master_keys
from adapters.settings import Settings, StartupError

KEY = base64.b64encode(bytes(range(32))).decode()


def settings(**given: Any) -> Settings:
    return Settings(**{"master_key_file": None, "master_key": None} | given)


def test_the_first_key_is_made_for_its_owner_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once: a later start finds it, and two starts at once make one."""
    own = settings(data_dir=tmp_path / "data")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ensure_master_key, [own] * 8))
    path = own.master_key_path
    assert path.stat().st_mode & 0o777 == 0o600
    (key,) = read_master_keys(own)
    assert len(key) == 32
    said = capsys.readouterr().err
    assert said.count("made the master key") == 1 and "keep a copy" in said
    assert path.read_text().strip() not in said
    ensure_master_key(own)
    assert read_master_keys(own) == [key]
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    """Or a wrong path would seal new leads under another key."""
    own = settings(master_key_file=tmp_path / "none")
    ensure_master_key(own)
    with pytest.raises(
        StartupError, match=r"LEADLOG_MASTER_KEY_FILE: there is no .*put the master"
    ):
        read_master_keys(own)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "there is no key in it"),
        (b"\n \n", "there is no key in it"),
        (b"secret\n", "key 1 is not 32 bytes in base64"),
        (base64.b64encode(b"x" * 31), "key 1 is not 32 bytes in base64"),
        (KEY.encode() + b"\n" + KEY.encode()[:-1], "key 2 is not 32 bytes in base64"),
        (KEY.replace(KEY[3], "!").encode(), "key 1 is not"),
        (bytes(range(256)), "key 1 is not"),
        ("密钥".encode(), "key 1 is not"),
    ],
)
def test_a_broken_file_is_said_without_showing_it(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    with pytest.raises(StartupError, match=why) as error:
        read_master_keys(settings(master_key_file=path))
    assert KEY not in str(error.value) and "secret" not in str(error.value)
    if b"\n" not in content and content:
        with pytest.raises(StartupError, match=why):
            add_master_key(path)
        assert path.read_bytes() == content


def test_a_file_that_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be read: Is a directory"):
        read_master_keys(settings(master_key_file=tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(StartupError, match="cannot be written: File exists"):
        add_master_key(tmp_path / "file" / "master.key")


def test_keys_may_come_from_the_environment(tmp_path: Path) -> None:
    """One a line, in place of a file, and never shown."""
    other = base64.b64encode(b"x" * 32).decode()
    own = settings(master_key=f"{KEY}\n{other}", data_dir=tmp_path)
    assert read_master_keys(own) == [base64.b64decode(KEY), b"x" * 32]
    ensure_master_key(own)
    assert list(tmp_path.iterdir()) == []
    assert KEY not in repr(own) and KEY not in str(own)
    with pytest.raises(StartupError, match="LEADLOG_MASTER_KEY: key 1 is not 32 bytes") as error:
        read_master_keys(settings(master_key="secret"))
    assert "secret" not in str(error.value)


def test_a_new_key_goes_in_front_and_none_is_lost(tmp_path: Path) -> None:
    """Also when several add one at once: no key that sealed anything is ever overwritten."""
    path = tmp_path / "keys" / "master.key"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_master_key, [path] * 20))
    own = settings(master_key_file=path)
    before = read_master_keys(own)
    assert len(set(before)) == 20
    add_master_key(path)
    assert read_master_keys(own)[1:] == before
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]


def test_mode_and_links_of_the_file_stay(tmp_path: Path) -> None:
    """A group that reads it, as a service under another user does, still can."""
    path, link = tmp_path / "real.key", tmp_path / "master.key"
    add_master_key(path)
    path.chmod(0o640)
    link.symlink_to(path)
    add_master_key(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert len(read_master_keys(settings(master_key_file=link))) == 2


def test_a_file_that_others_can_read_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "master.key"
    add_master_key(path)
    settings = Settings.load(master_key_file=path)
    read_master_keys(settings)
    assert not caplog.records
    path.chmod(0o644)
    for _ in range(3):
        read_master_keys(settings)
    assert [f"run `chmod 600 {path}`" in r.getMessage() for r in caplog.records] == [True]
