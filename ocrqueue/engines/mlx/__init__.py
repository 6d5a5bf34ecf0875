"""The engine `mlx-vlm`: vision-language models on MLX."""

NAME = "mlx-vlm"
