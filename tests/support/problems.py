"""What every refusal of the API must look like."""

from app.domain.problem import CODES

REQUIRED = {"type", "title", "status", "detail", "instance", "code", "docs", "request_id"}


def check_problem(response, status, code=None):
    """A well-formed problem document with that status; returns it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem.keys() >= REQUIRED
    assert problem["status"] == status
    assert problem["code"] in CODES
    assert problem["request_id"] == response.headers["x-request-id"]
    assert code is None or problem["code"] == code
    return problem


def pointers(response):
    """Where the body is wrong."""
    return [error["pointer"] for error in check_problem(response, 422)["errors"]]
