"""Creates: what a new work item gets from its CRM task, where it goes, and what that decision was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from reconciler.core.bounds import UNBOUND, Bounds, bounds, carried
from reconciler.core.evidence import value_in
from reconciler.core.lenses import Lenses, Unmapped, empty
from reconciler.core.model import (
    Direction,
    Entry,
    Field,
    Project,
    Record,
    Side,
    Target,
    TaskGroup,
    Value,
    Values,
)
from reconciler.core.policy import Policy
from reconciler.core.route import Places, Unusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A CRM task that asks for a work item in `target`. `source` are its values; `places` what of AMIS Work the answer
    depends on, `bounds` what is known to be refused there; `config` is the fingerprint of the settings."""

    target: Target
    source: Values
    places: Places
    directions: Mapping[Field, Direction]
    bounds: Mapping[Field, Bounds]
    config: str

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Everything that a person typed: the task's values, the target, the names of places."""
        return {
            "source": {name.value: value for name, value in self.source.items()},
            "target": asdict(self.target),
            "projects": [asdict(project) for project in self.places.projects],
            "groups": [asdict(group) for groups in self.places.groups.values() for group in groups],
        }

    @property
    def detail(self) -> Mapping[str, Any]:
        """Directions and bounds by field, and the config."""
        return {
            "directions": {name.value: direction.value for name, direction in self.directions.items()},
            "bounds": {name.value: one.plain for name, one in self.bounds.items()},
            "config": self.config,
        }

    def place(self) -> tuple[Project, TaskGroup] | Unusable:
        """Where the item goes, or why the target cannot take it."""
        return self.places.resolve(self.target)

    def payload(self, lenses: Lenses) -> tuple[Values, Mapping[Field, Unmapped]]:
        """The values to send, and the fields left out with what is wrong with each."""
        values: dict[Field, Value] = {}
        left_out: dict[Field, Unmapped] = {}
        for name in wanted(self.source, lenses, self.directions):
            value = carried(lenses[name], Side.WORK, self.source[name], None, self.bounds.get(name, UNBOUND))
            if isinstance(value, Unmapped):
                left_out[name] = value
            else:
                values[name] = value
        return values, left_out


def request(task: Record, target: Target, policy: Policy, places: Places) -> Request:
    """What a task asks for, with as much of the places as the answer depends on."""
    known = places.about(target)
    place = known.resolve(target)
    found = {} if isinstance(place, Unusable) else _bounds(task.values, place[0].id, policy, places)
    return Request(
        target=target,
        source=dict(task.values),
        places=known,
        directions=policy.directions,
        bounds=found,
        config=policy.config,
    )


def _bounds(source: Values, project: str, policy: Policy, places: Places) -> Mapping[Field, Bounds]:
    found = {
        name: bounds(name, policy.lenses[name], Side.WORK, source[name], None, project, policy, places)
        for name in wanted(source, policy.lenses, policy.directions)
    }
    return {name: one for name, one in found.items() if one != UNBOUND}


def request_of(entry: Entry) -> Request:
    """The request that an entry holds. Raises `KeyError` if it holds none, or if its values were erased."""
    inputs: Mapping[str, Any] = entry.inputs
    detail: Mapping[str, Any] = entry.detail
    groups: dict[str, list[TaskGroup]] = {}
    for row in inputs["groups"]:
        groups.setdefault(row["project"], []).append(TaskGroup(**row))
    return Request(
        target=Target(**inputs["target"]),
        source={Field(name): value_in(value) for name, value in inputs["source"].items()},
        places=Places(projects=[Project(**row) for row in inputs["projects"]], groups=groups, members={}),
        directions={Field(name): Direction(direction) for name, direction in detail["directions"].items()},
        bounds={Field(name): Bounds(**one) for name, one in detail["bounds"].items()},
        config=detail["config"],
    )


def wanted(source: Values, lenses: Lenses, directions: Mapping[Field, Direction]) -> list[Field]:
    """The fields that a task with these values wants on its item, in the order of the lenses."""
    return [
        name
        for name, lens in lenses.items()
        if directions[name] is not Direction.OFF
        and not empty(source.get(name))
        and lens.is_value(Side.CRM, source.get(name), None)
    ]
