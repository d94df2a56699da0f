#include "eflow/jit/c/eflow_jit.h"

#include <deque>
#include <mutex>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/runtime.hpp"

using namespace eflow;

struct eflow_kernel {
  jit::Runtime& runtime;
  jit::KernelRef ref;
  std::string argument_types;
};
struct eflow_jit {
  jit::Runtime runtime;
  std::mutex mutex;
  std::deque<eflow_kernel> kernels;  // whose addresses callers have
};

namespace {

thread_local std::string last_error;

/// f(), or `failed` and its reason.
template <class T, class F>
T guard(T failed, F&& f) {
  try {
    return f();
  } catch (const std::exception& e) {
    last_error = e.what();
  } catch (...) {
    last_error = "an unknown error";
  }
  return failed;
}

const char* given(const char* text, const char* name) {
  if (text == nullptr) throw InvalidArgument(str(name, " is NULL"));
  return text;
}
template <class T>
T& given(T* object) {
  if (object == nullptr) throw InvalidArgument("the eflow_jit or eflow_kernel is NULL");
  return *object;
}

}  // namespace

eflow_jit* eflow_jit_open(const char* device) {
  return guard<eflow_jit*>(nullptr, [&] {
    jit::Options options = jit::Options::from_environment();
    if (device != nullptr) options.device = device;
    return new eflow_jit{jit::Runtime(options), {}, {}};
  });
}
void eflow_jit_close(eflow_jit* jit) {
  delete jit;
}
const char* eflow_jit_error(void) {
  return last_error.c_str();
}

int eflow_jit_add_text(eflow_jit* jit, const char* path, const char* text) {
  return guard(1, [&] {
    given(jit).runtime.add_text(given(path, "path"), given(text, "text"));
    return 0;
  });
}

int eflow_jit_define(eflow_jit* jit, const char* name, const char* text, const char* expression,
                     int threads) {
  return guard(1, [&] {
    given(jit).runtime.define({.name = given(name, "name"),
                               .text = given(text, "text"),
                               .expression = given(expression, "expression"),
                               .threads = threads});
    return 0;
  });
}

const eflow_kernel* eflow_jit_prepare(eflow_jit* jit, const char* specialisation) {
  return guard<const eflow_kernel*>(nullptr, [&] {
    const jit::KernelRef ref = jit::parse_kernel(given(specialisation, "specialisation"));
    const jit::Prepared made = given(jit).runtime.prepare({ref})[0];
    if (!made.ok()) throw CompileError(made.error);
    const std::lock_guard lock(jit->mutex);
    return &jit->kernels.emplace_back(
        eflow_kernel{jit->runtime, ref, jit::to_string(jit->runtime.argument_types(ref.spec))});
  });
}

const char* eflow_jit_argument_types(const eflow_kernel* kernel) {
  return guard<const char*>(nullptr, [&] { return given(kernel).argument_types.c_str(); });
}

int eflow_jit_launch(const eflow_kernel* kernel, long long x, long long y, long long z,
                     const void* args, size_t bytes, void* stream) {
  return guard(1, [&] {
    const eflow_kernel& k = given(kernel);
    if (args == nullptr || x < 0 || y < 0 || z < 0)
      throw InvalidArgument(str("launch of ", k.ref.name, " on a grid of ", x, " x ", y, " x ", z,
                                args == nullptr ? " without arguments" : ""));
    k.runtime.launch_bytes(k.ref.name, k.ref.spec, {.x = x, .y = y, .z = z}, args, bytes, {stream});
    return 0;
  });
}
int eflow_jit_synchronize(eflow_jit* jit, void* stream) {
  return guard(1, [&] {
    given(jit).runtime.synchronize({stream});
    return 0;
  });
}
