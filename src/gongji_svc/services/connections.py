"""How clients may connect: how many, how long, how much at once; gRPC's own settings.

Rule: what comes before a call is gRPC's to bound, and it counts per connection and per front, not
per address: a bound per address is the network's, before us. Everything has an end, so that clients
that are slow, or gone without a word, hold nothing for ever.
"""

import resource

Options = tuple[tuple[str, int], ...]

# gRPC drops calls by itself beyond 1000 pending ones; our own bounded queue answers instead.
_PENDING = 1 << 20
# An answer tells every line of its request and more: it must fit what clients accept, 4 MiB.
_LARGEST_REQUEST_BYTES = 5 << 19
_METADATA_BYTES = 8 << 10
# A gateway brings all its people on one connection, a thousand at most (gateway/connections.py).
_CALLS_A_CONNECTION = 1024
_MOST_CONNECTIONS = 10_000
_OTHER_FILES = 500  # what a front has open beside connections
# A client that watches may be gone without a word, and may ask whether we are still there.
_ASK_MILLISECONDS = 60_000
_ANSWER_MILLISECONDS = 10_000
_ASKED_MILLISECONDS = 5_000
# Who connects has so long to say something.
_GREET_MILLISECONDS = 10_000
_IDLE_MILLISECONDS = 300_000
# A connection is given up for a new one in time, so that clients find a new process; calls and
# streams end before the grace does (watching.py).
_AGE_MILLISECONDS = 600_000
_GRACE_MILLISECONDS = 930_000
_OPTIONS: Options = (
    ("grpc.max_receive_message_length", _LARGEST_REQUEST_BYTES),
    ("grpc.server.max_pending_requests", _PENDING),
    ("grpc.server.max_pending_requests_hard_limit", _PENDING),
    ("grpc.max_concurrent_streams", _CALLS_A_CONNECTION),
    # Else a stream that waits for its turn is let send megabytes, which are held for it.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.max_metadata_size", _METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", _METADATA_BYTES),
    ("grpc.server_handshake_timeout_ms", _GREET_MILLISECONDS),
    ("grpc.max_connection_idle_ms", _IDLE_MILLISECONDS),
    ("grpc.max_connection_age_ms", _AGE_MILLISECONDS),
    ("grpc.max_connection_age_grace_ms", _GRACE_MILLISECONDS),
    ("grpc.keepalive_time_ms", _ASK_MILLISECONDS),
    ("grpc.keepalive_timeout_ms", _ANSWER_MILLISECONDS),
    ("grpc.http2.min_ping_interval_without_data_ms", _ASKED_MILLISECONDS),
)


def options(shares_port: bool) -> Options:
    """What a front's server is made with; asks the system for as many open files as it needs."""
    return (
        *_OPTIONS,
        ("grpc.max_allowed_incoming_connections", _room()),
        # A port of one's own can't be taken by a second program unnoticed.
        ("grpc.so_reuseport", int(shares_port)),
    )


def _room() -> int:
    """How many connections there is room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _OTHER_FILES
    files = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(_OTHER_FILES, min(_MOST_CONNECTIONS, files - _OTHER_FILES))
