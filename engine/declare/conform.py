"""Whether data fits a JSON Schema: yes, or not surely.

Nearly every file is sound, and only a file that is not needs explanations. This
answers for the few keywords that the flow's schema consists of, in microseconds;
the validator that can explain takes longer to import than everything else
together. It never says yes where that validator says no, and a test holds the
two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

#: What a schema may say about itself without restricting anything.
_NOTES = frozenset({"$schema", "$defs", "title", "description"})

#: Looked at apart from the others: the type, because they rely on it.
_APART = frozenset({"type", "properties"})

_TYPES: Mapping[str, type] = {"string": str, "array": list, "object": dict, "integer": int}


def conforms(value: Any, schema: Schema, root: Schema) -> bool:
    """Whether a value surely fits a schema.

    Args:
        value: Plain data.
        schema: A schema, or a part of one.
        root: The schema whose `$defs` its references mean.
    """
    if "type" in schema and (
        not isinstance(value, _TYPES.get(schema["type"], ())) or isinstance(value, bool)
    ):
        return False
    for keyword in schema.keys() - _NOTES - _APART:
        rule = schema[keyword]
        check = _CHECKS.get(keyword)
        if check is None or not check(value, rule, schema, root):
            return False
    properties = schema.get("properties", {})
    return not isinstance(value, dict) or all(
        conforms(item, properties[key], root) for key, item in value.items() if key in properties
    )


def _reference(value: Any, rule: str, schema: Schema, root: Schema) -> bool:
    return conforms(value, root["$defs"][rule.removeprefix("#/$defs/")], root)


def _additional(value: Any, rule: Any, schema: Schema, root: Schema) -> bool:
    if not isinstance(value, dict):
        return True
    others = [item for key, item in value.items() if key not in schema.get("properties", {})]
    if rule is False:
        return not others
    return all(conforms(item, rule, root) for item in others)


def _names(value: Any, rule: Schema, schema: Schema, root: Schema) -> bool:
    return not isinstance(value, dict) or all(conforms(key, rule, root) for key in value)


def _items(value: Any, rule: Schema, schema: Schema, root: Schema) -> bool:
    return not isinstance(value, list) or all(conforms(item, rule, root) for item in value)


def _unique(value: Any, rule: bool, schema: Schema, root: Schema) -> bool:
    is_text = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return is_text and len(set(value)) == len(value)


_Check = Callable[[Any, Any, Schema, Schema], bool]

_CHECKS: Mapping[str, _Check] = {
    "$ref": _reference,
    "enum": lambda value, rule, schema, root: isinstance(value, str) and value in rule,
    "pattern": lambda value, rule, schema, root: re.search(rule, value) is not None,
    "minLength": lambda value, rule, schema, root: len(value) >= rule,
    "maxLength": lambda value, rule, schema, root: len(value) <= rule,
    "minItems": lambda value, rule, schema, root: len(value) >= rule,
    "maxItems": lambda value, rule, schema, root: len(value) <= rule,
    "minProperties": lambda value, rule, schema, root: len(value) >= rule,
    "maxProperties": lambda value, rule, schema, root: len(value) <= rule,
    "minimum": lambda value, rule, schema, root: value >= rule,
    "maximum": lambda value, rule, schema, root: value <= rule,
    "required": lambda value, rule, schema, root: all(key in value for key in rule),
    "anyOf": lambda value, rule, schema, root: any(conforms(value, branch, root) for branch in rule),
    "additionalProperties": _additional,
    "propertyNames": _names,
    "items": _items,
    "uniqueItems": _unique,
}
