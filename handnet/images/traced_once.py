"""Graph functions that are traced once in a process, however many graphs call them.

To find a hand takes ten thousand operations, which take seconds to lay out, and most of them are the same with any settings. So
their graphs are laid out once, and each decoder, export or pipeline that needs them holds a call.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any, TypeVar, cast

import tensorflow as tf

_Function = TypeVar("_Function", bound=Callable[..., object])


def trace_once(function: _Function) -> _Function:
    """Return a function that in a graph is a call of one graph, laid out once for each kind of arguments.

    Outside of graphs it computes operation by operation as before: photos of many sizes would else be traced each.

    Args:
        function: of tensors, in tuples too, and of settings that can be hashed; it uses no tensors but these.
    """
    traced = tf.function(function, autograph=False)

    @wraps(function)
    def call(*arguments: object, **options: object) -> object:
        if tf.executing_eagerly():
            return function(*arguments, **options)
        trace_apart(traced, *arguments, **options)
        return traced(*arguments, **options)

    return cast(_Function, call)


def trace_apart(function: "tf.types.experimental.PolymorphicFunction", *arguments: object, **options: object) -> Any:
    """Lay out the graph of a function in a thread of its own and return it; one that is laid out already is returned.

    TensorFlow notes with each operation the Python calls that it was made in. Within graphs in graphs these are more than a
    hundred, and noting them takes longer than all the rest of making an operation.

    Args:
        function: of `tf.function`; it uses no tensors but its arguments.
        arguments: of the function: tensors, of which only shape and type count, or their specifications.
        options: likewise.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function.get_concrete_function, *arguments, **options).result()
