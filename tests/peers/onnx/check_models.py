"""Runs exported models in onnxruntime, and their safetensors files in NumPy, and compares with our own outputs.

    check_models.py FOLDER [--sb3]

FOLDER holds what tw_rl_test (ExportTest) and tw_training_test (PackageExportTest) leave there when TW_EXPORT_DIR names
it: single actor-critics as model*.{onnx,safetensors,json}, whole model packages as package*/. With --sb3 (needs torch
and stable-baselines3) the safetensors files are also loaded by Stable-Baselines3's own policy class.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors import safe_open

LIMIT = 2e-5  # float32 on both sides, sums in different orders, tanh within 4e-7
METADATA = "tradewind.policy."


def read_policy(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    with safe_open(path, "np") as file:
        return {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}, file.metadata()


def normalized(tensors: dict, rows: np.ndarray) -> np.ndarray:
    if "normalizer.mean" not in tensors:
        return rows
    rows = (rows - tensors["normalizer.mean"]) / tensors["normalizer.deviation"]
    clip = float(tensors["normalizer.clip"][0])
    return np.clip(rows, -clip, clip) if clip > 0 else rows


def run_network(tensors: dict, activation: str, rows: np.ndarray, kind: str, head: str) -> np.ndarray:
    rows, layer = normalized(tensors, rows), 0
    while f"mlp_extractor.{kind}.{layer}.weight" in tensors:
        name = f"mlp_extractor.{kind}.{layer}"
        rows = rows @ tensors[name + ".weight"].T + tensors[name + ".bias"]
        rows = np.tanh(rows) if activation == "tanh" else np.maximum(rows, 0)
        layer += 2
    return rows @ tensors[head + ".weight"].T + tensors[head + ".bias"]


def numpy_outputs(path: Path, record: dict, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    tensors, metadata = read_policy(path)
    activation = metadata[METADATA + "activation_fn"]
    rows = rows.astype(np.float64)
    value = run_network(tensors, activation, rows, "value_net", "value_net")
    head = run_network(tensors, activation, rows, "policy_net", "action_net")
    if record["discrete"]:
        head -= head.max(axis=1, keepdims=True)
        log_probs = head - np.log(np.exp(head).sum(axis=1, keepdims=True))
        return head.argmax(axis=1), value, log_probs.max(axis=1)
    log_prob = -(tensors["log_std"] + 0.5 * np.log(2 * np.pi)).sum()
    return head, value, np.full(len(rows), log_prob)


def sb3_outputs(path: Path, record: dict, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Our weights in Stable-Baselines3's own policy class, by its state dict's names."""
    import gymnasium as gym
    import torch
    from stable_baselines3.common.policies import ActorCriticPolicy

    tensors, metadata = read_policy(path)
    rows = normalized(tensors, rows.astype(np.float64)).astype(np.float32)
    weights = {name: torch.as_tensor(value, dtype=torch.float32) for name, value in tensors.items()
               if not name.startswith(("normalizer.", "action_space."))}
    space = gym.spaces.Discrete(3) if record["discrete"] else gym.spaces.Box(-1, 1, (3,), np.float32)
    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[metadata[METADATA + "activation_fn"]]
    policy = ActorCriticPolicy(gym.spaces.Box(-10, 10, (record["width"],), np.float32), space, lambda _: 0.0,
                               net_arch=[64, 32], activation_fn=activation)
    policy.load_state_dict(weights)
    with torch.no_grad():
        action, value, log_prob = policy(torch.as_tensor(rows), deterministic=True)
    return action.numpy(), value.numpy(), log_prob.numpy()


def check_actor_critic(path: Path, with_sb3: bool) -> None:
    record = json.loads(path.with_suffix(".json").read_text())
    rows = np.asarray(record["input"], np.float32).reshape(-1, record["width"])
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {entry.key: entry.value for entry in model.metadata_props} == {"instrument": "EURUSD"}
    weights = path.with_suffix(".safetensors")
    assert read_policy(weights)[1]["instrument"] == "EURUSD"
    session = onnxruntime.InferenceSession(path.read_bytes())
    sources = {"onnxruntime": session.run(["action", "value", "log_prob"], {"input": rows}),
               "numpy": numpy_outputs(weights, record, rows)}
    if with_sb3:
        sources["stable-baselines3"] = sb3_outputs(weights, record, rows)
    worst = 0.0
    for source, outputs in sources.items():
        for name, actual in zip(("action", "value", "log_prob"), outputs):
            expected = np.asarray(record[name], np.float64)
            difference = np.abs(np.asarray(actual, np.float64).reshape(-1) - expected).max()
            worst = max(worst, difference)
            assert difference <= LIMIT, (path.name, source, name, difference)
    assert len(session.run(["action"], {"input": rows[:1]})[0]) == 1
    print(f"ok  {path.name}: {', '.join(sources)} within {worst:.1e}")


def scaled(package: Path, rows: np.ndarray) -> np.ndarray:
    """The observation behind the package's normaliser; what is not finite counts as the mean."""
    normaliser = json.loads((package / "normaliser.json").read_text())
    count = len(normaliser["features"])
    features = rows[:, :count].astype(np.float64)
    finite = np.isfinite(features)
    features = (np.where(finite, features, 0) - [f["center"] for f in normaliser["features"]]) / \
        [f["scale"] for f in normaliser["features"]]
    if normaliser["method"] != "none":
        features = np.clip(features, -normaliser["clip"], normaliser["clip"])
    features = np.where(finite, features, 0).astype(np.float32)
    return np.concatenate([features, rows[:, count:]], axis=1).astype(np.float64)


def check_package(package: Path) -> None:
    rows, want = np.load(package / "observations.npy"), np.load(package / "exposures.npy")
    model = onnx.load(package / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession((package / "model.onnx").read_bytes())
    outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"observation": rows})))
    members, certain = [], np.full(len(rows), True)
    for path in sorted(package.glob("member-*.safetensors")):
        tensors, metadata = read_policy(path)
        head = run_network(tensors, metadata[METADATA + "activation_fn"], scaled(package, rows), "policy_net", "action_net")
        if metadata[METADATA + "action_space"] == "discrete":
            best = np.sort(head, axis=1)
            # Logits here are up to ten times those of trained agents.
            certain &= best[:, -1] - best[:, -2] > 20 * LIMIT
            members.append(head.argmax(axis=1) - 1.0)
        else:
            members.append(np.clip(head[:, 0], -1, 1))
    exact = np.stack(members, axis=1)
    assert certain.mean() > 0.95 and len(np.unique(exact)) > 2
    got = outputs["exposure"][:, 0]
    discrete = "probabilities" in outputs
    limit = 0 if discrete else 10 * LIMIT
    assert np.abs(got - want)[certain].max() <= limit, np.abs(got - want)[certain].max()
    assert np.abs(outputs["member_exposures"] - exact)[certain].max() <= limit
    assert np.abs(want - exact.mean(axis=1))[certain].max() <= 10 * LIMIT
    if discrete:
        assert np.abs(outputs["probabilities"].sum(axis=1) - 1).max() < 1e-6
    print(f"ok  {package.name}: {len(rows)} rows, {'exposures' if discrete else f'within {np.abs(got - want).max():.1e}'}"
          f"{' equal' if discrete else ''}, {np.sum(~certain)} uncertain")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sb3", action="store_true")
    options = parser.parse_args()
    models = sorted(options.folder.glob("model*.onnx"))
    packages = sorted(options.folder.glob("package*/"))
    assert len(models) == 4 and len(packages) == 4, f"{len(models)} models and {len(packages)} packages, wanted 4 and 4"
    for path in models:
        check_actor_critic(path, options.sb3)
    for package in packages:
        check_package(package)


if __name__ == "__main__":
    main()
