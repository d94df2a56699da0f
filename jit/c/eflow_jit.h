/* The JIT from C and from whatever calls C (examples/060_c_kernel.py uses it by ctypes): add a kernel text,
 * define it, prepare specialisations, launch them. The library is libeflow_jit_c; docs/kernels is the manual.
 *
 *   eflow_jit* jit = eflow_jit_open(NULL);
 *   eflow_jit_add_text(jit, "acme/axpy.h", text);
 *   eflow_jit_define(jit, "axpy", "acme/axpy.h", "axpy<$t0, $c0>", 256);
 *   const eflow_kernel* kernel = eflow_jit_prepare(jit, "axpy<f32>(3)");
 *   eflow_jit_launch(kernel, blocks, 1, 1, &args, sizeof args, NULL);
 *
 * Functions that return int return 0, or 1 on failure; those that return a pointer return NULL on failure.
 * eflow_jit_error() then says why. Strings are copied. All functions may be called concurrently, but
 * eflow_jit_close() comes last. */
#ifndef EFLOW_JIT_C_EFLOW_JIT_H
#define EFLOW_JIT_C_EFLOW_JIT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EFLOW_JIT_API __attribute__((visibility("default")))

/** A Runtime, and a kernel that it can launch; the kernel is freed with it. */
typedef struct eflow_jit eflow_jit;
typedef struct eflow_kernel eflow_kernel;

/** Opens a device: "cpu", "cuda:0", "auto"; NULL for EFLOW_DEVICE. The other options are those of the
 * environment (docs/jit.md). */
EFLOW_JIT_API eflow_jit* eflow_jit_open(const char* device);
/** Closes it. NULL does nothing. */
EFLOW_JIT_API void eflow_jit_close(eflow_jit* jit);

/** The reason of this thread's last failure; valid until its next call. */
EFLOW_JIT_API const char* eflow_jit_error(void);

/** Adds a text under a path, by which other texts may include it. */
EFLOW_JIT_API int eflow_jit_add_text(eflow_jit* jit, const char* path, const char* text);
/** Defines the kernel `name`: the function of the text that `expression` names, in blocks of `threads`
 * threads on a GPU. */
EFLOW_JIT_API int eflow_jit_define(eflow_jit* jit, const char* name, const char* text,
                                   const char* expression, int threads);
/** Compiles a specialisation, or takes it from a cache: "axpy<f32>(3)", the dtypes for $t0, ... and the
 * constants for $c0, ... */
EFLOW_JIT_API const eflow_kernel* eflow_jit_prepare(eflow_jit* jit, const char* specialisation);

/** The types of the fields of the kernel's argument struct: "(const f32*, f32*, i64)", or "unknown"; valid as
 * long as the kernel. A launch, which is given bytes, checks only their number. */
EFLOW_JIT_API const char* eflow_jit_argument_types(const eflow_kernel* kernel);

/** Launches a grid of x * y * z blocks. `args` is the argument struct of the text, of `bytes` bytes. `stream`
 * is a CUstream of the device's primary context, NULL the stream that the eflow_jit works on, which is the
 * context's default stream; the CPU ignores it. A launch on the CPU returns when it is done, one on a GPU when
 * it is queued. */
EFLOW_JIT_API int eflow_jit_launch(const eflow_kernel* kernel, long long x, long long y,
                                   long long z, const void* args, size_t bytes, void* stream);
/** Waits for the work on the stream. */
EFLOW_JIT_API int eflow_jit_synchronize(eflow_jit* jit, void* stream);

#ifdef __cplusplus
}
#endif

#endif
