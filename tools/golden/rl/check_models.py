"""Runs exported models in onnxruntime and compares with our own outputs; reads the safetensors files too.

    mkdir /some/folder
    TW_EXPORT_DIR=/some/folder tw_rl_test --gtest_filter='ExportTest.*'
    python tools/golden/rl/check_models.py /some/folder

Needs onnx, onnxruntime, safetensors, numpy, torch and stable-baselines3 (tools/golden/rl/requirements.txt).
"""

import json
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import onnx
import onnxruntime
import torch
from safetensors import safe_open
from stable_baselines3.common.policies import ActorCriticPolicy

LIMIT = 2e-5  # float32 on both sides, sums in different orders, tanh within 4e-7


def sb3_outputs(path, record, observations):
    """Our weights in Stable-Baselines3's own policy class, by its state dict's names."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    assert metadata["instrument"] == "EURUSD", metadata
    extra = {name: tensors.pop(name) for name in list(tensors) if name.startswith(("normalizer.", "action_space."))}
    if "normalizer.mean" in extra:
        observations = (observations - extra["normalizer.mean"].numpy()) / extra["normalizer.deviation"].numpy()
        clip = float(extra["normalizer.clip"])
        observations = np.clip(observations, -clip, clip)
    space = gym.spaces.Discrete(3) if record["discrete"] else gym.spaces.Box(-1, 1, (3,), np.float32)
    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[metadata["tradewind.policy.activation_fn"]]
    policy = ActorCriticPolicy(gym.spaces.Box(-10, 10, (record["width"],), np.float32), space, lambda _: 0.0,
                               net_arch=[64, 32], activation_fn=activation)
    policy.load_state_dict(tensors)
    with torch.no_grad():
        action, value, log_prob = policy(torch.as_tensor(observations), deterministic=True)
    return action.numpy(), value.numpy(), log_prob.numpy()


count = 0
for path in sorted(Path(sys.argv[1]).glob("*.onnx")):
    record = json.loads(path.with_suffix(".json").read_text())
    observations = np.asarray(record["input"], np.float32).reshape(-1, record["width"])
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {entry.key: entry.value for entry in model.metadata_props} == {"instrument": "EURUSD"}
    session = onnxruntime.InferenceSession(path.read_bytes())
    for source, outputs in (("onnxruntime", session.run(["action", "value", "log_prob"], {"input": observations})),
                            ("stable-baselines3", sb3_outputs(path.with_suffix(".safetensors"), record, observations))):
        for name, actual in zip(("action", "value", "log_prob"), outputs):
            expected = np.asarray(record[name], np.float64)
            worst = np.abs(np.asarray(actual, np.float64).reshape(-1) - expected).max()
            print(f"{path.name} {source} {name}: largest difference {worst:.2g}")
            assert worst <= LIMIT, (path, source, name)
    single = session.run(["action"], {"input": observations[:1]})
    assert len(single[0]) == 1
    count += 1
assert count > 0, "no model found"
print(f"{count} models agree")
