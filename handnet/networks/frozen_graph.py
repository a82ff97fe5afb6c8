"""A frozen graph run by TensorFlow's C library; `handnet.networks.freezing` writes such graphs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy.typing as npt

from handnet.networks.graph_session import GraphSession

# A serialized ConfigProto: no GPU (device_count), and the graph run as it was written (opt_level L0, disable_meta_optimizer):
# optimizing it would take seconds, for answers of a twentieth of a second. But calls of functions are replaced by what they hold
# (do_function_inlining, of what is asked for: place_pruned_graph): else each call is prepared by itself, which takes seconds.
CONFIG = bytes.fromhex("0a070a03475055100052161a0d18ffffffffffffffffff01200130015203980101")


class FrozenGraph(NamedTuple):
    """A graph whose variables are constants.

    Attributes:
        graph: a serialized GraphDef.
        inputs: by name, the tensor that is fed ("contents:0").
        outputs: by name, the tensor that is fetched.
    """

    graph: bytes
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


class GraphRunner:
    """A frozen graph in a session; not for several threads at once. It lives until the process ends."""

    def __init__(self, frozen: FrozenGraph) -> None:
        """Load the graph.

        Raises:
            GraphError: TensorFlow's C library cannot be loaded here, or it refuses the graph.
        """
        self._session = GraphSession(frozen.graph, CONFIG)
        self._inputs, self._outputs = frozen.inputs, frozen.outputs
        self._session.check_names([*frozen.inputs.values(), *frozen.outputs.values()])

    def run(self, **inputs: bytes | npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Compute all outputs.

        Args:
            inputs: by name, the bytes of a scalar string or an array.

        Raises:
            RefusedInputError: an operation refuses what it was given.
            GraphError: the computation fails for another reason.
        """
        given = {tensor: inputs[name] for name, tensor in self._inputs.items()}
        return dict(zip(self._outputs, self._session.run(given, list(self._outputs.values())), strict=True))
