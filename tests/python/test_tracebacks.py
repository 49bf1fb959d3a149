"""Tracebacks through C++ coroutines: an entry for each level, as native coroutines have it."""

import asyncio
import itertools
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import native_tracebacks as native
import nb_bindings
import nb_threads
import pb_bindings
import pytest
import raw_tracebacks as cpp
from support import Boom, Iterator, Recorder, finish, generator_awaitable, outcome

Entry = tuple[str, str]
LANGUAGES = {"native": native, "cpp": cpp}

# Without an await before it, where C++ has raised is the function's own line: with g++ 12 that is the last one.
FUNCTION_LINES = ("first line", "last line")


def entries(error: BaseException | None) -> list[Entry]:
    """(function, comment of the line) of each entry of a traceback, outermost first, without those whose line has no
    comment: the test's own. The comment is in the source line that Python shows, so this proves the line too."""
    assert error is not None
    found = []
    for entry in traceback.extract_tb(error.__traceback__):
        _, _, comment = (entry.line or "").replace("//", "#").partition("# ")
        if comment:
            found.append((entry.name, "first line" if comment in FUNCTION_LINES else comment))
    return found


def raised(call: Callable[..., Any], *arguments: Any) -> Any:
    kind, error = outcome(call, *arguments)
    assert kind == "raised"
    return error


def of_first_step(coroutine: Any) -> list[Entry]:
    return entries(raised(coroutine.send, None))


def tower(bottom: Any, *languages: Any) -> Any:
    """What awaits what awaits ... `bottom`, the first language outermost."""
    for language in reversed(languages):
        bottom = language.passes(bottom)
    return bottom


def test_5_14_entries_are_those_of_native_coroutines_in_every_order() -> None:
    for levels in range(5):
        for languages in itertools.product(LANGUAGES.values(), repeat=levels + 1):
            *above, bottom = languages
            expected = [("passes", "await")] * levels
            assert of_first_step(tower(bottom.raises(Boom()), *above)) == [*expected, ("raises", "raised here")]
            coroutine = tower(bottom.yields(1), *above)
            assert coroutine.send(None) == 1
            assert entries(raised(coroutine.throw, Boom())) == [*expected, ("yields", "yield")]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("raises", lambda: [Boom()]),
        ("raises_unthrown", lambda: [Boom()]),
        ("raises_new", list),
        ("raises_second", lambda: [Iterator()]),
        ("calls", lambda: [lambda: finish(native.raises(Boom()))]),
        ("passes_nothrow", lambda: [native.raises(Boom())]),
        ("passes_nothrow", lambda: [cpp.raises(Boom())]),
        ("passes_outcome", lambda: [native.raises(Boom())]),
        ("passes_outcome", lambda: [cpp.passes_outcome(cpp.raises(Boom()))]),
        ("awaits_plain", lambda: [Boom()]),
        ("deep", lambda: [4, native.deep(3, cpp.deep(2, native.raises(Boom())))]),
        ("deep_nothrow", lambda: [4, native.deep(3, cpp.deep_nothrow(2, native.raises(Boom())))]),
        ("reraises", lambda: [native.raises(Boom())]),
        ("reraises", lambda: [cpp.reraises(cpp.raises(KeyboardInterrupt()))]),
        ("cleans_up", lambda: [native.raises(Boom()), Iterator()]),
        ("raises_from", lambda: [native.raises(Boom())]),
        ("raises", lambda: [GeneratorExit()]),
        ("raises", lambda: [asyncio.CancelledError()]),
    ],
)
def test_each_way_to_raise_is_as_in_python(name: str, arguments: Callable[[], list[Any]]) -> None:
    ours, theirs = (raised(getattr(language, name)(*arguments()).send, None) for language in (cpp, native))
    assert entries(ours) == entries(theirs) != []
    assert (ours.__cause__ is None) == (theirs.__cause__ is None)
    if ours.__cause__ is not None:
        assert entries(ours.__cause__) == entries(theirs.__cause__) != []


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
class TestBoth:
    def test_5_8_before_the_start_the_function_has_an_entry(self, language: Any) -> None:
        error = Boom()
        assert entries(raised(language.never_starts().throw, error)) == [("never_starts", "first line")]

    def test_5_13_entries_accumulate(self, language: Any) -> None:
        error = Boom()
        expected: list[Entry] = []
        for _ in range(3):
            coroutine = language.passes(language.yields(1))
            coroutine.send(None)
            assert raised(coroutine.throw, error) is error
            expected = [("passes", "await"), ("yields", "yield"), *expected]
            assert entries(error) == expected

    def test_an_instance_that_is_raised_again_by_what_is_awaited(self, language: Any) -> None:
        error = Boom()
        for inner in LANGUAGES.values():
            error.__traceback__ = None
            below: list[Entry] = [("raises", "raised here")]
            assert of_first_step(language.retries(lambda inner=inner: inner.raises(error))) == [
                *(("retries", "last"), *below, ("retries", "await"), *below, ("retries", "await"), *below)
            ]

    def test_a_handler_sees_the_entry_of_its_own_function(self, language: Any) -> None:
        error = Boom()
        assert finish(language.handles(native.raises(error))) is error
        assert entries(error) == [("handles", "await"), ("raises", "raised here")]
        coroutine = language.handles(cpp.yields(1))
        coroutine.send(None)
        assert outcome(coroutine.throw, error := Boom()) == ("returned", error)
        assert entries(error) == [("handles", "await"), ("yields", "yield")]

    def test_cleaning_up_meanwhile_adds_nothing(self, language: Any) -> None:
        coroutine = cpp.passes(language.cleans_up(native.raises(Boom()), Iterator(1)))
        assert coroutine.send(None) == 1
        assert of_first_step(coroutine) == [("passes", "await"), ("cleans_up", "await"), ("raises", "raised here")]

    def test_an_error_of_cleaning_up(self, language: Any) -> None:
        error = raised(language.cleans_up(native.raises(Boom()), cpp.raises(KeyError())).send, None)
        assert entries(error) == [("cleans_up", "cleanup"), ("raises", "raised here")]

    @pytest.mark.parametrize("inner", LANGUAGES.values(), ids=LANGUAGES)
    def test_throw_into_what_python_objects_await(self, language: Any, inner: Any) -> None:
        for awaited in (Iterator(1), Recorder(1), generator_awaitable(x for x in [1])):
            coroutine = language.passes(inner.passes(awaited))
            assert coroutine.send(None) == 1
            assert entries(raised(coroutine.throw, Boom())) == [("passes", "await")] * 2

    def test_an_error_of_closing_goes_up(self, language: Any) -> None:
        coroutine = native.passes(language.raises_below_when_closed(Iterator(1)))
        coroutine.send(None)
        assert entries(raised(coroutine.close)) == [
            ("passes", "await"),
            ("raises_below_when_closed", "outer"),
            ("raises_when_closed", "raised here"),
        ]

    def test_a_generator_exit_that_is_thrown_passes_the_outer_level_alone(self, language: Any) -> None:
        coroutine = language.passes(language.passes(language.yields(1)))
        coroutine.send(None)
        error = GeneratorExit()
        assert raised(coroutine.throw, error) is error
        assert entries(error) == [("passes", "await")]

    def test_4_1_only_the_cause_has_entries(self, language: Any) -> None:
        error = raised(language.raises(StopIteration()).send, None)
        assert type(error) is RuntimeError
        assert entries(error) == []
        assert entries(error.__cause__) == [("raises", "raised here")]

    def test_5_10_what_a_finished_coroutine_drops_gets_no_entry(self, language: Any) -> None:
        coroutine = language.passes(Iterator())
        finish(coroutine)
        error = Boom()
        assert entries(raised(coroutine.throw, error)) == []
        assert error.__traceback__ is None

    def test_misuse_has_no_entry_of_what_does_not_run(self, language: Any) -> None:
        coroutine = language.passes(Iterator(1))
        assert entries(raised(coroutine.send, 1)) == []
        coroutine.close()

    def test_5_22_what_is_not_raised_in_it_has_no_entry(self, language: Any) -> None:
        class Refusing(Iterator):
            @property
            def throw(self) -> Any:
                raise OSError

        coroutine = language.passes(Refusing(1))
        coroutine.send(None)
        assert entries(raised(coroutine.throw, Boom())) == []
        coroutine.close()

    def test_a_thousand_levels(self, language: Any) -> None:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(3000)
        try:
            error = raised(language.deep(1000, native.raises(Boom())).send, None)
        finally:
            sys.setrecursionlimit(limit)
        assert entries(error) == [("deep", "deeper")] * 999 + [("deep", "await"), ("raises", "raised here")]

    def test_a_task_keeps_it(self, language: Any) -> None:
        async def main() -> list[Entry]:
            future = asyncio.get_running_loop().create_future()
            task = asyncio.ensure_future(native.passes(language.passes(future)))
            await asyncio.sleep(0)
            future.set_exception(Boom())
            await asyncio.wait([task])
            return entries(task.exception())

        assert asyncio.run(main()) == [("passes", "await")] * 2


# ---- C++ exceptions ------------------------------------------------------------------------------

FAILS = [("fails", "await"), ("plain_fails", "first line")]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: cpp.fails(), FAILS),
        (lambda: native.passes(cpp.passes(native.passes(cpp.fails()))), [("passes", "await")] * 3 + FAILS),
        (lambda: cpp.fails_deep(3), [("fails_deep", "deeper")] * 2 + [("fails_deep", "fails"), *FAILS]),
        (lambda: cpp.fails_nothrow(3), [("fails_nothrow", "deeper")] * 2 + [("fails_nothrow", "fails"), *FAILS]),
        (lambda: cpp.fails_after(Iterator()), [("fails_after", "await")]),
        (lambda: cpp.calls_cpp(Iterator()), [("calls_cpp", "first")]),
        (lambda: cpp.reraises_failure(), [("reraises_failure", "await"), *FAILS]),
        (lambda: cpp.replaces_failure(), [("replaces_failure", "await")]),
        (lambda: cpp.passes_replaced(), [("passes_replaced", "outer"), ("replaces_failure", "await")]),
        (lambda: cpp.fails_later(Iterator()), [("fails_later", "await"), *FAILS]),
        (lambda: cpp.cannot_convert(Iterator()), [("returns_what_fails", "await")]),
    ],
)
def test_cpp_exceptions_have_an_entry_for_each_level(make: Callable[[], Any], expected: list[Entry]) -> None:
    assert of_first_step(make()) == expected


def test_a_cpp_exception_that_is_kept_over_a_suspension_begins_anew() -> None:
    coroutine = cpp.passes(cpp.fails_later(Iterator(1)))
    assert coroutine.send(None) == 1
    assert of_first_step(coroutine) == [("passes", "await"), ("fails_later", "cleanup")]


@pytest.mark.parametrize("bindings", [nb_bindings, pb_bindings], ids=["nanobind", "pybind11"])
def test_what_translators_make_has_them_too(bindings: Any) -> None:
    names = [entry.name for entry in traceback.extract_tb(raised(bindings.fail("translated").send, None).__traceback__)]
    assert names == ["outcome", "fail"]


def test_errors_of_threads_have_an_entry_where_they_arrive() -> None:
    for worker in (True, False):
        with pytest.raises(ValueError, match="refused") as caught:
            asyncio.run(nb_threads.passes_error(worker))
        assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "passes_error"


# ---- what is printed -----------------------------------------------------------------------------


def line_of(path: str, function: str, comment: str) -> int:
    """The first line with this comment after the head of a function."""
    lines = Path(path).read_text().splitlines()
    head = next(i for i, line in enumerate(lines) if re.search(rf" {function}\(", line))
    return 1 + next(i for i in range(head, len(lines)) if lines[i].endswith(comment))


def test_the_text_is_pythons() -> None:
    coroutine = native.passes(cpp.deep(2, native.passes(cpp.raises(Boom("text")))))
    text = "".join(traceback.format_exception(raised(coroutine.send, None)))
    lines = [line for line in text.splitlines() if not re.fullmatch(r"[ ~^]*", line)]  # marks differ between versions
    py, so = native.__file__ or "", str(Path(__file__).with_name("raw_tracebacks.cpp"))
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[3:] == [
        f'  File "{py}", line {line_of(py, "passes", "# await")}, in passes',
        "    return await awaited  # await",
        f'  File "{so}", line {line_of(so, "deep", "// deeper")}, in deep',
        "    co_return co_await deep(levels - 1, std::move(awaited)); // deeper",
        f'  File "{so}", line {line_of(so, "deep", "// await")}, in deep',
        "    co_return co_await py::await(std::move(awaited)); // await",
        f'  File "{py}", line {line_of(py, "passes", "# await")}, in passes',
        "    return await awaited  # await",
        f'  File "{so}", line {line_of(so, "raises", "// raised here")}, in raises',
        "    throw py::base_exception(std::move(error)); // raised here",
        "support.Boom: text",
    ]


def test_the_await_chain_of_cpp_names_what_python_awaits() -> None:
    source = str(Path(__file__).with_name("raw_tracebacks.cpp"))
    places = [f'File "{source}", line {line_of(source, "deep", f"// {comment}")}' for comment in ("deeper", "await")]
    leaves: list[tuple[Any, str]] = [
        (tower(Iterator(1), native), "coroutine passes"),
        (tower(Iterator(1), cpp), "coroutine passes"),
        (Iterator(1), "Iterator"),
    ]
    for awaited, name in leaves:
        *levels, leaf = cpp.await_chain_of(awaited).splitlines()
        assert [level.partition(", in ")[0] for level in levels] == places
        assert leaf == f"awaiting {name}"


def test_an_entry_has_no_variables_and_a_frame_at_its_line() -> None:
    error = raised(cpp.passes(native.raises(Boom())).send, None)
    entry = error.__traceback__.tb_next
    assert entry.tb_frame.f_code.co_name == "passes"
    assert entry.tb_lineno == entry.tb_frame.f_lineno
    assert entry.tb_frame.f_locals == {}
    assert entry.tb_frame.f_globals["__name__"] == "raw_tracebacks"
    assert entry.tb_frame.f_back is None
