"""The status maps: two tables from the config, and the proof that they can be kept in step.

CRM has five statuses or more, Work has two, so `to_work` collapses. CRM status c and Work status w agree when
`to_work(to_crm(w)) == to_work(c)`. The law that a pair of maps must satisfy is, for every known c,
`to_work(to_crm(to_work(c))) == to_work(c)`: what a put brings over must agree with what it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.core import text
from reconciler.message import say

STAR: Final = "*"
KNOWN_CRM: Final = ("Chưa bắt đầu", "Đang thực hiện", "Đang chờ", "Tạm hoãn", "Hoàn thành")
KNOWN_WORK: Final = ("Chưa hoàn thành", "Đã hoàn thành")


@dataclass(frozen=True, slots=True)
class Collapse:
    """The CRM statuses that one Work status stands for, and the one that a change in Work brings back."""

    work: str
    crm: tuple[str, ...]
    back: str | None


@dataclass(frozen=True, slots=True)
class StatusMaps:
    """`work` maps CRM words to Work words, `crm` the other way; "*" stands for every other word."""

    work: Mapping[str, str]
    crm: Mapping[str, str]

    def to_work(self, status: str) -> str | None:
        return _look_up(self.work, status)

    def to_crm(self, status: str) -> str | None:
        return _look_up(self.crm, status)

    def agree(self, crm: str, work: str) -> bool:
        image, back = self.to_work(crm), self.to_crm(work)
        there = None if back is None else self.to_work(back)
        return image is not None and there is not None and text.word(image) == text.word(there)

    def known_crm(self, seen: Iterable[str] = ()) -> tuple[str, ...]:
        """Every CRM status that the documents, the maps or the data name, each once."""
        return _distinct((*KNOWN_CRM, *(w for w in self.work if w != STAR), *self.crm.values(), *seen))

    def broken_laws(self, seen: Iterable[str] = ()) -> list[str]:
        """One sentence for each known CRM status that breaks the law; empty means proven."""
        faults: list[str] = []
        for status in self.known_crm(seen):
            image = self.to_work(status)
            if image is None:
                continue
            back = self.to_crm(image)
            there = None if back is None else self.to_work(back)
            if there is None or text.word(there) != text.word(image):
                faults.append(
                    say(
                        "«{status}» becomes «{image}» in Work, which comes back as «{back}» and would then "
                        "become «{there}»: the two sides could never agree",
                        status=status,
                        image=image,
                        back=back or "?",
                        there=there or "?",
                    )
                )
        return faults

    def collapses(self, seen: Iterable[str] = ()) -> list[Collapse]:
        """Which CRM statuses each Work status stands for, for the report and for `check`."""
        images: dict[str, list[str]] = {}
        for status in self.known_crm(seen):
            image = self.to_work(status)
            if image is not None:
                images.setdefault(image, []).append(status)
        return [Collapse(work, tuple(crm), self.to_crm(work)) for work, crm in images.items()]


def _look_up(table: Mapping[str, str], status: str) -> str | None:
    wanted = text.word(status)
    for word, image in table.items():
        if word != STAR and text.word(word) == wanted:
            return image
    return table.get(STAR)


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    return tuple({text.word(word): word for word in reversed(list(words))}.values())[::-1]
