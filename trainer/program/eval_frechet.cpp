// eflow eval frechet: computes the Frechet distance between two files of features.

#include <cstdio>
#include <nlohmann/json.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/npy.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/eval/frechet.hpp"
#include "eflow/trainer/program/arguments.hpp"

namespace eflow::program {
namespace {

template <class T>
std::vector<double> values_of(const io::NpyFile& file) {
  std::vector<T> values(static_cast<std::size_t>(element_count(file.shape())));
  file.read_rows(0, file.rows(), std::as_writable_bytes(std::span(values)));
  return {values.begin(), values.end()};
}

trainer::Moments moments_of_file(const std::string& path) {
  const io::NpyFile file(path);
  const bool real = file.dtype() == DType::kF32 || file.dtype() == DType::kF64;
  if (!real || file.shape().rank() != 2) {
    throw trainer::DataError(str("[eval] ", path, ": expected f32 or f64 features [n, d], found ",
                                 file.shape(), " ", file.dtype()));
  }
  const auto rows = file.dtype() == DType::kF32 ? values_of<float>(file) : values_of<double>(file);
  return trainer::moments_of(rows, file.shape()[1]);
}

}  // namespace

int eval_frechet(const Arguments& arguments) {
  bool json = false;
  const std::vector<trainer::Option> options = {
      {"json", &json, "Print one JSON object instead of text."}};
  if (wants_help(arguments)) {
    return print_help(
        {"eflow eval frechet A.npy B.npy",
         "Computes the Frechet distance between two sets of features [n, d], f32 or f64."},
        options);
  }
  std::vector<std::string> files;
  parse(arguments, options, {}, &files, 2);
  if (files.size() != 2) throw InvalidArgument("eflow eval frechet: expected two .npy files");
  const auto a = moments_of_file(files[0]), b = moments_of_file(files[1]);
  const auto distance = trainer::frechet_distance(a, b);
  if (json) {
    const nlohmann::ordered_json line = {{"frechet", distance.total()},
                                         {"of_means", distance.mean},
                                         {"of_covariances", distance.covariance},
                                         {"rows", {a.count, b.count}},
                                         {"features", a.size}};
    std::printf("%s\n", line.dump().c_str());
    return 0;
  }
  std::printf(
      "Frechet distance %.6g (means %.6g, covariances %.6g), %lld and %lld rows of %lld features\n",
      distance.total(), distance.mean, distance.covariance, static_cast<long long>(a.count),
      static_cast<long long>(b.count), static_cast<long long>(a.size));
  return 0;
}

}  // namespace eflow::program
