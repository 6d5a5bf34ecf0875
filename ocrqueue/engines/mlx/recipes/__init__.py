"""Recipes for known vision-language models."""

from ocrqueue.engines.mlx.recipes.recipe import NgramBlock, Recipe, Task
from ocrqueue.engines.mlx.recipes.table import DEFAULT, RECIPES, Known, find_known, normal_type, recipe_for

__all__ = ["DEFAULT", "RECIPES", "Known", "NgramBlock", "Recipe", "Task", "find_known", "normal_type", "recipe_for"]
