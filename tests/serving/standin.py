"""A loopback stand-in for TensorFlow Serving: its own gRPC servicer class and its REST paths over an exported model.

It answers as TensorFlow Serving does, error statuses and messages included (tensorflow/serving,
servables/tensorflow/predict_util.cc, model_servers/http_rest_api_handler.cc, core/basic_manager.cc), and can be told to be
slow or overloaded. It listens on 127.0.0.1 alone.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

_HTTP = {"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 412, "NOT_FOUND": 404, "UNAVAILABLE": 503, "INTERNAL": 500}


class Refusal(Exception):
    """A status and the words that go with it."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Model:
    """An exported model as TensorFlow Serving runs it.

    Attributes:
        folder: NAME/VERSION.
        name: at the server.
        busy: how many of the next requests are refused as overloaded.
        delay_s: seconds before an answer.
        requests: the number of photos in each request that was received.
    """

    folder: Path
    name: str
    busy: int = 0
    delay_s: float = 0.0
    requests: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        # The reference must outlive its signatures.
        self._loaded = tf.saved_model.load(str(self.folder))
        self._lock = threading.Lock()

    def run(self, name: str, version: int, signature: str, inputs: dict[str, tf.Tensor]) -> dict[str, np.ndarray]:
        with self._lock:
            self.requests.append(sum(int(tensor.shape[0]) for tensor in inputs.values()))
            self.busy -= 1
            busy = self.busy >= 0
        time.sleep(self.delay_s)
        if busy:
            raise Refusal("UNAVAILABLE", "The batch scheduling queue to which this task was submitted is full")
        spec = f"Specific({name}, {version})" if version else f"Latest({name})"
        if name != self.name or version not in (0, int(self.folder.name)):
            raise Refusal("NOT_FOUND", f"Servable not found for request: {spec}")
        if signature not in self._loaded.signatures:
            raise Refusal("FAILED_PRECONDITION", f'Serving signature key "{signature}" not found.')
        function = self._loaded.signatures[signature]
        wanted = set(function.structured_input_signature[1])
        if set(inputs) != wanted:
            raise Refusal("INVALID_ARGUMENT", f"input size does not match signature: {len(inputs)}!={len(wanted)}")
        try:
            return {key: value.numpy() for key, value in function(**inputs).items()}
        except tf.errors.InvalidArgumentError as error:
            raise Refusal("INVALID_ARGUMENT", error.message) from None


@contextmanager
def serve_grpc(model: Model) -> Iterator[str]:
    """Serve a model by tensorflow-serving-api's own servicer class and yield the address."""
    grpc = pytest.importorskip("grpc")
    predict_pb2 = pytest.importorskip("tensorflow_serving.apis.predict_pb2", reason="tensorflow-serving-api is absent")
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    class Servicer(service.PredictionServiceServicer):
        def Predict(self, request: Any, context: Any) -> Any:
            inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
            spec = request.model_spec
            signature = spec.signature_name or "serving_default"
            try:
                outputs = model.run(spec.name, spec.version.value, signature, inputs)
            except Refusal as refusal:
                context.abort(grpc.StatusCode[refusal.status], str(refusal))
            response = predict_pb2.PredictResponse()
            for key in request.output_filter or outputs:
                if key not in outputs:
                    message = f"output tensor alias not found in signature: {key}"
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
                response.outputs[key].CopyFrom(tf.make_tensor_proto(outputs[key]))
            return response

    limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(8), options=limits)
    service.add_PredictionServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@contextmanager
def serve_rest(model: Model) -> Iterator[str]:
    """Serve a model by TensorFlow Serving's REST paths and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            match = re.fullmatch(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:predict", self.path)
            if match is None:
                self._answer(404, {"error": f"Malformed request: POST {self.path}"})
                return
            inputs = {key: tf.constant(_decode(value)) for key, value in body["inputs"].items()}
            signature = body.get("signature_name") or "serving_default"
            try:
                outputs = model.run(match[1], int(match[2] or 0), signature, inputs)
            except Refusal as refusal:
                self._answer(_HTTP[refusal.status], {"error": str(refusal)})
                return
            # Words are bytes in TensorFlow, and strings in JSON.
            columns = {
                key: (np.char.decode(value.astype("S")) if value.dtype.kind == "O" else value).tolist()
                for key, value in outputs.items()
            }
            # A single output stands without its name.
            self._answer(200, {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))})

        def _answer(self, status: int, body: object) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


SERVERS = {"grpc": serve_grpc, "rest": serve_rest}


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        return base64.b64decode(value["b64"], validate=True)
    return [_decode(item) for item in value] if isinstance(value, list) else value
