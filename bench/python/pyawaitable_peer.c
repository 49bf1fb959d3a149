// bench/python/pyawaitable_peer.c — coroutines made with PyAwaitable, as a peer.
// SPDX-License-Identifier: MIT
#include <Python.h>
#include <pyawaitable.h>

static PyObject* immediate_none(PyObject* self, PyObject* unused) {
    (void)self;
    (void)unused;
    return PyAwaitable_New();
}

static PyObject* immediate_value(PyObject* self, PyObject* unused) {
    (void)self;
    (void)unused;
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
    {"immediate_none", immediate_none, METH_NOARGS, NULL},
    {"immediate_value", immediate_value, METH_NOARGS, NULL},
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
