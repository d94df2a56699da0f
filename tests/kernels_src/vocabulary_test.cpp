// Every word of the vocabulary computes what its definition says, with every stored type that it
// may be used with: on the CPU with each instruction set, on an emulated GPU, and on a GPU that
// interprets NVRTC's output. docs/kernels/vocabulary.md shows the list.
//   test.kernels_src.vocabulary -- --page     prints that page
#define BOOST_TEST_MODULE vocabulary
#include "eflow/tests/kernels_src/vocabulary.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/emulation/machine.hpp"
#include "eflow/jit/kernel/builtin_entry.hpp"
#include "eflow/jit/kernel/isa.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/cuda/nvrtc_or_skip.hpp"
#include "eflow/tests/support/jit/tile_texts.hpp"
#include "eflow/tests/support/ptx/ptx_gpu.hpp"

#define EFLOW_DECLARE(target)                   \
  namespace eflow_text_##target {               \
    extern const VocabularyEntry kVocabulary[]; \
  }
EFLOW_DECLARE(baseline)
#if defined(__x86_64__)
EFLOW_DECLARE(avx2)
EFLOW_DECLARE(avx512)
EFLOW_DECLARE(avx512_bf16)
#endif
EFLOW_DECLARE(emulated_80_4)
EFLOW_DECLARE(emulated_75_4)

using namespace eflow;
using jit::Isa;

namespace {

struct PrintPage {
  PrintPage() {
    const auto& suite = boost::unit_test::framework::master_test_suite();
    if (suite.argc < 2 || std::string(suite.argv[1]) != "--page") return;
    std::cout << test::vocabulary_page();
    std::exit(0);
  }
};
BOOST_TEST_GLOBAL_FIXTURE(PrintPage);

/// The arrays of a case on the host.
struct Memory {
  std::vector<double> x, y, a, b, stored, out;  // as bytes
  const test::VocabularyType& type;

  static std::vector<double> store(const test::VocabularyType& type, const test::Numbers& from) {
    std::vector<double> memory(from.size() * type.bytes / sizeof(double) + 1);
    for (std::size_t i = 0; i < from.size(); ++i) type.put(memory.data(), i, from[i]);
    return memory;
  }
  Memory(const test::VocabularyType& t, const test::VocabularyInputs& in)
      : x(store(t, in.x)),
        y(store(t, in.y)),
        a(store(t, in.a)),
        b(store(t, in.b)),
        stored(kVocabularyCount),
        out(kVocabularyResults),
        type(t) {}
};

const VocabularyEntry& entry_of(const VocabularyEntry* all, const std::string& type) {
  while (all->name != nullptr && all->name != type) ++all;
  BOOST_REQUIRE_MESSAGE(all->name != nullptr, "no type " << type);
  return *all;
}

/// Runs words by `call(run, args)`, in this process.
template <class F>
test::RunWord here(const VocabularyEntry* all, F call) {
  return [=](const test::VocabularyType& type, const test::VocabularyInputs& in, Word word) {
    Memory memory(type, in);
    const VocabularyCase args{static_cast<int>(word), memory.x.data(),   memory.y.data(),
                              in.index.data(),        memory.a.data(),   memory.b.data(),
                              memory.stored.data(),   memory.out.data(), kVocabularyCount};
    call(entry_of(all, type.name).run, args);
    return memory.out;
  };
}

using Bytes = std::unique_ptr<char, decltype(&std::free)>;

void check_isa(Isa isa, const VocabularyEntry* all) {
  for (const Isa usable : jit::usable_isas()) {
    if (usable != isa) continue;
    BOOST_TEST_CONTEXT(jit::name_of(isa)) {
      const Bytes scratch(static_cast<char*>(std::aligned_alloc(64, 1 << 20)), &std::free);
      const int words = test::check_vocabulary(here(all, [&](auto run, const VocabularyCase& args) {
        const jit::HostBlock block{0, 0, 0, 1, 1, 1, scratch.get(), 1 << 20};
        run(&block, &args);
      }));
      BOOST_TEST(words > 500);
    }
  }
}

void check_emulated(const VocabularyEntry* all) {
  test::check_vocabulary(here(all, [](auto run, const VocabularyCase& args) {
    emulated::Launch launch;
    launch.threads = kVocabularyThreads;
    launch.shared_bytes = kVocabularyScratch;
    BOOST_TEST(emulated::run(launch, run, &args).error == "");
  }));
}

/// Memory of a device for one case.
class DeviceArray {
 public:
  DeviceArray(Device& device, const void* from, std::size_t bytes)
      : device_(device), bytes_(bytes), p_(device.allocate(bytes, {})) {
    device.copy_in(p_, from, bytes, {});
  }
  ~DeviceArray() { device_.release(p_, bytes_, {}); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  [[nodiscard]] void* get() const { return p_; }

 private:
  Device& device_;
  std::size_t bytes_;
  void* p_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(every_instruction_set) {
  check_isa(Isa::kBaseline, eflow_text_baseline::kVocabulary);
#if defined(__x86_64__)
  check_isa(Isa::kAvx2, eflow_text_avx2::kVocabulary);
  check_isa(Isa::kAvx512, eflow_text_avx512::kVocabulary);
  check_isa(Isa::kAvx512Bf16, eflow_text_avx512_bf16::kVocabulary);
#endif
}

BOOST_AUTO_TEST_CASE(emulated_gpu) {
  check_emulated(eflow_text_emulated_80_4::kVocabulary);
  check_emulated(eflow_text_emulated_75_4::kVocabulary);
}

BOOST_AUTO_TEST_CASE(gpu_that_interprets_ptx) {
  if (!test::nvrtc()) {
    BOOST_TEST_MESSAGE("skipped: " << test::nvrtc().why);
    return;
  }
  const test::PtxGpu gpu;
  const DevicePtr device = gpu.device();
  jit::Runtime& runtime = device->runtime();
  for (const jit::TextFile& file : test::tile_texts()) runtime.add_text(file.path, file.text);
  std::vector<jit::KernelRef> kernels;
  for (const test::VocabularyType& type : test::vocabulary_types()) {
    const std::string name = "vocabulary_" + type.name;
    runtime.define({.name = name,
                    .text = "eflow/tests/kernels_src/vocabulary_text.h",
                    .expression = "vocabulary<" + type.name + ">",
                    .threads = kVocabularyThreads,
                    .space = {},
                    .shared_bytes = [](const jit::KernelSpec&) { return kVocabularyScratch; },
                    .prologue = ""});
    kernels.emplace_back(name, jit::KernelSpec(name, {}));
  }
  for (const jit::Prepared& made : runtime.prepare(kernels))
    BOOST_REQUIRE_MESSAGE(made.ok(), made.error);
  test::check_vocabulary([&](const test::VocabularyType& type, const test::VocabularyInputs& in,
                             Word word) {
    Memory memory(type, in);
    const auto copy = [&](const auto& from) {
      return std::make_unique<DeviceArray>(*device, from.data(), from.size() * sizeof(from[0]));
    };
    const auto x = copy(memory.x), y = copy(memory.y), index = copy(in.index), a = copy(memory.a),
               b = copy(memory.b), stored = copy(memory.stored), out = copy(memory.out);
    const VocabularyCase args{static_cast<int>(word),
                              x->get(),
                              y->get(),
                              static_cast<const int*>(index->get()),
                              a->get(),
                              b->get(),
                              stored->get(),
                              static_cast<double*>(out->get()),
                              kVocabularyCount};
    const std::string name = "vocabulary_" + type.name;
    try {
      device->launch(name, jit::KernelSpec(name, {}), {.x = 1}, args);
    } catch (const Error& e) {
      BOOST_ERROR(str("word ", static_cast<int>(word), " of ", type.title, ": ", e.what()));
    }
    device->copy_out(memory.out.data(), out->get(), memory.out.size() * sizeof(double), {});
    device->synchronize({});
    return memory.out;
  });
}

BOOST_AUTO_TEST_CASE(the_page_shows_the_list) {
  int at = 0;
  for (const test::WordMeaning& meaning : test::vocabulary_meanings())
    BOOST_TEST(static_cast<int>(meaning.word) == at++, meaning.name << " is not in order");
  const std::string page = read_file(EFLOW_SOURCE_DIR "/docs/kernels/vocabulary.md", 1 << 20);
  BOOST_TEST((page == test::vocabulary_page()),
             "docs/kernels/vocabulary.md differs from the list; test.kernels_src.vocabulary -- "
             "--page prints it");
}
