"""What a job is for, in words."""

import pytest

from app.domain.job import JobKind, purpose


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (JobKind.PROVISION, "provision of shop"),
        (JobKind.ACTIVATE, "activation of shop"),
        (JobKind.DEACTIVATE, "deactivation of shop"),
        (JobKind.TERMINATE, "termination of shop"),
        (JobKind.ROUTE, "route of shop"),
        (JobKind.INSPECT, "inspection of shop"),
    ],
)
def test_each_kind_has_its_noun(kind, words):
    assert purpose(kind, instance="shop", host="alpha", revision=None) == words


def test_the_app_servers_are_named():
    names = ("AppServer 2", "AppServer 3")
    told = purpose(JobKind.ACTIVATE, instance="shop", host="alpha", revision=None, names=names)
    assert told == "activation of shop: AppServer 2, AppServer 3"
