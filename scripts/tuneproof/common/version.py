"""The version of this project, as pyproject.toml has it: a page of results names what wrote it."""

VERSION = "0.1.0"
