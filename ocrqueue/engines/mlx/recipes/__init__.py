"""Recipes for known vision-language models."""

from ocrqueue.engines.mlx.recipes.recipe import NgramBlock, Recipe
from ocrqueue.engines.mlx.recipes.table import DEFAULT, RECIPES, recipe_for

__all__ = ["DEFAULT", "RECIPES", "NgramBlock", "Recipe", "recipe_for"]
