// Packs on integers, NaN and single numbers, compiled once per instruction set and for an emulated
// GPU. Includes no standard header, as tile_matrix_cases.cpp.

#include "eflow/tests/kernels_src/pack_cases.h"

#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {
namespace {

template <class T>
void convert(Index count, const T* from, float* as_float, T* back) {
  each<float>(0, count, [&](auto i) {
    const Pack<float> x = load<float>(from, i);
    store(as_float, i, x);
    store(back, i, x + 1);
  });
}

template <class C>
void reduce(Index count, const float* numbers, double* out) {
  const auto value = [&](auto i) { return load<C>(numbers, i); };
  const C highest = max_each<C>(0, count, value), lowest = min_each<C>(0, count, value),
          sum = sum_each<C>(0, count, value);
  out[0] = static_cast<double>(highest);
  out[1] = static_cast<double>(lowest);
  out[2] = static_cast<double>(sum);
  each_row(0, 1, [&](Index, Team team) {
    const C t0 = team.template max<C>(0, count, value), t1 = team.template min<C>(0, count, value),
            t2 = team.template sum<C>(0, count, value);
    out[3] = static_cast<double>(t0);
    out[4] = static_cast<double>(t1);
    out[5] = static_cast<double>(t2);
  });
}

template <class C>
void functions(double* out) {
  const C x = C(0.5);
  out[0] = static_cast<double>(exp(x));
  out[1] = static_cast<double>(exp2(x));
  out[2] = static_cast<double>(tanh(x));
  out[3] = static_cast<double>(gelu(x));
}

void packs(const Block&, const PackCase& constant) {
  PackCase& a = const_cast<PackCase&>(constant);
  convert(a.count, a.i16, a.floats[0], a.i16_back);
  convert(a.count, a.u16, a.floats[1], a.u16_back);
  convert(a.count, a.i32, a.floats[2], a.i32_back);
  convert(a.count, a.u8, a.floats[3], a.u8_back);
  convert(a.count, reinterpret_cast<const bf16*>(a.bf16), a.bf16_floats,
          reinterpret_cast<bf16*>(a.bf16_back));
  reduce<float>(a.count, a.numbers, a.results);
  reduce<double>(a.count, a.numbers, a.results + 6);
  const auto ints = [&](auto i) { return load<i32>(a.i32, i); };
  a.i32_results[0] = max_each<i32>(0, a.count, ints);
  a.i32_results[1] = min_each<i32>(0, a.count, ints);
  const auto words = [&](auto i) { return load<u32>(a.u16, i); };
  a.u32_results[0] = max_each<u32>(0, a.count, words);
  a.u32_results[1] = min_each<u32>(0, a.count, words);
  functions<float>(a.functions);
  functions<double>(a.functions + 4);
}

void run_packs(const void* block, const void* args) {
  packs(*static_cast<const Block*>(block), *static_cast<const PackCase*>(args));
}

}  // namespace

extern const PackEntry kPackEntry;
const PackEntry kPackEntry = {"packs", run_packs};

}  // namespace EFLOW_TEXT
