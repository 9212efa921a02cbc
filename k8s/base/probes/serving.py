"""A probe of the core: asks its grpc.health.v1 on this machine, as a client does, with TLS where
the core has it.

Rule: exit status 0 when the core says that it serves; with `--answers`, when it says anything. Its
own certificate, good for 127.0.0.1 too, is shown as the client's; its issuer's, by which it is
checked, lies beside it as `ca.crt`.
"""

import os
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_SECONDS = 30.0  # the probe's timeoutSeconds, which is the limit, is less


def channel() -> grpc.Channel:
    """The way to the core of this pod, by the settings that it has itself."""
    target = f"127.0.0.1:{os.environ['GONGJI_GRPC_LISTEN'].rpartition(':')[2]}"
    if not os.environ.get("GONGJI_TLS_CERT"):
        return grpc.insecure_channel(target)
    certificate = Path(os.environ["GONGJI_TLS_CERT"])
    credentials = grpc.ssl_channel_credentials(
        certificate.with_name("ca.crt").read_bytes(),
        Path(os.environ["GONGJI_TLS_KEY"]).read_bytes(),
        certificate.read_bytes(),
    )
    return grpc.secure_channel(target, credentials)


def main() -> int:
    """The exit status."""
    with channel() as way:
        try:
            said = health_pb2_grpc.HealthStub(way).Check(
                health_pb2.HealthCheckRequest(), timeout=_SECONDS
            )
        except grpc.RpcError as error:
            sys.stderr.write(f"the core does not answer: {error.code().name}\n")
            return 1
    serves = said.status == health_pb2.HealthCheckResponse.SERVING
    if not serves:
        sys.stderr.write("the core answers, and does not serve\n")
    return 0 if serves or "--answers" in sys.argv[1:] else 1


if __name__ == "__main__":
    sys.exit(main())
