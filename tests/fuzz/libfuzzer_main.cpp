// The entry point that libFuzzer calls.
#include <cstddef>
#include <cstdint>

#include "eflow/core/base/log.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
  eflow::set_log_sink({});
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  eflow::fuzz::read_or_refuse({reinterpret_cast<const char*>(data), size});
  return 0;
}
