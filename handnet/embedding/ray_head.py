"""A Ray cluster of this machine, started in a process of its own: python -m handnet.embedding.ray_head.

Ray starts its processes by forking, and runs Python in each copy before it becomes another program. Where the process has the
threads of TensorFlow, JAX and gRPC such a copy now and then ends before that, and Ray waits for what was never started.
"""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from handnet.errors import ClusterError

# Of the environment, unless the user has chosen. Ray reads them when it is imported.
SETTINGS = {
    # Its parts are a dozen processes, which a busy machine does not always start in Ray's 30 s.
    "RAY_raylet_start_wait_time_s": "120",
    # Else it reports to its makers over the network.
    "RAY_USAGE_STATS_ENABLED": "0",
}


@contextlib.contextmanager
def start_ray(settings: dict[str, Any]) -> Iterator[str]:
    """Start a cluster, yield its address, and end it.

    It takes no work from anybody else: what this process needs to be let in is in its environment from then on.

    Args:
        settings: of `ray.init`.

    Raises:
        ClusterError: it did not start.
    """
    # Before this process imports Ray, which reads it then.
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    command = [sys.executable, "-m", "handnet.embedding.ray_head", json.dumps(settings)]
    environment = {**SETTINGS, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    # It ends when its input does, and so also when this process is killed.
    with process:
        assert process.stdout is not None
        answer = json.loads(process.stdout.readline() or '{"error": "its process ended"}')
        if error := answer.get("error"):
            raise ClusterError(
                f"A local cluster cannot be started: {error}. Is the machine very busy, or short of memory? Then repeat later, "
                "or leave out --cluster."
            )
        yield answer["address"]


def main() -> None:
    """Start a cluster, print its address or what went wrong, and end it when the input ends."""
    import ray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            context: Any = ray.init(address="local", **json.loads(sys.argv[1]))
        except Exception as error:
            # Ray raises it itself where one of its processes did not come in time.
            answer = {"error": (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")}
        else:
            answer = {"address": context.address_info["gcs_address"]}
    print(json.dumps(answer), flush=True)
    if "address" in answer:
        sys.stdin.read()
    ray.shutdown()


if __name__ == "__main__":
    main()
