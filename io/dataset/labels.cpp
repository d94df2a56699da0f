#include "eflow/io/dataset/labels.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/npy.hpp"

namespace eflow::io {
namespace {

constexpr std::int64_t kMaxClasses = 1 << 20;  // the limit of DatasetSpec::check()

/// The largest label + 1, or kMaxClasses if that is more than a data set may have.
std::int64_t classes_of(const std::vector<std::int64_t>& labels) {
  const std::int64_t largest = *std::max_element(labels.begin(), labels.end());
  return std::clamp<std::int64_t>(largest, 0, kMaxClasses - 1) + 1;
}

}  // namespace

Labels read_labels(const std::filesystem::path& path, std::int64_t clips,
                   const PackOptions& options) {
  Labels out;
  out.class_count = options.class_count > 0 ? options.class_count
                                            : static_cast<std::int64_t>(options.class_names.size());
  if (path.empty()) {
    if (out.class_count > 0) {
      throw InvalidArgument("[pack] classes were given without labels; add the labels' .npy file");
    }
    out.values.resize(static_cast<std::size_t>(clips));
    return out;
  }
  const auto [shape, labels] = read_npy_integers(path);
  if (shape.rank() != 1 || shape[0] != clips) {
    throw InvalidArgument(str("[pack] ", path.string(), " has shape ", shape,
                              "; expected one label for each of the ", clips, " clips, [", clips,
                              "]"));
  }
  const bool counted = out.class_count == 0;
  if (counted) out.class_count = classes_of(labels);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= out.class_count) {
      throw InvalidArgument(
          str("[pack] ", path.string(), ", clip ", i, ": label ", labels[i], " is not in 0 to ",
              counted ? kMaxClasses - 1 : out.class_count - 1,
              counted ? ". A data set numbers its classes from 0; to number them, use "
                        "np.save(path, np.unique(array, return_inverse=True)[1])"
                      : str("; the data set is to have ", out.class_count, " classes")));
    }
    out.values.push_back(static_cast<std::int32_t>(labels[i]));
  }
  return out;
}

}  // namespace eflow::io
