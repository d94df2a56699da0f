#pragma once
// Artifact: what a compiler made, together with the request it was made from, in one checksummed container. It is the
// unit of every cache: request, report and image can not come apart.
//
//   magic 8 | schema 8 | request size 8 | report size 8 | image size 8 | checksum 16 | request | report | image
//
// Integers are little-endian; the checksum is XXH3-128 of everything else. docs/jit.md has the bytes.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "eflow/jit/build_request.hpp"
#include "eflow/jit/compiler.hpp"

namespace eflow::jit {

struct Artifact {
  Key key;              ///< of `request`
  std::string request;  ///< BuildRequest::canonical_bytes()
  std::string image;    ///< shared object or cubin
  Resources resources;
  double seconds = 0;     ///< the compile took
  std::int64_t made = 0;  ///< seconds since 1970
  std::string log;

  /// The container.
  [[nodiscard]] std::string encode() const;
  /// nullopt, and what is wrong with which bytes in `why`, unless `bytes` is exactly one sound container.
  [[nodiscard]] static std::optional<Artifact> decode(std::string_view bytes,
                                                      std::string* why = nullptr);
};

using ArtifactPtr = std::shared_ptr<const Artifact>;

/// The request's bytes of a container, without copying or checking the rest; empty when it is too short.
[[nodiscard]] std::string_view request_of(std::string_view container);

}  // namespace eflow::jit
