"""The parts of the page's forms. A form remembers what it showed, so that saving it changes only what was edited."""

import hashlib
from html import escape


def seen(value: str) -> str:
    """What a form remembers of a value that it showed: a digest, since a description may be long.

    Browsers send every line end as CR LF, so line ends do not count.
    """
    return hashlib.sha256(value.replace("\r\n", "\n").replace("\r", "\n").encode(errors="replace")).hexdigest()[:16]


def text_of(value: object) -> str:
    """A value as HTML text; None is empty."""
    return escape("" if value is None else str(value))


def entry(name: str, text: str, value: str, kind: str, *, wide: bool = False) -> str:
    """One line to type in; `kind` is the type of the HTML input."""
    value = value.replace("\r", "").replace("\n", "")  # as the browser does before it shows it
    extra = ' required maxlength="255"' if kind == "text" else ""
    return _label(text, name, value, f'<input type="{kind}" name="{name}" value="{escape(value)}"{extra}>', wide=wide)


def choice(name: str, text: str, choices: list[tuple[str, str]], chosen: str | None) -> str:
    """One of several (value, shown text); what is stored is always among them."""
    if chosen not in [value for value, _ in choices]:
        choices = [(chosen or "", chosen or "(trống, empty)"), *choices]
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if value == (chosen or "") else ""}>{escape(shown)}</option>'
        for value, shown in choices
    )
    return _label(text, name, chosen or "", f'<select name="{name}">{options}</select>')


def area(name: str, text: str, value: str | None) -> str:
    """Several lines to type in."""
    # the newline after the tag is the one that HTML drops
    shown = f'<textarea name="{name}">\n{text_of(value)}</textarea>'
    return _label(text, name, value or "", shown, wide=True)


def buttons(action: str, text: str, *, delete: bool = False) -> str:
    """The button that sends the form, and one to delete if wanted."""
    second = '<button class="danger" name="action" value="delete">Xóa (delete)</button>' if delete else ""
    return f'<div class="wide buttons"><button name="action" value="{action}">{escape(text)}</button>{second}</div>'


def _label(text: str, name: str, value: str, control: str, *, wide: bool = False) -> str:
    hidden = f'<input type="hidden" name="was_{name}" value="{seen(value)}">'
    return f"{hidden}<label{' class=wide' if wide else ''}>{escape(text)}{control}</label>"
