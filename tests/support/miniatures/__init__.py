"""Very small models of the types that the engine `mlx-vlm` knows, built by tests: real code, random weights."""
