"""Points and boxes: x to the right, y down. Their user says whether the unit is the pixel or the point (1/72 inch)."""

Point = tuple[float, float]  # x, y
Quad = tuple[Point, Point, Point, Point]  # four corners, clockwise from the top left corner of the text as it is read
Rect = tuple[float, float, float, float]  # left, top, right, bottom
