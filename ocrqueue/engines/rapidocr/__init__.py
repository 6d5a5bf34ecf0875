"""The engine `rapidocr`: PP-OCRv6 small on OpenVINO or ONNX Runtime."""
