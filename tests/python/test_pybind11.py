"""What <isthmus/pybind11.hpp> alone promises; test_bindings.py has what it shares with nanobind."""

import pb_bindings


def test_the_signature_shows_what_awaiting_gives() -> None:
    for function, result in (
        (pb_bindings.add, "int"),
        (pb_bindings.nothing, "None"),
        (pb_bindings.pass_through, "object"),
        (pb_bindings.await_vector, "list[int]"),
        (pb_bindings.Box.fetch, "int"),
    ):
        assert f"-> collections.abc.Coroutine[typing.Any, typing.Any, {result}]" in function.__doc__
    assert "-> collections.abc.Generator[typing.Any, typing.Any, str]" in pb_bindings.Box.__await__.__doc__
