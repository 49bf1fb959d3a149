"""Those of raw_bench that take no argument, bound with METH_FASTCALL and not with METH_NOARGS.

From CPython 3.11 on the interpreter has an instruction that calls such a function directly.
"""

from raw_bench import fastcall_none as immediate_none
from raw_bench import fastcall_value as immediate_value

__all__ = ["immediate_none", "immediate_value"]
