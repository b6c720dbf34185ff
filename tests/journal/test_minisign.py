"""The signatures are minisign's own: the public tool accepts a checkpoint, and refuses one that was altered."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler import minisign
from tests.journal.pieces import secret_text, signing_key

DOCUMENT = "reconciler checkpoint\nconnection: Kết nối An Phát\n"
TOOL = shutil.which("minisign")

needs_tool = pytest.mark.skipif(
    TOOL is None and os.environ.get("CI") != "true", reason="the tool minisign is not installed"
)


def run(*words: object, code: int = 0) -> str:
    assert TOOL is not None, "install minisign: the signatures are only proven against the real tool"
    done = subprocess.run([TOOL, *map(str, words)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_signature_holds_for_its_text_its_comment_and_its_key_alone() -> None:
    key, other = signing_key(), signing_key("another")
    made = minisign.sign(key, DOCUMENT.encode(), "entry 12")
    again = minisign.signature(made.text())
    assert again == made
    assert minisign.holds(key.public, DOCUMENT.encode(), again)
    assert not minisign.holds(other.public, DOCUMENT.encode(), again)
    assert not minisign.holds(key.public, DOCUMENT.encode() + b" ", again)
    forged = minisign.signature(made.text().replace("entry 12", "entry 13"))
    assert not minisign.holds(key.public, DOCUMENT.encode(), forged)


def test_every_altered_byte_of_a_signature_is_refused() -> None:
    key = signing_key()
    text = minisign.sign(key, DOCUMENT.encode(), "entry 12").text()
    begins = text.index("\n") + 1  # the first line is not trusted, and says so
    for position in range(begins, len(text) - 1):
        altered = text[:position] + chr(ord(text[position]) ^ 1) + text[position + 1 :]
        try:
            held = minisign.holds(key.public, DOCUMENT.encode(), minisign.signature(altered))
        except minisign.Unusable:
            held = False
        assert not held, position


def test_keys_are_read_as_they_are_written_and_nothing_else_is() -> None:
    key = signing_key()
    assert minisign.secret_key(secret_text(key)) == key
    assert minisign.public_key(key.public.text()) == key.public
    assert minisign.public_key(key.public.text().splitlines()[1]) == key.public
    assert key.seed.hex() not in repr(key)
    assert str(key.seed) not in repr(key)
    for text in ("", "x", "a\nb\n", key.public.text(), secret_text(key).replace("RW", "RX")):
        with pytest.raises(minisign.Unusable):
            minisign.secret_key(text)
    for text in ("", "x", secret_text(key)):
        with pytest.raises(minisign.Unusable):
            minisign.public_key(text)


@needs_tool
def test_the_tool_accepts_what_we_sign_and_refuses_what_was_altered(tmp_path: Path) -> None:
    key, file = signing_key(), tmp_path / "checkpoint.txt"
    (tmp_path / "key.pub").write_text(key.public.text(), "utf-8")
    file.write_text(DOCUMENT, "utf-8")
    (tmp_path / "checkpoint.txt.minisig").write_text(minisign.sign(key, DOCUMENT.encode(), "entry 12").text(), "utf-8")
    said = run("-V", "-p", tmp_path / "key.pub", "-m", file)
    assert "Trusted comment: entry 12" in said
    file.write_text(DOCUMENT.replace("An", "Ân"), "utf-8")
    run("-V", "-p", tmp_path / "key.pub", "-m", file, code=1)


@needs_tool
def test_we_take_the_keys_and_signatures_that_the_tool_makes(tmp_path: Path) -> None:
    public, secret, file = tmp_path / "key.pub", tmp_path / "key", tmp_path / "document"
    run("-G", "-W", "-p", public, "-s", secret)
    file.write_text(DOCUMENT, "utf-8")
    run("-S", "-W", "-s", secret, "-m", file, "-t", "entry 12")
    key = minisign.secret_key(secret.read_text("utf-8"))
    assert minisign.public_key(public.read_text("utf-8")) == key.public
    assert key.public.id in public.read_text("utf-8")
    made = minisign.signature(file.with_name("document.minisig").read_text("utf-8"))
    assert minisign.holds(key.public, DOCUMENT.encode(), made)
    assert made.signature == minisign.sign(key, DOCUMENT.encode(), "entry 12").signature


@pytest.mark.parametrize("position", [0, 2, 4, 62, 94, 126])
def test_a_key_with_a_password_or_with_an_altered_byte_is_refused(position: int) -> None:
    comment, line = secret_text(signing_key()).splitlines()
    raw = bytearray(base64.b64decode(line))
    raw[position] ^= 1
    with pytest.raises(minisign.Unusable):
        minisign.secret_key(f"{comment}\n{base64.b64encode(raw).decode()}\n")
