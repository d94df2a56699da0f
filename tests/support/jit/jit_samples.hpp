#pragma once
// Sample artifacts for cache tests: the n-th is deterministic and differs from all others.

#include <string>

#include "eflow/jit/kernel/artifact.hpp"

namespace eflow::test {

inline jit::BuildRequest sample_request(int n) {
  jit::BuildRequest r;
  r.name = "sample";
  r.spec = jit::KernelSpec("sample", {DType::kF32}, {n});
  r.target = {jit::Backend::kHost, "avx2"};
  r.program = "program";
  jit::TextClosure texts{"sample.h", {{"sample.h", std::string(200, 's')}}, {}};
  r.texts = std::make_shared<const jit::TextClosure>(std::move(texts));
  r.toolchain = "a compiler";
  r.options = {"-O3"};
  return r;
}

inline jit::Artifact sample_artifact(int n) {
  jit::Artifact a;
  a.request = sample_request(n).canonical_bytes();
  a.key = jit::key_of(a.request);
  a.image = std::string(1000, static_cast<char>('a' + n % 26)) + std::to_string(n + 100);
  a.resources = {.registers = 32, .spill_stores = 1, .spill_loads = 2, .stack = 3, .shared = 4};
  a.seconds = 0.25;
  a.made = 1'700'000'000 + n;
  a.log = "a log";
  return a;
}

}  // namespace eflow::test
