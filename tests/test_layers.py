"""Who may import whom. The imports of every module are read, also those inside functions and for type checkers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "fgkd"

# Lower layers first; a module may import its own layer and the layers that it names.
LAYERS: dict[str, tuple[str, ...]] = {
    "ground": (
        "__init__",
        "allocator",
        "errors",
        "registry",
        "signals",
        "tables",
        "collective",
        "files",
        "processes",
        "text",
        "yaml_places",
    ),
    "metrics": ("metrics",),
    "spec": ("spec", "places"),
    "methods": ("methods",),
    "suite": ("suite",),
    "data": ("data",),
    "models": ("models",),
    "teacher": ("teacher",),
    "plan": ("plan", "plan_view", "price", "yardstick"),
    "train": ("train",),
    "boards": ("facts", "record", "choosing", "leaderboard", "report"),
    "export": ("export",),
    "runner": ("runner",),
    "command": ("__main__", "api", "bench", "cli"),
}
MAY_IMPORT: dict[str, set[str]] = {
    "ground": set(),
    "metrics": {"ground"},
    "spec": {"ground"},
    "methods": {"ground"},
    "suite": {"ground", "spec", "methods"},
    "data": {"ground", "spec"},
    "models": {"ground", "spec"},
    "teacher": {"ground", "spec", "data", "models"},
    "plan": {"ground", "spec", "suite", "data", "models"},
    "train": {"ground", "metrics", "spec", "methods", "data", "models", "teacher"},
    "boards": {"ground", "spec"},
    "export": {"ground", "metrics", "spec", "methods", "data", "models", "teacher", "train", "boards"},
    "runner": set(LAYERS),
    "command": set(LAYERS),
}
# Plain values only: compose makes a MethodSpec of a suite's words.
EXCEPTIONS = {("fgkd.methods.compose", "fgkd.spec")}
NO_TORCH = {"boards", "spec", "suite"}  # at import; suites look at methods late


def layer_of(module: str) -> str:
    """The layer of a module such as fgkd.data.card; KeyError where the table forgot it."""
    top = [*module.split("."), "__init__"][1]
    for layer, members in LAYERS.items():
        if top in members:
            return layer
    raise KeyError(f"{module} is in no layer; give it one in {Path(__file__).name}")


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)] = path
    return found


MODULES = modules()


def imported(name: str, path: Path) -> set[str]:
    """Full names of the package's modules, and top names of libraries, that a module imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} line {node.lineno}: imports are absolute here"
            # `from fgkd.models import problems` may name a module or a value of the package
            found |= {_module_or_value(str(node.module), alias.name) for alias in node.names}
    return found


def _module_or_value(module: str, name: str) -> str:
    return f"{module}.{name}" if f"{module}.{name}" in MODULES else module


@pytest.mark.parametrize("name", MODULES)
def test_imports_keep_to_the_layers(name: str) -> None:
    own = layer_of(name)
    wrong = [
        other
        for other in sorted(imported(name, MODULES[name]))
        if other.split(".")[0] == "fgkd"
        and layer_of(other) not in MAY_IMPORT[own] | {own}
        and (name, other) not in EXCEPTIONS
    ]
    assert not wrong, f"{name} is in layer {own!r}, which may not import {wrong}"


def test_the_table_has_no_circle_below_the_runner() -> None:
    done: set[str] = set()
    for layer in LAYERS:
        if layer not in {"runner", "command"}:
            assert MAY_IMPORT[layer] <= done, f"{layer} imports a layer above it"
        done.add(layer)


@pytest.mark.parametrize("name", [name for name in MODULES if layer_of(name) not in {"train", "runner", "command"}])
def test_accelerate_is_used_in_training_only(name: str) -> None:
    assert "accelerate" not in {other.split(".")[0] for other in imported(name, MODULES[name])}


def test_the_rule_catches_what_it_should(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("import torch\ndef f():\n    from fgkd.models import create\n    import accelerate.state\n")
    assert imported("x", path) == {"torch", "fgkd.models.create", "accelerate.state"}
    assert layer_of("fgkd.models.create") == "models" not in MAY_IMPORT["methods"]
    with pytest.raises(KeyError, match="is in no layer"):
        layer_of("fgkd.utils")


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_module_is_named_like_a_library(name: str) -> None:
    # `accelerate launch fgkd/bench.py` may put the folder fgkd on the path
    if name.count(".") == 1:
        top = name.rpartition(".")[2]
        libraries = {
            "datasets",
            "torch",
            "timm",
            "accelerate",
            "numpy",
            "pandas",
            "yaml",
            "rich",
            "scipy",
            "safetensors",
        }
        assert top not in set(sys.stdlib_module_names) | libraries


def test_who_loads_an_export_gets_no_training_loop() -> None:
    code = "import sys, fgkd; fgkd.load; assert not {'accelerate', 'fgkd.train.engine'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_plain_modules_import_no_torch() -> None:
    plain = [*sorted(name for name in MODULES if layer_of(name) in NO_TORCH), "fgkd", "fgkd.cli.main"]
    code = (
        f"import sys, importlib\nfor name in {plain!r}:\n"
        "    importlib.import_module(name.removesuffix('.__init__'))\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
