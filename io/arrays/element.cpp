#include "eflow/io/arrays/element.hpp"

#include "eflow/io/arrays/element_visit.hpp"

namespace eflow::io {

std::size_t size_of(Element element) {
  return visit_element(element, []<class T>(std::type_identity<T>) { return sizeof(T); });
}

std::optional<Element> element_of_safetensors(std::string_view dtype) {
  static constexpr std::array<std::string_view, 5> kTheirs = {"U8", "F16", "BF16", "F32", "F64"};
  for (std::size_t i = 0; i < kTheirs.size(); ++i)
    if (kTheirs[i] == dtype) return static_cast<Element>(i);
  return std::nullopt;
}

void to_floats(Element element, std::span<const std::byte> bytes, std::span<float> values) {
  if (bytes.size() != values.size() * size_of(element)) {
    throw InvalidArgument(str("[element] ", bytes.size(), " bytes for ", values.size(),
                              " elements of ", size_of(element), " bytes"));
  }
  visit_element(element, [&]<class T>(std::type_identity<T>) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      T stored;
      std::memcpy(&stored, bytes.data() + i * sizeof(T), sizeof(T));
      values[i] = static_cast<float>(stored);
    }
  });
}

}  // namespace eflow::io
