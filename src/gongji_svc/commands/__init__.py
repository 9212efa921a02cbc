"""One module a command of `gongji`: `add_arguments(parser)` and `run(args, config) -> exit status`.

Rule: a command reads its arguments, calls the parts it needs and prints; the work is theirs.
"""


class UsageError(Exception):
    """What was asked for cannot be done; the message says what to do instead."""
