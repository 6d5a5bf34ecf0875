"""The model directory: known every morning, pruned every night, and never the wrong file.

    from ocrqueue.models import ModelStore

    store = ModelStore()
    store.list_local()
    store.get_local_path("organisation/model")
    with store.hold("organisation/model") as model:
        ...  # nothing prunes it here

Client-safe: no engine is imported, and huggingface_hub only where the hub's cache is pruned or the hub is asked.
"""

from ocrqueue.models.pruning.audit import Audit, LocalModel
from ocrqueue.models.pruning.prune import Pruned, Pruning
from ocrqueue.models.settings import ModelSettings, model_settings
from ocrqueue.models.store import Held, ModelStore

__all__ = ["Audit", "Held", "LocalModel", "ModelSettings", "ModelStore", "Pruned", "Pruning", "model_settings"]
