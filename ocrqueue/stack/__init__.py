"""A whole stack on one machine: the embedded Redis and every process of the Procfile."""
