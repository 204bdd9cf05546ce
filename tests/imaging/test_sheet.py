import numpy as np

from irfuse.imaging import sheet


def test_rows_of_different_images() -> None:
    gray, deep = np.full((30, 40), 100, np.uint8), np.full((15, 20), 100 * 257, np.uint16)
    color, alpha = np.full((30, 80, 3), (1, 2, 3), np.uint8), np.full((30, 40, 4), 100, np.uint8)
    picture = sheet.comparison([[gray, deep], [color, alpha]], ["a", "b"], width=80)
    assert picture.shape == (36 + 60 + 8 + 60 + 8, 8 + 80 + 8 + 80 + 8, 3)
    assert (picture[60, [20, 120]] == 100).all()
    assert (picture[110, 20] == (1, 2, 3)).all()
    assert (picture[:30, 8:] < 255).any()
    assert (picture[-8:] == 255).all()
