"""Every setting of one connection, nested by concern as in the config file.

A description carries the unit and the reason for the default; the JSON Schema for editors is made from them. Defaults
are those of the contract. What has none is asked for: names, addresses and credentials.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic.json_schema import GenerateJsonSchema
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from reconciler.core.model import Direction, Side
from reconciler.message import say
from reconciler.settings.values import (
    BaseUrl,
    Count,
    Duration,
    DurationFromDay,
    DurationFromMinute,
    DurationFromSecond,
    DurationOrZero,
    Hour,
    Listen,
    MailAddress,
    OptionalHour,
    OptionalListen,
    OptionalMailAddress,
    Percent,
    Proxy,
    Rate,
    ReadableFile,
    Secret,
    SigningKey,
    StateUrl,
    Target,
    Webhook,
    Word,
    Words,
    is_loopback,
    listen_address,
    shown,
)

SECRETS: Final = (
    ("crm", "client_secret"),
    ("work", "secret_key"),
    ("journal", "signing_key"),
    ("notify", "smtp_password"),
    ("notify", "webhook_token"),
    ("notify", "webhook_key"),
)
"""Section and key of each credential. `<key>_file` names a file instead, `<section>_<key>` is systemd's credential."""

_FIELD = "direction of edits: both | crm_to_work | work_to_crm | off"
_NOT = "tasks with none of these match; default: not asked"
_ANY = "tasks with one of these match; default: not asked"


class Section(BaseModel):
    """One table of the config file: frozen, no unknown keys, and errors never show what was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Connection(Section):
    """Which connection this file is."""

    name: Word = Field(max_length=100, description="name of the connection in reports, metrics and logs")
    language: Literal["vi", "en"] = Field(
        default="vi", description="language of reports and of the status page: vi | en"
    )
    mode: Literal["sync", "observe"] = Field(
        default="sync",
        description="sync | observe: read, plan and show every cycle, and write to neither system; for a trial run",
    )


class Crm(Section):
    """AMIS Bán hàng, the CRM."""

    base_url: BaseUrl = Field(description="address of the API; https unless the host is a loopback address")
    client_id: Word = Field(description="the AppID of the connection, from the CRM's API settings")
    client_secret: Secret = Field(description="the AppID's secret; better kept in a file of its own")
    client_secret_file: str = Field(
        default="",
        description="file that holds the secret, mode 0600; empty with no client_secret: systemd's crm_client_secret",
    )
    target_project_field: str = Field(
        default="", description="custom field in which a salesperson chooses the project; empty: there is none"
    )
    target_group_field: str = Field(
        default="", description="custom field in which a salesperson chooses the task group; empty: there is none"
    )
    link_field: str = Field(
        default="", description="custom field that gets the marker of the work item; empty: the CRM gets no marker"
    )
    result_field: str = Field(
        default="",
        description="custom field that tells the salesperson, in Vietnamese, whether the task is synced; empty: none",
    )

    @field_validator("target_group_field", "link_field", "result_field")
    @classmethod
    def _of_its_own(cls, name: str, info: ValidationInfo) -> str:
        others = (info.data.get(key) for key in ("target_project_field", "target_group_field", "link_field"))
        if name and name in others:
            raise ValueError("names the custom field of another key; each needs one of its own")
        return name


class Work(Section):
    """AMIS Công việc, the work management."""

    base_url: BaseUrl = Field(description="address of the API; https unless the host is a loopback address")
    client_id: Word = Field(description="client id of the connection, from Work's API settings")
    secret_key: Secret = Field(description="the client's secret key; better kept in a file of its own")
    secret_key_file: str = Field(
        default="",
        description="file that holds the key, mode 0600; empty with no secret_key: systemd's work_secret_key",
    )


class State(Section):
    """Where links, watermarks and the journal are kept."""

    url: StateUrl = Field(description="sqlite:///FILE (four slashes before an absolute path) or postgresql://..")

    @property
    def path(self) -> Path | None:
        """The SQLite file, relative to the working directory if it is not absolute; None for PostgreSQL."""
        url = self.url.get_secret_value()
        return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


class Journal(Section):
    """What becomes of the journal's entries."""

    retention: DurationFromDay = Field(
        default=timedelta(days=730),
        description="personal values of older entries are erased, the hash chain stays; at least 1d, default 24 months",
    )
    signing_key: SigningKey = Field(
        default=SecretStr(""),
        description="minisign secret key without a password, for signed checkpoints; better kept in a file of its own",
    )
    signing_key_file: str = Field(
        default="",
        description="file that holds the key, mode 0600; empty: systemd's journal_signing_key, else nothing is signed",
    )


class Schedule(Section):
    """When cycles run."""

    poll: DurationFromSecond = Field(
        default=timedelta(seconds=60),
        description="time between cycles, at least 1s; a minute is soon enough for people and light on both servers",
    )
    sweep: DurationFromMinute = Field(
        default=timedelta(hours=6),
        description="time between full comparisons, at least 1m; they find deletions and edits that polling cannot see",
    )
    jitter: DurationOrZero = Field(
        default=timedelta(seconds=5),
        description="each cycle starts at most this much later, so that installations do not call in step",
    )


class Watermark(Section):
    """How far back a poll reads."""

    overlap: Duration = Field(
        default=timedelta(minutes=5),
        description="read again this much before the watermark: late commits; repeats cost nothing",
    )
    settle: DurationOrZero = Field(
        default=timedelta(seconds=5), description="a record is acted on after it was quiet this long (server time)"
    )


class Conflict(Section):
    """Who wins when both sides changed a field. The later edit does; this is for when the clocks cannot tell."""

    tie: Side = Field(default=Side.CRM, description="the side that wins a tie: crm | work")
    tolerance: Duration = Field(
        default=timedelta(seconds=2), description="stamps closer than this are a tie: the servers' clocks are not exact"
    )


class Times(Section):
    """The hours, HH:MM in Asia/Ho_Chi_Minh, that a CRM day gets on a new work item: those of a working day."""

    start: Hour = Field(default="08:00", description="hour of the start, HH:MM")
    due: Hour = Field(default="17:30", description="hour of the deadline, HH:MM")


class Fields(Section):
    """In which direction each field flows. The owner flows one way: Work keeps further doers that the CRM cannot."""

    title: Direction = Field(default=Direction.BOTH, description=_FIELD)
    description: Direction = Field(default=Direction.BOTH, description=_FIELD)
    start: Direction = Field(default=Direction.BOTH, description=_FIELD)
    due: Direction = Field(default=Direction.BOTH, description=_FIELD)
    owner: Direction = Field(default=Direction.CRM_TO_WORK, description=_FIELD)
    status: Direction = Field(default=Direction.BOTH, description=_FIELD)


class StatusMaps(Section):
    """The status words of one side in the other's; "*" is every other word. A table replaces the default one whole."""

    to_work: dict[Word, Word] = Field(
        default={"Hoàn thành": "Đã hoàn thành", "*": "Chưa hoàn thành"},
        description="CRM status -> Work status; the default is the product's help page",
    )
    to_crm: dict[Word, Word] = Field(
        default={"Đã hoàn thành": "Hoàn thành", "*": "Chưa bắt đầu"},
        description="Work status -> CRM status; the default is the product's help page",
    )


class RouteWhen(Section):
    """Conditions on a CRM task; every one that is given must hold."""

    owner: Words = Field(default=(), description=f"employee codes: {_ANY}")
    status: Words = Field(default=(), description=f"CRM status words: {_ANY}")
    priority: Words = Field(default=(), description=f"priorities: {_ANY}")
    unit: Words = Field(default=(), description=f"organisation units: {_ANY}")
    form_layout: Words = Field(default=(), description=f"form layouts: {_ANY}")
    creator: Words = Field(default=(), description=f"employee codes of the creator: {_ANY}")
    not_owner: Words = Field(default=(), description=f"employee codes: {_NOT}")
    not_status: Words = Field(default=(), description=f"CRM status words: {_NOT}")
    not_priority: Words = Field(default=(), description=f"priorities: {_NOT}")
    not_unit: Words = Field(default=(), description=f"organisation units: {_NOT}")
    not_form_layout: Words = Field(default=(), description=f"form layouts: {_NOT}")
    not_creator: Words = Field(default=(), description=f"employee codes of the creator: {_NOT}")

    @property
    def conditions(self) -> tuple[tuple[str, tuple[str, ...], bool], ...]:
        """The conditions that were given, as (key, words, negated); the key without its "not_"."""
        given = ((name, getattr(self, name)) for name in type(self).model_fields)
        return tuple((name.removeprefix("not_"), words, name.startswith("not_")) for name, words in given if words)


class Route(Section):
    """Where tasks that were created after the connection go, if the conditions hold."""

    project: Target = Field(description="project, as its id or its name")
    group: Target = Field(description="task group of that project, as its id or its name")
    when: RouteWhen = Field(default=RouteWhen(), description="conditions; none: every task")


class Pilot(Section):
    """What is acted on at first, while a company tries the product; both lists empty: everything.

    The rest is read and shown as left out; its edits flow when the pilot takes it in or is removed.
    """

    projects: tuple[Target, ...] = Field(
        default=(), description="only pairs and tasks of these projects, each as its id or its name; empty: of all"
    )
    people: tuple[Word, ...] = Field(
        default=(), description="only tasks whose CRM owner is one of these, as code, name or label; empty: of all"
    )


class Deletes(Section):
    """What happens when one record of a pair is gone."""

    policy: Literal["unlink", "propagate"] = Field(
        default="unlink", description="unlink forgets the pair and keeps the other record | propagate deletes it too"
    )
    confirm_after: DurationOrZero = Field(
        default=timedelta(hours=1),
        description="a record counts as gone when it is missing again this much later, in another cycle",
    )


class Safety(Section):
    """How much one cycle may change before everything of that kind is held for a person."""

    max_update_percent: Percent = Field(
        default=30.0, description="updates, in percent of the open pairs (not completed on both sides), a cycle"
    )
    min_updates: Count = Field(default=50, description="updates up to this number are never held for their percentage")
    max_updates: Count = Field(default=300, description="updates a cycle, whatever the percentage")
    max_delete_percent: Percent = Field(
        default=5.0, description="deletions, and unlinks for absence, in percent of the open pairs, a cycle"
    )
    min_deletes: Count = Field(
        default=10, description="deletions up to this number are never held for their percentage"
    )
    max_deletes: Count = Field(default=50, description="deletions a cycle, whatever the percentage")
    max_creates: Count = Field(default=500, description="new work items a cycle; backfill has its own --limit")


class Limits(Section):
    """How the servers are called; each for one side."""

    requests_per_second: Rate = Field(default=10.0, description="calls a second, at most; polite to a shared server")
    concurrency: Count = Field(default=4, description="calls at the same time, at most")
    timeout: Duration = Field(default=timedelta(seconds=30), description="one call may take this long")
    retry_for: Duration = Field(
        default=timedelta(seconds=10), description="repeats of one read end after this; the next cycle goes on"
    )
    plan_age: Duration = Field(default=timedelta(hours=24), description="a saved plan older than this is refused")
    resolve_after: DurationOrZero = Field(
        default=timedelta(minutes=5),
        description="an unclear create is searched for at once and at every cycle, and sent again only after this long",
    )


class Http(Section):
    """The way out. Proxies of the environment are never used."""

    proxy: Proxy = Field(
        default=SecretStr(""), description="http(s) address of a proxy; empty: none. It may hold a password"
    )
    ca_file: ReadableFile = Field(
        default="", description="PEM file of a company's own certificate authority; empty: none"
    )


class Web(Section):
    """The status page, metrics and health check; they need no password, so keep them on a loopback address."""

    listen: Listen = Field(default="127.0.0.1:8780", description="HOST:PORT of the status page")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return listen_address(self.listen)


class Notify(Section):
    """Notices that leave this machine. Without a mail server and without a webhook there are none."""

    smtp: OptionalListen = Field(default="", description="HOST:PORT of a mail server; empty: no mail")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="starttls | tls, encrypted from the first byte on | none, only to a loopback address",
    )
    smtp_user: str = Field(default="", description="user at the mail server; empty: it asks for none")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="the user's password; better in a file")
    smtp_password_file: str = Field(
        default="", description="file that holds the password, mode 0600; empty: systemd's notify_smtp_password, if any"
    )
    sender: OptionalMailAddress = Field(default="", description="mail address that notices come from")
    to: tuple[MailAddress, ...] = Field(default=(), description="mail addresses that get notices")
    webhook: Webhook = Field(
        default=SecretStr(""),
        description="address that gets each notice as a POST with JSON; https unless on this machine; empty: none",
    )
    webhook_token: SecretStr = Field(default=SecretStr(""), description="bearer token; better in a file")
    webhook_token_file: str = Field(
        default="", description="file that holds the token, mode 0600; empty: systemd's notify_webhook_token, if any"
    )
    webhook_key: SecretStr = Field(
        default=SecretStr(""), description="key of the HMAC-SHA256 in X-Reconciler-Signature; better in a file"
    )
    webhook_key_file: str = Field(
        default="", description="file that holds the key, mode 0600; empty: systemd's notify_webhook_key, if any"
    )
    digest: OptionalHour = Field(
        default="07:30", description="hour of the daily digest, HH:MM in Asia/Ho_Chi_Minh; empty: none"
    )
    personal: bool = Field(
        default=False,
        description="whether notices may quote titles, names and values of records; subjects never do",
    )

    @property
    def server(self) -> tuple[str, int]:
        """Host and port of the mail server, if there is one."""
        return listen_address(self.smtp)

    @model_validator(mode="after")
    def _complete(self) -> Notify:
        mail, hook = bool(self.smtp), bool(self.webhook.get_secret_value())
        if mail and not (self.sender and self.to):
            raise ValueError(say("mail needs sender and to beside smtp"))
        if not mail and (self.smtp_user or self.sender or self.to):
            raise ValueError(say("mail needs smtp, the mail server"))
        if bool(self.smtp_user) != bool(self.smtp_password.get_secret_value()):
            raise ValueError(say("smtp_user and its password are given together, or neither"))
        if mail and self.smtp_security == "none" and not is_loopback(self.server[0]):
            raise ValueError(say('smtp_security = "none" is allowed to a loopback address only'))
        if not hook and (self.webhook_token.get_secret_value() or self.webhook_key.get_secret_value()):
            raise ValueError(say("webhook_token and webhook_key need webhook, the address"))
        return self


class Wire(Section):
    """Corrections of what the adapters assume about the two APIs; the adapters check the keys."""

    crm: dict[str, Any] = Field(default={}, description="overrides of the CRM's wire profile")
    work: dict[str, Any] = Field(default={}, description="overrides of Work's wire profile")


class Settings(BaseSettings):
    """One connection's settings. Built by `load`; a plain call takes nothing from the environment."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, case_sensitive=True, validate_default=False
    )

    connection: Connection
    crm: Crm
    work: Work
    state: State
    journal: Journal = Journal()
    schedule: Schedule = Schedule()
    watermark: Watermark = Watermark()
    conflict: Conflict = Conflict()
    times: Times = Times()
    fields: Fields = Fields()
    status: StatusMaps = StatusMaps()
    routes: tuple[Route, ...] = Field(
        default=(),
        description="tasks created after the connection: the first route that matches says where; none: not synced",
    )
    pilot: Pilot = Pilot()
    deletes: Deletes = Deletes()
    safety: Safety = Safety()
    limits: Limits = Limits()
    people: dict[Word, Word] = Field(
        default={}, description="other spellings of a person -> employee code; people who left -> their successor"
    )
    http: Http = Http()
    web: Web = Web()
    notify: Notify = Notify()
    wire: Wire = Wire()

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *args: Any, **kwargs: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources that `load` hands over as `sources`, strongest first; else just the given values."""
        given = getattr(init_settings, "init_kwargs", {})
        return tuple(given["sources"]) if "sources" in given else (init_settings,)

    def public(self) -> dict[str, Any]:
        """What decides what is done, as JSON data: no secrets, no address of the state, nothing that only shows."""
        hidden: dict[str, Any] = {section: {key} for section, key in SECRETS}
        shows: dict[str, Any] = {"connection": {"language"}, "web": True, "notify": True}
        return self.model_dump(mode="json", exclude={**hidden, **shows, "state": True, "http": {"proxy"}})

    def fingerprint(self) -> str:
        """A digest of `public`."""
        text = json.dumps(self.public(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class _Schema(GenerateJsonSchema):
    """Shows a default duration as the file would say it."""

    def encode_default(self, dft: Any) -> Any:
        return shown(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """The config file's JSON Schema, for editors. A secret is not required in the file: it has other places."""
    schema = Settings.model_json_schema(schema_generator=_Schema)
    for section, key in SECRETS:
        required = schema["$defs"][section.capitalize()].get("required", [])
        if key in required:
            required.remove(key)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "reconciler config file"}
