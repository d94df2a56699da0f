// GEMM at the shapes of a diffusion transformer, as a fraction of the multiply-add peak measured
// alongside each shape.
//
//   gemm_bench [--threads N] [--isa NAME] [--dtype f32|bf16|f64] [--seconds S] [--cpu-time]
//              [--json] [--only PART_OF_A_NAME]
//
// The peak loop, our text and (f32 and bf16, if built in) oneDNN alternate in windows of a few
// milliseconds. The output is the best window of each and their ratios. OMP_NUM_THREADS sets
// oneDNN's threads; the variables of docs/jit.md apply, such as EFLOW_KERNEL_DIR for a kernel in
// development. --cpu-time divides the process's CPU time by its threads instead of using the wall
// clock: useful on shared machines, exact only with one thread, because waiting threads count as
// busy.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/kernels_src/args/gemm.h"
#include "eflow/trainer/cost/fma_peak.hpp"

#if defined(EFLOW_HAVE_ONEDNN)
#include <dnnl.hpp>
#include <unordered_map>
#endif

namespace {

namespace jit = eflow::jit;
using eflow::DType;
using eflow::args::Gemm;

struct Options {
  int threads = 1;
  std::optional<jit::Isa> isa;
  DType dtype = DType::kF32;
  double seconds = 1;
  bool cpu_time = false;
  bool json = false;
  std::string only;  ///< run only cases whose name contains this
};

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--cpu-time") {
      o.cpu_time = true;
    } else if (name == "--json") {
      o.json = true;
    } else if (i + 1 == argc) {
      throw eflow::InvalidArgument(
          eflow::str("[gemm_bench] ", name, " is unknown or has no value"));
    } else if (const char* value = argv[++i]; name == "--threads") {
      o.threads = std::atoi(value);
    } else if (name == "--seconds") {
      o.seconds = std::atof(value);
    } else if (name == "--only") {
      o.only = value;
    } else if (const auto isa = jit::isa_from_name(value); name == "--isa" && isa) {
      o.isa = isa;
    } else if (const auto dtype = eflow::dtype_from_name(value); name == "--dtype" && dtype) {
      o.dtype = *dtype;
    } else {
      throw eflow::InvalidArgument(eflow::str("[gemm_bench] ", name, " ", value, " is invalid"));
    }
  }
  return o;
}

enum class Product { kForward, kInputGrad, kWeightGrad };

/// A linear layer of `tokens` rows, or `batch` products of heads stored inside rows of heads * k
/// elements.
struct Case {
  const char* name;
  Product product;
  long long m, n, k;
  bool gelu = false;
  long long batch = 1, heads = 1;
};

const std::vector<Case> kCases{
    {"qkv   x W^T", Product::kForward, 4096, 2304, 768},
    {"proj  x W^T", Product::kForward, 4096, 768, 768},
    {"mlp 1 x W^T + b, gelu", Product::kForward, 4096, 3072, 768, true},
    {"mlp 2 x W^T", Product::kForward, 4096, 768, 3072},
    {"mlp 1 dY W", Product::kInputGrad, 4096, 768, 3072},
    {"mlp 2 dY W", Product::kInputGrad, 4096, 3072, 768},
    {"mlp 1 dY^T x", Product::kWeightGrad, 3072, 768, 4096},
    {"proj  dY^T x", Product::kWeightGrad, 768, 768, 8192},
    {"D=1152 x W^T", Product::kForward, 2048, 1152, 1152},
    {"D=1152 mlp x W^T", Product::kForward, 2048, 4608, 1152},
    {"D=384 x W^T", Product::kForward, 8192, 384, 384},
    {"sprites mlp 1 x W^T + b, gelu", Product::kForward, 768, 768, 192, true},
    {"sprites mlp 1 x W^T", Product::kForward, 768, 768, 192},
    {"sprites mlp 2 x W^T", Product::kForward, 768, 192, 768},
    {"sprites mlp 1 dY W", Product::kInputGrad, 768, 192, 768},
    {"sprites mlp 2 dY W", Product::kInputGrad, 768, 768, 192},
    {"sprites mlp 1 dY^T x", Product::kWeightGrad, 768, 192, 768},
    {"sprites mlp 2 dY^T x", Product::kWeightGrad, 192, 768, 768},
    {"D=200 x W^T", Product::kForward, 3000, 200, 200},
    {"few tokens x W^T", Product::kForward, 128, 768, 768},
    {"16 rows x W^T", Product::kForward, 16, 4608, 768},
    {"q k^T 64 x 64 x 64", Product::kForward, 64, 64, 64, false, 16, 12},
    {"q k^T 128 x 128 x 64", Product::kForward, 128, 128, 64, false, 8, 12},
    {"p v 64 x 72 x 64", Product::kInputGrad, 64, 72, 64, false, 8, 16},
    {"p v 128 x 128 x 128", Product::kInputGrad, 128, 128, 128, false, 8, 12},
};

/// Buffers and arguments of one case. Contents are small, so products neither overflow nor become
/// denormal.
struct Problem {
  std::vector<char> a, b, c, aux, bias;
  Gemm g{};

  Problem(const Case& s, DType dtype) {
    const long long problems = s.batch * s.heads;
    const auto bytes = [&](long long n) {
      return static_cast<std::size_t>(n) * eflow::size_of(dtype);
    };
    fill(a, bytes(s.m * s.k * problems), dtype);
    fill(b, bytes(s.n * s.k * problems), dtype);
    fill(c, bytes(s.m * s.n * problems), dtype);
    fill(bias, bytes(s.n), dtype);
    fill(aux, s.gelu ? c.size() : 0, dtype);
    g.a = a.data();
    g.b = b.data();
    g.c = c.data();
    if (s.gelu) {
      g.bias = bias.data();
      g.aux = aux.data();
      g.gelu = eflow::args::kGeluOfSum;
    }
    g.alpha = 1;
    g.m = s.m;
    g.n = s.n;
    g.k = s.k;
    const bool turned = s.product == Product::kWeightGrad;
    g.a_rs = turned ? 1 : s.k * s.heads;
    g.a_cs = turned ? s.m : 1;
    const bool rows = s.product != Product::kForward;
    g.b_rs = rows ? s.n * s.heads : 1;
    g.b_cs = rows ? 1 : s.k * s.heads;
    g.c_rs = s.n * s.heads;
    g.batch[0] = s.batch;
    g.batch[1] = s.heads;
    g.a_bs[0] = s.m * s.k * s.heads;
    g.b_bs[0] = s.n * s.k * s.heads;
    g.c_bs[0] = s.m * s.n * s.heads;
    g.a_bs[1] = s.k;
    g.b_bs[1] = rows ? s.n : s.k;
    g.c_bs[1] = s.n;
  }

  static void fill(std::vector<char>& v, std::size_t bytes, DType dtype) {
    v.resize(bytes);
    const std::size_t size = eflow::size_of(dtype);
    for (std::size_t i = 0; i < bytes / size; ++i) {
      const double x = static_cast<double>(i * 7919 % 1000) * 1e-3 - 0.5;
      const auto f = static_cast<float>(x);
      const eflow::bfloat16 h(f);
      const void* p = size == 8   ? static_cast<const void*>(&x)
                      : size == 4 ? static_cast<const void*>(&f)
                                  : &h;
      std::memcpy(&v[i * size], p, size);
    }
  }
};

class Clock {
 public:
  Clock(bool cpu_time, int threads) : cpu_time_(cpu_time), threads_(threads) {}
  [[nodiscard]] double seconds() const {
    return cpu_time_ ? eflow::process_cpu_seconds() / threads_ : watch_.seconds();
  }

 private:
  bool cpu_time_;
  int threads_;
  eflow::Stopwatch watch_;
};

constexpr double kWindow = 0.004;  // seconds

/// One contender: rate() runs for about one window and returns operations per second.
struct Contender {
  const char* name;
  std::function<double()> rate;
  double best = 0;
};

/// The rate of a product that takes `flops` operations.
template <class F>
std::function<double()> rate_of(const Clock& clock, double flops, F run) {
  return [=] {
    const double start = clock.seconds();
    double done = 0, taken = 0;
    while (taken < kWindow) {
      run();
      done += flops;
      taken = clock.seconds() - start;
    }
    return done / taken;
  };
}

void take_turns(std::vector<Contender>& contenders, double seconds) {
  for (const Contender& c : contenders) c.rate();
  const eflow::Stopwatch watch;
  do {
    for (Contender& c : contenders) c.best = std::max(c.best, c.rate());
  } while (watch.seconds() < seconds);
}

#if defined(EFLOW_HAVE_ONEDNN)
/// The same product by oneDNN. Weights are packed at each call, as ours are.
class OneDnn {
 public:
  OneDnn(const Gemm& g, DType dtype) : stream_(engine_) {
    const auto type =
        dtype == DType::kF32 ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;
    const auto matrices = [&](long long rows, long long columns, long long row, long long column,
                              const long long* batch) {
      return dnnl::memory::desc({g.batch[0], g.batch[1], rows, columns}, type,
                                {batch[0], batch[1], row, column});
    };
    const auto a = matrices(g.m, g.k, g.a_rs, g.a_cs, g.a_bs);
    const auto b = matrices(g.k, g.n, g.b_rs, g.b_cs, g.b_bs);
    const auto c = matrices(g.m, g.n, g.c_rs, 1, g.c_bs);
    matmul_ = dnnl::matmul({{a, b, c}, engine_});
    operands_ = {{DNNL_ARG_SRC, {a, engine_, const_cast<void*>(g.a)}},
                 {DNNL_ARG_WEIGHTS, {b, engine_, const_cast<void*>(g.b)}},
                 {DNNL_ARG_DST, {c, engine_, g.c}}};
  }
  void run() {
    matmul_.execute(stream_, operands_);
    stream_.wait();
  }

 private:
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_;
  dnnl::matmul matmul_;
  std::unordered_map<int, dnnl::memory> operands_;
};
#endif

nlohmann::json measure(const jit::Runtime& runtime, const Options& o, const Case& s) {
  Problem problem(s, o.dtype);
  const double flops = 2.0 * static_cast<double>(s.m * s.n * s.k * s.batch * s.heads);
  const jit::KernelSpec spec("gemm", {o.dtype, o.dtype});
  const Clock clock(o.cpu_time, o.threads);
  std::vector<Contender> contenders;
  contenders.push_back({"peak", [&] {
                          return eflow::trainer::measure_fma_peak(o.threads, 0.002, o.dtype,
                                                                  runtime.isa(), o.cpu_time);
                        }});
  contenders.push_back({"eflow", rate_of(clock, flops, [&] {
                          Gemm g = problem.g;
                          const auto grid = eflow::args::gemm_grid(g, runtime.pool().size());
                          runtime.launch("gemm", spec, {grid.x, grid.y, grid.z}, g);
                        })});
#if defined(EFLOW_HAVE_ONEDNN)
  std::optional<OneDnn> onednn;
  if (o.dtype != DType::kF64 && !s.gelu) {
    onednn.emplace(problem.g, o.dtype);
    contenders.push_back({"onednn", rate_of(clock, flops, [&] { onednn->run(); })});
  }
#endif
  take_turns(contenders, o.seconds);
  nlohmann::json result{
      {"case", s.name}, {"m", s.m}, {"n", s.n}, {"k", s.k}, {"batch", s.batch * s.heads}};
  for (const Contender& c : contenders) result[c.name] = c.best * 1e-9;
  result["fraction"] = contenders[1].best / contenders[0].best;
  return result;
}

void print(const nlohmann::json& r) {
  const auto number = [&](const char* name) {
    return r.contains(name) ? r[name].get<double>() : 0.0;
  };
  std::printf("%-24s %6lld x %5lld x %5lld  %4lld | %7.1f of %7.1f GFLOP/s = %.3f",
              r["case"].get<std::string>().c_str(), r["m"].get<long long>(),
              r["n"].get<long long>(), r["k"].get<long long>(), r["batch"].get<long long>(),
              number("eflow"), number("peak"), number("fraction"));
  if (r.contains("onednn")) std::printf("   onednn %.3f", number("onednn") / number("peak"));
  std::printf("\n");
  std::fflush(stdout);
}

int run(int argc, char** argv) {
  const Options o = parse(argc, argv);
  jit::Options options = jit::Options::from_environment();
  options.threads = o.threads;
  if (o.isa) options.isa = o.isa;
  const jit::Runtime runtime(options);
  nlohmann::json all{{"isa", jit::name_of(runtime.isa())},
                     {"threads", runtime.pool().size()},
                     {"dtype", eflow::name_of(o.dtype)},
                     {"clock", o.cpu_time ? "cpu" : "wall"},
                     {"cases", nlohmann::json::array()}};
  if (!o.json) {
    std::printf("%s, %s, %d threads, %s clock\n", eflow::name_of(o.dtype).data(),
                jit::name_of(runtime.isa()).data(), runtime.pool().size(),
                o.cpu_time ? "CPU" : "wall");
  }
  for (const Case& s : kCases) {
    if (std::string_view(s.name).find(o.only) == std::string_view::npos) continue;
    const nlohmann::json result = measure(runtime, o, s);
    if (!o.json) print(result);
    all["cases"].push_back(result);
  }
  if (o.json) std::printf("%s\n", all.dump(2).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
