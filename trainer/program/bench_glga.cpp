// eflow bench glga: measures the attention kernels.

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/trainer/bench/glga_bench.hpp"
#include "eflow/trainer/options/option_parser.hpp"
#include "eflow/trainer/program/arguments.hpp"

namespace eflow::program {
namespace {

using Json = nlohmann::ordered_json;
using trainer::GlgaBench;
using trainer::GlgaBenchCase;
using trainer::GlgaBenchPass;
using trainer::Option;

/// Parses "64,72", with every number in [low, high]. Throws InvalidArgument.
std::vector<std::int64_t> numbers(const std::string& key, const std::string& text, std::int64_t low,
                                  std::int64_t high) {
  std::vector<std::int64_t> out;
  const char *at = text.data(), *const end = at + text.size();
  for (;;) {
    std::int64_t value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    const bool ends = error == std::errc() && (next == end || *next == ',');
    if (!ends || value < low || value > high) {
      throw InvalidArgument(str("--", key, " is '", text, "'; expected integers from ", low, " to ",
                                high, ", separated by commas"));
    }
    out.push_back(value);
    if (next == end) return out;
    at = next + 1;
  }
}

std::vector<DType> dtypes(const std::string& text) {
  if (text == "both") return {DType::kF32, DType::kBF16};
  return {text == "f32" ? DType::kF32 : DType::kBF16};
}

/// The command line's values, with lists still as text.
struct Request {
  std::string tokens = "512,2048,8192,32768", heads_of = "64,72,96,128", drop = "0,75", threads,
              dtype = "both", window = "1024";
  std::int64_t heads = 4;
  double seconds = 0.1;
  bool no_composition = false, cpu_time = false, json = false;

  std::vector<Option> options() {
    return {
        {"tokens", &tokens, {}, "tokens", "Raster sizes to measure."},
        {"window", &window, {}, "tokens", "Window span W, or 'half' for half of the raster."},
        {"head", &heads_of, {}, "channels", "Channels per head."},
        {"heads", &heads, trainer::between(1, 256), "heads", "Attention heads."},
        {"drop", &drop, {}, "percent", "Percentages of the tokens to drop."},
        {"threads", &threads, {}, "threads", "Numbers of threads; default: 1 and all cores."},
        {"dtype", &dtype, trainer::one_of({"f32", "bf16", "both"}), "Data type of the tensors."},
        {"seconds", &seconds, trainer::between(0, 60), "seconds",
         "Approximate time per measurement."},
        {"no_composition", &no_composition, "Do not time the composition of plain ops."},
        {"cpu_time", &cpu_time,
         "Use CPU time per thread instead of wall-clock time: less noisy on a busy machine."},
        {"json", &json, "Print one JSON object instead of text."},
    };
  }
  std::int64_t window_of(std::int64_t n) const {
    return window == "half" ? n / 2 : numbers("window", window, 0, 1 << 30).at(0);
  }
};

Json to_json(const GlgaBench& b, const GlgaBenchPass& p) {
  Json out = {{"seconds", p.seconds},
              {"gflops_useful", p.useful_rate() / 1e9},
              {"gflops_executed", p.executed_rate() / 1e9},
              {"share_of_peak_useful", p.useful_rate() / b.peak},
              {"share_of_peak_executed", p.executed_rate() / b.peak},
              {"share_of_memory_bound", b.memory_bound(p) / p.seconds}};
  if (p.composed_seconds > 0) {
    out["composed_seconds"] = p.composed_seconds;
    out["gain_over_composition"] = p.composed_seconds / p.seconds;
  }
  return out;
}

/// Time with the window as an argument over the time with the window compiled in.
double argument_gain(const GlgaBench& b) {
  return b.as_argument.median / b.in_code.median;
}
/// Whether the confidence intervals of both medians are disjoint.
bool separated(const GlgaBench& b) {
  return b.in_code.high < b.as_argument.low || b.as_argument.high < b.in_code.low;
}

Json to_json(const GlgaBenchCase& c, int threads, const GlgaBench& b) {
  Json out = {{"tokens", c.tokens},
              {"kept", b.kept},
              {"window", c.window},
              {"drop_percent", c.drop},
              {"head", c.head},
              {"heads", c.heads},
              {"dtype", name_of(c.dtype)},
              {"threads", threads},
              {"fused", b.fused},
              {"peak_gflops", b.peak / 1e9},
              {"memory_gb_per_s", b.memory_rate / 1e9},
              {"forward", to_json(b, b.forward)},
              {"backward", to_json(b, b.backward)}};
  if (b.has_argument) {
    out["window_in_code"] = {{"seconds", b.in_code.median},
                             {"seconds_as_argument", b.as_argument.median},
                             {"gain", argument_gain(b)},
                             {"separated", separated(b)}};
  }
  return out;
}

void print_head() {
  std::printf(
      "tokens kept window head type thr |  forward ms GF/s  %%peak exec%% mem%%  gain |"
      " backward ms GF/s  %%peak exec%% mem%%  gain | window in code\n");
}

void print_pass(const GlgaBench& b, const GlgaBenchPass& p) {
  std::printf(" %10.3f %6.1f %5.1f %5.1f %4.1f ", 1e3 * p.seconds, p.useful_rate() / 1e9,
              100 * p.useful_rate() / b.peak, 100 * p.executed_rate() / b.peak,
              100 * b.memory_bound(p) / p.seconds);
  if (p.composed_seconds > 0)
    std::printf("%5.2f |", p.composed_seconds / p.seconds);
  else
    std::printf("    - |");
}

void print(const GlgaBenchCase& c, int threads, const GlgaBench& b) {
  std::printf("%6lld %5lld %5lld %4lld %4s %3d |", static_cast<long long>(c.tokens),
              static_cast<long long>(b.kept), static_cast<long long>(c.window),
              static_cast<long long>(c.head), std::string(name_of(c.dtype)).c_str(), threads);
  print_pass(b, b.forward);
  print_pass(b, b.backward);
  if (!b.fused)
    std::printf(" plain ops (no kernels)");
  else if (!b.has_argument)
    std::printf(" -");
  else if (!separated(b))
    std::printf(" no gain");
  else
    std::printf(" %+.1f %%", 100 * (argument_gain(b) - 1));
  std::printf("\n");
  std::fflush(stdout);
}

/// Measures every combination of the request's values and passes each result to `done`.
template <class Done>
void measure_all(const Request& r, Done&& done) {
  std::vector<std::int64_t> threads{1};
  const int all = jit::available_threads();
  if (!r.threads.empty())
    threads = numbers("threads", r.threads, 1, 1024);
  else if (all > 1)
    threads.push_back(all);
  const auto tokens = numbers("tokens", r.tokens, 1, 1 << 24),
             heads = numbers("head", r.heads_of, 8, 256), drops = numbers("drop", r.drop, 0, 99);
  (void)r.window_of(1);  // rejects a wrong --window before anything is measured
  for (const std::int64_t thread : threads) {
    jit::Options options = jit::Options::from_environment();
    options.threads = static_cast<int>(thread);
    set_default_device(make_device(options));
    for (const DType dtype : dtypes(r.dtype)) {
      for (const std::int64_t head : heads) {
        for (const std::int64_t drop : drops) {
          for (const std::int64_t n : tokens) {
            const GlgaBenchCase c{n, r.window_of(n), drop, head, r.heads, dtype};
            done(c, static_cast<int>(thread),
                 trainer::bench_glga(c, {r.seconds, !r.no_composition, r.cpu_time}));
          }
        }
      }
    }
  }
}

}  // namespace

int bench_glga(const Arguments& arguments) {
  Request request;
  std::vector<Option> options = request.options();
  if (wants_help(arguments)) {
    return print_help({"eflow bench glga [--tokens N,N,..] [--window W|half] [--json] ...",
                       "Measures gated local-global attention, forward and backward, on the CPU."},
                      options);
  }
  trainer::OptionParser parser(options);
  parser.parse_arguments(arguments);
  parser.finish();
  Json results = Json::array();
  if (!request.json) print_head();
  measure_all(request, [&](const GlgaBenchCase& c, int threads, const GlgaBench& b) {
    if (request.json)
      results.push_back(to_json(c, threads, b));
    else
      print(c, threads, b);
  });
  if (request.json) {
    const auto isa = name_of(default_device()->runtime().isa());
    std::printf("%s\n", Json{{"isa", isa}, {"results", results}}.dump().c_str());
  }
  return 0;
}

}  // namespace eflow::program
