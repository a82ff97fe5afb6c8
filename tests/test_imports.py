"""DESIGN.md's one-way imports, and which modules are free of TensorFlow: read from the source and tried in clean processes."""

import ast
import configparser
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# A module imports from its own level or a lower one. The longest prefix counts; a new module needs a line here only if its
# package has none.
LEVELS = {
    "handnet": 0,
    "handnet.augment_config": 0,
    "handnet.config": 0,
    "handnet.config_text": 0,
    "handnet.defaults": 0,
    "handnet.errors": 0,
    "handnet.example": 0,
    "handnet.files": 0,
    "handnet.cache": 1,
    "handnet.datasets": 1,
    "handnet.discriminant": 1,
    "handnet.evaluation.chance": 1,
    "handnet.evaluation.checks": 1,
    "handnet.evaluation.retrieval": 1,
    "handnet.photo_pairs": 1,
    "handnet.runs": 1,
    "handnet.sampling": 1,
    "handnet.split_pairs": 1,
    "handnet.split_parts": 1,
    "handnet.splits": 1,
    "handnet.vectors": 1,
    "handnet.weights": 1,
    "handnet.augment": 2,
    "handnet.backbones": 2,
    "handnet.images": 2,
    "handnet.losses": 2,
    "handnet.monitoring": 2,
    "handnet.one_cycle": 2,
    "handnet.pgm": 2,
    "handnet.segmentation": 2,
    "handnet.features": 3,
    "handnet.model": 3,
    "handnet.pair_model": 3,
    "handnet.pipeline": 3,
    "handnet.augment_preview": 4,
    "handnet.bulk": 4,
    "handnet.callbacks": 4,
    "handnet.closed_form": 4,
    "handnet.device": 4,
    "handnet.embedding": 4,
    "handnet.engines": 4,
    # The metrics below it are of level 1; what is built on the embeddings of a part is not.
    "handnet.evaluation": 4,
    "handnet.export": 4,
    "handnet.preparation": 4,
    "handnet.tensorboard": 4,
    "handnet.train": 4,
    "handnet.gallery": 5,
    "handnet.serving": 5,
    "handnet.maps": 5,
    "handnet.projector": 5,
    "handnet.judge": 5,
    "handnet.lr_range": 5,
    "handnet.pair_judge": 5,
    "handnet.pair_training": 5,
    "handnet.pair_verdict": 5,
    "handnet.cross_validation": 5,
    "handnet.__main__": 6,
    "handnet.cli": 6,
    "handnet.commands": 6,
}
# What of the evaluation draws photos anew, and so needs TensorFlow.
ON_PHOTOS = {"handnet.evaluation.audit", "handnet.evaluation.photos"}
HEAVY = ("tensorflow", "keras", "keras_hub")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def name_module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_module(path): path for path in sorted((ROOT / "handnet").rglob("*.py"))}


def find_imports(node: ast.AST, at_start: bool) -> Iterator[str]:
    """Yield the names that a module imports, those within functions only if not `at_start`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            # "from handnet import runs" names a module, "from handnet.runs import Run" does not.
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif not (at_start and isinstance(child, FUNCTIONS)) and not is_for_type_checking(child):
            yield from find_imports(child, at_start)


def is_for_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


@cache
def list_imports(module: str, at_start: bool = False) -> frozenset[str]:
    """Return what a module imports: handnet's modules whole, the first name of all others."""
    names = set()
    for name in find_imports(ast.parse(MODULES[module].read_text(encoding="utf-8")), at_start):
        if name.split(".")[0] == "handnet":
            names.add(name if name in MODULES else name.rpartition(".")[0])
        else:
            names.add(name.split(".")[0])
    return frozenset(names - {module})


def find_level(module: str) -> int:
    prefix = max((name for name in LEVELS if module == name or module.startswith(name + ".")), key=len)
    assert prefix != "handnet" or module == "handnet", f"{module}: give it a level in LEVELS"
    return LEVELS[prefix]


def load_closure(module: str) -> set[str]:
    """Return every module that importing this one loads, packages on the way included, the first name of foreign ones."""
    loaded: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in loaded:
            continue
        loaded.add(name)
        if name in MODULES:
            waiting += list_imports(name, at_start=True)
            waiting += [name.rpartition(".")[0]] if "." in name else []
    return loaded


def is_free(module: str) -> bool:
    return not load_closure(module) & set(HEAVY)


def list_type_checked() -> set[str]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = [ROOT / line.rstrip(",") for line in parser["mypy"]["files"].split()]
    assert all(path.exists() for path in listed), "setup.cfg, [mypy] files: a file that is not there"
    return {name_module(file) for path in listed for file in (path.rglob("*.py") if path.is_dir() else [path])}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    upward = {name for name in list_imports(module) if name in MODULES and find_level(name) > find_level(module)}
    assert not upward, f"{module} is of level {find_level(module)} and imports from above: {sorted(upward)}"


def test_no_module_imports_itself_in_a_circle() -> None:
    open_modules: list[str] = []
    done: set[str] = set()

    def visit(module: str) -> None:
        assert module not in open_modules, " → ".join([*open_modules[open_modules.index(module) :], module])
        if module in done:
            return
        open_modules.append(module)
        for name in sorted(list_imports(module, at_start=True) & MODULES.keys()):
            # A package's own modules load it first, by Python's rule.
            if not module.startswith(name + "."):
                visit(name)
        open_modules.pop()
        done.add(module)

    for module in MODULES:
        visit(module)


@pytest.mark.parametrize("prefix", ["handnet.evaluation", *(name for name, level in LEVELS.items() if level <= 1)])
def test_readers_splits_and_metrics_are_free_of_tensorflow(prefix: str) -> None:
    modules = [m for m in MODULES if m == prefix or (m.startswith(prefix + ".") and prefix != "handnet")]
    assert modules
    assert {module for module in modules if not is_free(module)} <= ON_PHOTOS


def test_every_module_free_of_tensorflow_is_type_checked() -> None:
    forgotten = {module for module in MODULES if is_free(module)} - list_type_checked()
    assert not forgotten, "add them to setup.cfg, [mypy] files"


def list_loaded(statement: str) -> set[str]:
    """Run a statement in a clean process and return the packages that it loads."""
    code = (
        f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.split("\n")[-2].split())


def test_importing_every_free_module_loads_no_tensorflow() -> None:
    free = sorted(module for module in MODULES if is_free(module) and module != "handnet.__main__")
    assert len(free) > 40
    assert not list_loaded(f"import {', '.join(free)}") & set(HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["data", "check", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = list_loaded(
        f"import handnet.cli\nsys.argv = {['handnet', *arguments]}\ntry: handnet.cli.main()\nexcept SystemExit: pass"
    )
    assert "click" in loaded
    assert not loaded & {*HEAVY, "numpy", "pandas", "scipy", "sklearn", "PIL", "matplotlib"}
