"""The attention codes in words: what happened, and what the person who can fix it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.core.model import Code
from reconciler.message import say

_WORDS: Final[Mapping[Code, tuple[str, str]]] = {
    Code.TARGET_IS_DEPARTMENT: (
        say("A department was chosen as the project"),
        say("In the CRM, choose a project instead; departments take no tasks."),
    ),
    Code.TARGET_NOT_FOUND: (
        say("The chosen project or task group does not exist"),
        say("In the CRM, choose one that exists; `reconciler targets` lists them."),
    ),
    Code.TARGET_ARCHIVED: (
        say("The chosen project is archived"),
        say("In the CRM, choose another project, or take this one out of the archive in Work."),
    ),
    Code.TARGET_FORBIDDEN: (
        say("The connection may not add tasks to the project"),
        say("In Work, give the connection's user the right to add tasks to the project."),
    ),
    Code.TARGET_AMBIGUOUS: (
        say("Several projects or task groups have that name"),
        say("In the CRM, give the id instead of the name; `reconciler targets` lists both."),
    ),
    Code.TARGET_CHANGED: (
        say("The target of a linked task was changed"),
        say("Nothing was moved. Move the work item in Work by hand, or put the old target back."),
    ),
    Code.GROUP_NOT_IN_PROJECT: (
        say("The task group is not one of the project"),
        say("In the CRM, choose a task group of the chosen project."),
    ),
    Code.INVALID_VALUE: (
        say("The other side does not take the value"),
        say("Change the value on the side named here; it is sent again by itself."),
    ),
    Code.FIELD_TOO_LONG: (
        say("The text is too long for the other side"),
        say("Shorten the text; it is sent again by itself."),
    ),
    Code.FORBIDDEN: (
        say("The server refuses access"),
        say("Give the connection's user the missing right, then `reconciler retry`."),
    ),
    Code.WAITING_APPROVAL: (
        say("An approval in Work is awaited"),
        say("In Work, approve or reject the waiting request; it goes on by itself."),
    ),
    Code.PERSON_UNKNOWN: (
        say("A person is not known on the other side"),
        say("Add the person to the project in Work, or name them under [people] in the config."),
    ),
    Code.STATUS_UNKNOWN: (
        say("A status has no counterpart"),
        say("Add the status to [status.to_work] or [status.to_crm] in the config."),
    ),
    Code.DUPLICATE_MARKER: (
        say("Several work items carry the mark of one task"),
        say("In Work, decide which one is right, delete the others, then `reconciler link TASK --item ITEM`."),
    ),
    Code.CREATE_UNCLEAR: (
        say("It is not known whether a work item was created"),
        say("It is searched for at every cycle; look for it in Work if this stays."),
    ),
    Code.PING_PONG: (
        say("A value goes back and forth"),
        say("Somebody or another program undoes what is synced. Agree on one value, then `reconciler retry`."),
    ),
    Code.DELETED_ELSEWHERE: (
        say("The record was deleted on the other side"),
        say("Decide whether this one should stay; `reconciler unlink` parts the pair and keeps it."),
    ),
    Code.LOST_SIGHT: (
        say("The record can no longer be seen"),
        say("Give the connection's user its right back, or part the pair with `reconciler unlink`."),
    ),
    Code.UNREADABLE: (
        say("A record cannot be read"),
        say("Correct the value that is named; the record is read again by itself."),
    ),
    Code.MARKER_REFUSED: (
        say("The CRM does not take the link mark"),
        say("Check the field named by link_field in the CRM, then `reconciler retry`."),
    ),
    Code.RESULT_REFUSED: (
        say("The CRM does not take the result"),
        say("Check the field named by result_field in the CRM, then `reconciler retry`."),
    ),
    Code.UNCONFIRMED: (
        say("A write was accepted and does not show"),
        say("Look at the record there: an automation may change it back. Then `reconciler retry`."),
    ),
    Code.NO_BASE: (
        say("The two sides differ and nobody knows which is right"),
        say("Make both sides equal, or edit the side that is right."),
    ),
    Code.READ_UNPROVEN: (
        say("A list could not be read completely"),
        say("It is read again at every cycle; if this stays, compare with `reconciler once --sweep`."),
    ),
    Code.OUTSIDE_PILOT: (
        say("Left out by the pilot"),
        say("It waits until [pilot] in the config lets it take part."),
    ),
}


def cause(code: Code) -> str:
    """What happened, as a heading."""
    return _WORDS[code][0]


def advice(code: Code) -> str:
    """What the person who can fix it does."""
    return _WORDS[code][1]
