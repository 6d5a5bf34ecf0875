"""The engine `rapidocr`: PP-OCRv6 on OpenVINO or ONNX Runtime."""
