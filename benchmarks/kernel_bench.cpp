// The kernels of examples/kernels at sizes of a model, for comparison with PyTorch (peer_kernels.py).
//
//   kernel_bench [--threads N] [--seconds S] [--dtype f32|bf16] [--clock wall|cpu] [--only PART_OF_A_NAME]
//
// Prints one JSON object: for each kernel its sizes and the best time of a launch, in seconds, of windows of a
// few milliseconds. Compiling and first runs are not counted. The clock `cpu` counts the process's CPU time,
// which with one thread is the time without other load.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/examples/kernels/arguments.hpp"
#include "eflow/jit/kernel/isa.hpp"
#include "eflow/jit/runtime.hpp"

namespace {

namespace jit = eflow::jit;
using eflow::DType;
using examples::Index;
using Json = nlohmann::ordered_json;

/// A specialisation of a text of examples/kernels.
class Kernel {
 public:
  Kernel(jit::Runtime& runtime, const std::string& file, const std::string& expression, DType dtype,
         std::initializer_list<int> constants = {})
      : runtime_(runtime),
        name_(expression.substr(0, expression.find('<'))),
        spec_(name_, {dtype}, constants) {
    std::ifstream text(std::string(EFLOW_EXAMPLE_TEXTS "/") + file);
    if (!text) throw eflow::IoError("[kernel_bench] no text " EFLOW_EXAMPLE_TEXTS "/" + file);
    runtime.add_text("examples/kernels/" + file, {std::istreambuf_iterator<char>(text), {}});
    runtime.define({.name = name_, .text = "examples/kernels/" + file, .expression = expression});
    const auto made = runtime.prepare({{name_, spec_}});
    if (!made[0].ok()) throw eflow::CompileError(made[0].error);
  }

  template <class Args>
  void operator()(jit::Grid grid, const Args& args) const {
    runtime_.launch(name_, spec_, grid, args);
  }

 private:
  jit::Runtime& runtime_;
  std::string name_;
  jit::KernelSpec spec_;
};

/// Memory on a cache line's boundary, as a tensor's.
class Array {
 public:
  explicit Array(std::size_t bytes)
      : memory_(std::aligned_alloc(64, (bytes + 63) / 64 * 64), &std::free) {
    if (memory_ == nullptr) throw std::bad_alloc();
    std::memset(memory_.get(), 0, bytes);
  }
  [[nodiscard]] void* data() const { return memory_.get(); }

 private:
  std::shared_ptr<void> memory_;
};

Array zeros(Index count, DType dtype) {
  return Array(static_cast<std::size_t>(count) * eflow::size_of(dtype));
}

/// Numbers in [-1, 1).
Array random(Index count, DType dtype, unsigned seed) {
  Array out = zeros(count, dtype);
  for (Index i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    const float x = static_cast<float>(seed >> 8) / 8388608.0f - 1;
    if (dtype == DType::kF32)
      static_cast<float*>(out.data())[i] = x;
    else
      static_cast<eflow::bfloat16*>(out.data())[i] = eflow::bfloat16(x);
  }
  return out;
}

Array numbers(const std::vector<int>& values) {
  Array out(values.size() * sizeof(int));
  std::memcpy(out.data(), values.data(), values.size() * sizeof(int));
  return out;
}

Index blocks(Index count, Index per_block) {
  return (count + per_block - 1) / per_block;
}

struct Options {
  int threads = 1;
  double seconds = 0.5;
  std::string dtype, only;
  bool cpu_time = false;
};

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--threads")
      o.threads = std::atoi(value.c_str());
    else if (name == "--seconds")
      o.seconds = std::atof(value.c_str());
    else if (name == "--dtype" && (value == "f32" || value == "bf16"))
      o.dtype = value;
    else if (name == "--clock" && (value == "wall" || value == "cpu"))
      o.cpu_time = value == "cpu";
    else if (name == "--only")
      o.only = value;
    else
      throw eflow::InvalidArgument(eflow::str("[kernel_bench] ", name, " ", value, " is invalid"));
  }
  if (argc % 2 == 0)
    throw eflow::InvalidArgument(eflow::str("[kernel_bench] ", argv[argc - 1], " has no value"));
  return o;
}

/// A launch, ready to be repeated.
struct Case {
  std::string name;
  Json sizes;
  std::function<void()> launch;
};

Case of_vector_add(jit::Runtime& d, DType t) {
  const Index n = 1 << 20, per_block = 1 << 16;
  const Kernel kernel(d, "vector_add.h", "vector_add<$t0>", t);
  const Array x = random(n, t, 1), y = random(n, t, 2), z = zeros(n, t);
  return {"vector_add", {{"n", n}}, [=] {
            const examples::VectorAddArgs args{x.data(), y.data(), z.data(), n, per_block};
            kernel({.x = blocks(n, per_block)}, args);
          }};
}

Case of_softmax(jit::Runtime& d, DType t) {
  const Index rows = 1024, width = 1000, per_block = 16;
  const Kernel kernel(d, "softmax.h", "softmax_rows<$t0, $c0>", t, {1024});
  const Array x = random(rows * width, t, 1), y = zeros(rows * width, t);
  return {"softmax", {{"rows", rows}, {"width", width}}, [=] {
            const examples::SoftmaxArgs args{x.data(), y.data(), rows, width, per_block};
            kernel({.x = blocks(rows, per_block)}, args);
          }};
}

Case of_dropout(jit::Runtime& d, DType t) {
  const Index n = 1 << 20, per_block = 1 << 16;
  const Kernel kernel(d, "dropout.h", "dropout<$t0>", t);
  const Array x = random(n, t, 1), y = zeros(n, t);
  return {"dropout", {{"n", n}}, [=] {
            const examples::DropoutArgs args{x.data(), y.data(), n, per_block, 0.25f, 7, 11};
            kernel({.x = blocks(n, per_block)}, args);
          }};
}

Case of_matmul(jit::Runtime& d, DType t) {
  const Index m = 512, n = 1024, k = 1024;
  const int tile_m = 128, tile_n = 256, tile_k = t == DType::kF32 ? 256 : 512;
  const Kernel kernel(d, "matmul.h", "matmul<$t0, $c0, $c1, $c2>", t, {tile_m, tile_n, tile_k});
  const Array x = random(m * k, t, 1), w = random(k * n, t, 2), b = random(n, t, 3);
  const Array y = zeros(m * n, t);
  return {"matmul", {{"m", m}, {"n", n}, {"k", k}}, [=] {
            const examples::MatmulArgs args{x.data(), w.data(), b.data(), y.data(), m, n, k};
            kernel({.x = blocks(n, tile_n), .y = blocks(m, tile_m)}, args);
          }};
}

Case of_layer_norm(jit::Runtime& d, DType t) {
  const Index rows = 1024, width = 768, per_block = 16;
  const Kernel kernel(d, "layer_norm.h", "layer_norm<$t0, $c0>", t, {768});
  const Array x = random(rows * width, t, 1), f = random(width, t, 2);
  const Array o = random(width, t, 3), y = zeros(rows * width, t);
  const Array mean = zeros(rows, DType::kF32), rstd = zeros(rows, DType::kF32);
  return {"layer_norm", {{"rows", rows}, {"width", width}}, [=] {
            const examples::LayerNormArgs args{x.data(), f.data(),    o.data(),
                                               y.data(), mean.data(), rstd.data(),
                                               rows,     width,       per_block};
            kernel({.x = blocks(rows, per_block)}, args);
          }};
}

Case of_layer_norm_grad(jit::Runtime& d, DType t) {
  const Index rows = 1024, width = 768, per_block = 64;
  const Kernel of_rows(d, "layer_norm_grad.h", "layer_norm_grad<$t0>", t);
  const Kernel sum_parts(d, "layer_norm_grad.h", "layer_norm_sum_parts<$t0>", t);
  const Array x = random(rows * width, t, 1), dy = random(rows * width, t, 2);
  const Array f = random(width, t, 3), dx = zeros(rows * width, t);
  const Array df = zeros(width, t), d_o = zeros(width, t);
  const Array mean = random(rows, DType::kF32, 4), rstd = random(rows, DType::kF32, 5);
  const Array parts = zeros(blocks(rows, per_block) * 2 * width, DType::kF32);
  return {"layer_norm_grad", {{"rows", rows}, {"width", width}}, [=] {
            const examples::LayerNormGradArgs args{x.data(),     dy.data(), f.data(),  mean.data(),
                                                   rstd.data(),  dx.data(), df.data(), d_o.data(),
                                                   parts.data(), rows,      width,     per_block};
            of_rows({.x = blocks(rows, per_block)}, args);
            sum_parts({.x = 1}, args);
          }};
}

Case of_attention(jit::Runtime& d, DType t) {
  const Index heads = 4, tokens = 1024, dim = 64;
  const int m = 128, n = 128;
  const Kernel kernel(d, "attention.h", "attention<$t0, $c0, $c1, $c2>", t, {dim, m, n});
  const Index size = heads * tokens * dim;
  const Array q = random(size, t, 1), k = random(size, t, 2), v = random(size, t, 3);
  const Array o = zeros(size, t);
  return {"attention", {{"heads", heads}, {"tokens", tokens}, {"dim", dim}}, [=] {
            const examples::AttentionArgs args{q.data(), k.data(), v.data(),
                                               o.data(), tokens,   1.4426950f / 8};
            kernel({.x = blocks(tokens, m), .y = heads}, args);
          }};
}

Case of_grouped_gemm(jit::Runtime& d, DType t) {
  const std::vector<int> begin{0, 100, 400, 400, 512, 700, 850, 1000, 1024};
  const Index groups = 8, rows = begin.back(), n = 512, k = 512;
  const int tile_m = 256, tile_n = 256, tile_k = t == DType::kF32 ? 256 : 512;
  const Kernel kernel(d, "grouped_gemm.h", "grouped_gemm<$t0, $c0, $c1, $c2>", t,
                      {tile_m, tile_n, tile_k});
  const Array x = random(rows * k, t, 1), w = random(groups * k * n, t, 2);
  const Array y = zeros(rows * n, t), begins = numbers(begin);
  return {"grouped_gemm", {{"begin", begin}, {"n", n}, {"k", k}}, [=] {
            const examples::GroupedGemmArgs args{x.data(), w.data(), y.data(), begins.data(),
                                                 groups,   n,        k};
            kernel({.x = blocks(n, tile_n), .y = rows / tile_m + groups}, args);
          }};
}

Case of_cumsum(jit::Runtime& d, DType t) {
  const Index rows = 256, width = 4096;
  const Kernel kernel(d, "cumsum.h", "cumsum<$t0>", t);
  const Array x = random(rows * width, t, 1), y = zeros(rows * width, t);
  return {"cumsum", {{"rows", rows}, {"width", width}}, [=] {
            const examples::CumsumArgs args{x.data(), y.data(), width};
            kernel({.x = rows}, args);
          }};
}

/// Either half of gather_scatter.h.
Case of_rows_by_index(jit::Runtime& d, DType t, const std::string& function) {
  const Index entries = 1024, rows = 4096, width = 256, per_block = 64;
  const Kernel kernel(d, "gather_scatter.h", function + "<$t0>", t);
  std::vector<int> index;
  for (Index r = 0; r < rows; ++r) index.push_back(static_cast<int>(r * 7919 % entries));
  const Array table = random(entries * width, t, 1), y = random(rows * width, t, 2);
  const Array indices = numbers(index);
  const Array sums = zeros(entries * width, DType::kF32);
  return {function, {{"entries", entries}, {"rows", rows}, {"width", width}}, [=] {
            const examples::GatherScatterArgs args{
                table.data(), indices.data(), y.data(), sums.data(), rows, width, per_block};
            kernel({.x = blocks(rows, per_block)}, args);
          }};
}

double best_of(const std::function<void()>& launch, const Options& o) {
  constexpr double kWindow = 0.005;
  const eflow::Stopwatch all;
  const auto now = [&] { return o.cpu_time ? eflow::process_cpu_seconds() : all.seconds(); };
  launch();
  double best = 1e30;
  do {
    const double begin = now();
    int count = 0;
    do {
      launch();
      ++count;
    } while (now() - begin < kWindow);
    best = std::min(best, (now() - begin) / count);
  } while (all.seconds() < o.seconds);
  return best;
}

int run(int argc, char** argv) {
  const Options o = parse(argc, argv);
  eflow::jit::Options options = eflow::jit::Options::from_environment();
  options.device = "cpu";
  options.threads = o.threads;
  jit::Runtime runtime(options);
  const std::vector<std::pair<std::string, std::function<Case(DType)>>> all{
      {"vector_add", [&](DType t) { return of_vector_add(runtime, t); }},
      {"softmax", [&](DType t) { return of_softmax(runtime, t); }},
      {"dropout", [&](DType t) { return of_dropout(runtime, t); }},
      {"matmul", [&](DType t) { return of_matmul(runtime, t); }},
      {"layer_norm", [&](DType t) { return of_layer_norm(runtime, t); }},
      {"layer_norm_grad", [&](DType t) { return of_layer_norm_grad(runtime, t); }},
      {"attention", [&](DType t) { return of_attention(runtime, t); }},
      {"grouped_gemm", [&](DType t) { return of_grouped_gemm(runtime, t); }},
      {"cumsum", [&](DType t) { return of_cumsum(runtime, t); }},
      {"gather_rows", [&](DType t) { return of_rows_by_index(runtime, t, "gather_rows"); }},
      {"scatter_add", [&](DType t) { return of_rows_by_index(runtime, t, "scatter_add"); }}};
  Json out{{"isa", jit::name_of(runtime.isa())}, {"threads", o.threads}};
  out["cases"] = Json::array();
  for (const auto& [name, make] : all) {
    if (name.find(o.only) == std::string::npos) continue;
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      if (!o.dtype.empty() && o.dtype != name_of(dtype)) continue;
      const Case c = make(dtype);
      out["cases"].push_back({{"name", c.name},
                              {"dtype", name_of(dtype)},
                              {"sizes", c.sizes},
                              {"seconds", best_of(c.launch, o)}});
    }
  }
  std::printf("%s\n", out.dump(1).c_str());
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
