#pragma once
// Inputs of the words of vocabulary_words.h, what each must compute (in f64, by the definition), and
// a check of them on a target.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/kernels_src/philox.h"
#include "eflow/tests/kernels_src/vocabulary_words.h"
#include "eflow/tests/support/half.hpp"

namespace eflow::test {

/// A stored type of the vocabulary.
struct VocabularyType {
  std::string name;   ///< in texts
  std::string title;  ///< in tables
  std::size_t bytes = 0;
  bool floating = false, is_signed = true;
  bool tiles = false, products = false;  ///< has tiles and sums; has products
  double (*value)(const void* memory, std::size_t i) = nullptr;
  std::function<void(void* memory, std::size_t i, double x)> put = {};
  [[nodiscard]] std::size_t compute_bytes() const { return floating && bytes < 8 ? 4 : bytes; }
};

template <class T>
double stored_value(const void* memory, std::size_t i) {
  return static_cast<double>(static_cast<const T*>(memory)[i]);
}
template <class T>
void put_value(void* memory, std::size_t i, double x) {
  static_cast<T*>(memory)[i] = static_cast<T>(x);
}
inline double bf16_number(const void* memory, std::size_t i) {
  const std::uint32_t bits = std::uint32_t{static_cast<const std::uint16_t*>(memory)[i]} << 16;
  float x = 0;
  std::memcpy(&x, &bits, sizeof x);
  return static_cast<double>(x);
}
/// Stores a number that the type holds exactly: the bits whose value it is.
template <class Bits>
std::function<void(void*, std::size_t, double)> put_by(double (*value)(const void*, std::size_t)) {
  std::map<double, Bits> bits_of;
  for (unsigned b = 0; b < 1u << (8 * sizeof(Bits)); ++b) {
    const Bits bits = static_cast<Bits>(b);
    if (const double v = value(&bits, 0); v == v) bits_of.emplace(v, bits);
  }
  return [bits_of](void* memory, std::size_t i, double x) {
    static_cast<Bits*>(memory)[i] = bits_of.at(x);
  };
}

inline const std::vector<VocabularyType>& vocabulary_types() {
  const auto f16 = [](const void* m, std::size_t i) {
    return static_cast<double>(f16_value(static_cast<const std::uint16_t*>(m)[i]));
  };
  const auto e4m3 = [](const void* m, std::size_t i) {
    return small_float_value(static_cast<const std::uint8_t*>(m)[i], 4, 3, false);
  };
  const auto e5m2 = [](const void* m, std::size_t i) {
    return small_float_value(static_cast<const std::uint8_t*>(m)[i], 5, 2);
  };
  const auto number = []<class T>(const char* name, const char* title, T) {
    return VocabularyType{name,
                          title,
                          sizeof(T),
                          std::is_floating_point_v<T>,
                          std::is_signed_v<T>,
                          std::is_floating_point_v<T>,
                          std::is_floating_point_v<T>,
                          stored_value<T>,
                          put_value<T>};
  };
  static const std::vector<VocabularyType> all = [&] {
    std::vector<VocabularyType> out{
        number("float", "f32", float{}),
        number("double", "f64", double{}),
        {"bf16", "bf16", 2, true, true, true, true, bf16_number,
         put_by<std::uint16_t>(bf16_number)},
        {"f16", "f16", 2, true, true, true, true, f16, put_by<std::uint16_t>(f16)},
        {"e4m3", "e4m3", 1, true, true, false, false, e4m3, put_by<std::uint8_t>(e4m3)},
        {"e5m2", "e5m2", 1, true, true, false, false, e5m2, put_by<std::uint8_t>(e5m2)},
        number("i8", "i8", std::int8_t{}),
        number("u8", "u8", std::uint8_t{}),
        number("i16", "i16", std::int16_t{}),
        number("u16", "u16", std::uint16_t{}),
        number("i32", "i32", std::int32_t{}),
        number("u32", "u32", std::uint32_t{}),
        number("i64", "i64", std::int64_t{}),
        number("u64", "u64", std::uint64_t{}),
    };
    for (VocabularyType& t : out) t.products = t.products || t.name == "i8";
    return out;
  }();
  return all;
}

/// The number of an 8-bit float that is nearest to x; of two, the one with even bits.
inline double nearest(const VocabularyType& type, double x) {
  if (!type.floating || type.bytes > 1) return x;
  double best = std::numeric_limits<double>::infinity();
  bool even = false;
  for (unsigned b = 0; b < 256; ++b) {
    const auto bits = static_cast<std::uint8_t>(b);
    const double v = type.value(&bits, 0);
    const double better = std::abs(best - x) - std::abs(v - x);
    if (!(better > 0 || (better == 0 && !even))) continue;
    best = v;
    even = b % 2 == 0;
  }
  return best;
}

/// Inputs, as f64. Every number is exact in every type that has its sign.
struct VocabularyInputs {
  std::vector<double> x, y, a, b;
  std::vector<int> index;

  explicit VocabularyInputs(const VocabularyType& type) {
    const double of_floats[] = {.25, .375, .5, .625, .75, .875, 1, 1.25, 1.5, 1.75, 2, 2.5, 3};
    for (int i = 0; i < kVocabularyCount; ++i) {
      const double size = type.floating ? of_floats[i * 7 % 13] : i * 7 % 4;
      x.push_back(i % 3 == 1 && type.is_signed ? -size : size);
      y.push_back(type.floating ? of_floats[i * 5 % 13] : i * 5 % 4);
      index.push_back(i * 37 % kVocabularyCount);
    }
    for (int i = 0; i < kVocabularyRows * kVocabularyDepth; ++i)
      a.push_back(i * 7 % 5 - (type.is_signed ? 2 : 0));
    for (int i = 0; i < kVocabularyColumns * kVocabularyDepth; ++i)
      b.push_back(i * 11 % 7 - (type.is_signed ? 3 : 0));
  }
};

/// What a word is and what it computes: results from out[0] on.
struct WordMeaning {
  Word word;
  std::string name;    ///< as written in a text
  std::string detail;  ///< which form of it, if it has several
  std::function<std::vector<double>(const VocabularyInputs&, const VocabularyType&)> results;
  double tolerance = 0;  ///< relative to 1 + |expected|, in units of the compute type's epsilon
};

using Numbers = std::vector<double>;
using Inputs = VocabularyInputs;

/// f(i) for i < count.
template <class F>
Numbers numbers(int count, F f) {
  Numbers out;
  for (int i = 0; i < count; ++i) out.push_back(f(static_cast<std::size_t>(i)));
  return out;
}
inline void append(Numbers& to, const Numbers& more) {
  to.insert(to.end(), more.begin(), more.end());
}
/// The largest, the smallest and the sum of all[begin, end).
inline double most(const Numbers& all, std::size_t begin, std::size_t end) {
  return *std::max_element(all.begin() + static_cast<long>(begin),
                           all.begin() + static_cast<long>(end));
}
inline double least(const Numbers& all, std::size_t begin, std::size_t end) {
  return *std::min_element(all.begin() + static_cast<long>(begin),
                           all.begin() + static_cast<long>(end));
}
inline double total(const Numbers& all, std::size_t begin, std::size_t end) {
  double sum = 0;
  for (std::size_t i = begin; i < end; ++i) sum += all[i];
  return sum;
}

/// All words in the order of the list.
const std::vector<WordMeaning>& vocabulary_meanings();
/// Whether texts may use the word with the stored type.
bool has_word(const WordMeaning& word, const VocabularyType& type);

/// Runs a word with inputs in memory of the type; returns kVocabularyResults results.
using RunWord = std::function<Numbers(const VocabularyType&, const VocabularyInputs&, Word)>;
/// Checks all words with all types. Returns the number of (word, type) that ran.
int check_vocabulary(const RunWord& run);

/// The page docs/kernels/vocabulary.md.
std::string vocabulary_page();

}  // namespace eflow::test
