"""What Python's tools see of a C++ coroutine: attributes, code objects, frames. Clauses 1, 8, 9, 16, 18, 19 and 20."""

import inspect
import weakref

import pytest
import raw_introspection

FRAMES_LINE = raw_introspection.frames(0)[1].f_lineno
"""Of the call of std::source_location::current() in frames()."""


@pytest.mark.parametrize("distance", [0, 1, 31, 32, 1000, 100_000, -1, -10])
def test_a_frame_has_the_line_it_is_made_for(distance: int) -> None:
    there, first = raw_introspection.frames(FRAMES_LINE + distance)
    assert there.f_lineno == FRAMES_LINE + distance
    assert there.f_code.co_firstlineno == FRAMES_LINE
    assert {line for _, _, line in there.f_code.co_lines()} == {there.f_lineno}
    assert (first.f_lineno, first.f_code.co_firstlineno) == (FRAMES_LINE, FRAMES_LINE)
    assert there.f_back is None
    assert there.f_locals == {}
    assert there.f_globals["__name__"] == "isthmus"


def test_the_code_of_a_place_has_its_names_and_is_made_once() -> None:
    code = raw_introspection.frames(0)[0].f_code
    assert code.co_name == code.co_qualname == "frames"
    assert code.co_filename.endswith("raw_introspection.cpp")
    assert code.co_flags & inspect.CO_COROUTINE
    assert not code.co_flags & inspect.CO_GENERATOR
    assert raw_introspection.frames(0)[1].f_code is code
    assert raw_introspection.frames(FRAMES_LINE + 1)[0].f_code is not code


def test_code_objects_that_nobody_uses_are_given_up() -> None:
    code = weakref.ref(raw_introspection.frames(1)[0].f_code)
    assert code() is not None
    for line in range(2, 10_000):
        raw_introspection.frames(line)
    assert code() is None
    assert raw_introspection.frames(1)[0].f_lineno == 1
