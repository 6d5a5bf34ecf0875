"""The client that uses the HTTP API (OCR_API_URL). It needs neither Redis nor the spool."""
