"""The widths at which lines are shown to the recogniser."""

from ocrqueue.engines.rapidocr.lines import ReaderSettings, padded_width, shown_width


def test_lines_have_few_padded_widths() -> None:
    widths = {padded_width(width) for width in range(1, ReaderSettings().max_width + 1)}
    assert len(widths) < 40
    assert len({width for width in widths if width <= 2048}) < 24  # the body in int8 keeps the kernels of some 20
    assert all(width <= padded_width(width) < width + 128 for width in range(1, 5000))


def test_a_line_is_squeezed_to_a_padded_width_within_limits() -> None:
    assert shown_width(200, 32, ReaderSettings()) == 288  # natural width 300; the next multiple of 32 from 282 on
    assert shown_width(205, 32, ReaderSettings()) == 308  # natural width 308; no such multiple from 290 to 308
    assert shown_width(1000, 32, ReaderSettings()) == 1280  # natural width 1500; 0.85 of it is 1275
    assert shown_width(1000, 24, ReaderSettings()) == 1920  # natural width 2000; a low line is squeezed by 0.94 at most
    assert shown_width(10**6, 32, ReaderSettings()) == 3584  # 4096 at most
    assert shown_width(1, 32, ReaderSettings()) == 2
    widths = [shown_width(width, 32, ReaderSettings()) for width in range(1, 4000)]
    assert widths == sorted(widths)
