"""LumiKB: put documents in, get answers whose every claim opens the passage that proves it."""

from importlib.metadata import version

__version__ = version("lumikb")
