"""Chat templates in the shape that the authors' models were trained with, as short as possible."""


def content(image: str) -> str:
    """The content of the message `m`, with this text in the place of an image."""
    return (
        "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
        "{% if c['type'] == 'image' %}"
        + image
        + "{% elif 'text' in c %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}"
    )


def chatml(system: str, image: str) -> str:
    """The turns of ChatML. `system`: the turn that comes first if the messages have none."""
    first = "{% if messages[0]['role'] != 'system' %}" + system + "{% endif %}"
    turn = "<|im_start|>{{ m['role'] }}{{ '\n' }}" + content(image) + "<|im_end|>{{ '\n' }}"
    return first + turns(turn, "<|im_start|>assistant{{ '\n' }}")


def turns(turn: str, assistant: str) -> str:
    """`turn` for each message `m`, and `assistant` before the answer."""
    return "{% for m in messages %}" + turn + "{% endfor %}{% if add_generation_prompt %}" + assistant + "{% endif %}"


def system_or_user(system: str, user: str) -> str:
    """One of two turns for the message `m`."""
    return "{% if m['role'] == 'system' %}" + system + "{% else %}" + user + "{% endif %}"
