// Counts operations and bytes of a GLGA call from the windows of its tokens.

#include <algorithm>

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/attention/glga_kernels.hpp"
#include "eflow/core/attention/glga_shared_memory.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow {
namespace {

using Local = GlgaOptions::Local;

/// The range of keys [begin, end) inside each query's window, for one sample; both ends ascend.
struct Windows {
  std::vector<std::int64_t> begin, end;

  Windows(std::int64_t sample, std::int64_t queries, std::int64_t keys, const GlgaOptions& o)
      : begin(static_cast<std::size_t>(queries), 0), end(begin) {
    if (o.local == Local::kNone) return;
    std::vector<std::int64_t> positions(begin.size());
    const std::vector<std::int64_t> given =
        o.positions.defined() ? o.positions.to_vector<std::int64_t>() : std::vector<std::int64_t>();
    for (std::size_t i = 0; i < positions.size(); ++i) {
      positions[i] = given.empty() ? static_cast<std::int64_t>(i)
                                   : given[static_cast<std::size_t>(sample * queries) + i];
    }
    for (std::size_t i = 0; i < positions.size(); ++i) {
      end[i] = keys;
      if (o.local == Local::kFull) continue;
      const auto at_least = [&](std::int64_t position) {
        return std::lower_bound(positions.begin(), positions.end(), position) - positions.begin();
      };
      begin[i] = at_least(positions[i] - o.radius);
      end[i] = at_least(positions[i] + o.radius + 1);
    }
  }

  double pairs() const {
    double sum = 0;
    for (std::size_t i = 0; i < begin.size(); ++i) sum += static_cast<double>(end[i] - begin[i]);
    return sum;
  }
  /// Pairs in the visited tiles, of `rows` queries by `columns` keys.
  double visited(int rows, int columns) const {
    double sum = 0;
    for (std::size_t i = 0; i < begin.size(); i += static_cast<std::size_t>(rows)) {
      const std::size_t last = std::min(begin.size(), i + static_cast<std::size_t>(rows)) - 1;
      const std::int64_t steps = (end[last] - begin[i] + columns - 1) / columns;
      sum += static_cast<double>(steps * columns * rows);
    }
    return sum;
  }
};

}  // namespace

GlgaCosts glga_costs(const Tensor& q, const Tensor& k, const GlgaOptions& options) {
  const detail::GlgaKernels kernels(q, Tensor(), options, true);
  // If one pass computes all gradients, the band's tiles count.
  const detail::GlgaTile forward = detail::glga_tile(kernels.forward),
                         queries = detail::glga_tile(kernels.queries),
                         keys = detail::glga_tile(kernels.once ? kernels.band : kernels.keys);
  double pairs = 0, forward_pairs = 0, queries_pairs = 0, keys_pairs = 0;
  for (std::int64_t b = 0; b < q.size(0); ++b) {
    const Windows of_queries(b, q.size(1), k.size(1), options);
    pairs += of_queries.pairs();
    forward_pairs += of_queries.visited(forward.rows, forward.keys);
    queries_pairs += of_queries.visited(queries.rows, queries.keys);
    // The window is symmetric: the queries of a key are the keys of the query at its position.
    keys_pairs += Windows(b, k.size(1), q.size(1), options).visited(keys.keys, keys.rows);
  }
  const double samples = static_cast<double>(q.size(0)), heads = static_cast<double>(q.size(2)),
               d = static_cast<double>(q.size(3)), nq = static_cast<double>(q.size(1)),
               nk = static_cast<double>(k.size(1)),
               element = static_cast<double>(size_of(q.dtype()));
  // Forward: k^T v and q S. Backward: q S again, q^T dA, dA S^T, v dS^T and k dS.
  const double linear = options.global ? 2 * samples * heads * d * d : 0;
  const double state = linear * nk, rows = linear * nq;
  GlgaCosts out;
  out.forward.useful = heads * 4 * d * pairs + state + rows;
  out.forward.executed = heads * 4 * d * forward_pairs + state + rows;
  out.forward.bytes = element * samples * heads * d * (3 * nq + 2 * nk);
  out.backward.useful = heads * 10 * d * pairs + 2 * state + 3 * rows;
  // For wide heads, a GPU computes dk and dv in separate passes.
  const bool gpu = q.device()->runtime().target().backend == jit::Backend::kCuda;
  const double of_keys = gpu && q.size(3) > detail::GlgaFootprint::kWidestPair ? 10 : 8;
  const double walked = kernels.once ? 10 * keys_pairs : 6 * queries_pairs + of_keys * keys_pairs;
  out.backward.executed = heads * d * walked + 2 * state + 3 * rows;
  out.backward.bytes = element * samples * heads * d * (4 * nq + 4 * nk);
  return out;
}

}  // namespace eflow
