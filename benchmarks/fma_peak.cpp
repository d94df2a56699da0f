#include "fma_peak.hpp"

#include <ctime>
#include <vector>

#define EFLOW_DECLARE(isa)                                                 \
  namespace eflow_text_##isa {                                             \
    double run_peak(int element, long long steps, float start, void* out); \
  }
EFLOW_DECLARE(baseline)
#if defined(__x86_64__)
EFLOW_DECLARE(avx2)
EFLOW_DECLARE(avx512)
EFLOW_DECLARE(avx512_bf16)
#endif

namespace eflow::bench {
namespace {

using Run = double (*)(int, long long, float, void*);

Run run_of(jit::Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case jit::Isa::kAvx2:
      return eflow_text_avx2::run_peak;
    case jit::Isa::kAvx512:
      return eflow_text_avx512::run_peak;
    case jit::Isa::kAvx512Bf16:
      return eflow_text_avx512_bf16::run_peak;
    default:
      break;
  }
#endif
  static_cast<void>(isa);
  return eflow_text_baseline::run_peak;
}

struct Job {
  Run run;
  int element;
  long long steps;
  clockid_t clock;
  std::vector<double> rates;
};

double now(clockid_t clock) {
  std::timespec t;
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

void work(void* context, std::int64_t begin, std::int64_t end, char* scratch) {
  Job& job = *static_cast<Job*>(context);
  // A start that the compiler cannot know; the chains converge, so no denormals and no infinities slow them down.
  volatile float start = 0.5f;
  for (std::int64_t i = begin; i < end; ++i) {
    const double from = now(job.clock);
    const double flops = job.run(job.element, job.steps, start, scratch);
    job.rates[static_cast<std::size_t>(i)] = flops / (now(job.clock) - from);
  }
}

}  // namespace

double fma_peak(jit::ThreadPool& pool, jit::Isa isa, DType dtype, long long steps, bool cpu_time) {
  Job job{run_of(isa), static_cast<int>(size_of(dtype)), steps,
          cpu_time ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC,
          std::vector<double>(static_cast<std::size_t>(pool.size()))};
  pool.run(pool.size(), work, &job);
  double total = 0;
  for (const double rate : job.rates) total += rate;
  return total;
}

}  // namespace eflow::bench
