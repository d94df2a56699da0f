#include "eflow/io/import/latent_spaces.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/io/shard/json_fields.hpp"

namespace eflow::io {

std::optional<LatentSpace> known_latent_space(const std::string& name) {
  if (name != "wan2.1") return std::nullopt;
  return LatentSpace{name,
                     {-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134,
                      -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921},
                     {2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687,
                      2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160}};
}

LatentSpace read_latent_space(const std::filesystem::path& path) {
  const std::string text = read_file(path, 1 << 20);
  check_json_bounds(text, path);
  const auto object = nlohmann::json::parse(text, nullptr, false);
  if (!object.is_object())
    throw InvalidArgument(str("[import] ", path.string(), " is no JSON object"));
  const bool config = object.contains("latents_mean");
  LatentSpace out;
  out.mean = field<std::vector<double>>(object, config ? "latents_mean" : "mean", path);
  out.std = field<std::vector<double>>(object, config ? "latents_std" : "std", path);
  if (object.contains("name")) out.name = field<std::string>(object, "name", path);
  const bool finite =
      std::all_of(out.mean.begin(), out.mean.end(), [](double v) { return std::isfinite(v); });
  const bool positive = std::all_of(out.std.begin(), out.std.end(),
                                    [](double v) { return std::isfinite(v) && v > 0; });
  if (out.mean.empty() || out.mean.size() != out.std.size() || !finite || !positive) {
    throw InvalidArgument(str("[import] ", path.string(), " has ", out.mean.size(), " means and ",
                              out.std.size(),
                              " standard deviations; expected one finite mean and one positive "
                              "standard deviation per channel"));
  }
  return out;
}

}  // namespace eflow::io
