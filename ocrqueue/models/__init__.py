"""The model directory: list, pull, hold, audit, prune and restore models.

    from ocrqueue.models import ModelStore

    store = ModelStore()
    store.list_local()
    store.get_local_path("organisation/model")
    with store.hold("organisation/model") as model:
        ...  # nothing prunes the model inside this block

A client can import this package: it imports no engine, and huggingface_hub only to pull or prune models.
"""

from ocrqueue.models.pruning.audit import Audit, LocalModel
from ocrqueue.models.pruning.prune import Pruned, Pruning
from ocrqueue.models.settings import ModelSettings, model_settings
from ocrqueue.models.store import Held, ModelStore

__all__ = ["Audit", "Held", "LocalModel", "ModelSettings", "ModelStore", "Pruned", "Pruning", "model_settings"]
