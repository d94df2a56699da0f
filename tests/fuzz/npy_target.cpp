// .npy files: header, rows, and integers of any type.
#include <algorithm>

#include "eflow/io/dataset/npy.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {
namespace {

std::string npy(const std::string& header, std::size_t data) {
  std::string out = "\x93NUMPY";
  out += {'\1', '\0', static_cast<char>(header.size()), '\0'};
  return out + header + std::string(data, '\2');
}

}  // namespace

std::vector<std::string> seeds() {
  return {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24),
          npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }\n", 4),
          npy("{'descr': '<i8', 'fortran_order': False, 'shape': (), }\n", 8)};
}

void run(std::string_view input) {
  const MemoryFile file(input);
  const io::NpyFile array(file.path());
  const std::size_t row = static_cast<std::size_t>(array.row_elements()) * size_of(array.dtype());
  std::vector<std::byte> bytes(row);
  if (array.rows() > 0) array.read_rows(array.rows() - 1, 1, bytes);
  if (!is_floating(array.dtype())) static_cast<void>(io::read_npy_integers(file.path()));
}

}  // namespace eflow::fuzz
