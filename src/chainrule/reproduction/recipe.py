"""A recipe: one published result, and all that is needed to reproduce it.

    recipe = data + options of `chainrule fit` + a budget + the figures that others published

Recipes live in a folder `recipes` beside the sources, or inside the installed package: one file per result or family
of results, each with a tuple `RECIPES`. They hold no code that trains or scores: one runner does that for all.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.atomic_files import write_file
from chainrule.errors import InputError, unknown_name

if TYPE_CHECKING:
    from chainrule.data.encodings.data_set import DataSet
    from chainrule.likelihood import Ratio
    from chainrule.models.chain import AutoregressiveModel

__all__ = ["Published", "Recipe", "chosen", "data_directory", "find_recipes", "recipe_folder"]


@dataclass(frozen=True)
class Published:
    """A figure of others on the same test examples, in the unit of the recipe.

    figure: the value.
    model: what it was reached with.
    source: where it is printed.
    checked: whether it was compared with a copy of the source.
    comparable: whether it is a figure of the same quantity; one that is not stands beside ours, but is not a goal.
    """

    figure: float
    model: str
    source: str
    checked: bool = True
    comparable: bool = True


@dataclass(frozen=True)
class Recipe:
    """One published result.

    name: name of the recipe and its record.
    title: what is modelled.
    unit: unit of the figure, such as nats/image.
    source: the source that `fit` reads: a path inside the data directory, or the name of an embedded data set where
        `files` is empty.
    files: files that have to be in the data directory.
    options: options of `fit`, by their names in Python; the rest is by default.
    minutes: minutes of training on two cores; None for the default number of steps.
    published: figures of others.
    goal: figure to reach, by default the best of the comparable ones.
    metric: the property of `LogLikelihood` that is the figure.
    prepared: name of the file that `fit` reads where the data has to be rewritten first.
    prepare: its content, from the data directory.
    measure: figures of the test split by unit, where no metric says it; the recipe's own unit among them.

    >>> coin = Recipe("coin", "ten throws", "nats/example", "coin.csv", ("coin.csv",), minutes=1,
    ...               published=(Published(6.9, "independent throws", "by hand"),))
    >>> coin.aim
    6.9
    """

    name: str
    title: str
    unit: str
    source: str
    files: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    minutes: float | None = 10.0
    published: tuple[Published, ...] = ()
    goal: float | None = None
    metric: str = "nats_per_example"
    prepared: str | None = None
    prepare: Callable[[Path], bytes] | None = None
    measure: Callable[[AutoregressiveModel, DataSet], dict[str, Ratio]] | None = None

    @property
    def aim(self) -> float | None:
        """The figure to reach or go below; None where nobody published one."""
        if self.goal is not None:
            return self.goal
        return min((other.figure for other in self.published if other.comparable), default=None)

    def located(self, data: Path | None, out: Path) -> str:
        """The source that `fit` reads: the path of the data, which is prepared under `out` first where it has to be.

        Raises InputError, naming what is missing and where it was looked for.
        """
        if not self.files:
            return self.source
        place = data_directory(data)
        for file in self.files:
            if not (place / file).exists():
                raise InputError(
                    f"the recipe {self.name} reads {file}, which is not in {place}; "
                    "name the directory of the data by --data, or set CHAINRULE_DATA"
                )
        if self.prepare is None or self.prepared is None:
            return str(place / self.source)
        return str(_written(out / "data" / self.prepared, self.prepare(place)))


def _written(path: Path, content: bytes) -> Path:
    """The path, whose file has this content now."""
    try:
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, content)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name another place with --out") from None
    return path


def data_directory(given: Path | None = None) -> Path:
    """The directory of the data: as given, else CHAINRULE_DATA, else ../shared/data beside the recipes' repository."""
    if given is not None:
        place, how = given, "--data"
    elif "CHAINRULE_DATA" in os.environ:
        place, how = Path(os.environ["CHAINRULE_DATA"]), "CHAINRULE_DATA"
    else:
        place, how = recipe_folder().parent.parent / "shared" / "data", "no --data and no CHAINRULE_DATA"
    if not place.is_dir():
        raise InputError(
            f"{place}: there is no such directory of data ({how}); name it by --data, or set CHAINRULE_DATA"
        )
    return place


def recipe_folder() -> Path:
    """Where the recipes are: in the repository of these sources, else inside the installed package."""
    package = Path(__file__).resolve().parents[1]
    for place in (package.parent.parent / "recipes", package / "recipes"):
        if place.is_dir():
            return place
    raise InputError("this installation has no recipes; reinstall chainrule, or use a clone of its repository")


def find_recipes(folder: Path | None = None) -> dict[str, tuple[Recipe, ...]]:
    """The recipes of a folder by file, in the order of the files' names.

    Raises InputError for two recipes of one name.
    """
    found: dict[str, tuple[Recipe, ...]] = {}
    seen: set[str] = set()
    for path in sorted((folder or recipe_folder()).glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"recipes.{path.stem}", path)
        if spec is None or spec.loader is None:
            raise InputError(f"{path}: cannot be read as a recipe; restore the file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        recipes: tuple[Recipe, ...] = getattr(module, "RECIPES", ())
        for recipe in recipes:
            if recipe.name in seen:
                raise InputError(f"{path}: there are two recipes named {recipe.name!r}; rename one of them")
            seen.add(recipe.name)
        if recipes:
            found[path.stem] = recipes
    return found


def chosen(names: Iterable[str], families: Mapping[str, tuple[Recipe, ...]]) -> list[Recipe]:
    """The recipes of these names, each once; the name of a file stands for all recipes in it.

    Raises InputError for an unknown name, with the nearest known one.
    """
    single = {recipe.name: (recipe,) for recipes in families.values() for recipe in recipes}
    known = dict(families) | single
    asked: dict[str, Recipe] = {}
    for name in names:
        if name not in known:
            raise unknown_name("recipe", name, known)
        asked |= {recipe.name: recipe for recipe in known[name]}
    return list(asked.values())
