from __future__ import annotations

import numpy as np

from harness.engines import wanted_rows


def test_rows_are_numbered_through_the_padded_batch_and_found_again() -> None:
    batch, wanted = [[1, 2, 3], [4, 5]], [np.asarray([0, 2]), np.asarray([1])]
    places = wanted_rows.places(batch, wanted)
    assert places.tolist() == [0, 2, 4]
    assert [places[part].tolist() for part in wanted_rows.slices(wanted)] == [[0, 2], [4]]


def test_one_row_of_many_tokens_is_asked_for_twice_and_one_of_one_token_once() -> None:
    assert wanted_rows.places([[1, 2, 3]], [np.asarray([2])]).tolist() == [2, 2]
    assert wanted_rows.places([[1]], [np.asarray([0])]).tolist() == [0]


def test_no_row_at_all_is_filled_up_and_belongs_to_nobody() -> None:
    nothing = np.empty(0, dtype=np.int64)
    assert wanted_rows.places([[1, 2], [3]], [nothing, nothing]).tolist() == [0, 0]
    assert list(wanted_rows.slices([nothing, nothing])) == [slice(0, 0), slice(0, 0)]


def test_neighbouring_rows_are_a_view_and_others_a_copy() -> None:
    logits = np.arange(12.0).reshape(6, 2)
    near, far = (wanted_rows.picked(logits, np.asarray(asked)) for asked in ([2, 3, 4], [0, 3]))
    assert np.shares_memory(near, logits)
    assert near.tolist() == logits[2:5].tolist()
    assert far.tolist() == [[0, 1], [6, 7]]
    assert len(wanted_rows.picked(logits, np.empty(0, dtype=np.int64))) == 0
