#pragma once
// Named arrays as several .npy files in memory: a .npz file, or the members of one item in an
// archive. Internal to io.

#include "eflow/io/items/named_arrays.hpp"

namespace eflow::io {

class NpyMembers : public NamedArrays {
 public:
  /// `where` names the file in messages.
  NpyMembers(std::string where, bool two_bytes_are_bf16)
      : where_(std::move(where)), two_bytes_are_bf16_(two_bytes_are_bf16) {}
  void add(const std::string& name, std::vector<std::byte> npy_file);
  [[nodiscard]] bool empty() const { return files_.empty(); }

  [[nodiscard]] std::vector<std::string> names() const override;
  [[nodiscard]] RawArray read(const std::string& name) const override;
  [[nodiscard]] std::int64_t read_label(const std::string& name) const override;

 private:
  [[nodiscard]] const std::vector<std::byte>& file(const std::string& name) const;

  std::string where_;
  bool two_bytes_are_bf16_;
  std::map<std::string, std::vector<std::byte>> files_;
};

}  // namespace eflow::io
