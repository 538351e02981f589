"""A run: a fitted model with its data and figures, in a directory or in memory, and the verbs on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from torch import nn

from chainrule.config.registry import build_model
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.recognition.load import load
from chainrule.data.recognition.registry import encoding_from_json
from chainrule.errors import InputError, RunError
from chainrule.models.base import Model
from chainrule.models.chain import AutoregressiveModel
from chainrule.runs.classify import classify as _classify
from chainrule.runs.evaluate import evaluate as _evaluate
from chainrule.runs.files import RunFiles
from chainrule.runs.info import info as _info
from chainrule.runs.moved import options_of_moved, refuse_lost
from chainrule.runs.probe import probe as _probe
from chainrule.runs.report import report as _report
from chainrule.runs.sample import sample as _sample
from chainrule.runs.score import score as _score
from chainrule.runs.stored import StoredRun
from chainrule.runs.unfinished import load_newest_weights, warn_of_training
from chainrule.runs.verify import verify as _verify
from chainrule.runs.weights import load_weights, weights_bytes
from chainrule.runs.wellformed import damage_of_encoding
from chainrule.runs.whereabouts import found_again

if TYPE_CHECKING:
    from chainrule.runs.compress import CompressResult
    from chainrule.runs.decompress import DecompressResult

__all__ = ["Run"]


class Run(StoredRun):
    """A fitted model with its data and figures, in a directory or in memory.

    Made by `fit`, or read by `Run.open(path)`.

    config: the content of `config.json`.
    files: where its files are kept, by default in memory.
    data: the data set that it was fitted to; by default it is opened again by its recorded name.
    place: where these data are now, by default where they were.
    """

    def __init__(
        self,
        config: dict[str, Any],
        files: RunFiles | None = None,
        data: DataSet | None = None,
        place: str | None = None,
    ) -> None:
        super().__init__(config, files)
        self._data, self._place = data, place

    def with_data(self, data: DataSet) -> Self:
        """The same run, with its data set at hand."""
        return type(self)(self.config, self.files, data)

    def moved(self, place: Path | str | None) -> Self:
        """The same run, whose data are at another place now; raises InputError where other data are there.

        place: a file or folder; None where nothing was moved.
        """
        if place is None:
            return self
        moved = type(self)(self.config, self.files, None, str(place))
        return moved.with_data(moved.data())

    @property
    def source(self) -> str:
        """The name or place of the data that the run was fitted to."""
        if self._place is not None:
            return self._place
        return found_again(str(self.config["data"]["name"]), self.config.get("places", {}).get("data"), self.path)

    @property
    def data_options(self) -> dict[str, Any]:
        """The options of `load` that read these data again; the alphabet is the recorded one, wherever it came from."""
        self.refuse_damaged()
        options: dict[str, Any] = dict(self.config["data"]["options"])
        if self._place is not None:
            options = options_of_moved(options, self._place)
        elif options.get("test") is not None:
            places = self.config.get("places", {}).get("test")
            options["test"] = found_again(str(options["test"]), places, self.path)
        alphabet = self.encoding().alphabet
        return options if alphabet is None or "symbols" not in options else options | {"symbols": alphabet}

    def save(self, path: Path | str) -> Self:
        saved = super().save(path)
        return saved if self._data is None else saved.with_data(self._data)

    def encoding(self) -> Encoding:
        """How this run turns raw data into elements."""
        self.refuse_damaged()
        try:
            encoding = encoding_from_json(self.config["data"]["encoding"])
            _ = encoding.domain, encoding.context_options
        except (LookupError, TypeError, AttributeError, ArithmeticError, ValueError) as error:
            said = f"{type(error).__name__}: {error}"
            raise RunError(
                f"{self.name}: config.json is damaged: data.encoding cannot be read ({said}); train again"
            ) from None
        if (damage := damage_of_encoding(encoding)) is not None:
            raise RunError(f"{self.name}: config.json is damaged: {damage}; restore it or train again")
        return encoding

    def data(self) -> DataSet:
        """The data set that the run was trained on: the one at hand, or opened again and checked by its hash."""
        if self._data is not None:
            return self._data
        options = self.data_options
        refuse_lost(self.name, self.source, options)
        data = load(self.source, **options)
        if data.digest() != self.config["data"]["sha256"]:
            raise InputError(
                f"{self.source}: is not the data that {self.name} was trained on; restore it, or say where the "
                "data are now with --moved-to PATH"
            )
        return data

    def save_model(self, model: nn.Module) -> None:
        """Keep these weights, in place of those before."""
        self.files.write("model.safetensors", weights_bytes(model))

    def model(self) -> Model:
        """What was fitted, with the kept weights, in evaluation mode; a new copy per call."""
        encoding = self.encoding()
        model = build_model(self.config["model"], encoding.domain, encoding.context_options)
        where = f"{self.name}/model.safetensors"
        try:
            content = self.files.read("model.safetensors")
        except OSError as error:
            raise RunError(f"{where}: the weights cannot be read ({error}); restore the file or train again") from None
        if content is None:
            load_newest_weights(self, model)
        else:
            load_weights(model, content, where)
            warn_of_training(self)
        return model.eval()

    def chain(self) -> AutoregressiveModel:
        """The model, where it is a single chain; raises InputError where it is a mixture over orders."""
        try:
            return self.model().single_chain()
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from None

    def compress(self, source: Path | str | None = None, **options: Any) -> CompressResult:
        """Compress a file, or the elements of a split, with this run; see `compress` for the options."""
        from chainrule.runs.compress import compress

        return compress(source, model=self, **options)

    def decompress(self, source: Path | str, **options: Any) -> DecompressResult:
        """Give back what an archive of this run holds; see `decompress` for the options."""
        from chainrule.runs.decompress import decompress

        return decompress(source, model=self, **options)

    # The verbs: each is a function of a run, in a file of its name.
    evaluate = _evaluate
    sample = _sample
    score = _score
    verify = _verify
    report = _report
    probe = _probe
    classify = _classify
    info = _info
