"""What the processes tell of themselves: metrics, the ids in their log lines, and traces.

Rule: a signal is made of counts, durations and names that the contract or the code fixes; it names
no person, institution, card or request. What is on the way of a call costs a few plain additions:
Prometheus sees them when it asks, and OpenTelemetry is imported only where traces are wanted.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gongji_svc.signals.spans import Spans


def spans_to(endpoint: str, process: str) -> "Spans | None":
    """What makes the spans of a process and sends them there; None where there is no address."""
    if not endpoint:
        return None
    from gongji_svc.signals.spans import Spans

    return Spans(endpoint, process)
