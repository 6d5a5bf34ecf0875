"""Very small models of the types that the engine `mlx-vlm` knows, built by tests: real code, random weights."""

from tests.support.miniatures import deepseek, encoders, grids, qwen, tiles

FAMILIES = {
    family.name: family for module in (grids, deepseek, encoders, tiles, qwen) for family in module.FAMILIES
}  # by name of the model
