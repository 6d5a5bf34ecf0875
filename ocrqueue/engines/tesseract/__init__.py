"""The engine `tesseract`: Tesseract 5 with the language data of the system."""
