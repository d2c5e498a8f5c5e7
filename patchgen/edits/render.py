# SPDX-License-Identifier: GPL-2.0-only
"""Rendering of the templates below ``templates/``; nothing else loads jinja2.

A template sees only plain values that cannot end what they stand in: no control
or bidirectional characters, and in C no comment marks or line ends either.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from patchgen.model.outcome import UserError

if TYPE_CHECKING:
    from jinja2 import Environment

# In a checkout a link to ../templates, in an installation a copy of it.
TEMPLATES = Path(__file__).resolve().parent.parent / "_templates"

_C = (".c", ".h")
# C0 but tab and newline, DEL, C1, bidirectional marks and overrides, surrogates.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_BREAKS_C = re.compile(r"/\*|\*/|//|[\n\\]")


def render(template: str, context: Mapping[str, object]) -> str:
    """The text of ``templates/<template>`` for the values of ``context``.

    Values are strings, numbers, booleans, None, frozen structs, and lists, tuples
    and mappings of these.  An undefined name is an error.  In templates named
    ``*.c`` and ``*.h`` strings must be single lines without comment marks.  Raises
    UserError for a value that may not be rendered, and for a template that is not
    there.
    """
    from jinja2 import TemplateNotFound, UndefinedError

    in_c = template.removesuffix(".j2").endswith(_C)
    for name, value in context.items():
        _check(value, f"{template}: {name}", in_c)
    try:
        return _environment().get_template(template).render(dict(context))
    except TemplateNotFound as error:
        raise UserError("no such template", str(TEMPLATES / template)) from error
    except UndefinedError as error:
        raise UserError(f"a value is missing: {error}", template) from error


@functools.cache
def _environment() -> Environment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _check(value: object, where: str, in_c: bool) -> None:
    """Refuse what could break out of the place where the value will stand."""
    if isinstance(value, str):
        if match := _CONTROL.search(value):
            raise UserError(f"control character {match[0]!a} in a value", where)
        if in_c and (match := _BREAKS_C.search(value)):
            raise UserError(f"{match[0]!a} in a value for C", where)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check(key, where, in_c)
            _check(item, f"{where}.{key}", in_c)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item, where, in_c)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _check(getattr(value, name), f"{where}.{name}", in_c)
    elif value is not None and not isinstance(value, int | float):
        raise UserError(f"a value of type {type(value).__name__}", where)
