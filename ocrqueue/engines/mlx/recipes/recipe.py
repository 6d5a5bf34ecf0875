"""What is particular to one type of model: how it is asked, what its folder must have, when it is stopped."""

from dataclasses import dataclass, field

# Files that most folders must have. "|" separates alternatives; `processor_config.json:image_processor` is a key in a
# JSON file.
TOKENIZER = "tokenizer.json|tokenizer.model|vocab.json|tekken.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
IMAGE_PROCESSOR = "preprocessor_config.json|processor_config.json:image_processor"


@dataclass(frozen=True, slots=True)
class NgramBlock:
    """Forbids the model to write a sequence of tokens that it has written before."""

    size: int  # tokens of a sequence that may not be repeated
    window: int | None = None  # how many of the last tokens are looked at; None: all of the page
    exempt: tuple[str, ...] = ()  # tokens that are never forbidden, as text


@dataclass(frozen=True, slots=True)
class Task:
    """Another thing that a model can be asked for. OCR_MLX_OUTPUT chooses it."""

    output: str  # a name in PARSERS
    prompt: str  # as `Recipe.prompt`
    max_pixels: int = 0  # as `Recipe.max_pixels`; 0: the recipe's
    doubled_below: int = 0  # as `Recipe.doubled_below`


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a type of model is used. `repr` shows every field that changes the text of a page, and no other."""

    prompt: str  # the words of the user's message, without the chat template
    output: str = "text"  # a name in `ocrqueue.engines.mlx.markup.PARSERS`
    system: str | None = None  # the system message; "": an empty one is sent; None: none is sent
    text_first: bool | None = None  # order in the user's message; None: as mlx-vlm does it; False: image first
    no_thinking: bool = True  # the chat template is told `enable_thinking=False`; False: it is told nothing
    adds_tokens: bool = True  # the tokenizer adds its own begin and end; False: the prompt has all special tokens
    template: bool = True  # the folder must have a chat template; False: none is used
    mark: str = ""  # stands for the image before the prompt; used where `template` is False
    tail: str = ""  # one token behind the prompt, because mlx-vlm's processor drops the last one; used as `mark`
    dpi: int = 150  # resolution at which a PDF page is rendered
    max_pixels: int = 1_600_000  # of the image that the model sees; larger pages are scaled down
    doubled_below: int = 0  # pixels; a page with both sides below this is shown twice as large, up to `max_pixels`
    longest: int | None = None  # pixels of the longer side of every page; None: only `max_pixels` limits
    buckets: bool = True  # pad pages to a few sizes; False: the model's processor itself scales every page to one size
    max_tokens: int = 8192  # per page; generating is stopped at this number
    stops: tuple[str, ...] = ()  # texts that end a page although the model goes on
    temperatures: tuple[float, ...] = (0.0, 0.4, 0.8)  # of the tries of a page, in order; 0: always the likeliest token
    top_p: float = 1.0  # only the likeliest tokens with this share of the probability; used above temperature 0
    top_k: int = 0  # only so many of the likeliest tokens; 0: all; used above temperature 0
    repetition_penalty: float | None = None  # None: no penalty
    ngram: NgramBlock | None = None  # None: nothing is forbidden
    files: tuple[str, ...] = field(default=(TOKENIZER, TOKENIZER_CONFIG, IMAGE_PROCESSOR), repr=False)  # beside weights
    batch: int = field(default=1, repr=False)  # pages at once; above 1 only where answers were found to stay the same
    runs_code: bool = field(default=False, repr=False)  # mlx-vlm runs the folder's Python code whatever it is told
    tasks: tuple[Task, ...] = field(default=(), repr=False)  # what else the model can be asked for
    refused: str = field(default="", repr=False)  # why this type cannot be used, and what to use; empty: it can be used
    licence: str = field(default="", repr=False)  # of the weights, from memory, not from their cards; empty: not known
    experimental: str = field(default="", repr=False)  # what is known to go wrong; empty: nothing
