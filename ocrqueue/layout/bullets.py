"""The characters with which list items begin."""

BULLETS = "•●○◦▪■‣⁃➢➤➔◆❖⬧"  # they say nothing but that an item begins
TICKS = "✓✔✕✖✗✘☐☑☒◻□❏❐❑❒"  # ticks, crosses and boxes: they are part of what an item says
