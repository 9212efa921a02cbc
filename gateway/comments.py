"""What the contract says of its messages, fields and calls, for readers of the interface."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_COMMENTS = files("gongji.v1") / "comments.json"


def comment_of(full_name: str) -> str:
    """The contract's comment of something, as one line; empty where there is none."""
    return _comments().get(full_name, "")


@cache
def _comments() -> Mapping[str, str]:
    comments: Mapping[str, str] = json.loads(_COMMENTS.read_text(encoding="utf-8"))
    return comments
