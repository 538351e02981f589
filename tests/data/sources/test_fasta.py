"""FASTA as people have it: comments, soft masking, positions, marks, one long record, FASTQ."""

import gzip

import numpy as np
import pytest

from chainrule import InputError
from chainrule.cli.app import main
from chainrule.data import encoding_from_json, load
from chainrule.data.encodings.fasta import FastaEncoding
from chainrule.data.sources.fasta import read_fasta

RNG = np.random.default_rng(0)
PROTEINS = ["".join(RNG.choice(list("ACDEFGHIKLMNPQRSTVWY"), size)) for size in RNG.integers(5, 30, 60)]
PLAIN = "".join(f">p{n} a protein\n{text}\n" for n, text in enumerate(PROTEINS))


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def wrapped(text):
    """The text as GenBank has it: in lower case, with positions and blanks."""
    return "".join(
        f"{start + 1:>9} {text[start : start + 5].lower()} {text[start + 5 : start + 10].lower()}\n"
        for start in range(0, len(text), 10)
    )


SAME = {
    "a.fa": PLAIN,
    "comments.fasta": "; of the family\n" + PLAIN.replace(">p7", "; the next one is doubtful\n>p7"),
    "comment-in-a-record.fas": PLAIN.replace("\n>p7", "\n; continued elsewhere\n>p7"),
    "semicolons.fna": PLAIN.replace(">", ";"),
    "masked.faa": "".join(f">p{n}\n{text[:3].lower()}{text[3:]}\n" for n, text in enumerate(PROTEINS)),
    "lower.ffn": "".join(f">p{n}\n{text.lower()}\n" for n, text in enumerate(PROTEINS)),
    "positions.frn": "".join(f">p{n}\n{wrapped(text)}\n" for n, text in enumerate(PROTEINS)),
    "mark.mpfa": "\ufeff" + PLAIN,
    "joined.fa": "\ufeff" + PLAIN.replace("\n>p9", "\n\ufeff>p9"),
    "windows.FASTA": PLAIN.replace("\n", "\r\n"),
    "mac.fsa": PLAIN.replace("\n", "\r"),
    "mixed.fas": PLAIN.replace("\n", "\r\n", 7),
    "blank-lines.fa": "\n" + PLAIN.replace("\n>", "\n\n>") + "\n\n",
    "packed.FA.GZ": gzip.compress(PLAIN.encode()),
    "reads.fastq": "".join(f"@p{n} lane 1\n{text}\n+\n{'I' * len(text)}\n" for n, text in enumerate(PROTEINS)),
    "reads.fq.gz": gzip.compress(
        "".join(f"@p{n}\n{t}\n+p{n}\n{'@' * len(t)}\n" for n, t in enumerate(PROTEINS)).encode()
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_records_are_the_same_elements(tmp_path, name):
    data = load(str(written(tmp_path / name, SAME[name])))
    plain = load(str(written(tmp_path / "plain.fa", PLAIN)))
    assert data.digest() == plain.digest()
    assert data.encoding.letters == "ACDEFGHIKLMNPQRSTVWY"
    assert sorted(read_fasta(tmp_path / name, True).sequences) == sorted(text.encode() for text in PROTEINS)
    assert plain.encoding.encode(str(tmp_path / name)).digest() == plain.encoding.encode(data.name).digest()
    assert load(data.name, **data.options).digest() == data.digest()
    assert ("lower case" in data.note) == (name in ("masked.faa", "lower.ffn", "positions.frn"))


def test_lower_case_can_be_kept(tmp_path):
    path = str(written(tmp_path / "a.fa", SAME["masked.faa"]))
    assert "acd" in load(path, case="keep").encoding.letters
    insertions = load(str(written(tmp_path / "a.a3m", SAME["masked.faa"]))).encoding
    assert "acd" in insertions.letters
    assert encoding_from_json(insertions.to_json()) == insertions
    with pytest.raises(InputError, match="--case is upper"):
        load(path, case="lower")


def test_gaps_and_stops_are_letters(tmp_path):
    records = "".join(f">{n}\nMK{'-.'[n % 2]}L*\n" for n in range(40))
    data = load(str(written(tmp_path / "a.fa", records)), split="order:80/10/10")
    assert (data.encoding.letters, data.encoding.aligned) == ("*-.KLM", 5)


@pytest.mark.parametrize(("records", "words"), [(1, "one record"), (3, "3 records")])
def test_few_long_records_are_one_stream(tmp_path, records, words):
    genome = "".join(RNG.choice(list("ACGT"), 3000))
    size = 3000 // records
    lines = "".join(f">chr{n}\n{genome[n * size : (n + 1) * size]}\n" for n in range(records))
    path = str(written(tmp_path / "genome.fna", lines))
    data = load(path)
    assert f"{words} read as one stream of 3000 elements (4 letters)" in data.note
    assert [len(examples.stream) for examples in data.splits.values()] == [2400, 300, 300]
    assert data.encoding.decode(np.concatenate([x.stream for x in data.splits.values()])[None]) == [genome]
    assert load(path, **data.options).digest() == data.digest()
    assert encoding_from_json(data.encoding.to_json()) == data.encoding
    assert len(data.encoding.encode(path).stream) == 3000
    with pytest.raises(InputError, match="divided in its order"):
        load(path, documents="stream", split="random:80/10/10")


def test_a_genome_is_fitted_scored_and_sampled(tmp_path, capsys):
    path = str(written(tmp_path / "genome.fna", ">chr1\n" + "".join(RNG.choice(list("ACGT"), 2000)) + "\n"))
    small = ["--steps", "2", "--width", "8", "--depth", "1", "--window", "32", "--out", str(tmp_path / "run")]
    assert main(["fit", path, *small]) == 0
    assert "one stream" in capsys.readouterr().out
    assert main(["evaluate", str(tmp_path / "run"), path]) == 0
    assert main(["sample", str(tmp_path / "run"), "-n", "3", "--out", str(tmp_path / "s.fasta")]) == 0
    assert (tmp_path / "s.fasta").read_text().count(">") == 3


def test_many_records_can_be_one_stream(tmp_path):
    data = load(str(written(tmp_path / "a.fa", PLAIN)), documents="stream", window=16)
    assert sum(len(x.stream) for x in data.splits.values()) == sum(map(len, PROTEINS))
    assert data.encoding.group == "text"


REFUSED = {
    "no header": ("ACGT\n>a\nACGT\n", "line 1: comes before the first header"),
    "an empty record": (">a\nACGT\n>b\n>c\nA\n", r"sequence 2: is empty \(line 3, 'b'\)"),
    "headers alone": (">a\n>b\n", "sequence 1: is empty"),
    "a structure": (">a\nACGU\n>b\nACGU\n(..)\n", r"line 5: '\(' is no residue"),
    "PIR": (">P1;A\nsome protein\nMKV*\n", "line 1: is the header of PIR"),
    "letters of another script": (">a\nACGТ\n", "line 2: 'Т' is no residue"),
    "qualities": (">a\n40 40 38\n", "sequence 1: is empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_sequence_is_refused_by_its_line(tmp_path, case):
    content, words = REFUSED[case]
    with pytest.raises(InputError, match=words):
        load(str(written(tmp_path / "a.fa", content)))


def test_cut_off_reads_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.fq line 5: expected the four lines of a FASTQ record"):
        load(str(written(tmp_path / "a.fq", "@a\nACGT\n+\nIIII\n@b\nACG\n")))


def test_names_that_repeat_are_said(tmp_path):
    assert (
        "2 records have the name of one before"
        in load(str(written(tmp_path / "a.fa", PLAIN.replace(">p8 ", ">p7 ").replace(">p9 ", ">p7 ")))).note
    )


def test_runs_of_the_first_versions_read_as_before(tmp_path):
    path = str(written(tmp_path / "a.fa", SAME["masked.faa"]))
    data = load(path, reader=1)
    fields = data.encoding.to_json()
    assert set(fields) == {"kind", "letters", "aligned", "window", "stride", "end"}
    assert isinstance(encoding_from_json(fields), FastaEncoding)
    assert encoding_from_json(fields).encode(path).digest() == data.encoding.encode(path).digest()
    assert "acd" in fields["letters"]
