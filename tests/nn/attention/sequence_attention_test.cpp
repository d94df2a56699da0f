// Attention of clips that ranks divide, against the attention of one rank: outputs, gradients of
// all inputs in f64, the same bits twice, and the bytes that docs/distributed.md gives.
#define BOOST_TEST_MODULE sequence_attention
#include "eflow/nn/attention/sequence_attention.hpp"

#include <boost/test/unit_test.hpp>
#include <mutex>
#include <random>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/core/comm/tree_reduce.hpp"
#include "eflow/tests/support/model_check.hpp"

using namespace eflow;
using namespace eflow::nn;

namespace {

constexpr std::int64_t kBatch = 2, kHeads = 2;

struct Case {
  Grid3 grid;
  int ranks = 2;
  std::int64_t radius = 0, head = 8;
  bool dropped = false;
  GlgaOptions::Local local = GlgaOptions::Local::kWindow;
  bool global = true;
  WindowIndex index = WindowIndex::kOriginal;

  [[nodiscard]] std::string name() const {
    return str(grid.t, "x", grid.h, "x", grid.w, " tokens, ", ranks, " ranks, radius ", radius,
               dropped ? ", dropped" : "", ", head ", head, ", local ", static_cast<int>(local),
               ", global ", global, index == WindowIndex::kCompact ? ", compact" : "");
  }
};

/// Kept tokens: of each pair of frames the same number in every sample, but another one in the next
/// pair, so that ranks have different numbers.
Tensor draw(const Grid3& grid) {
  std::mt19937_64 random(11);
  std::vector<std::int64_t> ids;
  for (std::int64_t b = 0; b < kBatch; ++b) {
    std::int64_t pair = 0;
    for (std::int64_t t = 0; t < grid.t; ++pair) {
      const std::int64_t end = t + (t == 0 && grid.t % 2 == 1 ? 1 : 2);
      std::vector<std::int64_t> all;
      for (std::int64_t i = t * grid.h * grid.w; i < end * grid.h * grid.w; ++i) all.push_back(i);
      std::shuffle(all.begin(), all.end(), random);
      all.resize(static_cast<std::size_t>(1 + pair % 3));
      std::sort(all.begin(), all.end());
      ids.insert(ids.end(), all.begin(), all.end());
      t = end;
    }
  }
  return Tensor::from(ids, {kBatch, static_cast<std::int64_t>(ids.size()) / kBatch});
}

/// Inputs of all tokens, and the factors of the outputs in the loss.
struct Whole {
  explicit Whole(const Case& c) {
    if (c.dropped) kept = draw(c.grid);
    tokens = c.dropped ? kept.size(1) : c.grid.count();
    const Shape rows{kBatch, tokens, kHeads, c.head};
    for (unsigned seed = 1; seed <= 3; ++seed) parts.push_back(test::values(rows, seed));
    parts.push_back(test::values({kBatch, tokens, 2, kHeads, 1}, 4));
    for (unsigned seed = 5; seed <= 6; ++seed)
      weights.push_back(test::values({kHeads * c.head}, seed) + 1.5);
    factors = test::values(rows, 7);
    options = {.local = c.local, .global = c.global, .radius = c.radius, .radius_in_code = false};
  }
  Tensor kept;
  std::int64_t tokens = 0;
  std::vector<Tensor> parts;  ///< q, k, v, gates
  std::vector<Tensor> weights;
  Tensor factors;
  GlgaOptions options;
};

/// The output, and gradients of q, k, v, gates and both weights.
using Results = std::vector<Tensor>;

Results collect(const Tensor& out, const Tensor& factors, const std::vector<Tensor>& inputs) {
  backward(sum(out * factors));
  Results all{out.detach()};
  for (const Tensor& input : inputs) {
    const Tensor grad = input.grad();
    all.push_back(grad.defined() ? grad
                                 : Tensor::zeros(input.shape(), input.dtype(), input.device()));
  }
  return all;
}

Tensor leaf(const Tensor& x) {
  const Tensor own = Tensor::empty(x.shape(), x.dtype());
  own.assign(x);
  own.set_requires_grad(true);
  return own;
}

Results on_one_rank(const Case& c) {
  const Whole whole(c);
  std::vector<Tensor> in;
  for (const Tensor& t : whole.parts) in.push_back(leaf(t));
  for (const Tensor& t : whole.weights) in.push_back(leaf(t));
  GlgaOptions options = whole.options;
  if (c.dropped && c.index == WindowIndex::kOriginal) options.positions = whole.kept;
  return collect(glga_composition(in[0], in[1], in[2], in[3], in[4], in[5], options), whole.factors,
                 in);
}

/// The same on several ranks, with rows joined and weights' gradients added in rank order. bytes:
/// of rank r, sent and received.
Results on_ranks(const Case& c, std::vector<std::size_t>* bytes = nullptr) {
  std::mutex mutex;
  std::vector<Results> of_rank(static_cast<std::size_t>(c.ranks));
  if (bytes != nullptr) bytes->resize(of_rank.size());
  const FusedAttention window;
  comm::run_ranks(
      c.ranks,
      [&](comm::Communicator& ranks) {
        const Whole whole(c);
        const SequencePart dense(c.grid, &ranks);
        const SequencePart part = c.dropped ? dense.kept(whole.kept) : dense;
        const comm::ShardRange own = part.own_tokens();
        const auto mine = [&](const Tensor& t) { return narrow(t, 1, own.first, own.count()); };
        std::vector<Tensor> in;
        for (const Tensor& t : whole.parts) in.push_back(leaf(mine(t)));
        for (const Tensor& t : whole.weights) in.push_back(leaf(t));
        const std::size_t before = ranks.bytes();
        const Tensor out = glga_of_part({in[0], in[1], in[2], in[3], in[4], in[5]}, whole.options,
                                        c.index, part, window);
        Results results = collect(out, mine(whole.factors), in);
        const std::lock_guard lock(mutex);
        const auto me = static_cast<std::size_t>(ranks.rank());
        if (bytes != nullptr) (*bytes)[me] = ranks.bytes() - before;
        of_rank[me] = std::move(results);
      },
      std::chrono::seconds(60));
  Results all;
  for (std::size_t i = 0; i < of_rank[0].size(); ++i) {
    std::vector<Tensor> pieces;
    for (const Results& one : of_rank) pieces.push_back(one[i]);
    Tensor sum = pieces[0];
    for (std::size_t r = 1; r < pieces.size(); ++r) sum = i < 5 ? sum : sum + pieces[r];
    all.push_back(i < 5 ? concat(pieces, 1) : sum);
  }
  return all;
}

void require_equal(const Case& c) {
  const Results expected = on_one_rank(c), found = on_ranks(c);
  const char* const names[] = {"output", "dq", "dk", "dv", "d gates", "d global", "d local"};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = test::distance(found[i], expected[i]);
    BOOST_TEST(error <= 1e-12 * (1 + test::largest(expected[i])),
               c.name() << ": " << names[i] << " differs by " << error);
  }
}

}  // namespace

// Radii: the token itself, less than a rank's tokens, more than one neighbour has, more than all.
BOOST_AUTO_TEST_CASE(outputs_and_gradients_equal_those_of_one_rank) {
  for (const Grid3 grid : {Grid3{4, 2, 3}, Grid3{7, 1, 3}, Grid3{10, 2, 2}}) {
    for (const int ranks : {2, 3, 4, 5}) {
      if (ranks > (grid.t + 1) / 2) continue;
      for (const std::int64_t radius : {0, 2, 9, 100}) {
        for (const bool dropped : {false, true}) require_equal({grid, ranks, radius, 8, dropped});
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(widths_of_heads_branches_and_indices) {
  for (const bool dropped : {false, true}) {
    for (const std::int64_t head : {8, 24, 64}) require_equal({{5, 2, 2}, 3, 5, head, dropped});
    using Local = GlgaOptions::Local;
    require_equal({{5, 2, 2}, 3, 5, 8, dropped, Local::kNone, true});
    require_equal({{5, 2, 2}, 3, 5, 8, dropped, Local::kWindow, false});
    require_equal({{8, 2, 2}, 4, 3, 8, dropped, Local::kWindow, true, WindowIndex::kCompact});
  }
}

BOOST_AUTO_TEST_CASE(the_same_division_gives_the_same_bits) {
  for (const bool dropped : {false, true}) {
    const Case c{{8, 3, 2}, 4, 7, 16, dropped};
    const Results first = on_ranks(c), second = on_ranks(c);
    for (std::size_t i = 0; i < first.size(); ++i)
      BOOST_TEST((first[i].to_vector<double>() == second[i].to_vector<double>()));
  }
}

// Sent and received, both passes: 2 B H d numbers per key that crosses, once as a key and once as a
// gradient; and the state and its gradient, of which a rank sends and receives all but its slice,
// twice.
BOOST_AUTO_TEST_CASE(bytes_are_those_of_the_formula) {
  for (const bool dropped : {false, true}) {
    const Case c{{8, 3, 2}, 4, 7, 16, dropped};
    std::vector<std::size_t> bytes;
    static_cast<void>(on_ranks(c, &bytes));
    comm::run_ranks(c.ranks, [&](comm::Communicator& ranks) {
      const Whole whole(c);
      const SequencePart dense(c.grid, &ranks);
      const TokenDivision d = (dropped ? dense.kept(whole.kept) : dense).window(c.radius, c.index);
      const auto me = static_cast<std::size_t>(ranks.rank());
      std::int64_t keys = d.reach[me].count() - d.own[me].count();  // received
      for (std::size_t r = 0; r < d.own.size(); ++r) {
        if (r == me) continue;
        keys += std::max<std::int64_t>(0, std::min(d.reach[r].last, d.own[me].last) -
                                              std::max(d.reach[r].first, d.own[me].first));
      }
      const std::int64_t state = kBatch * kHeads * c.head * c.head;
      const std::int64_t slice = comm::slice_of(ranks.rank(), c.ranks, state).count();
      const std::int64_t sums = (state - slice) + (c.ranks - 1) * slice;  // in one half of a sum
      const std::int64_t numbers = 2 * (2 * kBatch * kHeads * c.head * keys + 2 * sums);
      if (bytes[me] != static_cast<std::size_t>(8 * numbers))
        throw InvalidArgument(str("rank ", me, ": ", bytes[me], " bytes, not ", 8 * numbers));
    });
  }
}

BOOST_AUTO_TEST_CASE(softmax_over_all_keys) {
  const Case c{{6, 2, 3}, 3};
  const Whole whole(c);
  std::vector<Tensor> in;
  for (int i = 0; i < 3; ++i) in.push_back(leaf(whole.parts[static_cast<std::size_t>(i)]));
  const SoftmaxAttention one;
  const Results expected = collect(one(in[0], in[1], in[2]), whole.factors, in);
  std::mutex mutex;
  std::vector<Results> of_rank(3);
  comm::run_ranks(3, [&](comm::Communicator& ranks) {
    const SequencePart part(c.grid, &ranks);
    const comm::ShardRange own = part.own_tokens();
    std::vector<Tensor> mine;
    for (std::size_t i = 0; i < 3; ++i)
      mine.push_back(leaf(narrow(whole.parts[i], 1, own.first, own.count())));
    const SoftmaxAttention softmax;
    Results results = collect(softmax_of_part(mine[0], mine[1], mine[2], part, softmax),
                              narrow(whole.factors, 1, own.first, own.count()), mine);
    const std::lock_guard lock(mutex);
    of_rank[static_cast<std::size_t>(ranks.rank())] = std::move(results);
  });
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Tensor found = concat({of_rank[0][i], of_rank[1][i], of_rank[2][i]}, 1);
    BOOST_TEST(test::distance(found, expected[i]) < 1e-12);
  }
}

BOOST_AUTO_TEST_CASE(frames_are_divided_by_pairs) {
  const auto text = [](std::int64_t frames, int ranks) {
    std::string all;
    for (const auto& [first, last] : frames_of_ranks(frames, ranks))
      all += str(all.empty() ? "" : " ", first, "-", last);
    return all;
  };
  BOOST_TEST(text(8, 2) == "0-4 4-8");
  BOOST_TEST(text(8, 3) == "0-2 2-4 4-8");
  BOOST_TEST(text(7, 2) == "0-3 3-7");
  BOOST_TEST(text(7, 4) == "0-1 1-3 3-5 5-7");
  BOOST_TEST(text(1, 1) == "0-1");
  BOOST_CHECK_EXCEPTION(frames_of_ranks(7, 5), InvalidArgument, [](const InvalidArgument& error) {
    return std::string(error.what()).find("at most 4") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(samples_that_divide_differently_are_refused) {
  comm::run_ranks(2, [](comm::Communicator& ranks) {
    const SequencePart part({4, 1, 2}, &ranks);
    const Tensor kept = Tensor::from(std::vector<std::int64_t>{0, 1, 4, 0, 4, 5}, {2, 3});
    try {
      static_cast<void>(part.kept(kept));
    } catch (const InvalidArgument& error) {
      if (std::string(error.what()).find("groups-3d") != std::string::npos) return;
    }
    throw InvalidArgument("accepted");
  });
}
