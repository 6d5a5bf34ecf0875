"""Builds the finished prompt of a model: system message, image and words in their order, with the chat template."""

from typing import Any

from ocrqueue.engines.mlx.recipes import Recipe
from ocrqueue.errors import ModelUnavailable

_IMAGE = {"type": "image"}


def finished_prompt(processor: Any, model_type: str, recipe: Recipe) -> str:
    """The text that the model gets with one page. `model_type` is the one in config.json, in lower case.

    mlx-vlm tells every chat template `enable_thinking=False`; GLM's template then writes `/nothink`, which its authors
    do not send. Without a chat template the prompt is the recipe's words behind its mark for the image, and mlx-vlm's
    processor adds the rest. Raises ModelUnavailable if the words hold the model's token for an image, or if the chat
    template is empty: each page would fail. Raises what the chat template raises.
    """
    token = getattr(processor, "image_token", None)
    if isinstance(token, str) and token and token in recipe.prompt:
        raise ModelUnavailable(
            f"OCR_MLX_PROMPT holds {token}, with which the model marks the place of the page: leave it out, the engine "
            "puts the page in",
            "model_broken",
        )
    if not recipe.template:
        return recipe.mark + recipe.prompt + recipe.tail
    from mlx_vlm.prompt_utils import apply_chat_template, get_chat_template

    user = {"role": "user", "content": _content(recipe)}
    messages = apply_chat_template(processor, {"model_type": model_type}, [user], num_images=1, return_messages=True)
    if recipe.system is not None:
        messages = [{"role": "system", "content": recipe.system}, *messages]
    if recipe.no_thinking:
        prompt = str(get_chat_template(processor, messages, True))
    else:
        prompt = str(processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    if not prompt.strip():
        raise ModelUnavailable("the model's chat template is empty: fetch the model again", "model_broken")
    return prompt


def prepare_tokenizer(processor: Any, recipe: Recipe) -> None:
    """Keep the tokenizer from adding special tokens around a prompt that has them already.

    mlx-vlm asks tokenizers of nearly all types to add them. A post-processor that adds nothing takes the place of the
    tokenizer's own.
    """
    if recipe.adds_tokens:
        return
    from tokenizers.processors import TemplateProcessing

    backend = getattr(getattr(processor, "tokenizer", processor), "backend_tokenizer", None)
    if backend is not None:  # tokenizers in Python have none
        backend.post_processor = TemplateProcessing(single="$A")


def _content(recipe: Recipe) -> str | list[dict[str, str]]:
    """The user's message: the words alone where mlx-vlm puts the image in, else words and image in order."""
    if not recipe.prompt:
        return [_IMAGE]
    if recipe.text_first is None:
        return recipe.prompt
    words = {"type": "text", "text": recipe.prompt}
    return [words, _IMAGE] if recipe.text_first else [_IMAGE, words]
