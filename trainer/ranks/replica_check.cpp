#include "eflow/trainer/ranks/replica_check.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "eflow/core/base/hash.hpp"
#include "eflow/core/sequence/host_copy.hpp"

namespace eflow::trainer {
namespace {

constexpr std::size_t kHash = sizeof(std::uint64_t);

std::string hashes_of(const nn::NamedTensors& tensors) {
  std::string all;
  for (const auto& [name, tensor] : tensors) {
    comm::HostCopy copy(tensor, true);
    const std::uint64_t hash = hash64(copy.bytes());
    all.append(reinterpret_cast<const char*>(&hash), kHash);
  }
  return all;
}

/// The value that most ranks have; "" if no value is that of more than half of them.
std::string of_most(const std::vector<std::string>& values) {
  std::map<std::string, std::size_t> counts;
  for (const std::string& value : values) ++counts[value];
  for (const auto& [value, count] : counts) {
    if (2 * count > values.size()) return value;
  }
  return "";
}

}  // namespace

void require_same_bits(const nn::NamedTensors& tensors, comm::Communicator* ranks,
                       std::int64_t step) {
  if (ranks->size() == 1) return;
  const auto all = ranks->gather(hashes_of(tensors), {"hashes of the weights", step});
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::vector<std::string> values;
    for (const std::string& text : all) values.push_back(text.substr(i * kHash, kHash));
    if (std::count(values.begin(), values.end(), values[0]) == ranks->size()) continue;
    const std::string right = of_most(values);
    std::string wrong;
    for (int r = 0; r < ranks->size(); ++r) {
      if (values[static_cast<std::size_t>(r)] != right)
        wrong += str(wrong.empty() ? "" : ", ", ranks->name_of(r));
    }
    throw comm::PeerError(
        str("[ranks] after step ", step, ", '", tensors[i].first, "' has other bits on ", wrong,
            right.empty() ? ", and no value is that of most ranks" : " than on most ranks",
            ": its memory or processor is faulty, or the ranks do not run the same kernels; "
            "resume from the last checkpoint without that machine"));
  }
}

}  // namespace eflow::trainer
