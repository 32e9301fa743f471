"""Settings: what a declaration gives to callers, manifests and digests."""

from dataclasses import MISSING, dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pytest

from lolhl import manifest
from lolhl.cli import describe_choices
from lolhl.config import Config, Range, chosen_settings, groups, restored, setting, settings
from lolhl.errors import StorageError, UsageError
from lolhl.results import Result
from lolhl.stages import table
from lolhl.storage import Root, open_root

ALL = [config for name in table.STAGES for config in table.load(name).configs]


@dataclass(frozen=True, kw_only=True)
class Cake(Config):
    """How a cake is baked."""

    layers: int = setting(2, "layers", at_least=1, at_most=9)
    sugar: float = setting(0.5, "share of sugar", above=0, below=1)
    per_minute: Fraction = setting(Fraction(3), "turns per minute", at_least=Fraction(1, 1000), at_most=240)
    filling: Literal["cream", "jam"] = setting("cream", "what lies between layers")
    iced: bool = setting(False, "whether it is iced")
    name: str | None = setting(None, "what is written on it")
    ovens: int | None = setting(None, "ovens that bake", at_least=0, neutral=True)


@dataclass(frozen=True, kw_only=True)
class Candled(Cake):
    """A cake of a later version: with a setting more, and more layers by default."""

    layers: int = setting(3, "layers", at_least=1, at_most=9, unrecorded=2)
    candles: int = setting(0, "candles on it", at_least=0)


@dataclass(frozen=True, kw_only=True)
class Baked(Result):
    """A result that says nothing."""

    stage = "bake"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layers": 0}, "--layers 0: must be 1 to 9"),
        ({"layers": "3"}, "--layers '3': must be a whole number, 1 to 9"),
        ({"layers": True}, "--layers True: must be a whole number, 1 to 9"),
        ({"layers": 2.5}, "--layers 2.5: must be a whole number, 1 to 9"),
        ({"layers": None}, "--layers None: must be a whole number, 1 to 9"),
        ({"sugar": 1}, "--sugar 1: must be above 0 and below 1"),
        ({"sugar": float("nan")}, "--sugar nan: must be a number, above 0 and below 1"),
        ({"sugar": float("inf")}, "--sugar inf: must be a number, above 0 and below 1"),
        ({"sugar": 10**300}, "--sugar 1e+300: must be above 0 and below 1"),
        ({"sugar": "x" * 1000}, f"--sugar '{'x' * 59}…: must be a number, above 0 and below 1"),
        ({"per_minute": 0.5}, "--per-minute 0.5: must be a fraction or a whole number, 0.001 to 240"),
        ({"per_minute": Fraction(1, 2000)}, "--per-minute 0.0005: must be 0.001 to 240"),
        ({"filling": "tar"}, "--filling 'tar': must be cream or jam"),
        ({"filling": 4}, "--filling 4: must be text, cream or jam"),
        ({"iced": 1}, "--iced 1: must be True or False"),
        ({"name": 5}, "--name 5: must be text"),
        ({"ovens": -1}, "--ovens -1: must be 0 or more"),
    ],
)
def test_a_value_that_is_not_declared_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Cake(**values)
    assert str(caught.value) == message


def test_values_have_exactly_the_declared_type() -> None:
    cake = Cake(layers=np.int64(3), sugar=np.float32(0.5), per_minute=4)  # type: ignore[arg-type]
    assert cake == Cake(layers=3, sugar=0.5, per_minute=Fraction(4))
    assert [type(value) for value in (cake.layers, cake.sugar, cake.per_minute)] == [int, float, Fraction]
    assert type(Cake(name="x", ovens=None).recorded()["sugar"]) is float


@pytest.mark.parametrize("config", dict.fromkeys(ALL), ids=lambda config: config.__name__)
def test_defaults_are_valid_and_every_choice_and_type_is_checked(config: type[Config]) -> None:
    config()
    for declared in settings(config):
        assert declared.help
        for value in ([], "no such word", object()):
            if declared.kind is not str or declared.choices or not isinstance(value, str):
                with pytest.raises(UsageError, match=f"^{declared.flag} "):
                    config(**{declared.name: value})


def test_a_wrong_kind_of_model_is_no_image_classifier() -> None:
    from lolhl.models.registry import MODELS
    from lolhl.stages.train import TrainConfig

    *others, last = MODELS
    with pytest.raises(UsageError, match=f"--kind 'vide': must be image, {', '.join(others[1:])} or {last}"):
        TrainConfig(kind="vide")


def test_a_setting_may_have_to_be_given() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Bread(Config):
        """How bread is baked."""

        minutes: float = setting(MISSING, "in the oven", above=0)

    with pytest.raises(TypeError, match="minutes"):
        Bread()
    assert Bread(minutes=40).minutes == 40


@pytest.mark.parametrize(
    ("bounds", "shown"),
    [
        (Range(), ""),
        (Range(at_least=16, at_most=2048), "16 to 2048"),
        (Range(at_least=Fraction(1, 1000), at_most=Fraction(240)), "0.001 to 240"),
        (Range(at_least=0), "0 or more"),
        (Range(at_least=0, below=1), "0 or more and below 1"),
        (Range(above=0, at_most=1e6), "above 0 and at most 1000000"),
    ],
)
def test_a_range_in_words(bounds: Range, shown: str) -> None:
    assert str(bounds) == shown


def plan(root: Root, config: Config, inputs: dict[str, str] | None = None) -> tuple[manifest.Plan[Baked], bool]:
    """The work, and whether it is done."""
    todo, earlier = manifest.plan(root, "cake.json", Baked, config, inputs or {"flour": "1"})
    return todo, earlier is not None


@pytest.fixture
def root(tmp_path: Any) -> Root:
    return open_root(str(tmp_path))


def test_a_setting_that_is_added_does_not_make_finished_work_undone(root: Root) -> None:
    todo, _ = plan(root, Cake(filling="jam"))
    made = todo.finish(Baked(), [])
    assert made.config == {
        "layers": 2, "sugar": 0.5, "per_minute": "3", "filling": "jam", "iced": False, "name": None
    }  # fmt: skip
    later, done = plan(root, Candled(filling="jam", layers=2))
    assert (done, later.digest) == (True, made.digest)
    for other in (
        Candled(filling="jam", layers=2, candles=1),
        Candled(filling="cream", layers=2),
        Candled(filling="jam"),  # the default is another one now, and the manifest says what it was
    ):
        again, done = plan(root, other)
        assert not done
        assert again.digest != made.digest
    assert not plan(root, Cake(filling="jam"), {"flour": "2"})[1]


def test_a_default_that_changed_since_a_setting_was_added_is_other_work(root: Root) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Lit(Cake):
        """A cake of a still later version: by default it has candles."""

        candles: int = setting(5, "candles on it", unrecorded=0)

    todo, _ = plan(root, Cake())
    made = todo.finish(Baked(), [])
    assert not plan(root, Lit())[1]
    later, done = plan(root, Lit(candles=0))
    assert (done, later.digest) == (True, made.digest)


def test_a_neutral_setting_is_not_recorded_and_redoes_nothing(root: Root) -> None:
    made = plan(root, Cake(ovens=1))[0].finish(Baked(), [])
    assert "ovens" not in made.config
    later, done = plan(root, Cake(ovens=2))
    assert (done, later.digest) == (True, made.digest)


def test_what_lolhl_0_1_made_is_done(root: Root) -> None:
    """It recorded settings that are neutral now, or gone, whole numbers as it was given them, and another digest."""
    made = plan(root, Cake(sugar=0.25))[0].finish(Baked(), [])
    old = {**made.config, "ovens": 7, "oven": "gas", "layers": 2.0}
    stored = manifest.Manifest("bake", "0" * 64, old, made.inputs, Baked(), [])
    root.write("cake.json", stored.to_bytes())
    assert plan(root, Cake(sugar=0.25))[1]
    assert plan(root, Cake(sugar=0.25, ovens=3))[1]
    assert not plan(root, Cake(sugar=0.26))[1]


def test_settings_are_restored_as_they_were() -> None:
    cake = Cake(layers=4, per_minute=Fraction(30000, 1001), name="x")
    assert restored(Cake, cake.recorded(), "cake.json", "bake") == cake
    # What the manifest does not name was done as before there was the setting.
    assert restored(Candled, {"filling": "jam", "gone": 1}, "cake.json", "bake") == Candled(filling="jam", layers=2)
    for damaged in ({"layers": "4"}, {"layers": 0}, {"filling": "tar"}, {"per_minute": "1/0"}, {"per_minute": "x"}):
        with pytest.raises(StorageError, match=r"^cake.json is damaged \(its config: .*\): run `bake`") as caught:
            restored(Cake, damaged, "cake.json", "bake")
        assert "\n" not in str(caught.value)


def test_the_options_that_give_settings_again() -> None:
    assert Cake.options(Cake(ovens=3).recorded()) == ""
    baked = Cake(layers=5, sugar=0.25, per_minute=Fraction(1, 2), filling="jam", iced=True, name="it's mine", ovens=3)
    given = Cake.options(baked.recorded())
    assert given == """ --layers 5 --sugar 0.25 --per-minute 1/2 --filling jam --iced --name 'it'"'"'s mine'"""
    assert Candled.options(Cake().recorded()) == " --layers 2"
    assert Candled.options({}) == " --layers 2"


@pytest.mark.parametrize(
    ("stage", "names"),
    [
        ("extract", ["decoder"]),
        ("infer", ["decoder"]),
        ("train", ["register", "alias", "cache_gb"]),
        ("dataset", ["fps", "size", "fit"]),
    ],
)
def test_settings_that_change_no_byte_are_neutral(stage: str, names: list[str]) -> None:
    (config,) = table.load(stage).configs
    assert [declared.name for declared in settings(config) if declared.neutral] == names


@dataclass(frozen=True, kw_only=True)
class Gas(Config):
    """A gas oven."""

    flames: int = setting(4, "flames", at_least=1)
    degrees: int = setting(200, "heat", at_most=300)


@dataclass(frozen=True, kw_only=True)
class Stone(Config):
    """A stone oven."""

    wood: Literal["oak", "ash"] = setting("oak", "what burns")
    degrees: int = setting(350, "heat", at_most=500)


OVENS: dict[str, type[Config]] = {"gas": Gas, "stone": Stone}


@dataclass(frozen=True, kw_only=True)
class Pizza(Config):
    """How a pizza is baked."""

    oven: str = setting("gas", "which oven", choices=OVENS)
    minutes: int = setting(7, "in the oven")
    heat: Config = chosen_settings("oven", lambda: OVENS)


def test_settings_that_another_one_chooses_are_recorded_beside_it() -> None:
    assert Pizza().heat == Gas()
    stone = Pizza(oven="stone", heat=Stone(wood="ash"))
    assert stone.recorded() == {"oven": "stone", "minutes": 7, "wood": "ash", "degrees": 350}
    assert Pizza.deciding(stone.recorded()) == {"oven": "stone", "wood": "ash"}
    assert Pizza.deciding({**Pizza().recorded(), "wood": "ash"}) == {}  # a gas oven burns none
    assert restored(Pizza, stone.recorded(), "pizza.json", "bake") == stone
    with pytest.raises(UsageError, match="--oven stone has other settings: give Stone, not Gas"):
        Pizza(oven="stone", heat=Gas())
    with pytest.raises(UsageError, match="--oven 'fire': must be gas or stone"):
        Pizza(oven="fire")
    for damaged in ({"oven": "fire"}, {"oven": "stone", "wood": "tar"}, {"oven": 3}):
        with pytest.raises(StorageError, match=r"^pizza.json is damaged \(its config"):
            restored(Pizza, damaged, "pizza.json", "bake")


def test_settings_of_all_choices_are_offered_and_those_of_another_choice_refused() -> None:
    (group,) = groups(Pizza)
    assert {name: list(by_choice) for name, by_choice in group.offered().items()} == {
        "flames": ["gas"], "degrees": ["gas", "stone"], "wood": ["stone"]
    }  # fmt: skip
    assert group.make("stone", {"degrees": 400}) == Stone(degrees=400)
    with pytest.raises(UsageError, match="--flames: --oven stone has no such setting; it is one of gas"):
        group.make("stone", {"flames": 2})
    assert describe_choices(group.offered()["degrees"]) == (
        "gas: heat (at most 300; default: 200); stone: heat (at most 500; default: 350)"
    )


@pytest.mark.parametrize("config", dict.fromkeys(ALL), ids=lambda config: config.__name__)
def test_no_chosen_setting_has_the_name_of_another_one(config: type[Config]) -> None:
    own = {declared.name for declared in settings(config)}
    for group in groups(config):
        assert not own & group.offered().keys()
        for by_choice in group.offered().values():
            assert len({declared.kind for declared in by_choice.values()}) == 1
