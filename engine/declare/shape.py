"""Whether a document has the shape of a flow, by `flow.schema.json`.

The only module that knows `jsonschema`, which it asks for what is wrong and where;
the sentences are `mistakes`'.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .conform import conforms
from .diagnostic import Diagnostic
from .document import Document, plain
from .fault import Fault

if TYPE_CHECKING:
    from jsonschema import ValidationError


def schema_text() -> str:
    """The JSON Schema of a flow file as it is written, for editors."""
    return Path(__file__).with_name("flow.schema.json").read_text(encoding="utf-8")


@cache
def flow_schema() -> dict[str, Any]:
    """The JSON Schema of a flow file, the same that editors use."""
    schema: dict[str, Any] = json.loads(schema_text())
    return schema


def check_shape(document: Document) -> tuple[Diagnostic, ...]:
    """Say all that is wrong with the shape of a document, in the order of the file."""
    data = plain(document.root)
    if conforms(data, flow_schema(), flow_schema()):
        return ()
    # Imported where it is needed, here and below: a sound file, which is nearly every one, needs neither.
    from .mistakes import explain

    return explain(document, list(_faults(data)))


def _faults(data: Any) -> Iterator[Fault]:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    # To JSON Schema `5.0` is a whole number; to an author it is not what is asked for.
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    validator = extend(Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]
    for error in validator(flow_schema()).iter_errors(data):
        yield from _leaves(error)


def _leaves(error: ValidationError) -> Iterator[Fault]:
    if error.validator == "anyOf":
        yield from _branch(error)
        return
    yield Fault(
        path=tuple(error.absolute_path),
        key=str(error.instance) if "propertyNames" in error.absolute_schema_path else None,
        keyword=str(error.validator),
        rule=error.validator_value,
        value=error.instance,
        schema=error.schema if isinstance(error.schema, dict) else {},
    )


def _branch(error: ValidationError) -> Iterator[Fault]:
    """The faults of the one branch that is of the value's type; the branches differ by it."""
    of_other_types = {
        part.relative_schema_path[0]: part.validator_value
        for part in error.context or ()
        if part.validator == "type" and not part.relative_path
    }
    meant = [part for part in error.context or () if part.relative_schema_path[0] not in of_other_types]
    for part in meant:
        yield from _leaves(part)
    if not meant:
        yield Fault(
            path=tuple(error.absolute_path),
            key=None,
            keyword="type",
            rule=list(of_other_types.values()),
            value=error.instance,
            schema={},
        )
