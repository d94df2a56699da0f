#pragma once
// Files of others, written by hand: .npy of any element type, .tar, .zip.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "eflow/core/base/bfloat16.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/io/items/item.hpp"
#include "eflow/tests/io/io_support.hpp"

namespace eflow::test {

/// Bytes of a .npy file with this descriptor ("<f2") and shape ("(2, 3)").
inline std::string npy_bytes(const std::string& descriptor, const std::string& shape,
                             const std::string& data) {
  std::string header =
      "{'descr': '" + descriptor + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
  std::string out = "\x93NUMPY";
  out +=
      {'\1', '\0', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  return out + header + data;
}

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// Values of a clip number `i` with n elements, exact in f16 and bf16.
inline std::vector<float> exact_values(std::size_t n, int i) {
  std::vector<float> out(n);
  for (std::size_t k = 0; k < n; ++k)
    out[k] = static_cast<float>((static_cast<int>(k) * 7 + i * 13) % 97 - 48) / 16;
  return out;
}

inline std::vector<std::uint16_t> as_bf16(const std::vector<float>& values) {
  std::vector<std::uint16_t> out;
  for (const float v : values) out.push_back(bfloat16(v).bits);
  return out;
}

/// Exact for multiples of 1/16 below 4.
inline std::vector<std::uint16_t> as_f16(const std::vector<float>& values) {
  std::vector<std::uint16_t> out;
  for (const float v : values) {
    int exponent = 0;
    const float fraction = std::frexp(std::fabs(v), &exponent);  // in [0.5, 1)
    const auto sign = static_cast<std::uint16_t>(v < 0 ? 0x8000 : 0);
    if (v == 0) {
      out.push_back(sign);
      continue;
    }
    const auto mantissa = static_cast<std::uint16_t>((fraction * 2 - 1) * 1024);
    out.push_back(static_cast<std::uint16_t>(sign | (exponent + 14) << 10 | mantissa));
  }
  return out;
}

using Members = std::vector<std::pair<std::string, std::string>>;

inline std::string tar_bytes(const Members& members) {
  std::string out;
  for (const auto& [name, content] : members) {
    std::string header(512, '\0');
    const auto put = [&](std::size_t at, const std::string& text) {
      header.replace(at, text.size(), text);
    };
    char size[16];
    std::snprintf(size, sizeof size, "%011llo", static_cast<unsigned long long>(content.size()));
    put(0, name);
    put(100, "0000644");
    put(124, size);
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, std::string("ustar\0"
                         "00",
                         8));
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    char check[8];
    std::snprintf(check, sizeof check, "%06o", sum);
    put(148, check);
    header[155] = ' ';
    out += header + content + std::string((512 - content.size() % 512) % 512, '\0');
  }
  return out + std::string(1024, '\0');
}

inline std::uint32_t crc32_of(const std::string& bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

/// A .zip without compression.
inline std::string zip_bytes(const Members& members) {
  std::string out, directory;
  const auto le = [](std::uint64_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i & 255);
    return text;
  };
  for (const auto& [name, content] : members) {
    const std::string common = le(20, 2) + le(0, 2) + le(0, 2) + le(0, 4) +
                               le(crc32_of(content), 4) + le(content.size(), 4) +
                               le(content.size(), 4) + le(name.size(), 2) + le(0, 2);
    directory += "PK\1\2" + le(20, 2) + common + le(0, 2) + le(0, 2) + le(0, 2) + le(0, 4) +
                 le(out.size(), 4) + name;
    out += "PK\3\4" + common + name + content;
  }
  return out + directory + "PK\5\6" + le(0, 4) + le(members.size(), 2) + le(members.size(), 2) +
         le(directory.size(), 4) + le(out.size(), 4) + le(0, 2);
}

/// All items of a source, and the reasons of those that cannot be read.
struct AllItems {
  std::vector<io::Item> items;
  std::vector<std::string> faults;
};

inline AllItems read_all(io::ItemSource& source) {
  AllItems out;
  io::Item item;
  for (;;) {
    try {
      if (!source.next(item)) return out;
      out.items.push_back(item);
    } catch (const io::ItemFault& fault) {
      out.faults.push_back(fault.what());
    }
  }
}

inline std::vector<float> floats_of(const io::RawArray& array) {
  std::vector<float> out(static_cast<std::size_t>(element_count(array.shape)));
  io::to_floats(array.element, array.bytes, out);
  return out;
}

}  // namespace eflow::test
