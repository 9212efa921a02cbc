"""Where log lines go: one JSON object a line, on standard error.

Rule: standard output is for answers. A line names no person, certificate, card or token.
"""

import logging
import sys

import structlog
from structlog.typing import EventDict


def configure(process: str) -> None:
    """Set up this process's log; every line carries the process's name."""

    def name(_logger: object, _method: str, line: EventDict) -> EventDict:
        return {**line, "process": process}

    structlog.configure(
        processors=[
            name,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
