"""YAML as people expect it: what looks like a number is one, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from alignlib.errors import InvalidValue

_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"


class _Loader(yaml.SafeLoader):
    """YAML 1.1 takes 1e-4 for a text, and 1:10 for seventy (an hour of minutes)."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML keeps it in the class
        first: [(tag, form) for tag, form in resolvers if tag != _INT]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(_INT, re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(_FLOAT, re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789"))


def read_yaml(path: Path, place: str) -> Any:
    """Return the content of a YAML file; InvalidValue calls it ``place`` where it cannot be read."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidValue(f"{place}: not YAML: {' '.join(str(error).split())}.") from None
