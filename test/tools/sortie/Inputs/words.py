"""Calls the driver beside tools that print how they were called: every option of every word of
sortie-run, as its help lists them, must arrive as it was given, and none may swallow the model.

    words.py <sortie> <sortie-run> <model.gguf> <scratch folder>
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

# The driver's own, or not for it.
OTHERS = {"context", "device", "weights", "help", "help-list"}
PRINTER = '#!/bin/sh\nfor argument in "$@"; do echo "$argument"; done\n'


def make_tools(folder: Path, driver: str) -> Path:
    """The driver beside a compiler that does nothing and a runner that prints its arguments."""
    folder.mkdir()
    for tool, text in (("sortie-translate", "#!/bin/sh\n"), ("sortie-opt", "#!/bin/sh\n"),
                       ("sortie-run", PRINTER)):
        (folder / tool).write_text(text)
        (folder / tool).chmod(0o755)
    return Path(shutil.copy(driver, folder / "sortie"))


def options_of(runner: str, word: str) -> dict[str, bool]:
    """Of each option in the help of a word: whether it takes a value."""
    text = subprocess.run([runner, word, "--help"], check=True, capture_output=True,
                          text=True).stdout
    found = re.findall(r"^  --?([\w-]+)([= ]<)? ", text.split("\nOPTIONS:")[1], re.MULTILINE)
    found += re.findall(r"^  --?([\w-]+)([= ]<)", text.split("\nOPTIONS:")[1], re.MULTILINE)
    return {name: bool(value) for name, value in found if name not in OTHERS}


def main() -> int:
    driver, runner, model, scratch = sys.argv[1:]
    folder = Path(scratch)
    sortie = make_tools(folder / "tools", driver)
    environment = os.environ | {"SORTIE_CACHE_DIR": str(folder / "cache")}
    checked = 0
    for word in ("generate", "perplexity", "bench", "logits", "tokenize"):
        for name, takes_value in options_of(runner, word).items():
            option = [f"--{name}", "-v"] if takes_value else [f"--{name}"]
            got = subprocess.run([sortie, word, *option, model], check=True, capture_output=True,
                                 text=True, env=environment).stdout.splitlines()
            expected = [word, model] if word == "tokenize" else [word, got[1], "--weights", model]
            if got != expected + option:
                sys.exit(f"sortie {word} {' '.join(option)}: sortie-run got {got}")
            checked += 1
    print(f"{checked} options arrive as they were given")
    return 0


if __name__ == "__main__":
    sys.exit(main())
