"""Copy the document that a plain message names into the spool: allowed sources, addresses, downloads."""
