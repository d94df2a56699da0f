#pragma once
// Checked texts (EFLOW_CHECK=on) for the CPU. The compiler inserts a call before every access to
// memory and at undefined behaviour, as it does for the sanitizers, but the functions called are
// these: they pass the question on to jit/host/checked_text.cpp. No sanitizer's runtime is needed,
// so a checked text runs in any process.

/// The host's answers, of the same layout as jit/host/checked_text.hpp. Those that find an error do
/// not return.
struct EflowChecks {
  /// A read (writes = 0) or write of `bytes` bytes at p.
  void (*access)(const void* p, unsigned long long bytes, int writes);
  /// A tile begins at p in the scratch memory; what was at p or behind it is no longer used.
  void (*tile)(void* p, long long bytes);
  void (*undefined)(const char* what, const char* file, unsigned line);
  void (*require)(const char* message);
  /// Parts of one line, and its end.
  void (*say_text)(const char* text);
  void (*say_number)(double x);
  void (*say_integer)(long long x);
  void (*say_end)(const void* block);
};

#define EFLOW_UNCHECKED __attribute__((used, no_sanitize_address, no_sanitize_undefined))

extern "C" {
__attribute__((visibility("default"))) const EflowChecks* eflow_checks = nullptr;

// With the parameters that g++ expects.
#define EFLOW_ACCESS(bytes)                                     \
  EFLOW_UNCHECKED void __asan_load##bytes##_noabort(void* p) {  \
    eflow_checks->access(p, bytes, 0);                          \
  }                                                             \
  EFLOW_UNCHECKED void __asan_store##bytes##_noabort(void* p) { \
    eflow_checks->access(p, bytes, 1);                          \
  }
EFLOW_ACCESS(1)
EFLOW_ACCESS(2)
EFLOW_ACCESS(4)
EFLOW_ACCESS(8)
EFLOW_ACCESS(16)
#undef EFLOW_ACCESS
EFLOW_UNCHECKED void __asan_loadN_noabort(void* p, long bytes) {
  eflow_checks->access(p, static_cast<unsigned long long>(bytes), 0);
}
EFLOW_UNCHECKED void __asan_storeN_noabort(void* p, long bytes) {
  eflow_checks->access(p, static_cast<unsigned long long>(bytes), 1);
}
__attribute__((used, no_sanitize_address)) void __asan_handle_no_return() {}

/// The beginning of every handler's first argument: the place in the source.
struct EflowPlace {
  const char* file;
  unsigned line, column;
};
#define EFLOW_UNDEFINED(handler, what, ...)                                         \
  EFLOW_UNCHECKED void __ubsan_handle_##handler##_abort(void* place, __VA_ARGS__) { \
    const auto* const p = static_cast<const EflowPlace*>(place);                    \
    eflow_checks->undefined(what, p->file, p->line);                                \
    __builtin_unreachable();                                                        \
  }
EFLOW_UNDEFINED(add_overflow, "a signed addition overflows", void*, void*)
EFLOW_UNDEFINED(sub_overflow, "a signed subtraction overflows", void*, void*)
EFLOW_UNDEFINED(mul_overflow, "a signed multiplication overflows", void*, void*)
EFLOW_UNDEFINED(negate_overflow, "a signed negation overflows", void*)
EFLOW_UNDEFINED(divrem_overflow, "a division by zero, or one that overflows", void*, void*)
EFLOW_UNDEFINED(shift_out_of_bounds, "a shift by a negative or too large number", void*, void*)
EFLOW_UNDEFINED(out_of_bounds, "an index is outside of its array", void*)
EFLOW_UNDEFINED(type_mismatch_v1, "a pointer is null or misaligned for its type", void*)
#undef EFLOW_UNDEFINED
}
