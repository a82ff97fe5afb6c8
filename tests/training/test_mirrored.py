"""On several GPUs of one machine the weights end as on one; two logical CPU devices stand for the GPUs."""

from pathlib import Path

import numpy as np
import pytest

from handnet.errors import ConfigError
from handnet.training import mirrored
from tests.forked import run_program
from tests.tiny import tiny_config, write_tiny

# A program of its own, since the logical devices must be there before TensorFlow starts.
PROGRAM = """
import sys
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from handnet.cli.main import main
from handnet.embedding.predict import build_predict
from handnet.networks.backbones import BACKBONES
from handnet.training import mirrored
from tests.tiny import tiny_backbone, tiny_config
BACKBONES["tiny"] = tiny_backbone()
arguments = sys.argv[1:]
for run in ("alone", "two"):
    if run == "two":
        mirrored.list_gpus = lambda: ["CPU:0", "CPU:1"]
    keras.utils.set_random_seed(0)
    sys.argv = ["handnet", *arguments, f"--run={run}"]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, end.code
with mirrored.spread_over_gpus(tiny_config(), print):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    rows = np.arange(15, dtype="float32").reshape(5, 3)
    np.testing.assert_allclose(build_predict(model)(rows), rows @ model.get_weights()[0], atol=1e-5)
"""
# Without dropout, whose noise each GPU draws itself. Batches of 8 photos.
TRAIN = (
    "train", "--data=hands", "--arch=tiny", "--epochs=3", "--batch=8", "--precision=float32",
    *(f"--set={setting}" for setting in (
        "image.size_px=32", "model.hidden_size=16", "model.dropout=0", "optimizer.name=sgd", "optimizer.learning_rate=0.002",
        "optimizer.ema_momentum=0.9", "augment.flip_probability=0.5", "sampler.passes_per_epoch=1",
    )),
)  # fmt: skip


@pytest.mark.slow
def test_two_devices_end_with_the_weights_of_one(working_folder: Path) -> None:
    write_tiny(Path("hands"), num_people=16)
    out = run_program(PROGRAM, *TRAIN, CUDA_VISIBLE_DEVICES="")
    assert out.count("each batch is spread over 2 GPUs") == 2

    import h5py

    with h5py.File("alone/model.weights.h5") as expected, h5py.File("two/model.weights.h5") as given:
        names: list[str] = []
        expected.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        assert len(names) > 10
        for name in names:
            np.testing.assert_allclose(given[name][()], expected[name][()], rtol=0, atol=1e-5, err_msg=name)
    rows = [np.loadtxt(f"{run}/history.csv", delimiter=",", skiprows=1) for run in ("alone", "two")]
    np.testing.assert_allclose(*rows, atol=1e-4)


def test_what_does_not_run_on_several_gpus_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrored, "list_gpus", lambda: ["GPU:0", "GPU:1"])
    with (
        pytest.raises(ConfigError, match="CUDA_VISIBLE_DEVICES=0"),
        mirrored.spread_over_gpus(tiny_config(train={"jit": True}), print),
    ):
        pass
