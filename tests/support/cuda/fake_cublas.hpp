#pragma once
// A fake cuBLASLt that multiplies on the host, strictly by the descriptors it receives, records the
// requests, and rejects what a test selects. One instance at a time: its functions carry no state
// of their own.

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "eflow/core/base/bfloat16.hpp"
#include "eflow/jit/cuda/cublas_api.hpp"
#include "eflow/tests/support/gelu.hpp"

namespace eflow::test {

class FakeCublas {
 public:
  /// A descriptor, a layout or a preference, with its creation arguments and attributes.
  struct Object {
    int type = 0, scale = 0;  ///< of a descriptor: compute type and scale type
    std::uint64_t rows = 0, columns = 0;
    std::int64_t ld = 0;
    std::map<int, std::string> set;

    template <class T>
    [[nodiscard]] T get(int attribute, T missing = {}) const {
      const auto found = set.find(attribute);
      if (found != set.end()) std::memcpy(&missing, found->second.data(), sizeof missing);
      return missing;
    }
  };

  std::map<std::string, int> failing;  ///< status to return, by name of the call
  int heuristics = 0, products = 0, objects = 0, handles = 0;
  Object last_preference, last_desc;
  void* last_stream = nullptr;
  bool serves = true;  ///< false: offers no algorithm for any product
  // Its algorithms are numbered from kFirst and offered in this order; all compute the same.
  static constexpr std::uint64_t kFirst = 77;
  int algorithms = 1;                 ///< number of algorithms for any product
  std::uint64_t last_algorithm = 0;   ///< of the latest product
  std::set<std::uint64_t> refused;    ///< algorithms that cublasLtMatmulAlgoCheck rejects
  std::set<std::uint64_t> unordered;  ///< algorithms with no fixed summation order
  std::set<std::uint64_t> wrong;      ///< algorithms that add 1 to every sum
  std::size_t workspace = 0;          ///< needed by each algorithm
  std::size_t version = 130000;

  FakeCublas() { self() = this; }
  ~FakeCublas() { self() = nullptr; }
  FakeCublas(const FakeCublas&) = delete;
  FakeCublas& operator=(const FakeCublas&) = delete;

  [[nodiscard]] static jit::CublasApi api() {
    jit::CublasApi a;
    a.create = [](void** handle) {
      ++self()->handles;
      *handle = self();
      return on("cublasLtCreate");
    };
    a.destroy = [](void*) { return --self()->handles, 0; };
    a.status_string = [](int) { return "status set by the test"; };
    a.version = [] { return self()->version; };
    a.desc_create = [](void** desc, int compute, int scale) {
      return make(desc, {.type = compute, .scale = scale, .set = {}});
    };
    a.layout_create = [](void** layout, int type, std::uint64_t rows, std::uint64_t columns,
                         std::int64_t ld) {
      return make(layout, {.type = type, .rows = rows, .columns = columns, .ld = ld, .set = {}});
    };
    a.preference_create = [](void** preference) { return make(preference, {}); };
    a.desc_destroy = a.layout_destroy = a.preference_destroy = [](void* p) {
      --self()->objects;
      delete static_cast<Object*>(p);
      return 0;
    };
    a.desc_set = a.layout_set =
        a.preference_set = [](void* p, int attribute, const void* value, std::size_t bytes) {
          static_cast<Object*>(p)->set[attribute] = {static_cast<const char*>(value), bytes};
          return 0;
        };
    a.heuristic = [](void*, void* desc, void*, void*, void*, void*, void* preference, int wanted,
                     jit::LtHeuristic* results, int* found) {
      ++self()->heuristics;
      self()->last_preference = *static_cast<Object*>(preference);
      self()->last_desc = *static_cast<Object*>(desc);
      *found = self()->serves ? std::min(wanted, self()->algorithms) : 0;
      for (int i = 0; i < *found; ++i)
        results[i] = {.algo = {{kFirst + static_cast<std::uint64_t>(i)}}};
      return self()->serves ? on("cublasLtMatmulAlgoGetHeuristic") : jit::lt::kNotSupported;
    };
    a.algo_check = [](void*, void*, void*, void*, void*, void*, const jit::LtAlgo* algo,
                      jit::LtHeuristic* result) {
      *result = {.algo = *algo, .workspace = self()->workspace};
      return self()->refused.contains(algo->data[0]) ? jit::lt::kNotSupported
                                                     : on("cublasLtMatmulAlgoCheck");
    };
    a.algo_attribute = [](const jit::LtAlgo* algo, int attribute, void* value, std::size_t bytes,
                          std::size_t* written) {
      const bool unordered = self()->unordered.contains(algo->data[0]);
      const int number = attribute == jit::lt::kAlgoReduction ? (unordered ? 1 : 2)
                         : attribute == jit::lt::kAlgoId      ? static_cast<int>(algo->data[0])
                                                              : 4;
      if (bytes != sizeof number) return 7;
      std::memcpy(value, &number, sizeof number);
      return *written = sizeof number, 0;
    };
    a.matmul = matmul;
    return a;
  }

 private:
  static FakeCublas*& self() {
    static FakeCublas* fake = nullptr;
    return fake;
  }
  static int on(const std::string& name) {
    const auto found = self()->failing.find(name);
    return found == self()->failing.end() ? 0 : found->second;
  }
  static int make(void** out, Object object) {
    ++self()->objects;
    *out = new Object(std::move(object));
    return 0;
  }

  /// Element `at` of an array of a cudaDataType.
  static double read(const void* p, int type, std::int64_t at) {
    if (type == jit::lt::kF64) return static_cast<const double*>(p)[at];
    if (type == jit::lt::kF32) return static_cast<double>(static_cast<const float*>(p)[at]);
    return static_cast<double>(static_cast<float>(static_cast<const bfloat16*>(p)[at]));
  }
  static void write(void* p, int type, std::int64_t at, double x) {
    if (type == jit::lt::kF64)
      static_cast<double*>(p)[at] = x;
    else if (type == jit::lt::kF32)
      static_cast<float*>(p)[at] = static_cast<float>(x);
    else
      static_cast<bfloat16*>(p)[at] = bfloat16(static_cast<float>(x));
  }
  /// Offset of element (row, column) of matrix `index` of a batch.
  static std::int64_t place(const Object& m, std::int64_t index, std::int64_t row,
                            std::int64_t column) {
    return index * m.get<std::int64_t>(jit::lt::kBatchStride) + column * m.ld + row;
  }

  static int matmul(void*, void* desc, const void* alpha, const void* a, void* a_layout,
                    const void* b, void* b_layout, const void* beta, const void* c, void* c_layout,
                    void* d, void* d_layout, const jit::LtAlgo* algo, void* workspace, std::size_t,
                    void* stream) {
    namespace lt = jit::lt;
    if (const int code = on("cublasLtMatmul"); code != 0) return code;
    const std::uint64_t last = kFirst + static_cast<std::uint64_t>(self()->algorithms);
    if (algo->data[0] < kFirst || algo->data[0] >= last || workspace == nullptr) return 7;
    ++self()->products;
    self()->last_algorithm = algo->data[0];
    self()->last_stream = stream;
    const Object &o = *static_cast<Object*>(desc), &ma = *static_cast<Object*>(a_layout),
                 &mb = *static_cast<Object*>(b_layout), &mc = *static_cast<Object*>(c_layout),
                 &md = *static_cast<Object*>(d_layout);
    const int epilogue = o.get<int>(lt::kEpilogue, lt::kNoEpilogue);
    const bool ta = o.get<int>(lt::kTransposeA) != 0, tb = o.get<int>(lt::kTransposeB) != 0;
    const auto k = static_cast<std::int64_t>(ta ? ma.rows : ma.columns);
    if (k != static_cast<std::int64_t>(tb ? mb.columns : mb.rows)) return 7;
    if ((ta ? ma.columns : ma.rows) != md.rows || (tb ? mb.rows : mb.columns) != md.columns)
      return 7;
    const double by = read(alpha, o.scale, 0), add = read(beta, o.scale, 0);
    for (std::int64_t i = 0; i < md.get<int>(lt::kBatchCount, 1); ++i) {
      for (std::int64_t column = 0; column < static_cast<std::int64_t>(md.columns); ++column) {
        for (std::int64_t row = 0; row < static_cast<std::int64_t>(md.rows); ++row) {
          double sum = self()->wrong.contains(algo->data[0]) ? 1 : 0;
          for (std::int64_t l = 0; l < k; ++l) {
            sum += read(a, ma.type, ta ? place(ma, i, l, row) : place(ma, i, row, l)) *
                   read(b, mb.type, tb ? place(mb, i, column, l) : place(mb, i, l, column));
          }
          sum *= by;
          if (add != 0) sum += add * read(c, mc.type, place(mc, i, row, column));
          if ((epilogue & lt::kBiasBit) != 0)
            sum += read(o.get<const void*>(lt::kBias), md.type, row);
          const std::int64_t aux_at = i * o.get<std::int64_t>(lt::kAuxBatchStride) +
                                      column * o.get<std::int64_t>(lt::kAuxLd) + row;
          void* const aux = o.get<void*>(lt::kAux);
          if ((epilogue & lt::kGeluGradient) != 0)
            sum *= gelu_slope(read(aux, md.type, aux_at));
          else if ((epilogue & lt::kAuxBit) != 0)
            write(aux, md.type, aux_at, sum);
          if ((epilogue & lt::kGelu) != 0) sum = gelu(sum);
          write(d, md.type, place(md, i, row, column), sum);
        }
      }
    }
    return 0;
  }
};

}  // namespace eflow::test
