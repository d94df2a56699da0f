#pragma once
// Shared by the table files of this folder: turns the function of a kernel text into a row of the
// built-in table. Each table file is compiled once per instruction set, with EFLOW_TEXT naming its
// namespace (jit/CMakeLists.txt).

#include "eflow/jit/kernel/builtin_entry.hpp"
#include "eflow/kernels_src/tile/base/argument_types.h"
#include "eflow/kernels_src/tile/base/types.h"

namespace EFLOW_TEXT {
#if !defined(EFLOW_GPU)  // a GPU's Block is the beginning of it
static_assert(sizeof(Block) == sizeof(eflow::jit::HostBlock));
#endif
template <class Args>
Args args_of(void (*)(const Block&, const Args&));

template <auto kText>
void run_text(const void* block, const void* args) {
  using Args = decltype(args_of(kText));
#if defined(EFLOW_ENTER_BLOCK)
  EFLOW_ENTER_BLOCK
#endif
  kText(*static_cast<const Block*>(block), *static_cast<const Args*>(args));
}

template <class Args>
constexpr std::size_t args_bytes(void (*)(const Block&, const Args&)) {
  return sizeof(Args);
}

template <class Args>
inline constexpr ArgumentTypes kTypesOf = argument_types<Args>();
template <class Args>
constexpr const void* types_of(void (*)(const Block&, const Args&)) {
  return &kTypesOf<Args>;
}

template <class T>
inline constexpr eflow::DType kDTypeOf = eflow::DType::kF32;
template <>
inline constexpr eflow::DType kDTypeOf<double> = eflow::DType::kF64;
template <>
inline constexpr eflow::DType kDTypeOf<bf16> = eflow::DType::kBF16;
template <>
inline constexpr eflow::DType kDTypeOf<i32> = eflow::DType::kI32;
template <>
inline constexpr eflow::DType kDTypeOf<i64> = eflow::DType::kI64;
template <>
inline constexpr eflow::DType kDTypeOf<u8> = eflow::DType::kU8;

}  // namespace EFLOW_TEXT

/// EFLOW_ENTRY(name, ({dtypes}), ({constants}), specialisation). The specialisation comes last
/// because it may contain commas.
#define EFLOW_UNWRAP(...) __VA_ARGS__
#define EFLOW_ENTRY(name, types, constants, ...)                                                  \
  eflow::jit::BuiltinEntry {                                                                      \
    eflow::jit::KernelSpec(name, EFLOW_UNWRAP types, EFLOW_UNWRAP constants), name, #__VA_ARGS__, \
        &run_text<&__VA_ARGS__>, EFLOW_TEXT_FILE, args_bytes(&__VA_ARGS__), 0,                    \
        types_of(&__VA_ARGS__)                                                                    \
  }

/// One entry per floating-point type.
#define EFLOW_ENTRY_FLOATS(name, constants, text)                       \
  EFLOW_ENTRY(name, ({kDTypeOf<float>}), constants, text<float>),       \
      EFLOW_ENTRY(name, ({kDTypeOf<double>}), constants, text<double>), \
      EFLOW_ENTRY(name, ({kDTypeOf<bf16>}), constants, text<bf16>)
