"""Probes for supervisors and load balancers."""

from fastapi import APIRouter

router = APIRouter(tags=["operations"])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}
