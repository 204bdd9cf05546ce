"""How attention-ensemble is trained: an adversarial auto-encoder on natural images, then the attention on pairs.

"Learning attention guided deep multi-scale feature ensemble for infrared and visible image fusion". The paper does not
give the loss of the attention; the one here is irfuse's own, see docs/methods/attention-ensemble.md.
"""

from irfuse.training.recipes.attention_ensemble.recipe import AttentionEnsembleRecipe as AttentionEnsembleRecipe
