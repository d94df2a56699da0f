#include "eflow/jit/kernel/artifact.hpp"

#include <bit>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/canonical.hpp"

namespace eflow::jit {
namespace {

constexpr std::string_view kMagic = "EFLWART1";
constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kChecksumAt = 40, kHeaderBytes = 56;

std::string checksum_of(std::string_view container) {
  const std::string_view head = container.substr(0, kChecksumAt),
                         body = container.substr(kHeaderBytes);
  const Hash128 h = hash128(std::as_bytes(std::span(body)), hash64(head));
  ByteWriter out;
  out.u64(h.high).u64(h.low);
  return out.take();
}

std::string encode_report(const Artifact& a) {
  ByteWriter out;
  const Resources& r = a.resources;
  for (const int n : {r.registers, r.spill_stores, r.spill_loads, r.stack, r.shared}) {
    out.u64(static_cast<std::uint64_t>(n));
  }
  out.u64(std::bit_cast<std::uint64_t>(a.seconds))
      .u64(static_cast<std::uint64_t>(a.made))
      .string(a.log);
  return out.take();
}

bool decode_report(std::string_view bytes, Artifact& a) {
  ByteReader in(bytes);
  Resources& r = a.resources;
  for (int* n : {&r.registers, &r.spill_stores, &r.spill_loads, &r.stack, &r.shared}) {
    *n = static_cast<int>(in.u64());
  }
  a.seconds = std::bit_cast<double>(in.u64());
  a.made = static_cast<std::int64_t>(in.u64());
  a.log = in.string();
  return in.done();
}

struct Parts {
  std::string_view request, report, image;
};

std::optional<Parts> split(std::string_view bytes, std::string& why) {
  ByteReader in(bytes);
  if (in.raw(kMagic.size()) != kMagic)
    return why = "bytes 0..8 are not the magic EFLWART1", std::nullopt;
  if (const std::uint64_t schema = in.u64(); schema != kSchema) {
    return why = str("schema at byte 8 is ", schema, ", expected ", kSchema), std::nullopt;
  }
  const std::uint64_t sizes[3] = {in.u64(), in.u64(), in.u64()};
  in.skip(kHeaderBytes - kChecksumAt);
  const Parts parts{in.raw(sizes[0]), in.raw(sizes[1]), in.raw(sizes[2])};
  if (!in.done()) {
    return why = str("sizes at byte 16 (", sizes[0], ", ", sizes[1], ", ", sizes[2],
                     ") do not add up to the ", bytes.size(), " bytes of the file"),
           std::nullopt;
  }
  return parts;
}

}  // namespace

std::string Artifact::encode() const {
  const std::string report = encode_report(*this);
  ByteWriter out;
  out.raw(kMagic).u64(kSchema).u64(request.size()).u64(report.size()).u64(image.size());
  out.raw(std::string(kHeaderBytes - kChecksumAt, '\0')).raw(request).raw(report).raw(image);
  std::string bytes = out.take();
  bytes.replace(kChecksumAt, kHeaderBytes - kChecksumAt, checksum_of(bytes));
  return bytes;
}

std::optional<Artifact> Artifact::decode(std::string_view bytes, std::string* why) {
  std::string unused;
  std::string& reason = why != nullptr ? *why : unused;
  const std::optional<Parts> parts = split(bytes, reason);
  if (!parts) return std::nullopt;
  const std::string_view stored = bytes.substr(kChecksumAt, kHeaderBytes - kChecksumAt);
  if (stored != checksum_of(bytes))
    return reason = "checksum at byte 40 does not match the content", std::nullopt;
  Artifact out;
  if (!decode_report(parts->report, out)) return reason = "the report is malformed", std::nullopt;
  out.request = parts->request;
  out.image = parts->image;
  out.key = key_of(out.request);
  return out;
}

std::string_view request_of(std::string_view container) {
  std::string ignored;
  const std::optional<Parts> parts = split(container, ignored);
  return parts ? parts->request : std::string_view();
}

}  // namespace eflow::jit
