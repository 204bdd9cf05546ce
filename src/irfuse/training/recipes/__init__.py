"""Recipes: one file a method that can be trained."""
