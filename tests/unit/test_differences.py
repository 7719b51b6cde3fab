"""What differs is named once, at its place, and what does not is not named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers import differences
from workers.differences import Listed, add_words_differing, values_differing

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def exactly(value):
    """Return a value such that Python tells true from 1, too."""
    if isinstance(value, dict):
        return {name: exactly(one) for name, one in value.items()}
    if isinstance(value, list):
        return [exactly(one) for one in value]
    return (type(value).__name__, value)


def words_differing(before, after):
    found = Listed()
    add_words_differing(found, 1, before, after)
    return found.changes


def placed(value, pointer):
    """Return what a JSON pointer names; KeyError or IndexError when there is nothing."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


@given(JSON, JSON)
def test_two_values_differ_in_a_place_exactly_when_they_are_not_the_same(before, after):
    assert bool(values_differing(before, after).changes) == (exactly(before) != exactly(after))


@given(JSON, JSON)
def test_each_path_leads_to_the_two_values(before, after):
    for change in values_differing(before, after).changes:
        for side, whole in (("before", before), ("after", after)):
            if side in change and not isinstance(change[side], dict | list):
                assert placed(whole, change["path"]) == change[side]
        assert "before" in change or "after" in change


def test_a_side_without_the_place_has_no_such_member():
    found = values_differing({"a/b": 1, "gone": None}, {"a/b": [1], "come": "x"})
    assert found.changes == [
        {"path": "/a~1b", "before": 1, "after": [1]},
        {"path": "/gone", "before": None},
        {"path": "/come", "after": "x"},
    ]


def test_a_number_is_the_same_however_it_is_written_and_true_is_no_number():
    assert values_differing({"n": 1}, {"n": 1.0}).changes == []
    assert values_differing({"n": 1}, {"n": True}).changes == [{"path": "/n", "before": 1, "after": True}]


def test_no_more_differences_are_listed_than_a_person_reads_and_the_rest_is_counted():
    found = values_differing(list(range(700)), list(range(1, 701)))
    assert (len(found.changes), found.more) == (500, 200)


def test_long_texts_are_cut_so_that_the_difference_is_still_seen():
    common = "x" * 10_000
    [change] = values_differing(common + "old" + common, common + "new" + common).changes
    assert "old" in change["before"]
    assert "new" in change["after"]
    assert len(change["before"]) < 350


def test_large_values_are_outlined():
    [change] = values_differing({}, {"rows": [{"a": 1, "b": [2]}] * 50}).changes
    assert change["after"][-1] == "… and 40 more"
    assert len(str(change)) < 1000


def test_one_changed_word_is_found_with_the_words_before_it():
    found = words_differing("the total\nis 12.00 today", "the total is\n13.00 today")
    assert found == [{"page": 1, "context": "the total is", "before": "12.00", "after": "13.00"}]


def test_two_changes_among_words_that_come_often_are_two():
    zeroes = ["0.00"] * 400
    before, after = [*zeroes, "a", *zeroes, "b"], [*zeroes, "c", *zeroes, "d"]
    found = words_differing(" ".join(before), " ".join(after))
    assert [(one["before"], one["after"]) for one in found] == [("a", "c"), ("b", "d")]


def test_where_lines_break_is_no_difference():
    assert words_differing("one two\nthree", "one\ntwo three") == []


def test_a_page_that_one_side_lacks_is_all_different():
    assert words_differing("", "terms of business") == [
        {"page": 1, "context": "", "before": None, "after": "terms of business"}
    ]


def test_a_page_of_too_many_words_is_told_apart_as_a_whole(monkeypatch):
    monkeypatch.setattr(differences, "MOST_WORDS", 3)
    found = words_differing("same a b c d e same", "same a x c d y same")
    assert found == [{"page": 1, "context": "same a", "before": "b c d e", "after": "x c d y"}]


@given(st.lists(st.sampled_from(["a", "b", "c"])), st.lists(st.sampled_from(["a", "b", "c"])))
def test_texts_differ_exactly_when_their_words_do(before, after):
    assert bool(words_differing(" ".join(before), " ".join(after))) == (before != after)
