"""Writes tests/golden/rl/safetensors.json: a file of the safetensors library as hexadecimal text, and its content.

    python tools/golden/rl/make_safetensors.py tests/golden/rl
"""

import json
import sys
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import save

tensors = {"b": np.arange(6, dtype=np.float32).reshape(2, 3) / 7, "a.bias": np.array([-0.5], np.float32),
           "empty": np.zeros((0, 4), np.float32), "scalar": np.array(2.5, np.float32)}
metadata = {"format": "pt", "note": "Größe \"1\""}
Path(sys.argv[1], "safetensors.json").write_text(json.dumps({
    "version": safetensors.__version__, "bytes": save(tensors, metadata).hex(), "metadata": metadata,
    "tensors": {name: {"shape": list(value.shape), "values": [float(str(v)) for v in value.reshape(-1)]}
                for name, value in tensors.items()}}) + "\n")
