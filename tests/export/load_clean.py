"""Run by test_signatures.py in a process of its own: loads an exported model with TensorFlow's Session loader alone.

Arguments: the model's folder, an .npz of photos, an .npz to write. Prints a JSON line: the operations of the graph, those that
are not in TensorFlow's own list or have no kernel for the CPU, and which packages were loaded.
"""

import json
import sys


class _Without:
    """A finder of modules that finds none of these packages, as where they are not installed."""

    def __init__(self, finder):
        self._finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "keras_hub", "tf_keras", "tensorflow_text", "handnet"):
            return None
        return self._finder.find_spec(name, path, target)


# Before TensorFlow, which itself imports Keras where it finds it.
sys.meta_path[:] = [_Without(finder) for finder in sys.meta_path]

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.python.framework import kernels, op_def_registry  # noqa: E402

folder, photos_file, results_file = sys.argv[1:]
with np.load(photos_file) as arrays:
    ends = np.cumsum(arrays["sizes"])
    contents = [arrays["bytes"][end - size : end].tobytes() for end, size in zip(ends, arrays["sizes"], strict=True)]
tf.compat.v1.disable_eager_execution()
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], folder)

    def run(name, **inputs):
        signature = meta.signature_def[name]
        feed = {signature.inputs[key].name: value for key, value in inputs.items()}
        return session.run({key: info.name for key, info in signature.outputs.items()}, feed)

    results = {f"embed/{key}": value for key, value in run("embed", photos=contents).items()}
    results |= {f"default/{key}": value for key, value in run("serving_default", photos=contents).items()}
    results |= {f"verify/{key}": value for key, value in run("verify", first=contents, second=contents[::-1]).items()}
    for batch in (0, 1, 3):
        results[f"batch{batch}"] = run("embed", photos=np.array(contents[:batch], object))["embeddings"]
nodes = [*meta.graph_def.node, *(node for function in meta.graph_def.library.function for node in function.node_def)]
functions = {function.signature.name for function in meta.graph_def.library.function}
operations = sorted({node.op for node in nodes} - functions)
np.savez(results_file, **results)
summary = {
    "operations": operations,
    "unknown": [name for name in operations if op_def_registry.get(name) is None],
    "without_kernel": [
        name
        for name in operations
        if not any(
            kernel.device_type in ("CPU", "DEFAULT") for kernel in kernels.get_registered_kernels_for_op(name).kernel
        )
    ],
    "loaded": sorted({name.split(".")[0] for name in sys.modules}),
}
print(json.dumps(summary))
