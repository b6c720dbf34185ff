"""The columns that several tables share, each defined once."""

from __future__ import annotations

from typing import Final

from reconciler.message import say
from reconciler.report.document import Column, Form, phrase

DIRECTION: Final = Column(key="direction", heading=say("Direction"), form=Form.WORD)
KIND: Final = Column(key="kind", heading=say("Operation"), form=Form.WORD)
CRM_ID: Final = Column(key="crm_id", heading=say("CRM task"), form=Form.ID)
WORK_ID: Final = Column(key="work_id", heading=say("Work item"), form=Form.ID)
TITLE: Final = Column(key="title", heading=say("Title"))
FIELD: Final = Column(key="field", heading=say("Field"), form=Form.WORD)
BEFORE: Final = Column(key="before", heading=say("Before"), form=Form.VALUE)
AFTER: Final = Column(key="after", heading=say("After"), form=Form.VALUE)
CRM_VALUE: Final = Column(key="crm", heading=say("CRM side"), form=Form.VALUE)
WORK_VALUE: Final = Column(key="work", heading=say("Work side"), form=Form.VALUE)
REASON: Final = Column(key="reason", heading=say("Reason"), form=Form.WORD)
RULE: Final = Column(key="rule", heading=say("Rule"), form=Form.WORD)
CRM_STAMP: Final = Column(key="crm_modified", heading=say("Edited in the CRM"), form=Form.STAMP)
WORK_STAMP: Final = Column(key="work_modified", heading=say("Edited in Work"), form=Form.STAMP)
WINNER: Final = Column(key="winner", heading=say("Kept"), form=Form.WORD)
LOSER: Final = Column(key="loser", heading=say("Replaced"), form=Form.WORD)
SIDE: Final = Column(key="side", heading=say("Side"), form=Form.WORD)
SINCE: Final = Column(key="since", heading=say("Since"), form=Form.MOMENT)
UNTIL: Final = Column(key="until", heading=say("Until"), form=Form.MOMENT)
AT: Final = Column(key="at", heading=say("Time"), form=Form.MOMENT)
WORDS: Final = Column(key="words", heading=say("Words of the server"))
OPERATOR: Final = Column(key="operator", heading=say("Operator"))
DAY: Final = Column(key="day", heading=say("Day"), form=Form.DAY)

PAIR: Final = (CRM_ID, WORK_ID, TITLE, FIELD)
STAMPS: Final = (CRM_STAMP, WORK_STAMP)

COUNTED: Final = ("create", "update_work", "update_crm", "delete", "unlink", "link", "text")
"""Kinds of operations with their direction, in the order in which charts stack them."""


def counts(*keys: str) -> tuple[Column, ...]:
    """Columns of counts, headed by the word for what is counted."""
    return tuple(Column(key=key, heading=phrase(key), form=Form.COUNT) for key in keys)
