"""Which formats there are, and what is said of others. That each gives the encoder's vectors is tested under tests/export."""

import importlib.util
import subprocess
import sys

import pytest

from handnet.errors import ConfigError
from handnet.networks.formats import FORMATS, Format, check_format


def test_an_unknown_format_is_named_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="Unknown format 'onix'. Did you mean 'onnx'"):
        check_format("onix")


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "other", Format("model.other", ("no_such_package",)))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="The format 'other' needs the package no_such_package"):
        check_format("other")


def test_names_are_checked_before_keras_is_loaded() -> None:
    code = "import sys, handnet.networks.formats; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
def test_openvino_reports_to_nobody() -> None:
    code = (
        "from handnet.networks.formats import check_format; check_format('openvino')\n"
        "from openvino.tools.ovc import convert_impl; print(convert_impl.tm.__name__)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "openvino.tools.ovc.telemetry_stub\n"
