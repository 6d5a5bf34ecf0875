"""Makes the parts of mlx-vlm's networks small whose size no config.json can change.

DeepSeek-OCR, DeepSeek-OCR-2 and Unlimited-OCR have a SAM encoder of 90 million parameters, the second one also an
encoder of 24 layers.
"""

from typing import Any

WIDTH = 28  # channels that the SAM encoder puts out; a multiple of 14, the number of heads of the second encoder


def shrink() -> None:
    """Replace these parts in this process."""
    import mlx.nn as nn
    from mlx_vlm.models.deepseekocr import deepseekocr, sam
    from mlx_vlm.models.deepseekocr_2 import config, deepseekocr_2, vision

    class SmallSam(sam.SAMEncoder):  # type: ignore[misc, unused-ignore]
        """SAM with one layer, and as many patches and tokens as the large one."""

        def __init__(self, **_: Any) -> None:
            super().__init__(embed_dim=16, depth=1, num_heads=1, mlp_ratio=1.0, out_chans=8, global_attn_indexes=())
            self.net_2 = nn.Conv2d(8, 8, kernel_size=3, stride=2, padding=1, bias=False)
            self.net_3 = nn.Conv2d(8, WIDTH, kernel_size=3, stride=2, padding=1, bias=False)

    def small_encoder(**settings: Any) -> Any:
        return config.Qwen2EncoderConfig(**{**settings, "layers": 1, "intermediate_size": 8})

    deepseekocr.SAMEncoder = deepseekocr_2.SAMEncoder = SmallSam
    vision.Qwen2EncoderConfig = small_encoder
