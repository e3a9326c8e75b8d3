from __future__ import annotations

import pytest

from lostfound.errors import UsageError
from lostfound.settings import packaged_names
from lostfound.studies.study import STUDIES, Entry, in_order, load_study


@pytest.mark.parametrize("name", packaged_names(STUDIES))
def test_the_packaged_studies_are_sound(name):
    study = load_study(name)
    assert study.file.name == name
    for entry in study.file.variants:
        study.recipe(entry, 0)


def test_every_system_has_a_study():
    assert {"lost-and-found", "geotrainr", "london", "cities", "euguess"} <= set(packaged_names(STUDIES))


class TestRecipe:
    def test_later_settings_win(self, write_study):
        file = write_study(
            set={"trainer.epochs": 2, "trainer.batch_size": 8, "optimizer.learning_rate": 0.1},
            variants={
                "plain": {},
                "other": {"set": {"trainer.batch_size": 4, "optimizer.learning_rate": 0.2}},
            },
        )
        recipe = load_study(file, changes={"optimizer.learning_rate": 0.3}).recipe("other", 7)
        assert recipe.trainer.epochs == 2
        assert recipe.trainer.batch_size == 4
        assert recipe.optimizer.learning_rate == 0.3
        assert recipe.seed == 7

    def test_variants_come_on_top_of_the_study_s(self, write_study):
        file = write_study(
            recipe="lost-and-found",
            variant="laptop",
            set={},
            variants={"plain": {}, "low": {"variant": "low-resolution"}},
        )
        recipe = load_study(file).recipe("low", 0)
        assert recipe.model.backbone == "mobilenetv2_100"
        assert recipe.input.size == (80, 130)

    def test_the_command_s_variant_replaces_the_file_s(self, write_study):
        file = write_study(recipe="lost-and-found", variant="laptop", set={})
        assert load_study(file, variant="resnet18").recipe("plain", 0).model.backbone == "resnet18"

    def test_a_recipe_beside_the_study(self, write_study, tmp_path):
        (tmp_path / "own.yaml").write_text(
            "name: own\nmodel: {backbone: resnet18}\ninput: {size: [64, 64]}\ntrainer: {epochs: 1}\n"
        )
        file = write_study(recipe="own.yaml", set={})
        assert load_study(file).recipe("plain", 0).name == "own"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"basline": "plain"}, "unknown key 'basline'; did you mean 'baseline'?"),
        (
            {"variants": {"plain": {"sett": {}}}},
            "unknown key 'variants.plain.sett'; did you mean 'variants.plain.set'?",
        ),
        (
            {"variants": {"plain": {"form": "x"}}},
            "unknown key 'variants.plain.form'; did you mean 'variants.plain.from'?",
        ),
        (
            {"variants": {"plain": {"evaluate_on": {"splt": "test"}}}},
            "unknown key 'variants.plain.evaluate_on.splt'; did you mean 'variants.plain.evaluate_on.split'?",
        ),
        ({"baseline": "nothing"}, "baseline: 'nothing' is none of the variants"),
        ({"claims": {"nothing": "x"}}, "claims.nothing: 'nothing' is none of the variants"),
        (
            {"claims": {"plain": {"says": "x", "expects": "better", "metric": "top_3_accuracy"}}},
            "claims.plain: top_3_accuracy is none of the study's metrics",
        ),
        ({"claims": {"plain": {"says": "x", "expects": "nicer"}}}, "claims.plain"),
        ({"variants": {}}, "variants"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [1, 1]}, "a seed stands there twice"),
        ({"seeds": [-1]}, "seeds.0"),
        ({"metrics": ["acuracy"]}, "no such metric; known: top_1_accuracy"),
        ({"variants": {"plain": {}, "../x": {}}}, "it names a folder"),
        ({"name": "a/b"}, "it names a folder"),
        (
            {"variants": {"plain": {"from": "b"}, "b": {"from": "plain"}}},
            "plain needs b needs plain: a circle",
        ),
        ({"variants": {"plain": {"from": "plain"}}}, "a circle"),
        ({"variants": {"plain": {"from": "c"}}}, "'c' is none of the variants"),
        (
            {"variants": {"plain": {}, "b": {"from": "plain", "weights": "hub"}}},
            "from another entry's model or from weights, not both",
        ),
        (
            {"variants": {"plain": {}, "b": {"same_model_as": "plain", "set": {"x": 1}}}},
            "same_model_as goes with evaluate_on alone",
        ),
        (
            {"variants": {"plain": {}, "b": {"same_model_as": "plain"}, "c": {"same_model_as": "b"}}},
            "'b' has no models of its own",
        ),
        ({"set": {"seed": 3}}, "set its seeds, not seed"),
        (
            {"set": {"trainer.epoch": 3}},
            "variants.plain: recipe demo:\n  unknown key 'trainer.epoch'; did you mean",
        ),
        ({"variants": {"plain": {"variant": "fast"}}}, "has no variant 'fast'"),
        ({"recipe": "demmo"}, "no recipe 'demmo'"),
    ],
)
def test_says_what_is_wrong(write_study, changes, message):
    with pytest.raises(UsageError) as error:
        load_study(write_study(**changes))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [("nothing", "give a YAML file, or one of cities"), ("nothing.yaml", "nothing.yaml does not exist")],
)
def test_a_study_that_is_not_there(name, message):
    with pytest.raises(UsageError, match=message):
        load_study(name)


def test_a_missing_key(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("name: x\nrecipe: demo\nvariants: {a: {}}\n")
    with pytest.raises(UsageError, match="baseline is missing"):
        load_study(file)


@pytest.mark.parametrize(
    ("needs", "order"),
    [
        ({"a": None, "b": None}, ["a", "b"]),
        ({"a": "b", "b": None}, ["b", "a"]),
        ({"a": "c", "b": "a", "c": None}, ["c", "a", "b"]),
    ],
)
def test_what_is_needed_comes_first(needs, order):
    assert (
        list(in_order({name: Entry.model_validate({"from": other}) for name, other in needs.items()}))
        == order
    )
