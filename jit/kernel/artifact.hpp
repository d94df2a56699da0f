#pragma once
// Artifact: a compiled kernel and the request it was built from, in one checksummed container.
// Caches store whole artifacts, so request, report and image cannot get separated.
//
//   magic 8 | schema 8 | request size 8 | report size 8 | image size 8 | checksum 16
//   | request | report | image
//
// Integers are little-endian; the checksum is XXH3-128 of everything else. docs/jit.md specifies
// the bytes.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/compiler.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

struct Artifact {
  Key key = {};              ///< hash of `request`
  std::string request = "";  ///< BuildRequest::canonical_bytes()
  std::string image = "";    ///< shared object or cubin
  Resources resources = {};
  double seconds = 0;     ///< duration of the compile
  std::int64_t made = 0;  ///< seconds since 1970
  std::string log = "";   ///< the compiler's output

  /// Returns the container's bytes.
  [[nodiscard]] std::string encode() const;
  /// Parses and verifies a container. Returns nullopt and sets `why` if any byte is missing, extra
  /// or corrupt.
  [[nodiscard]] static std::optional<Artifact> decode(std::string_view bytes,
                                                      std::string* why = nullptr);
};

using ArtifactPtr = std::shared_ptr<const Artifact>;

/// Returns the request inside a container without copying or verifying the rest; empty if
/// truncated.
[[nodiscard]] std::string_view request_of(std::string_view container);

}  // namespace eflow::jit

EFLOW_EXPORT_END
