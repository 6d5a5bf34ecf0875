"""The plain text of Markdown."""

import re


def plain(content: str) -> str:
    """Markdown without its marks for headings, emphasis, images, fences and tables. Words do not change."""
    content = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", content)
    content = re.sub(r"(?m)^ {0,3}#{1,6} +", "", content)
    content = re.sub(r"(?m)^ {0,3}(?:```.*|\|(?: *:?-+:? *\|)+) *\n?", "", content)
    content = re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", content)
    content = re.sub(r"(?i)</t[dh]>\s*<t[dh][^>]*>", "\t", content)
    content = re.sub(r"(?i)</tr>\s*", "\n", content)
    content = re.sub(r"</?(?:img|watermark|page_number|signature|logo)>", "", content)  # Nanonets' tags
    return re.sub(r"(?i)</?(?:table|thead|tbody|tr|t[dh]|center|sup|sub|br)\b[^>]*>", "", content).strip()
