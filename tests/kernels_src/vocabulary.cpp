#include "eflow/tests/kernels_src/vocabulary.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>

namespace eflow::test {
namespace {

using In = const VocabularyInputs&;
using Of = const VocabularyType&;
constexpr int kN = kVocabularyCount;
constexpr int kM = kVocabularyRows, kColumns = kVocabularyColumns, kK = kVocabularyDepth;
constexpr std::size_t kWide = kColumns;

/// f(x[i]) for all i, and f(.5) of a single number behind them.
template <class F>
auto of_x(F f) {
  return [f](In in, Of) {
    Numbers out = numbers(kN, [&](std::size_t i) { return f(in.x[i]); });
    out.push_back(f(.5));
    return out;
  };
}
template <class F>
auto of_y(F f) {
  return [f](In in, Of) {
    Numbers out = numbers(kN, [&](std::size_t i) { return f(in.y[i]); });
    out.push_back(f(.5));
    return out;
  };
}
/// f(x[i], y[i]).
template <class F>
auto of_both(F f) {
  return [f](In in, Of) { return numbers(kN, [&](std::size_t i) { return f(in.x[i], in.y[i]); }); };
}
/// fold(values, begin, end) of rows of `width`, which begin 50 apart in x or y.
template <class F>
auto of_rows(const Numbers VocabularyInputs::*from, std::size_t width, F fold) {
  return [from, width, fold](In in, Of) {
    return numbers(6, [&](std::size_t r) { return fold(in.*from, 50 * r, 50 * r + width); });
  };
}

/// Element (r, c) of the sums that a word begins with, and of A, B and A B.
double start(In in, std::size_t r, std::size_t c) {
  return in.a[r * kWide + c];
}
double left(In in, std::size_t r, std::size_t k) {
  return in.a[r * kK + k];
}
double product(In in, std::size_t r, std::size_t c) {
  double sum = 0;
  for (std::size_t k = 0; k < kK; ++k) sum += left(in, r, k) * in.b[k * kWide + c];
  return sum;
}
/// f(in, r, c) of all sums.
template <class F>
auto of_sums(F f) {
  return [f](In in, Of) {
    return numbers(kM * kColumns, [&](std::size_t i) { return f(in, i / kWide, i % kWide); });
  };
}
/// f(in, i) of all rows, or of all columns.
template <class F>
auto of_each_row(F f) {
  return [f](In in, Of) { return numbers(kM, [&](std::size_t r) { return f(in, r); }); };
}
template <class F>
auto of_each_column(F f) {
  return [f](In in, Of) { return numbers(kColumns, [&](std::size_t c) { return f(in, c); }); };
}
/// fold(v, s(r, c)) over the columns of a row, or over the rows of a column, beginning with v.
template <class F>
double over_columns(In in, std::size_t r, double v, F fold) {
  for (std::size_t c = 0; c < kWide; ++c) v = fold(v, start(in, r, c));
  return v;
}
template <class F>
double over_rows(In in, std::size_t c, double v, F fold) {
  for (std::size_t r = 0; r < kM; ++r) v = fold(v, start(in, r, c));
  return v;
}
double larger(double a, double b) {
  return std::max(a, b);
}
double smaller(double a, double b) {
  return std::min(a, b);
}
double plus(double a, double b) {
  return a + b;
}
double plus_square(double a, double b) {
  return a + b * b;
}
double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
double gelu_gate(double x) {
  return sigmoid(2 * 0.7978845608028654 * x * (1 + 0.044715 * x * x));
}
double gelu_grad(double x, double dy) {
  const double gate = gelu_gate(x);
  return dy * gate * (1 + x * (1 - gate) * 2 * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x));
}
double prefix_max(const Numbers& y, std::size_t begin, std::size_t at) {
  return std::max(0.0, most(y, begin, at + 1));
}
double is_inside(std::size_t r, std::size_t c) {
  return r + 3 < kM && c + 5 < kWide ? 1 : 0;
}
constexpr double kMaskedScore = static_cast<double>(-1e30f);

Numbers scanned(In in) {
  Numbers out = numbers(kN, [&](std::size_t i) { return prefix_max(in.y, 0, i); });
  out.push_back(out.back());
  for (std::size_t i = 0; i < 30; ++i) out.push_back(total(in.y, 0, i + 1));
  out.push_back(out.back());
  return out;
}
Numbers kept(In in) {
  Numbers out;
  const auto rows = [&](auto f) { append(out, numbers(6, f)); };
  rows([&](std::size_t r) { return most(in.x, 50 * r, 50 * r + 40); });
  rows([&](std::size_t r) { return least(in.x, 50 * r, 50 * r + 40); });
  rows([&](std::size_t r) {
    return total(in.x, 50 * r, 50 * r + 40) + total(in.y, 50 * r, 50 * r + 40) + 40;
  });
  append(out, numbers(240, [&](std::size_t i) {
           const std::size_t at = i / 40 * 50 + i % 40;
           return in.x[at] + in.y[at] + 1;
         }));
  return out;
}
Numbers selected(In in) {
  Numbers out;
  for (int form = 0; form < 4; ++form) {
    append(out, numbers(kN, [&](std::size_t i) {
             const double a = form < 2 ? in.x[i] : 1, b = form % 2 == 0 ? in.y[i] : 2;
             return in.x[i] > in.y[i] ? a : b;
           }));
  }
  return out;
}
Numbers best_of(In in) {
  const auto best = std::max_element(in.x.begin(), in.x.end());
  return {*best, static_cast<double>(best - in.x.begin())};
}
Numbers added_at(In in) {
  Numbers out(12);
  for (std::size_t i = 0; i < kN; ++i) out[static_cast<std::size_t>(in.index[i]) / 32] += in.x[i];
  return out;
}
Numbers random_numbers(bool normal) {
  const auto key = eflow_text::stream_key(7, 1, 2);
  return numbers(kN, [&](std::size_t i) {
    if (i < 10) return 0.0;
    return static_cast<double>(normal ? eflow_text::normal_at(key, 3, i)
                                      : eflow_text::uniform_at(key, 3, i));
  });
}
/// s M^T or s^T A with the sums as an operand, plus 1.
Numbers sums_times_b(In in) {
  return numbers(kM * kK, [&](std::size_t i) {
    double sum = 1;
    for (std::size_t c = 0; c < kWide; ++c) sum += start(in, i / kK, c) * in.b[c * kK + i % kK];
    return sum;
  });
}
Numbers sums_times_a(In in) {
  return numbers(kColumns * kK, [&](std::size_t i) {
    double sum = 1;
    for (std::size_t r = 0; r < kM; ++r) sum += start(in, r, i / kK) * left(in, r, i % kK);
    return sum;
  });
}
/// The product with B^T stored by rows: of A as loaded and B read as a 24 x 48 matrix.
double product_t(In in, std::size_t r, std::size_t c) {
  double sum = 0;
  for (std::size_t k = 0; k < kK; ++k) sum += left(in, r, k) * in.b[c * kK + k];
  return sum;
}
/// A read as a 48 x 40 matrix, transposed, times B.
double t_product(In in, std::size_t r, std::size_t c) {
  double sum = 0;
  for (std::size_t k = 0; k < kK; ++k) sum += in.a[k * kM + r] * in.b[k * kWide + c];
  return sum;
}
/// A column-major, B column-major.
double strided_product(In in, std::size_t r, std::size_t c) {
  double sum = 0;
  for (std::size_t k = 0; k < kK; ++k) sum += in.a[k * kM + r] * in.b[c * kK + k];
  return sum;
}
Numbers both_products(In in) {
  Numbers out = of_sums([](In i, std::size_t r, std::size_t c) {
    return start(i, r, c) + product_t(i, r, c);
  })(in, {});
  append(out, numbers(16 * kK, [&](std::size_t i) {
           double sum = 0;
           for (std::size_t n = 0; n < kWide; ++n)
             sum += start(in, i / kK, n) * in.b[n * kK + i % kK];
           return sum;
         }));
  return out;
}
double exponential(In in, std::size_t r, std::size_t c) {
  return std::exp2(.5 * start(in, r, c) - 3);
}
Numbers exponentials(In in) {
  Numbers out = of_sums(exponential)(in, {});
  append(out, numbers(kM, [&](std::size_t r) {
           double sum = 0;
           for (std::size_t c = 0; c < kWide; ++c) sum += exponential(in, r, c);
           return sum;
         }));
  return out;
}
Numbers every_second(int count, const std::function<double(std::size_t)>& f) {
  return numbers(2 * count - 1, [&](std::size_t i) { return i % 2 == 0 ? f(i / 2) : 0; });
}

std::vector<WordMeaning> meanings() {
  std::vector<WordMeaning> all;
  const auto add = [&](Word word, std::string name, std::string detail, auto results,
                       double tolerance = 0) {
    all.push_back({word, std::move(name), std::move(detail), results, tolerance});
  };
  const auto same = [](In in, Of) { return in.x; };
  add(Word::k_load, "load", "of packs", same);
  add(Word::k_store, "store", "of packs", [](In in, Of type) {
    return numbers(kN, [&](std::size_t i) { return nearest(type, in.x[i] + in.y[i]); });
  });
  add(Word::k_copy, "copy", "", same);
  add(Word::k_load_strided, "load_strided", "of packs",
      [](In in, Of) { return numbers(kN / 3, [&](std::size_t i) { return in.x[3 * i]; }); });
  add(Word::k_store_strided, "store_strided", "of packs", [](In in, Of) {
    return numbers(kN,
                   [&](std::size_t i) { return i % 3 == 0 && i / 3 < kN / 3 ? in.x[i / 3] : 0; });
  });
  add(Word::k_load_pairs, "load_pairs", "", [](In in, Of type) {
    return numbers(kN / 2, [&](std::size_t i) {
      const double d = in.x[2 * i] - in.x[2 * i + 1];
      return d < 0 && !type.is_signed ? d + std::ldexp(1, static_cast<int>(8 * type.bytes)) : d;
    });
  });
  add(Word::k_store_pairs, "store_pairs", "", [](In in, Of) {
    return numbers(kN / 2 * 2,
                   [&](std::size_t i) { return i % 2 == 0 ? in.x[i / 2] : in.y[i / 2]; });
  });
  add(Word::k_iota, "iota", "",
      [](In, Of) { return numbers(100, [](std::size_t i) { return static_cast<double>(i); }); });
  add(Word::k_splat, "splat", "", [](In, Of) { return Numbers(kN, 3); });
  add(Word::k_each, "each", "",
      [](In in, Of) { return numbers(kN, [&](std::size_t i) { return i < 5 ? 0 : in.x[i]; }); });
  add(Word::k_each_value, "each_value", "", of_both(plus));
  add(Word::k_each_lane, "each_lane", "",
      [](In in, Of) { return numbers(64, [&](std::size_t i) { return in.x[i]; }); });
  add(Word::k_each_lane_of, "each_lane_of", "",
      [](In in, Of) { return numbers(80, [&](std::size_t i) { return i < 16 ? 0 : in.x[i]; }); });
  add(Word::k_each_cell, "each_cell", "", [](In in, Of) {
    return numbers(250, [&](std::size_t i) { return i < 50 || i % 50 < 2 ? 0 : in.x[i]; });
  });
  add(Word::k_each_row, "each_row", "and Team::each",
      [](In in, Of) { return numbers(250, [&](std::size_t i) { return in.x[i]; }); });
  add(Word::k_sum_columns, "sum_columns", "", [](In in, Of) {
    return numbers(50, [&](std::size_t i) { return in.x[i] + in.x[i + 50] + in.x[i + 100]; });
  });
  add(Word::k_sum_each, "sum_each", "", [](In in, Of) { return Numbers{total(in.x, 0, 40)}; });
  add(Word::k_max_each, "max_each", "", [](In in, Of) { return Numbers{most(in.x, 0, kN)}; });
  add(Word::k_min_each, "min_each", "", [](In in, Of) { return Numbers{least(in.x, 0, kN)}; });
  add(Word::k_team_sum, "Team::sum", "", of_rows(&Inputs::x, 40, total));
  add(Word::k_team_max, "Team::max", "", of_rows(&Inputs::x, 50, most));
  add(Word::k_team_min, "Team::min", "", of_rows(&Inputs::x, 50, least));
  add(Word::k_max_pack, "max_pack", "", of_both(larger));
  add(Word::k_min_pack, "min_pack", "", of_both(smaller));
  add(Word::k_abs, "abs", "",
      [](In in, Of) { return numbers(kN, [&](std::size_t i) { return std::abs(in.x[i]); }); });
  add(Word::k_compare, "< > == & \\|", "masks",
      of_both([](double p, double q) { return (p < q && p != 1) || q == 1 ? p : q; }));
  add(Word::k_select, "select", "", [](In in, Of) { return selected(in); });
  add(Word::k_load_where, "load_where", "",
      of_both([](double x, double y) { return y > 1 ? x : 9; }));
  add(Word::k_store_where, "store_where", "",
      of_both([](double x, double y) { return y > 1 ? x : 0; }));
  add(Word::k_reduce_each, "reduce_each", "", [](In in, Of) { return Numbers{most(in.y, 0, kN)}; });
  add(Word::k_team_reduce, "reduce_each", "by a team", of_rows(&Inputs::y, 50, most));
  add(Word::k_scan_each, "scan_each", "", [](In in, Of) { return scanned(in); });
  add(Word::k_team_scan, "scan_each", "by a team", [](In in, Of) {
    Numbers out = numbers(250, [&](std::size_t i) { return prefix_max(in.y, i / 50 * 50, i); });
    for (std::size_t r = 0; r < 5; ++r) out.push_back(out[50 * r + 49]);
    return out;
  });
  add(Word::k_keep_row, "keep_row", "", [](In in, Of) { return kept(in); });
  add(Word::k_each_run, "each_run", "",
      [](In in, Of) { return numbers(kN, [&](std::size_t i) { return in.x[i] + in.y[i]; }); });
  add(Word::k_team_runs, "each_row", "by runs: Team::sum, max, each_value", [](In in, Of) {
    Numbers out = numbers(5, [&](std::size_t r) { return total(in.x, 48 * r, 48 * r + 32); });
    append(out, numbers(5, [&](std::size_t r) { return most(in.x, 48 * r, 48 * r + 48); }));
    append(out, numbers(240, [&](std::size_t i) { return in.x[i]; }));
    return out;
  });
  add(Word::k_each_cell_run, "each_cell_run", "",
      [](In in, Of) { return numbers(240, [&](std::size_t i) { return i < 48 ? 0 : in.x[i]; }); });
  add(Word::k_sum_columns_run, "sum_columns_run", "", [](In in, Of) {
    return numbers(48, [&](std::size_t i) { return in.x[i] + in.x[i + 48] + in.x[i + 96]; });
  });
  add(Word::k_reordered, "reordered", "",
      [](In in, Of) { return numbers(kN, [&](std::size_t i) { return in.x[kN - 1 - i]; }); });

  add(Word::k_cast, "cast", "", [](In in, Of) {
    Numbers out = numbers(kN, [&](std::size_t i) { return std::trunc(in.x[i]); });
    append(out, numbers(kN, [&](std::size_t i) { return std::trunc(in.x[i]) + 1; }));
    out.push_back(3);
    return out;
  });
  const auto picked = [](In in, std::size_t i) {
    return in.x[static_cast<std::size_t>(in.index[i])];
  };
  add(Word::k_gather, "gather", "",
      [=](In in, Of) { return numbers(kN, [&](std::size_t i) { return picked(in, i); }); });
  add(Word::k_gather_where, "gather", "with a mask", [=](In in, Of) {
    return numbers(kN, [&](std::size_t i) { return in.y[i] > 1 ? picked(in, i) : 9; });
  });
  add(Word::k_scatter, "scatter", "", [](In in, Of) {
    Numbers out(kN);
    for (std::size_t i = 0; i < kN; ++i) out[static_cast<std::size_t>(in.index[i])] = in.x[i];
    return out;
  });
  add(Word::k_add_to, "add_to", "", of_both(plus));
  add(Word::k_add_at, "add_at", "", [](In in, Of) { return added_at(in); });
  add(Word::k_arg_max, "both", "in a reduction", [](In in, Of) { return best_of(in); });

  const double few = 4;
  add(Word::k_exp, "exp", "", of_x([](double x) { return std::exp(x); }), few);
  add(Word::k_exp2, "exp2", "", of_x([](double x) { return std::exp2(x); }), few);
  add(Word::k_log, "log", "", of_y([](double x) { return std::log(x); }), few);
  add(Word::k_sqrt, "sqrt", "", of_y([](double x) { return std::sqrt(x); }), few);
  add(Word::k_rsqrt, "rsqrt", "", of_y([](double x) { return 1 / std::sqrt(x); }), few);
  add(Word::k_sin, "sin", "", of_x([](double x) { return std::sin(x); }), few);
  add(Word::k_cos, "cos", "", of_x([](double x) { return std::cos(x); }), few);
  add(Word::k_tanh, "tanh", "", of_x([](double x) { return std::tanh(x); }), few);
  add(Word::k_sigmoid, "sigmoid", "", of_x(sigmoid), few);
  add(Word::k_erf, "erf", "", of_x([](double x) { return std::erf(x); }), few);
  add(Word::k_floor, "floor", "", of_x([](double x) { return std::floor(x); }));
  add(Word::k_gelu, "gelu", "", of_x([](double x) { return x * gelu_gate(x); }), few);
  add(
      Word::k_gelu_grad, "gelu_grad", "",
      [](In in, Of type) {
        Numbers out = of_both(gelu_grad)(in, type);
        out.push_back(gelu_grad(.5, 2));
        return out;
      },
      2 * few);
  add(Word::k_fma, "fma", "", [](In in, Of type) {
    Numbers out = of_both([](double x, double y) { return x * y + y; })(in, type);
    out.push_back(4);
    return out;
  });
  add(
      Word::k_pow, "pow", "",
      [](In in, Of type) {
        Numbers out = of_both([](double x, double y) { return std::pow(y, x); })(in, type);
        append(out, numbers(kN, [&](std::size_t i) { return std::pow(in.y[i], 1.5); }));
        out.push_back(.125);
        return out;
      },
      few);
  add(
      Word::k_fast_divide, "fast_divide", "",
      [](In in, Of type) {
        Numbers out = of_both([](double x, double y) { return x / y; })(in, type);
        out.push_back(.25);
        return out;
      },
      few);
  add(Word::k_random_each, "random_each", "", [](In, Of) { return random_numbers(false); });
  add(Word::k_normal_each, "normal_each", "", [](In, Of) { return random_numbers(true); });

  const auto onto_start = [](auto f) {
    return of_sums(
        [f](In in, std::size_t r, std::size_t c) { return start(in, r, c) + f(in, r, c); });
  };
  add(Word::k_mma_AB, "mma_AB", "", onto_start(product));
  add(Word::k_mma_ABt, "mma_ABt", "", onto_start(product_t));
  add(Word::k_mma_AtB, "mma_AtB", "", onto_start(t_product));
  add(Word::k_set_AB, "set_AB", "", of_sums(product));
  add(Word::k_set_ABt, "set_ABt", "", of_sums(product_t));
  add(Word::k_set_AtB, "set_AtB", "", of_sums(t_product));
  add(Word::k_tile_load_strided, "load_strided", "of tiles", of_sums(strided_product));
  add(Word::k_alloc_both, "alloc_both", "", [](In in, Of) { return both_products(in); });
  add(Word::k_alloc_both_ring, "alloc_both_ring", "",
      of_sums([](In in, std::size_t r, std::size_t c) {
        return start(in, r, c) + 2 * product_t(in, r, c);
      }));
  add(Word::k_pipeline, "pipeline, alloc_ring", "", onto_start(product));
  add(Word::k_acc_fill, "fill", "of sums",
      of_sums([](In, std::size_t, std::size_t) { return 3.0; }));
  add(Word::k_acc_load, "load", "of sums", of_sums([](In in, std::size_t r, std::size_t c) {
        return is_inside(r, c) * start(in, r, c);
      }));
  add(Word::k_acc_store, "store", "of sums", of_sums([](In in, std::size_t r, std::size_t c) {
        return is_inside(r, c) * start(in, r, c);
      }));
  add(Word::k_map, "map", "", onto_start(start));
  add(Word::k_map_two, "map", "with sums",
      of_sums([](In in, std::size_t r, std::size_t c) { return 2 * start(in, r, c) + 2; }));
  add(Word::k_map_view, "map", "with a view", onto_start([](In in, std::size_t r, std::size_t c) {
        return is_inside(r, c) * start(in, r, c);
      }));
  add(Word::k_map_rc, "map_rc", "", onto_start([](In, std::size_t r, std::size_t c) {
        return static_cast<double>(100 * r + c);
      }));

  add(Word::k_as_A, "as_A", "", [](In in, Of) { return sums_times_b(in); });
  add(Word::k_as_At, "as_At", "", [](In in, Of) { return sums_times_a(in); });
  const auto row_value = [](In in, std::size_t r) { return left(in, r, 0); };
  const auto column_value = [](In in, std::size_t c) { return in.b[c]; };
  add(Word::k_row_apply, "row_apply", "",
      onto_start([=](In in, std::size_t r, std::size_t) { return 2 * row_value(in, r); }));
  add(Word::k_row_apply_two, "row_apply", "with sums",
      of_sums([=](In in, std::size_t r, std::size_t c) {
        return start(in, r, c) * start(in, r, c) + row_value(in, r);
      }));
  add(Word::k_col_apply, "col_apply", "",
      onto_start([=](In in, std::size_t, std::size_t c) { return 2 * column_value(in, c); }));
  add(Word::k_col_apply_two, "col_apply", "with sums",
      of_sums([=](In in, std::size_t r, std::size_t c) {
        return start(in, r, c) * start(in, r, c) + column_value(in, c);
      }));
  add(Word::k_scale_rows, "scale_rows", "", of_sums([=](In in, std::size_t r, std::size_t c) {
        return start(in, r, c) * row_value(in, r);
      }));
  add(Word::k_row_max, "row_max", "", of_each_row([=](In in, std::size_t r) {
        return over_columns(in, r, row_value(in, r), larger);
      }));
  add(Word::k_row_min, "row_min", "", of_each_row([=](In in, std::size_t r) {
        return over_columns(in, r, row_value(in, r), smaller);
      }));
  add(Word::k_row_sum, "row_sum", "",
      of_each_row([](In in, std::size_t r) { return over_columns(in, r, 0, plus); }));
  add(Word::k_row_dot, "row_dot", "",
      of_each_row([](In in, std::size_t r) { return over_columns(in, r, 0, plus_square); }));
  add(Word::k_col_max, "col_max", "", of_each_column([=](In in, std::size_t c) {
        return over_rows(in, c, column_value(in, c), larger);
      }));
  add(Word::k_col_min, "col_min", "", of_each_column([=](In in, std::size_t c) {
        return over_rows(in, c, column_value(in, c), smaller);
      }));
  add(Word::k_col_sum, "col_sum", "",
      of_each_column([](In in, std::size_t c) { return over_rows(in, c, 0, plus); }));
  add(Word::k_col_dot, "col_dot", "",
      of_each_column([](In in, std::size_t c) { return over_rows(in, c, 0, plus_square); }));
  add(
      Word::k_exp2_sub_rows, "exp2_sub", "of rows", [](In in, Of) { return exponentials(in); },
      4 * few);
  add(Word::k_exp2_sub_columns, "exp2_sub", "of columns", of_sums(exponential), 4 * few);
  add(Word::k_mask_range, "mask_range", "", of_sums([](In in, std::size_t r, std::size_t c) {
        return c >= r / 8 && c < 8 + r / 4 ? start(in, r, c) : kMaskedScore;
      }));
  add(Word::k_row_vmap, "vmap", "of rows",
      of_each_row([=](In in, std::size_t r) { return row_value(in, r) * row_value(in, r) + 1; }));
  add(Word::k_col_vmap, "vmap", "of columns", of_each_column([=](In in, std::size_t c) {
        return column_value(in, c) * column_value(in, c) + 1;
      }));
  add(Word::k_row_load, "load, store", "of RowVec", [=](In in, Of) {
    return every_second(kM, [&](std::size_t r) { return r + 3 < kM ? row_value(in, r) : 9; });
  });
  add(Word::k_col_load, "load, store", "of ColVec", [](In in, Of) {
    return every_second(kColumns,
                        [&](std::size_t c) { return c + 3 < kWide ? left(in, c, 0) : 9; });
  });
  add(Word::k_row_reduce, "row_reduce", "",
      of_each_row([](In in, std::size_t r) { return over_columns(in, r, 0, plus); }));
  add(Word::k_col_reduce, "col_reduce", "",
      of_each_column([](In in, std::size_t c) { return over_rows(in, c, 0, plus); }));
  add(Word::k_row_scan, "row_scan", "", of_sums([](In in, std::size_t r, std::size_t c) {
        double sum = 0;
        for (std::size_t i = 0; i <= c; ++i) sum += start(in, r, i);
        return sum;
      }));
  add(Word::k_transpose, "transpose", "", [](In in, Of) {
    return numbers(kM * kColumns, [&](std::size_t i) { return start(in, i % kM, i / kM); });
  });
  return all;
}

}  // namespace

const std::vector<WordMeaning>& vocabulary_meanings() {
  static const std::vector<WordMeaning> all = meanings();
  return all;
}

bool has_word(const WordMeaning& word, const VocabularyType& type) {
  if (word.word >= Word::k_as_A) return type.tiles;
  if (word.word >= Word::k_mma_AB) return type.products;
  if (word.word >= Word::k_exp) return type.floating;
  if (word.word >= Word::k_cast) return type.compute_bytes() >= 4;
  return true;
}

int check_vocabulary(const RunWord& run) {
  int words = 0;
  for (const VocabularyType& type : vocabulary_types()) {
    const VocabularyInputs inputs(type);
    for (const WordMeaning& meaning : vocabulary_meanings()) {
      if (!has_word(meaning, type)) continue;
      const Numbers expected = meaning.results(inputs, type),
                    found = run(type, inputs, meaning.word);
      const double epsilon = type.compute_bytes() == 8
                                 ? std::numeric_limits<double>::epsilon()
                                 : static_cast<double>(std::numeric_limits<float>::epsilon());
      BOOST_REQUIRE(expected.size() <= found.size());
      int wrong = 0;
      for (std::size_t i = 0; i < expected.size() && wrong < 3; ++i) {
        const double limit = meaning.tolerance * epsilon * (1 + std::abs(expected[i]));
        if (std::abs(found[i] - expected[i]) <= limit) continue;
        ++wrong;
        BOOST_ERROR(str(meaning.name, " ", meaning.detail, ", ", type.title, ": result ", i, " is ",
                        found[i], ", expected ", expected[i]));
      }
      ++words;
    }
  }
  return words;
}

std::string vocabulary_page() {
  std::string out = R"(# Vocabulary

Every word that a kernel text may use, and the stored types that it may be used with. `kernels_src/tile/pack.h`, `lanes.h`, `scan.h`, `row.h`,
`runs.h`, `reorder.h`, `matrix.h`, `matrix_join.h` and `kernels_src/random_each.h` say what each does. A tick says that the test
`kernels_src/vocabulary` runs the word on both back ends and compares it with its definition: on the CPU with each instruction set, and on a
GPU that interprets what NVRTC makes of the text (sm_80). This page is generated:
`build/release/tests/test.kernels_src.vocabulary -- --page > docs/kernels/vocabulary.md`.

| word | |)";
  for (const VocabularyType& type : vocabulary_types()) out += str(" ", type.title, " |");
  out += "\n| --- | --- |";
  for (std::size_t i = 0; i < vocabulary_types().size(); ++i) out += " --- |";
  out += "\n";
  for (const WordMeaning& meaning : vocabulary_meanings()) {
    out += str("| `", meaning.name, "` | ", meaning.detail, " |");
    for (const VocabularyType& type : vocabulary_types())
      out += has_word(meaning, type) ? " ✓ |" : " |";
    out += "\n";
  }
  return out;
}

}  // namespace eflow::test
