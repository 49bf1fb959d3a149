"""Which of CPython's tests are run with a pass-through around their coroutines."""

from collections.abc import Iterator
from dataclasses import dataclass

Version = tuple[int, int]


@dataclass(frozen=True)
class Suite:
    """One module of CPython's tests, by one of the harness's methods. Those that are `short` run in `make test`."""

    module: str
    method: str = "rewrite"
    only: tuple[str, ...] = ("*",)  # patterns of Class.test_name
    since: Version = (3, 11)
    in_3_11: str | None = None  # the module's name there
    short: bool = True

    def name(self, version: Version) -> str:
        return self.in_3_11 or self.module if version == (3, 11) else self.module

    @property
    def key(self) -> str:
        short = self.module.removeprefix("test.")
        return short if self.method == "rewrite" else f"{short}, {self.method}"


def suites() -> Iterator[Suite]:
    # The longest first, so that none of them is left for the end.
    yield Suite("test.test_asyncio.test_tasks")
    for name in "test_subprocess test_events test_sslproto test_sock_lowlevel test_sendfile".split():
        yield Suite("test.test_asyncio." + name, short=False)
    yield Suite("test.test_asyncio.test_taskgroups")
    yield Suite("test.test_coroutines")
    for name in (
        "test_base_events test_futures test_locks test_streams test_timeouts test_queues test_runners test_unix_events "
        "test_server test_pep492 test_futures2 test_threads test_buffered_proto test_waitfor"
    ).split():
        yield Suite("test.test_asyncio." + name)
    for name in "test_eager_task_factory test_context".split():
        yield Suite("test.test_asyncio." + name, since=(3, 12))
    yield Suite("test.test_asyncio.test_staggered", since=(3, 13))
    for name in "test_graph test_free_threading".split():
        yield Suite("test.test_asyncio." + name, since=(3, 14))
    yield Suite("test.test_contextlib_async")
    yield Suite("test.test_asyncgen")
    yield Suite("test.test_unittest.test_async_case", in_3_11="unittest.test.test_async_case")
    yield Suite("test.test_unittest.testmock.testasync", in_3_11="unittest.test.testmock.testasync")
    yield Suite("test.test_types", only=("CoroutineTests.*",))
    yield Suite("test.test_inspect.test_inspect", only=("TestGetCoroutineState.*", "TestPredicates.*"))
    yield Suite("test.test_collections", only=("TestOneTrickPonyABCs.*",))
    yield Suite("test.test_typing", only=("CollectionsAbcTests.*",))
    yield Suite("test.test_grammar", only=("GrammarTests.test_async_*",))
    yield Suite("test.test_generators", only=("GeneratorTest.*",))
    for name in "test_tasks test_taskgroups test_timeouts test_locks test_queues".split():
        yield Suite("test.test_asyncio." + name, method="funnel", short=False)
