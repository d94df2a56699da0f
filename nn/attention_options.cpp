#include "eflow/nn/attention_options.hpp"

#include "eflow/nn/named_enum.hpp"

namespace eflow::nn {
namespace {

constexpr std::array<std::string_view, 8> kAttentionNames = {"softmax", "window", "linear", "sum",
                                                             "glga",    "sana",   "sla",    "vsa"};
constexpr std::array<std::string_view, 3> kGateNames = {"token", "head", "channel"};
constexpr std::array<std::string_view, 2> kIndexNames = {"original", "compact"};

}  // namespace

std::string_view name_of(AttentionKind kind) {
  return kAttentionNames[static_cast<std::size_t>(kind)];
}
std::string_view name_of(GateKind kind) {
  return kGateNames[static_cast<std::size_t>(kind)];
}
std::string_view name_of(WindowIndex index) {
  return kIndexNames[static_cast<std::size_t>(index)];
}
AttentionKind attention_kind(std::string_view name) {
  return enum_from_name<AttentionKind>("attention", name, kAttentionNames);
}
GateKind gate_kind(std::string_view name) {
  return enum_from_name<GateKind>("gates", name, kGateNames);
}
WindowIndex window_index(std::string_view name) {
  return enum_from_name<WindowIndex>("window_index", name, kIndexNames);
}

bool is_glga(AttentionKind kind) {
  return kind == AttentionKind::kWindow || kind == AttentionKind::kLinear ||
         kind == AttentionKind::kSum || kind == AttentionKind::kGated;
}

}  // namespace eflow::nn
