"""What `compress` codes, and the header and the groups of its archive."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from json import dumps
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from chainrule import __version__
from chainrule.coding.canary import canary, machine
from chainrule.coding.coded import Coded, coded_examples, element_groups
from chainrule.coding.count_search import find_elements
from chainrule.coding.groups import MODEL, Group
from chainrule.coding.patch import difference
from chainrule.coding.portable_chain import refusal_of
from chainrule.coding.side import compressor_of, packed, side_group
from chainrule.coding.whole_numbers import numbers
from chainrule.data.encodings.base import Encoding
from chainrule.data.examples.base import Examples
from chainrule.data.rewriting.forms import form_of, rewritten
from chainrule.data.sources.objects import Source
from chainrule.data.sources.plain_files import as_file
from chainrule.errors import InputError
from chainrule.models.chain import AutoregressiveModel
from chainrule.runs.chosen import chosen_examples
from chainrule.runs.code_examples import (
    ROWS,
    SEQUENCES,
    STREAM,
    UNLIKE,
    best_order,
    chain_in_order,
    digest_of,
    elements_of_file,
    impossible_rows,
    inverse,
    raw_data,
    refuse_impossible,
    reordered,
)
from chainrule.runs.counted import (
    Counted,
    coded_to_count,
    counted_groups,
    encoding_of,
    rows_to_count,
    symbols_of,
)
from chainrule.runs.progress import Progress

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["Work", "general", "work_of_counts", "work_of_elements", "work_of_file"]


@dataclass(frozen=True)
class Work:
    """What is coded.

    run: with which run; None where nothing is trained.
    source: what the header says about where it came from.
    content: the bytes of the file; None where only its elements are coded.
    read: those of them that the model could read.
    coded: the sequences of elements; None where the model cannot read the file.
    chain, order: the chain that codes, and the order in which it reads the elements.
    chosen: number of the order.
    arranged: ROWS, STREAM or SEQUENCES.
    unlike: the numbers of examples whose elements are not those of their line in the file.
    left_out: whether lines are no examples, because the model cannot read them.
    parts: the splits of the source and the number of examples of each.
    note: what there is to say besides.
    carried: the bytes of the run, where it travels in the archive; None where both sides have it.
    counted: what is counted, where nothing is trained.
    """

    run: Run | None
    source: dict[str, Any]
    content: bytes | None
    read: bytes = b""
    coded: Coded | None = None
    chain: AutoregressiveModel | None = None
    order: Tensor | None = None
    chosen: int = 0
    arranged: str = ROWS
    unlike: tuple[int, ...] = ()
    left_out: bool = False
    parts: tuple[tuple[str, int], ...] = ()
    note: str = ""
    carried: bytes | None = None
    counted: Counted | None = None

    @property
    def way(self) -> str:
        """Where the other side has the model from."""
        if self.counted is not None:
            return "counts"
        return "model" if self.carried is None else "self-contained"

    @property
    def profile(self) -> str:
        """The profile of the archive that the model makes."""
        is_portable = self.counted is not None or (self.coded is not None and self.coded.layout.portable)
        return "portable" if is_portable else "native"

    def encoding(self) -> Encoding:
        """How the file becomes elements."""
        of = self.run if self.counted is None else self.counted
        if of is None:
            raise AssertionError("neither a run nor counts")  # a fault of ours
        return of.encoding()

    def archive(self, progress: Progress) -> tuple[dict[str, Any], list[Group]]:
        """The header and the groups of the archive that the model makes."""
        coded = self.coded
        if coded is None:
            raise InputError("the model does not read this file")
        header = {
            "way": self.way,
            "profile": self.profile,
            "version": __version__,
            "source": self.source,
            "arranged": self.arranged,
            "sequences": len(coded.sequences),
        }
        header |= ({"unlike": list(self.unlike)} if self.unlike else {}) | ({"left_out": True} if self.left_out else {})
        if self.counted is None:
            header |= self._of_model(coded)
        with progress("compressing", coded.elements) as update:
            if self.counted is not None:
                groups = counted_groups(self.counted, coded, update)
            else:
                groups = element_groups(self._chain(), coded, update)
        model = [] if self.carried is None else [Group.of(MODEL, self.carried, packed(self.carried))]
        return header, [*model, *groups, *self._difference()]

    def _chain(self) -> AutoregressiveModel:
        if self.chain is None:
            raise AssertionError("neither a run nor counts")  # a fault of ours
        return self.chain

    def _of_model(self, coded: Coded) -> dict[str, Any]:
        """What the header says about the model and how it is walked."""
        if self.run is None:
            raise AssertionError("neither a run nor counts")  # a fault of ours
        context = None if coded.context is None else torch.from_numpy(coded.context)
        return {
            "model": {"place": self.run.name, "sha256": digest_of(self.run), "order": self.chosen},
            "layout": coded.layout.to_json(),
            "per_group": coded.per_group,
            "told": coded.told,
            "given": context is not None,
            "machine": machine(),
            "canary": canary(self._chain(), coded.layout, context) if coded.sequences else "",
        }

    def _difference(self) -> list[Group]:
        """The group of what the decoded examples do not say about the file."""
        if self.content is None or self.coded is None:
            return []
        encoding = self.encoding()
        raw = raw_data(encoding, reordered(self.coded.sequences, inverse(self.order)), self.arranged)
        form = form_of(encoding, self.read, raw, self.parts)
        said = dumps(form, separators=(",", ":")).encode()
        change = difference(rewritten(encoding, form, raw), self.content)
        return [side_group(numbers([len(said)]) + said + change)]


def general(source: dict[str, Any], content: bytes) -> tuple[dict[str, Any], list[Group]]:
    """The header and the groups of an archive that no model codes."""
    group = side_group(content)
    way = compressor_of(group.code)
    return {"way": way, "profile": "any", "version": __version__, "source": source}, [group]


def work_of_file(run: Run, path: Path, lanes: int, profile: str | None = None) -> Work:
    """A file, to be given back byte for byte.

    run: the run.
    path: the file.
    lanes: sequences side by side.
    profile: "native" or "portable"; None for portable where the model has such a form.
    """
    try:
        with as_file(path) as file:
            return _work_of_copy(run, file, lanes, profile)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); name a file") from None


def _work_of_copy(run: Run, path: Path, lanes: int, profile: str | None) -> Work:
    """The same of a file that can be read many times."""
    content = path.read_bytes()
    said = {"name": path.name, "bytes": len(content), "sha256": sha256(content).hexdigest()}
    work = Work(run, said, content)
    try:
        parts, read, note = elements_of_file(run.encoding(), path, content)
    except InputError as error:
        return replace(work, note=f"the model cannot read it, so a general compressor does all of it: {error}")
    work = replace(work, read=read, note=note, unlike=_unlike(parts), left_out=bool(note))
    return _prepared(work, parts, lanes, profile)


def _unlike(parts: dict[str, Examples]) -> tuple[int, ...]:
    """The numbers of the first examples whose elements are not those of their line in the file."""
    unlike, before = [], 0
    for part in parts.values():
        unlike += [before + row for row in impossible_rows(part)]
        before += _count(part)
    return tuple(unlike[:UNLIKE])


def work_of_counts(path: Path, seconds: float, progress: Progress) -> Work:
    """A file, to be given back byte for byte, by counts that both sides learn while they code.

    path: the file.
    seconds: time, reading included, after which elements get no more others that they are counted by.
    progress: shows how far it is.
    """
    try:
        with as_file(path) as file:
            return _counts_of_copy(path, file, perf_counter() + seconds, progress)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); name a file") from None


def _counts_of_copy(path: Path, file: Path, end: float, progress: Progress) -> Work:
    """The same of a file that can be read many times."""
    content = file.read_bytes()
    said = {"name": path.name, "bytes": len(content), "sha256": sha256(content).hexdigest()}
    work = Work(None, said, content)
    try:
        encoding = encoding_of(file)
        symbols = symbols_of(encoding.domain)
        parts, read, note = elements_of_file(encoding, file, content)
        coded = coded_to_count(parts, encoding.domain)
    except InputError as error:
        why = str(error).replace(str(file), str(path))
        return replace(work, note=f"there is nothing to count by, so a general compressor does all of it: {why}")
    with progress("looking for what to count by", len(symbols)) as update:
        elements = find_elements(rows_to_count(coded, symbols), symbols, end, update)
    counts = tuple((name, _count(part)) for name, part in parts.items())
    work = replace(work, read=read, note=note, unlike=_unlike(parts), left_out=bool(note), parts=counts)
    return replace(work, coded=coded, counted=Counted(encoding, tuple(elements)))


def work_of_elements(run: Run, source: Source | None, split: str, lanes: int, profile: str | None = None) -> Work:
    """The elements of a source, or of a split of the run's own data.

    run: the run.
    source: what to code; None for the run's own data.
    split: the split of either.
    lanes: sequences side by side.
    profile: as in `work_of_file`.
    """
    examples, name = chosen_examples(run, source, split)
    refuse_impossible(examples)
    said = {"name": Path(name).name, "examples": len(examples)}
    return _prepared(Work(run, said, None), {"": examples}, lanes, profile)


def _prepared(work: Work, parts: dict[str, Examples], lanes: int, profile: str | None) -> Work:
    """The work with its sequences, in the order of the chain that codes them."""
    run = work.run
    if run is None:
        raise AssertionError("a run codes examples")  # a fault of ours
    model, note, chosen = run.model(), work.note, 0
    examples = next(iter(parts.values()))
    if len(model.permuted_chains) > 1:
        chosen, more = best_order(model, examples)
        said = (
            f"coded in order {chosen} of {len(model.permuted_chains)}: {more:+.2f} nats per example beside the mixture"
        )
        note = f"{note}; {said}" if note else said
    chain, order = chain_in_order(model, chosen)
    coded = coded_examples(list(parts.values()), run.encoding().domain, chain.length, lanes)
    arranged = STREAM if coded.is_stream else ROWS if examples.windows is None else SEQUENCES
    layout = replace(coded.layout, portable=_is_portable(chain, profile))
    coded = replace(coded, sequences=reordered(coded.sequences, order), layout=layout)
    counts = tuple((name, _count(part)) for name, part in parts.items())
    work = replace(work, coded=coded, chain=chain, order=order, chosen=chosen)
    return replace(work, arranged=arranged, parts=counts, note=note)


def _is_portable(chain: AutoregressiveModel, profile: str | None) -> bool:
    """Whether to code by portable arithmetic; raises InputError where that was asked for and cannot be."""
    if profile == "native":
        return False
    why = refusal_of(chain)
    if profile == "portable" and why is not None:
        raise InputError(
            f"there is no portable archive: {why}; leave out --profile, or see docs/coding.md for what has one"
        )
    return why is None


def _count(examples: Examples) -> int:
    """The number of examples, a long one counted once."""
    return len(examples) if examples.windows is None or examples.is_stream else len(examples.sequences())
