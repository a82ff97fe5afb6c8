"""Graph functions that are traced once in a process, however many graphs call them.

To find a hand takes ten thousand operations, which take seconds to lay out, and most of them are the same with any settings. So
their graphs are laid out once, and each decoder, export or pipeline that needs them holds a call.
"""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, cast

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
        return (function if tf.executing_eagerly() else traced)(*arguments, **options)

    return cast(_Function, call)
