"""How ember is trained: on many metrics, on terms for what metrics do not see, and on damaged images.

`recipe.py` has the settings and the task, `terms.py` the terms of the loss, `crops.py` the crops, and `damage.py` what
happens to the images that the network sees.
"""

from irfuse.training.recipes.ember.recipe import EmberRecipe as EmberRecipe
