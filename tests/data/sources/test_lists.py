"""Lists of strings and prose: which is which, and the lines of a list whatever ends them."""

import numpy as np
import pytest

from chainrule import InputError
from chainrule.data import load
from chainrule.data.sources.line_lists import is_one_per_line

NAMES = [f"{a}{b}{c}" for a in ("an", "be", "cla", "do") for b in ("na", "ri", "to", "ra", "li") for c in range(20)]
PLAIN = "\n".join(NAMES) + "\n"
LINE_ENDS = {
    "unix": PLAIN,
    "windows": PLAIN.replace("\n", "\r\n"),
    "old mac": PLAIN.replace("\n", "\r"),
    "one of windows": PLAIN.replace("\n", "\r\n", 1),
    "one of unix": PLAIN.replace("\n", "\r\n").replace("\r\n", "\n", 1),
    "windows after 4096 bytes": PLAIN.replace("\n", "\r\n")[::-1].replace("\n\r", "\n", 350)[::-1],
    "twice translated": PLAIN.replace("\n", "\r\r\n"),
    "mac joined to unix": PLAIN.replace("\n", "\r", 200),
    "no end of the last line": PLAIN.removesuffix("\n"),
    "blank lines at the end": PLAIN + "\n\n",
    "a byte-order mark": "\ufeff" + PLAIN,
    "two of them": "\ufeff" + "\n".join(NAMES[:200]) + "\n\ufeff" + "\n".join(NAMES[200:]) + "\n",
}


@pytest.mark.parametrize("case", LINE_ENDS)
def test_names_stay_names_whatever_ends_their_lines(tmp_path, case):
    (tmp_path / "names.txt").write_bytes(LINE_ENDS[case].encode())
    data = load(str(tmp_path / "names.txt"))
    assert (data.encoding.kind, sum(map(len, data.splits.values()))) == ("documents", 400)
    assert "a line is an example" in data.note
    whole = data.encoding.encode(str(tmp_path / "names.txt"))
    rows = whole.batch(np.arange(400))
    assert data.encoding.decode(rows.x.numpy()) == [name.encode() for name in NAMES]


CHINESE = "他每天早上六点起床，先在院子里散步，然后读一会儿书。\n那天晚上下了很大的雨，街上一个人也没有。\n"
JAPANESE = "吾輩は猫である。名前はまだ無い。\nどこで生れたかとんと見当がつかぬ。\n"
THAI = "วันนี้อากาศดีมากเราจึงออกไปเดินเล่นที่สวนสาธารณะใกล้บ้าน\nเขาอ่านหนังสือทุกวันก่อนเข้านอนเพื่อให้นอนหลับสบาย\n"
PROSE = {
    "Chinese": CHINESE * 20,
    "Japanese": JAPANESE * 20,
    "Thai": THAI * 20,
    "Chinese of GBK": (CHINESE * 20).encode("gb18030"),
    "Chinese without marks": "这是一个没有任何标点符号但是非常非常长的句子它一直写到这里还没有结束\n" * 30,
    "English": "It was a dark night.\nThe rain fell.\n" * 30,
    "a wrapped code": "QUJDREVG" * 8 + "\n" + ("QUJDREVH" * 8 + "\n") * 30 + "QUI=\n",
    "names of two words": "Anna Berg\nBert Olsen\n" * 30,
}
LISTS = {
    "Chinese names": "王小明\n李四\n张伟\n欧阳修\n" * 20,
    "Japanese names": "佐藤\n鈴木太郎\nさくら\n" * 20,
    "Thai words": "สวัสดี\nขอบคุณ\nโรงเรียน\n" * 20,
    "Korean names": "김민준\n이서연\n" * 20,
    "SMILES": "CC(=O)OC1=CC=CC=C1C(=O)O\nCN1C=NC2=C1C(=O)N(C(=O)N2C)C\n" * 20,
    "names of Latin-1": ("Müller\nØrsted\n" * 20).encode("latin-1"),
}


@pytest.mark.parametrize("case", [*PROSE, *LISTS])
def test_prose_is_one_text_and_a_list_is_many(tmp_path, case):
    content = (PROSE | LISTS)[case]
    (tmp_path / "a.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert load(str(tmp_path / "a.txt"), window=8).encoding.kind == ("text" if case in PROSE else "documents")


def test_short_lines_with_spaces_are_a_text_and_the_note_says_the_other_way(tmp_path):
    (tmp_path / "a.txt").write_text("Anna Berg\nBert Olsen\n" * 30)
    assert "--documents line makes each line an example" in load(str(tmp_path / "a.txt"), window=8).note
    lines = load(str(tmp_path / "a.txt"), documents="line")
    assert sum(map(len, lines.splits.values())) == 60
    (tmp_path / "b.txt").write_text(
        "It was a dark and stormy night, and the rain fell in torrents on the roofs.\n" * 30
    )
    assert "--documents" not in load(str(tmp_path / "b.txt"), window=8).note


def test_a_blank_line_within_a_list_is_named(tmp_path):
    (tmp_path / "a.txt").write_text("anna\nbert\n\nclara\n")
    with pytest.raises(InputError, match=r"a\.txt line 3: is empty"):
        load(str(tmp_path / "a.txt"), documents="line")


def test_a_text_of_an_old_mac_keeps_its_bytes(tmp_path):
    content = b"It was a dark night.\rThe rain fell in torrents.\r" * 40
    (tmp_path / "a.txt").write_bytes(content)
    data = load(str(tmp_path / "a.txt"), window=16)
    assert b"".join(x.stream.tobytes() for x in data.splits.values()) == content


def test_a_list_is_seen_in_its_first_lines_alone():
    assert is_one_per_line(b"ab\n" * 30 + b"cut o", whole=False)
    assert not is_one_per_line(b"ab\n" * 30 + b"two words", whole=True)
    assert not is_one_per_line(b"ab\n" * 19, whole=True)


@pytest.mark.parametrize(
    "names", [("train.txt", "test.txt"), ("wiki.train.txt", "wiki.valid.txt"), ("Train/a.txt", "val/a.txt")]
)
@pytest.mark.parametrize("options", [{}, {"documents": "line"}, {"documents": "file"}])
def test_texts_named_train_and_test_are_not_read_as_one(tmp_path, names, options):
    for name in (*names, "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("".join(f"some words of {name} {n}\n" for n in range(60)))
    with pytest.raises(InputError, match=r"fit .*(t|T)rain.* with --test .*(test|val)"):
        load(str(tmp_path), **options)
    assert len(load(str(tmp_path), **options, split="order:34/33/33").train)


def test_programs_named_train_and_test_are_one_text(tmp_path):
    for name in ("train.py", "test.py", "testimony.txt", "training-of-dogs.txt"):
        (tmp_path / name).write_text("some words\n" * 99)
    assert len(load(str(tmp_path)).train)


@pytest.mark.parametrize("option", [{"window": 8}, {"stride": 4}, {"pack": 64}, {"field": "a"}, {"end": "given"}])
def test_an_option_of_texts_does_not_make_a_text_of_a_table(tmp_path, option):
    (tmp_path / "x.csv").write_text("a,b\n" + "".join(f"{n},{n % 3}\n" for n in range(60)))
    with pytest.raises(InputError, match="does not apply here"):
        load(str(tmp_path / "x.csv"), **option)
    assert "documents" in load(str(tmp_path / "x.csv"), documents="line").note
