// Interprets every kernel: all built-in specialisations and all default configurations of attention
// (`eflow jit prepare --list default`), as NVRTC compiles them for sm_80 and sm_90a, at small sizes
// against the CPU. The interpreter fails on races, missing waits and fences, and accesses out of
// bounds. The last case of each suite fails if a kernel was never launched. scripts/check_ptx.sh runs
// it all, CTest a sample.
//
//   check_ptx [BOOST_TEST_OPTIONS] [-- FILE]      writes a table of the kernels to FILE-sm_80 ...
#define BOOST_TEST_MODULE check_ptx
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iostream>
#include <set>

#include "eflow/core/attention/glga_shared_memory.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/jit/kernel/builtin.hpp"
#include "eflow/jit/kernel/definitions.hpp"
#include "eflow/nn/dit/kernels.hpp"
#include "eflow/tests/core/ptx/kernel_calls.hpp"
#include "eflow/tests/support/cuda/hopper_attention.hpp"
#include "eflow/tests/support/cuda/nvrtc_or_skip.hpp"
#include "eflow/tests/support/op_agreement.hpp"
#include "eflow/tests/support/ptx/ptx_gpu.hpp"
#include "eflow/tests/support/wide_rows.hpp"

using namespace eflow;
using boost::unit_test::make_test_case;
using boost::unit_test::test_suite;
using eflow::detail::GlgaConstant;
using test::GlgaCase;
using test::SkipWithoutNvrtc;

BOOST_TEST_GLOBAL_FIXTURE(SkipWithoutNvrtc);

namespace {

/// The interpreting GPU of a suite, and which case launched a kernel first.
struct Gpu {
  explicit Gpu(int arch) : machine({.arch = arch}) {}
  test::PtxGpu machine;
  std::map<std::string, std::string> first;  ///< by C++ name of the kernel
  std::map<std::string, double> seconds;     ///< of the cases, by name

  void run(const std::string& name, const std::function<void(Gpu&)>& check) {
    const Stopwatch watch;
    try {
      check(*this);
    } catch (const std::exception& e) {
      BOOST_ERROR(e.what());
    }
    seconds[name] = watch.seconds();
    for (const auto& [kernel, count] : machine.launched()) first.try_emplace(kernel, name);
  }
};

/// One machine at a time: the one of the suite that runs.
Gpu& gpu(int arch) {
  static std::unique_ptr<Gpu> now;
  static int of = 0;
  if (of != arch) {
    now = nullptr;
    now = std::make_unique<Gpu>(arch);
    of = arch;
  }
  return *now;
}

/// A call whose forward pass is the kernel: one sample of one head, a few tiles of tokens.
GlgaCase case_of(const jit::KernelSpec& forward) {
  const auto* const c = forward.constants;
  const auto dtype = static_cast<DType>(forward.dtypes[0]);
  GlgaCase out{.dtype = dtype,
               .samples = 1,
               .tokens = 150,
               .heads = 1,
               .head = c[GlgaConstant::kHead],
               .radius = c[GlgaConstant::kRadius] < 0 ? 40 : c[GlgaConstant::kRadius],
               .kept_percent = c[GlgaConstant::kKeptPercent],
               .local = static_cast<GlgaOptions::Local>(c[GlgaConstant::kLocal]),
               .global = c[GlgaConstant::kGlobal] != 0,
               .tolerance = dtype == DType::kBF16 ? 6e-2 : 5e-3,
               .gates = static_cast<GlgaGateKind>(c[GlgaConstant::kGates]),
               .normed = c[GlgaConstant::kNormed] != 0};
  // Fewer tokens than channels cancel in the gradient of q, which costs accuracy.
  if (out.tokens < 2 * out.head) out.tolerance *= 2;
  return out;
}

/// Whether a built-in specialisation has no arguments: a tile of two dimensions has no three for y.
bool is_of_no_use(const jit::KernelSpec& spec, std::string_view name) {
  return name == "permute" && spec.constants[0] < spec.constants[1];
}

/// Every kernel that must run, by C++ name; the value is what `eflow jit prepare` calls it.
std::map<std::string, std::string> all_kernels() {
  jit::KernelDefinitions definitions;
  define_kernels(definitions);
  std::map<std::string, std::string> out;
  for (const auto& [spec, entry] : jit::builtin_index(jit::Isa::kBaseline)) {
    if (!is_of_no_use(spec, entry->text)) out[entry->expression] = to_string(spec, entry->text);
  }
  for (const jit::KernelRef& kernel : nn::default_kernels(jit::Backend::kCuda))
    out[definitions.source(kernel).expression] = to_string(kernel.spec, kernel.name);
  return out;
}

void write_table(const Gpu& ran, int arch, const std::map<std::string, std::string>& kernels) {
  const auto& suite = boost::unit_test::framework::master_test_suite();
  if (suite.argc < 2) return;
  std::ofstream out(str(suite.argv[1], "-sm_", arch));
  double all = 0;
  for (const auto& [name, seconds] : ran.seconds) all += seconds;
  std::set<std::string> lines;
  long long launches = 0;
  for (const auto& [kernel, count] : ran.machine.launched()) {
    const auto known = kernels.find(kernel);
    const auto first = ran.first.find(kernel);
    lines.insert(str("| `", known == kernels.end() ? kernel : known->second, "` | ", count, " | ",
                     first == ran.first.end() ? "" : first->second, " |\n"));
    launches += count;
  }
  const ptx::Counts& counts = ran.machine.counts();
  out << "\n## sm_" << arch << (arch >= 90 ? "a" : "") << "\n\n"
      << lines.size() << " kernels, " << launches << " launches in " << ran.seconds.size()
      << " cases, " << static_cast<long long>(all) << " s. Warps issued " << counts.products
      << " `mma`, " << counts.group_products << " parts of `wgmma`; threads " << counts.copies
      << " `cp.async`, " << counts.bulk_copies << " bulk copies.\n\n"
      << "| kernel | launches | first in |\n| --- | --- | --- |\n";
  for (const std::string& line : lines) out << line;
}

void require_all(Gpu& ran, int arch) {
  const std::map<std::string, std::string> kernels = all_kernels();
  for (const auto& [expression, name] : kernels) {
    BOOST_TEST(ran.machine.launched().contains(expression),
               name << ", " << expression << ", was never interpreted for sm_" << arch);
  }
  write_table(ran, arch, kernels);
}

/// Adds the cases of one architecture. Every few of them are labelled as the sample.
class Suite {
 public:
  explicit Suite(int arch)
      : arch_(arch), suite_(new test_suite(str("sm_", arch), __FILE__, __LINE__)) {
    boost::unit_test::framework::master_test_suite().add(suite_);
  }

  void add(const std::string& name, std::function<void(Gpu&)> check, bool sampled = false) {
    const int arch = arch_;
    auto* const added =
        make_test_case([=] { gpu(arch).run(name, check); }, name, __FILE__, __LINE__);
    if (sampled) added->add_label("sample");
    suite_->add(added);
  }
  void add_last() {
    const int arch = arch_;
    suite_->add(make_test_case([=] { require_all(gpu(arch), arch); },
                               "every_kernel_was_interpreted", __FILE__, __LINE__));
  }

 private:
  int arch_;
  test_suite* suite_;
};

const bool registered = [] {
  for (const int arch : {80, 90}) {
    Suite suite(arch);
    int n = 0;
    for (const OpEntry& op : all_ops()) {
      suite.add(
          str("op_", op.name),
          [op](Gpu& g) {
            test::check_op(op, g.machine.device(), {DType::kF32, DType::kF64, DType::kBF16});
          },
          arch == 90 && ++n % 8 == 0);
    }
    suite.add("wide rows", [](Gpu& g) {
      test::check_wide_rows(g.machine.device(), {DType::kF32, DType::kF64, DType::kBF16});
    });
    for (const test::KernelCall& c : test::kernel_calls())
      suite.add(
          c.name, [c](Gpu& g) { c.check(g.machine.device()); }, arch == 90);
    n = 0;
    for (const jit::KernelRef& kernel : nn::default_kernels(jit::Backend::kCuda)) {
      if (kernel.name != "glga_forward") continue;
      const GlgaCase c = case_of(kernel.spec);
      suite.add(
          to_string(kernel.spec, kernel.name),
          [c](Gpu& g) { test::check_fused_glga(g.machine.device(), c); }, ++n % 16 == 0);
    }
    if (arch >= 90) {
      for (const std::int64_t head : test::kHopperHeads) {
        for (const bool bulk : {false, true}) {
          suite.add(str("wgmma_head_", head, bulk ? "_bulk_copies" : ""), [=](Gpu& g) {
            test::check_hopper_configs(g.machine.options(),
                                       test::hopper_case(DType::kBF16, head, bulk, bulk ? 8 : 0),
                                       bulk);
          });
        }
        if (head > test::kWidestInF32) continue;
        suite.add(str("f32_head_", head, "_bulk_copies"), [=](Gpu& g) {
          test::check_hopper_configs(g.machine.options(),
                                     test::hopper_case(DType::kF32, head, true, 4), true);
        });
      }
    }
    suite.add_last();
  }
  return true;
}();

}  // namespace
