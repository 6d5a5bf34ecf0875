"""Two endpoints of the service that this project replaces; its clients go on unchanged."""

from fastapi import APIRouter

router = APIRouter(tags=["original"])
