"""Parts of a page that the layout models do not see: small tables, program text, line numbers, and what is turned."""
