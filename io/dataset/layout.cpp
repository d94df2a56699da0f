#include "eflow/io/dataset/layout.hpp"

#include <algorithm>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/pack.hpp"

namespace eflow::io {
namespace {

bool is_permutation_of(std::string text, std::string letters) {
  std::sort(text.begin(), text.end());
  std::sort(letters.begin(), letters.end());
  return text == letters;
}

}  // namespace

std::string infer_layout(const Shape& shape, const std::string& where) {
  std::vector<std::string> possible;
  if (shape.rank() == 5) {
    for (const std::string candidate : {"NTHWC", "NCTHW", "NTCHW"}) {
      const std::int64_t channels = shape[static_cast<int>(candidate.find('C'))];
      if (channels == 1 || channels == 3) possible.push_back(candidate);
    }
  }
  if (possible.size() == 1) return possible.front();
  std::string names;
  for (const std::string& p : possible) names += " " + p;
  throw AmbiguousArray(str("[pack] ", where, ", shape ", shape, ": the axis order is ",
                           possible.empty() ? "unclear (no axis of size 1 or 3 where channels are "
                                              "expected)"
                                            : "ambiguous; possible are" + names,
                           "; set it with --layout, for example --layout NTHWC "
                           "(clip, frame, row, column, channel)"));
}

ClipWalk walk_of(const std::string& layout, const Shape& shape, const std::string& where) {
  const bool known = is_permutation_of(layout, "NTHW") || is_permutation_of(layout, "NHWC") ||
                     is_permutation_of(layout, "NTHWC");
  if (!known || layout.front() != 'N') {
    throw InvalidArgument(str("[pack] layout is \"", layout,
                              "\"; expected a permutation of NTHWC (or NTHW "
                              "for one channel, NHWC for images) that starts with N"));
  }
  if (shape.rank() != static_cast<int>(layout.size())) {
    throw InvalidArgument(str("[pack] ", where, " has shape ", shape,
                              ", which does not match layout ", layout, "; expected ",
                              layout.size(),
                              " axes. One clip is an array of 1: np.save(path, array[None])"));
  }
  const Strides strides = contiguous_strides(shape);
  ClipWalk walk;
  const std::string order = "CTHW";
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t axis = layout.find(order[i]);
    const bool there = axis != std::string::npos;
    walk.shape.push_back(there ? shape[static_cast<int>(axis)] : 1);
    walk.stride[i] = there ? strides[static_cast<int>(axis)] : 0;
  }
  return walk;
}

}  // namespace eflow::io
