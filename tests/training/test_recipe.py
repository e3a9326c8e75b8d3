"""Recipes: what is read, what is refused, and what the refusal says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lostfound.errors import RecipeError
from lostfound.settings import packaged_names, read_recipe
from lostfound.training.recipe import RECIPES, load_recipe

SMALLEST = {
    "name": "mine",
    "model": {"backbone": "resnet18"},
    "input": {"size": [32, 32]},
    "trainer": {"epochs": 1},
}


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(SMALLEST))
    return path


NAMES = packaged_names(RECIPES)


def variant_names(name: str) -> list[str]:
    return list(read_recipe(name, RECIPES).get("variants") or {})


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_in_the_package_is_valid(name: str) -> None:
    assert load_recipe(name).name == name


VARIANTS = [(name, variant) for name in NAMES for variant in variant_names(name)]


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_variant_in_the_package_is_valid_and_is_another_run(name: str, variant: str) -> None:
    found = load_recipe(name, variant=variant)
    assert found.name == name
    assert (found == load_recipe(name)) == (variant == "source")
    if (name, variant) != ("cities", "cnn8"):
        assert [each for each in variant_names(name) if load_recipe(name, variant=each) == found] == [variant]


@pytest.mark.parametrize("name", ["lost-and-found", "geotrainr", "london", "cities", "euguess"])
def test_the_published_systems_have_a_faithful_and_a_small_variant(name: str) -> None:
    assert {"source", "laptop"} <= set(variant_names(name))


@pytest.mark.parametrize(
    ("name", "variant"), [(name, variant) for name, variant in VARIANTS if variant != "laptop"]
)
def test_every_variant_can_be_made_small(name: str, variant: str) -> None:
    if "laptop" in variant_names(name):
        small = load_recipe(name, variant=f"{variant}+laptop")
        assert small.model.backbone == "mobilenetv2_100"
        assert small.task == load_recipe(name, variant=variant).task


def test_the_first_recipe_is_there() -> None:
    assert "countries" in NAMES


def test_a_file_is_read_by_its_path(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file)
    assert recipe.model.backbone == "resnet18"
    assert recipe.input.size == (32, 32)
    assert recipe.optimizer.learning_rate == 1e-3  # a default


def test_a_recipe_survives_being_written_and_read(tmp_path: Path) -> None:
    recipe = load_recipe("countries")
    path = tmp_path / "again.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    assert load_recipe(path) == recipe


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("seeed=1", "unknown key 'seeed'; did you mean 'seed'?"),
        ("trainer.epoch=1", "unknown key 'trainer.epoch'; did you mean 'trainer.epochs'?"),
        (
            "augmentation.color_jitter.brigthness=0.1",
            "unknown key 'augmentation.color_jitter.brigthness'; "
            "did you mean 'augmentation.color_jitter.brightness'?",
        ),
        ("learning_rate=1", "unknown key 'learning_rate'; did you mean 'optimizer.learning_rate'?"),
        ("trainer.weight_decay=0", "did you mean 'optimizer.weight_decay'?"),
        ("hue=0.1", "did you mean 'augmentation.color_jitter.hue'?"),
        ("trainer.zzz=1", "known: accumulate, batch_size, channels_last,"),
        ("label_smoothing=0.1", "did you mean 'task.label_smoothing'?"),
        (
            "task.label_smooting=0.1",
            "unknown key 'task.label_smooting'; did you mean 'task.label_smoothing'?",
        ),
        ("task.haversine.tau=75", "did you mean 'task.haversine.tau_km'?"),
        ("offset_weight=2", "did you mean 'task.offset_weight'?"),
        ("zzz.seed=1", "unknown key 'zzz'; known: augmentation,"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(override: str, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("countries", [override])
    assert says in str(caught.value)


def test_all_mistakes_are_listed_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("countries", ["seeed=1", "trainer.epochs=0"])
    assert "'seed'" in str(caught.value)
    assert "trainer.epochs: input should be greater than or equal to 1 (is 0)" in str(caught.value)


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("trainer.epochs=0", "trainer.epochs"),
        ("trainer.epochs=1.5", "trainer.epochs"),
        ("trainer.epochs=many", "trainer.epochs"),
        ("trainer.epochs=null", "trainer.epochs"),
        ("trainer.batch_size=1", "trainer.batch_size"),
        ("trainer.workers=-1", "trainer.workers"),
        ("trainer.precision=64", "trainer.precision"),
        ("trainer=3", "trainer"),
        ("optimizer.learning_rate=0", "optimizer.learning_rate"),
        ("optimizer.learning_rate=.inf", "optimizer.learning_rate"),
        ("optimizer.learning_rate=.nan", "optimizer.learning_rate"),
        ("optimizer.name=lion", "optimizer.name"),
        ("optimizer.gradient_clip=0", "optimizer.gradient_clip"),
        ("schedule=null", "schedule"),
        ("schedule.name=linear", "schedule.name"),
        ("input.size=[0, 32]", "input.size.0"),
        ("input.size=32", "input.size"),
        ("input.size=[32, 32, 3]", "input.size"),
        ("input.crop_fraction=1.1", "input.crop_fraction"),
        ("input.interpolation=nearest", "input.interpolation"),
        ("input.mean=[127, 127, 127]", "input.mean.0"),
        ("input.std=[0, 0.2, 0.2]", "input.std.0"),
        ("augmentation.crop_scale=[0, 1]", "augmentation.crop_scale.0"),
        ("augmentation.crop_scale=[0.5, 1.5]", "augmentation.crop_scale.1"),
        ("augmentation.crop_scale=[1, 0.5]", "augmentation.crop_scale: the smaller number comes first"),
        ("augmentation={crop_size: [20, 20]}", "augmentation: crop_size goes with crop_scale"),
        ("augmentation.crop_ratio=[2, 1]", "augmentation.crop_ratio: the smaller number comes first"),
        ("augmentation.rotation=181", "augmentation.rotation"),
        ("augmentation.color_jitter.hue=0.6", "augmentation.color_jitter.hue"),
        ("task.label_smoothing=1", "task.label_smoothing"),
        ("task.kind=riddle", "task: "),
        ("task.haversine={tau_km: 0}", "task.haversine.tau_km"),
        ("task.haversine={}", "task: haversine smoothing goes without label_smoothing"),
        ("task.partition=hexagons", "task.partition"),
        ("task.settings={max_images: 5}", "task.settings: "),
        ("task.settings={min_images: 5}", "task.settings: min_images is task.min_images"),
        ("task={kind: coordinates, scaling: bounds, loss: great_circle}", "task: the great_circle loss goes"),
        ("task={kind: coordinates, scaling: origin, origin: [91, 0]}", "task.origin.0"),
        ("task={kind: distance, clip_degrees: 0}", "task.clip_degrees"),
        ("data.limit=0", "data.limit"),
        ("data.sampling_power=1.5", "data.sampling_power"),
        ("model.lock.share=1.1", "model.lock.share"),
        ("model.views=0", "model.views"),
        ("data.located=truely", "data.located"),
        ("trainer.monitor=beauty", "trainer.monitor"),
        ("trainer.loggers=[excel]", "trainer.loggers.0"),
        ("seed=-1", "seed"),
        ("name=", "name"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(override: str, key: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("countries", [override])
    assert str(caught.value).startswith(f"recipe countries:\n  {key}")


def test_a_missing_key_is_named(recipe_file: Path) -> None:
    recipe_file.write_text("name: mine\nmodel: {backbone: resnet18}\ninput: {size: [8, 8]}\n")
    with pytest.raises(RecipeError, match=r"trainer is missing"):
        load_recipe(recipe_file)


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("trainer.epochs=3", "trainer.epochs", 3),
        ("optimizer.learning_rate=1e-3", "optimizer.learning_rate", 0.001),
        ("optimizer.learning_rate=2.5E-4", "optimizer.learning_rate", 0.00025),
        ("trainer.workers=null", "trainer.workers", None),
        ("trainer.workers=", "trainer.workers", None),
        ("input.size=[48, 64]", "input.size", (48, 64)),
        ("input.mean=null", "input.mean", None),
        ("augmentation.color_jitter={hue: 0.5}", "augmentation.color_jitter.hue", 0.5),
        ("augmentation.color_jitter=null", "augmentation.color_jitter", None),
        ("augmentation={}", "augmentation.crop_scale", None),
        ("model.options={}", "model.options", {}),
        ("model.options.drop_path_rate=0.1", "model.options", {"pad_type": "same", "drop_path_rate": 0.1}),
        ("model.options={ls_init_value: 1e-6}", "model.options", {"ls_init_value": 1e-6}),
        ("name=a=b", "name", "a=b"),
        ("data.countries=[NO, SE]", "data.countries", ("NO", "SE")),
        ("data.located=true", "data.located", True),
    ],
)
def test_a_setting_can_be_changed(override: str, key: str, value: object) -> None:
    found: object = load_recipe("countries", [override])
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) is type(value)


def test_the_last_change_of_a_setting_wins() -> None:
    assert load_recipe("countries", ["trainer.epochs=3", "trainer.epochs=4"]).trainer.epochs == 4


@pytest.mark.parametrize("override", ["trainer.epochs", "=3", ""])
def test_a_change_without_a_key_and_a_value_is_refused(override: str) -> None:
    with pytest.raises(RecipeError, match=r"key=value, such as trainer\.epochs=3"):
        load_recipe("countries", [override])


def test_a_change_that_is_no_yaml_is_refused() -> None:
    with pytest.raises(RecipeError, match="the value is not valid YAML"):
        load_recipe("countries", ["input.size=[1, 2"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name: [", "is not valid YAML"),
        (b"name: a\n\tmodel: b\n", "is not valid YAML"),
        (b"name: \xff\xfe\x00", "is not valid YAML"),
        (b"", "must be a mapping"),
        (b"- a\n- b\n", "must be a mapping"),
        (b"just text", "must be a mapping"),
        (b"1: 2\n", "keys should be strings"),
        (b"[" * 5000, "is not valid YAML"),
    ],
)
def test_a_file_that_is_no_recipe_says_so(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert says in str(caught.value)
    assert "broken.yaml" in str(caught.value)


def test_python_in_yaml_is_refused_and_not_run(tmp_path: Path) -> None:
    target = tmp_path / "made"
    call = f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{target}]]"
    path = tmp_path / "attack.yaml"
    path.write_text(f"name: {call}\n")
    with pytest.raises(RecipeError, match="not valid YAML"):
        load_recipe(path)
    with pytest.raises(RecipeError, match="not valid YAML"):
        load_recipe("countries", [f"name={call}"])
    assert not target.exists()


@pytest.mark.parametrize("name", ["missing.yaml", "nosuchrecipe", "", "../recipes/nosuch"])
def test_a_recipe_that_is_not_there_lists_those_that_are(name: str) -> None:
    with pytest.raises(RecipeError, match="countries"):
        load_recipe(name)


def test_letters_beyond_ascii_are_read_whatever_the_locale(recipe_file: Path) -> None:
    recipe_file.write_bytes(yaml.safe_dump({**SMALLEST, "name": "Österreich"}, allow_unicode=True).encode())
    assert load_recipe(recipe_file).name == "Österreich"


# --- variants


VARIED = """
name: mine
task: {partition: countries, min_images: 3, label_smoothing: 0.1}
model: {backbone: resnet18, dropout: 0.1, lock: {share: 0.5}}
input: {size: [32, 32]}
trainer: {epochs: 1}
variants:
  source: {}
  dotted: {model.lock.share: 0.2, trainer.epochs: 3}
  section: {model: {lock: {share: 0.7}}}
  cells: {task.settings: {max_images: 9}, task.partition: s2}
  where: {task: {kind: coordinates, scaling: bounds}}
  dry: {model.dropout: 0.0}
  wrong: {model.dropot: 0.0}
"""


@pytest.fixture
def varied(tmp_path: Path) -> Path:
    path = tmp_path / "varied.yaml"
    path.write_text(VARIED)
    return path


def test_a_variant_changes_what_it_names_alone(varied: Path) -> None:
    found = load_recipe(varied, variant="dotted")
    assert (found.model.lock.share, found.trainer.epochs, found.model.dropout) == (0.2, 3, 0.1)


def test_a_section_in_a_variant_keeps_the_rest_of_the_section(varied: Path) -> None:
    found = load_recipe(varied, variant="section").model
    assert (found.lock.share, found.dropout, found.backbone) == (0.7, 0.1, "resnet18")


def test_several_variants_add_up_and_the_last_wins(varied: Path) -> None:
    found = load_recipe(varied, variant="dotted+dry+section").model
    assert (found.lock.share, found.dropout) == (0.7, 0.0)


def test_a_change_comes_after_the_variant(varied: Path) -> None:
    assert load_recipe(varied, ["trainer.epochs=5"], variant="dotted").trainer.epochs == 5
    assert load_recipe(varied, {"trainer.epochs": 6}, variant="dotted").trainer.epochs == 6
    assert load_recipe(varied, {"trainer": {"epochs": 7}}, variant="dotted").trainer.epochs == 7


def test_another_partition_or_task_starts_from_its_own_defaults(varied: Path) -> None:
    """Whatever the order of the changes."""
    cells = load_recipe(varied, variant="cells").task
    assert cells.model_dump()["settings"] == {"max_images": 9}
    assert cells.model_dump()["min_images"] == 3
    assert load_recipe(varied, variant="where").task.kind == "coordinates"
    back = load_recipe(varied, ["task.partition=countries"], variant="cells").task
    assert back.model_dump()["settings"] == {}


def test_an_unknown_variant_lists_the_known(varied: Path, recipe_file: Path) -> None:
    with pytest.raises(RecipeError, match="has no variant 'sorce'; it has: source, dotted, section, cells"):
        load_recipe(varied, variant="sorce")
    with pytest.raises(RecipeError, match="has no variant 'source'; it has: none"):
        load_recipe(recipe_file, variant="source")


def test_a_wrong_variant_is_named(varied: Path) -> None:
    with pytest.raises(
        RecipeError, match=r"varied.yaml, variant wrong:\n  unknown key 'model.dropot'; did you"
    ):
        load_recipe(varied, variant="wrong")


@pytest.mark.parametrize("variants", ["variants: [a]", "variants: {a: [b]}", "variants: {a: 3}"])
def test_variants_that_are_no_settings_are_refused(recipe_file: Path, variants: str) -> None:
    recipe_file.write_text(yaml.safe_dump(SMALLEST) + variants)
    with pytest.raises(RecipeError):
        load_recipe(recipe_file, variant="a")
