"""Schemathesis on the OpenAPI schema: requests that the schema allows, and some that it does not, give no 5xx."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handnet.serving.api.app import build_app
from handnet.serving.api.service import Service
from tests.serving.api.hands import make_service
from tests.serving.api.site import Site

# Few, so that the whole takes seconds; SCHEMATHESIS_EXAMPLES=100 looks longer.
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "5"))
DESCRIPTION = build_app(Service({})).openapi()
OPERATIONS = [(path, method) for path, methods in DESCRIPTION["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = Path(tmp_path_factory.mktemp("service"))
    made = Site(make_service(folder, people=2, root=folder))
    yield made
    made.stop()


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_request_gives_a_server_error(site: Site, path: str, method: str, mode: str) -> None:
    # Here, since to import it takes seconds, and every process collects this file.
    schemathesis = pytest.importorskip(
        "schemathesis", reason="schemathesis is not installed: pip install 'handnet[dev]'"
    )
    import hypothesis

    operation = schemathesis.openapi.from_dict(DESCRIPTION)[path][method.upper()]
    chosen = schemathesis.GenerationMode.POSITIVE if mode == "positive" else schemathesis.GenerationMode.NEGATIVE

    @hypothesis.given(case=operation.as_strategy(generation_mode=chosen))
    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
    )
    def check(case: Any) -> None:
        if "collection" in case.path_parameters:
            case.path_parameters["collection"] = "hands"
        people = site.service.collections["hands"].gallery.list()
        if mode == "positive" and people and "person" in case.path_parameters:
            case.path_parameters["person"] = people[0].id
        response = case.call(base_url=site.address.rstrip("/"))
        case.validate_response(response, checks=[schemathesis.checks.not_a_server_error])
        if response.status_code >= 400:
            assert response.headers["content-type"][0] == "application/problem+json"

    try:
        check()
    except hypothesis.errors.Unsatisfiable:
        assert mode == "negative", "the schema allows no request at all"
