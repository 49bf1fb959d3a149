"""Several extension modules in one interpreter, and several interpreters in one process."""

import gc

import native
import nb_bindings
import pb_bindings
import pytest
import raw_isolation
import raw_isolation_twin
import raw_protocol
from support import VERSION, Boom, Recorder, outcome, run_python

# ---- several modules -----------------------------------------------------------------------------


def test_modules_share_the_types() -> None:
    modules = (raw_isolation, raw_isolation_twin, nb_bindings, pb_bindings)
    made = [raw_protocol.value(1), *(module.pass_through(1) for module in modules)]
    assert {type(coroutine) for coroutine in made} == {type(made[0])}
    assert len({type(coroutine.__await__()) for coroutine in made}) == 1
    for coroutine in made:
        coroutine.close()


def test_13_3_a_chain_across_modules_is_one_chain() -> None:
    """Deeper than any recursion, resumed at its leaf, whose awaited object is that of the outermost."""
    for levels in (1, 2, 100_000):
        awaited = Recorder(1, 2, result="end")
        coroutine = raw_isolation.build(levels, raw_isolation_twin.share(), awaited)
        assert coroutine.send(None) == 1
        assert gc.get_referents(coroutine) == [type(coroutine), awaited]
        assert coroutine.send("value") == 2
        assert awaited.calls == [("next",), ("send", "value")]
        assert outcome(coroutine.send, None) == ("returned", "end")


def test_a_chain_across_modules_ends_as_one() -> None:
    error = Boom()
    for end, result, call in (
        (lambda c: c.throw(error), ("raised", error), ("throw", error)),
        (lambda c: c.close(), ("yielded", None), ("close",)),
        (lambda c: c.__del__(), ("yielded", None), ("close",)),
    ):
        awaited = Recorder(1)
        coroutine = raw_isolation.build(1001, raw_isolation_twin.share(), awaited)
        coroutine.send(None)
        assert outcome(end, coroutine) == result
        assert awaited.calls == [("next",), call]


def test_through_python_objects_all_is_the_same() -> None:
    """A coroutine object is awaited as the interpreter awaits it, of whichever module it is."""
    awaited = Recorder(1, 2, result="end")
    inner = raw_isolation_twin.pass_through(awaited)
    outer = raw_isolation.pass_through(native.pass_through(raw_protocol.pass_through(inner)))
    assert outer.send(None) == 1
    assert gc.get_referents(inner) == [type(inner), awaited]
    with pytest.raises(RuntimeError, match="coroutine is being awaited already"):
        raw_isolation.pass_through(inner).send(None)
    assert outer.send("value") == 2
    assert outcome(outer.send, None) == ("returned", "end")
    assert outcome(inner.send, None)[0] == "raised"


# ---- several interpreters ------------------------------------------------------------------------

INTERPRETERS = """
import sys, threading
try:
    import _interpreters
    create = lambda: _interpreters.create("isolated")
except ImportError:
    import _xxsubinterpreters as _interpreters
    create = _interpreters.create

def execute(interpreter, code):
    failed = _interpreters.run_string(interpreter, code)
    assert not failed, failed.formatted

# An interpreter must have imported `threading` on the main thread before another one runs it, or 3.12 hangs at its end.
# And 3.11 runs it with a thread state of the main thread.
def together(*calls):
    if sys.version_info < (3, 12):
        for call in calls:
            call()
        return
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""

INSIDE = """
import sys
if sys.version_info[:2] == (3, 12):  # where these two corrupt the heap when several interpreters have them
    sys.modules["_asyncio"] = sys.modules["ssl"] = None
import asyncio, gc, os, sys, weakref
import native, raw_isolation, raw_isolation_twin, raw_lifetime, raw_protocol as raw
from support import *

class Thing:
    pass

async def work(rounds):
    for i in range(rounds):
        log = []
        c = raw.guarded(raw.deep(3, raw.pass_through(native.yields([i, 1]))), log)
        assert c.send(None) == i
        c.__name__ = "name"
        error = outcome(c.throw, Boom())[1]
        assert type(error) is Boom and log == GUARDS
        c = raw.guarded(awaited := Recorder(1), log)
        c.send(None)
        awaited.me = c
        assert await raw.pass_through(asyncio.sleep(0, i)) == i
        assert finish(raw_isolation.build(10, raw_isolation_twin.share(), Iterator(1, result=i))) == i
    gc.collect()
    return i
"""


def interpreters(code: str) -> str:
    """Runs a program that can make interpreters, with GILs of their own where there are such; what it printed."""
    prelude = f"INSIDE = {INSIDE!r}\n{INTERPRETERS}"
    # 3.14 warns if an interpreter is left to the exit.
    result = run_python(prelude + code, "-W", "ignore:remaining subinterpreters:RuntimeWarning")
    assert result.stderr == "", result.stderr
    return result.stdout


def test_each_interpreter_has_its_own_types() -> None:
    printed = interpreters('''
look = INSIDE + """
c = raw.nothing()
c.close()
print(id(type(c)), id(type(c.__await__())), flush=True)
"""
kept = [create() for i in range(3)]
for i in kept:
    execute(i, look)
exec(look)
''')
    assert len(set(printed.split())) == 8


def test_interpreters_at_the_same_time() -> None:
    printed = interpreters("""
exec(INSIDE)
interpreters = [create() for _ in range(4)]
for i in interpreters:
    execute(i, INSIDE)
code = "os.write(1, b'%d ' % asyncio.run(work(300)))"
together(*(lambda i=i: execute(i, code) for i in interpreters), lambda: exec(code))
""")
    assert printed.split() == ["299"] * 5


def test_interpreters_that_come_and_go() -> None:
    printed = interpreters("""
exec(INSIDE)
for _ in range(5):
    one = create()
    execute(one, INSIDE + "print(asyncio.run(work(2)), flush=True)")
    _interpreters.destroy(one)
    assert asyncio.run(work(2)) == 1
""")
    assert printed.split() == ["1"] * 5


LEFT_TO_THE_EXIT = pytest.mark.skipif(
    VERSION < (3, 12),
    reason="CPython 3.11 ends the main thread when it runs Python code of an interpreter that is left",
)


@pytest.mark.parametrize("destroy", [True, pytest.param(False, marks=LEFT_TO_THE_EXIT)])
def test_an_interpreter_ends_with_suspended_coroutines(destroy: bool) -> None:
    """They are closed, and the module's statics belong to no interpreter."""
    printed = interpreters(f"""
exec(INSIDE)
one = create()
execute(one, INSIDE + '''
class Printer(Recorder):
    def close(self):
        os.write(1, b"closed ")

kept = [raw.pass_through(Printer(1)), raw.deep(3, Printer(1)), raw.pass_through(native.pass_through(Printer(1)))]
kept.append(raw_isolation.build(10, raw_isolation_twin.share(), Printer(1)))
for c in kept:
    c.send(None)
awaited = Printer(1)
awaited.me = raw.pass_through(awaited)
awaited.me.send(None)
del awaited
''')
c = raw.pass_through(native.yields([1, 2]))
c.send(None)
if {destroy}:
    _interpreters.destroy(one)
assert c.send(None) == 2
assert finish(raw.value(1)) == 1
""")
    assert printed.split() == ["closed"] * 5


def test_what_dies_unattached_is_never_dropped_in_another_interpreter() -> None:
    """It is leaked, as soon as there are several."""
    interpreters("""
exec(INSIDE)
drop = '''
things = [Thing() for _ in range(10)]
before = [sys.getrefcount(thing) for thing in things]
for thing in things:
    raw_lifetime.drop_elsewhere(thing)
del thing
'''
enter = "for i in range(10): finish(raw.value(i))"
check = "after = [sys.getrefcount(thing) - 1 for thing in things]; assert after == before, (before, after)"
one = create()
execute(one, INSIDE)
for code in (drop, enter):
    exec(code)
    execute(one, code)
for code in (check, enter, check):
    exec(code)
    execute(one, code)
_interpreters.destroy(one)
exec(enter)
exec(check)
""")


def test_threads_of_several_interpreters() -> None:
    """The pool of one that ends is its own."""
    printed = interpreters("""
exec(INSIDE)
code = '''
async def squares():
    return await asyncio.gather(*[raw_isolation.square(i) for i in range(20)])

assert asyncio.run(squares()) == [i * i for i in range(20)]
os.write(1, b"done ")
'''
first, second = create(), create()
execute(first, INSIDE)
execute(second, INSIDE)
together(lambda: execute(first, code), lambda: execute(second, code), lambda: exec(code, globals()))
_interpreters.destroy(first)
together(lambda: execute(second, code), lambda: exec(code, globals()))
_interpreters.destroy(second)
exec(code)
""")
    assert printed.split() == ["done"] * 6
