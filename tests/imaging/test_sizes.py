import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from irfuse.imaging import sizes


@given(st.integers(1, 500), st.integers(1, 64), st.integers(1, 64))
def test_padded(side: int, multiple: int, minimum: int) -> None:
    padded = sizes.padded(side, multiple, minimum)
    assert padded % multiple == 0
    assert padded >= max(side, minimum)
    assert padded - multiple < max(side, minimum)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 40), st.integers(0, 20), st.sampled_from([1, 2, 5, 8]))
def test_tiles_cover_once(rows: int, columns: int, side: int, halo: int, multiple: int) -> None:
    height, width = rows * multiple, columns * multiple
    seen = np.zeros((height, width), int)
    tiles = list(sizes.tiles(height, width, side, halo, multiple))
    for tile in tiles:
        seen[tile.rows, tile.columns] += 1
        for inner, outer, core, length in (
            (tile.rows, tile.outer_rows, tile.core[0], height),
            (tile.columns, tile.outer_columns, tile.core[1], width),
        ):
            assert inner.stop - inner.start <= max(side, multiple)
            assert outer.start % multiple == outer.stop % multiple == 0
            assert outer.start == 0 or inner.start - outer.start >= halo
            assert outer.stop == length or outer.stop - inner.stop >= halo
            assert outer.start + core.start == inner.start
            assert outer.start + core.stop == inner.stop
            assert outer.start >= 0
            assert outer.stop <= length
            assert outer.stop - outer.start <= max(side, multiple) + 2 * sizes.padded(halo, multiple, 0)
    assert (seen == 1).all()
    assert len({seen[tile.outer_rows, tile.outer_columns].shape for tile in tiles}) == 1
