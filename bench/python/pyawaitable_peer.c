// bench/python/pyawaitable_peer.c — coroutines made with PyAwaitable, as a peer.
// SPDX-License-Identifier: MIT
#include <Python.h>
#include <pyawaitable.h>

static int takes_none(Py_ssize_t count) {
    if (count != 0) {
        PyErr_Format(PyExc_TypeError, "this function takes no arguments (%zd given)", count);
    }
    return count == 0;
}

static PyObject* immediate_none(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
    (void)self;
    (void)arguments;
    return takes_none(count) ? PyAwaitable_New() : NULL;
}

static PyObject* immediate_value(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
    (void)self;
    (void)arguments;
    if (!takes_none(count)) {
        return NULL;
    }
    PyObject* made = PyAwaitable_New();
    PyObject* value = PyLong_FromLong(1000);
    if (made == NULL || value == NULL || PyAwaitable_SetResult(made, value) < 0) {
        Py_CLEAR(made);
    }
    Py_XDECREF(value);
    return made;
}

static int pass_on(PyObject* awaitable, PyObject* result) { return PyAwaitable_SetResult(awaitable, result); }

static PyObject* pass_through(PyObject* self, PyObject* awaited) {
    (void)self;
    PyObject* made = PyAwaitable_New();
    if (made != NULL && PyAwaitable_AddAwait(made, awaited, pass_on, NULL) < 0) {
        Py_CLEAR(made);
    }
    return made;
}

static PyMethodDef functions[] = {
    {"immediate_none", (PyCFunction)(void (*)(void))immediate_none, METH_FASTCALL, NULL},
    {"immediate_value", (PyCFunction)(void (*)(void))immediate_value, METH_FASTCALL, NULL},
    {"pass_through", pass_through, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "pyawaitable_peer", .m_size = -1,
                                 .m_methods = functions};

PyMODINIT_FUNC PyInit_pyawaitable_peer(void) {
    PyObject* module = PyModule_Create(&definition);
    if (module != NULL && PyAwaitable_Init() < 0) {
        Py_CLEAR(module);
    }
    return module;
}
