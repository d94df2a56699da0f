#include "eflow/core/cuda/cublas_tuning.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "eflow/core/base/bfloat16.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/noise.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::detail {
namespace {

/// Operand values repeat after this many; a prime, so that rows differ.
constexpr std::size_t kPattern = 999'983;
/// Gap between rows, in elements, where the KernelSpec asks for one.
constexpr long long kGap = 64;
/// Target number of rows that result() reads.
constexpr long long kMostRows = 256;

/// Calls f with a zero of the C++ type of the dtype.
template <class F>
auto with_type(DType dtype, F&& f) {
  if (dtype == DType::kF64) return f(double());
  if (dtype == DType::kBF16) return f(bfloat16());
  return f(float());
}

/// Fills `count` elements of device memory with repetitions of `values`.
template <class T>
void repeat_into(Device& device, void* to, std::size_t count, const std::vector<T>& values) {
  for (std::size_t at = 0; at < count; at += values.size()) {
    const std::size_t some = std::min(values.size(), count - at);
    device.copy_in(static_cast<T*>(to) + at, values.data(), some * sizeof(T), {});
  }
}

bool is_known_epilogue(int epilogue) {
  return (epilogue >= 0 && epilogue <= 7) || epilogue == (kProductGeluGradient | kProductAux);
}

bool is_known(const jit::KernelSpec& spec) {
  const auto in = static_cast<DType>(spec.dtypes[0]), out = static_cast<DType>(spec.dtypes[1]);
  const bool types =
      (in == out && (in == DType::kF32 || in == DType::kF64 || in == DType::kBF16)) ||
      (in == DType::kBF16 && out == DType::kF32);
  const int* const c = spec.constants;
  const auto within = [&](int which, int most) { return c[which] >= 0 && c[which] <= most; };
  return types && within(kProductATransposed, 1) && within(kProductBTransposed, 1) &&
         is_known_epilogue(c[kProductEpilogue]) && within(kProductExact, 1) &&
         within(kProductGaps, 7) && within(kProductShared, 3) && within(kProductNarrow, 0777);
}

}  // namespace

/// A stored matrix of the batch.
struct CublasTuning::Matrix {
  DType dtype;
  long long rows, columns, problems;  ///< problems: 1 if the batch shares the matrix
  bool gap;
  int narrow;  ///< as in kProductNarrow

  [[nodiscard]] long long row() const { return columns + (gap ? kGap : 0); }
  [[nodiscard]] long long bytes_off() const { return narrow == 0 ? 0 : kLtAlignment >> narrow; }
};

/// Allocates a matrix with the alignment that it asks for; fills it with noise if `fill`.
Tensor CublasTuning::matrix(const Matrix& m, bool fill) {
  const auto size = static_cast<long long>(size_of(m.dtype));
  if (m.bytes_off() % size != 0) {
    throw InvalidArgument(str("[cublas] ", m.dtype, " cannot start ", m.bytes_off(),
                              " bytes off alignment in ", to_string(spec_, kProduct)));
  }
  const long long off = m.bytes_off() / size, count = m.rows * m.row() * m.problems;
  const Tensor all = Tensor::empty({count + off}, m.dtype, device_);
  const Tensor here = all.view({count}, {1}, off);
  if (fill) {
    with_type(m.dtype, [&](auto zero) {
      std::vector<decltype(zero)> values(std::min(kPattern, static_cast<std::size_t>(count)));
      fill_with_noise(std::span(values), 12345);
      repeat_into(*device_, here.data(), static_cast<std::size_t>(count), values);
      device_->synchronize({});
    });
  }
  memory_.push_back(here);
  return here;
}

void CublasTuning::set_operands(const std::vector<std::int64_t>& sizes) {
  const int* const c = spec_.constants;
  const long long m = sizes.at(0), n = sizes.at(1), k = sizes.at(2), problems = sizes.at(3);
  const auto narrow = [&](int i) { return c[kProductNarrow] >> (3 * i) & 7; };
  const auto bit = [&](int which, int i) { return (c[which] >> i & 1) != 0; };
  const bool at = c[kProductATransposed] != 0, bt = c[kProductBTransposed] != 0;
  const Matrix a{
      in_,      at ? k : m, at ? m : k, bit(kProductShared, 0) ? 1 : problems, bit(kProductGaps, 0),
      narrow(0)};
  const Matrix b{
      in_,      bt ? n : k, bt ? k : n, bit(kProductShared, 1) ? 1 : problems, bit(kProductGaps, 1),
      narrow(1)};
  const Matrix d{out_, m, n, problems, bit(kProductGaps, 2), narrow(2)};
  args::Gemm& g = args_;
  g.a = matrix(a, true).data();
  g.b = matrix(b, true).data();
  g.c = matrix(d, false).data();
  const int epilogue = c[kProductEpilogue];
  if ((epilogue & kProductBias) != 0) g.bias = matrix({out_, 1, n, 1, false, 0}, true).data();
  const bool gradient = (epilogue & kProductGeluGradient) != 0;
  if ((epilogue & kProductAux) != 0) g.aux = matrix(d, gradient).data();
  g.gelu = gradient                         ? args::kGeluGradient
           : (epilogue & kProductGelu) != 0 ? args::kGeluOfSum
                                            : args::kNoGelu;
  g.alpha = 1;
  g.m = m;
  g.n = n;
  g.k = k;
  g.a_rs = at ? 1 : a.row();
  g.a_cs = at ? a.row() : 1;
  g.b_rs = bt ? 1 : b.row();
  g.b_cs = bt ? b.row() : 1;
  g.c_rs = d.row();
  g.batch[0] = 1;
  g.batch[1] = problems;
  g.a_bs[1] = a.problems == 1 ? 0 : a.rows * a.row();
  g.b_bs[1] = b.problems == 1 ? 0 : b.rows * b.row();
  g.c_bs[1] = d.rows * d.row();
}

CublasTuning::CublasTuning(const jit::Runtime& runtime, const jit::KernelSpec& spec,
                           const std::vector<std::int64_t>& sizes)
    : spec_(spec),
      in_(static_cast<DType>(spec.dtypes[0])),
      out_(static_cast<DType>(spec.dtypes[1])),
      limits_(runtime.limits()) {
  const bool sized = std::all_of(sizes.begin(), sizes.end(), [](auto n) { return n >= 1; });
  if (!is_known(spec) || !sized) {
    throw InvalidArgument(str("[cublas] unknown product ", to_string(spec, kProduct),
                              "; expected f32, f32; f64, f64; bf16, bf16 or bf16, f32, the "
                              "constants listed in docs/cuda.md, and sizes of at least 1"));
  }
  if (runtime.target().backend == jit::Backend::kHost)
    throw InvalidArgument("[cublas] cuBLASLt needs a GPU: use --device cuda");
  std::string why;
  const std::optional<jit::CublasApi> api =
      jit::find_cublas(runtime.options().cublas, runtime.options().cublas_library, why);
  if (!api) throw InvalidArgument("[cublas] cuBLASLt is not available: " + why);
  device_ = make_device(runtime.options());
  memory_.push_back(
      Tensor::empty({CublasGemm::kWorkspaceBytes / sizeof(float)}, DType::kF32, device_));
  gemm_ = std::make_unique<CublasGemm>(runtime.cuda_context(), *api,
                                       spec.constants[kProductExact] == 0, memory_[0].data());
  set_operands(sizes);
  algorithms_ = gemm_->algorithms(args_, in_, out_, kMostAlgorithms);
  if (algorithms_.empty()) {
    throw InvalidArgument(str("[cublas] ", gemm_->library(), " does not support ",
                              to_string(spec, kProduct), " of ", sizes[0], " x ", sizes[1], " x ",
                              sizes[2]));
  }
}

void CublasTuning::launch(const jit::KernelSpec& spec) {
  const auto choice = static_cast<std::size_t>(spec.constants[kProductChoice]);
  gemm_->run_by(algorithms_.at(choice), args_, in_, out_, nullptr);
}

std::vector<long long> CublasTuning::sampled_rows() const {
  const long long all = args_.m * args_.batch[1], step = std::max(1LL, all / kMostRows);
  std::vector<long long> out;
  for (long long i = 0; i < all; i += step) out.push_back(i);
  return out;
}

void CublasTuning::clear() {
  with_type(out_, [&](auto zero) {
    using T = decltype(zero);
    const std::vector<T> row(static_cast<std::size_t>(args_.n),
                             static_cast<T>(std::numeric_limits<float>::quiet_NaN()));
    for (const long long i : sampled_rows())
      repeat_into(*device_, static_cast<T*>(args_.c) + i * args_.c_rs, row.size(), row);
  });
  device_->synchronize({});
}

std::vector<double> CublasTuning::result() const {
  std::vector<double> all;
  with_type(out_, [&](auto zero) {
    using T = decltype(zero);
    std::vector<T> row(static_cast<std::size_t>(args_.n));
    for (const long long i : sampled_rows()) {
      device_->copy_out(row.data(), static_cast<const T*>(args_.c) + i * args_.c_rs,
                        row.size() * sizeof(T), {});
      device_->synchronize({});
      for (const T x : row) {
        if constexpr (std::is_same_v<T, bfloat16>)
          all.push_back(static_cast<double>(static_cast<float>(x)));
        else
          all.push_back(static_cast<double>(x));
      }
    }
  });
  return all;
}

jit::ShapeBucket CublasTuning::shape() const {
  return {args_.m, args_.n, args_.k, args_.batch[1]};
}

double CublasTuning::tolerance() const {
  if (out_ == DType::kBF16) return 1e-2;
  if (in_ == DType::kF64) return 1e-12;
  return in_ == DType::kF32 && spec_.constants[kProductExact] == 0 ? 2e-3 : 1e-5;
}

jit::TuningRecord CublasTuning::blank() const {
  jit::TuningRecord out;
  jit::KernelSpec key = spec_;
  key.constants[kProductChoice] = 0;
  out.key = {{kProduct, key}, shape(), limits_.name, limits_.arch};
  out.text = out.toolchain = gemm_->library();
  out.tunables = algo_tunables();
  for (const jit::LtAlgo& algo : algorithms_) {
    jit::ConfigRecord config;
    config.values = words_of(algo);
    config.label = gemm_->text_of(algo);
    out.configs.push_back(std::move(config));
  }
  return out;
}

jit::KernelSpec CublasTuning::spec_of(const jit::ConfigRecord& config) const {
  const auto found = std::find(algorithms_.begin(), algorithms_.end(), algo_of(config.values));
  EFLOW_ASSERT(found != algorithms_.end());
  jit::KernelSpec spec = spec_;
  spec.constants[kProductChoice] = static_cast<int>(found - algorithms_.begin());
  return spec;
}

/// Algorithms of the library need no compilation.
void CublasTuning::prepare(const std::vector<jit::ConfigRecord*>& configs, const Say& say) const {
  if (say) say(str("  ", configs.size(), " algorithms of ", gemm_->library()));
}

}  // namespace eflow::detail
