"""A whole stack on one machine: the embedded Redis and all processes of the Procfile."""
