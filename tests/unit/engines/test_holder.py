"""The engines of one child: loaded once, freed together, and not part of garbage collections while loaded."""

import gc

import pytest

from ocrqueue.engines.holder import EngineHolder
from ocrqueue.errors import ModelUnavailable

SERVED = {"numbered": "tests.support.engines:Numbered"}


@pytest.fixture
def holder():
    held = EngineHolder(SERVED, load_seconds=10)
    yield held
    held.free()


def test_an_engine_is_loaded_once_and_again_after_it_was_freed(holder):
    first = holder.get("numbered")
    assert holder.get("numbered") is first
    assert holder.loads == 1
    holder.free()
    assert holder.loaded == {}
    assert holder.get("numbered") is not first
    assert holder.loads == 2


def test_objects_of_a_model_are_excluded_from_collections(holder):
    assert gc.get_freeze_count() == 0
    holder.get("numbered")
    assert gc.get_freeze_count() > 1000
    holder.free()
    assert gc.get_freeze_count() == 0


def test_the_error_names_an_engine_that_is_not_served(holder):
    with pytest.raises(ModelUnavailable, match="does not serve the engine 'other'"):
        holder.get("other")
