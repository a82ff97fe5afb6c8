"""DESIGN.md's one-way imports, and which modules are free of TensorFlow: read from the source and tried in clean processes."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# A folder imports from itself and from those before it.
FOLDERS = (
    "config",
    "data",
    "metrics",
    "images",
    "networks",
    "losses",
    "embedding",
    "training",
    "evaluation",
    "export",
    "gallery",
    "serving",
    "library",
    "cli",
)
# Before all folders, in this order too.
ROOT_MODULES = ("errors", "files", "console")
FREE = ("config", "data", "metrics")
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
            # "from handnet import runs" names a module, "from handnet.config.run_folder import Run" does not.
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
    """Return a module's place in the order of imports."""
    name = module.partition(".")[2].partition(".")[0]
    if name in ("", "__main__"):
        return -1 if not name else len(FOLDERS)
    if MODULES[module].parent == ROOT / "handnet" and MODULES[module].name != "__init__.py":
        assert name in ROOT_MODULES, f"{module}: put it into the folder that says what it does"
        return ROOT_MODULES.index(name) - len(ROOT_MODULES)
    assert name in FOLDERS, f"{module}: give its folder a place in FOLDERS"
    return FOLDERS.index(name)


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


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    upward = {name for name in list_imports(module) if name in MODULES and find_level(name) > find_level(module)}
    assert not upward, f"{module} imports from folders that come after its own: {sorted(upward)}"


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


@pytest.mark.parametrize("folder", FREE)
def test_config_data_and_metrics_are_free_of_tensorflow(folder: str) -> None:
    modules = [module for module in MODULES if module.startswith(f"handnet.{folder}.")]
    assert modules
    assert not {module for module in modules if not is_free(module)}


def test_every_folder_is_there_and_holds_a_few_files() -> None:
    for folder in (path for path in (ROOT / "handnet").rglob("*") if path.is_dir() and any(path.glob("*.py"))):
        assert (folder / "__init__.py").exists(), folder
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert files or folder.name == "serving", folder


def list_loaded(statement: str) -> set[str]:
    """Run a statement in a clean process and return the packages that it loads."""
    code = (
        f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.split("\n")[-2].split())


# What answers from the cache: starting TensorFlow and Keras would take several times as long.
QUICK = (
    "embedding.quick_embed",
    "embedding.run_vectors",
    "evaluation.quick_verify",
    "evaluation.hands",
    "evaluation.closest_shares",
    "evaluation.report.page",
    "evaluation.report.maps",
    "evaluation.report.projector",
    "gallery.quick_models",
    "images.kept_photos",
    "library.evaluate_run",
)


@pytest.mark.parametrize("module", QUICK)
def test_answers_from_the_cache_need_no_tensorflow(module: str) -> None:
    assert is_free(f"handnet.{module}")


def test_importing_every_free_module_loads_no_tensorflow() -> None:
    free = sorted(module for module in MODULES if is_free(module) and module != "handnet.__main__")
    assert len(free) > 40
    assert not list_loaded(f"import {', '.join(free)}") & set(HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["data", "check", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = list_loaded(
        f"import handnet.cli.main\nsys.argv = {['handnet', *arguments]}\ntry: handnet.cli.main.main()\nexcept SystemExit: pass"
    )
    assert "click" in loaded
    assert not loaded & {*HEAVY, "numpy", "pandas", "scipy", "sklearn", "PIL", "matplotlib"}


def test_handnet_is_imported_in_no_time_and_names_what_it_offers() -> None:
    loaded = list_loaded("import handnet; dir(handnet); handnet.train; handnet.evaluate; handnet.export_model")
    assert not loaded & {*HEAVY, "numpy", "pandas", "scipy", "sklearn", "PIL", "matplotlib", "click"}


def test_every_public_name_is_there() -> None:
    import handnet

    assert {name for name in handnet.__all__ if not hasattr(handnet, name)} == set()
    assert set(handnet.__all__) <= set(dir(handnet))
    with pytest.raises(AttributeError, match="It has: HandnetError, audit, compare"):
        handnet.embed  # noqa: B018
