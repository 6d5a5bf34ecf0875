"""What both the engine `rapidocr` and `upright` need to look at a page: its components, and PP-OCR's networks."""
