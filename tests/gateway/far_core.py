"""A core that misbehaves as a test wants: away for a while, silent, or gone in the middle.

Rule: it speaks gRPC as the real one does, and counts what reaches it.
"""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc

Answer = Callable[[grpc.ServicerContext], bytes]


@dataclass(slots=True)
class FarCore:
    """What came, by the last part of the method's path, and the metadata of the last call."""

    port: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    metadata: dict[str, str | bytes] = field(default_factory=dict)
    left: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, core: FarCore, answer: Answer) -> None:
        self._core, self._answer = core, answer

    def service(
        self, details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        def serve(_: bytes, context: "grpc.ServicerContext") -> bytes:
            self._core.calls[details.method.rpartition("/")[2]] += 1
            self._core.metadata = dict(context.invocation_metadata())
            context.add_callback(self._core.left.set)
            return self._answer(context)

        return grpc.unary_unary_rpc_method_handler(serve)


@contextlib.contextmanager
def far_core(answer: Answer) -> Iterator[FarCore]:
    """A core that answers every call by `answer`, until the end of the block."""
    core = FarCore()
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((_Handler(core, answer),))
    core.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield core
    server.stop(None).wait()
