"""The driver in a folder with tools of a few lines: stages.py <folder with sortie> <model.gguf>"""

import os
import signal
import subprocess
import sys
from pathlib import Path

folder, model = Path(sys.argv[1]), sys.argv[2]
environment = os.environ | {"SORTIE_CACHE_DIR": str(folder / "cache")}


def write_tool(name: str, line: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{line}\n")
    (folder / name).chmod(0o755)


def start(word: str) -> subprocess.Popen:
    return subprocess.Popen([folder / "sortie", word, model], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env=environment)


write_tool("sortie-run", 'echo "$$"; cat; exit 7')
call = start("tokenize")
output = call.communicate("what it reads")[0]
assert output == f"{call.pid}\nwhat it reads", output
print(f"the runner has the driver's process, standard input and exit code {call.returncode}")

write_tool("sortie-run", "echo ready; exec sleep 100")
call = start("tokenize")
assert call.stdout.readline() == "ready\n"
call.send_signal(signal.SIGTERM)
print(f"the runner ends by {signal.Signals(-call.wait()).name}")

write_tool("sortie-translate", "kill -s ABRT $$")
write_tool("sortie-opt", "exit 0")
print(start("generate").communicate()[0], end="")
