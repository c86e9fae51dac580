"""Hypothesis for pure rules: no deadline, since a shared machine says nothing about a rule's speed."""

from hypothesis import settings

settings.register_profile("rules", deadline=None)
settings.load_profile("rules")
