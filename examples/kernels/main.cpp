// Runs the examples of this folder, or those that are named, on the CPU or (first argument
// --device=cuda) on a GPU: prints each one's error in f32 and bf16.
#include <cstdio>
#include <cstring>

#include "eflow/examples/kernels/example.hpp"

int main(int argc, char** argv) {
  using namespace examples;
  eflow::jit::Options options = eflow::jit::Options::from_environment();
  int first = 1;
  if (argc > 1 && std::strncmp(argv[1], "--device=", 9) == 0) options.device = argv[first++] + 9;
  const DevicePtr device = eflow::make_device(options);
  int wrong = 0, ran = 0;
  for (const Example& example : kExamples) {
    const bool named = std::any_of(argv + first, argv + argc, [&](const char* name) {
      return example.name == std::string(name);
    });
    if (!named && first < argc) continue;
    ++ran;
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      const double error = example.run(device, dtype);
      const bool right = error <= limit(dtype);
      std::printf("%-16s %-5s error %.1e%s\n", example.name, std::string(name_of(dtype)).c_str(),
                  error, right ? "" : "  WRONG");
      wrong += !right;
    }
  }
  if (ran == 0) std::fprintf(stderr, "no such example\n");
  return wrong > 0 || ran == 0 ? 1 : 0;
}
