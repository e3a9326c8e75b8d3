"""The sections of a recipe: every setting, with its default, its range and what it means."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lostfound.data.images import Interpolation
from lostfound.errors import UsageError
from lostfound.evaluation.metrics import metric_name
from lostfound.partitions import PartitionKind
from lostfound.partitions.settings import check_settings
from lostfound.settings import Section


def _ascending(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError("the smaller number comes first")
    return span


Pixels = Annotated[int, Field(ge=1)]
Unit = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Monitor = Literal[
    "top_1_accuracy",
    "country_accuracy",
    "balanced_accuracy",
    "mean_distance_km",
    "median_distance_km",
    "loss",
]
MONITORS: tuple[Monitor, ...] = get_args(Monitor)
"""What validation measures (see `lostfound.evaluation.metrics`) and a recipe can choose the best epoch by."""
Degrees = Annotated[float, Field(ge=-180, le=180)]


class CellSettings(Section):
    """A partition of the Earth, built from the training images."""

    partition: PartitionKind = "countries"
    min_images: int = Field(1, ge=1, description="cells with fewer training images are left out, and listed")
    settings: dict[str, Any] = Field(
        {}, validate_default=True, description="of the partition, such as max_images of s2"
    )

    @field_validator("settings")
    @classmethod
    def _of_the_partition(cls, settings: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "min_images" in settings:
            raise ValueError("min_images is task.min_images")
        if {"partition", "min_images"} <= info.data.keys():
            try:
                check_settings(info.data["partition"], {"min_images": info.data["min_images"], **settings})
            except UsageError as error:
                raise ValueError(str(error)) from None
        return settings


class Haversine(Section):
    """Haversine smoothing (PIGEON): cells near the photo share its target."""

    tau_km: float = Field(75.0, gt=0, description="how far the target spreads")
    reference: Literal["own", "nearest"] = Field(
        "own", description="the cell whose target is largest: the photo's own, or (PIGEON's code) the nearest"
    )
    normalize: bool = Field(True, description="targets sum to 1 (PIGEON's code: false)")


class Classify(CellSettings):
    """Which cell of a partition is it?"""

    kind: Literal["classify"] = "classify"
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="the share of the target that is spread over all cells"
    )
    haversine: Haversine | None = None
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: each cell counts as much as another, however many images it has"
    )

    teachers: tuple[str, ...] = Field(
        (),
        description="finished models of the same kind of cells, whose mean answers to the same changed "
        "images are learnt beside the labels: folders, or hf://OWNER/NAME",
    )
    teacher_share: float = Field(0.5, gt=0, le=1, description="the share of the loss that is the teachers'")

    @model_validator(mode="after")
    def _one_smoothing(self) -> Classify:
        if self.haversine is not None and (self.label_smoothing or self.class_weights != "none"):
            raise ValueError("haversine smoothing goes without label_smoothing and class_weights")
        return self


class Hybrid(CellSettings):
    """Which cell, and where in it? The loss is cross-entropy plus the offset's error in cell radii."""

    kind: Literal["hybrid"]
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="the share of the target that is spread over all cells"
    )
    offset_weight: float = Field(1.0, gt=0, description="of the offset's error beside the cross-entropy")


class Coordinates(Section):
    """At which latitude and longitude?"""

    kind: Literal["coordinates"]
    scaling: Literal["unit_vector", "bounds", "origin"] = Field(
        "unit_vector",
        description="a point on the sphere; 0..1 over the training images' bounds; or offsets from an origin",
    )
    loss: Literal["great_circle", "mse"] | None = Field(
        None, description="by default great_circle for unit_vector, mse on the scaled values otherwise"
    )
    origin: tuple[Annotated[float, Field(ge=-90, le=90)], Degrees] = Field(
        (0.0, 0.0), description="for origin: latitude and longitude"
    )
    degrees: float = Field(10.0, gt=0, description="for origin: what an output of 1 stands for")

    @model_validator(mode="after")
    def _loss_of_the_scaling(self) -> Coordinates:
        if self.loss == "great_circle" and self.scaling != "unit_vector":
            raise ValueError("the great_circle loss goes with the scaling unit_vector")
        return self


class Distance(Section):
    """How far is it from the anchors, one image near the middle of each country (GeoTrainr)?"""

    kind: Literal["distance"]
    method: Literal["euclidean", "discriminator"] = "discriminator"
    hidden: int = Field(256, ge=1, description="for discriminator: units of its hidden layer")
    clip_degrees: float = Field(10.0, gt=0, description="distances beyond count as this one")
    anchors_only: bool = Field(True, description="train on pairs of an image and an anchor, not of any two")
    identity_weight: float = Field(0.1, ge=0, description="of the loss that an image is 0 from itself")
    min_images: int = Field(2, ge=1, description="countries with fewer training images get no anchor")


class Embedding(Section):
    """Which of a gallery's places does it look like, to a place tower such as GeoCLIP's?"""

    kind: Literal["embedding"]
    teacher: str = Field(
        min_length=1,
        description="a model with a place tower and a gallery, as `lostfound convert geoclip` makes: its "
        "folder, or hf://OWNER/NAME",
    )
    loss: Literal["cosine", "contrastive"] = Field(
        "cosine",
        description="meet the place's embedding; or be nearer to it than to others of batch and gallery",
    )
    temperature: float = Field(0.07, gt=0, description="for contrastive: what cosines are divided by")
    negatives: int = Field(
        1024, ge=0, description="for contrastive: places of the gallery to compare with, drawn in each step"
    )


Task = Annotated[Classify | Hybrid | Coordinates | Distance | Embedding, Field(discriminator="kind")]


class Data(Section):
    """Which of the data set's images are used, and how often."""

    countries: tuple[str, ...] | None = Field(None, description="only these, by ISO 3166-1 alpha-2 code")
    located: bool = Field(False, description="only images with coordinates")
    limit: int | None = Field(None, ge=1, description="so many training images, the same ones everywhere")
    views_per_place: int | None = Field(None, ge=1, description="only so many views of each training place")
    sampling_power: float = Field(
        1.0, ge=0, le=1, description="a class of n images is drawn as n to this power: 1 as it is, 0 evenly"
    )
    source_power: float = Field(
        1.0, ge=0, le=1, description="the same by the collection an image came with, and times it"
    )
    cache: bool = Field(
        False, description="decode once, keep pixels at input.size on disk; crops are then taken from those"
    )


class Lock(Section):
    """Pretrained layers that stay as they are. Their batch normalisation stays in evaluation mode."""

    share: Unit = Field(0.0, description="of the backbone's leaf layers, in the order of the forward pass")
    names: tuple[str, ...] = Field((), description="layers by name, such as conv1 or layer1.*")
    unlock: dict[int, Unit] = Field({}, description="from an epoch (counted from 1) on, this share instead")


class ModelSettings(Section):
    """The network."""

    backbone: str = Field(
        description="a timm model by name; torchvision's: torchvision:googlenet; small ones: lostfound:cnn5"
    )
    pretrained: bool = Field(
        False, description="its source starts from pretrained weights: a run without --weights says so"
    )
    options: dict[str, Any] = Field({}, description="keyword arguments of the model")
    dropout: float = Field(0.0, ge=0, lt=1, description="before the head")
    hidden: int | None = Field(None, ge=1, description="units of a hidden layer (ReLU) in the head")
    keep_head: bool = Field(
        False,
        description="go on with the head of the model that --weights names, for the cells that both know; "
        "for classify",
    )
    lock: Lock = Lock()
    views: int = Field(1, ge=1, description="views of a place whose outputs are averaged before the loss")


class Input(Section):
    """How an image becomes the network's input."""

    size: tuple[Pixels, Pixels] = Field(description="height and width in pixels")
    crop_fraction: float = Field(
        1.0, gt=0, le=1, description="how much of the largest centred box of that shape is seen"
    )
    interpolation: Interpolation = "bicubic"
    mean: tuple[Unit, Unit, Unit] | None = Field(None, description="0..1; null: the backbone's own")
    std: tuple[Share, Share, Share] | None = Field(None, description="0..1; null: the backbone's own")


class Optimizer(Section):
    """How the weights move."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0)
    pretrained_factor: float = Field(
        0.1, ge=0, description="pretrained layers learn at this share of the rate"
    )
    weight_decay: float = Field(0.05, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1, description="for sgd")
    nesterov: bool = Field(False, description="for sgd")
    gradient_clip: float | None = Field(None, gt=0, description="largest norm of the gradient")


class Schedule(Section):
    """How the learning rate changes; it starts from the optimiser's after the warm-up."""

    name: Literal["cosine", "step", "exponential", "warm_restarts", "one_cycle", "constant"] = "cosine"
    warmup_epochs: float = Field(0.0, ge=0, description="in which the learning rate rises to the optimiser's")
    step_epochs: int = Field(10, ge=1, description="for step: epochs between changes")
    step_factor: float = Field(0.1, gt=0, description="for step: the factor of each change")
    epoch_factor: float = Field(0.99, gt=0, description="for exponential: the factor of each epoch")
    restart_epochs: int = Field(10, ge=1, description="for warm_restarts: epochs of the first cycle")
    restart_growth: int = Field(1, ge=1, description="for warm_restarts: each cycle is this much longer")


class ColorJitter(Section):
    """Largest relative changes; hue in turns."""

    brightness: float = Field(0.0, ge=0, description="largest relative change")
    contrast: float = Field(0.0, ge=0, description="largest relative change")
    saturation: float = Field(0.0, ge=0, description="largest relative change")
    hue: float = Field(0.0, ge=0, le=0.5, description="largest change, in turns")


class Perspective(Section):
    """A change of the point of view."""

    distortion: float = Field(0.5, gt=0, le=1)
    probability: Share = 0.5


class Augmentation(Section):
    """Random changes to training images; what is null or 0 is off."""

    enabled: bool = Field(True, description="false turns everything below off")
    crop_scale: Annotated[tuple[Share, Share], AfterValidator(_ascending)] | None = Field(
        None, description="random resized crop: smallest and largest share of the area"
    )
    crop_ratio: Annotated[tuple[Positive, Positive], AfterValidator(_ascending)] = Field(
        (0.75, 4 / 3), description="random resized crop: narrowest and widest, 1 being the input's own shape"
    )
    crop_size: tuple[Pixels, Pixels] | None = Field(
        None,
        description="random resized crop: height and width, if not input.size; smaller ones are quicker to "
        "train on, and show things as large as whole images at input.size do (FixRes, Touvron et al. 2019)",
    )
    rotation: float | None = Field(None, gt=0, le=180, description="largest angle in degrees")
    perspective: Perspective | None = None
    color_jitter: ColorJitter | None = None
    grayscale: Unit = Field(0.0, description="probability of a grey image")
    blur: Unit = Field(0.0, description="probability of a Gaussian blur")
    jpeg: Unit = Field(
        0.0, description="probability of a strong JPEG compression, as of what was shared often"
    )
    border: Unit = Field(0.0, description="probability of a black border, as of screenshots")
    erasing: Unit = Field(0.0, description="probability that a rectangle is blanked")
    flip: Unit = Field(
        0.0, description="probability of a mirror image; it swaps the driving side and mirrors writing"
    )
    mixup: float = Field(0.0, ge=0, description="strength alpha of mixing pairs of images, for classify")

    @model_validator(mode="after")
    def _a_size_of_crops(self) -> Augmentation:
        if self.crop_size is not None and self.crop_scale is None:
            raise ValueError("crop_size goes with crop_scale")
        return self


class Trainer(Section):
    """How long and on what."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(64, ge=2, description="batch normalisation needs two images at least")
    accumulate: int = Field(1, ge=1, description="batches whose gradients are added before a step")
    monitor: Annotated[Monitor, BeforeValidator(metric_name)] | None = Field(
        None, description="what chooses the best epoch; null: by the task"
    )
    patience: int | None = Field(None, ge=1, description="stop after so many epochs without gain")
    ema: float | None = Field(None, gt=0, lt=1, description="decay of the moving average of the weights")
    workers: int | None = Field(
        None, ge=0, description="processes that read images; null: by the number of cores"
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    channels_last: bool = False
    compile: bool = Field(False, description="torch.compile the network")
    device: str = Field("auto", description="auto, cpu, gpu or another accelerator that Lightning knows")
    devices: int = Field(1, ge=1, description="processes of a node that train together")
    nodes: int = Field(1, ge=1, description="machines that train together")
    loggers: tuple[Literal["csv", "tensorboard", "mlflow", "wandb"], ...] = ("csv", "tensorboard")


class Recipe(Section):
    """A training run: what is learnt, from which images, by which network, and how long.

    `load_recipe` reads one from a YAML file. Every key is checked, and what is left out has its default.

    Attributes:
        name: What the model is called.
        data: Which of the data set's images are used.
        task: What the model answers: cells, cells and offsets, coordinates, distances, or a gallery's places.
        model: The network.
        input: How an image becomes the network's input.
        optimizer: How the weights move.
        schedule: How the learning rate changes.
        augmentation: Random changes to training images.
        trainer: How long, and on what machine.
        seed: Of everything that is drawn at random.

    Examples:
        >>> from lostfound.training.recipe import load_recipe
        >>> recipe = load_recipe("demo")
        >>> recipe.task.kind, recipe.seed
        ('classify', 0)
    """

    name: str = Field(min_length=1, description="what the model is called")
    data: Data = Data()
    task: Task = Classify()
    model: ModelSettings
    input: Input
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    augmentation: Augmentation = Augmentation()
    trainer: Trainer
    seed: int = Field(0, ge=0, lt=2**32)
