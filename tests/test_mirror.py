"""The tests mirror the package: each module has a test file of its own name, or is listed with the one that tests it."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.test_imports import ROOT, find_imports, list_imports

TESTS = ROOT / "tests"
# Modules that one caller uses and that are tested through it: the test file → the modules, by folder.
THROUGH = {
    "cli/test_main.py": ("__main__",),
    # What callers give and get: the gallery itself.
    "gallery/test_gallery.py": (
        *("gallery/photo_comparison", "gallery/photo_encoder", "gallery/enrolment", "gallery/forgetting"),
        "gallery/migration",
        *("gallery/answers", "gallery/enrolled", "gallery/recognition", "gallery/search", "gallery/upkeep"),
    ),
    "gallery/test_bound_models.py": ("gallery/photo_quality", "gallery/embed_photos", "gallery/exported_encoder"),
    "gallery/test_frozen_look.py": ("gallery/freeze_look",),
    # One contract for every store.
    "gallery/stores/test_store.py": ("gallery/stores/rows", "gallery/stores/schema"),
    "gallery/stores/test_sqlite.py": (
        *("gallery/stores/file_traces", "gallery/stores/sqlite_connections", "gallery/stores/sqlite_folder"),
        "gallery/stores/sqlite_rows",
    ),
    "gallery/stores/test_milvus.py": (
        *("gallery/stores/milvus_client", "gallery/stores/milvus_indexes", "gallery/stores/milvus_lock"),
        *("gallery/stores/milvus_rows", "gallery/stores/milvus_commit", "gallery/stores/milvus_reading"),
    ),
    "config/test_settings.py": ("config/image", "config/ranges"),
    "data/remote/test_any_folder.py": ("data/remote/remote_photos",),
    "embedding/test_job.py": ("embedding/shard", "embedding/hand_columns"),
    "training/test_nodes.py": ("embedding/predict",),
    "embedding/test_part_worker.py": ("metrics/vector_folder",),
    "metrics/pairs/test_block_counts.py": ("metrics/pairs/block_workers", "metrics/large_part"),
    "images/hand/test_front_end.py": ("images/hand/presence", "images/hand/findings"),
    "images/test_hand_check.py": ("images/hand_sheet",),
    "images/test_hand_finder.py": ("images/hand_facts", "images/seen_hand"),
    "images/test_bad_photos.py": ("images/unusable_photos",),
    "images/hand/test_landmark_mask.py": (
        "images/hand/capsules",
        "images/hand/hand_colors",
        "images/hand/landmark_crop",
        "images/hand/mask_rule",
    ),
    "images/hand/test_crop.py": ("images/hand/crop_rule",),
    "images/hand/test_palm_crop.py": ("images/hand/mean_palm",),
    "images/hand_models/test_operations.py": ("images/hand_models/keras_model",),
    "images/hand_models/test_wheel.py": ("images/hand_models/models",),
    # Entries and builders of backbones: the tests walk BACKBONES.
    "networks/backbones/test_build.py": (
        *("networks/backbones/convolutional", "networks/backbones/inception", "networks/backbones/own"),
        *("networks/backbones/residual", "networks/backbones/vision_transformer/dino"),
        "networks/backbones/vision_transformer/vit_size",
    ),
    "networks/backbones/test_efficientnet_lite.py": ("networks/backbones/lite_stages",),
    "embedding/test_frozen_encoder.py": ("embedding/freeze_encoder",),
    "evaluation/test_thresholds.py": ("evaluation/kept_thresholds",),
    "evaluation/test_verify.py": ("evaluation/pair_verdict",),
    "networks/test_compact_graph.py": ("networks/merging",),
    "networks/test_frozen_graph.py": ("networks/freezing", "networks/graph_session"),
    "embedding/test_engines.py": ("embedding/engine_names",),
    "export/test_verify_export.py": ("export/exported_model", "export/loaded_model"),
    # The API is asked as a browser asks it.
    "serving/api/test_routes.py": (
        *("serving/api/access", "serving/api/app", "serving/api/explorer", "serving/api/exploring"),
        *("serving/api/forms", "serving/api/payloads", "serving/api/people"),
        *("serving/api/problems", "serving/api/questions", "serving/api/status"),
    ),
    "serving/api/test_service.py": ("serving/api/batching", "serving/api/server"),
    "serving/api/test_protection.py": ("serving/api/guard", "serving/api/keys"),
    "serving/client/test_calls.py": ("serving/client/grpc", "serving/client/rest"),
}
LISTED = {module: test for test, modules in THROUGH.items() for module in modules}
MODULES = sorted(
    path.relative_to(ROOT / "handnet").with_suffix("").as_posix()
    for path in (ROOT / "handnet").rglob("*.py")
    if path.name != "__init__.py"
)


def find_own_test(module: str) -> Path:
    """Return where a module's own test file is; `cli/_run` is tested by `cli/test_run`."""
    path = Path(module)
    return TESTS / path.parent / f"test_{path.name.strip('_')}.py"


def reach(test: Path) -> set[str]:
    """Return every module of handnet that a test file imports, or that is imported by one that it imports."""
    reached: set[str] = set()
    # Fixtures and helpers of the tests import for them.
    files = [test, *(folder / "conftest.py" for folder in test.parents if (folder / "conftest.py").is_file())]
    seen = set(files)
    waiting: list[str] = []
    while files:
        for name in find_imports(ast.parse(files.pop().read_text(encoding="utf-8")), at_start=False):
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                file = ROOT.joinpath(*parts[:end]).with_suffix(".py")
                if parts[0] == "tests" and file.is_file() and file not in seen:
                    seen.add(file)
                    files.append(file)
            waiting += [".".join(parts[:end]) for end in range(1, len(parts) + 1)] if parts[0] == "handnet" else []
    while waiting:
        name = waiting.pop()
        if name in reached or not is_module(name):
            continue
        reached.add(name)
        waiting += [other for other in list_imports(name) if other.startswith("handnet")]
    return reached


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_a_test_file_of_its_name(module: str) -> None:
    own = find_own_test(module)
    if module in LISTED:
        assert not own.exists(), f"{module} has {own.name} now: take it out of THROUGH"
    else:
        assert own.is_file(), f"write {own.relative_to(ROOT)}, or list {module} in THROUGH under the file that tests it"


@pytest.mark.parametrize("test", THROUGH)
def test_a_listed_test_file_reaches_the_modules_that_it_tests(test: str) -> None:
    assert set(THROUGH[test]) <= set(MODULES)
    if test == "cli/test_main.py":
        # It starts `python -m handnet`.
        return
    reached = reach(TESTS / test)
    assert {"handnet." + module.replace("/", ".") for module in THROUGH[test]} <= reached


def test_each_test_folder_is_that_of_a_package() -> None:
    """Helpers aside, every folder with tests has one of the same name in handnet."""
    folders = {path.parent.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    others = {folder.as_posix() for folder in folders if not (ROOT / "handnet" / folder).is_dir()}
    assert others == {"faults", "fuzz", "website"}


def test_no_two_files_share_a_name() -> None:
    """A newcomer who looks for a file opens the right one; a command's file alone is named as the command."""
    named = Counter(Path(module).name for module in MODULES if not module.startswith("cli/"))
    assert [name for name, count in named.items() if count > 1] == []
