"""What follows from the loss: its batches and the model that is fitted."""

import pytest

from handnet.config.settings import Config
from handnet.errors import ConfigError, DataError
from handnet.losses import LOSSES
from handnet.networks.complete_config import complete_config
from handnet.training.objective import build_training_loss, choose_sampler, count_batch_photos, resize_batch
from tests.tiny import tiny_config


def config_of(loss: str, **sampler: object) -> Config:
    return tiny_config(loss={"name": loss, "options": {}}, sampler=sampler)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_knows_its_batches_and_a_contradiction_is_a_wrong_setting(loss: str) -> None:
    sampler = choose_sampler(config_of(loss))
    assert sampler == ("pairs" if loss == "contrastive" else "people")
    assert choose_sampler(config_of(loss, name=sampler)) == sampler, "as settings of before name it"
    other = {"pairs": "people", "people": "pairs"}[sampler]
    expected = (
        f"The loss '{loss}' takes batches of {sampler}. Received: sampler.name='{other}'. Leave sampler.name out."
    )
    with pytest.raises(ConfigError) as caught:
        build_training_loss(config_of(loss, name=other), 4, with_views=True)
    assert str(caught.value) == expected
    assert caught.value.exit_code == 2


def test_pairs_are_not_filled_with_people_who_look_similar() -> None:
    with pytest.raises(ConfigError, match=r"`sampler\.alike_fraction` is for batches of people.* Received: 0\.5"):
        choose_sampler(config_of("contrastive", alike_fraction=0.5))


def test_the_size_of_a_batch_is_in_pairs_or_in_photos() -> None:
    assert resize_batch(config_of("contrastive"), 7).sampler.pairs_per_batch == 7
    people = resize_batch(config_of("triplet", photos_per_view=2), 12)
    assert people.sampler.people_per_batch == 3
    assert (count_batch_photos(people), count_batch_photos(resize_batch(config_of("contrastive"), 7))) == (12, 14)
    for size in (4, 10):
        with pytest.raises(ConfigError, match=f"--batch must be a multiple of 4 photos .* Received: {size}"):
            resize_batch(config_of("triplet", photos_per_view=2), size)


def test_a_batch_is_refused_where_there_is_none() -> None:
    with pytest.raises(ConfigError, match=r"--batch changes nothing with the head 'lda'.*Received: 16"):
        resize_batch(complete_config({"model": {"arch": "hand"}}), 16)


def test_photos_without_views_are_not_compared_across_views() -> None:
    config = tiny_config(loss={"name": "triplet", "options": {"views": "cross"}})
    with pytest.raises(DataError, match=r"Give --set loss\.options\.views=any\. Received: views='cross'"):
        build_training_loss(config, 4, with_views=False)
    assert build_training_loss(config, 4, with_views=True).views == "cross"
