"""build_loss: names, options, their types and ranges."""

import math

import keras
import pytest

from handnet.errors import ConfigError
from handnet.losses import LOSSES, build_loss
from tests.losses.cases import CASES, case_id


@pytest.mark.parametrize(("name", "options"), CASES, ids=case_id)
def test_every_loss_is_built_with_its_options_and_copied_from_its_config(name, options):
    classes = {"num_classes": 5} if LOSSES[name].needs_classes else {}
    loss = build_loss(name, {**options, **classes})
    assert isinstance(loss, keras.losses.Loss)
    assert loss.consumes in ("embeddings", "distances")
    config = loss.get_config()
    for option, value in {**options, **classes}.items():
        assert config[option] == (math.sqrt(2) if value == "auto" else value)
    assert type(loss).from_config(config).get_config() == config


def test_defaults_are_the_published_ones():
    assert build_loss("contrastive", {}).get_config() == {"name": "contrastive", "margin": 2.0, "form": "published"}
    triplet = build_loss("triplet", {}).get_config()
    assert (triplet["mining"], triplet["margin"], triplet["distance"]) == ("hard", 0.5, "l2")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("triplett", {}, "Unknown loss 'triplett'. Did you mean 'triplet'"),
        ("triplet", {"margn": 0.5}, "Unknown option of the loss 'triplet' 'margn'. Did you mean 'margin'"),
        ("triplet", {"memory_sizes": 5}, "Did you mean 'memory_size'"),
        ("arcface", {"num_classes": 5, "memory_size": 5}, "Unknown option of the loss 'arcface' 'memory_size'"),
        ("triplet", {"name": "mine"}, "Unknown option"),
        ("triplet", {"margin": -1}, "`margin` must be a positive number. Received: margin=-1."),
        ("triplet", {"margin": 0}, "`margin` must be a positive number"),
        ("triplet", {"margin": "wide"}, "`margin` must be a positive number. Received: margin='wide'."),
        ("triplet", {"margin": True}, "Received: margin=True"),
        ("triplet", {"margin": math.nan}, "Received: margin=nan"),
        ("triplet", {"mining": "semi-hard"}, "Received: mining='semi-hard'. Did you mean 'semihard'?"),
        ("triplet", {"soft": 1}, "`soft` must be true or false. Received: soft=1."),
        ("triplet", {"views": "crossed"}, "`views` must be one of any, cross, both"),
        ("triplet", {"distance": "l1"}, "`distance` must be one of l2, squared_l2, cosine"),
        ("contrastive", {"margin": "automatic"}, "positive number or"),
        ("contrastive", {"form": "publish"}, "Did you mean 'published'?"),
        ("infonce", {"temperature": 0.0}, "`temperature` must be a positive number"),
        ("circle", {"margin": 1.5}, r"`margin` must be a number in \(0, 1\]"),
        ("arcface", {}, "The loss 'arcface' needs the option `num_classes`. Received: no options."),
        ("arcface", {"num_classes": 1}, "`num_classes` must be a whole number of at least 2"),
        ("arcface", {"num_classes": 4.0}, "Received: num_classes=4.0"),
    ],
)
def test_a_mistake_is_named(name, options, message):
    with pytest.raises(ConfigError, match=message):
        build_loss(name, options)
