"""Where log lines go: one JSON object a line, on standard error.

Rule: standard output is for answers. A line names no person, certificate, card or token. Every call
has a line, so a line is made in one step: structlog's own steps, one after the other, take thrice
the time.
"""

import json
import logging
import sys
from datetime import UTC, datetime

import structlog
from structlog.typing import EventDict

_encode = json.JSONEncoder(ensure_ascii=False, default=repr).encode


def configure(process: str) -> None:
    """Set up this process's log; every line carries the process's name."""

    def render(logger: object, method: str, line: EventDict) -> str:
        if "exc_info" in line:
            line = structlog.processors.format_exc_info(logger, method, line)
        line["process"] = process
        line["level"] = method
        line["timestamp"] = datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
        return _encode(line)

    structlog.configure(
        processors=[render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
