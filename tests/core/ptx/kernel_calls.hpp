#pragma once
// Calls that launch built-in kernels which no op's samples reach, each against the same call on the
// CPU.

#include <functional>
#include <string>
#include <vector>

#include "eflow/core/tensor/device_ptr.hpp"

namespace eflow::test {

struct KernelCall {
  std::string name;
  /// Runs it on the device and on the CPU, and compares them with Boost.Test.
  std::function<void(const DevicePtr&)> check;
};

[[nodiscard]] std::vector<KernelCall> kernel_calls();

}  // namespace eflow::test
