"""Under which address this gateway tells of itself.

Rule: who calls may name a host that is not ours, so a name is believed only where it is this
machine's own: localhost, or the address on which the call came. For any other it is that address.
"""

from starlette.requests import Request

_LOCAL = ("localhost", "127.0.0.1", "::1")


def own_origin(request: Request) -> str:
    """Scheme, host and port, as in "http://127.0.0.1:8080"."""
    host, port = request.scope.get("server") or ("localhost", None)
    try:
        named, named_port = request.url.hostname, request.url.port
    except ValueError:  # no host, or a port that is no number
        named, named_port = None, None
    if named in (*_LOCAL, host):
        host, port = named, named_port
    shown = f"[{host}]" if ":" in host else host
    return f"{request.url.scheme}://{shown}" + (f":{port}" if port else "")
