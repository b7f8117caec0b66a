"""Budgets that keep files readable at one sitting and functions at one glance."""

from statistics import median, quantiles

from tests.architecture import source

LONGEST_FILE, NINE_OF_TEN_FILES = 400, 200
LONGEST_FUNCTION, HALF_OF_FUNCTIONS, LONGEST_DOOR = 50, 8, 15
METHODS = (".get(", ".post(", ".put(", ".patch(", ".delete(")


def lengths():
    return {name: len(source.read(name).splitlines()) for name in source.modules()}


def test_no_file_is_longer_than_the_budget():
    long = {name: lines for name, lines in lengths().items() if lines > LONGEST_FILE}
    assert not long


def test_nine_of_ten_files_are_short():
    assert quantiles(lengths().values(), n=10)[-1] <= NINE_OF_TEN_FILES


def test_no_function_is_longer_than_the_budget():
    long = {item.place: item.lines for item in source.functions() if item.lines > LONGEST_FUNCTION}
    assert not long


def test_half_of_the_functions_are_a_few_lines():
    assert median(item.lines for item in source.functions()) <= HALF_OF_FUNCTIONS


def test_routes_are_shallow():
    long = {
        item.place: item.body
        for item in source.functions()
        if item.place.startswith("app/api/")
        and any(method in decorator for decorator in item.decorators for method in METHODS)
        and item.body > LONGEST_DOOR
    }
    assert not long
