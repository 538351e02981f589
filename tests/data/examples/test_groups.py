"""Splits by group: no group in two splits, shares that hold nearly, an order that depends on keys and seed alone."""

import numpy as np
import pytest

from chainrule.data.examples.groups import Groups
from chainrule.data.examples.splits import EmptySplit, Split, parse_shares


def groups_of(sizes):
    number = np.repeat(np.arange(len(sizes)), sizes)
    return Groups(number, [f"customer {k}".encode() for k in range(len(sizes))])


@pytest.mark.parametrize("shares", ["80/10/10", "90/10/0", "90/0/10", "1/0/0", "1/1/1"])
@pytest.mark.parametrize("sizes", [[20] * 200, list(range(1, 120)), [1] * 5000, [900, *[3] * 300]])
def test_no_group_is_torn_and_the_shares_hold(sizes, shares):
    groups, wanted = groups_of(sizes), parse_shares(shares)
    rows = groups.split(wanted)
    assert sorted(np.concatenate(rows).tolist()) == list(range(len(groups.number)))
    of = [set(groups.number[part].tolist()) for part in rows]
    assert len(set.union(*of)) == sum(map(len, of))
    total, largest = len(groups.number), max(sizes)
    for part, share in zip(rows, wanted, strict=True):
        assert abs(len(part) - share * total) <= largest + 1
        assert bool(len(part)) == bool(share)


def test_the_order_depends_on_keys_and_seed_alone():
    groups = groups_of([7] * 50)
    turned = Groups(49 - groups.number, list(reversed(groups.keys)))
    shares = (0.8, 0.1, 0.1)
    for one, other in zip(groups.split(shares), turned.split(shares), strict=True):
        assert one.tolist() == other.tolist()
    assert any(a.tolist() != b.tolist() for a, b in zip(groups.split(shares), groups.split(shares, 1), strict=True))


def test_a_group_is_in_test_as_often_as_its_share():
    groups = groups_of([5] * 100)
    often = np.zeros(100)
    for seed in range(400):
        often[np.unique(groups.number[groups.split((0.8, 0.1, 0.1), seed)[2]])] += 1
    assert often.mean() == pytest.approx(40)
    assert abs(often - 40).max() < 5 * np.sqrt(400 * 0.09)


@pytest.mark.parametrize("sizes", [[50, 1, 1], [1, 1, 50], [4, 4, 4]])
def test_three_groups_fill_three_splits(sizes):
    assert all(len(rows) for rows in groups_of(sizes).split((0.8, 0.1, 0.1)))


def test_too_few_groups_are_named_as_the_cause():
    groups = groups_of([50, 50])
    with pytest.raises(
        EmptySplit, match=r"the test split is empty: of 100 rows in 2 groups the shares 80/10/10 leave none"
    ):
        Split.parse("group:g", "random").rows(np.zeros((100, 1)), groups)
    assert all(len(rows) for rows in Split.parse("group:g:80/0/20", "random").rows(np.zeros((100, 1)), groups)[::2])


@pytest.mark.parametrize(
    ("text", "column", "shares"),
    [
        ("group:customer", "customer", "80/10/10"),
        ("group:customer:90/5/5", "customer", "90/5/5"),
        ("group:a:b", "a:b", "80/10/10"),
        ("group:time 12:30:00", "time 12:30:00", "80/10/10"),
        ("group:a:1/2/3:8/1/1", "a:1/2/3", "8/1/1"),
    ],
)
def test_the_grammar_of_a_split_by_group(text, column, shares):
    found = Split.parse(text, "random")
    assert (found.way, found.column, found.shares) == ("group", column, shares)
    assert Split.parse(str(found), "random") == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("group:", "names the column"),
        ("80/-10/30", "three shares"),
        ("0/50/50", "train above 0"),
        ("nan/1/1", "three shares"),
        ("80/10", "three shares"),
        ("inf/1/1", "three shares"),
        ("grouped:a", "one of random:80/10/10, distinct:80/10/10, order:80/10/10, group:COLUMN:80/10/10"),
        ("group:a:0/1/1", "train above 0"),
    ],
)
def test_what_is_no_split_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Split.parse(text, "random")


def test_only_tables_have_groups():
    with pytest.raises(ValueError, match="only a table has columns"):
        Split.parse("group:a", "random").rows(np.zeros((10, 1)))


@pytest.mark.parametrize("way", ["random", "distinct", "order"])
def test_an_empty_split_says_its_cause_and_the_way_out(way):
    with pytest.raises(
        EmptySplit, match=r"the valid split is empty: of 3 examples.* the shares 98/1/1 leave none .*--split, or"
    ):
        Split.parse(f"{way}:98/1/1", "random").rows(np.array([[1], [2], [3]]))


@pytest.mark.parametrize("way", ["random", "distinct", "order"])
@pytest.mark.parametrize("shares", ["90/10/0", "90/0/10", "1/0/0"])
def test_a_share_of_zero_gets_nothing_and_the_rest_everything(way, shares):
    rows = Split.parse(f"{way}:{shares}", "random").rows(np.arange(200)[:, None])
    assert [bool(len(part)) for part in rows] == [share > 0 for share in parse_shares(shares)]
    assert sorted(np.concatenate(rows).tolist()) == list(range(200))
