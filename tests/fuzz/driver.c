/* The libFuzzer side of every fuzz target: starts Python, imports the target (a Cython module linked into this program)
 * and from then on calls its fuzz_one() with each input: no Python runs per input. An input that breaks a statement of
 * the target is a call of abort(). */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

PyMODINIT_FUNC JOIN(PyInit_, TARGET)(void);
int fuzz_one(const uint8_t *data, size_t n);
void __lsan_disable(void);
void __lsan_enable(void);

static void give_up(PyStatus status) {
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    PyConfig config;
    PyObject *target, *done;
    (void)argc;
    (void)argv;
    __lsan_disable(); /* Python keeps what it makes while it starts */
    if (PyImport_AppendInittab(TEXT(TARGET), JOIN(PyInit_, TARGET)) < 0)
        abort();
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0; /* libFuzzer has its own */
    give_up(PyConfig_SetBytesString(&config, &config.program_name, PYTHON)); /* for its site-packages */
    give_up(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
    target = PyImport_ImportModule(TEXT(TARGET));
    done = target ? PyObject_CallMethod(target, "prepare", NULL) : NULL;
    if (!done) {
        PyErr_Print();
        exit(1);
    }
    __lsan_enable();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) { return fuzz_one(data, n); }
