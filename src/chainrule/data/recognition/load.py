"""The front door of data: a source is recognised and loaded."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

from chainrule.data.encodings.data_set import DataSet
from chainrule.data.examples.in_units import DISTINCT, in_distinct_units
from chainrule.data.examples.splits import EmptySplit, Split, parse_shares
from chainrule.data.examples.stored import Progress
from chainrule.data.recognition.option_types import refuse_other_types
from chainrule.data.recognition.registry import KINDS
from chainrule.data.sources.clues import Clues
from chainrule.data.sources.digits import DIGITS, path_has_the_name
from chainrule.data.sources.folders import files_below
from chainrule.data.sources.objects import OBJECT_NAMES, ObjectSource, as_source
from chainrule.data.sources.plain_files import as_file, data_ending, refuse_stream, stream_name
from chainrule.errors import InputError, unknown_name

__all__ = ["OLD_OPTIONS", "load", "old_open"]

WITHOUT_TEST = "90/10/0"
OLD_OPTIONS = {"blocks": "pixel_block"}  # options as earlier versions called them


def load(source: Any, *, test: Any = None, progress: Progress | None = None, **options: Any) -> DataSet:
    """Recognise a source by its name and content and load it: images, arrays, tables, text, sequences.

    source: "digits"; a `.npy` or `.npz` file, where rows of reals are a table; a folder of PNG or JPEG; IDX; CSV, TSV,
        Parquet or Arrow; FASTA; JSON lists of symbols or sets; a folder of texts; `-` or a pipe, which is read once;
        any other file is text, one document per line where it looks like that, else one long stream; or a Python
        object, see `from_object`: an array, a list, a frame, a data set of torch or Hugging Face, or a dictionary of
        them by split.
    test: a test set of its own, a path or an object of the same kind, which is encoded as the source is; the source is
        then divided into train and valid only, 90/10/0 unless `split` says other shares.
    progress: shows how much of a large source is prepared, from its name and size; None shows nothing.
    options: the options of the kind of data (`shape` and `split` for arrays; `symbols`, `documents`, `window`, ... for
        text; `pixel_block` for images, see `in_pixel_blocks`); None stands for the default.

    Raises InputError for an unknown name, an unreadable file, or an option that the kind does not have.

    >>> load("digits").encoding.domain.num_symbols
    17
    """
    options = {name: value for name, value in _new_names(options).items() if value is not None}
    side, field = options.pop("pixel_block", 1), options.get("field")
    if test is None:
        return _opened(as_source(source, field), side, progress, options)
    if isinstance(source, str) and source == DIGITS:
        raise InputError(f"{DIGITS}: come with a test split of their own; leave out --test, and evaluate on it instead")
    options["split"] = split_without_test(options)
    data = _opened(as_source(source, field), side, progress, options)
    other = as_source(test, field)
    examples = data.encoding.encode(other)
    return data.with_test(in_distinct_units(examples) if data.unit == DISTINCT else examples, str(other))


def split_without_test(options: dict[str, Any]) -> str:
    """The split of a source whose test set comes from elsewhere; refuses one that takes a test set from it, too."""
    if "split_column" in options:
        raise InputError(
            f"--split-column {options['split_column']} and --test both say what the test set is; give one of them"
        )
    split = str(options.get("split", WITHOUT_TEST))
    by = Split.parse(split, "random")
    if by.way == "group" and not split.endswith(by.shares):
        return str(replace(by, shares=WITHOUT_TEST))
    if parse_shares(by.shares)[2] > 0:
        raise InputError(
            f"--test brings the test set, and --split {split} takes one from the source; give shares such as "
            f"{WITHOUT_TEST}, or leave out one of them"
        )
    return split


def _opened(source: str | ObjectSource, side: int, progress: Progress | None, options: dict[str, Any]) -> DataSet:
    if isinstance(source, str):
        refuse_stream(source)
        source = _path_or_builtin(source, options)
        if (stream := stream_name(source)) is not None:
            with as_file(source) as path:
                return _of_stream(path, stream, side, progress, options)
    return _loaded(source, side, progress, options)


def _of_stream(path: Path, name: str, side: int, progress: Progress | None, options: dict[str, Any]) -> DataSet:
    """The data in a copy of a pipe, by the name of the pipe; so are they called in messages, too."""
    try:
        data = _loaded(str(path), side, progress, options)
    except InputError as error:
        raise InputError(str(error).replace(str(path), name)) from None
    return replace(data, name=name, note=data.note.replace(str(path), name))


def _path_or_builtin(source: str, options: dict[str, Any]) -> str:
    """The source, as a path that no set of ours has for a name where there is such a path; says so."""
    builtin = bool(options.get("builtin"))
    if builtin and source != DIGITS:
        raise InputError(f"{source}: is not a set that comes with chainrule ({DIGITS}); leave out --builtin")
    if source != DIGITS or builtin or not path_has_the_name():
        return source
    warnings.warn(
        f"{source}: read from {Path(source).resolve()}; --builtin reads the set of that name that comes with chainrule",
        stacklevel=3,
    )
    options.pop("builtin", None)
    return f"./{source}"


def _loaded(source: str | ObjectSource, side: int, progress: Progress | None, options: dict[str, Any]) -> DataSet:
    clues = Clues(source, options)
    kind = next((kind for kind in KINDS if kind.recognise(clues)), None)
    if kind is None:
        if Path(str(source)).is_dir():
            raise InputError(
                f"{source}: is a directory ({_endings(Path(str(source)))}); give a file in it, a folder of pictures or "
                f"texts, one with train and test tables, or the name of a data set: {DIGITS}"
            )
        if source in OBJECT_NAMES:
            raise InputError(
                f"{source}: the data were a Python object, which cannot be opened again; "
                "give them again, or keep them in a file and name that"
            )
        raise unknown_name("data set or file", str(source), [DIGITS])
    known = {p.name for p in signature(kind.load).parameters.values() if p.kind is p.KEYWORD_ONLY}
    if clues.path is None and "field" not in known:
        options.pop("field", None)  # the object was already read by it
    shows = {"progress": progress} if "progress" in known else {}
    known -= shows.keys()
    surplus = set(options) - known
    if surplus:
        takes = f"takes {', '.join(sorted(known))}" if known else "takes no options"
        raise InputError(f"{source}: the option {sorted(surplus)[0]!r} does not apply here; this kind of data {takes}")
    refuse_other_types(kind.load, options, source)
    try:
        data = kind.load(source, **options, **shows)
    except EmptySplit as error:
        raise InputError(f"{source}: {error}") from None
    if side == 1:
        return data.in_units()
    from chainrule.data.encodings.pixel_blocks import in_pixel_blocks

    return in_pixel_blocks(data.in_units(), side)


def _endings(folder: Path) -> str:
    """What the files of a folder are called, the most frequent endings first."""
    counts = Counter(data_ending(file.name) or "without ending" for file in files_below(folder))
    listed = ", ".join(f"{count} {ending}" for ending, count in counts.most_common(3))
    return f"it holds {listed}" if listed else "it is empty"


def old_open(source: Any, **options: Any) -> DataSet:
    """The same as `load`, under the name of earlier versions."""
    warnings.warn(
        "chainrule.data.open is called load now; the old name is read by this version only",
        DeprecationWarning,
        stacklevel=2,
    )
    return load(source, **options)


def _new_names(options: dict[str, Any]) -> dict[str, Any]:
    """Options by their present names; says which ones were given by an old name."""
    for old in options.keys() & OLD_OPTIONS.keys():
        warnings.warn(
            f"{old} is called {OLD_OPTIONS[old]} now; the old name is read by this version only",
            FutureWarning,
            stacklevel=3,
        )
    return {OLD_OPTIONS.get(name, name): value for name, value in options.items()}
