"""A bundle: a period of the journal as files that can be handed over, read without this program and checked offline.

    entries.jsonl         one entry a line in canonical JSON, with its seals and, unless left out, values and secrets
    manifest.json         which piece of the chain this is, of which connection, under which configs
    checkpoints/N.txt     statements of how far the journal went, each with the N.txt.minisig that signs it
    signing-key.pub       the public key, for `minisign -V -p signing-key.pub -m checkpoints/N.txt`
    index.html            the same entries for a person; it is no part of the proof

It is a folder, or the same in one file if its name ends in .zip. Memory is that of a page of entries.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, Final

from reconciler import minisign
from reconciler.audit.verifying import Piece, Trust, Witness
from reconciler.core.model import Checkpoint
from reconciler.errors import UsageError
from reconciler.message import say
from reconciler.store.journal import COLUMNS, PERSONAL, canonical

FORMAT: Final = "reconciler-bundle-1"
MANIFEST, ENTRIES, KEY, INDEX, CHECKPOINTS = (
    "manifest.json",
    "entries.jsonl",
    "signing-key.pub",
    "index.html",
    "checkpoints",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`first` to `last` are the entries (none if `last` is smaller), `previous` is the hash that the first continues.

    `since`, `until` and `made_at` are ISO 8601; `config` is the fingerprint of the settings at the export, `configs`
    are those that were in force in the period, oldest first, each with `since`. `to_the_end`: the journal had no later
    entry.
    """

    connection: str
    first: int
    last: int
    previous: str
    since: str | None
    until: str | None
    made_at: str
    to_the_end: bool
    personal: bool
    config: str
    configs: Sequence[Mapping[str, str | None]] = ()
    format: str = FORMAT


def line_of(row: Mapping[str, Any], *, personal: bool = True) -> bytes:
    """An entry on one line; without personal values it looks like one whose values were erased."""
    plain = {name: row[name] for name in COLUMNS}
    if not personal:
        plain |= dict.fromkeys((*PERSONAL, "secret"))
    secret = plain["secret"]
    return canonical(plain | {"secret": secret.hex() if secret is not None else None}) + b"\n"


def row_of(line: bytes, number: int) -> dict[str, Any]:
    """The entry of a line; a line that is none, or not in the canonical spelling, gives only the `number` expected."""
    try:
        row = json.loads(line)
        secret = row["secret"]
        row["secret"] = bytes.fromhex(secret) if secret is not None else None
        if set(row) == set(COLUMNS) and isinstance(row["id"], int) and line_of(row) == line:
            return dict(row)
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
        pass
    return {"id": number}


# --- writing ----------------------------------------------------------------------------------------------------------


class Files:
    """New files below one folder or in one archive; mode 0600 outside of archives."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._archive: zipfile.ZipFile | None = None

    def __enter__(self) -> Files:
        try:
            if self._target.suffix == ".zip":
                made = os.open(self._target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                self._archive = zipfile.ZipFile(os.fdopen(made, "wb"), "w", zipfile.ZIP_DEFLATED)
            else:
                self._target.mkdir(mode=0o700)
        except OSError as error:
            raise UsageError(
                say("the bundle {target} cannot be made: {reason}", target=self._target, reason=error.strerror)
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive is not None:
            made = self._archive.fp
            self._archive.close()
            if made is not None:
                made.close()

    @contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        """A file to write, one at a time."""
        if self._archive is not None:
            with self._archive.open(name, "w", force_zip64=True) as inside:
                yield inside
            return
        path = self._target / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
            yield out


def write_bundle(
    files: Files,
    manifest: Manifest,
    rows: Iterable[Mapping[str, Any]],
    index: Iterable[str],
    checkpoints: Iterable[Checkpoint],
    key: minisign.PublicKey | None,
) -> None:
    """Write all parts. `rows` are those of the manifest's piece, `index` the readable page in parts."""
    with files.file(ENTRIES) as out:
        out.writelines(line_of(row, personal=manifest.personal) for row in rows)
    with files.file(MANIFEST) as out:
        out.write(json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode() + b"\n")
    for one in checkpoints:
        for name, text in ((f"{one.entry}.txt", one.document), (f"{one.entry}.txt.minisig", one.signature)):
            with files.file(f"{CHECKPOINTS}/{name}") as out:
                out.write(text.encode())
    if key is not None:
        with files.file(KEY) as out:
            out.write(key.text().encode())
    with files.file(INDEX) as out, TextIOWrapper(out, encoding="utf-8", newline="\n") as text_out:
        text_out.writelines(index)


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that is open for reading."""

    manifest: Manifest
    piece: Piece
    witnesses: tuple[Witness, ...]
    trust: Trust | None


@contextmanager
def open_bundle(source: Path) -> Iterator[Bundle]:
    """A bundle for `verifying.examine`, its entries read as they are asked for. `UsageError` for what is none."""
    try:
        archive = None if source.is_dir() else zipfile.ZipFile(source)
        root = source if archive is None else zipfile.Path(archive)
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(say("{source} is no bundle: {error}", source=source, error=error)) from error
    try:
        manifest = _manifest(source, root)
        with (root / ENTRIES).open("rb") as lines:
            piece = Piece(
                rows=(row_of(line, number) for number, line in enumerate(lines, manifest.first)),
                first=manifest.first,
                last=manifest.last,
                before=manifest.previous,
                to_the_end=manifest.to_the_end,
            )
            yield Bundle(manifest, piece, tuple(_witnesses(root)), _trust(root))
    except (OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise UsageError(say("{source} is no whole bundle: {error}", source=source, error=error)) from error
    finally:
        if archive is not None:
            archive.close()


def _manifest(source: Path, root: Any) -> Manifest:
    try:
        found = Manifest(**json.loads((root / MANIFEST).read_text(encoding="utf-8")))
        valid = found.format == FORMAT and isinstance(found.first, int) and isinstance(found.last, int)
        if valid and found.first > 0 and len(bytes.fromhex(found.previous)) == 32:
            return found
    except (ValueError, TypeError, RecursionError):
        pass
    raise UsageError(say("{source} is no bundle: its manifest.json cannot be read", source=source))


def _witnesses(root: Any) -> Iterator[Witness]:
    folder = root / CHECKPOINTS
    if not folder.is_dir():
        return
    for one in sorted(folder.iterdir(), key=lambda path: str(path.name)):
        if one.name.endswith(".txt"):
            signature = folder / f"{one.name}.minisig"
            yield Witness(
                one.read_text(encoding="utf-8"), signature.read_text(encoding="utf-8") if signature.exists() else None
            )


def _trust(root: Any) -> Trust | None:
    key = root / KEY
    if not key.exists():
        return None
    try:
        return Trust(minisign.public_key(key.read_text(encoding="utf-8")), given=False)
    except minisign.Unusable:
        return None
