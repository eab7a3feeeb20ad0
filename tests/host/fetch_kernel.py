#!/usr/bin/env python3
"""Fetches the play host's kernel into the cache given as argument, before any sandbox is entered:
in there is no network to fetch anything by."""

import pathlib
import sys

from playhost import kernel

print(kernel.fetch(pathlib.Path(sys.argv[1])).release)
